"""Descent by line searches: what BFGS, L-BFGS and conjugate gradients have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from gradflow.dtypes import finfo
from gradflow.optimize.line_search import Trial, search
from gradflow.optimize.models import Model
from gradflow.optimize.objective import Objective, inner, largest
from gradflow.optimize.result import OptimizeResult
from gradflow.tensor import Tensor

MESSAGES = {
    "gradient": "Optimization terminated successfully: the gradient is as small as asked for (gtol).",
    "value": "Optimization terminated successfully: the value decreases by less than asked for (ftol).",
    "step": "Optimization terminated successfully: the steps are as small as asked for (xtol).",
    "iterations": "Maximum number of iterations has been exceeded.",
    "evaluations": "Maximum number of function evaluations has been exceeded.",
    "precision": "Desired error not necessarily achieved due to precision loss.",
    "stopped": "`callback` raised `StopIteration`.",
}
STATUS = {"iterations": 1, "evaluations": 1, "precision": 2, "stopped": 99}  # 0 for the others


class Stop(NamedTuple):
    """When a descent ends."""

    gtol: float
    ftol: float
    maxiter: int
    maxfun: int


Notice = Callable[[Tensor, float], bool]  # of an iteration, given point and value; whether to stop


class State(NamedTuple):
    """A point, with value and gradient."""

    x: Tensor
    value: float
    gradient: Tensor


def descend(objective: Objective, model: Model, stop: Stop, notice: Notice, tries: int = 20) -> OptimizeResult:
    """Go down from x0, in the directions of ``model``, until ``stop``."""
    at = State(*objective.begun())
    before = at.value + float(inner(at.gradient, at.gradient)) ** 0.5 / 2
    done = 0
    while True:
        if largest(at.gradient) <= stop.gtol:
            return ended(objective, at, done, "gradient")
        if done >= stop.maxiter or objective.nfev >= stop.maxfun:
            return ended(objective, at, done, "iterations" if done >= stop.maxiter else "evaluations")
        found = _step(objective, model, at, before, tries)
        if found is None:
            return ended(objective, at, done, "precision")
        model.learn(found.x - at.x, found.gradient - at.gradient, found.gradient)
        before, fall = at.value, at.value - found.value
        at = State(found.x, found.value, found.gradient)
        done += 1
        if notice(at.x, at.value):
            return ended(objective, at, done, "stopped")
        if stop.ftol and fall <= stop.ftol * max(abs(before), abs(at.value), 1.0):
            return ended(objective, at, done, "value")


def _step(objective: Objective, model: Model, at: State, before: float, tries: int) -> Trial | None:
    """A step in the model's direction; in that of steepest descent if that does not go down."""
    direction = model.direction(at.gradient)
    slope = inner(direction, at.gradient)
    if not slope < 0:
        model.forget()
        direction = model.direction(at.gradient)
        slope = inner(direction, at.gradient)
    scaled = model.scaled and not model.empty
    first = 1.0 if scaled or before <= at.value else min(1.0, 2.02 * (at.value - before) / slope)
    found = along(objective, at, direction, slope, first, model.curvature, tries)
    if found is None and not model.empty:
        model.forget()
        return _step(objective, model, at, before, tries)
    return found


def along(
    objective: Objective, at: State, direction: Tensor, slope: float, step: float, curvature: float, tries: int
) -> Trial | None:
    """The line search from ``at``, the first trial after ``step`` times ``direction``."""
    noise = 4 * float(finfo(at.x.dtype).eps) * abs(at.value) if at.x.dtype.itemsize < 8 else 0.0
    start = Trial(0.0, at.value, slope, at.x, at.gradient)
    return search(partial(_tried, objective, at.x, direction), start, step, curvature, noise, tries)


def _tried(objective: Objective, x: Tensor, direction: Tensor, step: float) -> Trial:
    there = x + direction * step
    value, gradient = objective.both(there)
    return Trial(step, value, inner(gradient, direction), there, gradient)


def ended(objective: Objective, at: State, iterations: int, why: str, **more: Any) -> OptimizeResult:
    """The result, for the reason ``why`` of MESSAGES."""
    counts = {"nit": iterations, "nfev": objective.nfev, "njev": objective.njev}
    status = STATUS.get(why, 0)
    return OptimizeResult(
        x=objective.flat.filled(at.x),
        fun=at.value,
        jac=objective.flat.filled(at.gradient),
        **counts,
        **more,
        status=status,
        success=status == 0,
        message=MESSAGES[why],
    )
