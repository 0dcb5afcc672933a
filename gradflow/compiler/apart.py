"""Arguments lie apart from what a step writes, or a plan could not tell what it does to which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradflow.backend import backend_of
from gradflow.compiler.program import INPUT, STATE, Program
from gradflow.errors import CompileError

KNOWN = 1024  # batches whose addresses are remembered
Place = tuple[int, int]  # the addresses between which memory lies


class Apart:
    """Which memory the arguments of a program must not share; if ``free``, they may share any."""

    def __init__(self, program: Program) -> None:
        written = {value.storage for call in program.calls for value in call.writes}
        state = [s for s in program.storages if s.origin == STATE]
        self._written_state = [place_of(s.array) for s in state if s in written]
        self._state = [place_of(s.array) for s in state]
        self._inputs = [(i, x.storage) for i, x in enumerate(program.inputs) if x.storage.origin == INPUT]
        self._written = {i for i, storage in self._inputs if storage in written}
        self.free = not self._written_state and not self._written
        self._known: set[tuple[int, ...]] = set()  # addresses of arguments that were found to be apart

    def check_again(self, arrays: Sequence[Any], addresses: Sequence[int]) -> None:
        """``check``, unless ``arrays``, of the same shapes and strides each time, were found apart at ``addresses``."""
        key = tuple(addresses)
        if self.free or key in self._known:
            return
        self.check(arrays)
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known.add(key)

    def check(self, arrays: Sequence[Any]) -> None:
        """Raise CompileError if an argument shares memory with what the step writes, or is written and shares any."""
        if self.free:
            return
        places = [(i, storage, place_of(arrays[i])) for i, storage in self._inputs]
        for i, storage, place in places:
            others = self._state if i in self._written else self._written_state
            others = [
                *others,
                *(p for j, s, p in places if s is not storage and (i in self._written or j in self._written)),
            ]
            if any(place[0] < end and start < place[1] for start, end in others):
                raise CompileError(
                    f"gf.compile: argument {i}, a tensor of shape {arrays[i].shape}, shares memory with something "
                    "that the step writes in place, which a plan could not keep apart from other arguments; pass a "
                    "copy, or close over it instead of passing it"
                )


def place_of(array: Any) -> Place:
    """The addresses between which ``array`` lies."""
    low, high = backend_of(array).memory_of(array)
    return low, high
