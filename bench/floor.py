"""The floor under a training step: its matrix products alone, and the bytes of its optimizer at the speed of memory.

``python -m bench.floor CASE``: the same requests and replies as the process of an engine. It is no engine: nothing is
trained. Its time is that of the products, by ``np.matmul`` with ``out=`` (for a tiny net mostly the microsecond that a
call of NumPy takes), plus Adam's 28 bytes for each parameter over the bandwidth of ``a += b`` on arrays that no cache
holds. That has Adam's traffic (what is written was read), and the threads that an engine may use, or one where that is
faster. As small parameters do stay in a cache, the bandwidth of arrays as large as theirs is told too.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from bench.cases import ADAM_BYTES, Case, parse
from bench.child import replying
from bench.machine import cores

ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL", "BLIS")}
LARGE = 1 << 27  # bytes that no cache holds
REPEATS = 5


def products(case: Case) -> Callable[[], None]:
    """The step's products, each into an array of its own: forward, and the gradients of weights and inputs."""
    rng = np.random.default_rng(0)
    calls: list[tuple[Any, Any, Any]] = []
    side = case.side
    for weight, _ in case.kernels():  # of windows, which a product sees as rows
        side //= 2
        kernels = weight.reshape(len(weight), -1)
        rows = rng.standard_normal((case.batch * side * side, kernels.shape[1]), np.float32)
        out = rows @ kernels.T
        calls += [(rows, kernels.T, out), (out.T, rows, np.empty_like(kernels))]
        if len(calls) > 2:
            calls.append((out, kernels, np.empty_like(rows)))
    x = rng.standard_normal((case.batch, case.sizes[0]), np.float32)
    for weight, _ in case.weights():
        y = x @ weight.T
        calls += [(x, weight.T, y), (y.T, x, np.empty_like(weight))]
        if len(calls) > 2:  # the first layer's input needs no gradient
            calls.append((y, weight, np.empty_like(x)))
        x = y

    def run() -> None:
        for a, b, out in calls:
            np.matmul(a, b, out=out)

    return run


def bandwidth(size: int) -> float:
    """Bytes a second of ``a += b`` on arrays of ``size`` bytes together: two reads and a write for each element."""
    a, b = (np.ones(max(size // 8, 1), np.float32) for _ in range(2))
    return max(_moved(a, b, threads) for threads in {1, cores()})


def _moved(a: Any, b: Any, threads: int) -> float:
    parts = list(zip(np.array_split(a, threads), np.array_split(b, threads), strict=True))
    least = float("inf")
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(REPEATS):
            start = time.perf_counter()
            if threads == 1:
                np.add(a, b, out=a)
            else:
                list(pool.map(lambda part: np.add(part[0], part[1], out=part[0]), parts))
            least = min(least, time.perf_counter() - start)
    return float(3 * a.nbytes / least)


def serve(case: Case) -> None:
    """Answer the requests on standard input, each a number of seconds to spend on the products, until it ends."""
    with replying() as reply:
        run = products(case)
        run()
        reply(version=np.__version__)
        for line in sys.stdin:
            multiplied = _median(run, float(line))
            speed, cached = bandwidth(LARGE), bandwidth(16 * case.parameters)
            moved = ADAM_BYTES * case.parameters
            reply(seconds=multiplied + moved / speed, products=multiplied, bandwidth=speed, cached=cached)


def _median(run: Callable[[], None], seconds: float) -> float:
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while not taken or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


if __name__ == "__main__":
    serve(parse(sys.argv[1]))
