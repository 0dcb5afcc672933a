"""What belongs to the error function: its complement, scaled or not, and its inverse; all elementwise."""

from __future__ import annotations

import math
from typing import Any

from gradflow.dispatch import apply
from gradflow.op import Op
from gradflow.ops.blockwise import real
from gradflow.ops.elementwise import exp
from gradflow.ops.erf import DOUBLE, erfcx_chord
from gradflow.ops.in_double import either, in_double
from gradflow.ops.polynomial import horner
from gradflow.ops.precision import Array
from gradflow.ops.quantile import DOUBLE as QUANTILE
from gradflow.ops.quantile import Ratio
from gradflow.samples import Given, sample, unary
from gradflow.tensor import Tensor, TensorLike

SLOPE = 2 / math.sqrt(math.pi)


def erfc(x: TensorLike) -> Tensor:
    """``1 - erf(x)``, elementwise, in [0, 2], with a relative error below 1e-13 also where it is tiny.

    Method: that of ``erf``.

    >>> import gradflow as gf
    >>> gf.special.erfc(gf.tensor([0.0, 5.0]))
    tensor([1.0000000e+00, 1.5374598e-12])
    """
    return apply(_erfc, x)


def erfcx(x: TensorLike) -> Tensor:
    """``exp(x**2) * erfc(x)``, elementwise, which neither under- nor overflows for positive ``x``.

    Beyond 27 by the asymptotic series (Abramowitz & Stegun 7.1.23), below as ``erf``.

    >>> import gradflow as gf
    >>> gf.special.erfcx(gf.tensor([0.0, 100.0]))
    tensor([1.        , 0.00564161])
    """
    return apply(_erfcx, x)


def erfinv(x: TensorLike) -> Tensor:
    """The inverse of ``erf``, elementwise: infinite at -1 and 1, NaN outside; the relative error is below 1e-14.

    Method: the quantile of the normal distribution by Wichura's algorithm AS 241 (Applied Statistics 37, 1988).

    >>> import gradflow as gf
    >>> gf.special.erfinv(gf.tensor([0.0, 0.5]))
    tensor([0.        , 0.47693628])
    """
    return apply(_erfinv, x)


def _scaled(xp: Any, a: Array) -> Array:
    """exp(a**2) erfc(a) for a >= 0."""
    return either(xp, a < DOUBLE.reach, a, lambda a: 1 - a * erfcx_chord(a), _asymptotic)


def _asymptotic(a: Array) -> Array:
    z = 0.5 / (a * a)
    return (1 - z * (1 - 3 * z * (1 - 5 * z * (1 - 7 * z * (1 - 9 * z))))) / (a * math.sqrt(math.pi))


@in_double
def _erfc_forward(xp: Any, x: Array) -> Array:
    a = xp.minimum(xp.absolute(x), 28.0)  # beyond, erfc is 0
    high = xp.rint(a * 16) / 16  # its square is exact, and what the rest adds to the exponent is small
    out = xp.exp(-high * high) * xp.exp(-(a - high) * (a + high)) * _scaled(xp, a)
    return xp.where(x < 0, 2 - out, out)


@in_double
def _erfcx_forward(xp: Any, x: Array) -> Array:
    out = _scaled(xp, xp.absolute(x))
    return xp.where(x < 0, 2 * xp.exp(x * x) - out, out)


def _ratio(x: Array, ratio: Ratio) -> Array:
    return horner(x, ratio[0]) / horner(x, ratio[1])


@in_double
def _erfinv_forward(xp: Any, x: Array) -> Array:
    def middle(x: Array) -> Array:
        return x / 2 * _ratio(0.180625 - x * x / 4, QUANTILE.middle)

    return math.sqrt(0.5) * either(xp, xp.absolute(x) <= 0.85, x, middle, lambda x: _tail(xp, x))


def _tail(xp: Any, x: Array) -> Array:
    far = QUANTILE.far
    assert far is not None
    p = (1 - xp.absolute(x)) / 2
    r = xp.sqrt(-xp.log(p))
    out = either(xp, r <= 5, r, lambda r: _ratio(r - 1.6, QUANTILE.tail), lambda r: _ratio(r - 5, far))
    return xp.copysign(xp.where(p == 0, math.inf, out), x)


_erfc = Op(
    name="erfc",
    forward=_erfc_forward,
    spec=real("erfc"),
    vjp=(lambda g, x: g * -SLOPE * exp(-(x * x)),),
    samples=(*unary(), sample(Given([-3.0, 0.0, 4.0]))),
)
_erfcx = Op(
    name="erfcx",
    forward=_erfcx_forward,
    spec=real("erfcx"),
    vjp=(lambda g, x, out: g * (2 * x * out - SLOPE),),
    samples=(*unary(), sample(Given([-1.0, 0.0, 4.0]))),
)
_erfinv = Op(
    name="erfinv",
    forward=_erfinv_forward,
    spec=real("erfinv"),
    vjp=(lambda g, out: g * (1 / SLOPE) * exp(out * out),),
    samples=(*unary(-0.8, 0.8), sample(Given([-0.95, 0.0, 0.9]))),
)
