"""What all losses share: how the losses of single elements are reduced, and which shapes belong together."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.dtypes import DType
from gradflow.errors import ArgumentError, ShapeError
from gradflow.launch import THREADS, Launch, Tickets, blocks_over, flat
from gradflow.op import Spec, SpecRule
from gradflow.ops.precision import float_dtype, stored
from gradflow.ops.reduce import mean, sum
from gradflow.ops.teams import alike, partial_sums
from gradflow.shapes import Shape, broadcast, size_of
from gradflow.tensor import Tensor

Array = Any
REDUCTIONS = ("mean", "sum", "none")
BLOCKS = 1024  # for a sum, at most: enough to fill a GPU


def check_reduction(name: str, reduction: str, offered: tuple[str, ...] = REDUCTIONS) -> None:
    """Raise ArgumentError unless ``reduction`` is one of those offered."""
    if reduction not in offered:
        raise ArgumentError(f"{name}: reduction is one of {', '.join(offered)}; got {reduction!r}")


def scale(reduction: str, size: int) -> float:
    """What the sum of ``size`` losses is multiplied by; the mean of none is NaN."""
    if reduction == "mean":
        return 1 / size if size else math.nan
    return 0.5 if reduction == "half" else 1.0


def reduce_losses(name: str, each: Tensor, reduction: str) -> Tensor:
    """The losses ``each``, a tensor, their sum or their mean; ArgumentError for another reduction."""
    check_reduction(name, reduction)
    if reduction == "none":
        return each
    return sum(each) if reduction == "sum" else mean(each)


def check_same(name: str, **tensors: Tensor) -> None:
    """Raise ShapeError unless all have one shape: broadcasting would compare predictions with others' targets."""
    if len({x.shape for x in tensors.values()}) > 1:
        given = ", ".join(f"{role} {x.shape}" for role, x in tensors.items())
        raise ShapeError(f"{name}: the shapes must be equal, got {given}; use .reshape or .broadcast_to")


def reduced(each: Array, reduction: str, dtype: DType, out: Array | None) -> Array:
    """The losses ``each``, their sum or their mean, in ``dtype``."""
    if reduction != "none":
        each = each.sum() * scale(reduction, each.size)
    return stored(each, dtype, out)


def times(xp: Any, slope: Array, g: Array, factor: float, dtype: DType, out: Array | None) -> Array:
    """``slope * g * factor``; ``g`` has the shape of the slope or is one number, and ``slope`` is used up."""
    slope = xp.multiply(slope, xp.multiply(g, factor, dtype=slope.dtype), out=slope)
    return stored(slope, dtype, out)


def each_loss(text: str) -> Callable[..., str | None]:
    """The ``scalar`` of a loss that is ``text`` for each element: there is one where nothing is added up."""
    return lambda *specs, reduction, **attrs: text if reduction == "none" else None


def slope_text(slope: str, input: Spec, target: Spec, reduction: str) -> str:
    """The formula of such a loss's gradient, as ``times`` computes it from ``slope``."""
    return f"({slope}) * (g * {scale(reduction, size_of(input.shape or target.shape))})"


def common_shape(name: str, input: Spec, target: Spec) -> Shape:
    """The shape of predictions and targets: the same, or one of the two is a Python number."""
    arrays = isinstance(input.dtype, np.dtype) and isinstance(target.dtype, np.dtype)
    if arrays and input.shape != target.shape:
        raise ShapeError(
            f"{name}: the input is {input.shape}, the target {target.shape}; they must agree: broadcasting "
            "would compare predictions with others' targets; use .reshape, or .broadcast_to if it is meant"
        )
    return input.shape or target.shape


def loss_spec(name: str, offered: tuple[str, ...] = REDUCTIONS) -> SpecRule:
    """The spec rule of a loss of predictions and targets, and weights that broadcast to them."""

    def spec(input: Spec, target: Spec, *weights: Spec, reduction: str, **attrs: Any) -> Spec:
        check_reduction(name, reduction, offered)
        shape = common_shape(name, input, target)
        for weight in weights:
            if broadcast(name, shape, weight.shape) != shape:
                raise ShapeError(f"{name}: a weight of {weight.shape} does not broadcast to the input, {shape}")
        dtype = float_dtype(*(x.dtype for x in (input, target, *weights)))
        return Spec(shape if reduction == "none" else (), dtype)

    return spec


def slope_spec(name: str) -> SpecRule:
    """The spec rule of the gradient of such a loss in its input."""

    def spec(g: Spec, input: Spec, target: Spec, *weights: Spec, **attrs: Any) -> Spec:
        dtype = float_dtype(*(x.dtype for x in (g, input, target, *weights)))
        return Spec(common_shape(name, input, target), dtype)

    return spec


def launch_sum(kernel: str) -> Callable[..., Launch | None]:
    """The ``cuda`` of a loss without weights: ``kernel(input, target, out, factor, partial, ticket, n)``."""

    def cuda(input: Array, target: Array, *weights: None, reduction: str, out: Array) -> Launch | None:
        if reduction == "none" or any(x is not None for x in weights) or not flat(input, target):
            return None
        if not alike(input.dtype, out):
            return None
        blocks = min(BLOCKS, blocks_over(input.size, input.dtype))
        arguments = (
            input, target, out, scale(reduction, input.size), partial_sums(blocks, input.dtype), Tickets(1), input.size
        )  # fmt: skip
        return Launch(kernel, input.dtype, blocks, THREADS, arguments)

    return cuda


def launch_slope(kernel: str, factor: float = 1.0) -> Callable[..., Launch | None]:
    """The ``cuda`` of such a loss's gradient: ``kernel(g, input, target, out, factor, n)``, for ``g`` one number."""

    def cuda(g: Array, input: Array, target: Array, *weights: None, reduction: str, out: Array) -> Launch | None:
        if reduction == "none" or any(x is not None for x in weights) or not flat(input, target, out):
            return None
        if not alike(input.dtype, g) or g.size != 1:
            return None
        arguments = (g, input, target, out, factor * scale(reduction, input.size), input.size)
        return Launch(kernel, input.dtype, blocks_over(input.size, input.dtype), THREADS, arguments)

    return cuda
