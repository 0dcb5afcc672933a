"""The simulated computer: devices, the order of what they do, and the faults they are told to have."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gradflow.testing.ptx.memory import BASE, Memory
from gradflow.testing.simulated.contents import Contents
from gradflow.testing.simulated.graph import Capture, Node
from gradflow.testing.simulated.log import Log, Record
from gradflow.testing.simulated.status import CAPTURING, CUDARuntimeError

if TYPE_CHECKING:
    from gradflow.testing.ptx import Report
    from gradflow.testing.simulated.pool import Pool
    from gradflow.testing.simulated.stream import Queue

LAUNCHES = frozenset({"kernel", "gemm", "graph"})
SCALARS = frozenset({bool, int, float, complex, type(None), *np.sctypeDict.values()} - {np.object_, np.str_, np.bytes_})
ARENA = 4 << 30  # bytes that are really there, for all devices together, however much memory they say they have


class Processor:
    """One device: how much memory is left, its pool, its default stream, and the error that poisoned its context."""

    def __init__(self, number: int, capacity: int) -> None:
        self.number = number
        self.capacity = capacity
        self.taken = 0  # bytes that pools and raw allocations hold
        self.poison: str | None = None
        self.pool: Pool
        self.null: Queue


class Machine:
    """What all arrays, streams and kernels of one simulated ``cupy`` share.

    ``log`` has what was done; ``memory`` the device memory. With no devices there is no driver either.
    """

    def __init__(self, devices: int, capacity: int) -> None:
        self.memory = Memory(min(ARENA, max(devices, 1) * capacity * 2 + (1 << 28)))
        self.contents = Contents(self.memory)
        self.log = Log()
        self.processors = [Processor(number, capacity) for number in range(devices)]
        self.streams: weakref.WeakValueDictionary[int, Queue] = weakref.WeakValueDictionary()
        self.capturing: dict[int, Capture] = {}  # by pointer of the stream
        self.pinned: dict[int, int] = {}  # address: bytes of page-locked host memory
        self._allocations_left = self._launches_left = -1
        self.local = threading.local()
        self.reports: list[Report] | None = None  # of launches, while somebody wants them
        self.ndarray: Any = None
        self.functions: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()  # kernels by handle

    # ---- faults on demand

    def fail_allocation(self, n: int = 1) -> None:
        """Let the ``n``-th allocation of device memory from now on, and no other, fail for want of memory."""
        self._allocations_left = n

    def fail_launch(self, n: int = 1) -> None:
        """Let the ``n``-th launch from now on fail; as on a device, every later call of the same device fails too."""
        self._launches_left = n

    # ---- what is current

    @property
    def device(self) -> Processor:
        """The current device of this thread."""
        if not self.processors:
            raise CUDARuntimeError("cudaErrorInsufficientDriver")
        return self.processors[getattr(self.local, "device", 0)]

    def set_device(self, number: int) -> None:
        """Make device ``number`` the current one of this thread."""
        if not self.processors:
            raise CUDARuntimeError("cudaErrorInsufficientDriver")
        if not 0 <= number < len(self.processors):
            raise CUDARuntimeError("cudaErrorInvalidDevice")
        self.local.device = number

    def stream(self, device: Processor | None = None) -> Queue:
        """The current stream of a device, of the current one by default, in this thread."""
        processor = device or self.device
        chosen: dict[int, Queue] = self.local.__dict__.get("streams") or {}
        return chosen.get(processor.number, processor.null)

    def set_stream(self, device: int, stream: Queue) -> None:
        """Make ``stream`` the current one of a device in this thread."""
        self.local.__dict__.setdefault("streams", {})[device] = stream

    def stream_at(self, pointer: int) -> Queue:
        """The stream of the current device with this pointer."""
        if pointer in (0, 1):
            return self.device.null
        stream = self.streams.get(pointer)
        if stream is None:
            raise CUDARuntimeError("cudaErrorInvalidResourceHandle")
        return stream

    def allocate(self, nbytes: int) -> Any:
        """A block of memory for an array, from this thread's allocator or the pool of the device."""
        allocator = getattr(self.local, "allocator", None)
        return self.device.pool.allocate(nbytes) if allocator is None else allocator(nbytes).mem

    # ---- what a device does

    def begin(self, stream: Queue | None = None) -> Queue:
        """The stream that work is to go to, the current one by default; raises what its device raises."""
        device = self.device
        if device.poison is not None:
            raise CUDARuntimeError(device.poison)
        if stream is None:
            stream = self.stream(device)
        if stream.ptr == 0 and self.capturing:
            capture = self.blocking_capture()
            if capture is not None:
                capture.valid = False
                raise CUDARuntimeError("cudaErrorStreamCaptureImplicit")
        return stream

    def blocking_capture(self) -> Capture | None:
        """A capture on the current device that keeps its default stream from being used: one of a blocking stream."""
        for capture in self.capturing.values():
            if not capture.origin.is_non_blocking and capture.origin.device_id == self.device.number:
                return capture
        return None

    def enqueue(
        self,
        kind: str,
        name: str,
        nbytes: int,
        work: Callable[[], Any],
        stream: Queue | None = None,
        touches: Sequence[int] = (),
    ) -> None:
        """Do ``work`` now, or, if the stream is capturing, whenever the graph is launched.

        A graph is not launched if memory at one of the addresses that it ``touches`` has been freed since.
        """
        stream = self.begin(stream)
        if kind in LAUNCHES and stream.device_id not in (-1, self.device.number):
            raise CUDARuntimeError("cudaErrorInvalidResourceHandle")
        record = Record(kind, name, nbytes, stream.ptr, self.device.number)
        capture = self.capture(stream)
        if capture is not None:
            capture.add(Node(record, self._guarded(name, work, touches, capture)))
            return
        self.log.add(record)
        if kind in LAUNCHES:
            self.count_launch()
        work()

    def _guarded(
        self, name: str, work: Callable[[], Any], touches: Sequence[int], capture: Capture
    ) -> Callable[[], None]:
        allocations = [self.memory.find(address - BASE) for address in touches]

        def replay() -> None:
            for allocation in allocations:
                if allocation is not None:
                    self.contents.check_alive(name, allocation, capture)
            work()

        return replay

    def count_launch(self) -> None:
        """Fail if this is the launch that was told to."""
        self._launches_left -= 1
        if self._launches_left == 0:
            self.poison("cudaErrorLaunchFailure")

    def poison(self, status: str) -> None:
        """Raise the error ``status``, and let every later call of the current device raise it."""
        self.device.poison = status
        raise CUDARuntimeError(status)

    def capture(self, stream: Queue) -> Capture | None:
        """What ``stream`` is part of the capture of."""
        return self.capturing.get(stream.ptr)

    def synchronize(self, stream: Queue | None = None, name: str = "stream") -> None:
        """Wait for a stream, the current one by default: which a capture does not allow."""
        stream = self.begin(stream)
        capture = self.capture(stream)
        if capture is not None:
            capture.valid = False
            raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported")
        self.log.add(Record("sync", name, 0, stream.ptr, self.device.number))

    def compute(
        self, name: str, function: Callable[..., Any], operands: Sequence[Any], out: Any = None, kind: str = "kernel"
    ) -> Any:
        """What ``function`` makes of the operands as NumPy sees them, as a device array: ``out`` or a new one.

        In a capture only the shape of the result is found out; it is computed when the graph is launched.
        """
        queue = self.begin()
        capture = self.capture(queue)
        views: list[Any] = []
        nbytes = 0
        for x in operands:
            if type(x) is self.ndarray:
                views.append(x._a if capture is not None else self.readable(x))
                nbytes += x._a.nbytes
            elif type(x) in SCALARS:
                views.append(x)
            else:
                raise TypeError(f"Unsupported type {type(x)}")
        with np.errstate(all="ignore"):
            result = np.asarray(function(*views))
        if out is None:
            out = self.ndarray._empty(result.shape, result.dtype)
        record = Record(kind, name, nbytes + result.nbytes, queue.ptr, self.device.number)
        if capture is not None:
            self._capture(capture, record, function, views, [x for x in operands if type(x) is self.ndarray], out)
            return out
        self.log.add(record)
        if self._launches_left >= 0 and kind in LAUNCHES:
            self.count_launch()
        self.store(out, result)
        return out

    def _capture(
        self, capture: Capture, record: Record, function: Any, views: list[Any], reads: list[Any], out: Any
    ) -> None:
        out_view, allocation = out._a, out._block._allocation
        blocks = [(x._a, x._block._allocation) for x in reads]

        def replay() -> None:
            for a, each in blocks:
                self.contents.check_alive(record.name, each, capture)
                self.contents.check_written(record.name, a, each)
            self.contents.check_alive(record.name, allocation, capture)
            with np.errstate(all="ignore"):
                self.contents.write(out_view, allocation, np.asarray(function(*views)))

        capture.add(Node(record, replay))

    def readable(self, x: Any) -> Any:
        """The device array ``x`` as NumPy sees it, if it is of the current device and has been written."""
        block = x._block
        if block.device_id != getattr(self.local, "device", 0):
            raise ValueError(
                "Array device must be same as the current device: "
                f"array device = {block.device_id} while current = {self.device.number}"
            )
        if not block._allocation.complete:
            self.contents.check_written("read", x._a, block._allocation)
        return x._a

    def store(self, x: Any, result: Any) -> None:
        """Write ``result``, converted as CUDA converts, into the device array ``x``."""
        self.contents.write(x._a, x._block._allocation, result)

    def read_back(self, name: str, nbytes: int = 8, stream: Queue | None = None) -> None:
        """Wait and copy a few bytes to the host: which CuPy refuses during a capture, before CUDA would."""
        queue = self.begin(stream)
        if self.capture(queue) is not None:
            raise RuntimeError(CAPTURING)
        self.synchronize(queue, name)
        self.log.add(Record("copy_d2h", name, nbytes, queue.ptr, self.device.number))

    # ---- memory of a device, as cudaMalloc gives it

    def take(self, device: Processor, nbytes: int) -> bool:
        """Whether ``nbytes`` could be taken from a device; not while the current stream is capturing."""
        if self.capture(self.stream(device)) is not None:
            raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported")
        if device.taken + nbytes > device.capacity:
            return False
        device.taken += nbytes
        self.log.add(Record("alloc", "cudaMalloc", nbytes, 0, device.number))
        return True

    def give_back(self, device: Processor, nbytes: int) -> None:
        """Give back what ``take`` took."""
        device.taken -= nbytes
        self.log.add(Record("free", "cudaFree", nbytes, 0, device.number))

    def allocation_fails(self) -> bool:
        """Whether this is the allocation that was told to fail."""
        self._allocations_left -= 1
        return self._allocations_left == 0

    def is_pinned(self, a: Any) -> bool:
        """Whether a NumPy array lies in page-locked memory."""
        start: int = a.__array_interface__["data"][0]
        return any(first <= start and start + a.nbytes <= first + size for first, size in self.pinned.items())
