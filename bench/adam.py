"""Adam in NumPy, for the engines that have no optimizer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bench.cases import Array

CHUNK = 32768  # elements that stay in the L2 cache: what gradflow's own update does, so that this is no handicap


class Adam:
    """Kingma & Ba, ICLR 2015, with PyTorch's defaults, in place on ``parameters``: views of one flat array."""

    def __init__(self, initial: Sequence[Array], lr: float = 1e-3) -> None:
        self.lr = lr
        self.steps = 0
        self.values = np.concatenate([each.ravel() for each in initial])
        self.gradient, self.m, self.v = (np.zeros_like(self.values) for _ in range(3))
        self.scratch = np.empty_like(self.values[:CHUNK])
        stops = np.cumsum([each.size for each in initial])[:-1]
        parts = np.split(self.values, stops)
        self.parameters = [part.reshape(each.shape) for part, each in zip(parts, initial, strict=True)]

    def step(self, gradients: Sequence[Array]) -> None:
        """Update the parameters by their gradients, which come in the same order."""
        np.concatenate([g.ravel() for g in gradients], out=self.gradient)
        self.steps += 1
        root = math.sqrt(1 - 0.999**self.steps)
        rate = self.lr * root / (1 - 0.9**self.steps)
        for start in range(0, self.values.size, CHUNK):
            p, g, m, v = (x[start : start + CHUNK] for x in (self.values, self.gradient, self.m, self.v))
            t = self.scratch[: p.size]
            m *= 0.9
            m += np.multiply(g, 0.1, out=t)
            v *= 0.999
            np.multiply(g, g, out=t)
            v += np.multiply(t, 0.001, out=t)
            np.sqrt(v, out=t)
            t += 1e-8 * root
            np.divide(m, t, out=t)
            t *= rate
            p -= t
