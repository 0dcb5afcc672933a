"""The real branches of Lambert's function, elementwise."""

from __future__ import annotations

import math
from functools import cache

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError
from gradflow.ops.branches import Branch, of_orders
from gradflow.ops.elementwise import exp
from gradflow.ops.polynomial import Polynomial, horner_text
from gradflow.samples import Given, sample, unary
from gradflow.tensor import Tensor, TensorLike

LEAST = 0.36787944117144233, -1.2428753672788363e-17  # 1 / e, and what rounding it left
STEPS = 3


def lambertw(x: TensorLike, k: int = 0) -> Tensor:
    """The solution w of ``w * exp(w) == x``, elementwise: NaN below -1/e.

    Where there are two, below 0, ``k`` 0 is the one above -1, and -1 the one below, which is NaN for positive ``x``.
    The result is real, where SciPy's is complex. The relative error is below 1e-14. Method: the series at the branch
    point, elsewhere Fritsch's iteration of fourth order (Communications of the ACM 16, 1973). Raises ArgumentError for
    other branches.

    >>> import gradflow as gf
    >>> gf.special.lambertw(gf.tensor([0.0, 1.0]))
    tensor([0.       , 0.5671433])
    """
    if k not in (0, -1):
        raise ArgumentError(f"lambertw: k is {k!r}; the branches that are real are 0 and -1")
    return apply(_lambertw, x, n=int(k))


def _branch_point() -> Polynomial:
    """The coefficients in powers of sqrt(2 (e x + 1)) (Corless et al., "On the Lambert W function", 1996, 4.23)."""
    w, a = [-1.0, 1.0], [2.0, -1.0]
    for k in range(2, 24):
        a.append(sum(w[j] * w[k + 1 - j] for j in range(2, k)))
        w.append((k - 1) / (k + 1) * (w[k - 2] / 2 + a[k - 2] / 4) - a[k] / 2 - w[k - 1] / (k + 1))
    return tuple(reversed(w))


@cache
def _branches(k: int) -> tuple[Branch, ...]:
    high, low = LEAST
    p = f"p = {'-' if k else ''}sqrt({2 * math.e} * ((x + {high}) + where(x == -{high}, 0, {low})))"
    cubic = f"{p}\nw0 = -1 + p * (1 - p * (1 / 3 - p * 11 / 72))"
    if k:  # by Corless et al. 4.19
        first, end, at = "l = log(-x)\nm = log(-l)\nw0 = l - m + m / l", "x == 0", "-inf"
    else:  # Winitzki's
        first, end, at = "l = log1p(x)\nw0 = l * (1 - log1p(l) / (2 + l))", "(x == 0) | (x == inf)", "x"
    return (
        ("x < -0.353", f"{p}\n{horner_text('p', _branch_point())}"),
        ("x < -0.25", f"{cubic}\n{_steps()}\nw{STEPS}"),
        ("", f"{first}\n{_steps()}\nwhere({end}, {at}, w{STEPS})"),
    )


def _steps() -> str:
    return "\n".join(
        f"""z{i} = log(x / w{i}) - w{i}
r{i} = 1 + w{i}
q{i} = 2 * r{i} * (r{i} + z{i} / 1.5)
w{i + 1} = w{i} * (1 + z{i} / r{i} * (q{i} - z{i}) / (q{i} - 2 * z{i}))"""
        for i in range(STEPS)
    )


_lambertw = of_orders(
    "lambertw",
    _branches,
    lambda g, out: g * exp(-out) / (1 + out),
    (
        *(each._replace(attrs={"n": 0}) for each in (*unary(0.2, 3.0), sample(Given([-0.357, -0.3, -0.2, 0.0, 9.0])))),
        *(each._replace(attrs={"n": -1}) for each in (*unary(-0.3, -0.1), sample(Given([-0.357, -0.33, -0.26])))),
    ),
)
