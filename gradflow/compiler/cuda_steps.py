"""Works on a GPU's arrays, prepared once so that queuing one costs little."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from gradflow.backend import cuda_loops
from gradflow.backend.cuda import CudaBackend
from gradflow.backend.kernels import signature
from gradflow.errors import KernelError
from gradflow.launch import Array, Fault, Gemm, Launch, Scratch, Table, Tickets, Zeroed
from gradflow.loop import Loop
from gradflow.op import Op, Spec

ALIGNMENT = 512  # bytes from one piece of scratch memory to the next

Do = Callable[[int], None]  # queues something on the stream with that address


class OpCall(NamedTuple):
    """A call of an op on arrays of a GPU, by its kernel or its reference; ``out`` is None if it writes in place."""

    op: Op
    arrays: tuple[Any, ...]
    attrs: dict[str, Any]
    out: Array | None


class Python(NamedTuple):
    """Something that the host does in between."""

    action: Callable[[], None]


Work = Loop | Launch | Gemm | OpCall | Python


class Step(NamedTuple):
    """A prepared work, which ``do`` queues.

    ``hosted`` says why it can be in no graph; it is empty if it can, None if that has to be tried.
    """

    name: str
    do: Do
    hosted: str | None = ""
    launches: int = 1


class Steps:
    """The steps of works, and the memory that they share: they are queued one after another.

    Made on the device and the stream that are current; KernelError for a work that cannot be done.
    """

    def __init__(self, backend: CudaBackend, works: Iterable[Work]) -> None:
        self.backend = backend
        self.notes_faults = False
        self._xp = backend.xp
        self._device = backend.launcher.place().device
        self._held: list[Any] = []  # whatever launches read
        resolved = [each for work in works for each in self._resolved(work)]
        launches = [work for work in resolved if isinstance(work, Launch)]
        backend.launcher.compile(x.kernel for x in launches if x.kernel.startswith("loop_"))
        self._scratch = self._xp.empty(max(map(_scratch, launches), default=0), np.uint8)
        counters = [x.counters for launch in launches for x in launch.arguments if isinstance(x, Tickets)]
        self._tickets = self._xp.zeros(max(counters, default=0), np.int32)
        self._workspace: Any = None
        self.steps = [step for work in resolved for step in self._steps(work)]

    def _resolved(self, work: Work) -> Iterator[Launch | Gemm | OpCall | Python]:
        """``work``, or the launches that do it, if it is a loop or a call of an op that has a kernel."""
        if isinstance(work, Loop):
            yield from cuda_loops.launches(work, self._empty)
        elif isinstance(work, OpCall) and work.op.cuda is not None:
            found = work.op.cuda(*work.arrays, out=work.out, **work.attrs)
            yield work if found is None else found
        else:
            yield work

    def _empty(self, shape: Any, dtype: Any) -> Any:
        self._held.append(self._xp.empty(shape, dtype))
        return self._held[-1]

    def _steps(self, work: Launch | Gemm | OpCall | Python) -> Iterator[Step]:
        self._held.append(work)
        if isinstance(work, Launch):
            for x in work.arguments:
                if isinstance(x, Zeroed):
                    yield Step("fill", partial(_fill, self._xp, x.array))
            yield Step(work.kernel, self._launched(work))
        elif isinstance(work, Gemm):
            yield self._product(work)
        elif isinstance(work, OpCall):
            yield Step(work.op.name, partial(_refer, self.backend, work), None)
        else:
            yield Step("action", partial(_act, work.action), "Python's own work", 0)

    def _launched(self, work: Launch) -> Do:
        used = 0

        def address(x: Any) -> int:
            nonlocal used
            if isinstance(x, Scratch):
                used += _padded(x.bytes)
                return int(self._scratch.data.ptr) + used - _padded(x.bytes)
            return self._address(x)

        arguments = Arguments(signature(work.kernel).typed(work.arguments, work.dtype, address))
        function = self.backend.launcher.function(self._device, work.kernel, work.dtype)
        self._held += [arguments, function]
        grid = (work.blocks,) if isinstance(work.blocks, int) else work.blocks
        shape = (*grid, 1, 1)[:3]
        handle, launch = function.kernel.ptr, self._xp.cuda.driver.launchKernel
        threads, shared, at = work.threads, work.shared, arguments.address
        return lambda stream: launch(handle, *shape, threads, 1, 1, shared, stream, at, 0)

    def _address(self, x: Any) -> int:
        if isinstance(x, Tickets):
            return int(self._tickets.data.ptr)
        if isinstance(x, Zeroed):
            return int(x.array.data.ptr)
        if isinstance(x, Table):
            self._held.append(self._xp.asarray(x.numbers()))
            return int(self._held[-1].data.ptr)
        if isinstance(x, Fault):
            self.notes_faults = True
            return self.backend.launcher.faults().address()
        return int(x.data.ptr)

    def _product(self, work: Gemm) -> Step:
        if self._workspace is None:
            self._workspace = self.backend.workspace()
        do = self.backend.product(work, self._workspace)
        if do is not None:
            return Step("gemm", do)
        if work.epilogue != "none" or work.accumulate:
            raise KernelError(f"cuBLASLt has no algorithm for {work.epilogue} here; ask backend.product before")
        return Step("matmul", partial(_multiply, self._xp, work), None)


class Arguments:
    """The arguments of a kernel in memory, and the array of their addresses that the driver reads."""

    def __init__(self, values: Sequence[np.generic]) -> None:
        places, size = [], 0
        for value in values:
            size += -size % value.nbytes
            places.append(size)
            size += value.nbytes
        self._bytes = ctypes.create_string_buffer(max(size, 1))
        start = ctypes.addressof(self._bytes)
        for place, value in zip(places, values, strict=True):
            ctypes.memmove(start + place, value.tobytes(), value.nbytes)
        self._pointers = (ctypes.c_void_p * max(len(places), 1))(*(start + place for place in places))
        self.address = ctypes.addressof(self._pointers)


def _padded(nbytes: int) -> int:
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def _scratch(launch: Launch) -> int:
    """The bytes of scratch memory that a launch needs."""
    return sum(_padded(x.bytes) for x in launch.arguments if isinstance(x, Scratch))


def _fill(xp: Any, x: Array, stream: int) -> None:
    xp.cuda.runtime.memsetAsync(x.data.ptr, 0, x.nbytes, stream)


def _refer(backend: CudaBackend, work: OpCall, stream: int) -> None:
    """Do ``work`` as it is done without a compiler, on the current stream."""
    op, arrays, attrs, out = work
    result = backend.run(op, list(arrays), attrs, out, None if out is None else Spec(out.shape, out.dtype))
    if out is not None and result is not out:
        out[...] = result


def _multiply(xp: Any, work: Gemm, stream: int) -> None:
    """A product by CuPy, on the current stream."""
    a = work.a.swapaxes(-1, -2) if work.transpose_a else work.a
    b = work.b.swapaxes(-1, -2) if work.transpose_b else work.b
    xp.matmul(a, b, out=work.out)
    if work.bias is not None:
        xp.add(work.out, work.bias, out=work.out)


def _act(action: Callable[[], None], stream: int) -> None:
    action()
