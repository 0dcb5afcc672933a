"""gradflow on a GPU beside PyTorch and JAX: times of training steps, and bytes a second of single operations."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import util
from typing import Any

from bench.cases import Case
from bench.cuda_bandwidth import operations
from bench.cuda_steps import WAYS, Step
from bench.table import Table, duration

WARM = 5
LEAST, MOST = 10, 200  # calls that are timed
INNER = 20  # steps that are queued one after another, between two waits


class Bench:
    """Times things on the current CUDA device until ``seconds`` have passed; notes what fails, and goes on."""

    def __init__(self, xp: Any, seconds: float) -> None:
        self.xp = xp
        self.end = time.perf_counter() + seconds
        self.notes: list[str] = []

    def attempt(self, name: str, function: Callable[[], Any]) -> Any:
        """What ``function`` returns, None if it raises or there is no time left; which is noted."""
        if time.perf_counter() > self.end:
            self.notes.append(f"{name}: no time left")
            return None
        try:
            return function()
        except Exception as error:  # any: other libraries raise what they like
            told = (str(error).splitlines() or [""])[0]
            self.notes.append(f"{name}: {type(error).__name__}: {told[:200]}")
            return None

    def wait(self) -> None:
        """Until the device has done everything, whoever asked for it."""
        self.xp.cuda.Device().synchronize()

    def step(self, step: Step, budget: float) -> tuple[float, float]:
        """Seconds that a step takes among others like it, and that the host takes for one; medians."""
        for _ in range(WARM):
            step()
        whole, host = [], []
        for _ in self._turns(budget):
            self.wait()
            start = time.perf_counter()
            step()
            host.append(time.perf_counter() - start)
            self.wait()
            start = time.perf_counter()
            for _ in range(INNER):
                step()
            self.wait()
            whole.append((time.perf_counter() - start) / INNER)
        return statistics.median(whole), statistics.median(host)

    def device_seconds(self, call: Step, budget: float) -> float:
        """The device's time for ``call``, between two events; the median."""
        for _ in range(WARM):
            call()
        times = []
        for _ in self._turns(budget):
            start, stop = self.xp.cuda.Event(), self.xp.cuda.Event()
            start.record()
            call()
            stop.record()
            stop.synchronize()
            times.append(self.xp.cuda.get_elapsed_time(start, stop) / 1e3)
        return statistics.median(times)

    def _turns(self, budget: float) -> Iterator[int]:
        stop = time.perf_counter() + budget
        for turn in range(MOST):
            if turn >= LEAST and time.perf_counter() > stop:
                return
            yield turn


def steps(bench: Bench, cases: Sequence[Case], ways: Sequence[Callable[[Case], dict[str, Step]]] = WAYS) -> list[Table]:
    """A table for each of ``cases``."""
    found: dict[str, list[list[str]]] = {case.name: [] for case in cases}
    for way in ways:  # the slow ones of all cases last
        for case in cases:
            made = bench.attempt(f"{way.__name__}, {case.name}", lambda way=way, case=case: way(case)) or {}
            for name, step in made.items():
                took = bench.attempt(f"{name}, {case.name}", lambda step=step: bench.step(step, 0.5))
                if took is not None:
                    found[case.name].append([name.rstrip(), *map(duration, took)])
    header = ["way", "a step", "host time of one"]
    return [Table(f"{case.name}, batch {case.batch}", header, found[case.name]) for case in cases]


def bandwidths(bench: Bench, rows: int, columns: int) -> Table:
    """Bytes a second of single operations, beside those of a copy."""
    torch = _torch()
    copied, into = (bench.xp.empty(rows * columns, "float32") for _ in range(2))
    copied.fill(1)
    copy = bench.attempt("copy", lambda: bench.device_seconds(lambda: bench.xp.copyto(into, copied), 0.2))
    table = [["copy", _rate(2 * copied.nbytes, copy), "", ""]]
    made = bench.attempt("operations", lambda: list(operations(rows, columns))) or []
    for each in made:
        ours = bench.attempt(each.name, lambda each=each: bench.device_seconds(each.ours, 0.1))
        theirs = None
        if torch is not None and each.theirs is not None:
            theirs = bench.attempt(
                f"{each.name}, PyTorch", lambda each=each: bench.device_seconds(each.theirs(torch), 0.1)
            )
        share = "" if not ours or not copy else f"{each.bytes / ours / (2 * copied.nbytes / copy):.0%}"
        table.append([each.name, _rate(each.bytes, ours), share, _rate(each.bytes, theirs)])
    header = ["operation", "GB/s", "of a copy", "PyTorch GB/s"]
    return Table(f"float32, {rows:,} x {columns:,}", header, table, ["bytes that must be moved over the device's time"])


def _rate(nbytes: int, seconds: float | None) -> str:
    return f"{nbytes / seconds / 1e9:,.0f}" if seconds else ""


def _torch() -> Any:
    """PyTorch, None without it or without a GPU for it; it shares CuPy's stream, the default one."""
    if util.find_spec("torch") is None:
        return None
    import torch

    return torch if torch.cuda.is_available() else None


def compare(xp: Any, seconds: float, cases: Sequence[Case], rows: int, columns: int) -> list[Table]:
    """All tables, with the device's name in the first; notes of what failed in the last."""
    bench = Bench(xp, seconds)
    properties = xp.cuda.runtime.getDeviceProperties(xp.cuda.runtime.getDevice())
    free = f"{xp.cuda.runtime.memGetInfo()[0] >> 30} GiB free"
    device = Table("device", ["name", "memory"], [[properties["name"].decode(), free]])
    quick, slow = WAYS[:4], WAYS[4:]
    tables = [device, *steps(bench, cases, quick), bandwidths(bench, rows, columns)]
    tables += [table for table in steps(bench, cases, slow) if table.rows]
    return [*tables, Table("notes", [], [], bench.notes)]
