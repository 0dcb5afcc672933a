"""What profiling found, as rows and as a table."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from gradflow.errors import ArgumentError
from gradflow.profiling.meter import NOTHING
from gradflow.profiling.recording import SIMULATED, Call, Recording
from gradflow.profiling.trace import save
from gradflow.site import line

SHOWN = 40  # rows, unless the caller wants more


class Row(NamedTuple):
    """All calls of one op from one line, or a total.

    ``phase`` is forward, backward, update (an op that writes in place), or empty for copies, waits and what happened
    between ops. ``line`` is the user's, as ``file:line``; for a gradient it is the line of what is differentiated.
    ``seconds`` is time on the CPU or on the GPU, 0 if simulated; ``bytes`` are those of all inputs and outputs, each
    touched once; ``traffic`` is what kernels really read and wrote, which a simulated device counts; ``memory`` is what
    arrays held at most after one of the calls, over what they held at the beginning. ``at_least`` marks launches by
    CuPy's functions on a GPU, which does not tell how many there were.
    """

    op: str
    phase: str
    line: str
    calls: int
    seconds: float
    launches: int
    at_least: bool
    bytes: int
    traffic: int
    to_device: int
    to_host: int
    syncs: int
    memory: int
    kernels: tuple[str, ...]

    @classmethod
    def of(cls, op: str, phase: str, where: str, calls: list[Call]) -> Row:
        """``calls`` together."""
        work = NOTHING
        for call in calls:
            work = work.plus(call.work)
        return cls(
            op, phase, where, len(calls), sum(call.device_seconds for call in calls), work.launches, work.at_least,
            sum(call.bytes for call in calls), work.traffic, work.to_device, work.to_host, work.syncs,
            max((call.memory for call in calls), default=0), work.kernels,
        )  # fmt: skip


def rows_of(calls: Iterable[Call]) -> list[Row]:
    """``calls`` by op, phase and line, in the order of their first calls."""
    groups: dict[tuple[str, str, str], list[Call]] = {}
    for call in calls:
        where = "" if call.site is None else f"{call.site[0].co_filename}:{line(call.site)}"
        groups.setdefault((call.name, call.phase, where), []).append(call)
    return [Row.of(*key, group) for key, group in groups.items()]


class Report:
    """What ``gf.profile`` found. ``str()`` is a table; ``rows`` are the same as data, in the order of first calls.

    ``device`` is "cpu", "cuda" or "cuda, simulated"; ``seconds`` is how long the step took, 0 if simulated.
    """

    def __init__(self, seen: Recording) -> None:
        self.calls = seen.calls
        self.device = seen.device
        self.seconds = seen.seconds
        self.peak_memory = seen.peak_memory
        self.rows = rows_of(seen.calls)
        self.total = Row.of("total", "", "", seen.calls)._replace(memory=seen.peak_memory)

    @property
    def launches(self) -> int:
        """Kernels and matrix products that a GPU was given; on the CPU there are none."""
        return self.total.launches

    @property
    def copies(self) -> int:
        """Copies between the host and a GPU, in both directions."""
        return self.total.to_device + self.total.to_host

    @property
    def syncs(self) -> int:
        """How often the host waited for a GPU."""
        return self.total.syncs

    def sorted(self, by: str) -> list[Row]:
        """The rows, by a field of them: numbers from the largest to the smallest, names alphabetically.

        Raises ArgumentError if rows have no such field.
        """
        if by not in Row._fields:
            raise ArgumentError(f"sorted: rows have no {by!r}; they have {', '.join(Row._fields)}")
        return sorted(self.rows, key=lambda row: getattr(row, by), reverse=by not in {"op", "phase", "line", "kernels"})

    def table(self, by: str | None = None, limit: int | None = SHOWN) -> str:
        """The rows as aligned text, at most ``limit`` of them, sorted by a field; by default by time or launches."""
        from gradflow.profiling.table import table

        by = by or ("launches" if self.device == SIMULATED else "seconds")
        return table(self, self.sorted(by)[:limit], by)

    def __str__(self) -> str:
        return self.table()

    __repr__ = __str__

    def to_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Write a file that chrome://tracing and https://ui.perfetto.dev show: a track for the host, one for the GPU.

        An existing file is replaced, or left as it is if writing fails. On a simulated device each op is drawn one
        microsecond long: the order is right, the times mean nothing. Format: Google, "Trace Event Format".
        """
        save(self.calls, self.device, path)
