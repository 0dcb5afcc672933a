"""Device memory: one range of addresses, which bytes of it are allocated, and which have been written."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from gradflow.errors import DeviceError

BASE = 1 << 40  # the first address: a small number, or a host pointer, is none
UNIT = 512  # allocations are aligned to this many bytes, and as many are between them that nobody may touch
QUARANTINE = 1 << 26  # bytes that stay unused after they are freed, so that a use after free is seen


class Allocation:
    """A range of offsets; ``complete`` if every byte of it has been written."""

    __slots__ = ("complete", "size", "start")

    def __init__(self, start: int, size: int) -> None:
        self.start, self.size, self.complete = start, size, size == 0


class Place(NamedTuple):
    """Where an address is, in words, and what kind of fault an access there would be."""

    kind: str
    words: str


class Memory:
    """The memory of one simulated device.

    ``capacity`` bytes; the operating system commits only the pages that are used. Addresses are integers, as in CUDA.

    >>> import numpy as np
    >>> from gradflow.testing import ptx
    >>> memory = ptx.Memory(1 << 20)
    >>> address = memory.upload(np.arange(3.0))
    >>> memory.download(address, (3,), np.float64)
    array([0., 1., 2.])
    """

    def __init__(self, capacity: int = 1 << 30) -> None:
        self.capacity = capacity // UNIT * UNIT
        self.bytes = np.zeros(self.capacity, np.uint8)
        self.written = np.zeros(self.capacity, np.uint8)
        self.views = {
            code: self.bytes.view(code) for code in ("u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "u8", "i8", "f8")
        }
        self.written_as = {
            1: self.written,
            2: self.written.view("u2"),
            4: self.written.view("u4"),
            8: self.written.view("u8"),
        }
        self.allocations: dict[int, Allocation] = {}
        self.starts: list[int] = []
        self.symbols: dict[Any, int] = {}  # variables of programs, by program and name
        self._top = UNIT
        self._free: dict[int, list[int]] = {}  # rounded size: starts
        self._freed: deque[tuple[int, int]] = deque()
        self._resting = 0

    def allocate(self, nbytes: int) -> int:
        """The address of ``nbytes`` new bytes, aligned to 512; DeviceError if there is no room."""
        room = (max(nbytes, 1) + 2 * UNIT - 1) // UNIT * UNIT
        start = self._find(room)
        self.allocations[start] = allocation = Allocation(start, nbytes)
        insort(self.starts, start)
        if not allocation.complete:
            self.written[start : start + nbytes] = 0
        return BASE + start

    def free(self, address: int) -> None:
        """Give back what ``allocate`` returned."""
        start = address - BASE
        if start not in self.allocations:
            raise DeviceError(f"free of {address:#x}, which is {self.place(address, 1).words}")
        allocation = self.allocations.pop(start)
        self.starts.remove(start)
        room = (max(allocation.size, 1) + 2 * UNIT - 1) // UNIT * UNIT
        self._freed.append((start, room))
        self._resting += room
        while self._resting > QUARANTINE:
            self._release()

    def _release(self) -> None:
        start, room = self._freed.popleft()
        self._resting -= room
        self._free.setdefault(room, []).append(start)

    def _find(self, room: int) -> int:
        if starts := self._free.get(room):
            return starts.pop()
        if self._top + room > self.capacity:
            while self._freed:
                self._release()
            self._merge()
        for size in sorted(self._free):
            if size >= room and self._free[size] and (self._top + room > self.capacity):
                start = self._free[size].pop()
                if size > room:
                    self._free.setdefault(size - room, []).append(start + room)
                return start
        if self._top + room > self.capacity:
            raise DeviceError(f"{room} bytes asked of a simulated device with {self.capacity}, {self._top} in use")
        start, self._top = self._top, self._top + room
        return start

    def _merge(self) -> None:
        """Make neighbouring free ranges one."""
        ranges = sorted((start, size) for size, starts in self._free.items() for start in starts)
        self._free = {}
        merged: list[tuple[int, int]] = []
        for start, size in ranges:
            if merged and sum(merged[-1]) == start:
                merged[-1] = (merged[-1][0], merged[-1][1] + size)
            else:
                merged.append((start, size))
        if merged and sum(merged[-1]) == self._top:
            self._top = merged.pop()[0]
        for start, size in merged:
            self._free.setdefault(size, []).append(start)

    def view(self, address: int, shape: Sequence[int], dtype: Any, strides: Sequence[int] | None = None) -> Any:
        """Device memory as a NumPy array that shares it; ``strides`` in bytes, C order without. Checks nothing."""
        dtype = np.dtype(dtype)
        start = address - BASE
        if strides is None:
            count = int(np.prod(shape, dtype=np.int64))
            return self.bytes[start : start + count * dtype.itemsize].view(dtype).reshape(shape)
        anchor = np.ndarray((1,), dtype, self.bytes, start)
        return as_strided(anchor, tuple(shape), tuple(strides))

    def mark_written(self, address: int, nbytes: int) -> None:
        """Let ``nbytes`` from ``address`` count as initialised."""
        start = address - BASE
        allocation = self.find(start)
        if allocation is not None and not allocation.complete:
            self.written[start : start + nbytes] = 1
            allocation.complete = (start, nbytes) == (allocation.start, allocation.size)

    def upload(self, array: Any) -> int:
        """The address of a copy of a NumPy array, in C order."""
        array = np.ascontiguousarray(array)
        address = self.allocate(array.nbytes)
        self.view(address, array.shape, array.dtype)[...] = array
        self.mark_written(address, array.nbytes)
        return address

    def download(self, address: int, shape: Sequence[int], dtype: Any) -> Any:
        """A copy of device memory as a NumPy array."""
        return self.view(address, shape, dtype).copy()

    def find(self, offset: int) -> Allocation | None:
        """The allocation that the byte at an offset belongs to."""
        at = bisect_right(self.starts, offset) - 1
        if at < 0:
            return None
        allocation = self.allocations[self.starts[at]]
        return allocation if offset < allocation.start + allocation.size else None

    def place(self, address: int, width: int) -> Place:
        """Where the ``width`` bytes at ``address`` are, for an error message."""
        offset = address - BASE
        for start, room in self._freed:
            if start <= offset < start + room - UNIT:
                return Place(
                    "use after free", f"{offset - start} bytes into memory that was freed at {BASE + start:#x}"
                )
        at = bisect_right(self.starts, offset) - 1
        if at >= 0:
            allocation = self.allocations[self.starts[at]]
            past = offset - allocation.start - allocation.size
            words = f"the {allocation.size} bytes allocated at {BASE + allocation.start:#x}"
            if past < 0:
                return Place("out of bounds", f"{offset - allocation.start} bytes into {words}")
            if past < 1 << 20:
                return Place("out of bounds", f"{past} bytes past the end of {words}")
        if at + 1 < len(self.starts) and offset + (1 << 20) > self.starts[at + 1]:
            after = self.allocations[self.starts[at + 1]]
            distance = after.start - offset
            return Place(
                "out of bounds", f"{distance} bytes before the {after.size} bytes allocated at {BASE + after.start:#x}"
            )
        return Place("out of bounds", "near no allocation" if address else "a null pointer")
