"""A step along a direction that satisfies the strong Wolfe conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from gradflow.tensor import Tensor

SUFFICIENT = 1e-4  # of the decrease that the slope promises
GROWTH = 2.0  # of steps that are too short


class Trial(NamedTuple):
    """A point along a direction: how far, value and slope there, the point and its gradient."""

    step: float
    value: float
    slope: float
    x: Tensor
    gradient: Tensor


Try = Callable[[float], Trial]


def search(attempt: Try, start: Trial, step: float, curvature: float, noise: float, tries: int = 20) -> Trial | None:
    """The first of at most ``tries`` trials whose value is lower than at ``start`` by a share of what the slope there
    promises, and whose slope is less steep by the factor ``curvature``; None if there is none.

    ``noise`` is how much two values may differ by rounding: a decrease of less cannot be asked for.

    Method: Nocedal & Wright, "Numerical Optimization" (2006), algorithms 3.5 and 3.6.
    """
    found = _Search(attempt, start, curvature, noise, tries)
    before = start
    while found.left:
        trial = found.at(step)
        if not found.decreased(trial) or (before is not start and trial.value >= before.value):
            return found.zoomed(before, trial)
        if found.flat(trial):
            return trial
        if trial.slope >= 0:
            return found.zoomed(trial, before)
        before, step = trial, step * GROWTH
    return before if before is not start else None  # lower, if not flat: better than nothing


class _Search:
    def __init__(self, attempt: Try, start: Trial, curvature: float, noise: float, tries: int) -> None:
        self.attempt = attempt
        self.start = start
        self.curvature = curvature
        self.noise = noise
        self.left = tries

    def at(self, step: float) -> Trial:
        self.left -= 1
        trial = self.attempt(step)
        return trial if math.isfinite(trial.value) else trial._replace(value=math.inf, slope=math.inf)

    def decreased(self, trial: Trial) -> bool:
        return trial.value <= self.start.value + SUFFICIENT * trial.step * self.start.slope + self.noise

    def flat(self, trial: Trial) -> bool:
        return abs(trial.slope) <= -self.curvature * self.start.slope

    def zoomed(self, low: Trial, high: Trial) -> Trial | None:
        """A trial between ``low``, the best so far, which slopes towards ``high``, and that."""
        while self.left and abs(high.step - low.step) > 1e-14 * max(low.step, high.step):
            trial = self.at(_between(low, high))
            if not self.decreased(trial) or trial.value > low.value + self.noise:
                high = trial
                continue
            if self.flat(trial):
                return trial
            if trial.slope * (high.step - low.step) >= 0:
                high = low
            low = trial
        return low if low is not self.start and low.value < self.start.value else None


def _between(low: Trial, high: Trial) -> float:
    """The minimum of the cubic through both ends, a tenth of the interval away from them; the middle without one."""
    width = high.step - low.step
    found = low.step + width / 2
    if math.isfinite(high.value) and math.isfinite(high.slope):
        first = low.slope + high.slope - 3 * (high.value - low.value) / width
        inside = first * first - low.slope * high.slope
        if inside >= 0:
            second = math.copysign(math.sqrt(inside), width)
            below = high.slope - low.slope + 2 * second
            if below:
                found = high.step - width * (high.slope + second - first) / below
    share = min(max((found - low.step) / width, 0.1), 0.9)
    return low.step + share * width
