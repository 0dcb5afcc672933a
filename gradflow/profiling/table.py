"""A report as aligned text."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gradflow.profiling.recording import SIMULATED

if TYPE_CHECKING:
    from gradflow.profiling.report import Report, Row

Column = tuple[str, Callable[["Row"], str]]

NAMES: list[Column] = [("op", lambda row: row.op), ("phase", lambda row: row.phase)]
LINE: Column = ("line", lambda row: os.path.basename(row.line))
CALLS: Column = ("calls", lambda row: f"{row.calls:,}")
TIME: Column = ("time", lambda row: duration(row.seconds))
BYTES: list[Column] = [("bytes", lambda row: size(row.bytes)), ("memory", lambda row: size(row.memory))]
TRAFFIC: Column = ("traffic", lambda row: size(row.traffic))
GPU: list[Column] = [
    ("launches", lambda row: f"{row.launches:,}{'+' if row.at_least else ''}"),
    ("to device", lambda row: f"{row.to_device:,}"),
    ("to host", lambda row: f"{row.to_host:,}"),
    ("syncs", lambda row: f"{row.syncs:,}"),
]
NOTES = {
    "cpu": "time is the host's; memory is what arrays made since the beginning hold at most",
    "cuda": "time is the GPU's, from when it could begin to the end; +: CuPy's functions, one launch or more a call",
    SIMULATED: "simulated: launches, copies and syncs are exact, and there are no times; traffic is what own kernels "
    "moved, and for products and CuPy's functions the sizes of operands",
}


def table(report: Report, rows: Sequence[Row], by: str) -> str:
    """``rows`` of ``report`` with a title, the total, and what has to be known to read them."""
    gpu, simulated = report.device != "cpu", report.device == SIMULATED
    columns = [*NAMES, CALLS, *([] if simulated else [TIME]), *(GPU if gpu else []), *BYTES]
    columns += [*([TRAFFIC] if simulated else []), LINE]
    lines = [[name for name, _ in columns], *([cell(row) for _, cell in columns] for row in (*rows, report.total))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    left = {0, 1, len(columns) - 1}
    text = [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    if (more := len(report.rows) - len(rows)) > 0:
        text.insert(-1, f"... and {more} rows more; report.table(limit=None) shows all")
    took = "" if simulated else f", {duration(report.seconds)} in all"
    return "\n".join([f"one step on {report.device}{took}; by {by}", *text, NOTES[report.device]])


def duration(seconds: float) -> str:
    """``seconds`` with a unit.

    >>> duration(0.00123), duration(4.56e-05)
    ('1.23 ms', '45.6 us')
    """
    factor, unit = (1e6, "us") if seconds < 1e-3 else (1e3, "ms") if seconds < 1 else (1, "s")
    return f"{seconds * factor:.3g} {unit}"


def size(nbytes: float) -> str:
    """``nbytes`` with a unit.

    >>> size(12), size(4096), size(3_210_000)
    ('12 B', '4.1 kB', '3.2 MB')
    """
    for unit in ("B", "kB", "MB"):
        if nbytes < 1000:
            return f"{nbytes:.0f} {unit}" if unit == "B" or nbytes >= 100 else f"{nbytes:.1f} {unit}"
        nbytes /= 1000
    return f"{nbytes:,.1f} GB"
