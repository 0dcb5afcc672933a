"""Elementwise functions of one argument, with NumPy's names: exponentials, logarithms, roots and bounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError
from gradflow.op import Op, Spec, elementwise
from gradflow.ops.conjugate import conjugated
from gradflow.samples import Real, Sample, sample, unary
from gradflow.tensor import Tensor, TensorLike, operand


def function(
    ufunc: np.ufunc,
    derivative: Callable[..., Tensor] | None,
    partial: str,
    samples: tuple[Sample, ...],
    scalar: str | None = None,
    complex: bool = False,
) -> Op:
    """The op of a NumPy function of one argument; ``scalar`` is its formula where it is not one of formulas' own."""
    name = ufunc.__name__
    return Op(
        name=name,
        forward=lambda xp, x, *, out=None: getattr(xp, name)(x, out=out),
        spec=elementwise(name, ufunc),
        vjp=(derivative,) if derivative else (),
        partials=(partial,) if partial else (),
        samples=samples,
        scalar=scalar or f"{name}(x)",
        complex=complex,
    )


_exp = function(np.exp, lambda g, out: g * conjugated(out), "out", unary(), complex=True)
_expm1 = function(np.expm1, lambda g, out: g * conjugated(out + 1), "out + 1", unary(), complex=True)
_log = function(np.log, lambda g, x: g / conjugated(x), "1 / x", unary(0.2, 3.0), complex=True)
_log1p = function(np.log1p, lambda g, x: g / conjugated(x + 1), "1 / (1 + x)", unary(-0.8, 2.0), complex=True)
_log2 = function(
    np.log2, lambda g, x: g / conjugated(x * math.log(2)), "1 / (x * log(2))", unary(0.2, 3.0), complex=True
)
_log10 = function(
    np.log10, lambda g, x: g / conjugated(x * math.log(10)), "1 / (x * log(10))", unary(0.2, 3.0), complex=True
)
_sqrt = function(np.sqrt, lambda g, out: g / conjugated(out * 2), "0.5 / out", unary(0.2, 3.0), complex=True)
_square = function(np.square, lambda g, x: g * conjugated(x * 2), "2 * x", unary(), "x * x", complex=True)
_absolute = Op(
    name="absolute",
    forward=lambda xp, x, *, out=None: xp.absolute(x, out=out),
    spec=elementwise("absolute", np.absolute),
    vjp=(lambda g, x: g * sign(x),),
    partials=("sign(x)",),
    samples=unary(kinks=(0.0,)),
    scalar="abs(x)",
    complex=True,
)
_sign = function(np.sign, None, "", unary(kinks=(0.0,)))


def exp(x: TensorLike) -> Tensor:
    """e to the power of ``x``, elementwise.

    >>> import gradflow as gf
    >>> gf.exp(gf.tensor([0.0, 1.0]))
    tensor([1.     , 2.71828])
    """
    return apply(_exp, x)


def expm1(x: TensorLike) -> Tensor:
    """``exp(x) - 1``, elementwise, exact also where ``x`` is so small that ``exp(x)`` rounds to 1.

    >>> import gradflow as gf
    >>> gf.expm1(gf.tensor([0.0, 1e-10, 1.0]))
    tensor([0.00000e+00, 1.00000e-10, 1.71828e+00])
    """
    return apply(_expm1, x)


def log(x: TensorLike) -> Tensor:
    """The natural logarithm, elementwise: -inf at 0, NaN below.

    >>> import gradflow as gf
    >>> gf.log(gf.tensor([1.0, 10.0]))
    tensor([0.       , 2.3025851])
    """
    return apply(_log, x)


def log1p(x: TensorLike) -> Tensor:
    """The natural logarithm of ``1 + x``, elementwise, exact also where ``x`` is so small that ``1 + x`` rounds to 1.

    >>> import gradflow as gf
    >>> gf.log1p(gf.tensor([0.0, 1e-10, 1.0]))
    tensor([0.00000e+00, 1.00000e-10, 6.93147e-01])
    """
    return apply(_log1p, x)


def log2(x: TensorLike) -> Tensor:
    """The logarithm to base 2, elementwise: -inf at 0, NaN below.

    >>> import gradflow as gf
    >>> gf.log2(gf.tensor([1.0, 8.0]))
    tensor([0., 3.])
    """
    return apply(_log2, x)


def log10(x: TensorLike) -> Tensor:
    """The logarithm to base 10, elementwise: -inf at 0, NaN below.

    >>> import gradflow as gf
    >>> gf.log10(gf.tensor([1.0, 50.0]))
    tensor([0.     , 1.69897])
    """
    return apply(_log10, x)


def sqrt(x: TensorLike) -> Tensor:
    """The square root, elementwise: NaN below 0; the gradient at 0 is infinite.

    >>> import gradflow as gf
    >>> gf.sqrt(gf.tensor([4.0, 9.0]))
    tensor([2., 3.])
    """
    return apply(_sqrt, x)


def square(x: TensorLike) -> Tensor:
    """``x * x``, elementwise.

    >>> import gradflow as gf
    >>> gf.square(gf.tensor([2.0, -3.0]))
    tensor([4., 9.])
    """
    return apply(_square, x)


def abs(x: TensorLike) -> Tensor:
    """The absolute value, elementwise, real also of complex numbers; its gradient at 0 is 0.

    >>> import gradflow as gf
    >>> gf.abs(gf.tensor([2.0, -3.0]))
    tensor([2., 3.])
    """
    return apply(_absolute, x)


def sign(x: TensorLike) -> Tensor:
    """-1, 0 or 1 with the sign of ``x``, elementwise; NaN at NaN. Its derivative is zero, and no gradient flows.

    Of complex numbers it is ``x / abs(x)``, 0 at 0, which has a gradient, as in NumPy 2 and the array API.

    >>> import gradflow as gf
    >>> gf.sign(gf.tensor([2.0, 0.0, -3.0]))
    tensor([ 1.,  0., -1.])
    """
    given = operand(x)
    if getattr(given, "dtype", np.dtype(type(given))).kind != "c":
        return apply(_sign, given)
    size = abs(given)
    direction: Tensor = given / (size + (size == 0))
    return direction


def reciprocal(x: TensorLike) -> Tensor:
    """``1 / x``, elementwise; of integers it is float64, where NumPy's would be cut off to 0.

    >>> import gradflow as gf
    >>> gf.reciprocal(gf.tensor([2.0, -4.0]))
    tensor([ 0.5 , -0.25])
    """
    return apply(_reciprocal, x)


_reciprocal = Op(
    name="reciprocal",
    forward=lambda xp, x, *, out=None: xp.true_divide(1.0, x, out=out),
    spec=lambda x: elementwise("reciprocal", np.true_divide)(Spec((), float), x),
    vjp=(lambda g, out: -g * conjugated(square(out)),),
    partials=("-(out**2)",),
    samples=unary(0.5, 2.0),
    complex=True,
    scalar="1 / x",
)


def clip(x: TensorLike, min: TensorLike | None = None, max: TensorLike | None = None) -> Tensor:
    """``x``, but at least ``min`` and at most ``max``, elementwise with broadcasting; NaN stays NaN.

    The gradient flows to ``x`` where it is within the bounds or on one, and to the bound that holds elsewhere.
    ``min`` must not exceed ``max``. Raises ArgumentError if neither bound is given.

    >>> import gradflow as gf
    >>> gf.clip(gf.tensor([-2.0, 0.5, 3.0]), 0, 1)
    tensor([0. , 0.5, 1. ])
    """
    if min is None and max is None:
        raise ArgumentError("clip: got no bounds; give min, max or both")
    return apply(_clip, x, min, max)


def _clip_forward(xp: Any, x: Any, low: Any, high: Any, *, out: Any = None) -> Any:
    if low is None:
        return xp.minimum(x, high, out=out)
    if high is None:
        return xp.maximum(x, low, out=out)
    return xp.clip(x, low, high, out=out)


def _clip_spec(x: Spec, *bounds: Spec) -> Spec:
    for bound in bounds:
        if not bound.absent:
            x = elementwise("clip", np.maximum)(x, bound)
    return x


def _clip_scalar(x: Spec, low: Spec, high: Spec) -> str:
    above = "x" if low.absent else "maximum(x, low)"
    return above if high.absent else f"minimum({above}, high)"


_clip = Op(
    name="clip",
    forward=_clip_forward,
    spec=_clip_spec,
    vjp=(
        lambda g, x, out: g * (out == x),
        lambda g, x, out: g * (out > x),
        lambda g, x, out: g * (out < x),
    ),
    partials=("(out == x) * 1", "(out > x) * 1", "(out < x) * 1"),
    scalar=_clip_scalar,
    samples=(
        *(sample(Real(s, kinks=(-1.0, 0.5)), -1, 0.5) for s in [(), (7,), (2, 0)]),
        sample(Real((3, 4), -2, 2), Real((4,), -3, -2.5), Real((3, 1), 2.5, 3)),
        sample(Real((3, 4), 2, 3), Real((4,), 4, 5), Real((3, 1), 6, 7)),
        sample(Real((3, 4), 2, 3), Real((4,), -2, -1), Real((3, 1), 0, 1)),
        sample(Real((7,), kinks=(0.5,)), 0.5, None),
        sample(Real((7,), kinks=(0.5,)), None, 0.5),
    ),
)
