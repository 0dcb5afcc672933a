"""Distances of numbers from others, elementwise: what they add to a divergence, and Huber's functions."""

from __future__ import annotations

from typing import Any

from gradflow.dispatch import apply
from gradflow.ops.own_formula import op_of
from gradflow.samples import Given, Real, Sample, sample
from gradflow.tensor import Tensor, TensorLike


def rel_entr(x: TensorLike, y: TensorLike) -> Tensor:
    """``x * log(x / y)``, elementwise with broadcasting: 0 where ``x`` is 0, inf where one is negative or ``y`` is 0.

    Its sum over two distributions is the relative entropy, the Kullback-Leibler divergence.

    >>> import gradflow as gf
    >>> gf.special.rel_entr(gf.tensor([0.0, 0.5]), gf.tensor([0.5, 0.25]))
    tensor([0.        , 0.34657359])
    """
    return apply(_rel_entr, x, y)


def kl_div(x: TensorLike, y: TensorLike) -> Tensor:
    """``x * log(x / y) - x + y``, elementwise with broadcasting, never negative; at the ends as ``rel_entr``.

    >>> import gradflow as gf
    >>> gf.special.kl_div(gf.tensor([0.0, 0.5]), gf.tensor([0.5, 0.5]))
    tensor([0.5, 0. ])
    """
    return apply(_kl_div, x, y)


def huber(delta: TensorLike, r: TensorLike) -> Tensor:
    """``r**2 / 2`` where ``abs(r) <= delta``, ``delta * (abs(r) - delta / 2)`` elsewhere; inf for a negative ``delta``.

    Elementwise with broadcasting. Source: Huber, "Robust estimation of a location parameter" (1964).

    >>> import gradflow as gf
    >>> gf.special.huber(1.0, gf.tensor([0.5, 3.0]))
    tensor([0.125, 2.5  ])
    """
    return apply(_huber, delta, r)


def pseudo_huber(delta: TensorLike, r: TensorLike) -> Tensor:
    """``delta**2 * (sqrt(1 + (r / delta)**2) - 1)``, which is smooth; inf for a negative ``delta``.

    Elementwise with broadcasting. Source: Hartley & Zisserman, "Multiple View Geometry" (2003), A6.8.

    >>> import gradflow as gf
    >>> gf.special.pseudo_huber(1.0, gf.tensor([0.0, 1.0]))
    tensor([0.        , 0.41421355])
    """
    return apply(_pseudo_huber, delta, r)


_POSITIVE: tuple[Sample, ...] = (
    *(
        sample(Real(a, 0.3, 3.0), Real(b, 0.3, 3.0))
        for a, b in [((), ()), ((3, 4), (3, 4)), ((3, 1), (4,)), ((0, 2), (2,))]
    ),
    sample(Real((3,), 0.3, 3.0), 0.7),
)


def _bounded(*more: Any) -> tuple[Sample, ...]:
    """Bounds from 1 to 2, and residuals that are well within or beyond."""
    return tuple(
        sample(Real(a, 1.0, 2.0), Real(b, low, high))
        for a, b in [((), ()), ((3, 1), (4,)), ((0, 2), (2,))]
        for low, high in [(-0.9, 0.9), (2.1, 4.0)]
    )


# near 1 the logarithm of the quotient by what the quotient is more than 1; one that over- or underflows in two
RELATIVE = """near = abs(x - y) < y / 2
q = x / y
l = where(near, log1p((x - y) / y), where((q > 0) & (q < inf), log(q), log(x) - log(y)))
"""
ENDS = "where((x > 0) & (y > 0), {}, where((x == 0) & (y >= 0), {}, where(isnan(x) | isnan(y), nan, inf)))"
_rel_entr = op_of("rel_entr", ("x", "y"), (), RELATIVE + ENDS.format("x * l", "0"), _POSITIVE)
_kl_div = op_of("kl_div", ("x", "y"), (), RELATIVE + ENDS.format("x * l - x + y", "y"), _POSITIVE)
_huber = op_of(
    "huber",
    ("delta", "r"),
    (),
    "where(delta < 0, inf, where(abs(r) <= delta, r * r / 2, delta * (abs(r) - delta / 2)))",
    (*_bounded(), sample(1.5, Given([-3.0, 0.5, 2.0]))),
)
_pseudo_huber = op_of(
    "pseudo_huber",
    ("delta", "r"),
    (),
    "where(delta < 0, inf, where(delta == 0, 0, where(isinf(r), abs(r) + delta, r * (r / (1 + hypot(1, r / delta))))))",
    (*_bounded(), sample(1.5, Given([-3.0, 0.0, 2.0]))),
)
