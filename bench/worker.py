"""The process of one engine: builds the step, reports its first losses, then times it whenever it is told to.

``python -m bench.worker MODULE CASE``; requests are lines on standard input, replies lines of JSON on standard output.
Between requests it waits in a read and uses no processor.
"""

from __future__ import annotations

import statistics
import sys
import time

from bench.cases import Case, parse
from bench.child import replying
from bench.engines import Build, engine

CHECKED = 5  # steps whose losses are compared
WARM_UP = 5  # steps that are not timed, after each build
STRETCH = 500  # steps until training starts again, so that all engines time the same stretch of it, the slow and
# the fast ones: late in training the moments of dead units are denormal numbers, which processors add slowly


def serve(module: str, case: Case) -> None:
    """Answer the requests on standard input, each a number of seconds to spend on timing, until it ends."""
    with replying() as reply:
        described = engine(module)
        step = described.build(case)
        losses = [step() for _ in range(CHECKED)]
        reply(version=described.version, losses=losses)
        for line in sys.stdin:
            reply(seconds=seconds_per_step(described.build, case, float(line)))


def seconds_per_step(build: Build, case: Case, seconds: float) -> float:
    """The median time of the steps that can be done in about ``seconds``; at least one is."""
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while not taken or time.perf_counter() < end:
        step = build(case)
        for _ in range(WARM_UP):
            step()
        for _ in range(STRETCH):
            start = time.perf_counter()
            step()
            now = time.perf_counter()
            taken.append(now - start)
            if now > end:
                break
    return statistics.median(taken)


if __name__ == "__main__":
    serve(sys.argv[1], parse(sys.argv[2]))
