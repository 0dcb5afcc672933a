"""Bessel functions of order 0 and 1, elementwise, and their derivatives, which are made of one another."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gradflow.dispatch import apply
from gradflow.op import Op
from gradflow.ops import bessel_coefficients as series
from gradflow.ops.arithmetic import where
from gradflow.ops.blockwise import real
from gradflow.ops.elementwise import sign
from gradflow.ops.in_double import chebyshev, either, in_double
from gradflow.ops.precision import Array
from gradflow.samples import Given, Sample, sample, unary
from gradflow.tensor import Tensor, TensorLike

TURN = 8.0  # up to here series in x, beyond in 1 / x


def i0(x: TensorLike) -> Tensor:
    """The modified Bessel function of the first kind of order 0, elementwise; the relative error is below 1e-14.

    >>> import gradflow as gf
    >>> gf.special.i0(gf.tensor([0.0, 1.0]))
    tensor([1.       , 1.2660658])
    """
    return apply(_i0, x)


def i0e(x: TensorLike) -> Tensor:
    """``exp(-abs(x)) * i0(x)``, elementwise, which does not overflow.

    >>> import gradflow as gf
    >>> gf.special.i0e(gf.tensor([0.0, 1000.0]))
    tensor([1.        , 0.01261724])
    """
    return apply(_i0e, x)


def i1(x: TensorLike) -> Tensor:
    """The modified Bessel function of the first kind of order 1, elementwise; the relative error is below 1e-14.

    >>> import gradflow as gf
    >>> gf.special.i1(gf.tensor([0.0, 1.0]))
    tensor([0.       , 0.5651591])
    """
    return apply(_i1, x)


def i1e(x: TensorLike) -> Tensor:
    """``exp(-abs(x)) * i1(x)``, elementwise, which does not overflow.

    >>> import gradflow as gf
    >>> gf.special.i1e(gf.tensor([0.0, 1000.0]))
    tensor([0.        , 0.01261093])
    """
    return apply(_i1e, x)


def j0(x: TensorLike) -> Tensor:
    """The Bessel function of the first kind of order 0, elementwise; the error is below 1e-15 for moderate ``x``.

    >>> import gradflow as gf
    >>> gf.special.j0(gf.tensor([0.0, 1.0]))
    tensor([1.       , 0.7651977])
    """
    return apply(_j0, x)


def j1(x: TensorLike) -> Tensor:
    """The Bessel function of the first kind of order 1, elementwise; the error is below 1e-15 for moderate ``x``.

    >>> import gradflow as gf
    >>> gf.special.j1(gf.tensor([0.0, 1.0]))
    tensor([0.        , 0.44005057])
    """
    return apply(_j1, x)


def y0(x: TensorLike) -> Tensor:
    """The Bessel function of the second kind of order 0, elementwise: -inf at 0, NaN below.

    >>> import gradflow as gf
    >>> gf.special.y0(gf.tensor([1.0]))
    tensor([0.08825696])
    """
    return apply(_y0, x)


def y1(x: TensorLike) -> Tensor:
    """The Bessel function of the second kind of order 1, elementwise: -inf at 0, NaN below.

    >>> import gradflow as gf
    >>> gf.special.y1(gf.tensor([1.0]))
    tensor([-0.7812128])
    """
    return apply(_y1, x)


def _scaled(xp: Any, a: Array, order: int) -> Array:
    """exp(-a) times the modified function, for a >= 0."""
    near, far = (series.I0_NEAR, series.I0_FAR) if order == 0 else (series.I1_NEAR, series.I1_FAR)

    def inside(a: Array) -> Array:
        return _times(chebyshev(a / 4 - 1, near), a, order)

    return either(xp, a <= TURN, a, inside, lambda a: chebyshev(16 / a - 1, far) / xp.sqrt(a))


def _times(value: Array, x: Array, order: int) -> Array:
    return value * x if order else value


def _modified(order: int, scaled: bool) -> Callable[[Any, Array], Array]:
    def function(xp: Any, x: Array) -> Array:
        a = xp.absolute(x)
        out = _scaled(xp, a, order)
        if not scaled:
            half = xp.exp(a / 2)  # in two steps, the first of which does not overflow before the result does
            out = out * half * half
        return out if order == 0 else xp.copysign(out, x)

    return in_double(function)


def _waves(xp: Any, x: Array, order: int, second: bool) -> Array:
    """The asymptotic form, for x >= 8: amplitudes times a cosine and a sine, without a rounded angle."""
    p, q = (series.P0_FAR, series.Q0_FAR) if order == 0 else (series.P1_FAR, series.Q1_FAR)
    t = 128 / (x * x) - 1
    s, c = xp.sin(x), xp.cos(x)
    cosine, sine = (c + s, s - c) if order == 0 else (s - c, -s - c)  # times sqrt(2), of x - pi/4 or x - 3 pi/4
    across, along = chebyshev(t, p), chebyshev(t, q) / x
    wave = across * sine + along * cosine if second else across * cosine - along * sine
    return wave / xp.sqrt(math.pi * x)


def _first_kind(order: int) -> Callable[[Any, Array], Array]:
    near = series.J0_NEAR if order == 0 else series.J1_NEAR

    def inside(a: Array) -> Array:
        return _times(chebyshev(a * a / 32 - 1, near), a, order)

    def function(xp: Any, x: Array) -> Array:
        a = xp.absolute(x)
        out = either(xp, a <= TURN, a, inside, lambda a: _waves(xp, a, order, False))
        out = xp.where(xp.isinf(a), 0, out)
        return out if order == 0 else out * xp.copysign(1.0, x)

    return in_double(function)


def _second_kind(order: int) -> Callable[[Any, Array], Array]:
    near, first = (series.Y0_NEAR, series.J0_NEAR) if order == 0 else (series.Y1_NEAR, series.J1_NEAR)

    def function(xp: Any, x: Array) -> Array:
        def inside(x: Array) -> Array:
            t = x * x / 32 - 1
            out = chebyshev(t, near) + 2 / math.pi * xp.log(x / 2) * chebyshev(t, first)
            return out * x - 2 / (math.pi * x) if order else out

        out = either(xp, x <= TURN, x, inside, lambda x: _waves(xp, x, order, True))
        out = xp.where(xp.isinf(x), 0, out)
        return xp.where(x > 0, out, xp.where(x == 0, -math.inf, math.nan))

    return in_double(function)


def _over(out: Tensor, x: Tensor) -> Tensor:
    """A function of order 1 divided by ``x``; at 0 half its factor there, 1."""
    zero = x == 0
    return where(zero, 0.5, out / where(zero, 1.0, x))


def _function(name: str, forward: Callable[..., Any], vjp: Callable[..., Tensor], samples: tuple[Sample, ...]) -> Op:
    return Op(name=name, forward=forward, spec=real(name), vjp=(vjp,), samples=samples)


_BOTH = (*unary(-3.0, 3.0), sample(Given([-20.0, -9.0, -0.5, 0.0, 4.0, 7.0, 15.0])))
_ABOVE = (*unary(0.5, 3.0), sample(Given([0.5, 4.0, 7.0, 9.0, 15.0, 40.0])))
_SMALL = (*unary(-3.0, 3.0), sample(Given([-6.0, -0.5, 0.0, 4.0, 9.0])))

_i0 = _function("i0", _modified(0, False), lambda g, x: g * i1(x), _SMALL)
_i1 = _function("i1", _modified(1, False), lambda g, x, out: g * (i0(x) - _over(out, x)), _SMALL)
_i0e = _function("i0e", _modified(0, True), lambda g, x, out: g * (i1e(x) - sign(x) * out), _BOTH[:-1])
_i1e = _function("i1e", _modified(1, True), lambda g, x, out: g * (i0e(x) - _over(out, x) - sign(x) * out), _BOTH[:-1])
_j0 = _function("j0", _first_kind(0), lambda g, x: -g * j1(x), _BOTH)
_j1 = _function("j1", _first_kind(1), lambda g, x, out: g * (j0(x) - _over(out, x)), _BOTH)
_y0 = _function("y0", _second_kind(0), lambda g, x: -g * y1(x), _ABOVE)
_y1 = _function("y1", _second_kind(1), lambda g, x, out: g * (y0(x) - out / x), _ABOVE)
