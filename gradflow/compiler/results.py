"""What a replay returns: tensors that share memory with each other, or with what was there, as those of the step do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradflow.compiler.arrays import part
from gradflow.compiler.program import COMPUTED, CONSTANT, INPUT, STATE, Argument, LeftOn, Program, Storage, Value
from gradflow.tensor import Tensor

Get = Callable[[Value], Any]


class Results:
    """Makes the results of a run, and copies of what the run has made, which the next one overwrites."""

    def __init__(self, program: Program) -> None:
        self._outputs = program.outputs
        self._argument = {value.storage: number for number, value in enumerate(program.inputs)}
        values = [x for x in program.outputs if isinstance(x, Value)]
        values += [each.value for each in program.effects if each.kind == "value" and each.value is not None]
        self._spans = dict(_spans(values))

    def copies(self, array: Get) -> Get:
        """What gives the copy of a value: of ``array`` of it, or a part of a copy that it shares with others."""
        copied: dict[Storage, Any] = {}

        def copy(value: Value) -> Any:
            storage = value.storage
            if storage not in self._spans:
                return array(value).copy()
            low, high = self._spans[storage]
            if storage not in copied:
                copied[storage] = array(Value(storage, (high - low,), np.dtype(np.uint8), low)).copy()
            return part(copied[storage], value, value.offset - low)

        return copy

    def of(self, copy: Get, arguments: Sequence[Tensor]) -> list[Tensor]:
        """The tensors that are returned, after the run whose values ``copy`` gives and whose gradients are left."""
        return [self._one(x, copy, arguments) for x in self._outputs]

    def _one(self, x: Any, copy: Get, arguments: Sequence[Tensor]) -> Tensor:
        if isinstance(x, Value):
            if x.storage.origin in (COMPUTED, CONSTANT):
                return Tensor(copy(x))
            if x.storage.origin == STATE:
                return Tensor(part(x.storage.array, x, x.offset))
            return Tensor(part(arguments[self._argument[x.storage]].data, x, x.offset))
        if isinstance(x, Argument):
            return arguments[x.number]
        if isinstance(x, LeftOn):
            leaf = arguments[x.leaf.number] if isinstance(x.leaf, Argument) else x.leaf
            grad: Any = leaf.grad
            return grad  # type: ignore[no-any-return]
        there_before: Tensor = x
        return there_before


def _spans(values: Sequence[Value]) -> list[tuple[Storage, tuple[int, int]]]:
    """The storages of which more than one array in order is needed, and from where to where."""
    by_storage: dict[Storage, list[Value]] = {}
    for value in values:
        if value.storage.origin not in (STATE, INPUT) and value.size:
            by_storage.setdefault(value.storage, []).append(value)
    return [
        (storage, (min(x.reach[0] for x in parts), max(x.reach[1] for x in parts)))
        for storage, parts in by_storage.items()
        if len(parts) > 1 or parts[0].strides is not None
    ]
