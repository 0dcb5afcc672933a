"""Sums, products and means: many elements to one, over all axes or some."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np

from gradflow.dispatch import apply
from gradflow.dtypes import DType, DTypeLike, accumulator, bool_, int64, is_floating
from gradflow.errors import ShapeError
from gradflow.op import Op, Spec
from gradflow.ops.cast import astype
from gradflow.ops.precision import Array, float_dtype, stored
from gradflow.ops.reduction import reduction
from gradflow.ops.shape import _broadcast_to, broadcast_to, expand_dims
from gradflow.samples import Boolean, Integer, Real, Sample, sample
from gradflow.shapes import Axes, Shape, broadcast, normalize_axes, reduced, size_of
from gradflow.tensor import Tensor, TensorLike, operand

Axis = SupportsIndex | Sequence[SupportsIndex] | None

ROWS = 256  # so many rows are added one to another; their sums are then added again, and rounding errors stay small
WIDTH = 4096  # elements of a row that is added at the speed of memory


def over_axes(op: Op, x: TensorLike, axis: Axis, keepdims: bool, **attrs: Any) -> Tensor:
    """The reduction ``op`` of ``x`` over ``axis``."""
    given = operand(x)
    rank = given.ndim if isinstance(given, Tensor) else 0
    return apply(op, given, axes=normalize_axes(op.name, axis, rank), keepdims=bool(keepdims), **attrs)


def spread(g: Tensor, shape: Shape, axes: Axes, keepdims: bool) -> Tensor:
    """``g``, the gradient of a reduction's result, repeated over what was reduced."""
    if not keepdims and axes != tuple(range(len(axes))):  # the first dimensions come back by themselves
        g = expand_dims(g, axes)
    return apply(_broadcast_to, g, shape=shape)


def reductions(**how: Any) -> tuple[Sample, ...]:
    """Samples of a reduction: all axes, some, kept or not."""
    return (
        sample(Real((), **how), axes=(), keepdims=False),
        sample(Real((7,), **how), axes=(0,), keepdims=False),
        sample(Real((3, 4), **how), axes=(1,), keepdims=True),
        sample(Real((2, 3, 4), **how), axes=(0, 2), keepdims=False),
    )


def reduced_count(shape: Shape, axes: Axes) -> int:
    """How many elements of an array of ``shape`` a reduction over ``axes`` makes one of."""
    return size_of(tuple(shape[axis] for axis in axes))


@functools.cache
def accumulated(dtype: DType | type) -> DType:
    """The dtype of sums and products of ``dtype``: integers become the widest of their kind, as in NumPy."""
    summed: DType = np.add.reduce(np.zeros(1, dtype)).dtype
    return summed


def total(x: Array, axes: Axes, keepdims: bool, dtype: DType) -> Array:
    """The sum of ``x`` over ``axes``, computed in ``dtype``.

    NumPy adds pairwise along the last dimension, but one by one along the first ones: a million equal float32 numbers
    come out wrong by 1%. So the first ones are added in groups, which is several times as fast, too.
    """
    rows = _rows_to_add(x, axes)
    if rows < 2 * ROWS:
        return x.sum(axis=axes, dtype=dtype, keepdims=keepdims)
    return _sum_of_rows(x.reshape(rows, -1), dtype).reshape(reduced(x.shape, axes, keepdims))


def _rows_to_add(x: Array, axes: Axes) -> int:
    """How many rows, one after another in memory, are to be added; 0 if ``axes`` ask for something else."""
    leading = len(axes)
    if 0 < leading < x.ndim and axes[-1] == leading - 1 and x.size and x.flags.c_contiguous:
        return size_of(x.shape[:leading])
    return 0


def _sum_of_rows(x: Array, dtype: DType) -> Array:
    rows, width = x.shape
    if rows < 2 * ROWS:
        return x.sum(axis=0, dtype=dtype)
    side = min(max(1, WIDTH // width), rows // ROWS)  # rows taken side by side, as one long one
    groups = rows // (ROWS * side)
    head = groups * ROWS * side
    sums = x[:head].reshape(groups, ROWS, side * width).sum(axis=1, dtype=dtype)
    return _sum_of_rows(sums.reshape(groups * side, width), dtype) + _sum_of_rows(x[head:], dtype)


def sum(x: TensorLike, axis: Axis = None, *, dtype: DTypeLike = None, keepdims: bool = False) -> Tensor:
    """The sum over ``axis`` (all axes by default), 0 of nothing. Small integers add up in int64, float16 in float32.

    With ``dtype``, ``x`` is converted before.

    >>> import gradflow as gf
    >>> gf.sum(gf.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    tensor([4., 6.])
    """
    return over_axes(_sum, x if dtype is None else astype(x, dtype), axis, keepdims)


def _sum_forward(xp: Any, x: Any, *, axes: Axes, keepdims: bool, out: Any = None) -> Any:
    dtype = accumulated(x.dtype)
    return stored(total(x, axes, keepdims, accumulator(dtype)), dtype, out)


def by_rows(x: Spec, axes: Axes) -> bool:
    """Whether ``axes`` are the last one of several, and ``x`` is of floats: formulas have words for that."""
    rank = len(x.shape)
    return rank > 1 and axes == (rank - 1,) and x.shape[-1] > 0 and is_floating(np.dtype(x.dtype))


_sum = Op(
    name="sum",
    forward=_sum_forward,
    spec=lambda x, axes, keepdims: Spec(reduced(x.shape, axes, keepdims), accumulated(x.dtype)),
    vjp=(lambda g, specs, axes, keepdims: spread(g, specs[0].shape, axes, keepdims),),
    cuda=lambda x, *, axes, keepdims, out: reduction(x, axes, False, 1, out),
    scalar=lambda x, *, axes, keepdims: "row_sum(x)" if by_rows(x, axes) else None,
    complex=True,
    samples=(
        *reductions(),
        sample(Real((0, 2)), axes=(0,), keepdims=False),
        sample(Real((1100, 3)), axes=(0,), keepdims=False),
    ),
    workloads=(
        *(sample(Real((256, 1024)), axes=axes, keepdims=False) for axes in [(0,), (1,), (0, 1)]),
        *(sample(Real((4096, 128)), axes=axes, keepdims=False) for axes in [(0,), (1,)]),
    ),
)


def sum_to(x: Tensor, shape: Shape, into: Tensor | None = None) -> Tensor:
    """``x`` summed over the dimensions along which ``shape`` was broadcast to the shape of ``x``."""
    return apply(_sum_to, x, shape=shape, into=into)


def _axes_to(x: Array | Spec, shape: Shape) -> Axes:
    extra = len(x.shape) - len(shape)
    return (*range(extra), *(extra + i for i, size in enumerate(shape) if size == 1 != x.shape[extra + i]))


def _sum_to_forward(xp: Any, x: Any, *, shape: Shape, out: Any = None) -> Any:
    return stored(total(x, _axes_to(x, shape), True, accumulator(x.dtype)).reshape(shape), x.dtype, out)


def _sum_to_spec(x: Spec, shape: Shape) -> Spec:
    if broadcast("sum_to", x.shape, shape) != x.shape:
        raise ShapeError(f"sum_to: {shape} does not broadcast to {x.shape}, so it cannot be summed to it")
    return Spec(shape, x.dtype)


def _sum_to_scalar(x: Spec, shape: Shape) -> str | None:
    return "row_sum(x)" if by_rows(x, _axes_to(x, shape)) and len(shape) == len(x.shape) else None


_sum_to = Op(
    name="sum_to",
    forward=_sum_to_forward,
    spec=_sum_to_spec,
    vjp=(lambda g, specs: broadcast_to(g, specs[0].shape),),
    cuda=lambda x, *, shape, out: reduction(x, _axes_to(x, shape), False, 1, out),
    scalar=_sum_to_scalar,
    complex=True,
    samples=(
        sample(Real((3, 4)), shape=(4,)),
        sample(Real((3, 4)), shape=(3, 1)),
        sample(Real((2, 3, 4)), shape=()),
        sample(Real((0, 2)), shape=(2,)),
    ),
    workloads=(sample(Real((4096, 128)), shape=(128,)), sample(Real((4096, 128)), shape=(4096, 1))),
)


def mean(x: TensorLike, axis: Axis = None, *, dtype: DTypeLike = None, keepdims: bool = False) -> Tensor:
    """The mean over ``axis`` (all axes by default), NaN of nothing; of integers it is float64, as in NumPy.

    With ``dtype``, ``x`` is converted before.

    >>> import gradflow as gf
    >>> gf.mean(gf.tensor([1.0, 2.0, 6.0]))
    tensor(3.)
    """
    return over_axes(_mean, x if dtype is None else astype(x, dtype), axis, keepdims)


def average(x: Array, axes: Axes, keepdims: bool, dtype: DType) -> Array:
    """The mean of ``x`` over ``axes``, computed in ``dtype``; NaN of nothing, without NumPy's warning."""
    return total(x, axes, keepdims, dtype) / dtype.type(reduced_count(x.shape, axes) or math.nan)


def _mean_forward(xp: Any, x: Any, *, axes: Axes, keepdims: bool, out: Any = None) -> Any:
    dtype = float_dtype(x.dtype)
    return stored(average(x, axes, keepdims, accumulator(dtype)), dtype, out)


_mean = Op(
    name="mean",
    forward=_mean_forward,
    spec=lambda x, axes, keepdims: Spec(reduced(x.shape, axes, keepdims), float_dtype(x.dtype)),
    vjp=(
        lambda g, specs, axes, keepdims: spread(
            g / (reduced_count(specs[0].shape, axes) or 1), specs[0].shape, axes, keepdims
        ),
    ),
    cuda=lambda x, *, axes, keepdims, out: reduction(x, axes, False, reduced_count(x.shape, axes), out),
    scalar=lambda x, *, axes, keepdims: f"row_sum(x) / {x.shape[-1]}" if by_rows(x, axes) else None,
    complex=True,
    samples=(*reductions(), sample(Real((0, 2)), axes=(1,), keepdims=False)),
    workloads=tuple(sample(Real((4096, 128)), axes=axes, keepdims=False) for axes in [(0, 1), (1,)]),
)


def _truth(name: str) -> Op:
    """The op that asks whether all, or any, elements are true."""
    return Op(
        name=name,
        forward=lambda xp, x, *, axes, keepdims, out=None: getattr(xp, name)(x, axis=axes, keepdims=keepdims, out=out),
        spec=lambda x, axes, keepdims: Spec(reduced(x.shape, axes, keepdims), bool_),
        complex=True,
        samples=(*reductions(), sample(Boolean((0, 2)), axes=(0,), keepdims=False)),
    )


_all = _truth("all")
_any = _truth("any")
_count_nonzero = Op(
    name="count_nonzero",
    forward=lambda xp, x, *, axes, keepdims, out=None: stored(
        xp.not_equal(x, 0).sum(axis=axes, keepdims=keepdims, dtype=int64), int64, out
    ),
    spec=lambda x, axes, keepdims: Spec(reduced(x.shape, axes, keepdims), int64),
    complex=True,
    samples=(*reductions(), sample(Integer((0, 2)), axes=(0,), keepdims=False)),
)


def all(x: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Whether all elements over ``axis`` (all axes by default) are true (not zero), as bool; true of nothing.

    >>> import gradflow as gf
    >>> gf.all(gf.tensor([[True, False], [True, True]]), axis=1)
    tensor([False,  True])
    """
    return over_axes(_all, x, axis, keepdims)


def any(x: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Whether any element over ``axis`` (all axes by default) is true (not zero), as bool; false of nothing.

    >>> import gradflow as gf
    >>> gf.any(gf.tensor([[True, False], [False, False]]), axis=1)
    tensor([ True, False])
    """
    return over_axes(_any, x, axis, keepdims)


def count_nonzero(x: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """How many elements over ``axis`` (all axes by default) are not zero, as int64; NaN is not zero.

    >>> import gradflow as gf
    >>> gf.count_nonzero(gf.tensor([[0, 2], [0, 0]]), axis=1)
    tensor([1, 0])
    """
    return over_axes(_count_nonzero, x, axis, keepdims)
