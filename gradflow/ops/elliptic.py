"""Complete elliptic integrals, elementwise, and their derivatives of every order."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

from gradflow.dispatch import apply
from gradflow.op import Op
from gradflow.ops.branches import Branch, of_orders
from gradflow.ops.polynomial import horner_text
from gradflow.samples import Given, sample, unary
from gradflow.tensor import Tensor, TensorLike

STEPS = 13  # of the arithmetic-geometric mean, which doubles its digits in each but the first few, where 1 - m is tiny
TERMS = 34  # of the power series, for abs(m) < 1 / 4


def ellipk(m: TensorLike) -> Tensor:
    """The complete elliptic integral of the first kind, elementwise: inf at 1, NaN above.

    It is the integral of (1 - m sin(t)**2)**(-1/2) over t from 0 to pi / 2; the relative error is below 1e-14. Method:
    the arithmetic-geometric mean (Abramowitz & Stegun 17.6); derivatives by the differential equation.

    >>> import gradflow as gf
    >>> gf.special.ellipk(gf.tensor([0.0, 0.5]))
    tensor([1.5707964, 1.8540747])
    """
    return apply(_ellipk, m, n=0)


def ellipkm1(p: TensorLike) -> Tensor:
    """``ellipk(1 - p)``, elementwise, exact also where ``p`` is tiny: inf at 0, NaN below.

    >>> import gradflow as gf
    >>> gf.special.ellipkm1(gf.tensor([1.0, 1e-30]))
    tensor([ 1.5707964, 35.92507  ])
    """
    return apply(_ellipkm1, p, n=0)


def ellipe(m: TensorLike) -> Tensor:
    """The complete elliptic integral of the second kind, elementwise: 1 at 1, NaN above.

    It is the integral of (1 - m sin(t)**2)**(1/2) over t from 0 to pi / 2; the relative error is below 1e-14. Method:
    that of ``ellipk``.

    >>> import gradflow as gf
    >>> gf.special.ellipe(gf.tensor([0.0, 1.0]))
    tensor([1.5707964, 1.       ])
    """
    return apply(_ellipe, m, n=0)


class Kind(NamedTuple):
    """pi / 2 times the hypergeometric function 2F1(a, 1/2; 1; m): by formulas, and its derivative."""

    a: float
    value: str
    slope: str
    at_one: float


# With k the first integral and d * m the part of it by which the second is less.
FIRST = Kind(0.5, "k", "k * (1 - d) / (2 * p)", math.inf)
SECOND = Kind(-0.5, "where(m == -inf, inf, k * (1 - m * d))", "k * d * -0.5", 1.0)


def _mean(m: str, p: str) -> str:
    """Lines that assign ``k`` and ``d``, after the parameter and its complement."""
    lines = [f"m = {m}", f"p = {p}", "b0 = sqrt(p)", "a1 = (1 + b0) / 2", "b1 = sqrt(b0)", "q1 = m / (16 * a1 * a1)"]
    terms = ["0.5", "q1"]
    for i in range(1, STEPS):
        lines += [
            f"a{i + 1} = (a{i} + b{i}) / 2",
            f"b{i + 1} = sqrt(a{i} * b{i})",
            f"q{i + 1} = q{i} * (q{i} * m / (16 * a{i + 1} * a{i + 1}))",
        ]
        terms.append(f"{2**i} * q{i + 1}")
    return "\n".join([*lines, f"k = {math.pi / 2} / a{STEPS}", f"d = {' + '.join(terms)}"])


@cache
def _branches(kind: Kind, n: int, m: str, p: str) -> tuple[Branch, ...]:
    """Of the derivative of order ``n`` in m."""
    lines = _mean(m, p)
    if n == 0:
        return (("", f"{lines}\nwhere(p == 0, {kind.at_one}, {kind.value})"),)
    lines = f"{lines}\ny0 = {kind.value}\ny1 = {kind.slope}"
    if n == 1:
        return (("", f"{lines}\nwhere(p == 0, {'inf' if kind is FIRST else '-inf'}, y1)"),)
    for i in range(n - 1):  # m (1 - m) y'' = a / 2 y - (1 - (a + 3 / 2) m) y', differentiated i times
        slope = f"({i + 1} - {kind.a + 1.5 + 2 * i} * m) * y{i + 1}"
        lines += f"\ny{i + 2} = ({(kind.a + i) * (0.5 + i)} * y{i} - {slope}) / (m * p)"
    return (f"abs({m}) < 0.25", f"m = {m}\n{_series(kind, n)}"), ("", f"{lines}\ny{n}")


def _series(kind: Kind, n: int) -> str:
    terms, term = [], math.pi / 2
    for k in range(TERMS + n):
        if k >= n:
            terms.append(term * math.perm(k, n))
        term *= (kind.a + k) * (0.5 + k) / (k + 1) ** 2
    return horner_text("m", tuple(reversed(terms)))


def _integral(name: str, kind: Kind, m: str, p: str, low: float, high: float) -> Op:
    def branches(n: int) -> tuple[Branch, ...]:
        sign = 1 if m == "x" else (-1) ** n
        found = _branches(kind, n, m, p)
        return found if sign == 1 else tuple((where, _negated(text)) for where, text in found)

    points = (*unary(low, high), sample(Given([low, 0.3, 0.5, high])))
    samples = [each._replace(attrs={"n": n}) for n in (0, 1) for each in points]
    made: Op = of_orders(name, branches, lambda g, x, n: g * apply(made, x, n=n + 1), samples)
    return made


def _negated(text: str) -> str:
    *lines, last = text.split("\n")
    return "\n".join([*lines, f"-({last})"])


_ellipk = _integral("ellipk", FIRST, "x", "(1 - x)", -2.0, 0.8)
_ellipe = _integral("ellipe", SECOND, "x", "(1 - x)", -2.0, 0.8)
_ellipkm1 = _integral("ellipkm1", FIRST, "(1 - x)", "x", 0.2, 2.0)
