"""What every optimizer does: groups of parameters, state in arenas, steps, saving and loading."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gradflow import dtypes
from gradflow.changes import changes
from gradflow.device import Device
from gradflow.errors import ArgumentError, StateKeyError
from gradflow.mode import enable_grad, recording
from gradflow.ops.create import full, zeros_like
from gradflow.ops.pieces import Arguments
from gradflow.optim.arena import Run, check_parameters, check_place, gather, listed, runs, settle
from gradflow.optim.group import INITIAL_LR, ParamGroup, Segment
from gradflow.optim.state import load_state, state_of
from gradflow.tensor import Tensor


class Optimizer:
    """Moves parameters against their gradients.

    ``params`` is an iterable of parameters, or of dicts with ``params`` and the options in which that group differs.
    A subclass says what state it keeps (``state_names``) and how a run of parameters is updated (``update``).
    """

    defaults: dict[str, Any]
    numbers: Mapping[str, float] = {}  # what is kept once for all elements, besides the step, and where it begins

    def __init__(self, params: Iterable[Tensor] | Iterable[Mapping[str, Any]], defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.found_inf: Mapping[Device, Tensor] = {}  # set by GradScaler.step: not 0 where there is no step to be
        self.param_groups: list[ParamGroup] = []
        given: list[Any] = [params] if isinstance(params, Tensor) else listed(params)
        if given and all(isinstance(each, Mapping) for each in given):
            for group in given:
                self.add_param_group(group)
        else:
            self.add_param_group({"params": params if isinstance(params, Tensor) else given})

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Optimize more parameters, with options of their own where they are given."""
        unknown = set(group) - {"params", INITIAL_LR, *self.defaults}
        if unknown:
            raise StateKeyError(f"{', '.join(sorted(unknown))}: not options of {type(self).__name__}")
        parameters = check_parameters(group.get("params", ()))
        known = {id(p) for each in self.param_groups for p in each["params"]}
        if any(id(p) in known for p in parameters):
            raise ArgumentError("a parameter is in another group already; each may be in one group only")
        options = {**self.defaults, **{name: value for name, value in group.items() if name != "params"}}
        self.check(options)
        settle(parameters)
        added = ParamGroup(parameters, options)
        added.segments = [self.segment(run, options) for run in runs(parameters)]
        self.param_groups.append(added)

    def segment(self, run: Run, options: dict[str, Any]) -> Segment:
        """``run`` with the state of parameters that have not been updated yet."""

        def number(value: float) -> Tensor:
            return full((), value, dtype=dtypes.float64, device=run.values.device)

        each = {name: zeros_like(run.values) for name in self.state_names(options)}
        together = {name: number(value) for name, value in self.numbers.items()}
        return Segment(run, number(0.0), each | together)

    def check(self, options: dict[str, Any]) -> None:
        """Raise ArgumentError for options outside their range."""
        raise NotImplementedError

    def state_names(self, options: dict[str, Any]) -> tuple[str, ...]:
        """What is kept for every element, by PyTorch's names."""
        raise NotImplementedError

    def update(self, segments: list[Segment], group: ParamGroup) -> None:
        """Update the parameters of ``segments``, all of ``group``, in place."""
        raise NotImplementedError

    def arguments(self, segment: Segment, group: ParamGroup, *state: str) -> Arguments:
        """What an update of ``segment`` takes: parameters, gradients, state by name, step, rate, found_inf."""
        device, run = segment.run.values.device, segment.run
        kept = map(segment.state.get, state)
        return (run.values, run.gradients, *kept, segment.step, group.rates[device], self.found_inf.get(device))

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Update every parameter that has a gradient; ``closure``, if given, computes loss and gradients first."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with recording(False):
            for group in self.param_groups:
                due = self._due(group)
                if due:
                    self.update(due, group)
        return loss

    def _due(self, group: ParamGroup) -> list[Segment]:
        """The segments whose parameters have gradients, these in place; some segments are split for that."""
        due = []
        for segment in list(group.segments):
            parameters = segment.run.parameters
            have = [p.grad is not None for p in parameters]
            if not any(have):
                continue
            check_place(segment.run)
            for p in parameters:
                gather(p)
            if all(have):
                due.append(segment)
                continue
            pieces = segment.split(have)
            at = group.segments.index(segment)
            group.segments[at : at + 1] = pieces
            changes.count += 1
            due += [piece for piece in pieces if piece.run.parameters[0].grad is not None]
        return due

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients; with ``set_to_none=False`` they become zeros instead."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    with recording(False):
                        p.grad = p.grad.detach().copy_(0.0)

    def state_dict(self) -> dict[str, Any]:
        """State and options in PyTorch's form: ``{"state": {index: {...}}, "param_groups": [...]}``, with copies."""
        return state_of(self)

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` returned, of an optimizer of the same kind over parameters of the same shapes.

        Raises CheckpointError, and changes nothing, if it does not fit.
        """
        load_state(self, saved)

    def __getstate__(self) -> dict[str, Any]:  # of copies and pickles: they get an arena of their own
        rest = {name: value for name, value in vars(self).items() if name not in ("param_groups", "found_inf")}
        return {
            "rest": rest,
            "parameters": [group["params"] for group in self.param_groups],
            "saved": self.state_dict(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state["rest"])
        self.found_inf, self.param_groups = {}, []
        for parameters, options in zip(state["parameters"], state["saved"]["param_groups"], strict=True):
            self.add_param_group({**options, "params": parameters})
        self.load_state_dict(state["saved"])

    def __repr__(self) -> str:
        lines = [
            ", ".join(f"{name}={value}" for name, value in group.items() if name != "params")
            + f", {len(group['params'])} parameters"
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(lines)})"
