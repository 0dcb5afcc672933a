"""Formulas of sin and cos: abs(x) = k pi/2 + r, and Taylor's series of r, which is at most pi/4.

The reduction is Cody and Waite's with fused multiplications, where k counts so few quarters that it has no error.
"""

from __future__ import annotations

from math import factorial

from gradflow.backend.native.math_format import Format, polynomial

TWO_OVER_PI = 0.6366197723675814


def formulas(format: Format) -> dict[str, str]:
    """The formulas of functions of ``x`` by name, for abs(x) up to ``format.quarters``."""
    return {
        "sin": f"{_both(format)}where(x == 0, x, copysign(1, x) * {_of_quarter('k')})",
        "cos": f"{_both(format)}{_of_quarter('(k + 1)')}",
    }


def _both(format: Format) -> str:
    """Lines for ``k``, and for ``s`` and ``c``, sine and cosine of r."""
    high, middle, low = format.half_pi
    sine = tuple((-1) ** n / factorial(2 * n + 1) for n in range(1, format.trigonometric))
    cosine = tuple((-1) ** n / factorial(2 * n) for n in range(2, format.trigonometric + 1))
    return f"""
a = abs(x)
n = rint(a * {TWO_OVER_PI})
r = fma(n, {-low}, fma(n, {-middle}, fma(n, {-high}, a)))
k = whole(n)
z = r * r
s = fma(r * z, {polynomial("z", sine)}, r)
c = fma(z * z, {polynomial("z", cosine)}, 1 - 0.5 * z)
"""


def _of_quarter(k: str) -> str:
    """The sine of k pi/2 + r."""
    return f"where(({k} & 2) == 0, 1, -1) * where(({k} & 1) == 0, s, c)"
