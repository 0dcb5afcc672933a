"""The state of an optimizer, out and in, in PyTorch's form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gradflow.errors import CheckpointError
from gradflow.mode import recording
from gradflow.optim.group import INITIAL_LR, ParamGroup, Segment, runs_of_equal
from gradflow.tensor import Tensor, copied, tensor

if TYPE_CHECKING:
    from gradflow.optim.optimizer import Optimizer

FRESH: Mapping[str, Any] = {"step": 0.0}


def state_of(optimizer: Optimizer) -> dict[str, Any]:
    """State and options: ``{"state": {index: {...}}, "param_groups": [...]}``, with copies of all tensors."""
    numbers = _numbers(optimizer)
    segments = [segment for group in optimizer.param_groups for segment in group.segments if float(segment.step)]
    state = {numbers[id(p)]: _entry(segment, p) for segment in segments for p in segment.run.parameters}
    return {"state": dict(sorted(state.items())), "param_groups": groups_of(optimizer)}


def groups_of(optimizer: Optimizer) -> list[dict[str, Any]]:
    """The options of each group, its parameters by their numbers."""
    numbers = _numbers(optimizer)
    return [{**group.options, "params": [numbers[id(p)] for p in group["params"]]} for group in optimizer.param_groups]


def _numbers(optimizer: Optimizer) -> dict[int, int]:
    return {id(p): i for i, p in enumerate(_parameters(optimizer))}


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _entry(segment: Segment, p: Tensor) -> dict[str, Tensor]:
    kept = {name: segment.of(p, name) for name in segment.state}
    return {name: Tensor(copied(x.data)) for name, x in {"step": segment.step, **kept}.items()}


def load_state(optimizer: Optimizer, saved: Mapping[str, Any]) -> None:
    """Take over ``saved``; CheckpointError, with nothing changed, if it does not fit."""
    check_groups(optimizer, saved)
    _check(optimizer, saved)
    load_options(optimizer, saved)
    state, numbers = saved["state"], _numbers(optimizer)
    for group in optimizer.param_groups:
        entries = {id(p): state.get(numbers[id(p)], FRESH) for p in group["params"]}
        ages = [float(entries[id(p)]["step"]) for p in group["params"]]
        group.segments = [optimizer.segment(run, group.options) for run in runs_of_equal(ages, group["params"])]
        _fill(group, entries)


def load_options(optimizer: Optimizer, saved: Mapping[str, Any]) -> None:
    """Take over the options of the groups in ``saved``."""
    for group, options in zip(optimizer.param_groups, saved["param_groups"], strict=True):
        for name, value in options.items():
            if name != "params":
                group[name] = value


def _fill(group: ParamGroup, entries: dict[int, Mapping[str, Any]]) -> None:
    with recording(False):
        _copy(group, entries)


def _copy(group: ParamGroup, entries: dict[int, Mapping[str, Any]]) -> None:
    for segment in group.segments:
        for p in segment.run.parameters:
            entry = entries[id(p)]
            segment.step.copy_(float(entry["step"]))
            for name in segment.state.keys() & entry.keys():
                part = segment.of(p, name)
                part.copy_(tensor(entry[name], part.dtype, p.device))


def check_groups(optimizer: Optimizer, saved: Mapping[str, Any]) -> None:
    """Raise CheckpointError unless ``saved`` is a state dict, with the groups and options that there are."""
    what = f"load_state_dict of {type(optimizer).__name__}"
    if not isinstance(saved, Mapping) or not {"state", "param_groups"} <= set(saved):
        raise CheckpointError(f"{what}: expected a dict with 'state' and 'param_groups', as state_dict() returns")
    here = [len(group["params"]) for group in optimizer.param_groups]
    there = [len(group["params"]) for group in saved["param_groups"]]
    if here != there:
        raise CheckpointError(f"{what}: saved groups have {there} parameters, this optimizer's have {here}")
    for options in saved["param_groups"]:
        unknown = set(options) - {"params", INITIAL_LR, *optimizer.defaults}
        if unknown:
            raise CheckpointError(f"{what}: saved options {', '.join(sorted(unknown))} are not options of it")


def _check(optimizer: Optimizer, saved: Mapping[str, Any]) -> None:
    what = f"load_state_dict of {type(optimizer).__name__}"
    parameters = _parameters(optimizer)
    for index, entry in saved["state"].items():
        if index not in range(len(parameters)):
            raise CheckpointError(f"{what}: state is saved for parameter {index}; there are {len(parameters)}")
        shape = parameters[index].shape
        for name, value in entry.items():
            expected = () if name in optimizer.numbers else shape
            if name != "step" and tuple(value.shape) != expected:
                raise CheckpointError(f"{what}: {name} of parameter {index} is {tuple(value.shape)}, it is {expected}")
