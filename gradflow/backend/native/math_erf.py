"""The formula of the error function in float32: two polynomials, one of them for the logarithm of 1 - erf(x).

The coefficients are minimax: errors 1.4e-9 and 1.1e-9 of erf(x), found by Lawson's iteration.
"""

from __future__ import annotations

from gradflow.backend.native.math_exponential import power_of_two, reduced
from gradflow.backend.native.math_format import SINGLE, polynomial

# erf(x) / x - 1 in x**2, for x below 1
_NEAR = (
    0.12837916612625122, -0.3761262595653534, 0.11283578723669052, -0.026853347197175026, 0.005187162198126316,
    -0.0007997853099368513, 7.806903886375949e-05,
)  # fmt: skip
# log(1 - erf(x)) in x, from 1 to 3.95, where erf(x) rounds to 1
_FAR = (
    -0.0003415081591811031, -1.127089262008667, -0.6381446719169617, -0.10310695320367813, 0.021838199347257614,
    -0.0029477053321897984, 0.00018638564506545663,
)  # fmt: skip

ERF = f"""
a = abs(x)
c = where(a > 3.95, 3.95, a)
y = {polynomial("c", _FAR)}
{reduced("y", SINGLE)}
p = {power_of_two("k", SINGLE)}
z = x * x
where(a < 1, fma(x, {polynomial("z", _NEAR)}, x), copysign(1 - fma(p, e, p), x))
"""
