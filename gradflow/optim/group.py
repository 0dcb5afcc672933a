"""Groups of parameters with common options, and the state of those that are updated together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from itertools import groupby
from typing import Any

from gradflow import dtypes
from gradflow.changes import changes
from gradflow.device import Device
from gradflow.errors import ArgumentError, DTypeError, StateKeyError
from gradflow.mode import recording
from gradflow.optim.arena import Run, runs, slot_of
from gradflow.tensor import Tensor, copied, tensor

INITIAL_LR = "initial_lr"  # an option that learning-rate schedules add: the rate that they start from


def runs_of_equal(key: Iterable[Any], parameters: list[Tensor]) -> list[Run]:
    """``parameters`` as runs of neighbours that have the same ``key``, one for each parameter."""
    pieces = groupby(zip(key, parameters, strict=True), key=lambda pair: pair[0])
    return [run for _, piece in pieces for run in runs(p for _, p in piece)]


class Segment:
    """A run of parameters that have always been updated together, with their state: for each element, or 0-d."""

    def __init__(self, run: Run, step: Tensor, state: dict[str, Tensor]) -> None:
        self.run = run
        self.step = step
        self.state = state

    def split(self, updated: list[bool]) -> list[Segment]:
        """Pieces whose parameters are all updated in this step, or none of them."""
        origin = slot_of(self.run.parameters[0]).start
        return [self._piece(run, origin) for run in runs_of_equal(updated, self.run.parameters)]

    def _piece(self, run: Run, origin: int) -> Segment:
        first, last = slot_of(run.parameters[0]), slot_of(run.parameters[-1])
        part = slice(first.start - origin, last.stop - origin)
        dtype = run.parameters[0].dtype
        state = {
            name: Tensor(each.data.view(dtype)[part].view(each.dtype) if each.ndim else copied(each.data))
            for name, each in self.state.items()
        }
        return Segment(run, Tensor(copied(self.step.data)), state)

    def of(self, p: Tensor, name: str) -> Tensor:
        """The part of the state ``name`` that belongs to ``p``, in its shape, or the number of all; not a copy."""
        if not self.state[name].ndim:
            return self.state[name]
        start = slot_of(p).start - slot_of(self.run.parameters[0]).start
        return Tensor(self.state[name].data.view(p.dtype)[start : start + p.size].reshape(p.shape))


class ParamGroup(MutableMapping[str, Any]):
    """Parameters that share options: ``group["lr"] = 0.01`` sets one, ``group["params"]`` are the parameters.

    The learning rate is also a tensor on each device, which the update reads: a compiled step obeys a change.
    """

    def __init__(self, parameters: list[Tensor], options: dict[str, Any]) -> None:
        self.options = {"params": parameters, **options}
        self.segments: list[Segment] = []
        self.rates: dict[Device, Tensor] = {}
        for device in (p.device for p in parameters):
            if device not in self.rates:
                self.rates[device] = tensor(float(options["lr"]), dtype=dtypes.float64, device=device)

    @property
    def lr(self) -> Tensor:
        """The learning rate on the device of the first parameter."""
        return next(iter(self.rates.values()))

    def __getitem__(self, name: str) -> Any:
        return self.options[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in (*self.options, INITIAL_LR) or name == "params":
            options = ", ".join(key for key in self.options if key != "params")
            raise StateKeyError(f"{name!r} is not an option of this group that can be set; there are {options}")
        self.options[name] = value
        changes.count += name != "lr"
        if name == "lr":
            with recording(False):
                for rate in self.rates.values():
                    rate.copy_(float(value))

    def __delitem__(self, name: str) -> None:
        raise StateKeyError(f"the option {name!r} of a parameter group can be changed, not deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(self.options)

    def __len__(self) -> int:
        return len(self.options)


def check_range(name: str, value: float, low: float, high: float = float("inf")) -> None:
    """Raise ArgumentError unless ``low <= value < high``, and DTypeError for what is no number."""
    try:
        within = low <= value < high
    except TypeError:
        raise DTypeError(f"{name} is {value!r}, a {type(value).__name__}; it must be a number") from None
    if not within:
        bound = f"at least {low}" if high == float("inf") else f"in [{low}, {high})"
        raise ArgumentError(f"{name} is {value}; it must be {bound}")
