"""What stands in for ``cupy.cuda``: devices, streams, memory, and the calls of the CUDA runtime."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from gradflow.testing.simulated import pointer
from gradflow.testing.simulated.driver import launch_kernel
from gradflow.testing.simulated.graph import Graph
from gradflow.testing.simulated.pool import MemoryPool, Pool
from gradflow.testing.simulated.runtime import Runtime
from gradflow.testing.simulated.status import CompileException, CUDADriverError, OutOfMemoryError
from gradflow.testing.simulated.stream import Event, ExternalStream, Stream

if TYPE_CHECKING:
    from gradflow.testing.simulated.machine import Machine


class Device:
    """A device by its number, the current one by default; in a ``with`` block it is the current one."""

    _machine: Machine

    def __init__(self, device: Any = None) -> None:
        self.id: int = self._machine.device.number if device is None else int(device)
        self._before: list[int] = []

    def __int__(self) -> int:
        return self.id

    def __index__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def __enter__(self) -> Device:
        self._before.append(self._machine.device.number)
        self.use()
        return self

    def __exit__(self, *error: object) -> None:
        self._machine.set_device(self._before.pop())

    def use(self) -> None:
        """Make this the current device of this thread."""
        self._machine.set_device(self.id)

    @property
    def compute_capability(self) -> str:
        """The version of its instruction set, without the point."""
        return "80"

    @property
    def mem_info(self) -> tuple[int, int]:
        """Bytes that are free and bytes in all."""
        processor = self._machine.processors[self.id]
        return processor.capacity - processor.taken, processor.capacity

    def synchronize(self) -> None:
        """Wait for all streams of the device; not while one of them is capturing."""
        for capture in self._machine.capturing.values():
            if capture.origin.device_id == self.id:
                self._machine.synchronize(capture.origin, "device")
        self._machine.synchronize(self._machine.processors[self.id].null, "device")


def bound(kind: type, machine: Machine, name: str, **more: Any) -> Any:
    """``kind`` for one machine."""
    return type(name, (kind,), {"__slots__": (), "_machine": machine, "__module__": "cupy.cuda", **more})


class Cuda:
    """The namespace ``cupy.cuda`` of one simulated machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.Device = bound(Device, machine, "Device")
        self.Graph = bound(Graph, machine, "Graph")
        self.Event = bound(Event, machine, "Event")
        shared = {"_event": self.Event, "_graph": self.Graph}
        self.Stream = bound(Stream, machine, "Stream", **shared)
        self.ExternalStream = bound(ExternalStream, machine, "ExternalStream", **shared)
        self.MemoryPointer = bound(pointer.MemoryPointer, machine, "MemoryPointer", _device=self.Device)
        self.UnownedMemory = bound(pointer.UnownedMemory, machine, "UnownedMemory")
        self.MemoryPool = bound(MemoryPool, machine, "MemoryPool", _pointer=self.MemoryPointer)
        self.runtime = Runtime(machine)
        self.alloc_pinned_memory = partial(pointer.alloc_pinned_memory, machine)
        self.compiler = SimpleNamespace(CompileException=CompileException)
        self.memory = SimpleNamespace(
            OutOfMemoryError=OutOfMemoryError, MemoryPointer=self.MemoryPointer, UnownedMemory=self.UnownedMemory
        )
        self.stream = SimpleNamespace(Stream=self.Stream, Event=self.Event, get_current_stream=self.get_current_stream)
        self.device = SimpleNamespace(Device=self.Device)
        self.driver = SimpleNamespace(CUDADriverError=CUDADriverError, launchKernel=partial(launch_kernel, machine))
        for processor in machine.processors:
            machine.set_device(processor.number)
            processor.pool = Pool(machine, processor)
            processor.null = self.Stream(null=True)
        if machine.processors:
            machine.set_device(0)
            self.Stream.null = machine.processors[0].null

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"cupy.cuda.{name} is not simulated")

    def is_available(self) -> bool:
        """Whether there is a driver and a device."""
        return bool(self._machine.processors)

    def get_current_stream(self, device_id: int = -1) -> Any:
        """The stream that work of this thread goes to."""
        machine = self._machine
        return machine.stream(machine.processors[device_id] if device_id >= 0 else None)

    def get_device_id(self) -> int:
        """The number of the current device."""
        return self._machine.device.number

    def alloc(self, size: int) -> Any:
        """A pointer to ``size`` new bytes of the pool."""
        return self.MemoryPointer(self._machine.allocate(size), 0)

    @contextmanager
    def using_allocator(self, allocator: Any = None) -> Iterator[None]:
        """Let ``allocator``, such as the ``malloc`` of a pool, make this thread's arrays until the block ends."""
        local = self._machine.local
        before, local.allocator = getattr(local, "allocator", None), allocator
        try:
            yield
        finally:
            local.allocator = before

    def get_elapsed_time(self, start_event: Any, end_event: Any) -> float:
        """Milliseconds between two events: nothing is timed here, so none."""
        return 0.0
