"""What two traces of one step must have in common, for a replay to stand for both."""

from __future__ import annotations

from typing import Any

from gradflow.backend import backend_of
from gradflow.compiler.program import COMPUTED, CONSTANT, INPUT, STATE, LeftOn, Program, Value
from gradflow.site import described
from gradflow.tensor import Tensor

Line = tuple[str, Any]  # what is written of it in a message, and what is compared


def fingerprint(program: Program) -> list[Line]:
    """``program`` line by line: calls with their operands and attributes, what is returned, gradients that are left.

    Memory that was there before counts by its identity, constants by their elements.
    """
    numbers = {storage: i for i, storage in enumerate(s for s in program.storages if s.origin == COMPUTED)}

    seeds = [each.seed for each in program.pullbacks]
    inputs = {value.storage: i for i, value in enumerate((*program.inputs, *seeds))}

    def of(x: Any) -> Any:
        if isinstance(x, LeftOn):
            return LeftOn, of(x.leaf)
        if isinstance(x, Tensor):
            return Tensor, id(x)
        if not isinstance(x, Value):
            return type(x), _comparable(x)
        place = x.offset, x.shape, x.strides, x.dtype.str
        storage = x.storage
        if storage.origin == CONSTANT:
            array = storage.array if storage.initial is None else storage.initial
            return CONSTANT, backend_of(array).to_numpy(array).tobytes(), place
        if storage.origin == STATE:
            return STATE, id(storage.array), place
        if storage.origin == INPUT:
            return INPUT, inputs[storage], place
        return COMPUTED, numbers[storage], place

    lines: list[Line] = []
    for call in program.calls:
        attrs = tuple(sorted((name, _comparable(value)) for name, value in call.attrs.items()))
        line = call.name, tuple(map(of, call.inputs)), attrs, of(call.out)
        lines.append((f"{call.name} at {described(call.site)}", line))
    lines.append(("what the step returns", tuple(map(of, program.outputs))))
    for pullback in program.pullbacks:
        parts = tuple(map(of, (*pullback.of, *pullback.parts)))
        lines.append(("the gradients of what the step returns", (pullback.output, of(pullback.seed), parts)))
    for effect in program.effects:
        lines.append(("the gradients that the step leaves", (of(effect.leaf), effect.kind, of(effect.value))))
    return lines


def difference(first: list[Line], second: list[Line]) -> str | None:
    """The first line that differs, as a message has it; None if the two are the same."""
    for (what, one), (other_what, other) in zip(first, second, strict=False):
        if one != other:
            return what if what == other_what else f"{what}, the next time {other_what}"
    if len(first) != len(second):
        return "the number of operations"
    return None


def _comparable(x: Any) -> Any:
    """``x``, such that NaN equals itself and things without an order can be sorted."""
    return repr(x)
