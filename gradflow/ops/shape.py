"""The same elements in another shape or order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, SupportsIndex

from gradflow.dispatch import apply
from gradflow.errors import ShapeError
from gradflow.op import Op, Spec
from gradflow.ops.create import asarray
from gradflow.samples import Real, sample
from gradflow.shapes import Axes, Shape, as_shape, broadcast, normalize_axes, normalize_axis, size_of
from gradflow.tensor import Tensor, TensorLike

Axis = SupportsIndex | Sequence[SupportsIndex]


def reshape(x: TensorLike, shape: SupportsIndex | Iterable[SupportsIndex]) -> Tensor:
    """The elements of ``x``, in order, in ``shape``; one size may be -1, and is worked out.

    Raises ShapeError if the number of elements differs.

    >>> import gradflow as gf
    >>> gf.reshape(gf.tensor([1, 2, 3, 4]), (2, -1))
    tensor([[1, 2],
            [3, 4]])
    """
    given = asarray(x)
    return apply(_reshape, given, shape=_full_shape(shape, given.size))


def _full_shape(shape: SupportsIndex | Iterable[SupportsIndex], size: int) -> Shape:
    wanted = tuple(shape) if isinstance(shape, Iterable) else (shape,)
    unknown = [i for i, each in enumerate(wanted) if each == -1]
    if not unknown:
        return as_shape("reshape", wanted)
    known = as_shape("reshape", [each for i, each in enumerate(wanted) if i != unknown[0]])
    if len(unknown) > 1:
        raise ShapeError(f"reshape: only one size can be -1, got {wanted}")
    if size_of(known) == 0 or size % size_of(known):
        raise ShapeError(f"reshape: {size} elements do not divide into {wanted}")
    return (*known[: unknown[0]], size // size_of(known), *known[unknown[0] :])


def _reshape_spec(x: Spec, shape: Shape) -> Spec:
    if math.prod(x.shape) != math.prod(shape):
        raise ShapeError(f"reshape: {x.shape} has {math.prod(x.shape)} elements, {shape} has {math.prod(shape)}")
    return Spec(shape, x.dtype)


def _reshape_forward(xp: Any, x: Any, *, shape: Shape, out: Any = None) -> Any:
    if out is None:
        return x.reshape(shape)
    out[...] = x.reshape(shape)
    return out


_reshape = Op(
    name="reshape",
    forward=_reshape_forward,
    spec=_reshape_spec,
    vjp=(lambda g, specs: reshape(g, specs[0].shape),),
    complex=True,
    samples=(
        sample(Real((3, 4)), shape=(2, 6)),
        sample(Real(()), shape=(1, 1)),
        sample(Real((2, 0)), shape=(0, 5)),
    ),
    view=True,
)


def permute_dims(x: TensorLike, axes: Sequence[SupportsIndex]) -> Tensor:
    """``x`` with its dimensions in the order ``axes``; a view, nothing is copied.

    Raises ShapeError unless ``axes`` names each dimension once.

    >>> import gradflow as gf
    >>> gf.permute_dims(gf.tensor([[1, 2, 3]]), (1, 0)).shape
    (3, 1)
    """
    given = asarray(x)
    order = tuple(normalize_axis("permute_dims", axis, given.ndim) for axis in axes)
    if sorted(order) != list(range(given.ndim)):
        raise ShapeError(f"permute_dims: axes {tuple(axes)} must name each of the {given.ndim} dimensions once")
    return apply(_permute_dims, given, axes=order)


def _permute_dims_forward(xp: Any, x: Any, *, axes: Axes, out: Any = None) -> Any:
    if out is None:
        return x.transpose(axes)
    out[...] = x.transpose(axes)
    return out


_permute_dims = Op(
    name="permute_dims",
    forward=_permute_dims_forward,
    spec=lambda x, axes: Spec(tuple(x.shape[axis] for axis in axes), x.dtype),
    vjp=(lambda g, axes: permute_dims(g, tuple(sorted(range(len(axes)), key=axes.__getitem__))),),
    complex=True,
    samples=(
        sample(Real((3, 4)), axes=(1, 0)),
        sample(Real((2, 3, 4)), axes=(2, 0, 1)),
        sample(Real(()), axes=()),
        sample(Real((0, 2)), axes=(1, 0)),
    ),
    view=True,
)


def transpose(x: TensorLike, axes: Sequence[SupportsIndex] | None = None) -> Tensor:
    """``x`` with its dimensions reversed, or in the order ``axes``.

    >>> import gradflow as gf
    >>> gf.transpose(gf.tensor([[1, 2, 3]])).shape
    (3, 1)
    """
    given = asarray(x)
    return permute_dims(given, tuple(reversed(range(given.ndim))) if axes is None else axes)


def swapaxes(x: TensorLike, axis1: SupportsIndex, axis2: SupportsIndex) -> Tensor:
    """``x`` with two of its dimensions exchanged; a view.

    >>> import gradflow as gf
    >>> gf.swapaxes(gf.zeros((2, 3, 4)), 0, -1).shape
    (4, 3, 2)
    """
    given = asarray(x)
    first, second = (normalize_axis("swapaxes", axis, given.ndim) for axis in (axis1, axis2))
    order = list(range(given.ndim))
    order[first], order[second] = second, first
    return permute_dims(given, order)


def moveaxis(x: TensorLike, source: Axis, destination: Axis) -> Tensor:
    """``x`` with the dimensions ``source`` moved to ``destination``, the others staying in order; a view.

    Raises ShapeError unless both name equally many dimensions, each once.

    >>> import gradflow as gf
    >>> gf.moveaxis(gf.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    given = asarray(x)
    taken, put = (_each_axis("moveaxis", axis, given.ndim) for axis in (source, destination))
    if len(taken) != len(put):
        raise ShapeError(f"moveaxis: {source} and {destination} must name equally many dimensions")
    order = [axis for axis in range(given.ndim) if axis not in taken]
    for place, axis in sorted(zip(put, taken, strict=True)):
        order.insert(place, axis)
    return permute_dims(given, order)


def _each_axis(name: str, axis: Axis, rank: int) -> Axes:
    """The given axes counted from the front, in the given order."""
    axes = tuple(normalize_axis(name, each, rank) for each in (axis if isinstance(axis, Iterable) else (axis,)))
    if len(set(axes)) != len(axes):
        raise ShapeError(f"{name}: {axis} names a dimension twice")
    return axes


def expand_dims(x: TensorLike, axis: Axis) -> Tensor:
    """``x`` with dimensions of size 1 put in, so that they are at ``axis`` of the result.

    >>> import gradflow as gf
    >>> gf.expand_dims(gf.tensor([1.0, 2.0]), (0, 2)).shape
    (1, 2, 1)
    """
    given = asarray(x)
    rank = given.ndim + (len(axis) if isinstance(axis, Sequence) else 1)
    axes = normalize_axes("expand_dims", axis, rank)
    sizes = iter(given.shape)
    return reshape(given, tuple(1 if i in axes else next(sizes) for i in range(rank)))


def squeeze(x: TensorLike, axis: Axis | None = None) -> Tensor:
    """``x`` without its dimensions of size 1, or without those at ``axis``; a view.

    Raises ShapeError if a dimension at ``axis`` has another size.

    >>> import gradflow as gf
    >>> gf.squeeze(gf.zeros((1, 3, 1))).shape
    (3,)
    """
    given = asarray(x)
    shape = given.shape
    axes = [i for i, size in enumerate(shape) if size == 1]
    if axis is not None:
        axes = list(normalize_axes("squeeze", axis, given.ndim))
    if any(shape[i] != 1 for i in axes):
        raise ShapeError(f"squeeze: axis {axis} of {shape} is not of size 1")
    return reshape(given, tuple(size for i, size in enumerate(shape) if i not in axes))


def ravel(x: TensorLike) -> Tensor:
    """The elements of ``x``, in order, in one dimension; a view if they lie that way in memory.

    >>> import gradflow as gf
    >>> gf.ravel(gf.tensor([[1, 2], [3, 4]]))
    tensor([1, 2, 3, 4])
    """
    return flatten(x)


def flatten(x: TensorLike, start_dim: SupportsIndex = 0, end_dim: SupportsIndex = -1) -> Tensor:
    """``x`` with its dimensions from ``start_dim`` to ``end_dim``, both included, made one.

    >>> import gradflow as gf
    >>> gf.flatten(gf.zeros((2, 3, 4)), 1).shape
    (2, 12)
    """
    given = asarray(x)
    shape = given.shape or (1,)
    start, end = (normalize_axis("flatten", axis, len(shape)) for axis in (start_dim, end_dim))
    if start > end:
        raise ShapeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    return reshape(given, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


def broadcast_to(x: TensorLike, shape: SupportsIndex | Iterable[SupportsIndex]) -> Tensor:
    """``x`` repeated along new dimensions and those of size 1, to ``shape``; a view, nothing is copied.

    Raises ShapeError if ``x`` does not broadcast to ``shape``.

    >>> import gradflow as gf
    >>> gf.broadcast_to(gf.tensor([1, 2]), (2, 2))
    tensor([[1, 2],
            [1, 2]])
    """
    return apply(_broadcast_to, x, shape=as_shape("broadcast_to", shape))


def _broadcast_to_spec(x: Spec, shape: Shape) -> Spec:
    if broadcast("broadcast_to", x.shape, shape) != shape:
        raise ShapeError(f"broadcast_to: {x.shape} does not broadcast to {shape}")
    return Spec(shape, x.dtype)


def _broadcast_to_forward(xp: Any, x: Any, *, shape: Shape, out: Any = None) -> Any:
    if out is None:
        return xp.broadcast_to(x, shape)
    out[...] = x
    return out


_broadcast_to = Op(
    name="broadcast_to",
    forward=_broadcast_to_forward,
    spec=_broadcast_to_spec,
    vjp=(lambda g, specs: g.sum_to(specs[0].shape),),
    complex=True,
    samples=(
        sample(Real((4,)), shape=(3, 4)),
        sample(Real((3, 1)), shape=(2, 3, 4)),
        sample(Real(()), shape=(2,)),
        sample(Real((1, 2)), shape=(0, 2)),
    ),
    view=True,
)


def broadcast_arrays(*tensors: TensorLike) -> list[Tensor]:
    """The tensors, all broadcast to the shape they have in common; views.

    Raises ShapeError if they have none.

    >>> import gradflow as gf
    >>> [x.shape for x in gf.broadcast_arrays(gf.zeros((3, 1)), gf.zeros(4))]
    [(3, 4), (3, 4)]
    """
    given = [asarray(x) for x in tensors]
    shape = broadcast("broadcast_arrays", *(x.shape for x in given))
    return [broadcast_to(x, shape) for x in given]
