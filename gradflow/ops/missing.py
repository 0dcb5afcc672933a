"""NaN as a missing value: reductions that leave it out, and numbers in its place."""

from __future__ import annotations

import math
from collections.abc import Callable

from gradflow.dtypes import finfo, is_floating
from gradflow.ops.arithmetic import where
from gradflow.ops.create import asarray
from gradflow.ops.elementwise import sqrt, square
from gradflow.ops.extremum import max, min
from gradflow.ops.logic import isnan
from gradflow.ops.numbers import number
from gradflow.ops.precision import float_dtype
from gradflow.ops.product import prod
from gradflow.ops.reduce import Axis, sum
from gradflow.tensor import Tensor, TensorLike


def nan_to_num(x: TensorLike, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """``x`` with numbers in place of NaN and infinities, elementwise; there the gradient is 0.

    By default infinities become the largest and the least number of the dtype. Integers stay what they are.

    >>> import gradflow as gf
    >>> gf.nan_to_num(gf.tensor([gf.nan, gf.inf, 1.0]), posinf=9)
    tensor([0., 9., 1.])
    """
    given = asarray(x)
    if not is_floating(given.dtype):
        return given
    limits = finfo(given.dtype)
    high = float(limits.max) if posinf is None else number("nan_to_num", "posinf", posinf)
    low = float(limits.min) if neginf is None else number("nan_to_num", "neginf", neginf)
    finite = where(given == math.inf, high, where(given == -math.inf, low, given))
    return where(isnan(given), number("nan_to_num", "nan", nan), finite)


def _without(x: TensorLike, instead: float) -> tuple[Tensor, Tensor | None]:
    """``x`` with ``instead`` for NaN, and where that is; None for integers, which have no NaN."""
    given = asarray(x)
    if not is_floating(given.dtype):
        return given, None
    missing = isnan(given)
    return where(missing, instead, given), missing


def nansum(x: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The sum over ``axis`` (all axes by default) of what is not NaN, 0 of nothing.

    >>> import gradflow as gf
    >>> gf.nansum(gf.tensor([1.0, gf.nan, 2.0]))
    tensor(3.)
    """
    return sum(_without(x, 0.0)[0], axis, keepdims=keepdims)


def nanprod(x: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The product over ``axis`` (all axes by default) of what is not NaN, 1 of nothing.

    >>> import gradflow as gf
    >>> gf.nanprod(gf.tensor([2.0, gf.nan, 3.0]))
    tensor(6.)
    """
    return prod(_without(x, 1.0)[0], axis, keepdims=keepdims)


def _counted(x: TensorLike, axis: Axis) -> tuple[Tensor, Tensor, Tensor]:
    """``x`` with 0 for NaN, 1 where there is a number, and how many there are, dimensions kept."""
    filled, missing = _without(x, 0.0)
    filled = filled.astype(float_dtype(filled.dtype))
    there = filled.detach() * 0 + 1 if missing is None else where(missing, 0.0, 1.0).astype(filled.dtype)
    return filled, there, sum(there, axis, keepdims=True)


def nanmean(x: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The mean over ``axis`` (all axes by default) of what is not NaN, NaN of nothing; of integers it is float64.

    >>> import gradflow as gf
    >>> gf.nanmean(gf.tensor([1.0, gf.nan, 2.0]))
    tensor(1.5)
    """
    filled, _, count = _counted(x, axis)
    return _dropped(_ratio(sum(filled, axis, keepdims=True), count), axis, keepdims)


def _ratio(total: Tensor, count: Tensor) -> Tensor:
    """``total / count``, NaN where there is nothing to divide by."""
    return total / where(count > 0, count, math.nan)


def _dropped(x: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    return x if keepdims else sum(x, axis)  # the axes have size 1


def nanvar(x: TensorLike, axis: Axis = None, *, correction: float = 0, keepdims: bool = False) -> Tensor:
    """The variance over ``axis`` (all axes by default) of what is not NaN: see ``var``.

    NaN unless there are more than ``correction`` numbers.

    >>> import gradflow as gf
    >>> gf.nanvar(gf.tensor([1.0, gf.nan, 3.0]))
    tensor(1.)
    """
    filled, there, count = _counted(x, axis)
    middle = _ratio(sum(filled, axis, keepdims=True), count)
    deviation = where(there > 0, filled - middle, 0.0)
    variance = _ratio(sum(square(deviation), axis, keepdims=True), count - correction)
    return _dropped(variance, axis, keepdims)


def nanstd(x: TensorLike, axis: Axis = None, *, correction: float = 0, keepdims: bool = False) -> Tensor:
    """The standard deviation over ``axis`` (all axes by default) of what is not NaN: see ``std``.

    >>> import gradflow as gf
    >>> gf.nanstd(gf.tensor([1.0, gf.nan, 3.0]))
    tensor(1.)
    """
    variance = nanvar(x, axis, correction=correction, keepdims=keepdims)
    zero = variance == 0  # where all are equal the gradient is 0
    return where(zero, 0.0, sqrt(where(zero, 1.0, variance)))


def _extremum(x: TensorLike, axis: Axis, keepdims: bool, reduce: Callable[..., Tensor], worst: float) -> Tensor:
    filled, missing = _without(x, worst)
    result = reduce(filled, axis, keepdims=keepdims)
    if missing is None:
        return result
    return where(missing.all(axis, keepdims=keepdims), math.nan, result)


def nanmax(x: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The largest element over ``axis`` (all axes by default) that is not NaN, NaN if all are; raises as ``max``.

    >>> import gradflow as gf
    >>> gf.nanmax(gf.tensor([1.0, gf.nan, 2.0]))
    tensor(2.)
    """
    return _extremum(x, axis, keepdims, max, -math.inf)


def nanmin(x: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The smallest element over ``axis`` (all axes by default) that is not NaN, NaN if all are; raises as ``min``.

    >>> import gradflow as gf
    >>> gf.nanmin(gf.tensor([1.0, gf.nan, 2.0]))
    tensor(1.)
    """
    return _extremum(x, axis, keepdims, min, math.inf)
