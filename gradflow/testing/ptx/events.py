"""Accesses to memory as a launch notes them, for the report and for the search for races."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Event(NamedTuple):
    """One instruction of one group of threads; its place in the list of events is its time.

    ``kind`` is "load", "store", "atomic" or "fence". ``where`` holds the offset of each thread in global memory, in the
    shared memory of its block or in its own local memory, or is the first offset and the step from thread to thread.
    ``barrier`` and ``warp_barrier`` are the times of the last barrier of each thread of the slab, or of all.
    """

    kind: str
    space: str
    number: int
    where: Any
    width: int
    threads: Any
    values: Any
    barrier: Any
    warp_barrier: Any
    strong: bool
    shape: Any
    first: int  # the first thread of the slab, counted over the grid

    def offsets(self) -> Any:
        """The offset of each thread."""
        if isinstance(self.where, tuple):
            first, step = self.where
            return first + step * np.arange(len(self.threads), dtype=np.int64)
        return self.where

    def span(self) -> tuple[int, int]:
        """The first offset, and one past the last."""
        if isinstance(self.where, tuple):
            first, step = self.where
            return first, first + step * (len(self.threads) - 1) + self.width
        return int(self.where.min()), int(self.where.max()) + self.width

    def at(self, times: Any) -> Any:
        """What ``barrier`` or ``warp_barrier`` is for each thread."""
        return times[self.threads] if isinstance(times, np.ndarray) else np.full(len(self.threads), times)


def cells(event: Event, size: int, stride: int) -> Any:
    """The numbers of the cells of ``size`` bytes that each thread touches, one row a thread.

    The shared memory of a block begins ``stride`` bytes after that of the one before.
    """
    offset = event.offsets()
    if event.space == "shared":
        base = event.shape.base(True, stride)
        offset = offset + (base if event.threads is event.shape.all else base.take(event.threads))
    first = (offset // size)[:, None]
    return first if event.width == size else first + np.arange(event.width // size)
