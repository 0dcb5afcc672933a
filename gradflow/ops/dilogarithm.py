"""The dilogarithm as Spence's function, elementwise."""

from __future__ import annotations

import math

from gradflow.dispatch import apply
from gradflow.ops.branches import of_branches
from gradflow.ops.near_zero import log1p_over
from gradflow.ops.polynomial import horner_text
from gradflow.samples import Given, sample, unary
from gradflow.tensor import Tensor, TensorLike

# Bernoulli's numbers B2, B4, ..., each divided by the factorial of one more than its index
SQUARE = math.pi**2 / 6
SERIES = (1 / 36, -1 / 3600, 1 / 211680, -1 / 10886400, 1 / 526901760, -691 / 16999766784000, 7 / 7846046208000)


def spence(x: TensorLike) -> Tensor:
    """Spence's function, the integral of log(t) / (1 - t) from 1 to ``x``, elementwise: NaN below 0.

    It is the dilogarithm of ``1 - x``; the relative error is below 1e-14. Method: the series with Bernoulli's numbers
    in log(x) from 1/2 to 2, elsewhere Euler's reflections (Zagier, "The dilogarithm function", 2007).

    >>> import gradflow as gf
    >>> gf.special.spence(gf.tensor([0.0, 2.0]))
    tensor([ 1.644934, -0.822467])
    """
    return apply(_spence, x)


def _dilogarithm(u: str) -> str:
    """Lines that assign the dilogarithm of 1 - exp(-u) to ``part``."""
    return f"u = {u}\nz = u * u\npart = u * (1 - u / 4 + z * ({horner_text('z', tuple(reversed(SERIES)))}))"


_spence = of_branches(
    "spence",
    (
        ("abs(x - 1.25) <= 0.75", f"{_dilogarithm('-log(x)')}\npart"),
        (
            "x < 0.5",
            f"{_dilogarithm('-log1p(-x)')}\n{SQUARE} - where(x == 0, 0, log(x) * log1p(-x)) - part",
        ),
        (
            "",
            f"""l = log(x)
r = log1p(-1 / x)
{_dilogarithm("-r")}
part - l * l / 2 - {SQUARE} - l * r""",
        ),
    ),
    lambda g, x: -g * log1p_over(x - 1),
    (*unary(0.3, 3.0), sample(Given([0.1, 0.9, 1.0, 1.5, 6.0]))),
)
