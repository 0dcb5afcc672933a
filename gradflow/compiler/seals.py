"""What the memory of a traced step's tensors holds, to find out that somebody wrote to it past the door."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradflow.backend import backend_of
from gradflow.backend.traced import Traced
from gradflow.compiler.apart import Place, place_of

WORD = 8  # bytes
Sums = tuple[int, int, bytes]


class Seals:
    """Arrays that were there when they were met, and sums over what they held."""

    def __init__(self) -> None:
        self._sealed: dict[int, tuple[Any, Place, Sums]] = {}  # by identity
        self._acting = False

    def seal(self, array: Any) -> None:
        """Remember what ``array`` holds, if it is met for the first time."""
        if id(array) not in self._sealed and not isinstance(array, Traced):
            self._sealed[id(array)] = array, place_of(array), _sums(array)

    def renew(self, near: Any = None) -> None:
        """What shares memory with the array ``near``, or everything, was written in a way that a replay knows of."""
        for array, place, _ in list(self._of(near)):
            self._sealed[id(array)] = array, place, _sums(array)

    def begin_action(self) -> None:
        """A change of Python's state begins, which may write to tensors as it likes."""
        self._acting = True

    def end_action(self) -> None:
        """Such a change has ended, if one began."""
        if self._acting:
            self._acting = False
            self.renew()

    def bypassed(self, when: str, near: Any = None) -> str | None:
        """What is wrong, if an array, one that shares memory with ``near`` if it is given, holds what no call wrote."""
        self.end_action()
        for array, _, sums in self._of(near):
            if _sums(array) != sums:
                return (
                    f"gf.compile: a tensor's memory, of shape {array.shape}, was written past gradflow, by NumPy or "
                    f"CuPy, inside the compiled step, {when}; a replay would not write it. Use the tensor's own "
                    "methods, like x.copy_(y), x.add_(y) and x[i] = y, or compile with fallback=True, which leaves "
                    "such a step as it is"
                )
        return None

    def release(self) -> None:
        """Hold no array any more."""
        self._sealed.clear()

    def _of(self, near: Any) -> Iterator[tuple[Any, Place, Sums]]:
        if near is None or not self._sealed:
            return iter(self._sealed.values())
        low, high = place_of(near)
        return (each for each in self._sealed.values() if each[1][0] < high and low < each[1][1])


def _sums(array: Any) -> Sums:
    """Sums of all words and of every third, as fast as memory is read, and the bytes that fill no word."""
    if place_of(array)[0] % WORD:  # a GPU reads no words across the borders of words
        array = array.copy()
    flat = backend_of(array).xp.ascontiguousarray(array).reshape(-1).view(np.uint8)
    whole = flat.size // WORD * WORD
    words = flat[:whole].view(np.uint64)
    return int(words.sum()), int(words[::3].sum()), flat[whole:].tobytes()
