"""The step of Levenberg and Marquardt: where the linear model is lowest within a region of trust."""

from __future__ import annotations

from typing import Any

import numpy as np

CLOSE = 0.1  # how much longer or shorter than the region's radius a step may be, as a share of it

Vector = Any


class Model:
    """Half the sum of squares of ``parts + matrix @ step``; singular values below ``least`` of the largest are 0."""

    def __init__(self, matrix: Any, parts: Vector, least: float) -> None:
        self.matrix = matrix
        self.gradient = parts @ matrix
        left, self.sizes, self.right = np.linalg.svd(matrix, full_matrices=False)
        above = self.sizes > least * self.sizes[0]
        self.full = bool(above.all())
        self.parts = np.where(above, parts @ left, 0.0)
        self.sizes = np.maximum(self.sizes, 1e-150)  # whose square is not 0

    def damping(self, radius: float, damping: float) -> float:
        """How strongly steps must be damped to be as long as ``radius``; 0 if they are not longer without.

        Newton's method on 1/|step| - 1/radius (Moré, "The Levenberg-Marquardt algorithm", 1978), from ``damping``.
        """
        longest = self._length(0.0)
        if longest <= (1 + CLOSE) * radius:
            return 0.0
        low = (longest - radius) / self._fall(0.0) if self.full else 0.0
        high = float(np.linalg.norm(self.sizes * self.parts)) / radius
        damping = min(max(damping, low), high) or high * 1e-3
        for _ in range(20):
            length = self._length(damping)
            if abs(length - radius) <= CLOSE * radius:
                break
            low, high = (max(low, damping), high) if length > radius else (low, min(high, damping))
            damping += length / radius * (length - radius) / self._fall(damping)
            if not low < damping < high:
                damping = max(1e-3 * high, (low * high) ** 0.5)
        return damping

    def _shares(self, damping: float) -> Vector:
        return self.sizes * self.parts / (self.sizes**2 + damping)

    def _length(self, damping: float) -> float:
        return float(np.linalg.norm(self._shares(damping)))

    def _fall(self, damping: float) -> float:
        """How fast the length falls as the damping grows."""
        shares = self._shares(damping)
        return float(np.sum(shares**2 / (self.sizes**2 + damping)) / max(np.linalg.norm(shares), 1e-300))

    def step(self, damping: float) -> Vector:
        """The damped step."""
        return -self._shares(damping) @ self.right

    def rise(self, step: Vector) -> float:
        """How much higher the model is after ``step``."""
        changed = self.matrix @ step
        return float(0.5 * changed @ changed + self.gradient @ step)

    def lowest(self, start: Vector, direction: Vector, first: float, last: float) -> Vector:
        """The lowest of the points ``start + t * direction`` with ``t`` between ``first`` and ``last``."""
        changed, before = self.matrix @ direction, self.matrix @ start
        bend, slope = changed @ changed, self.gradient @ direction + changed @ before
        inside = [float(np.clip(-slope / bend, first, last))] if bend > 0 else []
        points = [start + t * direction for t in (first, last, *inside)]
        return min(points, key=self.rise)
