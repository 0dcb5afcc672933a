"""Scans: running products, extrema and logarithms of sums, by way of one linear recurrence."""

from __future__ import annotations

from typing import Any, SupportsIndex

import numpy as np

from gradflow.dispatch import apply
from gradflow.dtypes import DTypeLike, accumulator, int64
from gradflow.errors import ShapeError
from gradflow.op import Op, Spec
from gradflow.ops.along import part
from gradflow.ops.arithmetic import where
from gradflow.ops.create import asarray, ones, zeros
from gradflow.ops.elementwise import exp
from gradflow.ops.join import concat
from gradflow.ops.lookup import take_along_axis
from gradflow.ops.precision import float_dtype, stored
from gradflow.ops.reduce import accumulated
from gradflow.ops.shape import ravel
from gradflow.samples import Given, Integer, Real, sample
from gradflow.shapes import normalize_axis
from gradflow.tensor import Tensor, TensorLike

Axis = SupportsIndex | None


def cumprod(x: TensorLike, axis: Axis = None, *, dtype: DTypeLike = None) -> Tensor:
    """The products of the elements up to each one along ``axis``, or of all in order without; dtypes as of ``prod``.

    With ``dtype``, ``x`` is converted before. Gradients of any order are right where elements are zero, too.

    >>> import gradflow as gf
    >>> gf.cumprod(gf.tensor([1.0, 2.0, 3.0]))
    tensor([1., 2., 6.])
    """
    given, along = _along("cumprod", asarray(x, dtype=dtype), axis)
    return apply(_cumprod, given, axis=along)


def cummax(x: TensorLike, axis: Axis = None) -> Tensor:
    """The largest of the elements up to each one along ``axis``; NaN from the first NaN on.

    NumPy's ``maximum.accumulate``. The gradient goes to the last of equal ones.

    >>> import gradflow as gf
    >>> gf.cummax(gf.tensor([1.0, 3.0, 2.0]))
    tensor([1., 3., 3.])
    """
    return _cumulative_extremum("cummax", x, axis, True)


def cummin(x: TensorLike, axis: Axis = None) -> Tensor:
    """The smallest of the elements up to each one along ``axis``; NaN from the first NaN on.

    NumPy's ``minimum.accumulate``. The gradient goes to the last of equal ones.

    >>> import gradflow as gf
    >>> gf.cummin(gf.tensor([3.0, 1.0, 2.0]))
    tensor([3., 1., 1.])
    """
    return _cumulative_extremum("cummin", x, axis, False)


def logcumsumexp(x: TensorLike, axis: Axis = None) -> Tensor:
    """The logarithm of the sum of the exponentials of the elements up to each one along ``axis``, without overflow.

    NumPy's ``logaddexp.accumulate``.

    >>> import gradflow as gf
    >>> gf.logcumsumexp(gf.tensor([1000.0, 1000.0, 0.0]))
    tensor([1000.    , 1000.6932, 1000.6932])
    """
    given, along = _along("logcumsumexp", x, axis)
    return apply(_logcumsumexp, given, axis=along)


def _along(name: str, x: TensorLike, axis: Axis) -> tuple[Tensor, int]:
    given = asarray(x)
    if axis is None or not given.ndim:
        given, axis = ravel(given), axis if given.ndim and axis is not None else 0
    return given, normalize_axis(name, axis, given.ndim)


def _shifted(x: Tensor, axis: int, fill: float, back: bool = False) -> Tensor:
    """``x`` moved on by one place along ``axis``, or back, with ``fill`` in the place that becomes free."""
    size = x.shape[axis]
    if not size:
        return x
    free = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    first = (ones if fill else zeros)(free, dtype=x.dtype, device=x.device)
    return concat([part(x, axis, 1, None), first] if back else [first, part(x, axis, 0, size - 1)], axis)


def _doubling(xp: Any, x: Any, axis: int, combine: Any) -> Any:
    """The scan by ``combine`` of elements with ever further ones: as many passes as the size has bits."""
    out = xp.moveaxis(x, axis, 0).copy()
    step = 1
    while step < len(out):
        out[step:] = combine(out[step:], out[:-step].copy())
        step *= 2
    return xp.moveaxis(out, 0, axis)


WIDE = 64  # elements side by side that make a pass for each place cheaper than several over everything


def _is_wide(total: Any) -> bool:
    return isinstance(total, np.ndarray) and len(total) > 0 and total[0].size >= WIDE


def _one_by_one(factor: Any, total: Any) -> Any:
    for i in range(1, len(total)):
        total[i] += factor[i] * total[i - 1]
    return total


def _ever_further(factor: Any, total: Any) -> Any:
    """Places combined with ever further ones, as many passes as their number has bits."""
    step = 1
    while step < len(total):
        total[step:] += factor[step:] * total[:-step].copy()
        factor[step:] *= factor[:-step].copy()
        step *= 2
    return total


def _recurrence_forward(xp: Any, a: Any, b: Any, *, axis: int, reverse: bool, out: Any = None) -> Any:
    dtype = float_dtype(a.dtype, b.dtype)
    wide = accumulator(dtype)
    factor, total = (xp.moveaxis(each.astype(wide), axis, 0) for each in (a, b))
    if reverse:
        factor, total = xp.flip(factor, 0), xp.flip(total, 0)
    total = _one_by_one(factor, total.copy()) if _is_wide(total) else _ever_further(factor.copy(), total.copy())
    total = xp.flip(total, 0) if reverse else total
    return stored(xp.moveaxis(total, 0, axis), dtype, out)


def _recurrence_spec(a: Spec, b: Spec, axis: int, reverse: bool) -> Spec:
    if a.shape != b.shape:
        raise ShapeError(f"recurrence: factors are {a.shape}, terms {b.shape}; they must be alike")
    return Spec(a.shape, float_dtype(a.dtype, b.dtype))


def _recurrence_by_b(g: Tensor, a: Tensor, axis: int, reverse: bool) -> Tensor:
    return apply(_recurrence, _shifted(a, axis, 0, back=not reverse), g, axis=axis, reverse=not reverse)


def _recurrence_by_a(g: Tensor, a: Tensor, out: Tensor, axis: int, reverse: bool) -> Tensor:
    return _recurrence_by_b(g, a, axis, reverse) * _shifted(out, axis, 0, back=reverse)


# y[i] = a[i] * y[i - 1] + b[i], or from the end: the gradients of scans, and its own, are made of it
_recurrence: Op = Op(
    name="recurrence",
    forward=_recurrence_forward,
    spec=_recurrence_spec,
    vjp=(_recurrence_by_a, _recurrence_by_b),
    samples=(
        sample(Real((7,)), Real((7,)), axis=0, reverse=False),
        sample(Real((3, 4)), Real((3, 4)), axis=1, reverse=True),
        sample(Real((2, 5, 2)), Real((2, 5, 2)), axis=1, reverse=False),
        sample(Real((2, 0)), Real((2, 0)), axis=1, reverse=True),
        sample(Real((4, 80)), Real((4, 80)), axis=0, reverse=True),
    ),
)


def _cumprod_forward(xp: Any, x: Any, *, axis: int, out: Any = None) -> Any:
    dtype = accumulated(x.dtype)
    return stored(x.cumprod(axis=axis, dtype=accumulator(dtype)), dtype, out)


def _cumprod_vjp(g: Tensor, x: Tensor, out: Tensor, axis: int) -> Tensor:
    """Products before each element, times the sum of the products after it, each with its share of ``g``."""
    after = apply(_recurrence, _shifted(x, axis, 0, back=True), g, axis=axis, reverse=True)
    return _shifted(out, axis, 1) * after


_cumprod = Op(
    name="cumprod",
    forward=_cumprod_forward,
    spec=lambda x, axis: Spec(x.shape, accumulated(x.dtype)),
    vjp=(_cumprod_vjp,),
    samples=(
        sample(Real((7,)), axis=0),
        sample(Real((2, 3, 4)), axis=1),
        sample(Given([[0.5, 0.0, 2.0, 3.0], [0.0, 2.0, 0.0, 1.0]]), axis=1),
        sample(Real((2, 0)), axis=1),
    ),
)


def _logcumsumexp_forward(xp: Any, x: Any, *, axis: int, out: Any = None) -> Any:
    dtype = float_dtype(x.dtype)
    x = x.astype(accumulator(dtype), copy=False)
    if xp is np:
        with np.errstate(invalid="ignore"):
            return stored(np.logaddexp.accumulate(x, axis), dtype, out)
    return stored(_doubling(xp, x, axis, xp.logaddexp), dtype, out)


def _logcumsumexp_vjp(g: Tensor, x: Tensor, out: Tensor, axis: int) -> Tensor:
    """Sums from the end, each time diminished by how much the result grows: no exponential is above 1."""
    if not out.shape[axis]:
        return g
    after = concat([part(out, axis, 1, None), part(out, axis, -1, None)], axis)
    later = apply(_recurrence, _ratio(out, after), g, axis=axis, reverse=True)
    return _ratio(x, out) * later


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """exp(a - b), 1 where both are the same infinity."""
    same = a == b
    return exp(where(same, 0.0, a) - where(same, 0.0, b))


_logcumsumexp = Op(
    name="logcumsumexp",
    forward=_logcumsumexp_forward,
    spec=lambda x, axis: Spec(x.shape, float_dtype(x.dtype)),
    vjp=(_logcumsumexp_vjp,),
    samples=(
        sample(Real((7,)), axis=0),
        sample(Real((2, 3, 4), -9.0, 9.0), axis=1),
        sample(Real((2, 0)), axis=1),
    ),
)


def _cumulative_extremum(name: str, x: TensorLike, axis: Axis, largest: bool) -> Tensor:
    given, along = _along(name, x, axis)
    place = apply(_cumulative_place, given.detach(), axis=along, largest=largest)
    return take_along_axis(given, place, along)


def _accumulate(xp: Any, name: str, x: Any, axis: int) -> Any:
    return getattr(np, name).accumulate(x, axis) if xp is np else _doubling(xp, x, axis, getattr(xp, name))


def _cumulative_place_forward(xp: Any, x: Any, *, axis: int, largest: bool, out: Any = None) -> Any:
    best = _accumulate(xp, "maximum" if largest else "minimum", x, axis)
    here = (x == best) | xp.isnan(x)
    numbers = xp.arange(x.shape[axis]).reshape(-1, *(1,) * (x.ndim - axis - 1))
    return stored(_accumulate(xp, "maximum", xp.where(here, numbers, 0), axis), int64, out)


_cumulative_place = Op(
    name="cumulative_place",
    forward=_cumulative_place_forward,
    spec=lambda x, axis, largest: Spec(x.shape, int64),
    samples=(
        sample(Real((7,)), axis=0, largest=True),
        sample(Integer((3, 4)), axis=1, largest=False),
        sample(Real((2, 3, 4)), axis=1, largest=True),
        sample(Real((0, 2)), axis=0, largest=True),
    ),
)
