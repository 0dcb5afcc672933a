"""What every optimizer does: groups of parameters, state in arenas, steps, saving and loading."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gradflow import dtypes
from gradflow.backend import backend_of
from gradflow.errors import ArgumentError, StateKeyError
from gradflow.mode import enable_grad, recording
from gradflow.optim.arena import Run, check_parameters, check_place, gather, runs, settle
from gradflow.optim.group import ParamGroup, Segment
from gradflow.optim.state import load_state, state_of
from gradflow.tensor import Tensor


class Optimizer:
    """Moves parameters against their gradients.

    ``params`` is an iterable of parameters, or of dicts with ``params`` and the options in which that group differs.
    A subclass says what state it keeps (``state_names``) and how a run of parameters is updated (``update``).
    """

    defaults: dict[str, Any]

    def __init__(self, params: Iterable[Tensor] | Iterable[Mapping[str, Any]], defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[ParamGroup] = []
        given: list[Any] = [params] if isinstance(params, Tensor) else list(params)
        if given and all(isinstance(each, Mapping) for each in given):
            for group in given:
                self.add_param_group(group)
        else:
            self.add_param_group({"params": params if isinstance(params, Tensor) else given})

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Optimize more parameters, with options of their own where they are given."""
        unknown = set(group) - {"params", *self.defaults}
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
        xp = backend_of(run.values.data).xp
        state = {name: Tensor(xp.zeros_like(run.values.data)) for name in self.state_names(options)}
        return Segment(run, Tensor(xp.zeros((), dtypes.float64)), state)

    def check(self, options: dict[str, Any]) -> None:
        """Raise ArgumentError for options outside their range."""
        raise NotImplementedError

    def state_names(self, options: dict[str, Any]) -> tuple[str, ...]:
        """What is kept for every element, by PyTorch's names."""
        raise NotImplementedError

    def update(self, segment: Segment, group: ParamGroup) -> None:
        """Update the parameters of ``segment`` in place."""
        raise NotImplementedError

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Update every parameter that has a gradient; ``closure``, if given, computes loss and gradients first."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with recording(False):
            for group in self.param_groups:
                self._step(group)
        return loss

    def _step(self, group: ParamGroup) -> None:
        for segment in list(group.segments):
            parameters = segment.run.parameters
            have = [p.grad is not None for p in parameters]
            if not any(have):
                continue
            check_place(segment.run)
            for p in parameters:
                gather(p)
            if all(have):
                self.update(segment, group)
                continue
            pieces = segment.split(have)
            at = group.segments.index(segment)
            group.segments[at : at + 1] = pieces
            for piece in pieces:
                if piece.run.parameters[0].grad is not None:
                    self.update(piece, group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients; with ``set_to_none=False`` they become zeros instead."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    with recording(False):
                        p.grad = p.grad.detach().multiply_(0.0)

    def state_dict(self) -> dict[str, Any]:
        """State and options in PyTorch's form: ``{"state": {index: {...}}, "param_groups": [...]}``, with copies."""
        return state_of(self)

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` returned, of an optimizer of the same kind over parameters of the same shapes.

        Raises CheckpointError, and changes nothing, if it does not fit.
        """
        load_state(self, saved)

    def __repr__(self) -> str:
        lines = [
            ", ".join(f"{name}={value}" for name, value in group.items() if name != "params")
            + f", {len(group['params'])} parameters"
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(lines)})"
