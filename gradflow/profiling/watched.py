"""A CUDA backend that tells when the host copies to the GPU, copies back or waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradflow.backend import Backend
from gradflow.device import Device
from gradflow.dtypes import DType
from gradflow.profiling.meter import Work

Array = Any
Visit = Callable[[str, Work, Callable[[], Any]], Any]


class Watched:
    """The backend ``cuda`` itself, but for copies and waits, which ``visit(name, work, function)`` carries out."""

    def __init__(self, cuda: Backend, visit: Visit) -> None:
        self._cuda = cuda
        self._visit = visit
        self.xp = cuda.xp

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cuda, name)

    def asarray(self, data: Any, dtype: DType | None, device: Device) -> Array:
        copies = int(not isinstance(data, self.xp.ndarray))
        return self._visit("copy to device", Work(to_device=copies), lambda: self._cuda.asarray(data, dtype, device))

    def synchronize(self, device: Device) -> None:
        self._visit("synchronize", Work(syncs=1), lambda: self._cuda.synchronize(device))

    def to_numpy(self, array: Array) -> Any:
        return self._visit("copy to host", Work(to_host=1, syncs=1), lambda: self._cuda.to_numpy(array))
