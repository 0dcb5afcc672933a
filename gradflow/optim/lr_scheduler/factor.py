"""Schedules that multiply the rate by a function of the number of steps, and that multiply one another."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable

from gradflow.errors import ArgumentError
from gradflow.optim.lr_scheduler.scheduler import LRScheduler
from gradflow.optim.optimizer import Optimizer


class FactorLR(LRScheduler):
    """Multiplies what the rate has above ``floor`` by ``multiplier(steps)``.

    While nothing else sets the rate, it is exactly ``floor + (base - floor) * multiplier(steps)``; otherwise what it
    has come to is multiplied by the ratio of the multiplier to the last one, so that several schedules act together.
    """

    @property
    def floor(self) -> float:
        """The part of the rate that stays."""
        return 0.0

    def multiplier(self, steps: int) -> float:
        """What the rate is multiplied by after so many steps, compared with the beginning."""
        raise NotImplementedError

    def get_lr(self) -> list[float]:
        rates = [group["lr"] for group in self.optimizer.param_groups]
        now = self.multiplier(self.last_epoch)
        if not self._last_lr:  # in the beginning; where an earlier run goes on, the rates are there
            return rates if self.last_epoch else [self._scaled(rate, now) for rate in rates]
        before = self.multiplier(self.last_epoch - 1)
        return [self._changed(rate, base, before, now) for rate, base in zip(rates, self.base_lrs, strict=True)]

    def _scaled(self, rate: float, by: float) -> float:
        return self.floor + (rate - self.floor) * by

    def _changed(self, rate: float, base: float, before: float, now: float) -> float:
        if rate == self._scaled(base, before):
            return self._scaled(base, now)
        return self._scaled(rate, now / before) if before else rate + (base - self.floor) * now


class StepLR(FactorLR):
    """The rate times ``gamma`` every ``step_size`` steps.

    >>> import gradflow as gf
    >>> optimizer = gf.optim.SGD([gf.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = gf.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     scheduler.step()
    >>> rates
    [0.5, 0.5, 0.25, 0.25, 0.125]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        _check_count("StepLR", "step_size", step_size)
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def multiplier(self, steps: int) -> float:
        return float(self.gamma ** (steps // self.step_size))


class MultiStepLR(FactorLR):
    """The rate times ``gamma`` after each of the numbers of steps in ``milestones``."""

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = sorted(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def multiplier(self, steps: int) -> float:
        return float(self.gamma ** bisect_right(self.milestones, steps))


class ConstantLR(FactorLR):
    """The rate times ``factor`` for the first ``total_iters`` steps, then as it is.

    Raises ArgumentError unless ``factor`` is in [0, 1].
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1 / 3, total_iters: int = 5, last_epoch: int = -1) -> None:
        if not 0 <= factor <= 1:
            raise ArgumentError(f"ConstantLR: factor is {factor}; it must be in [0, 1]")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def multiplier(self, steps: int) -> float:
        return self.factor if steps < self.total_iters else 1.0


class LinearLR(FactorLR):
    """The rate times what goes from ``start_factor`` to ``end_factor`` in ``total_iters`` steps: a warm-up.

    Raises ArgumentError unless ``start_factor`` is in (0, 1] and ``end_factor`` in [0, 1].

    >>> import gradflow as gf
    >>> optimizer = gf.optim.SGD([gf.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = gf.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> rates = []
    >>> for _ in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     scheduler.step()
    >>> rates
    [0.25, 0.375, 0.5, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ArgumentError(f"LinearLR: start_factor is {start_factor}; it must be above 0 and at most 1")
        if not 0 <= end_factor <= 1:
            raise ArgumentError(f"LinearLR: end_factor is {end_factor}; it must be in [0, 1]")
        _check_count("LinearLR", "total_iters", total_iters)
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def multiplier(self, steps: int) -> float:
        return self.start_factor + (self.end_factor - self.start_factor) * _share(steps, self.total_iters)


class PolynomialLR(FactorLR):
    """The rate times ``(1 - steps / total_iters) ** power``, which reaches 0 after ``total_iters`` steps."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        _check_count("PolynomialLR", "total_iters", total_iters)
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def multiplier(self, steps: int) -> float:
        return float((1 - _share(steps, self.total_iters)) ** self.power)


class ExponentialLR(FactorLR):
    """The rate times ``gamma`` in each step."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def multiplier(self, steps: int) -> float:
        return float(self.gamma**steps)


class CosineAnnealingLR(FactorLR):
    """Half a cosine from the rate of the beginning to ``eta_min`` in ``T_max`` steps, and back in as many.

    Source: Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, without restarts.

    >>> import gradflow as gf
    >>> optimizer = gf.optim.SGD([gf.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = gf.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    >>> rates = []
    >>> for _ in range(3):
    ...     rates += scheduler.get_last_lr()
    ...     scheduler.step()
    >>> rates
    [0.5, 0.25, 0.0]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        _check_count("CosineAnnealingLR", "T_max", T_max)
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    @property
    def floor(self) -> float:
        return self.eta_min

    def multiplier(self, steps: int) -> float:
        return (1 + math.cos(math.pi * steps / self.T_max)) / 2


def _check_count(scheduler: str, name: str, value: int) -> None:
    if not value > 0:
        raise ArgumentError(f"{scheduler}: {name} is {value}; it must be positive")


def _share(steps: int, total: int) -> float:
    return min(steps, total) / total
