"""Where arrays live and run: the protocol of a backend, and which one an array or a device belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from gradflow.backend.cpu import CpuBackend
from gradflow.backend.traced import Traced
from gradflow.device import Device
from gradflow.dtypes import DType
from gradflow.errors import DeviceError, DTypeError, MissingExtraError
from gradflow.op import Op, Spec

Array = Any


class Backend(Protocol):
    """What gradflow asks of an array library."""

    devices: int  # how many it has

    @property
    def xp(self) -> Any:
        """The array namespace that ops' ``forward`` is given."""

    def run(self, op: Op, arrays: list[Any], attrs: dict[str, Any], out: Array | None, spec: Spec | None) -> Array:
        """The result of ``op``, like ``spec``, in ``out`` if it is given; both are None if ``op`` writes in place."""

    def on(self, device: Device) -> AbstractContextManager[Any]:
        """Make ``device`` the one on which ``xp`` makes new arrays, until the block ends."""

    def asarray(self, data: Any, dtype: DType | None, device: Device) -> Array:
        """``data`` as an array of this backend; shares memory where it can."""

    def synchronize(self, device: Device) -> None:
        """Wait until everything queued on ``device`` is done."""

    def to_numpy(self, array: Array) -> Any:
        """``array`` as a NumPy array in host memory."""

    def device_of(self, array: Array) -> Device:
        """The device that holds ``array``."""

    def memory_of(self, array: Array) -> tuple[int, int]:
        """The first and one past the last byte address that ``array`` may touch."""

    def check_range(self, name: str, indices: Array, low: int, high: int, ignore: int | None = None) -> int | None:
        """The first position at which ``indices`` is neither in [low, high) nor ``ignore``; None if there is none.

        On a GPU None in any case: looking would mean waiting. A kernel notes it as a fault of the op ``name``, which is
        raised when the program next waits.
        """


cpu: Backend = CpuBackend()
_cuda: Backend | None = None  # loaded when first asked for


def backend_of(array: Array) -> Backend:
    """The backend that ``array`` belongs to."""
    if isinstance(array, cpu.xp.ndarray):
        return cpu
    if _cuda is not None and isinstance(array, _cuda.xp.ndarray):
        return _cuda
    if isinstance(array, Traced):
        return backend_of(array.bottom)
    if type(array).__module__.partition(".")[0] == "cupy":
        return cuda_backend()
    raise DTypeError(f"{type(array).__name__} is not an array gradflow computes with; pass a NumPy or CuPy array")


def backend_for(device: Device) -> Backend:
    """The backend that serves ``device``; DeviceError or MissingExtraError if there is none."""
    if device.kind == "cpu":
        return cpu
    try:
        backend = cuda_backend()
    except (DeviceError, MissingExtraError) as error:
        raise type(error)(f"{device}: {error}") from error
    backend.on(device)  # raises if there are fewer devices
    return backend


def cuda_backend() -> Backend:
    """The CUDA backend. Raises MissingExtraError without CuPy, DeviceError without a driver and a GPU."""
    global _cuda  # noqa: PLW0603
    if _cuda is None:
        from gradflow.backend.cuda import load

        _cuda = load()
    return _cuda


def loaded() -> Backend | None:
    """The CUDA backend, if anything has asked for it yet."""
    return _cuda


@contextmanager
def installed(backend: Backend) -> Iterator[Backend]:
    """Let ``backend`` serve CUDA devices until the block ends: for tests, which simulate them."""
    global _cuda  # noqa: PLW0603
    before, _cuda = _cuda, backend
    try:
        yield backend
    finally:
        _cuda = before
