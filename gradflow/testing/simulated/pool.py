"""The memory pool: blocks in units of 512 bytes, kept for the stream that freed them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradflow.testing.ptx.memory import BASE, Allocation
from gradflow.testing.simulated.status import CUDARuntimeError, OutOfMemoryError

if TYPE_CHECKING:
    from gradflow.testing.simulated.graph import Capture
    from gradflow.testing.simulated.machine import Machine, Processor
    from gradflow.testing.simulated.stream import Queue

UNIT = 512


class Block:
    """Memory that is in use; it returns to its pool when nothing refers to it any more."""

    __slots__ = ("__weakref__", "_allocation", "_capture", "_pool", "_stream", "device_id", "ptr", "size")

    def __init__(
        self, ptr: int, size: int, device_id: int, allocation: Allocation, pool: Pool | None = None, stream: int = 0
    ) -> None:
        self.ptr = ptr
        self.size = size
        self.device_id = device_id
        self._allocation = allocation
        self._capture: Capture | None = None  # what it was allocated in
        self._pool = pool
        self._stream = stream

    def __del__(self) -> None:
        if self._pool is not None:
            self._pool.take_back(self.ptr, self.size, self._stream)


class Pool:
    """The memory of one device that CuPy holds: used by arrays, or free and kept for the next ones.

    A block that was freed serves only a request of the same size in units, on the same stream. (CuPy's pool also cuts
    and joins blocks.) Its address is not given out again at once: who uses it after it was freed, is caught. Only what
    is freed during a capture stays where it is, for the graph, until it is given to the next array.
    """

    def __init__(self, machine: Machine, device: Processor) -> None:
        self.machine = machine
        self.device = device
        self.free: dict[tuple[int, int], int] = {}  # (stream, bytes): blocks
        self.resting: dict[tuple[int, int], list[Allocation]] = {}  # of the free ones, those freed during a capture
        self.passed: list[Allocation] = []  # of those, the ones whose bytes went to an array of another size
        self.used_bytes = self.free_bytes = self.limit = 0

    def allocate(self, nbytes: int) -> Block:
        """A block of ``nbytes`` for the current stream; OutOfMemoryError if there is not so much."""
        machine, device = self.machine, self.device
        if device.poison is not None:
            raise CUDARuntimeError(device.poison)
        if nbytes == 0:
            return Block(0, 0, device.number, Allocation(0, 0))
        size = -(-nbytes // UNIT) * UNIT
        if machine.allocation_fails():
            raise OutOfMemoryError(size, self.used_bytes + self.free_bytes, self.limit)
        stream = machine.stream(device).ptr
        spare = self.free.get((stream, size))
        if spare:
            self.free[stream, size] = spare - 1
            self.free_bytes -= size
        else:
            self._grow(size)
        self.used_bytes += size
        resting = self.resting.get((stream, size))
        capture = machine.capturing.get(stream)
        address = self._reuse(resting, nbytes, capture) if resting else machine.memory.allocate(nbytes)
        block = Block(address, nbytes, device.number, machine.memory.allocations[address - BASE], self, stream)
        block._capture = capture
        machine.contents.blocks[address] = block
        return block

    def _reuse(self, resting: list[Allocation], nbytes: int, capture: Capture | None) -> int:
        """The address of ``nbytes`` in place of a block that was freed during a capture, for use in ``capture``."""
        memory = self.machine.memory
        same = next((each for each in reversed(resting) if each.size == nbytes), None)
        if same is None:  # red zones do not fit: it stays where it is, but is no longer the graph's alone
            passed = resting.pop()
            self.passed.append(passed)
            self.machine.contents.heirs[passed.start] = capture
            return memory.allocate(nbytes)
        resting.remove(same)
        memory.allocations[same.start] = Allocation(same.start, nbytes)
        memory.written[same.start : same.start + nbytes] = 0
        return BASE + same.start

    def _grow(self, size: int) -> None:
        """Take ``size`` bytes from the device, if need be after giving back what is free, as CuPy does."""
        for last in (False, True):
            total = self.used_bytes + self.free_bytes
            if (not self.limit or total + size <= self.limit) and self.machine.take(self.device, size):
                return
            if last:
                raise OutOfMemoryError(size, total, self.limit)
            self.free_all_blocks()

    def take_back(self, address: int, nbytes: int, stream: int) -> None:
        """Keep a block that is no longer used for the next request like it."""
        size = -(-nbytes // UNIT) * UNIT
        self.used_bytes -= size
        self.free_bytes += size
        self.free[stream, size] = self.free.get((stream, size), 0) + 1
        if stream in self.machine.capturing:
            allocation = self.machine.memory.allocations[address - BASE]
            self.resting.setdefault((stream, size), []).append(allocation)
        else:
            self.machine.memory.free(address)

    def free_all_blocks(self, stream: int | None = None) -> None:
        """Give free blocks back to the device: all, or those of one stream."""
        for owner, size in list(self.free):
            if stream is None or owner == stream:
                for _ in range(self.free.pop((owner, size))):
                    self.free_bytes -= size
                    self.machine.give_back(self.device, size)
                for allocation in self.resting.pop((owner, size), []):
                    self.machine.memory.free(BASE + allocation.start)
        while stream is None and self.passed:
            passed = self.passed.pop()
            del self.machine.contents.heirs[passed.start]
            self.machine.memory.free(BASE + passed.start)


class MemoryPool:
    """A pool of its own for each device; ``cupy.get_default_memory_pool()`` shows the one that arrays come from."""

    _machine: Machine
    _pointer: Any

    def __init__(self) -> None:
        self._pools: dict[int, Pool] = {}

    @property
    def _pool(self) -> Pool:
        """The pool of the current device."""
        device = self._machine.device
        return self._pools.setdefault(device.number, Pool(self._machine, device))

    def malloc(self, size: int) -> Any:
        """A pointer to ``size`` new bytes."""
        return self._pointer(self._pool.allocate(size), 0)

    def used_bytes(self) -> int:
        """The bytes that arrays hold."""
        return self._pool.used_bytes

    def free_bytes(self) -> int:
        """The bytes that are kept for later arrays."""
        return self._pool.free_bytes

    def total_bytes(self) -> int:
        """All bytes that were taken from the device."""
        return self.used_bytes() + self.free_bytes()

    def n_free_blocks(self) -> int:
        """How many blocks are kept for later arrays."""
        return sum(self._pool.free.values())

    def free_all_blocks(self, stream: Queue | None = None) -> None:
        """Give back to the device what is kept for later arrays, of one stream or of all."""
        self._pool.free_all_blocks(None if stream is None else stream.ptr)

    def get_limit(self) -> int:
        """The bytes this pool may take from the device; 0 if there is no limit."""
        return self._pool.limit

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        """Limit what this pool may take, in bytes or as a fraction of the device's memory."""
        device = self._machine.device
        if size is not None and fraction is not None:
            raise ValueError("size and fraction cannot be specified at one time")
        if fraction is not None:
            size = int(fraction * device.capacity)
        self._pool.limit = size or 0
