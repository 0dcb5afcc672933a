"""Works on a GPU's arrays, prepared once: a list of launches that cost little, and CUDA graphs of them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from gradflow.backend import cuda_loops
from gradflow.backend.cuda import CudaBackend
from gradflow.backend.kernels import signature
from gradflow.device import Device
from gradflow.errors import KernelError
from gradflow.launch import Array, Fault, Gemm, Launch, Scratch, Table, Tickets, Zeroed
from gradflow.loop import Loop
from gradflow.op import Op

ALIGNMENT = 512  # bytes from one piece of scratch memory to the next
RELAXED = 2  # cudaStreamCaptureModeRelaxed: kernels may be loaded meanwhile

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
    """A prepared work: ``do`` queues it. ``hosted`` says why it is in no graph; "" if it is in one, None if one must try."""

    name: str
    do: Do
    hosted: str | None = ""
    launches: int = 1


class CudaPlan:
    """Works that are done one after another, again and again, on arrays that stay where they are.

    ``prepare`` compiles what is missing and finds out everything a launch needs; ``launch_list`` does the works then,
    ``capture`` makes graphs of them, one if every work can be captured, and ``run`` does the works by these. It holds
    whatever the launches read: scratch memory, counters, tables, a workspace for products. One plan runs once at a
    time: a run waits for the one before, on whichever stream that was.
    """

    def __init__(self, backend: CudaBackend, works: Sequence[Work], device: Device) -> None:
        self.backend = backend
        self.works = list(works)
        self.device = device
        self.steps: list[Step] = []
        self.hosted: list[tuple[str, str]] = []  # what is in no graph, and why
        self._xp = backend.xp
        self._held: list[Any] = []
        self._graphs: list[Callable[[Any], None]] = []
        self._notes_faults = False

    @property
    def launches(self) -> int:
        """How many kernels, products and fills the works are; what CuPy launches for a reference is counted as one."""
        return sum(step.launches for step in self.steps)

    # ---- preparation

    def prepare(self) -> None:
        """Make ready to launch. Raises KernelError for a work that cannot be done."""
        xp = self._xp
        with self.backend.on(self.device):
            self.stream = xp.cuda.Stream(non_blocking=True)
            self.pool = xp.cuda.MemoryPool()  # for what references need: a graph goes on using it
            self._last = xp.cuda.Event(disable_timing=True)
            self._ready = xp.cuda.Event(disable_timing=True)
            self._ready.record(xp.cuda.get_current_stream())
            self.stream.wait_event(self._ready)
            with self.stream:
                self._prepare()
            self._last.record(self.stream)

    def _prepare(self) -> None:
        xp = self._xp
        works = list(self._resolved())
        launches = [work for work in works if isinstance(work, Launch)]
        self.backend.launcher.compile(x.kernel for x in launches if x.kernel.startswith("loop_"))
        self._scratch = xp.empty(max(map(_scratch, launches), default=0), np.uint8)
        counters = [x.counters for launch in launches for x in launch.arguments if isinstance(x, Tickets)]
        self._tickets = xp.zeros(max(counters, default=0), np.int32)
        self._workspace: Any = None
        for work in works:
            if isinstance(work, Launch):
                self.steps += self._launched(work)
            elif isinstance(work, Gemm):
                self.steps.append(self._product(work))
            elif isinstance(work, OpCall):
                self.steps.append(Step(work.op.name, self._referred(work), None))
            else:
                assert isinstance(work, Python)
                self.steps.append(Step("action", partial(_act, work.action), "Python's own work", 0))

    def _resolved(self) -> Iterator[Launch | Gemm | OpCall | Python]:
        """The works, with loops and ops that have kernels as launches."""
        for work in self.works:
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

    def _launched(self, work: Launch) -> Iterator[Step]:
        """The fills that come before a launch, and the launch."""
        for x in work.arguments:
            if isinstance(x, Zeroed):
                yield Step("fill", partial(self._fill, x.array))
        used = 0

        def address(x: Any) -> int:
            nonlocal used
            if isinstance(x, Scratch):
                used += _padded(x.bytes)
                return int(self._scratch.data.ptr) + used - _padded(x.bytes)
            return self._address(x)

        values = signature(work.kernel).typed(work.arguments, work.dtype, address)
        arguments = Arguments(values)
        function = self.backend.launcher.function(self.device.index, work.kernel, work.dtype)
        self._held += [arguments, function, work]
        grid = (work.blocks,) if isinstance(work.blocks, int) else work.blocks
        shape = (*grid, 1, 1)[:3]
        handle, launch = function.kernel.ptr, self._xp.cuda.driver.launchKernel
        threads, shared, at = work.threads, work.shared, arguments.address
        yield Step(work.kernel, lambda stream: launch(handle, *shape, threads, 1, 1, shared, stream, at, 0))

    def _fill(self, x: Array, stream: int) -> None:
        self._xp.cuda.runtime.memsetAsync(x.data.ptr, 0, x.nbytes, stream)

    def _address(self, x: Any) -> int:
        if isinstance(x, Tickets):
            return int(self._tickets.data.ptr)
        if isinstance(x, Zeroed):
            return int(x.array.data.ptr)
        if isinstance(x, Table):
            self._held.append(self._xp.asarray(x.numbers()))
            return int(self._held[-1].data.ptr)
        if isinstance(x, Fault):
            self._notes_faults = True
            return self.backend.launcher.faults().address()
        return int(x.data.ptr)

    def _product(self, work: Gemm) -> Step:
        if self._workspace is None:
            self._workspace = self.backend.workspace()
        do = self.backend.product(work, self._workspace)
        self._held.append(work)
        if do is not None:
            return Step("gemm", do)
        if work.epilogue != "none" or work.accumulate:
            raise KernelError(f"cuBLASLt has no algorithm for {work.epilogue} here; ask backend.product before")
        return Step("matmul", lambda _: _multiply(self._xp, work), None)

    def _referred(self, work: OpCall) -> Do:
        op, arrays, attrs, out = work
        if op.mutates:
            return lambda _: op.forward(self._xp, *arrays, **attrs)

        def do(stream: int) -> None:
            result = op.forward(self._xp, *arrays, out=out, **attrs)
            if result is not out:
                out[...] = result  # type: ignore[index]

        return do

    # ---- running

    def launch_list(self) -> None:
        """Do the works without a graph, one prepared launch after another."""
        with self.backend.on(self.device), self._ordered(), self._ours():
            for step in self.steps:
                step.do(self.stream.ptr)
        self.backend.launcher.launches += self.launches

    def capture(self) -> None:
        """Make graphs of the works; nothing of them is done.

        What references need memory for must have been there before: do the works by ``launch_list`` first.
        """
        with self.backend.on(self.device), self._ordered():
            run: list[Step] = []
            for step in self.steps:
                reason = self._refused(step) if step.hosted is None else step.hosted
                if not reason:
                    run.append(step)
                    continue
                self.hosted.append((step.name, reason))
                self._keep(run)
                run = []
                self._graphs.append(partial(self._by_hand, step))
            self._keep(run)

    def _keep(self, steps: Sequence[Step]) -> None:
        """A graph of ``steps``."""
        if steps:
            with self._ours():
                self.stream.begin_capture(mode=RELAXED)
                try:
                    for step in steps:
                        step.do(self.stream.ptr)
                finally:
                    graph = self.stream.end_capture()
            graph.upload(self.stream)
            self._graphs.append(graph.launch)

    def _refused(self, step: Step) -> str:
        """Why ``step`` cannot be captured; an empty string if it can."""
        reason = ""
        with self._ours():
            self.stream.begin_capture(mode=RELAXED)
            try:
                step.do(self.stream.ptr)
            except Exception as error:
                reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            try:
                self.stream.end_capture()
            except Exception as error:
                reason = reason or f"{type(error).__name__}: {error}"
        return reason

    def _by_hand(self, step: Step, stream: Any) -> None:
        """Do ``step`` between two graphs, on ``stream``, the current one."""
        with self._xp.cuda.using_allocator(self.pool.malloc):
            step.do(stream.ptr)

    def run(self) -> None:
        """Do the works by their graphs, on the caller's current stream; nothing is allocated, copied or waited for."""
        failures = self.backend.failures
        stream = self._xp.cuda.get_current_stream()
        try:
            with self.backend.on(self.device):
                stream.wait_event(self._last)
                for launch in self._graphs:
                    launch(stream)
                self._last.record(stream)
        except failures as error:
            raise self.backend.failed("a compiled step", error) from error
        if self._notes_faults:
            self.backend.launcher.faults().suspected = True
        self.backend.launcher.launches += len(self._graphs)

    @contextmanager
    def _ordered(self) -> Iterator[None]:
        """What is queued on the plan's stream inside comes after what the caller has queued, before what follows."""
        caller = self._xp.cuda.get_current_stream()
        self._ready.record(caller)
        self.stream.wait_event(self._ready)
        self.stream.wait_event(self._last)
        try:
            yield
        except self.backend.failures as error:
            raise self.backend.failed("a compiled step", error) from error
        self._last.record(self.stream)
        caller.wait_event(self._last)
        if self._notes_faults:
            self.backend.launcher.faults().suspected = True

    @contextmanager
    def _ours(self) -> Iterator[None]:
        """The plan's stream and its pool are what CuPy uses."""
        with ExitStack() as stack:
            stack.enter_context(self.stream)
            stack.enter_context(self._xp.cuda.using_allocator(self.pool.malloc))
            yield


def _act(action: Callable[[], None], stream: int) -> None:
    action()


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


def _multiply(xp: Any, work: Gemm) -> None:
    """A product by CuPy."""
    a = work.a.swapaxes(-1, -2) if work.transpose_a else work.a
    b = work.b.swapaxes(-1, -2) if work.transpose_b else work.b
    xp.matmul(a, b, out=work.out)
    if work.bias is not None:
        xp.add(work.out, work.bias, out=work.out)
