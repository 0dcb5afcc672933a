"""Several tensors made one, and one made several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import SupportsIndex

import numpy as np

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.op import Op, Spec
from gradflow.ops.create import asarray
from gradflow.ops.shape import ravel
from gradflow.ops.slicing import FULL, Selection, Slice, _getitem, integer
from gradflow.samples import Real, sample
from gradflow.shapes import normalize_axis
from gradflow.tensor import Tensor, TensorLike


def concat(tensors: Sequence[TensorLike], axis: SupportsIndex | None = 0) -> Tensor:
    """The tensors one after another along an existing ``axis``, or with None flattened first; dtypes are promoted.

    Raises ShapeError unless the shapes agree but for ``axis``.

    >>> import gradflow as gf
    >>> gf.concat([gf.tensor([[1, 2]]), gf.tensor([[3, 4], [5, 6]])])
    tensor([[1, 2],
            [3, 4],
            [5, 6]])
    """
    given = _several("concat", tensors)
    if axis is None:
        given, axis = [ravel(x) for x in given], 0
    return apply(_concat, *given, axis=normalize_axis("concat", axis, given[0].ndim))


def _several(name: str, tensors: Sequence[TensorLike]) -> list[Tensor]:
    if isinstance(tensors, Tensor) or not isinstance(tensors, Iterable):
        raise DTypeError(f"{name}: takes a list of tensors, not {type(tensors).__name__}")
    given = [asarray(x) for x in tensors]
    if not given:
        raise ArgumentError(f"{name}: the list of tensors is empty")
    return given


def _concat_spec(*specs: Spec, axis: int) -> Spec:
    before, after = specs[0].shape[:axis], specs[0].shape[axis + 1 :]
    for spec in specs:
        if len(spec.shape) != len(specs[0].shape) or (spec.shape[:axis], spec.shape[axis + 1 :]) != (before, after):
            raise ShapeError(
                f"concat: {spec.shape} does not continue {specs[0].shape} along axis {axis}; "
                "all other sizes must be equal"
            )
    size = sum(spec.shape[axis] for spec in specs)
    return Spec((*before, size, *after), np.result_type(*(spec.dtype for spec in specs)))


def _concat_vjp(g: Tensor, specs: tuple[Spec, ...], position: int, axis: int) -> Tensor:
    start = sum(spec.shape[axis] for spec in specs[:position])
    index = _along(axis, Slice(start, start + specs[position].shape[axis]))
    return apply(_getitem, g, index=index)


def _along(axis: int, entry: int | Slice) -> Selection:
    return (*(FULL,) * axis, entry)


_concat = Op(
    name="concat",
    forward=lambda xp, *arrays, axis, out=None: xp.concatenate(arrays, axis=axis, out=out),
    spec=_concat_spec,
    vjp=_concat_vjp,
    complex=True,
    samples=(
        sample(Real((3,)), axis=0),
        sample(Real((2, 3)), Real((2, 1)), Real((2, 4)), axis=1),
        sample(Real((0, 3)), Real((2, 3)), axis=0),
    ),
)


def stack(tensors: Sequence[TensorLike], axis: SupportsIndex = 0) -> Tensor:
    """The tensors one after another along a new dimension, at ``axis`` of the result; dtypes are promoted.

    Raises ShapeError unless all have one shape.

    >>> import gradflow as gf
    >>> gf.stack([gf.tensor([1, 2]), gf.tensor([3, 4])], axis=-1)
    tensor([[1, 3],
            [2, 4]])
    """
    given = _several("stack", tensors)
    return apply(_stack, *given, axis=normalize_axis("stack", axis, given[0].ndim + 1))


def _stack_spec(*specs: Spec, axis: int) -> Spec:
    shape = specs[0].shape
    for spec in specs:
        if spec.shape != shape:
            raise ShapeError(f"stack: {spec.shape} and {shape} differ; all shapes must be equal")
    dtype = np.result_type(*(spec.dtype for spec in specs))
    return Spec((*shape[:axis], len(specs), *shape[axis:]), dtype)


_stack = Op(
    name="stack",
    forward=lambda xp, *arrays, axis, out=None: xp.stack(arrays, axis=axis, out=out),
    spec=_stack_spec,
    vjp=lambda g, position, axis: apply(_getitem, g, index=_along(axis, position)),
    complex=True,
    samples=(
        sample(Real(()), Real(()), axis=0),
        sample(Real((2, 3)), Real((2, 3)), Real((2, 3)), axis=1),
        sample(Real((2, 3)), axis=2),
        sample(Real((0,)), Real((0,)), axis=1),
    ),
)


def split(
    x: TensorLike, indices_or_sections: SupportsIndex | Sequence[SupportsIndex], axis: SupportsIndex = 0
) -> list[Tensor]:
    """``x`` cut along ``axis`` into equally many equal sections, or at the given indices; the parts are views.

    Raises ShapeError if the sections would not be equal.

    >>> import gradflow as gf
    >>> gf.split(gf.arange(6), 2), gf.split(gf.arange(6), [1, 4])
    ([tensor([0, 1, 2]), tensor([3, 4, 5])], [tensor([0]), tensor([1, 2, 3]), tensor([4, 5])])
    """
    given = asarray(x)
    along = normalize_axis("split", axis, given.ndim)
    size = given.shape[along]
    if isinstance(indices_or_sections, Iterable):
        cuts = [integer("split", "an index", i) for i in indices_or_sections]
    else:
        sections = integer("split", "the number of sections", indices_or_sections)
        if sections < 1 or size % sections:
            raise ShapeError(f"split: axis {along} of {given.shape} does not divide into {sections} equal sections")
        cuts = [size // sections * i for i in range(1, sections)]
    bounds = zip([0, *cuts], [*cuts, size], strict=True)
    return [apply(_getitem, given, index=_along(along, Slice(*each))) for each in bounds]
