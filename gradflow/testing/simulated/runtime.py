"""What stands in for ``cupy.cuda.runtime``: the calls of the CUDA runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradflow.testing.simulated.pointer import copy_bytes, set_bytes
from gradflow.testing.simulated.status import CUDARuntimeError

if TYPE_CHECKING:
    from gradflow.testing.simulated.machine import Machine

# as of an A100, by cudaDeviceAttr
ATTRIBUTES = {1: 1024, 8: 49152, 10: 32, 12: 65536, 16: 108, 39: 2048, 75: 8, 76: 0, 81: 167936, 97: 166912}


class Runtime:
    """The CUDA runtime of one simulated machine, 12.9."""

    CUDARuntimeError = CUDARuntimeError
    memcpyHostToHost, memcpyHostToDevice, memcpyDeviceToHost, memcpyDeviceToDevice, memcpyDefault = range(5)
    cudaDevAttrMultiProcessorCount = 16
    streamLegacy, streamPerThread = 1, 2
    streamCaptureModeGlobal, streamCaptureModeThreadLocal, streamCaptureModeRelaxed = range(3)
    is_hip = False

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"cupy.cuda.runtime.{name} is not simulated")

    def driverGetVersion(self) -> int:
        """12090, or 0 without a driver."""
        return 12090 if self._machine.processors else 0

    def runtimeGetVersion(self) -> int:
        return 12090

    def getDeviceCount(self) -> int:
        """How many devices there are; without a driver an error."""
        if not self._machine.processors:
            raise CUDARuntimeError("cudaErrorInsufficientDriver")
        return len(self._machine.processors)

    def getDevice(self) -> int:
        return self._machine.device.number

    def setDevice(self, device: int) -> None:
        self._machine.set_device(device)

    def memGetInfo(self) -> tuple[int, int]:
        """Bytes that are free and bytes in all, of the current device."""
        device = self._machine.device
        return device.capacity - device.taken, device.capacity

    def deviceGetAttribute(self, attrib: int, device: int) -> int:
        self._processor(device)
        if attrib not in ATTRIBUTES:
            raise CUDARuntimeError("cudaErrorInvalidValue")
        return ATTRIBUTES[attrib]

    def getDeviceProperties(self, device: int) -> dict[str, Any]:
        """Some of the properties of a device."""
        return {
            "name": b"simulated device",
            "totalGlobalMem": self._processor(device).capacity,
            "multiProcessorCount": 108,
            "major": 8,
            "minor": 0,
            "warpSize": 32,
            "maxThreadsPerBlock": 1024,
            "maxThreadsPerMultiProcessor": 2048,
            "sharedMemPerBlock": 49152,
            "sharedMemPerBlockOptin": 166912,
            "regsPerBlock": 65536,
            "l2CacheSize": 40 << 20,
        }

    def _processor(self, device: int) -> Any:
        if not 0 <= device < self.getDeviceCount():
            raise CUDARuntimeError("cudaErrorInvalidDevice")
        return self._machine.processors[device]

    def deviceSynchronize(self) -> None:
        self._machine.synchronize(name="device")

    def streamSynchronize(self, stream: int) -> None:
        self._machine.synchronize(self._machine.stream_at(stream))

    def streamIsCapturing(self, stream: int) -> bool:
        return stream in self._machine.capturing

    def memcpy(self, dst: int, src: int, size: int, kind: int) -> None:
        copy_bytes(self._machine, dst, src, size, wait=True)

    def memcpyAsync(self, dst: int, src: int, size: int, kind: int, stream: int) -> None:
        copy_bytes(self._machine, dst, src, size, self._machine.stream_at(stream))

    def memset(self, ptr: int, value: int, size: int) -> None:
        set_bytes(self._machine, ptr, value, size)

    def memsetAsync(self, ptr: int, value: int, size: int, stream: int) -> None:
        set_bytes(self._machine, ptr, value, size, self._machine.stream_at(stream))
