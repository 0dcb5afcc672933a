"""The gamma function, its logarithm and the derivatives of that, elementwise."""

from __future__ import annotations

import math
from typing import Any, SupportsIndex

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError
from gradflow.op import Op
from gradflow.ops.blockwise import real
from gradflow.ops.branches import of_branches, taken
from gradflow.ops.create import asarray
from gradflow.ops.elementwise import exp
from gradflow.ops.in_double import either, in_double
from gradflow.ops.numbers import order
from gradflow.ops.polynomial import horner, horner_text
from gradflow.ops.precision import Array
from gradflow.ops.slicing import integer
from gradflow.samples import Given, sample, unary
from gradflow.tensor import Tensor, TensorLike

BERNOULLI = (
    1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330,
)  # fmt: skip
FROM = 10  # so far an argument is moved up, before the asymptotic series
SCALE = math.sqrt(2 * math.pi)

# Fitted for x >= 8 by interpolation in 45-digit arithmetic, with errors below 1e-17: in 1 / x**2, x times what
# Stirling's formula leaves of gammaln, and x**2 times what log(x) - 0.5 / x leaves of digamma; in 1 / x, the quotient
# of gamma and Stirling's formula.
STIRLING = (
    -0.0016526, 0.000837283, -0.0005952026, 0.000793650665, -0.00277777777761, 0.0833333333333333,
)  # fmt: skip
PSI = (
    -0.0177112, 0.007519088, -0.00416621765, 0.003968252343, -0.00833333333117, 0.0833333333333329,
)  # fmt: skip
QUOTIENT = (
    0.00052199, 5.9829e-05, -0.0006103031, 7.142109e-05, 0.000783943481, -0.000229468833, -0.00268132722387,
    0.003472222222845, 0.083333333333331, 1.0,
)  # fmt: skip


def gammaln(x: TensorLike) -> Tensor:
    """The logarithm of the absolute value of the gamma function, elementwise: inf at 0, -1, -2, ...

    The error is below 1e-14 of the larger of 1 and the result. Method: Stirling's series from 8 on, below by recurrence
    and reflection.

    >>> import gradflow as gf
    >>> gf.special.gammaln(gf.tensor([3.0, 4.0]))
    tensor([0.6931472, 1.7917595])
    """
    return apply(_gammaln, x)


def gamma(x: TensorLike) -> Tensor:
    """The gamma function, ``(x - 1)!`` of whole numbers, elementwise: inf at 0, NaN at -1, -2, ...

    The relative error is below 1e-14. Method: Stirling's series from 8 on, below by recurrence and reflection.

    >>> import gradflow as gf
    >>> gf.special.gamma(gf.tensor([5.0, 0.5]))
    tensor([24.       ,  1.7724539])
    """
    return apply(_gamma, x)


def digamma(x: TensorLike) -> Tensor:
    """The derivative of ``gammaln``, elementwise: infinite at 0, NaN at -1, -2, ...

    The error is below 1e-13 of the larger of 1 and the result. Method: the asymptotic series from 8 on
    (Abramowitz & Stegun 6.3.18), below by recurrence and reflection.

    >>> import gradflow as gf
    >>> gf.special.digamma(gf.tensor([1.0]))
    tensor([-0.5772157])
    """
    return apply(_polygamma, x, n=0)


def polygamma(n: SupportsIndex, x: TensorLike) -> Tensor:
    """The ``n``-th derivative of ``digamma``, elementwise; for ``n`` above 1, NaN below 0.

    Method: the Hurwitz zeta function by Euler and Maclaurin's sum. Raises ArgumentError unless ``n`` is from 0 to 60.

    >>> import gradflow as gf
    >>> gf.special.polygamma(1, gf.tensor([1.0]))
    tensor([1.644934])
    """
    return apply(_polygamma, x, n=order("polygamma", n))


def betaln(a: TensorLike, b: TensorLike) -> Tensor:
    """The logarithm of ``beta``, elementwise with broadcasting.

    >>> import gradflow as gf
    >>> gf.special.betaln(gf.tensor([1.0]), 1.0)
    tensor([0.])
    """
    a, b = asarray(a), asarray(b)
    return gammaln(a) + gammaln(b) - gammaln(a + b)


def beta(a: TensorLike, b: TensorLike) -> Tensor:
    """``gamma(a) * gamma(b) / gamma(a + b)`` for positive arguments, elementwise with broadcasting.

    >>> import gradflow as gf
    >>> gf.special.beta(gf.tensor([2.0]), 2.0)
    tensor([0.16666667])
    """
    return exp(betaln(a, b))


def multigammaln(a: TensorLike, d: SupportsIndex) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension ``d``, elementwise: ``a`` is above (d - 1) / 2.

    Raises ArgumentError unless ``d`` is positive.

    >>> import gradflow as gf
    >>> gf.special.multigammaln(gf.tensor([3.0]), 2)
    tensor([1.550195])
    """
    dimension = integer("multigammaln", "d", d)
    if dimension < 1:
        raise ArgumentError(f"multigammaln: d is {dimension}; dimensions count from 1")
    out = gammaln(a) + dimension * (dimension - 1) / 4 * math.log(math.pi)
    for i in range(1, dimension):
        out = out + gammaln(asarray(a) - i / 2)
    return out


# The asymptotic series, of y = x from 8 on and of y = x + 8 below, with z = 1 / y**2 or u = 1 / y
Y, Z, U = "y = x", "z = 1 / (y * y)", "u = 1 / y"
SERIES = f"(y - 0.5) * (log(y) - 1) + {math.log(SCALE) - 0.5} + ({horner_text('z', STIRLING)}) / y"
QUOTIENT_SERIES = f"({horner_text('u', QUOTIENT)})"
PSI_SERIES = f"log(y) - 0.5 / y - z * ({horner_text('z', PSI)})"
# With w = x (x + 7), gamma(x + 8) / gamma(x) is w (w + 6) (w + 10) (w + 12).
RISING = "w * (w + 6) * (w + 10) * (w + 12)"
MOVED = "y = x + 8\nw = x * (x + 7)"
# The last formula of each function holds everywhere, and is what loops are generated from. Of a = abs(x), ``rest`` is
# the quotient above, less its factor a.
ANYWHERE = """a = abs(x)
low = a < 8
y = where(low, a + 8, a)
w = a * (a + 7)
rest = (a + 7) * (w + 6) * (w + 10) * (w + 12)
f = a - rint(a)"""
GAMMALN = (
    ("x >= 8", f"{Y}\n{Z}\n{SERIES}"),
    ("x >= 0", f"{MOVED}\n{Z}\n{SERIES} - log({RISING})"),
    (
        "",
        f"""{ANYWHERE}
{Z}
turn = where(x < 0, pi / 2**20 * where(low, rest, 1 / a) / abs(sin(pi * f)), where(low, a * rest, 1))
out = log(turn) + where(x < 0, {20 * math.log(2)}, 0) - ({SERIES})
where(isinf(x) | ((x < 0) & (f == 0)), inf, where(x < 0, out, -out))""",
    ),
)
# By exponential and logarithm up to 18, where that is exact enough, and faster; beyond as a square, whose root does not
# overflow before the result does.
NEAR = f"{SCALE * math.exp(-0.5)} * {QUOTIENT_SERIES} * exp((y - 0.5) * (log(y) - 1))"
ROOT = "y ** (y / 2 - 0.25) * exp(-y / 2)"
GAMMA = (
    ("x > 18", f"{Y}\n{U}\nroot = {ROOT}\nwhere(x > 171.7, inf, {SCALE} * {QUOTIENT_SERIES} * root * root)"),
    ("x >= 8", f"{Y}\n{U}\n{NEAR}"),
    ("x >= 0", f"{MOVED}\n{U}\n{NEAR} / ({RISING})"),
    (
        "",
        f"""{ANYWHERE}
{U}
root = {ROOT}
g = {SCALE} * {QUOTIENT_SERIES} * root * root
above = where(x > 171.7, inf, where(low, g / (x * rest), g))
h = rint(a) / 2
odd = 4 * abs(h - rint(h)) - 1
below = pi * odd / (sin(pi * f) * where(low, g / rest, a * g))
where(x >= 0, above, where(rint(x) == x, nan, where(x < -172, 0, below)))""",
    ),
)
RECIPROCALS = "(1 / w + 1 / (w + 6) + 1 / (w + 10) + 1 / (w + 12))"
DIGAMMA = (
    ("x >= 8", f"{Y}\n{Z}\n{PSI_SERIES}"),
    ("x >= 0", f"{MOVED}\n{Z}\n{PSI_SERIES} - (2 * x + 7) * {RECIPROCALS}"),
    (
        "",
        f"""b = where(x < 0, 1 - x, x)
y = where(b < 8, b + 8, b)
w = b * (b + 7)
{Z}
out = {PSI_SERIES} - where(b < 8, (2 * b + 7) * {RECIPROCALS}, 0)
f = x - rint(x)
where(x < 0, where(f == 0, nan, out - pi / tan(pi * f)), out)""",
    ),
)


def _reciprocals(x: Array, power: int) -> Array:
    """The sum of (x + k)**-power over the k below 10."""
    out = _raised(1 / x, power)
    for k in range(1, FROM):
        out += _raised(1 / (x + k), power)
    return out


def _raised(x: Array, power: int) -> Array:
    """``x**power`` by squaring, many times as fast as the function for any power."""
    if power == 1:
        return x
    half = _raised(x, power // 2)
    return half * half * x if power % 2 else half * half


def _hurwitz(xp: Any, s: int, x: Array) -> Array:
    """The sum of (x + k)**-s over all k from 0, for x > 0 and s > 1."""
    coefficients, factor = [], float(s)
    for i, number in enumerate(BERNOULLI):
        coefficients.append(number / math.factorial(2 * i + 2) * factor)
        factor *= (s + 2 * i + 1) * (s + 2 * i + 2)
    z = 1 / (x + FROM)
    rest = z * horner(z * z, tuple(reversed(coefficients))) + 0.5
    return _reciprocals(x, s) + _raised(z, s) * rest + (_raised(z, s - 1) if s > 2 else z) / (s - 1)


@in_double
def _polygamma_forward(xp: Any, x: Array, *, n: int) -> Array:
    if n == 0:
        return taken(xp, x, DIGAMMA)
    sign = (-1.0) ** (n + 1) * math.factorial(n)

    def reflected(x: Array) -> Array:
        return (math.pi / xp.sin(math.pi * (x - xp.rint(x)))) ** 2 - _hurwitz(xp, 2, 1 - x) if n == 1 else math.nan * x

    return either(xp, x >= 0, x, lambda x: sign * _hurwitz(xp, n + 1, x), reflected)


_POSITIVE = (*unary(0.3, 4.0), sample(Given([0.3, 2.0, 6.0, 15.0])))
_LARGE = sample(Given([7.0, 8.2]))
_NEGATIVE = sample(Given([-0.3, -1.4, -2.6]))

_gammaln = of_branches("gammaln", GAMMALN, lambda g, x: g * digamma(x), (*_POSITIVE, _NEGATIVE), GAMMALN[-1][1])
_gamma = of_branches(
    "gamma", GAMMA, lambda g, x, out: g * out * digamma(x), (*unary(0.5, 3.0), _LARGE, _NEGATIVE), GAMMA[-1][1]
)
_polygamma: Op = Op(
    name="polygamma",
    forward=_polygamma_forward,
    spec=real("polygamma"),
    vjp=(lambda g, x, n: g * apply(_polygamma, x, n=n + 1),),
    scalar=lambda x, n: DIGAMMA[-1][1] if n == 0 else None,
    samples=(
        *(each._replace(attrs={"n": 0}) for each in _POSITIVE),
        *(each._replace(attrs={"n": n}) for n in (1, 2) for each in unary(0.8, 4.0)),
    ),
)
