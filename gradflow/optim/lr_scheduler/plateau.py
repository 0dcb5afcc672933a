"""A schedule that looks at a metric: the rate falls when there is no more progress."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gradflow.dispatch import perform
from gradflow.errors import ArgumentError
from gradflow.optim.lr_scheduler.scheduler import Schedule, check_optimizer, per_group
from gradflow.optim.optimizer import Optimizer
from gradflow.tensor import Tensor


class ReduceLROnPlateau(Schedule):
    """The rate times ``factor`` when a metric has not improved for more than ``patience`` steps.

    ``mode`` says whether it improves by falling ("min") or rising ("max"), ``threshold`` by how much, relative to the
    best ("rel") or not ("abs"). After a change nothing is counted for ``cooldown`` steps. The rate stays above
    ``min_lr``, and as it is where the change would be ``eps`` or less. Names and numerics are PyTorch's.
    Raises ArgumentError unless ``factor`` is below 1.

    >>> import gradflow as gf
    >>> optimizer = gf.optim.SGD([gf.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = gf.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (1.0, 0.9, 0.9, 0.9):
    ...     scheduler.step(loss)
    >>> optimizer.param_groups[0]["lr"]
    0.25
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        check_optimizer("ReduceLROnPlateau", optimizer)
        if not factor < 1:
            raise ArgumentError(f"ReduceLROnPlateau: factor is {factor}; it must be below 1")
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs"):
            raise ArgumentError(
                f"ReduceLROnPlateau: mode is {mode!r} and threshold_mode {threshold_mode!r}; they must be 'min' or "
                "'max', and 'rel' or 'abs'"
            )
        self.optimizer = optimizer
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.min_lrs = per_group("min_lr", optimizer, min_lr)
        self.eps = eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0
        self.last_epoch = 0
        self._last_lr = [group["lr"] for group in optimizer.param_groups]

    def step(self, metrics: float | Tensor) -> None:
        """Look at ``metrics``, one number, of which a tensor is read."""
        value = float(metrics)
        perform(lambda: self._look(value))

    def _look(self, value: float) -> None:
        self.last_epoch += 1
        if self._improves(value):
            self.best = value
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _improves(self, value: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        bound = (
            self.best * (1 + sign * self.threshold)
            if self.threshold_mode == "rel"
            else self.best + sign * self.threshold
        )
        return value < bound if self.mode == "min" else value > bound

    def _reduce(self) -> None:
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            rate = max(group["lr"] * self.factor, least)
            if group["lr"] - rate > self.eps:
                group["lr"] = rate
