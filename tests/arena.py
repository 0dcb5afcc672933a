"""Arrays in the memory of a simulated device that act as CuPy's do for those who ask where they lie."""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from gradflow.backend.gemm import Matmul
from gradflow.testing import tolerance
from gradflow.testing.ptx.memory import BASE, Memory
from gradflow.testing.simulated.cublaslt import CublasLt

STREAM = 0x5A0


class DType(NamedTuple):
    name: str
    itemsize: int


BFLOAT16 = DType("bfloat16", 2)  # which NumPy has not


class Array(np.ndarray):
    """A NumPy view of device memory; slices and transposes of it are such views too."""

    memory: Memory

    def __array_finalize__(self, parent):
        self.memory = getattr(parent, "memory", None)

    @property
    def data(self):
        start = self.memory.bytes.__array_interface__["data"][0]
        return SimpleNamespace(ptr=self.__array_interface__["data"][0] - start + BASE)


class Bfloat16(Array):
    """Bits of bfloat16 numbers."""

    dtype = property(lambda self: BFLOAT16)


class Device:
    """What products need of the module cupy, on one device or several."""

    uint8 = np.dtype(np.uint8)

    def __init__(self, capability="80"):
        self.memory = Memory(1 << 26)
        self.current = 0
        self.cuda = SimpleNamespace(
            Device=lambda: SimpleNamespace(compute_capability=capability),
            runtime=SimpleNamespace(getDevice=lambda: self.current),
        )

    def empty(self, shape, dtype):
        shape = (shape,) if isinstance(shape, int) else shape
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        array = self.memory.view(self.memory.allocate(size), shape, dtype).view(Array)
        array.memory = self.memory
        return array

    def array(self, values):
        """A copy of NumPy's ``values``."""
        out = self.empty(values.shape, values.dtype)
        out[...] = values
        self.memory.mark_written(out.data.ptr, out.nbytes)
        return out


class Bench:
    """A device with a library, and a workspace for its products."""

    def __init__(self):
        self.xp = Device()
        self.library = CublasLt(self.xp.memory)
        self.matmul = Matmul(self.xp, self.library)
        self.workspace = self.matmul.workspace()

    def array(self, *shape, dtype=np.float32, seed=0):
        return self.xp.array(np.random.default_rng(seed).standard_normal(shape).astype(dtype))

    def filled(self, *shape, dtype=np.float32, value=np.nan):
        return self.xp.array(np.full(shape, value, dtype))

    def run(self, gemm, **options):
        return self.matmul.run(gemm, STREAM, self.workspace, **options)

    @property
    def last(self):
        """The product the library was asked for last."""
        return self.library.products[-1]


def exact(x, transpose=False):
    """An array in float64 NumPy, transposed if asked."""
    wide = np.array(x, np.float64)
    return wide.swapaxes(-1, -2) if transpose else wide


def close(got, wanted, size=None):
    """Within the dtype's tolerance, for sums of a few numbers of about ``size``, that of the result by default."""
    size = 6 * float(np.abs(wanted).max(initial=1)) if size is None else size
    np.testing.assert_allclose(np.array(got, np.float64), wanted, rtol=0, atol=tolerance(got.dtype, size))
