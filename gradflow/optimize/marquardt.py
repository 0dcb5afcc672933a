"""Least squares by the method of Levenberg and Marquardt: steps within a region of trust, without bounds."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from gradflow.optimize.region import Model
from gradflow.optimize.residuals import Linear, Point, Residuals, Vector

FIRST = 100.0  # the radius of the first region of trust, in lengths of x0


class Ends(NamedTuple):
    """When a fit ends: tolerances, not less than the dtype's eps, and evaluations; and what is told of iterations."""

    ftol: float
    xtol: float
    gtol: float
    limit: int
    eps: float
    notice: Any  # of a Point and the number of the iteration; whether to stop


class Found(NamedTuple):
    """Where a fit ended, after how many iterations, and SciPy's number for why."""

    at: Point
    linear: Linear
    done: int
    status: int


class Scale:
    """How steps are measured: by ``given`` weights, or by the largest norms that columns of the Jacobian have had."""

    def __init__(self, given: Vector | None) -> None:
        self.given = given
        self.now: Vector | None = None

    def of(self, linear: Linear) -> Vector:
        """What multiplies a step."""
        if self.given is not None:
            return self.given
        norms = np.linalg.norm(linear.triangle, axis=0)
        self.now = np.where(norms == 0, 1.0, norms) if self.now is None else np.maximum(self.now, norms)
        return self.now


class _State(NamedTuple):
    at: Point
    size: float  # of the residuals
    radius: float
    damping: float


def fit(problem: Residuals, start: Point, scale: Scale, ends: Ends) -> Found:
    """Go from ``start`` until the ``ends``.

    Method: Moré, "The Levenberg-Marquardt algorithm: implementation and theory" (1978), as in MINPACK.
    """
    linear, done = problem.linear(start), 0
    length = float(np.linalg.norm(scale.of(linear) * start.x))
    state = _State(start, math.sqrt(2 * start.cost), FIRST * (length or 1.0), 0.0)
    while True:
        if _cosine(state, linear) <= ends.gtol:
            return Found(state.at, linear, done, 1)
        steps = scale.of(linear)
        model = Model(linear.triangle / steps, linear.parts, ends.eps * max(linear.jacobian.shape))
        accepted = False
        while not accepted:
            if problem.nfev >= ends.limit:
                return Found(state.at, linear, done, 0)
            state, accepted, status = _tried(problem, model, steps, state, done == 0, ends)
            if accepted:
                done += 1
                linear = problem.linear(state.at)
                status = -2 if not status and ends.notice(state.at, done) else status
            if status:
                return Found(state.at, linear, done, status)


def _tried(
    problem: Residuals, model: Model, steps: Vector, now: _State, first: bool, ends: Ends
) -> tuple[_State, bool, int]:
    """A step within the region of trust, taken if the sum decreases, with a new radius; a status if that is the end."""
    damping = model.damping(now.radius, now.damping)
    step = model.step(damping)
    length = float(np.linalg.norm(step))
    radius = min(now.radius, length) if first else now.radius
    there = problem.at(now.at.x + (step / steps).astype(now.at.x.dtype))
    size = math.sqrt(2 * there.cost)
    actual = 1 - (size / now.size) ** 2 if 0.1 * size < now.size else -1.0
    linear, damped = float(np.linalg.norm(model.matrix @ step) / now.size) ** 2, damping * (length / now.size) ** 2
    promised, slope = linear + 2 * damped, -(linear + damped)
    ratio = actual / promised if promised else 0.0
    if ratio <= 0.25:
        share = 0.5 if actual >= 0 else 0.5 * slope / (slope + 0.5 * actual)
        share = 0.1 if 0.1 * size >= now.size or share < 0.1 else share
        radius, damping = share * min(radius, 10 * length), damping / share
    elif damping == 0 or ratio >= 0.75:
        radius, damping = 2 * length, damping / 2
    accepted = ratio >= 1e-4
    moved = _State(there if accepted else now.at, size if accepted else now.size, radius, damping)
    by_value = abs(actual) <= ends.ftol and promised <= ends.ftol and ratio <= 2
    by_step = radius <= ends.xtol * float(np.linalg.norm(steps * moved.at.x))
    status = 4 if by_value and by_step else 2 if by_value else 3 if by_step else 0
    return moved, accepted, status


def _cosine(now: _State, linear: Linear) -> float:
    """The largest cosine of the angles between the residuals and the columns of the Jacobian."""
    norms = np.linalg.norm(linear.triangle, axis=0)
    cosines = linear.gradient / np.where(norms == 0, 1.0, norms)
    return float(abs(cosines).max()) / now.size if now.size else 0.0
