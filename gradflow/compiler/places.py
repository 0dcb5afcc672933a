"""Which memory an array of a traced step lies in: storages, and arrays as parts of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gradflow.backend import backend_of
from gradflow.compiler.program import COMPUTED, INPUT, STATE, Storage, Value


class Places:
    """The storages of a trace, and the arrays that were met, as values.

    Arrays are told apart by the memory they lie in, so that views, gradients that land in an arena, and flat arrays
    over many parameters are known for what they are. All arrays are held until ``release``, so that no other gets the
    identity of one that is gone.
    """

    def __init__(self) -> None:
        self.storages: list[Storage] = []
        self._roots: dict[int, list[tuple[int, int, Storage]]] = {}  # by owner of the memory: begin, end, storage
        self._values: dict[int, Value] = {}
        self._alive: list[Any] = []

    def release(self) -> None:
        """Hold no array any more but those of the storages."""
        self._values.clear()
        self._alive.clear()

    def known(self, array: Any) -> Value | None:
        """``array``, if it was met before."""
        return self._values.get(id(array))

    def argument(self, array: Any) -> Value:
        """``array``, an argument of the step: a storage of its own, whatever it is a part of."""
        low, high = backend_of(array).memory_of(array)
        return self._value(array, self._storage(INPUT, array, high - low, low), low)

    def value(self, array: Any) -> Value:
        """``array``, which an op reads; one not met before was there already, or was made in the step off the door."""
        return self.known(array) or self._value(array, *(self._place(array) or self._whole(STATE, array)))

    def result(self, array: Any, near: list[Storage]) -> tuple[Value, bool]:
        """``array``, met for the first time, made by an op that read ``near``; and whether it is a view of those."""
        place = self._place(array, near)
        if place is not None and place[0] in near:
            return self._value(array, *place), True
        return self._value(array, *(place or self._whole(COMPUTED, array))), False

    def _whole(self, origin: str, array: Any) -> tuple[Storage, int]:
        """A new storage for all the memory that ``array`` is a part of, and where it begins."""
        owner = _owner(array)
        low, high = backend_of(owner).memory_of(owner)
        return self._storage(origin, owner, high - low, low), low

    def _storage(self, origin: str, array: Any, nbytes: int, start: int) -> Storage:
        device = backend_of(array).device_of(array)
        storage = Storage(origin, len(self.storages), nbytes, device)
        if origin != INPUT:
            storage.array = _owner(array)
        self.storages.append(storage)
        self._roots.setdefault(id(_owner(array)), []).append((start, start + nbytes, storage))
        self._alive.append(_owner(array))
        return storage

    def _value(self, array: Any, storage: Storage, start: int) -> Value:
        """``array`` as a part of ``storage``, whose memory begins at ``start``."""
        strides = None if array.flags.c_contiguous else tuple(array.strides)
        value = Value(storage, array.shape, array.dtype, _address(array) - start, strides)
        self._values[id(array)] = value
        self._alive.append(array)
        return value

    def _place(self, array: Any, near: Iterable[Storage] = ()) -> tuple[Storage, int] | None:
        """The storage that ``array`` is a part of, one of ``near`` if there are several, and where it begins."""
        low, high = backend_of(array).memory_of(array)
        found = [
            (storage, start)
            for start, end, storage in self._roots.get(id(_owner(array)), ())
            if start <= low and high <= end
        ]
        preferred = [each for each in found if each[0] in near]
        return next(iter(preferred or found), None)


def _owner(array: Any) -> Any:
    """The array whose memory ``array`` is a part of."""
    while isinstance(array.base, type(array)):
        array = array.base
    return array


def _address(array: Any) -> int:
    if hasattr(array, "__array_interface__"):
        address: int = array.__array_interface__["data"][0]
        return address
    return int(array.data.ptr)
