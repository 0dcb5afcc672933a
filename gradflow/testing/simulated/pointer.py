"""Raw memory: pointers into device memory with their copies, and page-locked host memory."""

from __future__ import annotations

import ctypes
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from gradflow.testing.ptx.memory import BASE, Allocation
from gradflow.testing.simulated.pool import Block
from gradflow.testing.simulated.status import CAPTURING

if TYPE_CHECKING:
    from gradflow.testing.simulated.machine import Machine


def bytes_at(machine: Machine, address: int, size: int) -> Any:
    """``size`` bytes of device or host memory as a NumPy array."""
    if BASE <= address < BASE + machine.memory.capacity:
        return machine.memory.view(address, (size,), np.uint8)
    return np.ctypeslib.as_array((ctypes.c_ubyte * size).from_address(address))


def is_device(machine: Machine, address: int) -> bool:
    """Whether an address is one of device memory."""
    return BASE <= address < BASE + machine.memory.capacity


def copy_bytes(machine: Machine, target: int, source: int, size: int, stream: Any = None, wait: bool = False) -> None:
    """Copy ``size`` bytes between any two addresses; a capture allows page-locked host memory alone."""
    to_device, from_device = is_device(machine, target), is_device(machine, source)
    kind = {(True, False): "copy_h2d", (False, True): "copy_d2h"}.get((to_device, from_device), "copy_d2d")
    queue = machine.begin(stream)
    host = None if to_device and from_device else bytes_at(machine, source if to_device else target, size)
    if machine.capture(queue) is not None and (wait or (host is not None and not machine.is_pinned(host))):
        raise RuntimeError(CAPTURING)

    def work() -> None:
        bytes_at(machine, target, size)[...] = bytes_at(machine, source, size)
        if to_device:
            machine.memory.mark_written(target, size)

    machine.enqueue(kind, "memcpy", size, work, stream, (target, source))
    if wait:
        machine.synchronize(queue, "memcpy")


def set_bytes(machine: Machine, target: int, value: int, size: int, stream: Any = None) -> None:
    """Write ``size`` equal bytes."""

    def work() -> None:
        bytes_at(machine, target, size)[...] = value
        machine.memory.mark_written(target, size)

    machine.enqueue("memset", "memset", size, work, stream, (target,))


class UnownedMemory(Block):
    """Device memory that somebody else allocated, from whom ``owner`` keeps it."""

    __slots__ = ("_owner",)
    _machine: Machine

    def __init__(self, ptr: int, size: int, owner: Any, device_id: int = -1) -> None:
        found = self._machine.memory.find(ptr - BASE)
        number = device_id if device_id >= 0 else self._machine.device.number
        super().__init__(ptr, size, number, found or Allocation(ptr - BASE, size))
        self._owner = owner


class MemoryPointer:
    """An address in device memory, and what keeps that memory."""

    __slots__ = ("mem", "ptr")
    _machine: Machine

    def __init__(self, mem: Any, offset: int) -> None:
        self.mem = mem
        self.ptr: int = mem.ptr + offset

    @property
    def device_id(self) -> int:
        return int(self.mem.device_id)

    @property
    def device(self) -> Any:
        return self._device(self.device_id)

    _device: Any

    def __int__(self) -> int:
        return self.ptr

    def __add__(self, offset: int) -> MemoryPointer:
        return type(self)(self.mem, self.ptr - self.mem.ptr + offset)

    def __sub__(self, offset: int) -> MemoryPointer:
        return self + -offset

    def copy_from_host(self, mem: Any, size: int) -> None:
        copy_bytes(self._machine, self.ptr, _pointer(mem), size, wait=True)

    def copy_from_host_async(self, mem: Any, size: int, stream: Any = None) -> None:
        copy_bytes(self._machine, self.ptr, _pointer(mem), size, stream)

    def copy_to_host(self, mem: Any, size: int) -> None:
        copy_bytes(self._machine, _pointer(mem), self.ptr, size, wait=True)

    def copy_to_host_async(self, mem: Any, size: int, stream: Any = None) -> None:
        copy_bytes(self._machine, _pointer(mem), self.ptr, size, stream)

    def copy_from_device(self, src: MemoryPointer, size: int) -> None:
        copy_bytes(self._machine, self.ptr, src.ptr, size)

    def copy_from_device_async(self, src: MemoryPointer, size: int, stream: Any = None) -> None:
        copy_bytes(self._machine, self.ptr, src.ptr, size, stream)

    def memset(self, value: int, size: int) -> None:
        set_bytes(self._machine, self.ptr, value, size)

    def memset_async(self, value: int, size: int, stream: Any = None) -> None:
        set_bytes(self._machine, self.ptr, value, size, stream)


def _pointer(mem: Any) -> int:
    return int(getattr(mem, "value", mem))


def alloc_pinned_memory(machine: Machine, size: int) -> Any:
    """Page-locked host memory: an object with the buffer protocol, and ``ptr``."""
    if not machine.processors:
        machine.begin()
    memory = _pinned_type(max(size, 1))()
    memory.ptr = ctypes.addressof(memory)
    machine.pinned[memory.ptr] = max(size, 1)
    weakref.finalize(memory, machine.pinned.pop, memory.ptr, None)
    return memory


def _pinned_type(size: int) -> Any:
    return type("PinnedMemoryPointer", (ctypes.c_ubyte * size,), {"size": lambda self: size})
