"""L-BFGS with bounds: directions for the variables that are free, projected onto the box."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops.arithmetic import maximum, minimum
from gradflow.ops.create import asarray
from gradflow.optimize.descent import Notice, State, Stop, ended
from gradflow.optimize.models import Limited
from gradflow.optimize.objective import Objective, inner, largest
from gradflow.optimize.result import OptimizeResult
from gradflow.tensor import Tensor

SUFFICIENT = 1e-4  # of the decrease that the gradient promises
SHORTER = 0.5  # of a step that did not decrease enough, at most


class Box:
    """The points between ``bounds``: (low, high) for each variable, None where there is none, or SciPy's Bounds.

    Raises ShapeError for another number of them, ArgumentError if one is empty.
    """

    def __init__(self, bounds: Any, like: Tensor) -> None:
        if hasattr(bounds, "lb"):
            low, high = (np.broadcast_to(np.asarray(x, np.float64), like.shape) for x in (bounds.lb, bounds.ub))
        else:
            pairs = [tuple(each) for each in bounds]
            if len(pairs) != like.size or any(len(each) != 2 for each in pairs):
                raise ShapeError(f"minimize: bounds are {len(pairs)}, each (low, high); x0 has {like.size} variables")
            low, high = (
                np.array([missing if each[i] is None else float(each[i]) for each in pairs])
                for i, missing in enumerate((-np.inf, np.inf))
            )
        for i in np.flatnonzero(~(low <= high)):
            raise ArgumentError(f"minimize: nothing is between the bounds of variable {i}, ({low[i]}, {high[i]})")
        self.low, self.high = (asarray(x, dtype=like.dtype, device=like.device) for x in (low, high))

    def nearest(self, x: Tensor) -> Tensor:
        """The point of the box that is nearest to ``x``."""
        return minimum(maximum(x, self.low), self.high)

    def free(self, x: Tensor, gradient: Tensor) -> Tensor:
        """1 for variables that can move down from ``x``, 0 for those whose bound is in the way."""
        held = ((x <= self.low) & (gradient > 0)) | ((x >= self.high) & (gradient < 0))
        return (~held).astype(x.dtype)


def descend(objective: Objective, box: Box, size: int, stop: Stop, notice: Notice, tries: int) -> OptimizeResult:
    """Go down from x0, or the point of the box that is nearest to it, until ``stop``."""
    objective.flat.vector = box.nearest(objective.flat.vector)
    at = State(*objective.begun())
    model = Limited(size)
    done = 0
    while True:
        if largest(box.nearest(at.x - at.gradient) - at.x) <= stop.gtol:
            return ended(objective, at, done, "gradient")
        if done >= stop.maxiter or objective.nfev >= stop.maxfun:
            return ended(objective, at, done, "iterations" if done >= stop.maxiter else "evaluations")
        found = _step(objective, box, model, at, tries)
        if found is None:
            return ended(objective, at, done, "precision")
        model.learn(found.x - at.x, found.gradient - at.gradient, found.gradient)
        fall, size_of = at.value - found.value, max(abs(at.value), abs(found.value), 1.0)
        at = found
        done += 1
        if notice(at.x, at.value):
            return ended(objective, at, done, "stopped")
        if fall <= stop.ftol * size_of:
            return ended(objective, at, done, "value")


def _step(objective: Objective, box: Box, model: Limited, at: State, tries: int) -> State | None:
    """The first point on the projected path that is lower by enough (Bertsekas 1982), its steps shorter and shorter."""
    free = box.free(at.x, at.gradient)
    direction = model.direction(at.gradient, free) * free
    slope = inner(direction, at.gradient)
    if not slope < 0:
        model.forget()
        direction = -(at.gradient * free)
        slope = inner(direction, at.gradient)
    step = min(1.0, 1.0 / float(abs(direction).sum().item())) if model.empty else 1.0
    for _ in range(tries):
        x = box.nearest(at.x + direction * step)
        value, gradient = objective.both(x)
        promised = inner(at.gradient, x - at.x)
        if np.isfinite(value) and promised < 0 and value <= at.value + SUFFICIENT * promised:
            return State(x, value, gradient)
        step *= _share(value - at.value, slope * step)
    if model.empty:
        return None
    model.forget()
    return _step(objective, box, model, at, tries)


def _share(rise: float, promised: float) -> float:
    """Where the parabola through what was found has its minimum, as a share of the step."""
    bend = rise - promised
    return min(max(-promised / (2 * bend), 0.1), SHORTER) if np.isfinite(bend) and bend > 0 else 0.1
