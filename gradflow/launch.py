"""Work for a GPU as data: one launch of a hand-written kernel, or one matrix product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gradflow.dtypes import DType

Array = Any

THREADS = 256  # of a block, as in kernels/common.cuh
VECTOR = 16  # bytes that one thread moves at a time
LIMIT = (1 << 31) - (1 << 14)  # kernels count elements in 32 bits, and a tile past the last one


class Scratch(NamedTuple):
    """An argument: so many bytes of uninitialised device memory, for the length of the launch."""

    bytes: int


class Tickets(NamedTuple):
    """An argument: so many counters, zero before the launch; the kernel leaves them zero."""

    counters: int


class Zeroed(NamedTuple):
    """An argument: an array that is filled with zeros before the launch, for kernels that add to it."""

    array: Any


class Table(NamedTuple):
    """An argument: rows of arrays, None and ints, which reach the kernel as rows of addresses and numbers (int64)."""

    rows: tuple[tuple[Any, ...], ...]

    def numbers(self) -> Any:
        """The rows as the kernel reads them, in host memory."""
        return np.array([[_number(x) for x in row] for row in self.rows], np.int64)


def _number(x: Any) -> int:
    """What stands in a table for ``x``: an address, or ``x`` itself."""
    return x if isinstance(x, int) else 0 if x is None else int(x.data.ptr)


class Fault(NamedTuple):
    """An argument: the record in which a kernel notes the first index out of range."""


FAULT = Fault()
_codes: list[str] = [""]


def fault_code(name: str) -> int:
    """The number under which kernels note faults of the op ``name``."""
    if name not in _codes:
        _codes.append(name)
    return _codes.index(name)


def fault_name(code: int) -> str:
    """The op that notes faults under the number ``code``."""
    return _codes[code]


class Launch(NamedTuple):
    """One launch of a ``__global__`` function of kernels/*.cu.

    ``dtype`` is what its T is, None for a function that is no template. ``arguments`` are arrays, Python numbers, None
    (a null pointer), ``Scratch``, ``Tickets``, ``Zeroed``, ``Table`` and ``FAULT``; the function's signature says
    what they become.
    """

    kernel: str
    dtype: DType | None
    blocks: int | tuple[int, ...]
    threads: int
    arguments: tuple[Any, ...]
    shared: int = 0  # bytes of dynamic shared memory


class Gemm(NamedTuple):
    """One product of row-major matrices: ``out = epilogue(op(a) @ op(b) + bias)``, plus ``out`` if ``accumulate``.

    Operands are 2-D, or stacks of as many matrices. ``aux`` is what an epilogue of a forward pass writes (the mask of
    a ReLU, what a GELU was applied to) and one of a backward pass reads; ``bias_grad`` is filled by epilogues that sum.
    """

    a: Array
    b: Array
    out: Array
    transpose_a: bool = False
    transpose_b: bool = False
    bias: Array | None = None
    epilogue: str = "none"
    aux: Array | None = None
    bias_grad: Array | None = None
    accumulate: bool = False


Work = Launch | Gemm


def computable(dtype: DType) -> bool:
    """Whether kernels are made for ``dtype``: float16, float32, float64."""
    return dtype.char in "efd"


def flat(*arrays: Array) -> bool:
    """Whether a kernel may run over ``arrays`` side by side: contiguous, of one shape and one dtype, neither empty nor
    so large that 32 bits do not count them.
    """
    first = arrays[0]
    if not (hasattr(first, "dtype") and computable(first.dtype) and 0 < first.size < LIMIT):
        return False
    return all(
        hasattr(x, "dtype") and x.dtype == first.dtype and x.shape == first.shape and x.flags.c_contiguous
        for x in arrays
    )


def blocks_over(size: int, dtype: DType) -> int:
    """How many blocks of THREADS threads move ``size`` elements, a vector for each thread."""
    return -(-size // (THREADS * (VECTOR // dtype.itemsize)))


def over_elements(kernel: str, *attributes: str) -> Callable[..., Launch | None]:
    """The ``cuda`` of an elementwise op: ``kernel(inputs..., out, attributes..., n)`` over arrays of one shape."""

    def cuda(*arrays: Array, out: Array, **attrs: Any) -> Launch | None:
        if not flat(*arrays, out):
            return None
        blocks = blocks_over(out.size, out.dtype)
        return Launch(kernel, out.dtype, blocks, THREADS, (*arrays, out, *map(attrs.get, attributes), out.size))

    return cuda
