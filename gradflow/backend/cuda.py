"""The CUDA backend: CuPy arrays, hand-written kernels where they suit, CuPy's functions elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from gradflow.backend import cublaslt, cuda_formulas
from gradflow.backend.gemm import Matmul
from gradflow.backend.launcher import Launcher, Place, failures
from gradflow.backend.matmul_precision import get_float32_matmul_precision
from gradflow.device import Device
from gradflow.dtypes import DType, int64
from gradflow.errors import DeviceError, MissingExtraError, OutOfMemory
from gradflow.launch import FAULT, THREADS, Gemm, Launch, fault_code
from gradflow.op import Op, Spec
from gradflow.shapes import size_of

Array = Any


class CudaBackend:
    """Runs an op by its kernel if it has one that suits the call, otherwise by its reference with CuPy.

    ``xp`` is the module cupy, or ``gradflow.testing.simulated.Cupy``, which stands in for it; ``library`` is cuBLASLt,
    or None, and then CuPy multiplies matrices. Everything runs on CuPy's current stream.
    """

    def __init__(self, xp: Any, library: Any) -> None:
        self.xp = xp
        self.devices: int = xp.cuda.runtime.getDeviceCount()
        self.launcher = Launcher(xp)
        self._products = None if library is None else Matmul(xp, library)
        self._workspaces: dict[Place, Any] = {}
        self.failures = failures(xp)

    # ---- ops

    def run(self, op: Op, arrays: list[Any], attrs: dict[str, Any], out: Array | None, spec: Spec | None) -> Array:
        """The result of ``op``; memory that is short is asked for once more after the pool has given back its own.

        Raises OutOfMemory, DeviceError for operands on several devices or a context that is lost, KernelError.
        """
        with self._where(op, arrays):
            try:
                try:
                    return self._run(op, arrays, attrs, out, spec)
                except self.xp.cuda.memory.OutOfMemoryError:
                    if op.mutates:  # part of it may be written already
                        raise
                    self.xp.get_default_memory_pool().free_all_blocks()
                return self._run(op, arrays, attrs, out, spec)
            except self.xp.cuda.memory.OutOfMemoryError as error:
                raise self._out_of_memory(op, error) from error
            except self.failures as error:
                raise self.failed(op.name, error) from error

    def _run(self, op: Op, arrays: list[Any], attrs: dict[str, Any], out: Array | None, spec: Spec | None) -> Array:
        if op.cuda is not None:
            made = self.xp.empty(spec.shape, spec.dtype) if out is None and spec is not None else out
            work = op.cuda(*arrays, out=made, **attrs)
            if work is None and not op.mutates and (copies := self._contiguous(arrays)):
                work = op.cuda(*copies, out=made, **attrs)
            if work is not None and self.do(work):
                return made
        if spec is not None and size_of(spec.shape) >= cuda_formulas.LARGE:
            out = self.xp.empty(spec.shape, spec.dtype) if out is None else out
            generated = cuda_formulas.launch(op, arrays, attrs, out)
            if generated is not None:
                self.launcher.launch(generated)
                return out
        if op.mutates:
            op.forward(self.xp, *arrays, **attrs)
            return None
        return op.forward(self.xp, *arrays, out=out, **attrs)

    def _contiguous(self, arrays: list[Any]) -> list[Any]:
        """``arrays`` with copies of those that kernels cannot read, such as the gradient of a sum; [] if all can be."""
        strided = [isinstance(x, self.xp.ndarray) and x.dtype.kind == "f" and not x.flags.c_contiguous for x in arrays]
        pairs = zip(arrays, strided, strict=True)
        return [self.xp.ascontiguousarray(x) if copy else x for x, copy in pairs] if any(strided) else []

    def do(self, work: Launch | Gemm) -> bool:
        """Queue ``work`` on the current stream; False if it is a product that cuBLASLt has no way to compute."""
        if isinstance(work, Launch):
            self.launcher.launch(work)
            return True
        if self._products is None:
            return False
        place = self.launcher.place()
        if place not in self._workspaces:
            self._workspaces[place] = self._products.workspace()
        tf32 = get_float32_matmul_precision() == "high"
        done = self._products.run(work, place.stream, self._workspaces[place], tf32)
        self.launcher.launches += done
        return done

    def workspace(self) -> Array:
        """New memory for products to work in, for one stream or graph; none if CuPy multiplies."""
        return None if self._products is None else self._products.workspace()

    def product(self, gemm: Gemm, workspace: Array) -> Callable[[int], None] | None:
        """What queues ``gemm`` on a stream, given its address, at little cost; None if cuBLASLt cannot compute it."""
        if self._products is None:
            return None
        return self._products.prepared(gemm, workspace, get_float32_matmul_precision() == "high")

    def multiplies(self, gemm: Gemm) -> bool:
        """Whether cuBLASLt can compute ``gemm``, whose arrays need not be there: their shapes and alignments count."""
        tf32 = get_float32_matmul_precision() == "high"
        return self._products is not None and self._products.computes(gemm, tf32)

    # ---- devices

    def on(self, device: Device) -> AbstractContextManager[Any]:
        """Make ``device`` the current one until the block ends; DeviceError if it is not there."""
        if device.index >= self.devices:
            have = "is 1 CUDA device" if self.devices == 1 else f"are {self.devices} CUDA devices"
            raise DeviceError(f"{device}: there {have}, numbered from 0")
        return nullcontext() if self.devices == 1 else self.xp.cuda.Device(device.index)

    def _where(self, op: Op, arrays: list[Any]) -> Any:
        """The device of the operands, made current."""
        if self.devices == 1:
            return nullcontext()
        places = {x.device.id for x in arrays if isinstance(x, self.xp.ndarray)}
        if len(places) > 1:
            given = ", ".join(f"{x.shape} on cuda:{x.device.id}" for x in arrays if isinstance(x, self.xp.ndarray))
            raise DeviceError(f"{op.name}: operands are on different devices ({given}); move one with .to('cuda:N')")
        stream = self.xp.cuda.get_current_stream()
        (place,) = places
        if stream.ptr and stream.device_id not in (-1, place):
            raise DeviceError(
                f"{op.name}: the operands are on cuda:{place}, and the current stream belongs to cuda:"
                f"{stream.device_id}; leave that stream's 'with' block, or move the operands"
            )
        return self.xp.cuda.Device(place)

    def device_of(self, array: Array) -> Device:
        return Device("cuda", array.device.id)

    def synchronize(self, device: Device) -> None:
        """Wait until everything queued on ``device`` is done. Raises IndexOutOfRange for a fault noted on the way."""
        with self.on(device), self._waiting("synchronize"):
            self.xp.cuda.Device(device.index).synchronize()
            self.launcher.faults().settle()

    def failed(self, attempt: str, error: Any) -> DeviceError:
        """What to raise where CUDA refused, with ``error`` of ``failures``, what was ``attempt``ed."""
        if error.status in STICKY:
            return DeviceError(
                f"{attempt}: CUDA failed ({error}). After such an error this process can use its GPU no more: start it "
                "again; what is on the CPU is intact. CUDA_LAUNCH_BLOCKING=1 makes the failing call raise, not a later "
                "one"
            )
        return DeviceError(f"{attempt}: CUDA refused ({error}); 'gradflow info' shows the device, driver and versions")

    @contextmanager
    def _waiting(self, attempt: str) -> Iterator[None]:
        try:
            yield
        except self.failures as error:
            raise self.failed(attempt, error) from error

    # ---- arrays

    def asarray(self, data: Any, dtype: DType | None, device: Device) -> Array:
        """``data`` on ``device``: an array of that device as it is, others copied by way of CuPy's pinned memory."""
        if isinstance(data, self.xp.ndarray) and data.device.id == device.index:
            return data if dtype is None or data.dtype == dtype else data.astype(dtype)
        with self.on(device), self._waiting(f"copy to {device}"):
            try:
                return self.xp.asarray(data, dtype)
            except self.xp.cuda.memory.OutOfMemoryError as error:
                raise self._out_of_memory(None, error) from error

    def to_numpy(self, array: Array) -> Any:
        """A copy in host memory, when the device has got there. Raises IndexOutOfRange for a fault noted on the way."""
        with self.on(self.device_of(array)), self._waiting("copy to the host"):
            result = array.get()
            self.launcher.faults().settle()
            return result

    def memory_of(self, array: Array) -> tuple[int, int]:
        start = int(array.data.ptr)
        if array.flags.c_contiguous:
            return start, start + array.nbytes
        reach = [stride * (size - 1) for stride, size in zip(array.strides, array.shape, strict=True)]
        return start + sum(r for r in reach if r < 0), start + sum(r for r in reach if r > 0) + array.itemsize

    # ---- faults

    def check_range(self, name: str, indices: Array, low: int, high: int, ignore: int | None = None) -> None:
        """Note it if one of ``indices`` is neither in [low, high) nor ``ignore``; raised at the next wait."""
        if indices.size:
            flat = self.xp.ascontiguousarray(indices, int64)
            self.launcher.launch(range_check(name, flat, low, high, low if ignore is None else ignore))

    def _out_of_memory(self, op: Op | None, error: Exception) -> OutOfMemory:
        attempt, place = "copy to the device" if op is None else op.name, self.launcher.place().device
        pool = self.xp.get_default_memory_pool()
        free, total = self.xp.cuda.Device().mem_info
        return OutOfMemory(
            f"{attempt}: cuda:{place} is out of memory ({error}). Arrays hold {pool.used_bytes():,} bytes, CuPy's pool "
            f"{pool.free_bytes():,} more, and {free:,} of the device's {total:,} are free. Use smaller batches, free "
            "what is not needed, or compute under gf.no_grad()"
        )


def range_check(name: str, indices: Array, low: int, high: int, ignore: int) -> Launch:
    """The launch that notes the first of ``indices`` (int64) that is neither in [low, high) nor ``ignore``."""
    arguments = (indices, low, high, ignore, FAULT, fault_code(name), indices.size)
    return Launch("check_range", None, -(-indices.size // THREADS), THREADS, arguments)


# error codes after which a context is of no use: ECC, invalid addresses and instructions, failed launches
STICKY = {214, 700, 702, 710, 714, 715, 716, 717, 718, 719}


def load() -> CudaBackend:
    """The backend of CuPy and the GPUs of this machine.

    Raises MissingExtraError without CuPy, DeviceError without a driver or a GPU that fits it.
    """
    cupy = _cupy()
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise DeviceError(_no_device(cupy, error)) from error
    backend = CudaBackend(cupy, cublaslt.find()[0])
    for index in range(backend.devices):
        capability = cupy.cuda.Device(index).compute_capability
        if int(capability) < OLDEST:
            raise DeviceError(
                f"cuda:{index} has compute capability {capability}; gradflow's kernels need {OLDEST / 10}"
            )
    return backend


OLDEST = 75  # Turing: what CUDA 13 still compiles for


def _cupy() -> Any:
    try:
        import cupy
    except ImportError as error:
        extras = 'pip install "gradflow[cuda12]" or, for a driver of CUDA 13, "gradflow[cuda13]"'
        raise MissingExtraError(f"CUDA needs CuPy, and importing it failed ({error}); {extras}") from error
    return cupy


def _no_device(cupy: Any, error: Exception) -> str:
    built = cupy.cuda.runtime.runtimeGetVersion() // 1000
    try:
        driver = cupy.cuda.runtime.driverGetVersion() // 1000
    except cupy.cuda.runtime.CUDARuntimeError:
        driver = 0
    if driver and driver < built:
        return (
            f"this CuPy is built for CUDA {built}, the driver is for CUDA {driver} ({error}); "
            f'pip uninstall cupy-cuda{built}x, then pip install "gradflow[cuda{driver}]", or update the driver'
        )
    return (
        f"CuPy {cupy.__version__} finds no NVIDIA driver or no GPU ({error}); check that nvidia-smi "
        "lists one, and in a container that it is passed on; device='cpu' needs none"
    )
