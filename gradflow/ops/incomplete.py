"""The incomplete gamma and beta functions, elementwise: distributions of sums, counts and proportions."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.errors import GradientError
from gradflow.op import Op
from gradflow.ops.blockwise import real
from gradflow.ops.branches import taken
from gradflow.ops.create import asarray
from gradflow.ops.elementwise import exp
from gradflow.ops.exponential import xlog1py, xlogy
from gradflow.ops.gamma_function import GAMMALN, STIRLING, betaln, gammaln
from gradflow.ops.in_double import in_double
from gradflow.ops.polynomial import horner
from gradflow.ops.precision import Array
from gradflow.samples import Given, Integer, Real, Sample, sample
from gradflow.tensor import Tensor, TensorLike

LARGE = 100.0  # from this ``a`` on, the integral is computed as one
STEPS = 300  # at most of a series or fraction; of both less than half suffice below LARGE, all up to 1e4 for betainc
POINTS = 40
TINY = 1e-300
END = 1e-16


def gammainc(a: TensorLike, x: TensorLike) -> Tensor:
    """The regularised lower incomplete gamma function, elementwise with broadcasting: NaN for negative arguments.

    It is the integral of t**(a - 1) exp(-t) / gamma(a) over t from 0 to ``x``, with an error below 1e-13. There is a
    gradient in ``x``; GradientError is raised where one in ``a`` is asked for. Method: power series and continued
    fraction (Press et al., "Numerical Recipes", 2007, 6.2), Gauss and Legendre's quadrature for ``a`` from 100 on.

    >>> import gradflow as gf
    >>> gf.special.gammainc(1.0, gf.tensor([0.0, 1.0]))
    tensor([0.       , 0.6321206])
    """
    return apply(_gammainc, a, x)


def gammaincc(a: TensorLike, x: TensorLike) -> Tensor:
    """The regularised upper incomplete gamma function, ``1 - gammainc(a, x)``, exact also where it is tiny.

    >>> import gradflow as gf
    >>> gf.special.gammaincc(1.0, gf.tensor([0.0, 1.0]))
    tensor([1.        , 0.36787945])
    """
    return apply(_gammaincc, a, x)


def betainc(a: TensorLike, b: TensorLike, x: TensorLike) -> Tensor:
    """The regularised incomplete beta function, elementwise with broadcasting: NaN unless ``a, b > 0`` and 0 <= x <= 1.

    It is the integral of t**(a - 1) (1 - t)**(b - 1) / beta(a, b) over t from 0 to ``x``, with an error below 1e-12 for
    ``a`` and ``b`` to 1000. There is a gradient in ``x``; GradientError is raised where one in ``a`` or ``b`` is asked
    for. Method: a continued fraction (Press et al., "Numerical Recipes", 2007, 6.4).

    >>> import gradflow as gf
    >>> gf.special.betainc(2.0, 2.0, gf.tensor([0.25, 0.5]))
    tensor([0.15625, 0.5    ])
    """
    return apply(_betainc, a, b, x)


def _finished(xp: Any, change: Array) -> bool:
    """Whether nothing that is known without a wait for a GPU still changes."""
    return isinstance(change, np.ndarray) and not bool((change > END).any())


def _series(xp: Any, a: Array, x: Array) -> Array:
    """The lower function over x**a exp(-x) / gamma(a + 1), for x < a + 1."""
    term, total = xp.ones_like(x), xp.ones_like(x)
    for n in range(1, STEPS):
        term *= x / (a + n)
        total += term
        if _finished(xp, term / total):
            break
    return total


def _fraction(xp: Any, a: Array, x: Array) -> Array:
    """The upper function over x**a exp(-x) / gamma(a), for x >= a + 1, by Lentz's method."""
    b = x + 1 - a
    c, d = xp.full_like(x, 1 / TINY), 1 / b
    out = d.copy()
    for n in range(1, STEPS):
        factor = -n * (n - a)
        b = b + 2
        d = 1 / (factor * d + b)
        c = b + factor / c
        out *= c * d
        if _finished(xp, xp.absolute(c * d - 1)):
            break
    return out


@cache
def _nodes() -> tuple[list[float], list[float]]:
    points, weights = np.polynomial.legendre.leggauss(POINTS)
    return (points / 2 + 0.5).tolist(), (weights / 2).tolist()


def _tail(xp: Any, a: Array, x: Array) -> tuple[Array, Array]:
    """The integral on the side of the peak where ``x`` is, and whether that is the upper one, for large ``a``."""
    peak = a - 1
    width = xp.sqrt(peak)
    upper = x > peak
    below = xp.maximum(0, xp.minimum(peak - 7.5 * width, x - 5 * width))
    end = xp.where(upper, xp.maximum(peak + 11.5 * width, x + 6 * width), below)
    total = xp.zeros_like(x)
    for point, weight in zip(*_nodes(), strict=True):
        u = (x + (end - x) * point - peak) / peak
        total += weight * xp.exp(peak * (xp.log1p(u) - u))
    scale = xp.exp(-horner(1 / (peak * peak), STIRLING) / peak) / xp.sqrt(2 * math.pi * peak)
    return xp.absolute(end - x) * total * scale, upper


def _both(xp: Any, a: Array, x: Array) -> tuple[Array, Array]:
    """The lower and the upper function."""
    outside = (a < 0) | (x < 0) | xp.isnan(a) | xp.isnan(x) | (xp.isinf(a) & xp.isinf(x)) | ((a == 0) & (x == 0))
    zero, one = (x == 0) | xp.isinf(a), (a == 0) | xp.isinf(x)
    plain = outside | zero | one
    a, x = xp.where(plain, 1.0, a), xp.where(plain, 1.0, x)
    small, low = a < LARGE, x < a + 1
    s, t = xp.where(small, a, 1.0), xp.where(small, x, 1.0)
    rise = xp.exp(s * xp.log(t) - t - taken(xp, s, GAMMALN))
    under = s > t - 1
    from_below = rise / s * _series(xp, s, xp.where(under, t, s))
    from_above = rise * _fraction(xp, s, xp.where(under, s + 1, t))
    tail, upper = _tail(xp, xp.where(small, LARGE, a), xp.where(small, LARGE, x))
    above = xp.where(small, ~low, upper)
    part = xp.where(small, xp.where(low, from_below, from_above), tail)
    lower, rest = xp.where(above, 1 - part, part), xp.where(above, part, 1 - part)
    lower = xp.where(zero, 0.0, xp.where(one, 1.0, lower))
    rest = xp.where(zero, 1.0, xp.where(one, 0.0, rest))
    return xp.where(outside, math.nan, lower), xp.where(outside, math.nan, rest)


@in_double
def _gammainc_forward(xp: Any, a: Array, x: Array) -> Array:
    return _both(xp, a, x)[0]


@in_double
def _gammaincc_forward(xp: Any, a: Array, x: Array) -> Array:
    return _both(xp, a, x)[1]


def _beta_fraction(xp: Any, a: Array, b: Array, x: Array) -> Array:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = xp.ones_like(x), 1 / (1 - (a + b) * x / (a + 1))
    out = d.copy()
    for m in range(1, STEPS):
        for factor in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / (1 + factor * d)
            c = 1 + factor / c
            out *= c * d
        if _finished(xp, xp.absolute(c * d - 1)):
            break
    return out


@in_double
def _betainc_forward(xp: Any, a: Array, b: Array, x: Array) -> Array:
    inside = (a > 0) & (b > 0) & (x >= 0) & (x <= 1) & xp.isfinite(a + b)
    end = (x == 0) | (x == 1) | ~inside
    p, q, y = (xp.where(end, 1.0, each) for each in (a, b, x))
    y = xp.where(end, 0.5, y)
    swapped = y > (p + 1) / (p + q + 2)
    logarithm = taken(xp, p + q, GAMMALN) - taken(xp, p, GAMMALN) - taken(xp, q, GAMMALN)
    front = xp.exp(logarithm + p * xp.log(y) + q * xp.log1p(-y))
    p, q, y = xp.where(swapped, q, p), xp.where(swapped, p, q), xp.where(swapped, 1 - y, y)
    part = front * _beta_fraction(xp, p, q, y) / p
    return xp.where(inside, xp.where(end, x, xp.where(swapped, 1 - part, part)), math.nan)


def _none(name: str, argument: str) -> Any:
    def refuse(g: Tensor) -> Tensor:
        raise GradientError(f"{name}: there is no gradient in {argument}; detach() it, or ask for that in x alone")

    return refuse


def _gamma_density(g: Tensor, a: Any, x: Tensor) -> Tensor:
    a = asarray(a)
    return g * exp(xlogy(a - 1, x) - x - gammaln(a))


def _beta_density(g: Tensor, a: Any, b: Any, x: Tensor) -> Tensor:
    a, b = asarray(a), asarray(b)
    return g * exp(xlogy(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b))


_GAMMA: tuple[Sample, ...] = (
    *(
        sample(Integer(s, 1, 6), Real(t, 0.3, 6.0))
        for s, t in [((), ()), ((3, 4), (3, 4)), ((3, 1), (4,)), ((0, 2), (2,))]
    ),
    sample(2.5, Real((3,), 0.3, 6.0)),
    sample(Given([150, 150, 3], "int64"), Given([140.0, 160.0, 9.0])),
)
_BETA: tuple[Sample, ...] = (
    *(
        sample(Integer(s, 1, 6), 1.5, Real(t, 0.1, 0.9))
        for s, t in [((), ()), ((3, 4), (3, 4)), ((3, 1), (4,)), ((0, 2), (2,))]
    ),
    sample(2.5, 3.5, Real((3,), 0.1, 0.9)),
)
_gammainc = Op(
    name="gammainc",
    forward=_gammainc_forward,
    spec=real("gammainc"),
    vjp=(_none("gammainc", "a"), _gamma_density),
    samples=_GAMMA,
)
_gammaincc = Op(
    name="gammaincc",
    forward=_gammaincc_forward,
    spec=real("gammaincc"),
    vjp=(_none("gammaincc", "a"), lambda g, a, x: -_gamma_density(g, a, x)),
    samples=_GAMMA,
)
_betainc = Op(
    name="betainc",
    forward=_betainc_forward,
    spec=real("betainc"),
    vjp=(_none("betainc", "a"), _none("betainc", "b"), _beta_density),
    samples=_BETA,
)
