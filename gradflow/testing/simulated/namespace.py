"""What stands in for the module ``cupy``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from gradflow.testing.simulated import (
    arrangement,
    creation,
    elementwise,
    fourier,
    indexing,
    linalg,
    ordering,
    reduction,
    solver,
)
from gradflow.testing.simulated.array import Array
from gradflow.testing.simulated.cuda import Cuda, bound
from gradflow.testing.simulated.elementwise import UFUNCS, Ufunc
from gradflow.testing.simulated.log import Log
from gradflow.testing.simulated.machine import Machine
from gradflow.testing.simulated.module import RawKernel, RawModule
from gradflow.testing.simulated.pointer import UnownedMemory

PARTS = (arrangement, creation, elementwise, indexing, linalg, ordering, reduction)
FUNCTIONS: dict[str, Callable[..., Any]] = {name: each for part in PARTS for name, each in part.FUNCTIONS.items()}
# what CuPy has from NumPy, as it is
SHARED = frozenset({
    "bool", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
    "float64", "complex64", "complex128", "dtype", "finfo", "iinfo", "inf", "nan", "pi", "e", "newaxis", "issubdtype",
    "promote_types", "broadcast_shapes", "generic", "number", "integer", "signedinteger", "unsignedinteger", "inexact",
    "floating", "complexfloating", "isscalar",
})  # fmt: skip


class Cupy:
    """A module ``cupy`` for tests: everything it does is done on the CPU, and refused where CuPy or CUDA refuse it.

    ``devices`` simulated GPUs have ``memory`` bytes each; with none there is no driver either. ``records`` lists what
    the devices did, ``machine`` makes them fail. Names that it has not got are an AttributeError.

    >>> import numpy as np
    >>> xp = Cupy()
    >>> x = xp.asarray(np.array([1.0, 2.0])) * 2
    >>> x.get(), xp.records.count("kernel"), xp.records.count("copy_d2h")
    (array([2., 4.]), 1, 1)
    >>> np.asarray(x)
    Traceback (most recent call last):
      ...
    TypeError: Implicit conversion to a NumPy array is not allowed. ...
    """

    __version__ = "14.2.0"

    def __init__(self, devices: int = 1, memory: int = 8 << 30) -> None:
        self.machine = Machine(devices, memory)
        self.cuda = Cuda(self.machine)
        self.ndarray = self.machine.ndarray = type(
            "ndarray", (Array,), {"__slots__": (), "_xp": self, "__module__": "cupy"}
        )
        kernel = bound(RawKernel, self.machine, "RawKernel")
        module = bound(RawModule, self.machine, "RawModule", _kernel=kernel)
        kernel._module = module
        self.RawModule, self.RawKernel = module, kernel
        self.linalg = SimpleNamespace(**{name: partial(each, self) for name, each in solver.FUNCTIONS.items()})
        self.fft = SimpleNamespace(**{name: partial(each, self) for name, each in fourier.FUNCTIONS.items()})
        self._pool = self.cuda.MemoryPool()
        self._pool._pools = {each.number: each.pool for each in self.machine.processors}

    @property
    def records(self) -> Log:
        """What the devices did. (``log`` is CuPy's logarithm.)"""
        return self.machine.log

    def __getattr__(self, name: str) -> Any:
        if name in UFUNCS:
            found: Any = Ufunc(self, name)
        elif name in FUNCTIONS:
            found = partial(FUNCTIONS[name], self)
        elif name in SHARED:
            found = getattr(np, name)
        else:
            raise AttributeError(f"cupy.{name} is not simulated")
        setattr(self, name, found)
        return found

    def get_default_memory_pool(self) -> Any:
        """The memory pool, of whichever device is current."""
        return self._pool

    def get_array_module(self, *args: Any) -> Any:
        """This module if an argument is one of its arrays, NumPy otherwise."""
        return self if any(isinstance(x, self.ndarray) for x in args) else np

    def may_share_memory(self, a: Any, b: Any, max_work: Any = None) -> bool:
        """Whether the ranges of addresses of two arrays overlap."""
        return bool(np.may_share_memory(a._a, b._a))

    def shares_memory(self, a: Any, b: Any, max_work: Any = None) -> bool:
        """Whether two arrays have an element in common."""
        return bool(np.shares_memory(a._a, b._a))

    def result_type(self, *arrays_and_dtypes: Any) -> Any:
        """The dtype of what these are combined to."""
        return np.result_type(*(getattr(x, "_a", x) for x in arrays_and_dtypes))

    def can_cast(self, from_: Any, to: Any, casting: Any = "safe") -> bool:
        """Whether a cast is of this kind."""
        return bool(np.can_cast(getattr(from_, "dtype", from_), to, casting))

    def _adopt(self, obj: Any) -> Any:
        """The array of another library that has ``__cuda_array_interface__``, without a copy."""
        described = obj.__cuda_array_interface__
        dtype = np.dtype(described["typestr"])
        pointer, _ = described["data"]
        mem: UnownedMemory = self.cuda.UnownedMemory(pointer, int(np.prod(described["shape"])) * dtype.itemsize, obj)
        strides = described.get("strides")
        return self.ndarray(described["shape"], dtype, self.cuda.MemoryPointer(mem, 0), strides)
