"""Looking things up by number: elements, rows, and the vectors of classes."""

from __future__ import annotations

from typing import Any, SupportsIndex

import numpy as np

from gradflow import dtypes
from gradflow.backend import backend_of
from gradflow.dispatch import apply
from gradflow.dtypes import DType, DTypeLike
from gradflow.errors import ArgumentError, IndexOutOfRange, ShapeError
from gradflow.op import Op, Spec
from gradflow.ops.create import asarray
from gradflow.ops.gather import _ravel_multi_index, _take, check_integers, gathering, scattered, taken
from gradflow.ops.path import index_array
from gradflow.ops.shape import ravel
from gradflow.ops.slicing import integer
from gradflow.samples import Given, Integer, Real, sample
from gradflow.shapes import normalize_axis
from gradflow.tensor import Tensor, TensorLike, tensor


def take(x: TensorLike, indices: TensorLike, axis: SupportsIndex | None = None) -> Tensor:
    """The parts of ``x`` at ``indices`` along ``axis``; without it, of the flattened elements.

    The shape of ``indices``, integers of which negative ones count from the end, takes the place of the axis.
    Raises IndexOutOfRange for an index past the end, DTypeError if they are not integers.

    >>> import gradflow as gf
    >>> gf.take(gf.tensor([[1, 2, 3], [4, 5, 6]]), [2, 0], axis=1)
    tensor([[3, 1],
            [6, 4]])
    """
    given = asarray(x)
    if axis is None:
        given, axis = ravel(given), 0
    along = normalize_axis("take", axis, given.ndim)
    positions = index_array("take", indices, given.device)
    counted = apply(_ravel_multi_index, positions, name="take", axes=(along,), sizes=(given.shape[along],))
    return apply(_take, given, counted, axis=along)


def take_along_axis(x: TensorLike, indices: TensorLike, axis: SupportsIndex | None = -1) -> Tensor:
    """For every place of ``indices``, the element of ``x`` at that place, but at that index along ``axis``.

    ``indices`` has as many dimensions as ``x``, and they broadcast but for ``axis``; with None, ``x`` is flattened.

    >>> import gradflow as gf
    >>> scores = gf.tensor([[1.0, 7.0], [5.0, 2.0]])
    >>> gf.take_along_axis(scores, [[1], [0]])
    tensor([[7.],
            [5.]])
    """
    given = asarray(x)
    if axis is None:
        given, axis = ravel(given), 0
    along = normalize_axis("take_along_axis", axis, given.ndim)
    positions = index_array("take_along_axis", indices, given.device)
    if positions.ndim != given.ndim:
        raise ShapeError(
            f"take_along_axis: indices are {positions.shape}, the tensor {given.shape}; "
            "they must have as many dimensions"
        )
    mesh = [
        positions if i == along else tensor(places, device=given.device)
        for i, places in enumerate(np.ogrid[tuple(map(slice, given.shape))])
    ]
    axes = tuple(range(given.ndim))
    counted = apply(_ravel_multi_index, *mesh, name="take_along_axis", axes=axes, sizes=given.shape)
    return apply(_take, ravel(given), counted, axis=0)


def check_labels(name: str, labels: Any, count: int, things: str) -> None:
    """Raise IndexOutOfRange unless every label is from 0 to below ``count``."""
    wrong = backend_of(labels).check_range(name, labels, 0, count)
    if wrong is not None:
        bad = labels.reshape(-1)[wrong]
        raise IndexOutOfRange(f"{name}: {bad} is out of range for {count} {things}, numbered from 0 to {count - 1}")


def one_hot(labels: TensorLike, num_classes: SupportsIndex, dtype: DTypeLike = None) -> Tensor:
    """For every label a vector of ``num_classes`` with 1 at the label and 0 elsewhere, as a new last dimension.

    Labels are integers from 0 to below ``num_classes``. The dtype is float32 (the default dtype) unless given.
    Raises IndexOutOfRange for another label, DTypeError if they are not integers.

    >>> import gradflow as gf
    >>> gf.one_hot([2, 0], 3)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    count = integer("one_hot", "num_classes", num_classes)
    if count < 1:
        raise ArgumentError(f"one_hot: num_classes is {count}; there must be at least 1")
    chosen = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
    return apply(_one_hot, labels, num_classes=count, dtype=chosen)


def _one_hot_forward(xp: Any, labels: Any, *, num_classes: int, dtype: DType, out: Any = None) -> Any:
    check_labels("one_hot", labels, num_classes, "classes")
    hot = labels[..., None] == xp.arange(num_classes)
    if out is None:
        return hot.astype(dtype)
    out[...] = hot
    return out


def _one_hot_spec(labels: Spec, num_classes: int, dtype: DType) -> Spec:
    check_integers("one_hot", labels)
    return Spec((*labels.shape, num_classes), dtype)


_one_hot = Op(
    name="one_hot",
    forward=_one_hot_forward,
    spec=_one_hot_spec,
    samples=tuple(sample(Integer(shape), num_classes=5, dtype=dtypes.float32) for shape in [(), (7,), (2, 3), (0,)]),
)


def embedding(weight: TensorLike, indices: TensorLike) -> Tensor:
    """The rows of ``weight`` (count, ...) that ``indices`` name: of shape ``(*indices.shape, ...)``.

    The gradient of ``weight`` adds up over equal indices. Raises IndexOutOfRange for an index that is negative or not
    below the count, DTypeError if they are not integers.

    >>> import gradflow as gf
    >>> weight = gf.tensor([[0.0, 0.1], [1.0, 1.1], [2.0, 2.1]])
    >>> gf.embedding(weight, [2, 0])
    tensor([[2. , 2.1],
            [0. , 0.1]])
    """
    rows = asarray(weight)
    return apply(_embedding, rows, index_array("embedding", indices, rows.device))


def _embedding_forward(xp: Any, weight: Any, indices: Any, *, out: Any = None) -> Any:
    check_labels("embedding", indices, weight.shape[0], "rows")
    return xp.take(weight, indices, axis=0, out=out)


def _embedding_spec(weight: Spec, indices: Spec) -> Spec:
    check_integers("embedding", indices)
    if not weight.shape:
        raise ShapeError("embedding: weight is a scalar; it must have a first dimension, the count of rows")
    return Spec(taken(weight.shape, indices.shape, 0), weight.dtype)


_embedding = Op(
    name="embedding",
    forward=_embedding_forward,
    spec=_embedding_spec,
    vjp=(
        lambda g, indices, specs, into: scattered(g, indices, specs[0].shape, 0, into),
        None,
    ),
    cuda=lambda weight, indices, *, out: gathering("embedding", weight, indices, 0, out),
    samples=(
        sample(Real((5, 3)), Given([2, 0, 2, 2], dtypes.int64)),
        sample(Real((5, 3)), Given([[2, 4], [2, 2]], dtypes.int64)),
        sample(Real((5, 3)), Integer((0,))),
    ),
    workloads=(sample(Real((1000, 128)), Integer((8, 64), 0, 1000)),),
)
