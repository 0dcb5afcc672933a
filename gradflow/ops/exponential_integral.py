"""Exponential integrals, elementwise."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import SupportsIndex

from gradflow.dispatch import apply
from gradflow.op import Op
from gradflow.ops.branches import Branch, of_branches, of_orders
from gradflow.ops.elementwise import exp
from gradflow.ops.numbers import order
from gradflow.ops.polynomial import horner_text
from gradflow.samples import Given, sample, unary
from gradflow.tensor import Tensor, TensorLike

EULER = 0.5772156649015329


def expi(x: TensorLike) -> Tensor:
    """The exponential integral Ei, of exp(t) / t from -inf to ``x``, elementwise: -inf at 0.

    Method: for positive ``x`` the power series to 40, then the asymptotic one; for negative ``x`` that of ``exp1``. The
    error is below 1e-14 of the larger of 1 and the result; of negative ``x``, of the result.

    >>> import gradflow as gf
    >>> gf.special.expi(gf.tensor([-1.0, 1.0]))
    tensor([-0.21938393,  1.8951178 ])
    """
    return apply(_expi, x)


def exp1(x: TensorLike) -> Tensor:
    """The exponential integral E1, of exp(-t) / t from ``x`` to inf, elementwise: inf at 0, NaN below.

    >>> import gradflow as gf
    >>> gf.special.exp1(gf.tensor([1.0, 2.0]))
    tensor([0.21938393, 0.04890051])
    """
    return apply(_expn, x, n=1)


def expn(n: SupportsIndex, x: TensorLike) -> Tensor:
    """The exponential integral of order ``n``, of exp(-x t) / t**n over t from 1 to inf, elementwise: NaN below 0.

    Method: the power series to 1, beyond a continued fraction (Abramowitz & Stegun 5.1.12 and 5.1.22); the relative
    error is below 1e-14. Raises ArgumentError unless ``n`` is from 0 to 60.

    >>> import gradflow as gf
    >>> gf.special.expn(2, gf.tensor([0.0, 1.0]))
    tensor([1.        , 0.14849551])
    """
    return apply(_expn, x, n=order("expn", n))


@cache
def _orders(n: int) -> tuple[Branch, ...]:
    if n == 0:
        return (("", "where(x < 0, nan, exp(-x) / abs(x))"),)
    terms = [-((-1) ** k) / ((k - n + 1) * math.factorial(k)) if k != n - 1 else 0.0 for k in range(max(20, n + 1))]
    factor = (-1) ** (n - 1) / math.factorial(n - 1)
    terms[n - 1] = factor * (sum(1 / k for k in range(1, n)) - EULER)
    near = f"{horner_text('x', tuple(reversed(terms)))} - log(x) * {factor}" + f" * x ** {n - 1}" * (n > 1)
    at_zero = 1 / (n - 1) if n > 1 else "inf"
    fractions = ("x <= 2", _fraction(n, 120)), ("x <= 6", _fraction(n, 64)), ("", _fraction(n, 24))
    return ("x <= 1", f"where(x == 0, {at_zero}, {near})"), *fractions


def _fraction(n: int, depth: int) -> str:
    lines = [f"t{depth} = x + {n + 2 * depth}"]
    lines += [f"t{k} = x + {n + 2 * k} - {(k + 1) * (n + k)} / t{k + 1}" for k in reversed(range(depth))]
    return "\n".join([*lines, "where(isinf(x), 0, exp(-x) / t0)"])


def _series(reach: int, terms: int) -> str:
    """The logarithm and the power series for positive ``x``, in parts of the largest, of which no power underflows."""
    parts = tuple(reach**k / (k * math.factorial(k)) for k in reversed(range(1, terms)))
    return f"part = x / {reach}\nlog(x) + {EULER} + part * ({horner_text('part', parts)})"


# In two factors, the first of which overflows no sooner than the result
_RISE = "v = minimum(x, 1500)\nhalf = exp(v / 2)\nu = 1 / v\n"
_ASYMPTOTIC = tuple(float(math.factorial(k)) for k in reversed(range(26)))
_ABOVE = (*unary(0.5, 3.0), sample(Given([0.3, 0.9, 3.5, 6.5])))


def _negative() -> tuple[Branch, ...]:
    """The branches of -E1(-x), for negative ``x``; the nearest to 0 first."""
    found = []
    for where, text in _orders(1):
        *lines, last = re.sub(r"\bx\b", "(-x)", text).split("\n")
        condition = re.sub(r"\bx\b", "-x", where)
        found.append((f"(x <= 0) & ({condition or '-x > 6'})", "\n".join([*lines, f"-({last})"])))
    return tuple(found)


_expi = of_branches(
    "expi",
    (
        *_negative(),
        ("x <= 6", _series(6, 36)),
        ("x <= 40", _series(40, 130)),
        ("", f"{_RISE}half * u * ({horner_text('u', _ASYMPTOTIC)}) * half"),
    ),
    lambda g, x: g * exp(x) / x,
    (*_ABOVE, sample(Given([-6.5, -3.5, -1.5, -0.5, 2.0, 8.0]))),
)
_expn: Op = of_orders(
    "expn",
    _orders,
    lambda g, x, out, n: -g * (apply(_expn, x, n=n - 1) if n else out * (1 + 1 / x)),
    [each._replace(attrs={"n": n}) for n in (0, 1, 2, 3) for each in _ABOVE],
)
