"""``gf.profile``: run a step under observation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradflow.errors import ArgumentError, DTypeError
from gradflow.profiling.recording import recording
from gradflow.profiling.report import Report


def profile(step: Callable[..., object], *args: Any, warmup: int = 1) -> Report:
    """What one call of ``step(*args)`` costs, op by op: forward, backward and updates alike.

    ``step`` is called ``warmup`` times before, so that kernels are compiled and memory is at hand: a step that trains,
    trains so many steps more. The report prints as a table, sorts (``table(by="memory")``), has its rows as data
    (``rows``) and goes to Perfetto (``to_chrome_trace(path)``). On a GPU, time is the GPU's own, between events; for
    short ops it is that of queueing them, so look at ``launches`` first. On a simulated one there are no times.

    Observed are the ops of this thread. Bytes are those of inputs and outputs, memory is that of results: what an op
    needs inside itself is not seen on the CPU.

    Raises DTypeError if ``step`` cannot be called, ArgumentError for a negative ``warmup``, and what ``step`` raises.

    >>> import gradflow as gf
    >>> w = gf.ones((4, 4))
    >>> report = gf.profile(lambda: (w @ w).sum())
    >>> [(row.op, row.calls, row.bytes) for row in report.rows]
    [('matmul', 1, 192), ('sum', 1, 68)]
    """
    if not callable(step):
        raise DTypeError(f"profile: takes a function to call, got a {type(step).__name__}; write profile(lambda: ...)")
    if warmup < 0:
        raise ArgumentError(f"profile: warmup is {warmup}; it is a number of calls, 0 or more")
    for _ in range(warmup):
        step(*args)
    with recording() as seen:
        step(*args)
    return Report(seen)
