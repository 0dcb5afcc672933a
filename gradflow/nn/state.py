"""Writing a state dict into the tensors of a model: all of it, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gradflow.errors import CheckpointError, DTypeError, StateKeyError
from gradflow.mode import no_grad
from gradflow.tensor import Tensor, TensorLike, tensor


class LoadedKeys(NamedTuple):
    """The names that only the model has, and those that only the state has."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def check_state(state: Any) -> None:
    """Raise DTypeError unless ``state`` is a mapping, as of the pair that ``gf.serialize.load`` returns."""
    if not isinstance(state, Mapping):
        what = f"tensors by name, not a {type(state).__name__}"
        raise DTypeError(f"load_state_dict: takes {what}; of a file, state, metadata = gf.serialize.load(path)")


def load(state: Mapping[str, TensorLike], into: Mapping[str, Tensor], strict: bool) -> LoadedKeys:
    """Write the values of ``state`` into the tensors of the same names, if all of them fit."""
    keys = LoadedKeys([name for name in into if name not in state], [n for n in state if n not in into])
    if strict and any(keys):
        raise _other_names(keys)
    values = {name: tensor(state[name]).detach() for name in into if name in state}
    wrong = [complaint for name, value in values.items() if (complaint := _complaint(name, into[name], value))]
    if wrong:
        raise CheckpointError(f"load_state_dict: {'; '.join(wrong)}; nothing was loaded")
    moved = {name: value.to(into[name].device) for name, value in values.items()}
    with no_grad():
        for name, value in moved.items():
            into[name].copy_(value)  # into the arrays that are there: optimizers and compiled steps hold them
    return keys


def _complaint(name: str, target: Tensor, value: Tensor) -> str:
    if target.shape != value.shape:
        return f"{name} is {target.shape} in the model and {value.shape} in the state"
    if not np.can_cast(value.dtype, target.dtype, "same_kind"):
        return f"{name} is {target.dtype} in the model and {value.dtype} in the state"
    return ""


def _other_names(keys: LoadedKeys) -> StateKeyError:
    facts = []
    if keys.missing_keys:
        facts.append(f"the state lacks {', '.join(keys.missing_keys)}")
    if keys.unexpected_keys:
        facts.append(f"the model has no {', '.join(keys.unexpected_keys)}")
    return StateKeyError(
        f"load_state_dict: {' and '.join(facts)}; nothing was loaded (with strict=False, shared names are)"
    )
