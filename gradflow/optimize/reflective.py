"""Least squares within bounds: a region of trust, in variables that shrink near a bound, and steps that it reflects."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradflow.errors import ArgumentError
from gradflow.optimize.marquardt import Ends, Found, Scale
from gradflow.optimize.region import Model
from gradflow.optimize.residuals import Linear, Point, Residuals, Vector

INSIDE = 0.995  # of the way to a bound is as far as a step goes, at least


class Box:
    """The points between ``low`` and ``high``. Raises ArgumentError where there is nothing between them."""

    def __init__(self, low: Vector, high: Vector) -> None:
        for i in np.flatnonzero(~(low < high)):
            raise ArgumentError(f"least_squares: nothing is between the bounds of variable {i}, {low[i]} and {high[i]}")
        self.low, self.high = low, high

    def contains(self, x: Vector) -> bool:
        """Whether ``x`` is between the bounds, or on them."""
        return bool(((self.low <= x) & (x <= self.high)).all())

    def inner(self, x: Vector, share: float = 0.0) -> Vector:
        """The nearest point that is away from all bounds: by ``share`` of their size, or the least the dtype knows."""
        away = [share * np.maximum(1.0, abs(np.where(np.isfinite(b), b, 0))) for b in (self.low, self.high)]
        low = np.maximum(np.nextafter(self.low, np.inf, dtype=x.dtype), self.low + away[0].astype(x.dtype))
        high = np.minimum(np.nextafter(self.high, -np.inf, dtype=x.dtype), self.high - away[1].astype(x.dtype))
        tight = low > high
        middle = np.where(tight, self.low, 0) / 2 + np.where(tight, self.high, 0) / 2
        return np.where(tight, middle, np.clip(x, low, high))

    def room(self, x: Vector, gradient: Vector) -> tuple[Vector, Vector]:
        """How far each variable can go down, 1 if without end, and how that changes with the variable."""
        above = (gradient < 0) & np.isfinite(self.high)
        below = (gradient > 0) & np.isfinite(self.low)
        with np.errstate(invalid="ignore"):
            room = np.where(above, self.high - x, np.where(below, x - self.low, 1.0))
        return room.astype(np.float64), below.astype(np.float64) - above

    def reach(self, x: Vector, step: Vector) -> tuple[float, Vector]:
        """How many times ``step`` it is to the first bound, and 1 for the variables that meet it there."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ways = np.where(step == 0, np.inf, np.maximum((self.low - x) / step, (self.high - x) / step))
        nearest = ways.min()
        return float(nearest), (ways == nearest) & (step != 0)

    def active(self, x: Vector, near: float) -> Vector:
        """-1 for variables at their lower bound, 1 for those at the upper one, up to ``near`` times its size."""
        with np.errstate(invalid="ignore"):
            to_low, to_high = x - self.low, self.high - x
            low = np.isfinite(self.low) & (to_low <= np.minimum(to_high, near * np.maximum(1, abs(self.low))))
            high = np.isfinite(self.high) & (to_high <= np.minimum(to_low, near * np.maximum(1, abs(self.high))))
        return high.astype(np.int64) - low


class _Scaled(NamedTuple):
    """The model in scaled variables: a step of the variables is ``unit * step``."""

    model: Model
    unit: Vector
    share: float  # of the way to a bound that a step may go


def fit(problem: Residuals, start: Point, scale: Scale, box: Box, ends: Ends) -> Found:
    """Go from ``start``, which is inside of ``box``, until the ``ends``.

    Method: Branch, Coleman & Li, "A subspace, interior, and conjugate gradient method for large-scale
    bound-constrained minimization" (1999), with dense steps, as SciPy's "trf".
    """
    at, linear, done = start, problem.linear(start), 0
    radius = float(np.linalg.norm(at.x / _unit(box, at, linear, scale.of(linear)))) or 1.0
    damping, status = 0.0, 0
    while True:
        status = 1 if optimality(box, at, linear) < ends.gtol else status
        if status:
            return Found(at, linear, done, status)
        scaled = _scaled(box, at, linear, scale.of(linear), ends)
        fall = 0.0
        while fall <= 0 and not status:
            if problem.nfev >= ends.limit:
                return Found(at, linear, done, 0)
            damping = scaled.model.damping(radius, damping)
            step = _step(scaled, box, at.x, radius, damping)
            there = problem.at(box.inner(at.x + (scaled.unit * step).astype(at.x.dtype)))
            fall, before = at.cost - there.cost, radius
            radius, ratio = _radius(radius, step, fall, -scaled.model.rise(step))
            damping *= before / radius
            status = _status(scaled.unit * step, at, fall, ratio, ends) if math.isfinite(there.cost) else 0
        if fall > 0:
            at, linear, done = there, problem.linear(there), done + 1
            if ends.notice(at, done):
                return Found(at, linear, done, -2)


def optimality(box: Box, at: Point, linear: Linear) -> float:
    """The largest element of the gradient, of variables near the bound where it leads less."""
    gradient = linear.gradient
    return float(abs(gradient * box.room(at.x, gradient)[0]).max())


def _scaled(box: Box, at: Point, linear: Linear, weights: Vector, ends: Ends) -> _Scaled:
    gradient = linear.gradient
    room, change = box.room(at.x, gradient)
    share = max(INSIDE, 1 - float(abs(gradient * room).max()))
    unit = _unit(box, at, linear, weights)
    bend = np.sqrt(gradient * change / weights)  # what the scaling of the variables adds to the Hessian
    matrix = np.concatenate([linear.triangle * unit, np.diag(bend)])
    parts = np.concatenate([linear.parts, np.zeros_like(bend)])
    return _Scaled(Model(matrix, parts, ends.eps * max(linear.jacobian.shape)), unit, share)


def _unit(box: Box, at: Point, linear: Linear, weights: Vector) -> Vector:
    room, change = box.room(at.x, linear.gradient)
    return np.sqrt(np.where(change != 0, room * weights, room)) / weights


def _step(scaled: _Scaled, box: Box, x: Vector, radius: float, damping: float) -> Vector:
    """The best of three: to the bound on the way to the model's minimum, on from there reflected, down the gradient."""
    model, unit, share = scaled
    whole = model.step(damping)
    if box.contains(x + unit * whole):
        return whole
    far, hits = box.reach(x, unit * whole)
    reflected = np.where(hits, -whole, whole)
    to_bound = whole * far
    tried = [to_bound * share]
    edge = _to_edge(to_bound, reflected, radius)
    wall, _ = box.reach(x + unit * to_bound, unit * reflected)
    last = min(edge, wall)
    if last > 0:
        first, last = (1 - share) * far / last, share * wall if wall <= edge else edge
        if first <= last:
            tried.append(model.lowest(to_bound, reflected, first, last))
    down = -model.gradient
    edge, (wall, _) = radius / float(np.linalg.norm(down)), box.reach(x, unit * down)
    tried.append(model.lowest(np.zeros_like(down), down, 0.0, share * wall if wall < edge else edge))
    return min(tried, key=model.rise)


def _to_edge(start: Vector, direction: Vector, radius: float) -> float:
    """How many times ``direction`` it is from ``start`` to the edge of the region of trust."""
    a, b, c = direction @ direction, start @ direction, start @ start - radius**2
    root = math.sqrt(max(b * b - a * c, 0.0))
    return float((root - b) / a if b <= 0 else -c / (root + b))


def _radius(radius: float, step: Vector, fall: float, promised: float) -> tuple[float, float]:
    """The next radius, and how much of what was promised came true."""
    length = float(np.linalg.norm(step))
    if not math.isfinite(fall):
        return 0.25 * length, 0.0
    ratio = fall / promised if promised > 0 else float(promised == fall == 0)
    if ratio < 0.25:
        return 0.25 * length, ratio
    return (2 * radius if ratio > 0.75 and length > 0.95 * radius else radius), ratio


def _status(step: Vector, at: Point, fall: float, ratio: float, ends: Ends) -> int:
    by_value = fall < ends.ftol * at.cost and ratio > 0.25
    by_step = float(np.linalg.norm(step)) < ends.xtol * (ends.xtol + float(np.linalg.norm(at.x)))
    return 4 if by_value and by_step else 2 if by_value else 3 if by_step else 0
