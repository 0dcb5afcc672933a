"""Device memory as NumPy sees it: which bytes of it have been written, and what a graph may still touch."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from gradflow.testing.ptx.faults import KernelFault
from gradflow.testing.ptx.memory import BASE, Allocation, Memory
from gradflow.testing.simulated.conversion import converted

if TYPE_CHECKING:
    from gradflow.testing.simulated.graph import Capture
    from gradflow.testing.simulated.pool import Block


class Contents:
    """What is in device memory, for functions of NumPy to read and write."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.blocks: weakref.WeakValueDictionary[int, Block] = weakref.WeakValueDictionary()  # in use, by address
        self.heirs: dict[int, Capture | None] = {}  # the captures that memory freed in a capture went to, by offset
        self._origin = memory.bytes.__array_interface__["data"][0] - BASE

    def view(self, address: int, shape: Any, dtype: Any, order: Any = "C") -> Any:
        """Device memory as a NumPy array."""
        if address == 0:
            return np.empty(shape, dtype)
        return np.ndarray(shape, dtype, self.memory.bytes, address - BASE, order=order)

    def address(self, a: Any) -> int:
        """The device address of a NumPy view of device memory."""
        return int(a.__array_interface__["data"][0] - self._origin)

    def write(self, a: Any, allocation: Allocation, result: Any) -> None:
        """Write ``result``, converted as CUDA converts, into the view ``a`` of an allocation."""
        a[...] = converted(result, a.dtype)
        if allocation.complete:
            return
        if a.nbytes == allocation.size and a.flags.forc:
            allocation.complete = True
            self.memory.written[allocation.start : allocation.start + a.nbytes] = 1
        elif a.size:
            self._bytes_written(a)[...] = 1

    def _bytes_written(self, a: Any) -> Any:
        """Whether each byte of ``a`` has been written: an array with one more dimension, the bytes of an element."""
        start = self.address(a) - BASE
        return np.ndarray((*a.shape, a.itemsize), np.uint8, self.memory.written, start, (*a.strides, 1))

    def check_written(self, name: str, a: Any, allocation: Allocation) -> None:
        """Raise if a byte of the view ``a`` has not been written."""
        if allocation.complete or a.size == 0:
            return
        if not self._bytes_written(a).all():
            raise KernelFault(
                "uninitialised read",
                f"{name}: {a.shape} of {a.dtype} at {self.address(a):#x} is read before all of it has been written; "
                "xp.empty leaves memory as it was",
            )
        if a.nbytes == allocation.size and a.flags.forc:
            allocation.complete = True

    def check_alive(self, name: str, allocation: Allocation, capture: Capture) -> None:
        """Raise if memory that a captured call works on has been freed, or serves an array from outside the capture."""
        if allocation.size == 0:
            return
        address = BASE + allocation.start
        block = self.blocks.get(address)
        if allocation.start not in self.memory.allocations:
            fate = "freed"
        elif (block is not None and block._allocation is not allocation and block._capture is not capture) or (
            self.heirs.get(allocation.start, capture) is not capture
        ):
            fate = "given to another array"
        else:
            return
        raise KernelFault(
            "use after free",
            f"graph: {name!r} was captured on the array at {address:#x}, whose memory has been {fate} since; keep "
            "every array of a graph as long as the graph",
        )
