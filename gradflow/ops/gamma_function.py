"""The gamma function, its logarithm and the derivatives of that, elementwise."""

from __future__ import annotations

import math
from typing import Any, SupportsIndex

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError
from gradflow.op import Op, Spec
from gradflow.ops.blockwise import real
from gradflow.ops.create import asarray
from gradflow.ops.elementwise import exp
from gradflow.ops.in_double import either, in_double
from gradflow.ops.polynomial import horner
from gradflow.ops.precision import Array
from gradflow.ops.slicing import integer
from gradflow.samples import Given, sample, unary
from gradflow.tensor import Tensor, TensorLike

# Lanczos' approximation, with the rational form and the coefficients of Boost's lanczos13m53 (Pugh 2004)
SHIFT = 6.024680040776729583740234375
ABOVE = (
    2.5066282746310002701649081771338373386264310793408, 210.82427775157934587250973392071336271166969580291,
    8071.6720023658162106380029022722506138218516325024, 186056.26539522349504029498971604569928220784236328,
    2876370.6289353724412254090516208496135991145378768, 31426415.585400194380614231628318205362874684987640,
    248874557.86205415651146038641322942321632125127801, 1439720407.3117216736632230727949123939715485786372,
    6039542586.3520280050642916443072979210699388420708, 17921034426.037209699919755754458931112671403265390,
    35711959237.355668049440185451547166705960488635843, 42919803642.649098768957899047001988850926355848959,
    23531376880.410759688572007674451636754734846804940,
)  # fmt: skip
BELOW = (
    1.0, 66.0, 1925.0, 32670.0, 357423.0, 2637558.0, 13339535.0, 45995730.0, 105258076.0, 150917976.0, 120543840.0,
    39916800.0, 0.0,
)  # fmt: skip
BERNOULLI = (
    1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330,
)  # fmt: skip
FROM = 10  # so far an argument is moved up, before the asymptotic series


def gammaln(x: TensorLike) -> Tensor:
    """The logarithm of the absolute value of the gamma function, elementwise: inf at 0, -1, -2, ...

    The error is below 1e-14 of the larger of 1 and the result. Method: Lanczos' approximation, Boost's coefficients.

    >>> import gradflow as gf
    >>> gf.special.gammaln(gf.tensor([3.0, 4.0]))
    tensor([0.6931472, 1.7917595])
    """
    return apply(_gammaln, x)


def gamma(x: TensorLike) -> Tensor:
    """The gamma function, ``(x - 1)!`` of whole numbers, elementwise: inf at 0, NaN at -1, -2, ...

    The relative error is below 1e-14. Method: Lanczos' approximation, Boost's coefficients.

    >>> import gradflow as gf
    >>> gf.special.gamma(gf.tensor([5.0, 0.5]))
    tensor([24.       ,  1.7724539])
    """
    return apply(_gamma, x)


def digamma(x: TensorLike) -> Tensor:
    """The derivative of ``gammaln``, elementwise: infinite at 0, NaN at -1, -2, ...

    The error is below 1e-13 of the larger of 1 and the result. Method: recurrence up to 10, then the asymptotic series
    (Abramowitz & Stegun 6.3.18).

    >>> import gradflow as gf
    >>> gf.special.digamma(gf.tensor([1.0]))
    tensor([-0.5772157])
    """
    return apply(_polygamma, x, n=0)


def polygamma(n: SupportsIndex, x: TensorLike) -> Tensor:
    """The ``n``-th derivative of ``digamma``, elementwise; for ``n`` above 1, NaN below 0.

    Method: the Hurwitz zeta function by Euler and Maclaurin's sum. Raises ArgumentError for a negative ``n``.

    >>> import gradflow as gf
    >>> gf.special.polygamma(1, gf.tensor([1.0]))
    tensor([1.644934])
    """
    order = integer("polygamma", "n", n)
    if order < 0:
        raise ArgumentError(f"polygamma: n is {order}; it counts derivatives, from 0")
    return apply(_polygamma, x, n=order)


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


def _lanczos(xp: Any, x: Array) -> Array:
    """The sum of Lanczos' approximation, for x > 0; in powers of 1 / x where those of x would overflow."""
    return either(xp, x <= 5.0, x, _near_sum, lambda x: _far_sum(1 / x))


def _near_sum(x: Array) -> Array:
    return horner(x, ABOVE) / horner(x, BELOW)


def _far_sum(x: Array) -> Array:
    return horner(x, ABOVE[::-1]) / horner(x, BELOW[::-1])


def _sin_pi(xp: Any, x: Array) -> Array:
    """sin(pi x), 0 at whole numbers."""
    whole = xp.rint(x)
    return xp.sin(math.pi * (x - whole)) * (1 - 2 * xp.absolute(xp.fmod(whole, 2)))


@in_double
def _gammaln_forward(xp: Any, x: Array) -> Array:
    return either(xp, x > 0, x, lambda x: _logarithm(xp, x), lambda x: _reflected_logarithm(xp, x))


def _logarithm(xp: Any, x: Array) -> Array:
    """The logarithm of the gamma function, for x > 0."""
    out = xp.log(_lanczos(xp, x)) - SHIFT + (x - 0.5) * (xp.log(x + (SHIFT - 0.5)) - 1)
    return xp.where(xp.isinf(x), math.inf, out)


def _reflected_logarithm(xp: Any, x: Array) -> Array:
    a = -x
    out = math.log(math.pi) - xp.log(xp.absolute(_sin_pi(xp, a))) - xp.log(a) - _logarithm(xp, a)
    return xp.where(xp.isinf(x) | (x == 0), math.inf, out)


@in_double
def _gamma_forward(xp: Any, x: Array) -> Array:
    return either(xp, x > 0, x, lambda x: _gamma_above(xp, x), lambda x: _reflected_gamma(xp, x))


def _gamma_above(xp: Any, x: Array) -> Array:
    base = x + (SHIFT - 0.5)
    root = xp.power(base, x / 2 - 0.25)  # in two steps, the first of which does not overflow before the result does
    out = _lanczos(xp, x) / xp.exp(base) * root * root
    return xp.where(x > 180, math.inf, out)


def _reflected_gamma(xp: Any, x: Array) -> Array:
    out = math.pi / (_sin_pi(xp, x) * -x * _gamma_above(xp, -x))
    out = xp.where(xp.rint(x) == x, math.nan, xp.where(x < -180, 0.0, out))
    return xp.where(x == 0, xp.copysign(math.inf, x), out)


# of digamma in powers of 1 / x**2, the highest first
PSI = tuple(-number / (2 * i + 2) for i, number in reversed(list(enumerate(BERNOULLI[:8]))))


def _psi(xp: Any, y: Array) -> Array:
    """The asymptotic series of digamma, for y >= 10."""
    z = 1 / (y * y)
    return xp.log(y) - 0.5 / y + z * horner(z, PSI)


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


def _digamma(xp: Any, x: Array) -> Array:
    return either(xp, x > 0, x, lambda x: _digamma_above(xp, x), lambda x: _reflected_digamma(xp, x))


def _digamma_above(xp: Any, x: Array) -> Array:
    return either(xp, x < FROM, x, lambda x: _psi(xp, x + FROM) - _reciprocals(x, 1), lambda x: _psi(xp, x))


def _reflected_digamma(xp: Any, x: Array) -> Array:
    whole = xp.rint(x)
    turn = xp.tan(math.pi * xp.where(whole == x, math.nan, x - whole))
    return xp.where(x == 0, xp.copysign(math.inf, -x), _digamma_above(xp, 1 - x) - math.pi / turn)


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
        return _digamma(xp, x)
    sign = (-1.0) ** (n + 1) * math.factorial(n)

    def reflected(x: Array) -> Array:
        return (math.pi / _sin_pi(xp, x)) ** 2 - _hurwitz(xp, 2, 1 - x) if n == 1 else math.nan * x

    return either(xp, x >= 0, x, lambda x: sign * _hurwitz(xp, n + 1, x), reflected)


def _polygamma_spec(x: Spec, n: int) -> Spec:
    return real("polygamma")(x)


_POSITIVE = (*unary(0.3, 4.0), sample(Given([0.3, 2.0, 6.0, 15.0])))
_NEGATIVE = sample(Given([-0.3, -1.4, -2.6]))

_gammaln = Op(
    name="gammaln",
    forward=_gammaln_forward,
    spec=real("gammaln"),
    vjp=(lambda g, x: g * digamma(x),),
    samples=(*_POSITIVE, _NEGATIVE),
)
_gamma = Op(
    name="gamma",
    forward=_gamma_forward,
    spec=real("gamma"),
    vjp=(lambda g, x, out: g * out * digamma(x),),
    samples=(*unary(0.5, 3.0), _NEGATIVE),
)
_polygamma: Op = Op(
    name="polygamma",
    forward=_polygamma_forward,
    spec=_polygamma_spec,
    vjp=(lambda g, x, n: g * apply(_polygamma, x, n=n + 1),),
    samples=(
        *(each._replace(attrs={"n": 0}) for each in _POSITIVE),
        *(each._replace(attrs={"n": n}) for n in (1, 2) for each in unary(0.8, 4.0)),
    ),
)
