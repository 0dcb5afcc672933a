"""The two formats of floats that functions are computed in: how their bits lie, and the constants that fit them."""

from __future__ import annotations

from math import factorial
from typing import NamedTuple

LOG2_E = 1.4426950408889634


class Format(NamedTuple):
    """A float has ``fraction`` bits, above them the exponent plus ``bias``.

    ``ln2`` is the logarithm of 2 in two floats, the first so short that its product with an exponent is exact; ``tiny``
    the smallest normal number, ``root`` the bits of sqrt(1/2). exp is 0 below ``lowest``, infinite above ``highest``;
    ``exponential`` has the polynomial of (exp(r) - 1 - r) / r**2 for abs(r) <= ln(2) / 2, and ``logarithmic`` the
    number of terms of the series of log(1 + f). ``half_pi`` is pi / 2 in three floats, ``trigonometric`` the number of
    terms of the series of a sine; angles up to ``quarters`` are reduced without error.
    """

    fraction: int
    bias: int
    ln2: tuple[float, float]
    tiny: float
    root: int
    lowest: float
    highest: float
    exponential: tuple[float, ...]
    logarithmic: int
    half_pi: tuple[float, float, float]
    trigonometric: int
    quarters: float


SINGLE = Format(
    fraction=23,
    bias=127,
    ln2=(0.693359375, -0.00021219444005469057),
    tiny=2.0**-126,
    root=0x3F3504F3,
    lowest=-104.0,
    highest=89.0,
    # minimax: error 3.1e-9 of exp(r), found by Lawson's iteration and rounded to float32 one by one
    exponential=(0.4999999403953552, 0.1666652113199234, 0.04166827350854874, 0.008368685841560364, 0.00138201355),
    logarithmic=4,
    half_pi=(1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15),
    trigonometric=5,
    quarters=1e5,
)
DOUBLE = Format(
    fraction=52,
    bias=1023,
    ln2=(0.6931471803691238, 1.9082149292705877e-10),
    tiny=2.0**-1022,
    root=0x3FE6A09E667F3BCD,
    lowest=-746.0,
    highest=710.0,
    exponential=tuple(1 / factorial(k) for k in range(2, 14)),  # Taylor's: the rest is below 5e-18
    logarithmic=11,
    half_pi=(1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33),
    trigonometric=9,
    quarters=1e9,
)


def polynomial(x: str, coefficients: tuple[float, ...]) -> str:
    """The formula of the polynomial in ``x`` with these coefficients, the lowest first, by Estrin's rule: pairs of
    terms at the same time, where Horner's would wait for each multiplication.

    >>> polynomial("x", (1.0, 2.0, 3.0))
    'fma(3.0, (x * x), fma(2.0, x, 1.0))'
    """
    terms = [repr(each) for each in coefficients]
    while len(terms) > 1:
        pairs = zip(terms[::2], terms[1::2], strict=False)
        terms = [f"fma({high}, {x}, {low})" for low, high in pairs] + terms[len(terms) // 2 * 2 :]
        x = f"({x} * {x})"
    return terms[0]
