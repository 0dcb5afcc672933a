"""Formulas of exp and what is made of it: x = n ln(2) + r, exp(x) = 2**n exp(r), and a polynomial for exp(r) - 1.

The reduction is Cody and Waite's (Software Manual for the Elementary Functions, 1980), with fused multiplications.
"""

from __future__ import annotations

from gradflow.backend.native.math_format import LOG2_E, Format, polynomial


def formulas(format: Format) -> dict[str, str]:
    """The formulas of functions of ``x`` by name."""
    return {
        "exp": _exp(format),
        "expm1": _expm1(format),
        "tanh": _tanh(format),
        "sigmoid": _sigmoid(format),
    }


def reduced(y: str, format: Format) -> str:
    """Lines for the whole number ``n``, as an integer ``k``; for ``r`` = y - n ln(2), which w - n low is without
    rounding; and for ``e`` = exp(r) - 1 = r + z P.
    """
    high, low = format.ln2
    return f"""
n = rint({y} * {LOG2_E})
k = whole(n)
w = fma(n, {-high}, {y})
r = fma(n, {-low}, w)
z = r * r
P = {polynomial("r", format.exponential)}
e = fma(z, P, r)
"""


def power_of_two(n: str, format: Format, times: int = 0) -> str:
    """2**(n + times) for an integer ``n``; it must be a normal number."""
    return f"float_of(wide({n} + {format.bias + times}) << {format.fraction})"


def _exp(format: Format) -> str:
    """In two steps, because 2**n need be no normal number where exp(x) is one, or where it is subnormal."""
    return f"""
c = where(x > {format.highest}, {format.highest}, where(x < {format.lowest}, {format.lowest}, x))
{reduced("c", format)}
h = k >> 1
(1 + e) * {power_of_two("h", format)} * {power_of_two("(k - h)", format)}
"""


def _expm1(format: Format) -> str:
    """Half of it doubled, because 2**n may be too large; below ``least`` it is -1, and what is tiny is itself."""
    least = -0.7 * (format.fraction + 3)
    return f"""
c = where(x > {format.highest}, {format.highest}, where(x < {least}, {least}, x))
{reduced("c", format)}
s = {power_of_two("k", format, -1)}
where(abs(x) < {2.0 ** -(format.fraction + 3)}, x, 2 * fma(s, e, s - 0.5))
"""


def _sigmoid(format: Format) -> str:
    """q = E / (1 + E) for E = exp(-abs(x)), corrected by what rounding took from E, or 1 less that."""
    return f"""
a = abs(x)
c = -where(a > {-format.lowest}, {-format.lowest}, a)
{reduced("c", format)}
h = k >> 1
u = {power_of_two("h", format)}
v = {power_of_two("(k - h)", format)}
p = 1 + e
E = p * u * v
q = E / (1 + E)
off = (1 - p + r) + fma(z, P, fma(n, {-format.ln2[1]}, w - r))
t = fma(off * u * v, (1 - q) * (1 - q), q)
where(x >= 0, 1 - t, t)
"""


def _tanh(format: Format) -> str:
    """q = t / (t + 2) for t = expm1(2 abs(x)); 1 from where it rounds to that.

    Where it is small it is corrected by what t - q (t + 2) is off 0, over t + 2, which is 2 / (1 - q).
    """
    most = 0.36 * (format.fraction + 3)
    return f"""
a = abs(x)
y = 2 * where(a > {most}, {most}, a)
{reduced("y", format)}
s = {power_of_two("k", format)}
t = fma(s, e, s - 1)
d = t + 2
q = t / d
off = fma(-q, t - (d - 2), fma(-q, d, t))
copysign(where(t < 2, fma(off, 0.5 - 0.5 * q, q), q), x)
"""
