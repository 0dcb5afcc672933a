"""Formulas of log and log1p: x = 2**n (1 + f) with 1 + f around 1, and the series of log(1 + f) in s = f / (2 + f).

log(1 + f) = 2 artanh(s) = f - (f**2 / 2 - s (f**2 / 2 + R)) with R = 2 s**2 / 3 + 2 s**4 / 5 + ..., in which what is
large is exact: the arrangement is that of FDLIBM's e_log.c (Sun Microsystems, 1993).
"""

from __future__ import annotations

from gradflow.backend.native.math_format import Format, polynomial


def formulas(format: Format) -> dict[str, str]:
    """The formulas of functions of ``x`` by name."""
    return {"log": _log(format), "log1p": _log1p(format)}


def _series(format: Format) -> str:
    """Lines for ``y`` = n ln(2) + log(1 + f)."""
    high, low = format.ln2
    return f"""
s = f / (2 + f)
z = s * s
h = 0.5 * f * f
R = z * {polynomial("z", tuple(2 / (2 * k + 1) for k in range(1, format.logarithmic + 1)))}
y = fma(n, {high}, f - (h - fma(s, h + R, n * {low})))
"""


def _log(format: Format) -> str:
    return f"""
subnormal = x < {format.tiny}
u = bits(where(subnormal, x * {2.0**format.fraction}, x))
k = (u - {format.root}) >> {format.fraction}
f = float_of(u - (k << {format.fraction})) - 1
n = decimal(k) - where(subnormal, {format.fraction}, 0.0)
{_series(format)}
where((x > 0) & (x < inf), y, where(x == 0, -inf, where(x < 0, nan, x)))
"""


def _log1p(format: Format) -> str:
    """f = x / 2**n + (1 / 2**n - 1) with one rounding, where x is not so large that adding 1 changes nothing."""
    bits = format.fraction
    return f"""
u = bits(1 + x)
k = (u - {format.root}) >> {bits}
p = float_of(({format.bias} - k) << {bits})
f = where(x > {2.0 ** (bits + 2)}, float_of(u - (k << {bits})) - 1, fma(p, x, p - 1))
n = decimal(k)
{_series(format)}
where((x > -1) & (x < inf) & (x != 0), y, where(x == -1, -inf, where(x < -1, nan, x)))
"""
