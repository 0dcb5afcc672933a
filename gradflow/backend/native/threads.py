"""The threads that share the chunks of native programs, and how many there are."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from gradflow.backend.native import engine
from gradflow.backend.native.blas import blas
from gradflow.errors import ArgumentError

LIMIT = 256
SPIN = 100e-6  # seconds for which a worker looks for more before it sleeps: longer than what is between two programs
# of a step, and too short to be felt by other processes

# the memory that kernels/runtime.ll describes, in words of 8 bytes
WORKERS, PAUSES, ACQUIRE, RELEASE, YIELD, GET_BLAS, SET_BLAS = range(80, 87)
FIRST, SIZE = 128, 16  # of the workers
ASLEEP, LOCK, END, POOL = range(4)
LINE = 128  # bytes


class Pool:
    """Workers that sleep until a program has chunks to share; this thread counts as one of ``threads``."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._workers: list[threading.Thread] = []
        self._started = False
        self._change = threading.Lock()
        self._buffer = ctypes.create_string_buffer((FIRST + SIZE * LIMIT) * 8 + LINE)
        self.address = -(-ctypes.addressof(self._buffer) // LINE) * LINE
        self._words = (ctypes.c_int64 * (FIRST + SIZE * LIMIT)).from_address(self.address)

    def prepare(self) -> None:
        """Write down what programs call without workers, too."""
        words, library = self._words, blas()
        words[YIELD] = words[YIELD] or _address(_yield())
        words[GET_BLAS], words[SET_BLAS] = (library.get_threads, library.set_threads) if library else (0, 0)

    def start(self) -> None:
        """See to it that the workers are there."""
        with self._change:
            if not self._started:
                self._started = True
                self._adjust()

    def resize(self, threads: int) -> None:
        """Have so many threads from now on; those too many end before this returns."""
        with self._change:
            self.threads = threads
            if self._started:
                self._adjust()

    def reset(self) -> None:
        """Forget the workers: a process that was forked off has none of them."""
        self._workers.clear()
        self._started = False
        self._change = threading.Lock()
        ctypes.memset(self.address, 0, ctypes.sizeof(self._words))

    def _adjust(self) -> None:
        words, wanted = self._words, self.threads - 1
        words[PAUSES] = words[PAUSES] or int(SPIN / _pause()) + 1
        words[ACQUIRE] = _address(ctypes.pythonapi.PyThread_acquire_lock)
        words[RELEASE] = _address(ctypes.pythonapi.PyThread_release_lock)
        for i in range(wanted, len(self._workers)):
            words[FIRST + i * SIZE + END] = 1
        runtime().wake(self.address, LIMIT)
        for worker in self._workers[wanted:]:
            worker.join()
        del self._workers[wanted:]
        for i in range(len(self._workers), wanted):
            slot = FIRST + i * SIZE
            words[slot + LOCK] = words[slot + LOCK] or _held_lock()
            words[slot + ASLEEP] = words[slot + END] = 0
            words[slot + POOL] = self.address
            name = f"gradflow worker {i + 1}"
            worker = threading.Thread(target=runtime().serve, args=(self.address + slot * 8,), name=name, daemon=True)
            worker.start()
            self._workers.append(worker)
        words[WORKERS] = wanted


class Runtime:
    """The functions of kernels/runtime.ll; they run without the interpreter's lock."""

    def __init__(self) -> None:
        self._code = engine.forever(engine.code(engine.kernel("runtime")))
        self.run = self._function("run", ctypes.c_int64, ctypes.c_void_p)
        self.run_alone = self._function("run_alone", ctypes.c_int64, ctypes.c_void_p)
        self.serve = self._function("serve", None, ctypes.c_void_p)
        self.wake = self._function("wake", None, ctypes.c_void_p, ctypes.c_int64)
        self.pauses = self._function("pauses", None, ctypes.c_int64)

    def _function(self, name: str, result: Any, *parameters: Any) -> Callable[..., Any]:
        return ctypes.CFUNCTYPE(result, *parameters)(self._code.address(name))


@cache
def runtime() -> Runtime:
    """The runtime, compiled and loaded once."""
    return Runtime()


def get_num_threads() -> int:
    """How many threads share the work of compiled steps on the CPU, the calling one among them."""
    return pool.threads


def set_num_threads(n: int) -> None:
    """Share the work of compiled steps on the CPU among ``n`` threads, the calling one among them.

    Without a call there are as many as $OMP_NUM_THREADS says, or else one for each processor that this process may
    use. Results are the same for any number, but for matrix products, which BLAS may round otherwise when they are
    cut for several threads: into how many parts, is decided when a step is compiled. NumPy's own functions keep their
    threads. Raises ArgumentError unless 1 <= n <= 256.

    >>> import gradflow as gf
    >>> before = gf.get_num_threads()
    >>> gf.set_num_threads(1)
    >>> gf.get_num_threads()
    1
    >>> gf.set_num_threads(before)
    """
    if not isinstance(n, int) or isinstance(n, bool) or not 1 <= n <= LIMIT:
        raise ArgumentError(f"set_num_threads: n is a number of threads from 1 to {LIMIT}, got {n!r}")
    pool.resize(n)


def _chosen() -> int | None:
    first = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()  # OpenMP has a number for each level
    return min(int(first), LIMIT) if first.isdecimal() and int(first) else None


def _usable() -> int:
    """The processors that this process may use, and in a container as many as it may keep busy."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        count = min(count, -(-int(quota) // int(period)))
    except (OSError, ValueError):  # not Linux, or "max": no limit
        pass
    return min(count, LIMIT)


def _pause() -> float:
    """The seconds that a processor waits at a PAUSE."""
    count = 2000
    times = []
    for _ in range(3):
        before = time.perf_counter()
        runtime().pauses(count)
        times.append(time.perf_counter() - before)
    return max(min(times), 1e-7) / count


def _held_lock() -> int:
    """A lock of Python's own that is taken; threads wait for it without the interpreter's lock."""
    allocate, acquire = ctypes.pythonapi.PyThread_allocate_lock, ctypes.pythonapi.PyThread_acquire_lock
    allocate.restype, acquire.argtypes = ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_int)
    lock: int = allocate()
    acquire(lock, 1)
    return lock


def _yield() -> Any:
    """What lets other threads have this processor."""
    if sys.platform == "win32":
        return ctypes.windll.kernel32.SwitchToThread
    return ctypes.CDLL(None).sched_yield


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


pool = Pool(_chosen() or _usable())  # of this process
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool.reset)
