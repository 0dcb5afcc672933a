"""What is known of the curvature of a function, and the directions that follow from that."""

from __future__ import annotations

import math

from gradflow.ops.contract import outer
from gradflow.ops.ranges import eye
from gradflow.optimize.objective import inner
from gradflow.tensor import Tensor


class Model:
    """Begins with no knowledge: the direction is that of steepest descent."""

    curvature = 0.9  # the share of the slope that a line search may leave
    scaled = True  # directions are as long as steps, once something is known

    def __init__(self) -> None:
        self.empty = True

    def direction(self, gradient: Tensor) -> Tensor:
        """Where to go from a point with this gradient."""
        raise NotImplementedError

    def learn(self, step: Tensor, change: Tensor, gradient: Tensor) -> None:
        """A step was done, which changed the gradient by ``change``, to ``gradient``."""
        raise NotImplementedError

    def forget(self) -> None:
        """Begin again."""
        raise NotImplementedError


class Dense(Model):
    """BFGS: the inverse Hessian as a matrix (Nocedal & Wright 2006, algorithm 6.1)."""

    def __init__(self, like: Tensor) -> None:
        super().__init__()
        self.unit = eye(like.size, dtype=like.dtype, device=like.device)
        self.forget()

    def forget(self) -> None:
        self.inverse = self.unit
        self.empty = True

    def direction(self, gradient: Tensor) -> Tensor:
        return -(self.inverse @ gradient)

    def learn(self, step: Tensor, change: Tensor, gradient: Tensor) -> None:
        bend = inner(step, change)
        if bend <= 0:
            return
        if self.empty:
            self.inverse = self.unit * (bend / inner(change, change))
        moved = self.inverse @ change
        # (I - s y'/b) H (I - y s'/b) + s s'/b, multiplied out
        ratio = (1 + inner(change, moved) / bend) / bend
        mixed = outer(step, moved)
        self.inverse = self.inverse + outer(step, step) * ratio - (mixed + mixed.T) * (1 / bend)
        self.empty = False


class Limited(Model):
    """L-BFGS: the last ``size`` steps (Liu & Nocedal 1989; the two loops of Nocedal & Wright 2006, algorithm 7.4)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.pairs: list[tuple[Tensor, Tensor]] = []

    def forget(self) -> None:
        self.pairs = []
        self.empty = True

    def direction(self, gradient: Tensor, free: Tensor | None = None) -> Tensor:
        """The same; with ``free``, 1 for variables that may move and 0 for others, in the space of those alone."""
        q = gradient if free is None else gradient * free
        kept = []
        for step, change in self.pairs:
            s, y = (step, change) if free is None else (step * free, change * free)
            bend = inner(s, y)
            if bend > 1e-14 * inner(y, y):
                kept.append((s, y, bend))
        shares = []
        for s, y, bend in reversed(kept):
            share = inner(s, q) / bend
            shares.append(share)
            q = q - y * share
        if kept:
            _, y, bend = kept[-1]
            q = q * (bend / inner(y, y))
        for (s, y, bend), share in zip(kept, reversed(shares), strict=True):
            q = q + s * (share - inner(y, q) / bend)
        return -q

    def learn(self, step: Tensor, change: Tensor, gradient: Tensor) -> None:
        if inner(step, change) > 2.2e-16 * inner(change, change):
            self.pairs = [*self.pairs[-(self.size - 1) :], (step, change)] if self.size > 1 else [(step, change)]
            self.empty = False


class Conjugate(Model):
    """Conjugate gradients, Polak and Ribière's, never of a negative share (Nocedal & Wright 2006, 5.2)."""

    curvature = 0.4
    scaled = False

    def __init__(self) -> None:
        super().__init__()
        self.forget()

    def forget(self) -> None:
        self.share = 0.0
        self.before: Tensor | None = None
        self.empty = True

    def direction(self, gradient: Tensor) -> Tensor:
        self.before = -gradient if self.before is None else self.before * self.share - gradient
        return self.before

    def learn(self, step: Tensor, change: Tensor, gradient: Tensor) -> None:
        old = gradient - change
        size = inner(old, old)
        share = inner(gradient, change) / size if size else 0.0
        self.share = max(0.0, share) if math.isfinite(share) else 0.0
        self.empty = False
