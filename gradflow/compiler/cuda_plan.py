"""Works on a GPU as a list of launches that cost little, and as CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from gradflow.backend.cuda import CudaBackend
from gradflow.compiler.cuda_steps import Step, Steps, Work
from gradflow.device import Device
from gradflow.errors import DeviceError

RELAXED = 2  # cudaStreamCaptureModeRelaxed: kernels may be loaded meanwhile


class CudaPlan:
    """Works that are done one after another, again and again, on arrays that stay where they are.

    ``launch_list`` does them by prepared launches, ``capture`` makes graphs of them, one if every work can be captured,
    and ``run`` does them by these. The plan holds whatever the launches read: scratch memory, counters, tables, a
    workspace for products. A run waits for the one before, on whichever stream that was.

    Raises KernelError for a work that cannot be done.
    """

    def __init__(self, backend: CudaBackend, works: Sequence[Work], device: Device) -> None:
        self.backend = backend
        self.device = device
        self.hosted: list[tuple[str, str]] = []  # what is in no graph, and why
        self.refused = ""  # why there are no graphs, if making them failed
        self._xp = xp = backend.xp
        self._warm = False  # whether the works have been done
        self._graphs: list[Callable[[Any], None]] = []
        with backend.on(device):
            self.stream = xp.cuda.Stream(non_blocking=True)
            self.pool = xp.cuda.MemoryPool()  # for what references need: a graph goes on using it
            self._ready, self._last = (xp.cuda.Event(disable_timing=True) for _ in range(2))
            self._last.record(xp.cuda.get_current_stream())
            self.stream.wait_event(self._last)
            with self.stream:
                self._made = Steps(backend, works)
            self._last.record(self.stream)
        self.steps = self._made.steps

    @property
    def launches(self) -> int:
        """How many kernels, products and fills the works are; what CuPy launches for a reference is counted as one."""
        return sum(step.launches for step in self.steps)

    def __str__(self) -> str:
        """How it is run, in words."""
        if self.refused:
            return f"{self.launches} launches one by one, since no graph could be made: {self.refused}"
        if not self._graphs:
            return f"{self.launches} launches, not captured yet"
        graphs = len(self._graphs) - len(self.hosted)
        why = "".join(f"; {name} in none of them ({reason})" for name, reason in self.hosted)
        return f"{self.launches} launches in {graphs} CUDA graph{'s' * (graphs != 1)}{why}"

    def launch_list(self) -> None:
        """Do the works without a graph, one prepared launch after another."""
        with self._ordered(), self._ours():
            for step in self.steps:
                step.do(self.stream.ptr)
        self.backend.launcher.launches += self.launches

    def replay(self) -> None:
        """Do the works: by launches at first, then, unless CUDA refused to make them, by graphs."""
        if not self._warm or self.refused:
            self.launch_list()
            self._warm = True
            return
        if not self._graphs:
            try:
                self.capture()
            except (DeviceError, RuntimeError) as error:
                self.refused = str(error)
                return self.replay()
        self.run()
        return None

    def run(self) -> None:
        """Do the works by their graphs, on the caller's current stream; nothing is allocated, copied or waited for."""
        stream = self._xp.cuda.get_current_stream()
        try:
            with self.backend.on(self.device):
                stream.wait_event(self._last)
                for launch in self._graphs:
                    launch(stream)
                self._last.record(stream)
        except self.backend.failures as error:
            raise self.backend.failed("a compiled step", error) from error
        self._expect_faults()
        self.backend.launcher.launches += len(self._graphs)

    # ---- graphs

    def capture(self) -> None:
        """Make graphs of the works; nothing of them is done.

        What references need memory for must have been there before: do the works by ``launch_list`` first.
        """
        run: list[Step] = []
        with self._ordered():
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
        if not steps:
            return
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

    # ---- order

    @contextmanager
    def _ordered(self) -> Iterator[None]:
        """What the plan's stream is told inside comes after what the caller has queued, and before what follows."""
        with self.backend.on(self.device):
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
        self._expect_faults()

    @contextmanager
    def _ours(self) -> Iterator[None]:
        """The plan's stream and its pool are what CuPy uses."""
        with self.stream, self._xp.cuda.using_allocator(self.pool.malloc):
            yield

    def _expect_faults(self) -> None:
        if self._made.notes_faults:
            self.backend.launcher.faults().suspected = True
