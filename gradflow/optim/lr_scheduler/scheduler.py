"""What every schedule does: it counts steps, and sets the rates of an optimizer by their number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from gradflow.dispatch import perform
from gradflow.errors import ArgumentError, CheckpointError, StateKeyError
from gradflow.optim.group import INITIAL_LR
from gradflow.optim.optimizer import Optimizer


def check_optimizer(name: str, optimizer: Any) -> None:
    """Raise ArgumentError for what is not an optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(f"{name}: needs an optimizer of gf.optim, got {type(optimizer).__name__}")


def per_group(name: str, optimizer: Optimizer, value: float | Sequence[float]) -> list[float]:
    """``value`` for each parameter group: one for all, or a sequence of one for each."""
    groups = len(optimizer.param_groups)
    values = list(value) if isinstance(value, Iterable) else [value] * groups
    if len(values) != groups:
        raise ArgumentError(f"{name} has {len(values)} values, and the optimizer has {groups} parameter groups")
    return values


class Schedule:
    """What changes the rates of an optimizer, and has a state to be saved."""

    unsaved: ClassVar[tuple[str, ...]] = ("optimizer",)  # what is no part of the state
    optimizer: Optimizer
    _last_lr: list[float]

    def get_last_lr(self) -> list[float]:
        """The rate of each parameter group since the last step."""
        return self._last_lr

    def state_dict(self) -> dict[str, Any]:
        """All but the optimizer, with PyTorch's names."""
        return {name: value for name, value in vars(self).items() if name not in self.unsaved}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` returned; the optimizer's state has the rates. Raises CheckpointError."""
        known = self.state_dict().keys()
        missing = ", ".join(sorted(known - state_dict.keys()))
        if missing:
            raise CheckpointError(f"{type(self).__name__}: the state lacks {missing}; was it saved by this schedule?")
        vars(self).update({name: state_dict[name] for name in known})


class LRScheduler(Schedule):
    """Sets ``optimizer.param_groups[i]["lr"]``, once when it is made and then in each ``step``.

    A subclass says in ``get_lr`` what the rates are after ``last_epoch`` steps; ``base_lrs`` are those that the groups
    had in the beginning. Names and numerics are PyTorch's. To go on where another run stopped, load its state; or give
    ``last_epoch``, the number of steps it made less one, with the optimizer's state loaded: the rates stay as they are.
    In a compiled step ``step`` counts on in every replay.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(type(self).__name__, optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault(INITIAL_LR, group["lr"])
            elif INITIAL_LR not in group:
                raise StateKeyError(
                    f"{type(self).__name__}: last_epoch is {last_epoch}, and group {i} of the optimizer does not know "
                    "its initial_lr; load the state of an optimizer that had a schedule, or leave last_epoch out"
                )
        self.base_lrs: list[float] = [group[INITIAL_LR] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._last_lr = []
        self.advance()

    def get_lr(self) -> list[float]:
        """The rate of each group after ``last_epoch`` steps, of which the first is number 0."""
        raise NotImplementedError

    def step(self) -> None:
        """Go on to the next rates; after the optimizer's step."""
        perform(self.advance)

    def advance(self) -> None:
        """What ``step`` does."""
        self.last_epoch += 1
        self.set(self.get_lr())

    def set(self, rates: Sequence[float]) -> None:
        """Make ``rates`` those of the optimizer's groups."""
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = list(rates)

    def restart(self) -> None:
        """Begin again, from the rates of the beginning."""
        self.set(self.base_lrs)
        self.begin()

    def begin(self) -> None:
        """Begin again, from the rates as they are."""
        self.last_epoch, self._last_lr = -1, []
        self.advance()


class LambdaLR(LRScheduler):
    """The rate of the beginning times ``lr_lambda(steps)``; a list has a function for each parameter group.

    Functions are not part of the state.

    >>> import gradflow as gf
    >>> optimizer = gf.optim.SGD([gf.zeros(1, requires_grad=True)], lr=0.5)
    >>> scheduler = gf.optim.lr_scheduler.LambdaLR(optimizer, lambda steps: 1 / (1 + steps))
    >>> scheduler.step()
    >>> optimizer.param_groups[0]["lr"]
    0.25
    """

    unsaved = ("optimizer", "lr_lambdas")

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        check_optimizer("LambdaLR", optimizer)
        functions: Any = lr_lambda  # one, or several: what per_group spreads is anything
        self.lr_lambdas: list[Any] = per_group("lr_lambda", optimizer, functions)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return [base * f(self.last_epoch) for base, f in zip(self.base_lrs, self.lr_lambdas, strict=True)]
