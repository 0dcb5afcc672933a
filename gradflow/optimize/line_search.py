"""A step along a direction that satisfies the strong Wolfe conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from gradflow.tensor import Tensor

SUFFICIENT = 1e-4  # of the decrease that the slope promises
GROWTH = 0.01, 10.0  # of steps that are too short: by a share of the last one at least, to so many times it at most
NEAR = 0.1  # to an end of an interval, as a share of it: where no trial is done, if the one before was as near


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

    Method: Nocedal & Wright, "Numerical Optimization" (2006), algorithms 3.5 and 3.6, with cubics, and what is done
    where those are near the ends of an interval, as in Schmidt's minFunc (2005), which PyTorch's LBFGS follows, too.
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
        farther = _lowest(before, trial, step + GROWTH[0] * (step - before.step), step * GROWTH[1])
        before, step = trial, farther
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

    def zoomed(self, one: Trial, other: Trial) -> Trial | None:
        """A trial between the two, and that; or the lowest that was found."""
        low, high = sorted((one, other), key=lambda each: each.value)
        stuck = False
        while self.left and abs(high.step - low.step) > 1e-14 * max(low.step, high.step):
            step, stuck = _inside(low, high, stuck)
            trial = self.at(step)
            if not self.decreased(trial) or trial.value > low.value + self.noise:
                high = trial
            elif self.flat(trial):
                return trial
            else:
                low, high = trial, low if trial.slope * (high.step - low.step) >= 0 else high
            if high.value < low.value:
                low, high = high, low
        return low if low is not self.start and low.value < self.start.value else None


def _inside(low: Trial, high: Trial, stuck: bool) -> tuple[float, bool]:
    """Where to look between two trials, and whether that is near one of them; not if the last was, too (``stuck``)."""
    first, last = sorted((low.step, high.step))
    step, margin = _lowest(low, high, first, last), NEAR * (last - first)
    near = min(step - first, last - step) < margin
    if near and (stuck or step in (first, last)):
        return (first + margin if step - first <= last - step else last - margin), False
    return step, near


def _lowest(one: Trial, other: Trial, least: float, most: float) -> float:
    """Where the cubic through two trials is lowest, between ``least`` and ``most``; their middle without one."""
    a, b = (one, other) if one.step <= other.step else (other, one)
    if math.isfinite(a.value + b.value) and math.isfinite(a.slope + b.slope):
        first = a.slope + b.slope - 3 * (b.value - a.value) / (b.step - a.step)
        inside = first * first - a.slope * b.slope
        below = b.slope - a.slope + 2 * math.sqrt(max(inside, 0.0))
        if inside >= 0 and below:
            found = b.step - (b.step - a.step) * (b.slope + math.sqrt(inside) - first) / below
            return min(max(found, least), most)
    return (least + most) / 2
