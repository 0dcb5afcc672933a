"""The time of one short call."""

from __future__ import annotations

import timeit
from collections.abc import Callable

REPEATS = 7


def seconds_per_call(call: Callable[[], object], budget: float) -> float:
    """The time of ``call``, the least of several repeats that together take about ``budget`` seconds.

    The least, as what disturbs so short a call only ever makes it longer.
    """
    timer = timeit.Timer(call)
    count = 1
    while (taken := timer.timeit(count)) < budget / REPEATS / 2:
        count *= 2
    return min(taken, *timer.repeat(REPEATS - 1, count)) / count
