"""Schedules made of schedules: one after the other, or all together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from gradflow.errors import ArgumentError, CheckpointError
from gradflow.optim.lr_scheduler.scheduler import LRScheduler
from gradflow.optim.optimizer import Optimizer


class Composed(LRScheduler):
    """Schedules of one optimizer, with their states."""

    unsaved = ("optimizer", "_schedulers")

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer) -> None:
        name = type(self).__name__
        for i, each in enumerate(schedulers):
            if not isinstance(each, LRScheduler):
                raise ArgumentError(f"{name}: {type(each).__name__}, number {i}, is no schedule of the steps alone")
            if each.optimizer is not optimizer:
                raise ArgumentError(f"{name}: schedule {i} is of another optimizer; all must be of one")
        self._schedulers = list(schedulers)
        self.optimizer = optimizer
        self.base_lrs = schedulers[0].base_lrs
        self.last_epoch = 0
        self._last_lr = self.get_lr()

    def get_lr(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "_schedulers": [each.state_dict() for each in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        states = state_dict.get("_schedulers", ())
        if len(states) != len(self._schedulers):
            raise CheckpointError(
                f"{type(self).__name__}: the state is of {len(states)} schedules, and these are {len(self._schedulers)}"
            )
        for each, state in zip(self._schedulers, states, strict=True):
            each.load_state_dict(state)
        self.last_epoch = state_dict["last_epoch"]
        self._last_lr = list(state_dict["_last_lr"])


class SequentialLR(Composed):
    """Each of ``schedulers`` in turn; the next one begins after each of the numbers of steps in ``milestones``.

    Raises ArgumentError unless there is one milestone less than schedules, all of ``optimizer``.

    >>> import gradflow as gf
    >>> from gradflow.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
    >>> optimizer = gf.optim.SGD([gf.zeros(1, requires_grad=True)], lr=0.5)
    >>> parts = [LinearLR(optimizer, 0.5, total_iters=2), CosineAnnealingLR(optimizer, T_max=2)]
    >>> scheduler = SequentialLR(optimizer, parts, milestones=[2])
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     scheduler.step()
    >>> rates
    [0.25, 0.375, 0.5, 0.25, 0.0]
    """

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]) -> None:
        if len(milestones) != len(schedulers) - 1:
            raise ArgumentError(
                f"SequentialLR: {len(schedulers)} schedules need {len(schedulers) - 1} milestones between them, and "
                f"there are {len(milestones)}"
            )
        super().__init__(schedulers, optimizer)
        self._milestones = list(milestones)
        self.begin()

    def begin(self) -> None:
        self.last_epoch = 0
        self._go_on(self._schedulers[bisect_right(self._milestones, 0)].restart)

    def advance(self) -> None:
        self.last_epoch += 1
        number = bisect_right(self._milestones, self.last_epoch)
        now = self._schedulers[number]
        begins = number > 0 and self._milestones[number - 1] == self.last_epoch
        self._go_on(now.restart if begins else now.advance)

    def _go_on(self, change: Any) -> None:
        change()
        self._last_lr = self.get_lr()


class ChainedScheduler(Composed):
    """All of ``schedulers`` in each step, so that their factors multiply each other.

    Raises ArgumentError if there are none, or not of one optimizer.

    >>> import gradflow as gf
    >>> from gradflow.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR
    >>> optimizer = gf.optim.SGD([gf.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = ChainedScheduler([ConstantLR(optimizer, 0.5, total_iters=2), ExponentialLR(optimizer, gamma=0.5)])
    >>> rates = []
    >>> for _ in range(3):
    ...     rates += scheduler.get_last_lr()
    ...     scheduler.step()
    >>> rates
    [0.25, 0.125, 0.125]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if not schedulers:
            raise ArgumentError("ChainedScheduler: give at least one schedule")
        super().__init__(schedulers, schedulers[0].optimizer if optimizer is None else optimizer)

    def begin(self) -> None:
        self.last_epoch = 0
        for each in self._schedulers:
            each.begin()
        self._last_lr = self.get_lr()

    def advance(self) -> None:
        self.last_epoch += 1
        for each in self._schedulers:
            each.advance()
        self._last_lr = self.get_lr()
