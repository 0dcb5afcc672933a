"""Device arrays: what they are made of, their views, and their way to the host and back."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from gradflow.testing.simulated.log import Record
from gradflow.testing.simulated.methods import Methods
from gradflow.testing.simulated.status import CAPTURING

IMPLICIT = (
    "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array explicitly."
)


def check_dtype(dtype: Any) -> np.dtype[Any]:
    """``dtype`` as NumPy's, if CuPy has it."""
    given: np.dtype[Any] = np.dtype(dtype)
    if given.kind in "OSUMm" or given.char in "gG":
        raise ValueError(f"Unsupported dtype {given}")
    return given


class Array(Methods):
    """An array in device memory. ``_a`` is the same memory as NumPy sees it, for the stand-in's own use."""

    __slots__ = ("__weakref__", "_a", "_block", "base")
    _xp: Any
    _a: Any
    _block: Any
    base: Any

    __array_priority__ = 100

    def __init__(
        self, shape: Any, dtype: Any = float, memptr: Any = None, strides: Any = None, order: Any = "C"
    ) -> None:
        dtype = check_dtype(dtype)
        shape = (int(shape),) if not isinstance(shape, tuple | list) else tuple(map(int, shape))
        if any(size < 0 for size in shape):
            raise ValueError("Negative dimensions are not allowed")
        if strides is not None and memptr is None:
            raise ValueError("memptr is required if strides is given.")
        machine = self._xp.machine
        self.base = None
        if memptr is None:
            self._block = machine.allocate(math.prod(shape) * dtype.itemsize)
            self._a = machine.contents.view(self._block.ptr, shape, dtype, order)
        else:
            self._block = memptr.mem
            if strides is None and order == "F":
                strides = np.empty(shape, dtype, "F").strides
            self._a = machine.memory.view(memptr.ptr, shape, dtype, strides)

    @classmethod
    def _empty(cls, shape: tuple[int, ...], dtype: np.dtype[Any], order: Any = "C") -> Array:
        """A new array on the current device, without the checks of ``__init__``."""
        new = cls.__new__(cls)
        new.base = None
        machine = cls._xp.machine
        new._block = machine.allocate(math.prod(shape) * dtype.itemsize)
        new._a = machine.contents.view(new._block.ptr, shape, dtype, order)
        return new

    @classmethod
    def _laid_out_as(cls, like: Any) -> Array:
        """A new array with the shape, dtype and strides of a NumPy array without gaps."""
        new = cls._empty(like.shape, like.dtype)
        if not like.flags.c_contiguous:
            new._a = cls._xp.machine.memory.view(new._block.ptr, like.shape, like.dtype, like.strides)
        return new

    def _like(self, a: Any) -> Any:
        """The view of the same memory that ``a`` is."""
        new = object.__new__(type(self))
        if not a.flags.writeable:  # NumPy's precaution for broadcast views and diagonals, which CuPy has not
            a = self._xp.machine.memory.view(self._xp.machine.contents.address(a), a.shape, a.dtype, a.strides)
        new._a = a
        new._block = self._block
        new.base = self if self.base is None else self.base
        return new

    # ---- what it is

    @property
    def dtype(self) -> Any:
        return self._a.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self._a.shape
        return shape

    @shape.setter
    def shape(self, shape: Any) -> None:
        view = self._a.view()
        view.shape = shape
        self._a = view

    @property
    def strides(self) -> tuple[int, ...]:
        strides: tuple[int, ...] = self._a.strides
        return strides

    @property
    def ndim(self) -> int:
        ndim: int = self._a.ndim
        return ndim

    @property
    def size(self) -> int:
        size: int = self._a.size
        return size

    @property
    def itemsize(self) -> int:
        itemsize: int = self._a.itemsize
        return itemsize

    @property
    def nbytes(self) -> int:
        nbytes: int = self._a.nbytes
        return nbytes

    @property
    def flags(self) -> Flags:
        return Flags(self._a.flags, self.base is None)

    @property
    def data(self) -> Any:
        return self._xp.cuda.MemoryPointer(self._block, self._address() - self._block.ptr)

    def _address(self) -> int:
        return int(self._xp.machine.contents.address(self._a) if self._a.size else self._block.ptr)

    @property
    def device(self) -> Any:
        return self._xp.cuda.Device(self._block.device_id)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "descr": self.dtype.descr,
            "stream": self._xp.machine.stream().ptr or 1,
            "version": 3,
            "strides": None if self._a.flags.c_contiguous else self.strides,
            "data": (self._address() if self.size else 0, False),
        }

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self._block.device_id  # kDLCUDA

    # ---- to the host and back

    def get(self, stream: Any = None, order: Any = "C", out: Any = None, blocking: bool = True) -> Any:
        """A copy in host memory; waits for it unless ``blocking`` is False."""
        if out is not None:
            self._check_host_out(out)
        machine = self._xp.machine
        if self._block.device_id != machine.device.number:
            with self.device:
                return self.get(stream, order, out, blocking)
        a = machine.readable(self)
        if self.size == 0 and out is None:
            return np.empty(self.shape, self.dtype)
        queue = machine.begin(stream)
        if machine.capture(queue) is not None:
            raise RuntimeError(CAPTURING)
        if blocking:
            machine.synchronize(queue, "get")
        machine.log.add(Record("copy_d2h", "get", a.nbytes, queue.ptr, self._block.device_id))
        if out is None:
            return np.array(a, order="C" if order == "A" and not a.flags.f_contiguous else order.replace("A", "F"))
        out[...] = a
        return out

    def _check_host_out(self, out: Any) -> None:
        if not isinstance(out, np.ndarray):
            raise TypeError("Only numpy.ndarray can be obtained from cupy.ndarray")
        if self.dtype != out.dtype:
            raise TypeError(f"{out.dtype} array cannot be obtained from {self.dtype} array")
        if self.shape != out.shape:
            raise ValueError(f"Shape mismatch. Expected shape: {self.shape}, actual shape: {out.shape}")
        if not (out.flags.c_contiguous or out.flags.f_contiguous):
            raise RuntimeError("`out` cannot be specified when copying to non-contiguous ndarray")

    def set(self, arr: Any, stream: Any = None) -> None:
        """Copy from a NumPy array of the same dtype and shape."""
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if self.dtype != arr.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if self.shape != arr.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        if not (self._a.flags.c_contiguous or self._a.flags.f_contiguous):
            raise RuntimeError("Cannot set to non-contiguous array")
        machine = self._xp.machine
        if machine.capture(machine.begin(stream)) is not None and not machine.is_pinned(arr):
            raise RuntimeError(CAPTURING)
        with self.device:
            write = partial(machine.contents.write, self._a, self._block._allocation, arr)
            machine.enqueue("copy_h2d", "set", arr.nbytes, write, stream, (self._address(),))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError(IMPLICIT)

    def item(self) -> Any:
        """The only element as a Python number; waits for it."""
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self.get().item()

    def tolist(self) -> Any:
        """The elements as Python numbers in nested lists; waits for them."""
        return self.get().tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        """The elements as bytes; waits for them."""
        host: bytes = self.get().tobytes(order)
        return host

    def __reduce__(self) -> Any:
        return self._xp.array, (self.get(),)

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __float__(self) -> float:
        return float(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __complex__(self) -> complex:
        return complex(self.get())

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                "The truth value of an empty array is ambiguous."
                if self.size == 0
                else "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()"
            )
        return bool(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def __str__(self) -> str:
        return str(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.get().item() if self.ndim == 0 else self.get(), spec)


class Flags:
    """Which of the three flags that CuPy has are set."""

    def __init__(self, flags: Any, owndata: bool) -> None:
        self.c_contiguous: bool = flags.c_contiguous
        self.f_contiguous: bool = flags.f_contiguous
        self.owndata = owndata
        self.fnc: bool = self.f_contiguous and not self.c_contiguous
        self.forc: bool = self.f_contiguous or self.c_contiguous

    def __getitem__(self, name: str) -> bool:
        names = {"C_CONTIGUOUS": self.c_contiguous, "F_CONTIGUOUS": self.f_contiguous, "OWNDATA": self.owndata}
        if name not in names:
            raise KeyError(f"{name} is not defined for cupy.ndarray.flags")
        return names[name]
