"""Schedules that go up and down: restarts, one cycle, many cycles, with the momentum going the other way."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from gradflow.errors import ArgumentError
from gradflow.optim.lr_scheduler.scheduler import LRScheduler, check_optimizer, per_group
from gradflow.optim.optimizer import Optimizer

PerGroup = float | Sequence[float]  # one for all parameter groups, or one for each


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine down to ``eta_min`` in ``T_0`` steps, again and again, each ``T_mult`` times as long as the last.

    Source: Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.
    Raises ArgumentError unless ``T_0`` and ``T_mult`` are at least 1.

    >>> import gradflow as gf
    >>> optimizer = gf.optim.SGD([gf.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = gf.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
    >>> rates = []
    >>> for _ in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     scheduler.step()
    >>> rates
    [0.5, 0.25, 0.5, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            if not (isinstance(value, int) and value >= 1):
                raise ArgumentError(f"CosineAnnealingWarmRestarts: {name} is {value}; it must be an integer, 1 or more")
        self.T_0 = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        since, period = self.last_epoch, self.T_0
        while since >= period:
            since, period = (since % period, period) if self.T_mult == 1 else (since - period, period * self.T_mult)
        share = (1 + math.cos(math.pi * since / period)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]


class MomentumLR(LRScheduler):
    """A schedule that moves the momentum, or the first beta, as well: down while the rate goes up.

    With ``cycle_momentum`` False it stays, as it must in a compiled step: a plan reads the rate anew each time, but a
    momentum is a number in its code. Raises ArgumentError for an optimizer without, or made with none: it keeps no
    velocity then.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        cycle_momentum: bool,
        base_momentum: PerGroup,
        max_momentum: PerGroup,
        last_epoch: int,
    ) -> None:
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            if not all(group.get("momentum") or "betas" in group for group in optimizer.param_groups):
                raise ArgumentError(
                    f"{type(self).__name__}: cycle_momentum needs an optimizer with betas, or one made with a "
                    "momentum above 0; make it so, or give cycle_momentum=False"
                )
            self.base_momentums = per_group("base_momentum", optimizer, base_momentum)
            self.max_momentums = per_group("max_momentum", optimizer, max_momentum)
        super().__init__(optimizer, last_epoch)

    def get_momentum(self) -> list[float]:
        """The momentum of each group after ``last_epoch`` steps."""
        raise NotImplementedError

    def advance(self) -> None:
        super().advance()
        if not self.cycle_momentum:
            return
        for group, momentum in zip(self.optimizer.param_groups, self.get_momentum(), strict=True):
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum


class CyclicLR(MomentumLR):
    """From ``base_lr`` up to ``max_lr`` in ``step_size_up`` steps, down in ``step_size_down``, and so on.

    The height of a cycle is the same ("triangular"), half that of the last ("triangular2"), or falls by ``gamma`` in
    each step ("exp_range"); or it is multiplied by ``scale_fn`` of the number of the cycle, from 1 on, or of the steps
    (``scale_mode`` "iterations"), which is no part of the state. The momentum goes from ``max_momentum`` down to
    ``base_momentum`` and back. Raises ArgumentError for another mode.
    Source: Smith, "Cyclical learning rates for training neural networks", WACV 2017.

    >>> import gradflow as gf
    >>> optimizer = gf.optim.Adam([gf.zeros(1, requires_grad=True)])
    >>> scheduler = gf.optim.lr_scheduler.CyclicLR(optimizer, base_lr=0.1, max_lr=0.3, step_size_up=2)
    >>> rates = []
    >>> for _ in range(5):
    ...     rates += scheduler.get_last_lr()
    ...     scheduler.step()
    >>> rates
    [0.1, 0.2, 0.3, 0.2, 0.1]
    """

    unsaved = ("optimizer", "scale_fn")

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: PerGroup,
        max_lr: PerGroup,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: PerGroup = 0.8,
        max_momentum: PerGroup = 0.9,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer("CyclicLR", optimizer)
        if scale_fn is None and mode not in ("triangular", "triangular2", "exp_range"):
            raise ArgumentError(f"CyclicLR: mode is {mode!r}; it must be 'triangular', 'triangular2' or 'exp_range'")
        down = step_size_up if step_size_down is None else step_size_down
        self.total_size = float(step_size_up + down)
        self.step_ratio = step_size_up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self.scale_fn = scale_fn
        self.scale_mode = scale_mode
        self.max_lrs = per_group("max_lr", optimizer, max_lr)
        self.low_lrs = per_group("base_lr", optimizer, base_lr)
        super().__init__(optimizer, cycle_momentum, base_momentum, max_momentum, last_epoch)

    def _height(self) -> float:
        """How far up from the base, 1 being the peak of the first cycle."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        if self.scale_fn is not None:
            return height * self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.mode == "exp_range":
            return float(height * self.gamma**self.last_epoch)
        return height / 2.0 ** (cycle - 1) if self.mode == "triangular2" else height

    def get_lr(self) -> list[float]:
        height = self._height()
        return [low + (high - low) * height for low, high in zip(self.low_lrs, self.max_lrs, strict=True)]

    def get_momentum(self) -> list[float]:
        height = self._height()
        both = zip(self.base_momentums, self.max_momentums, strict=True)
        return [high - (high - low) * height for low, high in both]


class OneCycleLR(MomentumLR):
    """From ``max_lr / div_factor`` up to ``max_lr`` in a share ``pct_start`` of the steps, then far down.

    The last rate is the first over ``final_div_factor``; with ``three_phase`` the way down is first as long as that up
    and ends at the first rate. There are ``total_steps`` steps, or ``epochs * steps_per_epoch``. Between the ends it
    goes by half a cosine ("cos") or straight ("linear"). Raises ArgumentError for arguments that make no cycle, and in
    ``step`` after the last of the steps.
    Source: Smith & Topin, "Super-convergence: very fast training of neural networks using large learning rates", 2017.

    >>> import gradflow as gf
    >>> optimizer = gf.optim.Adam([gf.zeros(1, requires_grad=True)])
    >>> scheduler = gf.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    >>> for _ in range(2):
    ...     scheduler.step()
    >>> optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"]
    (1.0, (0.85, 0.999))
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: PerGroup,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: PerGroup = 0.85,
        max_momentum: PerGroup = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer("OneCycleLR", optimizer)
        self.total_steps = total_steps or (epochs or 0) * (steps_per_epoch or 0)
        if not self.total_steps > 0:
            raise ArgumentError("OneCycleLR: give a positive total_steps, or epochs and steps_per_epoch")
        if not 0 <= pct_start <= 1:
            raise ArgumentError(f"OneCycleLR: pct_start is {pct_start}; it must be in [0, 1]")
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(f"OneCycleLR: anneal_strategy is {anneal_strategy!r}; it must be 'cos' or 'linear'")
        self.anneal_strategy = anneal_strategy
        self.max_lrs = per_group("max_lr", optimizer, max_lr)
        self.first_lrs = [rate / div_factor for rate in self.max_lrs]
        self.min_lrs = [rate / final_div_factor for rate in self.first_lrs]
        peak = pct_start * self.total_steps - 1
        self.ends = [0.0, peak, *([2 * peak] if three_phase else []), self.total_steps - 1.0]  # of the phases, in steps
        super().__init__(optimizer, cycle_momentum, base_momentum, max_momentum, last_epoch)

    def _between(self, *values: float) -> float:
        """What is on the way through ``values``, one for each end of a phase, after ``last_epoch`` steps."""
        phase = next((i for i, end in enumerate(self.ends[1:-1]) if self.last_epoch <= end), len(self.ends) - 2)
        (start, end), (low, high) = self.ends[phase : phase + 2], values[phase : phase + 2]
        share = (self.last_epoch - start) / (end - start) if end > start else 1.0
        if self.anneal_strategy == "cos":
            share = (1 - math.cos(math.pi * share)) / 2
        return low + (high - low) * share

    def get_lr(self) -> list[float]:
        if self.last_epoch > self.total_steps:
            raise ArgumentError(f"OneCycleLR: the cycle has {self.total_steps} steps, and this is one more")
        middle = len(self.ends) > 3
        return [
            self._between(first, top, *([first] if middle else []), last)
            for first, top, last in zip(self.first_lrs, self.max_lrs, self.min_lrs, strict=True)
        ]

    def get_momentum(self) -> list[float]:
        both = zip(self.base_momentums, self.max_momentums, strict=True)
        return [self._between(high, low, *[high] * (len(self.ends) - 2)) for low, high in both]
