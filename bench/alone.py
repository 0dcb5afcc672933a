"""Peak memory and the first calls: what is measured of one engine in a process that does nothing else.

``python -m bench.alone memory|first MODULE CASE`` replies one line of JSON.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from bench.cases import Case, parse
from bench.child import reply_of, replying, start, stop
from bench.engines import Engine, Unavailable, engine
from bench.results import Alone
from bench.table import Table, duration

FIRST = 3  # calls until everything is compiled: tinygrad's TinyJit compiles in the second
STEPS = 20  # whose memory is measured
SMALL = Case("3-2-2@2", (3, 2, 2), 2)  # loads what a library loads when it is used
RESET = "5"  # what makes Linux forget the peak, proc_pid_clear_refs(5)


def measure_memory(module: str, case: Case) -> dict[str, float]:
    """Bytes over what was resident before the case was built: the peak of its first calls, and that of later steps.

    A small network has been trained before, so that code is loaded and threads have started.
    """
    build = engine(module).build
    _call(build(SMALL), FIRST)
    before = _settled()
    step = build(case)
    _call(step, FIRST)
    first = _status("VmHWM") - before
    _settled()
    _call(step, STEPS)
    return {"first": first, "steps": _status("VmHWM") - before}


def _call(step: Callable[[], float], times: int) -> None:
    for _ in range(times):
        step()


def _settled() -> int:
    """Give what is free back to the system, forget the peak, and tell the bytes that are left."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim is not None:
        trim(0)
    try:
        Path("/proc/self/clear_refs").write_text(RESET, encoding="ascii")
    except OSError as why:
        raise Unavailable(f"peak memory needs Linux's /proc/self/clear_refs: {why}") from None
    return _status("VmRSS")


def _status(name: str) -> int:
    """That line of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def measure_first(module: str, case: Case) -> dict[str, float]:
    """Seconds of the import with the build, and of the first calls."""
    start = time.perf_counter()
    step = engine(module).build(case)
    built = time.perf_counter()
    _call(step, FIRST)
    return {"build": built - start, "calls": time.perf_counter() - built}


def memory(case: Case, engines: Iterable[Engine]) -> list[Alone]:
    """The peak memory of each engine."""
    return [_asked("memory", case, each, {}) for each in engines if each.installed]


def first_calls(case: Case, engines: Iterable[Engine]) -> list[Alone]:
    """The first calls of each engine that compiles, with an empty disk cache and with the one that this has filled."""
    found = []
    for each in engines:
        if not each.installed or not each.cache:
            continue
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
            cold, warm = (_asked("first", case, each, {each.cache: directory}) for _ in range(2))
        measured = {
            f"{when} {name}": s for when, one in (("cold", cold), ("warm", warm)) for name, s in one.measured.items()
        }
        found.append(Alone(case.name, each.name, measured, cold.problem or warm.problem))
    return found


def _asked(what: str, case: Case, each: Engine, environment: dict[str, str]) -> Alone:
    process = start("bench.alone", what, each.module, case.name, environment={**each.environment, **environment})
    try:
        reply = reply_of(process)
    finally:
        stop(process)
    problem = reply.pop("problem", "") or reply.pop("unavailable", "")
    return Alone(case.name, each.name, reply, problem)


def memory_table(case: str, found: Iterable[Alone]) -> Table:
    """Megabytes, and below them what the case needs."""
    rows = [
        [one.engine, *(f"{one.measured[name] / 1e6:.1f}" for name in ("steps", "first"))]
        for one in found
        if not one.problem
    ]
    needed = f"needed: {parse(case).bytes / 1e6:.1f} MB for parameters, gradients, moments, batches and activations"
    header = ["engine", "peak of steps, MB", "with the first calls, MB"]
    return Table(f"memory: {case}", header, rows, [needed, *_problems(found)])


def first_table(case: str, found: Iterable[Alone]) -> Table:
    """Seconds with an empty and with a filled disk cache."""
    names = ("cold calls", "warm calls", "cold build", "warm build")
    rows = [[one.engine, *(duration(one.measured[name]) for name in names)] for one in found if not one.problem]
    header = ["engine", f"first {FIRST} calls, cold", "warm", "import and build, cold", "warm"]
    return Table(f"first calls: {case}", header, rows, _problems(found))


def _problems(found: Iterable[Alone]) -> list[str]:
    return [f"{one.engine}: {one.problem}" for one in found if one.problem]


if __name__ == "__main__":
    measure = {"memory": measure_memory, "first": measure_first}[sys.argv[1]]
    with replying() as reply:
        reply(**measure(sys.argv[2], parse(sys.argv[3])))
