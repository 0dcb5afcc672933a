"""Where arrays live and run: the protocol of a backend, and which one an array or a device belongs to."""

from __future__ import annotations

from typing import Any, Protocol

from gradflow.backend.cpu import CpuBackend
from gradflow.device import CPU, Device
from gradflow.dtypes import DType
from gradflow.errors import DeviceError, DTypeError
from gradflow.op import Op

Array = Any


class Backend(Protocol):
    """What gradflow asks of an array library."""

    @property
    def xp(self) -> Any:
        """The array namespace that ops' ``forward`` is given."""

    def run(self, op: Op, arrays: list[Any], attrs: dict[str, Any], out: Array | None) -> Array:
        """The result of ``op``, written into ``out`` if it is given; None if ``op`` writes in place."""

    def asarray(self, data: Any, dtype: DType | None, device: Device) -> Array:
        """``data`` as an array of this backend; shares memory where it can."""

    def to_numpy(self, array: Array) -> Any:
        """``array`` as a NumPy array in host memory."""

    def device_of(self, array: Array) -> Device:
        """The device that holds ``array``."""

    def memory_of(self, array: Array) -> tuple[int, int]:
        """The first and one past the last byte address that ``array`` may touch."""


cpu: Backend = CpuBackend()


def backend_of(array: Array) -> Backend:
    """The backend that ``array`` belongs to."""
    if isinstance(array, cpu.xp.ndarray):
        return cpu
    raise DTypeError(f"{type(array).__name__} is not an array gradflow computes with; pass a NumPy array")


def backend_for(device: Device) -> Backend:
    """The backend that serves ``device``; DeviceError if there is none."""
    if device == CPU:
        return cpu
    raise DeviceError(f"{device}: this version of gradflow has no CUDA backend yet; use device='cpu'")
