"""Test functions of optimization: Moré, Garbow & Hillstrom, "Testing unconstrained optimization software" (1981), and
others that are often used; as functions of NumPy arrays and of tensors, since they are made of arithmetic alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import gradflow as gf


class Problem(NamedTuple):
    """Residuals, where to begin, and the least sum of their squares."""

    residuals: Callable[[Any], Any]
    start: tuple[float, ...]
    least: float


BARD = np.array([0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39])
U = np.arange(1.0, 16.0)
KOWALIK = np.array([0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246])
KOWALIK_U = np.array([4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])
BEALE = np.array([1.5, 2.25, 2.625])
DENNIS = np.arange(1.0, 21.0) / 5


def together(*parts: Any) -> Any:
    return gf.stack(list(parts))


def like(data: Any, x: Any) -> Any:
    return gf.asarray(data, dtype=x.dtype, device=x.device)


def rosenbrock(x: Any) -> Any:
    return together(10 * (x[1] - x[0] ** 2), 1 - x[0])


def himmelblau(x: Any) -> Any:
    return together(x[0] ** 2 + x[1] - 11, x[0] + x[1] ** 2 - 7)


def beale(x: Any) -> Any:
    return together(*(float(y) - x[0] * (1 - x[1] ** i) for i, y in enumerate(BEALE, 1)))


def booth(x: Any) -> Any:
    return together(x[0] + 2 * x[1] - 7, 2 * x[0] + x[1] - 5)


def powell(x: Any) -> Any:
    return together(x[0] + 10 * x[1], 5**0.5 * (x[2] - x[3]), (x[1] - 2 * x[2]) ** 2, 10**0.5 * (x[0] - x[3]) ** 2)


def wood(x: Any) -> Any:
    return together(
        10 * (x[1] - x[0] ** 2),
        1 - x[0],
        90**0.5 * (x[3] - x[2] ** 2),
        1 - x[2],
        10**0.5 * (x[1] + x[3] - 2),
        (x[1] - x[3]) / 10**0.5,
    )


def helical(x: Any) -> Any:
    turns = gf.arctan2(x[1], x[0]) / (2 * np.pi)
    return together(10 * (x[2] - 10 * turns), 10 * (gf.hypot(x[0], x[1]) - 1), x[2])


def brown_dennis(x: Any) -> Any:
    t = like(DENNIS, x)
    return (x[0] + t * x[1] - gf.exp(t)) ** 2 + (x[2] + x[3] * gf.sin(t) - gf.cos(t)) ** 2


def bard(x: Any) -> Any:
    v, w = 16 - U, np.minimum(U, 16 - U)
    return like(BARD, x) - (x[0] + like(U, x) / (like(v, x) * x[1] + like(w, x) * x[2]))


def kowalik_osborne(x: Any) -> Any:
    u = like(KOWALIK_U, x)
    return like(KOWALIK, x) - x[0] * (u * u + u * x[1]) / (u * u + u * x[2] + x[3])


PROBLEMS = {
    "rosenbrock": Problem(rosenbrock, (-1.2, 1.0), 0.0),
    "himmelblau": Problem(himmelblau, (0.0, 0.0), 0.0),
    "beale": Problem(beale, (1.0, 1.0), 0.0),
    "booth": Problem(booth, (0.0, 0.0), 0.0),
    "powell": Problem(powell, (3.0, -1.0, 0.0, 1.0), 0.0),
    "wood": Problem(wood, (-3.0, -1.0, -3.0, -1.0), 0.0),
    "helical": Problem(helical, (-1.0, 0.0, 0.0), 0.0),
    "brown_dennis": Problem(brown_dennis, (25.0, 5.0, -5.0, -1.0), 85822.2016),
    "bard": Problem(bard, (1.0, 1.0, 1.0), 8.21487e-3),
    "kowalik_osborne": Problem(kowalik_osborne, (0.25, 0.39, 0.415, 0.39), 3.07505e-4),
}


def value_of(name: str) -> Callable[[Any], Any]:
    """The sum of squares of a problem."""
    residuals = PROBLEMS[name].residuals
    return lambda x: (residuals(x) ** 2).sum()
