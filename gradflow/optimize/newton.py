"""Newton's method by products of the Hessian with vectors: conjugate gradients, and line searches."""

from __future__ import annotations

from collections.abc import Callable

from gradflow.dtypes import finfo
from gradflow.ops.create import zeros_like
from gradflow.optimize.descent import Notice, State, Stop, along, ended
from gradflow.optimize.objective import Objective, inner
from gradflow.optimize.result import OptimizeResult
from gradflow.tensor import Tensor


def descend(objective: Objective, xtol: float, stop: Stop, notice: Notice) -> OptimizeResult:
    """Go down from x0 until the mean size of a step's elements is ``xtol``, or ``stop``.

    Method: line search Newton-CG (Nocedal & Wright 2006, algorithm 7.1).
    """
    at = State(*objective.begun())
    done = 0

    def end(why: str) -> OptimizeResult:
        return ended(objective, at, done, why, nhev=objective.nhev)

    while True:
        size = inner(at.gradient, at.gradient) ** 0.5
        if size <= stop.gtol:
            return end("gradient")
        if done >= stop.maxiter or objective.nfev >= stop.maxfun:
            return end("iterations" if done >= stop.maxiter else "evaluations")
        direction = _direction(at.gradient, objective.curvature(at.x), min(0.5, size**0.5) * size)
        found = along(objective, at, direction, inner(direction, at.gradient), 1.0, 0.9, 20)
        if found is None:
            return end("precision")
        moved = float(abs(found.x - at.x).mean().item())
        at = State(found.x, found.value, found.gradient)
        done += 1
        if notice(at.x, at.value):
            return end("stopped")
        if moved <= xtol:
            return end("step")


def _direction(gradient: Tensor, product: Callable[[Tensor], Tensor], tolerance: float) -> Tensor:
    """Where the quadratic model is lowest, to within ``tolerance``, or the way there up to negative curvature."""
    step, left = zeros_like(gradient), gradient
    search = -left
    size = inner(left, left)
    for i in range(20 * gradient.size):
        if size**0.5 <= tolerance:
            return step
        bent = product(search)
        bend = inner(search, bent)
        if bend <= 3 * float(finfo(gradient.dtype).eps) * inner(search, search):
            return search if i == 0 else step
        share = size / bend
        step = step + search * share
        left = left + bent * share
        before, size = size, inner(left, left)
        search = search * (size / before) - left
    return step
