"""Data races: two threads at the same bytes, one of them writing, and nothing that puts one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.testing.ptx.events import Event, cells
from gradflow.testing.ptx.order import Order

ENOUGH = 1 << 28  # bytes of addresses and values after which the accesses so far are looked at and forgotten


class Races:
    """Notes what the threads of a launch touch and when, and looks for races when a slab, or all, is done.

    Most accesses are cleared at once: a range that nobody writes; threads that keep to a cell of their own at equal
    distances; bytes that one thread alone touches. What is left is followed through time in order.py.
    """

    def __init__(self, launch: Any) -> None:
        self.launch = launch
        self.events: list[Event] = []
        self.retained = 0
        self.first = -1
        self.barriers: Any = -1
        self.warp_barriers: Any = -1

    def begin(self, shape: Any) -> None:
        """A new slab: its blocks have met no barrier yet."""
        self.look("shared")
        self.shape, self.first = shape, self.launch.first * shape.size
        self.barriers = self.warp_barriers = -1

    def record(self, g: Any, kind: str, space: str, number: int, where: Any, width: int, values: Any) -> None:
        """An access of a group."""
        strong = kind == "atomic" or number in self.launch.kernel.strong
        self.events.append(
            Event(
                kind, space, number, where, width, g.threads, values, self.barriers, self.warp_barriers, strong,
                self.shape, self.first,
            )
        )  # fmt: skip
        self.retained += (8 if type(where) is not tuple else 0) * g.n + (width * g.n if values else 0)
        if self.retained > ENOUGH:
            self.finish()

    def barrier(self, g: Any) -> None:
        """The threads of a group have met the rest of their block."""
        self.barriers = self._met(g, self.barriers)

    def warp_barrier(self, g: Any) -> None:
        """The threads of a group have met the others in their mask."""
        self.warp_barriers = self._met(g, self.warp_barriers)

    def _met(self, g: Any, times: Any) -> Any:
        now = len(self.events)
        if g.full:
            return now
        times = times.copy() if isinstance(times, np.ndarray) else np.full(self.shape.threads, times)
        times[g.threads] = now
        return times

    def fence(self, g: Any, block: bool) -> None:
        """A __threadfence, or a weaker one for the block alone, which orders nothing between blocks."""
        if not block:
            self.record(g, "fence", "", 0, (0, 0), 0, None)

    def order(self, g: Any, order: str, scope: str, before: bool) -> None:
        """An atomic operation that releases or acquires: as if it had a fence before or after it."""
        self.fence(g, scope == "cta")

    def finish(self) -> None:
        """Look at what is left, at the end of the launch."""
        self.look("shared")
        self.look("global")
        self.launch.report.add(self.events)
        if self.retained > ENOUGH:
            self.launch.report.settle()
        self.events, self.retained = [], 0
        self.barriers = self.warp_barriers = -1

    def look(self, space: str) -> None:
        """Raise a fault for the first race in a space among the events of the slab (shared) or launch (global)."""
        chosen = [
            (time, event)
            for time, event in enumerate(self.events)
            if event.space == space and (space == "global" or event.first == self.first)
        ]
        if all(event.kind == "load" for _, event in chosen):
            return
        for part in self._parts(chosen) if space == "global" else [chosen]:
            size = min(event.width for _, event in part)
            if space == "global" and (_own_cells(part) or _own_bytes(part, size)):
                continue
            stride = -(-max(event.span()[1] for _, event in part) // 16) * 16
            Order(self.launch, self.events, part, size, stride).check()

    def _parts(self, chosen: list[tuple[int, Event]]) -> list[list[tuple[int, Event]]]:
        """The events by allocation, without the allocations that nobody writes."""
        parts: dict[int, list[tuple[int, Event]]] = {}
        several = False
        for time, event in chosen:
            low, high = event.span()
            allocation = self.launch.memory.find(low)
            several |= allocation is None or high > allocation.start + allocation.size
            parts.setdefault(allocation.start if allocation else -1, []).append((time, event))
        if several:
            return [chosen]
        return [part for part in parts.values() if any(event.kind != "load" for _, event in part)]


def _own_cells(part: list[tuple[int, Event]]) -> bool:
    """Whether thread t stays within ``step`` bytes at ``base + step * t`` in all events."""
    steps = {event.where[1] for _, event in part if type(event.where) is tuple and event.where[1]}
    if len(steps) != 1:
        return False
    step = steps.pop()
    low, high = 1 << 62, -(1 << 62)
    for _, event in part:
        threads = event.threads
        if type(event.where) is not tuple or int(threads[-1]) - int(threads[0]) != len(threads) - 1:
            return False
        if not event.where[1] and len(threads) > 1:
            return False
        base = event.where[0] - step * (event.first + int(threads[0]))
        low, high = min(low, base), max(high, base + event.width)
    return bool(high - low <= step)


def _own_bytes(part: list[tuple[int, Event]], size: int) -> bool:
    """Whether each cell of ``size`` bytes of global memory is touched by one thread alone."""
    spans = [event.span() for _, event in part]
    low = min(span[0] for span in spans) // size
    owner = np.full(max(span[1] for span in spans) // size + 1 - low, -1, np.int64)
    placed = [(cells(event, size, 0) - low, (event.threads + event.first)[:, None]) for _, event in part]
    for where, threads in placed:
        owner[where] = threads
    return all((owner[where] == threads).all() for where, threads in placed)
