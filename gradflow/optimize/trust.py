"""Newton's method by products of the Hessian with vectors, within a region of trust."""

from __future__ import annotations

import math
from collections.abc import Callable

from gradflow.ops.create import zeros_like
from gradflow.optimize.descent import Notice, State, Stop, ended
from gradflow.optimize.objective import Objective, inner
from gradflow.optimize.result import OptimizeResult
from gradflow.tensor import Tensor

LEAST = 2.0**-60  # of the first radius: a smaller region has no points in it but its centre


def descend(
    objective: Objective, radius: float, largest: float, eta: float, stop: Stop, notice: Notice
) -> OptimizeResult:
    """Go down from x0, by steps of at most ``radius``, later ``largest``, that keep a share ``eta`` of what they
    promise, until the length of the gradient is ``stop.gtol``.

    Method: Steihaug, SIAM J. Numer. Anal. 20 (1983); Nocedal & Wright 2006, algorithms 4.1 and 7.2.
    """
    at = State(*objective.begun())
    done, least = 0, radius * LEAST
    while True:
        size = math.sqrt(inner(at.gradient, at.gradient))
        if size < stop.gtol:
            return ended(objective, at, done, "gradient", nhev=objective.nhev)
        if done >= stop.maxiter or radius < least:
            return ended(objective, at, done, "iterations" if radius >= least else "precision", nhev=objective.nhev)
        product = objective.curvature(at.x)
        step, at_edge = _step(at.gradient, product, radius, min(0.5, math.sqrt(size)) * size)
        promised = -inner(at.gradient, step) - 0.5 * inner(step, product(step))
        there = State(at.x + step, *objective.both(at.x + step))
        ratio = (at.value - there.value) / promised if promised > 0 and math.isfinite(there.value) else 0.0
        if ratio < 0.25:
            radius /= 4
        elif ratio > 0.75 and at_edge:
            radius = min(2 * radius, largest)
        if ratio > eta:
            at = there
        done += 1
        if notice(at.x, at.value):
            return ended(objective, at, done, "stopped", nhev=objective.nhev)


def _step(
    gradient: Tensor, product: Callable[[Tensor], Tensor], radius: float, tolerance: float
) -> tuple[Tensor, bool]:
    """Where the quadratic model is low within ``radius``, by conjugate gradients; whether that is at its edge."""
    step, left = zeros_like(gradient), gradient
    search, size = -left, inner(left, left)
    for _ in range(20 * gradient.size):
        bent = product(search)
        bend = inner(search, bent)
        if bend <= 0:
            return step + search * _to_edge(step, search, radius), True
        share = size / bend
        farther = step + search * share
        if inner(farther, farther) >= radius**2:
            return step + search * _to_edge(step, search, radius), True
        step, left = farther, left + bent * share
        before, size = size, inner(left, left)
        if math.sqrt(size) < tolerance:
            break
        search = search * (size / before) - left
    return step, False


def _to_edge(start: Tensor, direction: Tensor, radius: float) -> float:
    a, b, c = inner(direction, direction), inner(start, direction), inner(start, start) - radius**2
    return (math.sqrt(max(b * b - a * c, 0.0)) - b) / a
