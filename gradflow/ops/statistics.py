"""Variance and standard deviation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gradflow.op import Op, Spec
from gradflow.ops.blockwise import widened
from gradflow.ops.create import asarray
from gradflow.ops.precision import float_dtype
from gradflow.ops.reduce import Axis, average, by_rows, mean, over_axes, reduced_count, reductions, spread, total
from gradflow.ops.trigonometric import hypot
from gradflow.samples import Real, Sample, sample
from gradflow.shapes import Axes, Shape, reduced
from gradflow.tensor import Tensor, TensorLike


def var(x: TensorLike, axis: Axis = None, *, correction: float = 0, keepdims: bool = False, ddof: float = 0) -> Tensor:
    """The variance over ``axis`` (all axes by default): squared deviations from the mean, over n - ``correction``.

    ``correction`` is 0 by default, as in NumPy and the array API; 1 gives the unbiased estimate, PyTorch's default.
    ``ddof``, NumPy's older name for it, is added.
    NaN unless there are more than ``correction`` elements. Integers give float64; complex numbers the real mean of
    the squared sizes of their deviations.

    >>> import gradflow as gf
    >>> gf.var(gf.tensor([1.0, 2.0, 6.0])), gf.var(gf.tensor([1.0, 2.0, 6.0]), correction=1)
    (tensor(4.6666665), tensor(7.))
    """
    given = asarray(x)
    if given.dtype.kind == "c":
        real, imag = (var(x, axis, correction=correction + ddof, keepdims=keepdims) for x in (given.real, given.imag))
        return real + imag
    return over_axes(_var, given, axis, keepdims, correction=float(correction + ddof))


def std(x: TensorLike, axis: Axis = None, *, correction: float = 0, keepdims: bool = False, ddof: float = 0) -> Tensor:
    """The standard deviation over ``axis`` (all axes by default), the square root of ``var``; its gradient at 0 is 0.

    >>> import gradflow as gf
    >>> gf.std(gf.tensor([1.0, 2.0, 6.0]))
    tensor(2.160247)
    """
    given = asarray(x)
    if given.dtype.kind == "c":
        real, imag = (std(x, axis, correction=correction + ddof, keepdims=keepdims) for x in (given.real, given.imag))
        return hypot(real, imag)
    return over_axes(_std, given, axis, keepdims, correction=float(correction + ddof))


def _freedom(shape: Shape, axes: Axes, correction: float) -> float:
    freedom = reduced_count(shape, axes) - correction
    return freedom if freedom > 0 else math.nan


@widened
def _var_forward(xp: Any, x: Any, *, axes: Axes, keepdims: bool, correction: float, out: Any = None) -> Any:
    deviation = x - average(x, axes, True, x.dtype)
    deviation *= deviation
    return total(deviation, axes, keepdims, x.dtype) / x.dtype.type(_freedom(x.shape, axes, correction))


@widened
def _std_forward(xp: Any, x: Any, *, axes: Axes, keepdims: bool, correction: float, out: Any = None) -> Any:
    return xp.sqrt(_var_forward(xp, x, axes=axes, keepdims=keepdims, correction=correction))


def _var_vjp(g: Tensor, x: Tensor, axes: Axes, keepdims: bool, correction: float) -> Tensor:
    scaled = spread(g * (2 / _freedom(x.shape, axes, correction)), x.shape, axes, keepdims)
    return scaled * (x - mean(x, axes, keepdims=True))


def _std_vjp(g: Tensor, x: Tensor, out: Tensor, axes: Axes, keepdims: bool, correction: float) -> Tensor:
    inner = g / (2 * (out + (out == 0)))  # where all are equal, every deviation is 0: not 0 / 0, but 0 / 1
    return _var_vjp(inner, x, axes, keepdims, correction)


def _spec(x: Spec, axes: Axes, keepdims: bool, correction: float) -> Spec:
    return Spec(reduced(x.shape, axes, keepdims), float_dtype(x.dtype))


def _by_rows(result: str) -> Callable[..., str | None]:
    """The ``scalar`` of what is made of the variance of rows."""

    def scalar(x: Spec, axes: Axes, keepdims: bool, correction: float) -> str | None:
        if not by_rows(x, axes):
            return None
        freedom = _freedom(x.shape, axes, correction)
        return f"z = x - row_sum(x) / {x.shape[-1]}\nvariance = row_sum(z * z) / {freedom}\n{result}"

    return scalar


SAMPLES = (
    *(
        Sample(each.inputs, {**each.attrs, "correction": correction})
        for each in reductions()[1:]
        for correction in (0.0, 1.0)
    ),
    sample(Real((0, 2)), axes=(1,), keepdims=False, correction=0.0),
)

_var = Op(name="var", forward=_var_forward, spec=_spec, vjp=(_var_vjp,), scalar=_by_rows("variance"), samples=SAMPLES)
_std = Op(
    name="std", forward=_std_forward, spec=_spec, vjp=(_std_vjp,), scalar=_by_rows("sqrt(variance)"), samples=SAMPLES
)
