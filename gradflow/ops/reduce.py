"""Reductions: many elements to one, over all axes or some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np

from gradflow import dtypes
from gradflow.dispatch import apply
from gradflow.dtypes import DType
from gradflow.errors import ShapeError
from gradflow.op import Op, Spec
from gradflow.ops.shape import broadcast_to, expand_dims
from gradflow.samples import Real, Sample, sample
from gradflow.shapes import Axes, Shape, broadcast, normalize_axes, reduced
from gradflow.tensor import Tensor, TensorLike, operand

Axis = SupportsIndex | Sequence[SupportsIndex] | None


def over_axes(op: Op, x: TensorLike, axis: Axis, keepdims: bool) -> Tensor:
    """The reduction ``op`` of ``x`` over ``axis``."""
    given = operand(x)
    rank = given.ndim if isinstance(given, Tensor) else 0
    return apply(op, given, axes=normalize_axes(op.name, axis, rank), keepdims=bool(keepdims))


def spread(g: Tensor, shape: Shape, axes: Axes, keepdims: bool) -> Tensor:
    """``g``, the gradient of a reduction's result, repeated over what was reduced."""
    if not keepdims and axes:
        g = expand_dims(g, axes)
    return broadcast_to(g, shape)


def reductions(**how: Any) -> tuple[Sample, ...]:
    """Samples of a reduction: all axes, some, kept or not."""
    return (
        sample(Real((), **how), axes=(), keepdims=False),
        sample(Real((7,), **how), axes=(0,), keepdims=False),
        sample(Real((3, 4), **how), axes=(1,), keepdims=True),
        sample(Real((2, 3, 4), **how), axes=(0, 2), keepdims=False),
    )


def sum(x: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The sum over ``axis`` (all axes by default). Small integers add up in int64, float16 in float32.

    >>> import gradflow as gf
    >>> gf.sum(gf.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    tensor([4., 6.])
    """
    return over_axes(_sum, x, axis, keepdims)


def _sum_dtype(dtype: DType | type) -> DType:
    return np.add.reduce(np.empty(1, dtype)).dtype


def _sum_forward(xp: Any, x: Any, *, axes: Axes, keepdims: bool, out: Any = None) -> Any:
    if x.dtype == dtypes.float16:
        total = x.sum(axis=axes, dtype=dtypes.float32, keepdims=keepdims).astype(x.dtype)
        return total if out is None else xp.copyto(out, total)
    return x.sum(axis=axes, out=out, keepdims=keepdims)


_sum = Op(
    name="sum",
    forward=_sum_forward,
    spec=lambda x, axes, keepdims: Spec(reduced(x.shape, axes, keepdims), _sum_dtype(x.dtype)),
    vjp=(lambda g, specs, axes, keepdims: spread(g, specs[0].shape, axes, keepdims),),
    samples=(*reductions(), sample(Real((0, 2)), axes=(0,), keepdims=False)),
)


def sum_to(x: Tensor, shape: Shape, into: Tensor | None = None) -> Tensor:
    """``x`` summed over the dimensions along which ``shape`` was broadcast to the shape of ``x``."""
    return apply(_sum_to, x, shape=shape, into=into)


def _sum_to_forward(xp: Any, x: Any, *, shape: Shape, out: Any = None) -> Any:
    extra = x.ndim - len(shape)
    axes = (*range(extra), *(extra + i for i, size in enumerate(shape) if size == 1 != x.shape[extra + i]))
    total = _sum_forward(xp, x, axes=axes, keepdims=True).reshape(shape)
    if out is None:
        return total
    out[...] = total
    return out


def _sum_to_spec(x: Spec, shape: Shape) -> Spec:
    if broadcast("sum_to", x.shape, shape) != x.shape:
        raise ShapeError(f"sum_to: {shape} does not broadcast to {x.shape}, so it cannot be summed to it")
    return Spec(shape, x.dtype)


_sum_to = Op(
    name="sum_to",
    forward=_sum_to_forward,
    spec=_sum_to_spec,
    vjp=(lambda g, specs: broadcast_to(g, specs[0].shape),),
    samples=(
        sample(Real((3, 4)), shape=(4,)),
        sample(Real((3, 4)), shape=(3, 1)),
        sample(Real((2, 3, 4)), shape=()),
        sample(Real((0, 2)), shape=(2,)),
    ),
)


def mean(x: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The mean over ``axis`` (all axes by default); of integers it is float64, as in NumPy.

    >>> import gradflow as gf
    >>> gf.mean(gf.tensor([1.0, 2.0, 6.0]))
    tensor(3.)
    """
    return over_axes(_mean, x, axis, keepdims)


def _mean_forward(xp: Any, x: Any, *, axes: Axes, keepdims: bool, out: Any = None) -> Any:
    return x.mean(axis=axes, out=out, keepdims=keepdims)  # NumPy and CuPy accumulate float16 in float32


def _mean_spec(x: Spec, axes: Axes, keepdims: bool) -> Spec:
    floating = isinstance(x.dtype, np.dtype) and dtypes.is_floating(x.dtype)
    return Spec(reduced(x.shape, axes, keepdims), x.dtype if floating else dtypes.float64)


def _mean_vjp(g: Tensor, specs: tuple[Spec, ...], axes: Axes, keepdims: bool) -> Tensor:
    shape = specs[0].shape
    count = int(np.prod([shape[axis] for axis in axes]))
    return spread(g / count, shape, axes, keepdims)


_mean = Op(
    name="mean",
    forward=_mean_forward,
    spec=_mean_spec,
    vjp=(_mean_vjp,),
    samples=reductions(),
)
