"""Softmax, its logarithm, and the logarithm of its denominator."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, SupportsIndex

import numpy as np

from gradflow.dispatch import apply
from gradflow.dtypes import accumulator, finfo
from gradflow.launch import THREADS, Launch, flat
from gradflow.op import Op, Spec
from gradflow.ops.blockwise import real, rowwise, widened
from gradflow.ops.elementwise import clip, exp
from gradflow.ops.precision import Array, float_dtype
from gradflow.ops.reduce import Axis, by_rows, over_axes, reductions, spread, total
from gradflow.ops.teams import blocks_for, team_over
from gradflow.samples import Input, Real, Sample, sample
from gradflow.shapes import Axes, normalize_axis, reduced
from gradflow.tensor import Tensor, TensorLike, operand


def softmax(x: TensorLike, axis: SupportsIndex = -1) -> Tensor:
    """``exp(x)`` divided by its sum along ``axis``: positive numbers that add up to 1; none overflows.

    Elements that are -inf get 0; a row of nothing else, or with +inf or NaN in it, is NaN. Raises IndexOutOfRange
    for an axis that is not there.

    >>> import gradflow as gf
    >>> gf.softmax(gf.tensor([1.0, 2.0, 3.0]))
    tensor([0.0900306, 0.2447285, 0.6652409])
    """
    return _along(_softmax, x, axis)


def log_softmax(x: TensorLike, axis: SupportsIndex = -1) -> Tensor:
    """The logarithm of ``softmax(x, axis)``, accurate also where that rounds to 0 or 1.

    >>> import gradflow as gf
    >>> gf.log_softmax(gf.tensor([1.0, 2.0, 300.0]))
    tensor([-299., -298.,    0.])
    """
    return _along(_log_softmax, x, axis)


def logsumexp(x: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """``log(sum(exp(x)))`` over ``axis`` (all axes by default), without overflow; -inf of nothing.

    >>> import gradflow as gf
    >>> gf.logsumexp(gf.tensor([1000.0, 1000.0]))
    tensor(1000.693)
    """
    return over_axes(_logsumexp, x, axis, keepdims)


def _along(op: Op, x: TensorLike, axis: SupportsIndex) -> Tensor:
    given = operand(x)
    rank = given.ndim if isinstance(given, Tensor) else 0
    return apply(op, given, axis=normalize_axis(op.name, axis, rank))


def _rows(*kinds: Any) -> tuple[Sample, ...]:
    """Samples with one input for each of ``kinds``, which make an input of a shape."""
    shapes = (((7,), 0), ((3, 4), 1), ((3, 4), 0), ((2, 3, 4), 1), ((2, 0), 0), ((2, 0), 1))
    return tuple(sample(*(kind(shape) for kind in kinds), axis=axis) for shape, axis in shapes)


def _probabilities(shape: tuple[int, ...]) -> Input:
    return Real(shape, 0.05, 0.5)


def _logarithms(shape: tuple[int, ...]) -> Input:
    return Real(shape, -3.0, -0.5)


def _over_rows(kernel: str, logarithm: bool) -> Callable[..., Launch | None]:
    """The ``cuda`` of an op along the last axis: ``kernel(inputs..., out, logarithm, rows, columns, team)``."""

    def cuda(*arrays: Array, axis: int, out: Array) -> Launch | None:
        if not flat(*arrays, out) or axis != out.ndim - 1:
            return None
        columns = out.shape[-1]
        rows = out.size // columns
        team = team_over(columns, rows, out.dtype)
        arguments = (*arrays, out, logarithm, rows, columns, team)
        return Launch(kernel, out.dtype, blocks_for(rows, team), THREADS, arguments)

    return cuda


def _by_rows(text: str) -> Callable[..., str | None]:
    """The ``scalar`` of an op of arrays of one shape that does ``text`` along the last axis."""

    def scalar(first: Spec, *others: Spec, axis: int) -> str | None:
        return text if axis == len(first.shape) - 1 and all(each.shape == first.shape for each in others) else None

    return scalar


def _below_the_largest(xp: Any, x: Array, axis: int, out: Array) -> Array:
    with np.errstate(over="ignore"):  # the most negative number less the largest is -inf, whose exp is the right 0
        return xp.subtract(x, x.max(axis=axis, keepdims=True), out=out)


@rowwise
def _softmax_forward(xp: Any, x: Any, *, axis: int, out: Any = None) -> Any:
    result = _below_the_largest(xp, x, axis, out)
    result = xp.exp(result, out=out)
    result /= result.sum(axis=axis, keepdims=True)
    return result


@rowwise
def _softmax_grad_forward(xp: Any, g: Any, y: Any, *, axis: int, out: Any = None) -> Any:
    result = xp.multiply(g, y, out=out)
    mean = result.sum(axis=axis, keepdims=True)
    result = xp.subtract(g, mean, out=out)
    result *= y
    return result


def _softmax_grad_by_output(g2: Tensor, g: Tensor, y: Tensor, axis: int) -> Tensor:
    mean = (g * y).sum(axis, keepdims=True)
    return g2 * (g - mean) - g * (g2 * y).sum(axis, keepdims=True)


_softmax_grad: Op = Op(
    name="softmax_grad",
    forward=_softmax_grad_forward,
    spec=real("softmax_grad"),
    cuda=_over_rows("softmax_grad", logarithm=False),
    vjp=(lambda g2, y, axis: apply(_softmax_grad, g2, y, axis=axis), _softmax_grad_by_output),
    scalar=_by_rows("(g - row_sum(g * y)) * y"),
    samples=_rows(Real, _probabilities),
    workloads=(sample(Real((64, 1000)), Real((64, 1000), 0.0, 0.002), axis=1),),
)

_softmax = Op(
    name="softmax",
    forward=_softmax_forward,
    spec=real("softmax"),
    cuda=_over_rows("softmax", logarithm=False),
    vjp=(lambda g, out, axis: apply(_softmax_grad, g, out, axis=axis),),
    scalar=_by_rows("e = exp(x - row_max(x))\ne / row_sum(e)"),
    samples=_rows(Real),
    workloads=(sample(Real((128, 10)), axis=1), sample(Real((64, 1000)), axis=1)),
)


@rowwise
def _log_softmax_forward(xp: Any, x: Any, *, axis: int, out: Any = None) -> Any:
    result = _below_the_largest(xp, x, axis, out)
    result -= xp.log(xp.exp(result).sum(axis=axis, keepdims=True))
    return result


@rowwise
def _log_softmax_grad_forward(xp: Any, g: Any, y: Any, *, axis: int, out: Any = None) -> Any:
    result = xp.exp(y, out=out)
    result *= g.sum(axis=axis, keepdims=True)
    return xp.subtract(g, result, out=out)


_log_softmax_grad = Op(
    name="log_softmax_grad",
    forward=_log_softmax_grad_forward,
    spec=real("log_softmax_grad"),
    cuda=_over_rows("softmax_grad", logarithm=True),
    vjp=(
        lambda g2, y, axis: g2 - (g2 * exp(y)).sum(axis, keepdims=True),
        lambda g2, g, y, axis: -g2 * exp(y) * g.sum(axis, keepdims=True),
    ),
    scalar=_by_rows("g - exp(y) * row_sum(g)"),
    samples=_rows(Real, _logarithms),
    workloads=(sample(Real((64, 1000)), Real((64, 1000), -8.0, -6.0), axis=1),),
)

_log_softmax = Op(
    name="log_softmax",
    forward=_log_softmax_forward,
    spec=real("log_softmax"),
    cuda=_over_rows("softmax", logarithm=True),
    vjp=(lambda g, out, axis: apply(_log_softmax_grad, g, out, axis=axis),),
    scalar=_by_rows("z = x - row_max(x)\nz - log(row_sum(exp(z)))"),
    samples=_rows(Real),
    workloads=(sample(Real((64, 1000)), axis=1),),
)


@widened
def _logsumexp_forward(xp: Any, x: Any, *, axes: Axes, keepdims: bool, out: Any = None) -> Any:
    shape = reduced(x.shape, axes, keepdims)
    if not x.size:
        return xp.full(shape, -math.inf, x.dtype)
    largest = x.max(axis=axes, keepdims=True)
    finite = np.finfo(x.dtype).max
    with np.errstate(over="ignore"):
        parts = xp.exp(x - largest.clip(-finite, finite))  # infinity less infinity would be NaN
    sums = total(parts, axes, True, x.dtype)
    # the largest part is 1, so the sum is at least 1, unless all are -inf
    return (xp.log(sums.clip(1, math.inf)) + largest).reshape(shape)


def _logsumexp_scalar(x: Spec, *, axes: Axes, keepdims: bool) -> str | None:
    if not by_rows(x, axes):
        return None
    finite = np.finfo(accumulator(float_dtype(x.dtype))).max
    return f"""
largest = row_max(x)
total = row_sum(exp(x - minimum(maximum(largest, {-finite}), {finite})))
log(total) + largest
"""


def _logsumexp_vjp(g: Tensor, x: Tensor, out: Tensor, axes: Axes, keepdims: bool) -> Tensor:
    finite = clip(out, min=float(finfo(out.dtype).min))
    return spread(g, x.shape, axes, keepdims) * exp(x - spread(finite, x.shape, axes, keepdims))


_logsumexp = Op(
    name="logsumexp",
    forward=_logsumexp_forward,
    spec=lambda x, axes, keepdims: Spec(reduced(x.shape, axes, keepdims), float_dtype(x.dtype)),
    vjp=(_logsumexp_vjp,),
    scalar=_logsumexp_scalar,
    samples=(*reductions(), sample(Real((0, 2)), axes=(1,), keepdims=True)),
)
