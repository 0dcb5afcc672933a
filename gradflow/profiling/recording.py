"""The record of everything that passes the door, or crosses to a GPU and back, in one block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import get_ident
from time import perf_counter
from typing import Any, cast

from gradflow import backend
from gradflow.dispatch import Observer, observed_by
from gradflow.op import Op
from gradflow.profiling.memory import HostMemory, Touched
from gradflow.profiling.meter import NOTHING, Meter, Work, meter_of
from gradflow.profiling.origin import origin
from gradflow.profiling.watched import Watched
from gradflow.site import Site
from gradflow.tensor import Tensor

SIMULATED = "cuda, simulated"
BETWEEN = "(between ops)"  # what CuPy did outside of any op


@dataclass(slots=True)
class Call:
    """One op, one copy or wait, or what happened between them.

    ``phase`` is forward, backward, update (an op that writes in place) or empty; ``start``, since the block began, and
    ``seconds`` are the host's; ``memory`` is what arrays hold afterwards, over what they held when the block began.
    """

    name: str
    phase: str
    site: Site | None
    start: float
    seconds: float
    work: Work = NOTHING
    bytes: int = 0
    memory: int = 0
    on_gpu: bool = False
    marks: tuple[Any, Any] = (None, None)
    queued: tuple[float, float] | None = None  # start and seconds in the GPU's time

    @property
    def device_seconds(self) -> float:
        """How long the device that did it took."""
        return self.seconds if self.queued is None else self.queued[1]


class Recording(Observer):
    """What happened, oldest first: an observer of the door that also looks at the GPU, if there is one."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.meter: Meter | None = None
        self._xp: Any = None  # of what the meter looks at
        self.seconds = 0.0
        self._peaks = {False: 0, True: 0}  # on the host, on the GPU
        self._host = HostMemory()
        self._used = 0
        self._into: Tensor | None = None
        self._thread = get_ident()
        self._inside = False  # an op or a visit
        self._known = NOTHING
        self._attach()
        self._began_mark = self._first_mark = self._mark()
        self._began = self._start = perf_counter()

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU was told anything."""
        return any(call.on_gpu for call in self.calls)

    @property
    def device(self) -> str:
        """Where it happened: "cpu", "cuda" or SIMULATED; the GPU if both took part."""
        if not self.on_gpu or self.meter is None:
            return "cpu"
        return SIMULATED if self.meter.simulated else "cuda"

    @property
    def peak_memory(self) -> int:
        """What arrays held at most after any op, over what they held at the beginning, on ``device``."""
        return self._peaks[self.on_gpu]

    def _attach(self) -> None:
        """Look at the CUDA backend that is in use now: it may have been loaded, or simulated, since the last call."""
        cuda = backend.loaded()
        if cuda is None or cuda.xp is self._xp:
            return
        self.settle()
        self.close()
        self._xp, self.meter = cuda.xp, meter_of(cuda)
        self.meter.wait()
        self._used = self.meter.used()

    def _mark(self) -> Any:
        return None if self.meter is None else self.meter.mark()

    # ---- ops

    def begins(self, op: Op, inputs: tuple[Any, ...], into: Tensor | None) -> None:
        self._attach()
        self.settle()
        self._into = into
        self._inside = True
        self._began_mark = self._mark()
        self._began = perf_counter()

    def saw(self, op: Op, inputs: tuple[Any, ...], attrs: dict[str, Any], out: Tensor | None) -> None:
        seconds, mark = perf_counter() - self._began, self._mark()
        touched = Touched.by(op, inputs, out)
        if out is None or out is not self._into:
            self._host.note(touched)
        if touched.on_gpu and touched.computed and not (self._known.to_device or self._known.to_host):
            self._known = self._known.plus(Work(launches=1, at_least=True))
        site, backward = origin()
        phase = "backward" if backward else "update" if op.mutates else "forward"
        call = Call(op.name, phase, site, self._began - self._start, seconds, bytes=touched.bytes)
        call.on_gpu, call.marks = touched.on_gpu, (self._began_mark, mark)
        self._add(call)

    def _add(self, call: Call) -> None:
        """Keep ``call``, with what the device was told meanwhile."""
        self._inside = False
        known, self._known = self._known, NOTHING
        if self.meter is not None:
            call.work = self.meter.take(known)
        used = self.meter.used() - self._used if call.on_gpu and self.meter is not None else self._host.now
        self._peaks[call.on_gpu] = max(self._peaks[call.on_gpu], used)
        call.memory = used
        self.calls.append(call)

    # ---- what does not pass the door

    def settle(self) -> None:
        """Note what was done since the last call, by no op that ended."""
        known, self._inside, self._known = self._known, False, NOTHING
        work = NOTHING if self.meter is None else self.meter.take(known)
        if work != NOTHING:
            now = perf_counter() - self._start
            self.calls.append(Call(BETWEEN, "", None, now, 0.0, work, on_gpu=True))

    def visit(self, name: str, known: Work, function: Callable[[], Any]) -> Any:
        """What ``function`` returns, which copies or waits; part of an op if one is running."""
        if get_ident() != self._thread:
            return function()
        if self._inside:
            self._known = self._known.plus(known)
            return function()
        self.settle()
        site, backward = origin()
        start, mark = perf_counter(), self._mark()
        self._inside, self._known = True, known
        try:
            return function()
        finally:
            call = Call(name, "backward" if backward else "", site, start - self._start, perf_counter() - start)
            call.on_gpu, call.marks = True, (mark, self._mark())
            self._add(call)

    # ---- the end

    def finish(self) -> None:
        """Note what is left, wait, and ask the GPU when it did what it was told."""
        self.settle()
        if self.meter is not None:
            self.meter.wait()
        self.seconds = 0.0 if self.device == SIMULATED else perf_counter() - self._start
        for call in self.calls:
            start, stop = call.marks
            if self.device == SIMULATED:
                call.seconds = 0.0
            elif self.meter is not None and call.on_gpu and start is not None and stop is not None:
                call.queued = self.meter.between(self._first_mark or start, start), self.meter.between(start, stop)

    def close(self) -> None:
        """Let go of the GPU."""
        if self.meter is not None:
            self.meter.close()


@contextmanager
def recording() -> Iterator[Recording]:
    """Record what this thread does until the block ends."""
    seen = Recording()
    with ExitStack() as stack:
        stack.callback(seen.close)
        if (cuda := backend.loaded()) is not None:
            stack.enter_context(backend.installed(cast(backend.Backend, Watched(cuda, seen.visit))))
        with observed_by(seen):
            yield seen
        seen.finish()
