"""The step of Levenberg and Marquardt: where the linear model is lowest within a region of trust."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.ops.create import asarray
from gradflow.ops.orthogonal import svd
from gradflow.tensor import Tensor

CLOSE = 0.1  # how much longer or shorter than the region's radius a step may be, as a share of it


class Model:
    """Residuals ``r + J p``, with steps measured by ``scale``: as long as ``|scale * p|``."""

    def __init__(self, residuals: Tensor, jacobian: Tensor, scale: Tensor) -> None:
        self.scale = scale
        left, sizes, self.right = svd(jacobian / scale, full_matrices=False)
        self.sizes: Any = np.asarray(sizes.numpy(), np.float64)
        self.parts: Any = np.asarray((residuals @ left).numpy(), np.float64)
        smallest = np.finfo(residuals.dtype).eps * max(jacobian.shape) * self.sizes[0]
        self.full = bool((self.sizes > smallest).all())
        self.parts = np.where(self.sizes > smallest, self.parts, 0.0)
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

    def _shares(self, damping: float) -> Any:
        return self.sizes * self.parts / (self.sizes**2 + damping)

    def _length(self, damping: float) -> float:
        return float(np.linalg.norm(self._shares(damping)))

    def _fall(self, damping: float) -> float:
        """How fast the length falls as the damping grows."""
        shares = self._shares(damping)
        return float(np.sum(shares**2 / (self.sizes**2 + damping)) / max(np.linalg.norm(shares), 1e-300))

    def step(self, damping: float) -> tuple[Tensor, float, float]:
        """The damped step, its length, and the length of what it changes the residuals by."""
        shares = self._shares(damping)
        along = asarray(-shares, dtype=self.right.dtype, device=self.right.device)
        return (
            (along @ self.right) / self.scale,
            float(np.linalg.norm(shares)),
            float(np.linalg.norm(self.sizes * shares)),
        )
