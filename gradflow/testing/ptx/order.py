"""Which of two accesses comes first, by barriers within a block, and by fences and atomic operations between blocks."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from gradflow.testing.ptx import races
from gradflow.testing.ptx.events import Event
from gradflow.testing.ptx.memory import BASE


class Stamp:
    """For each cell: who accessed it last in some way, when, and at which instruction; thread -1 for nobody."""

    def __init__(self, count: int) -> None:
        self.thread = np.full(count, -1, np.int64)
        self.time = np.full(count, -1, np.int64)

    def take(self, at: Any) -> tuple[Any, Any]:
        return self.thread[at], self.time[at]

    def put(self, at: Any, thread: Any, time: Any) -> None:
        self.thread[at], self.time[at] = thread, time


class Synchronisation(NamedTuple):
    """The last atomic operation of each block on one address: thread, time, and the barriers and fences before it."""

    thread: Any
    time: Any
    barrier: Any
    fence: Any
    barrier_before_fence: Any


class History:
    """Follows accesses through time, cell by cell, among the cells that more than one thread touches."""

    def __init__(self, launch: Any, events: list[Event], part: list[tuple[int, Event]], space: str) -> None:
        self.launch, self.events, self.part, self.space = launch, events, part, space
        self.size = min(event.width for _, event in part)
        self.stride = races.stride_of(part)
        self.per_block = launch.shape.size
        self.cells = self._contested()
        self.fences = [(t, e.threads + e.first) for t, e in enumerate(events) if e.kind == "fence"]
        self._synchronisations: list[Synchronisation] | None = None
        count = len(self.cells)
        self.writer, self.reader, self.other, self.elsewhere = (Stamp(count) for _ in range(4))
        self.atomic = np.zeros(count, bool)
        self.value = np.zeros(count, np.int64)

    def _contested(self) -> Any:
        """The cells that more than one thread touches, ascending."""
        found, owners = [], []
        for _, event in self.part:
            where = races.cells(event, self.size, self.space, self.stride)
            found.append(where.reshape(-1))
            owners.append(np.repeat(event.threads + event.first, where.shape[1]))
        cell, owner = np.concatenate(found), np.concatenate(owners)
        order = np.argsort(cell, kind="stable")
        cell, owner = cell[order], owner[order]
        differs = (cell[1:] == cell[:-1]) & (owner[1:] != owner[:-1])
        return np.unique(cell[1:][differs])

    def replay(self) -> None:
        """Go through the events; a fault at the first race."""
        if not len(self.cells):
            return
        for time, event in self.part:
            where = races.cells(event, self.size, self.space, self.stride)
            at = np.searchsorted(self.cells, where.reshape(-1))
            at[at == len(self.cells)] = 0
            row, column = np.divmod(np.arange(len(at)), where.shape[1])
            chosen = np.flatnonzero(self.cells[at] == where.reshape(-1))
            if len(chosen):
                self._step(time, event, at[chosen], row[chosen], column[chosen])

    def _step(self, time: int, event: Event, at: Any, row: Any, column: Any) -> None:
        """One event: ``at`` are the cells, ``row`` the positions of the threads, ``column`` the part of the access."""
        order = np.lexsort((row, at))
        at, row, column = at[order], row[order], column[order]
        thread = (event.threads + event.first)[row]
        writer, when = self.writer.take(at)
        against = ~self.atomic[at] if event.strong else np.ones(len(at), bool)
        if event.kind == "store":
            value = _bits(event, row, column, self.size)
            against &= self.atomic[at] | (value != self.value[at])  # the same value twice is no harm
            self._within(time, event, at, thread, row, value)
        self._require(time, event, thread, row, at, writer, np.where(against, when, -1))
        last = np.append(at[1:] != at[:-1], True)
        if event.kind == "load" and not event.strong:
            self._read(time, at, thread, last)
            return
        if event.kind == "load":
            return
        for stamp in (self.reader, self.other, self.elsewhere):
            self._require(time, event, thread, row, at, *stamp.take(at))
        self.writer.put(at[last], thread[last], time)
        self.atomic[at] = event.kind == "atomic"
        if event.kind == "store":
            self.value[at] = value

    def _within(self, time: int, event: Event, at: Any, thread: Any, row: Any, value: Any) -> None:
        """Stores of different values to one place by one instruction."""
        clash = (at[1:] == at[:-1]) & (thread[1:] != thread[:-1]) & (value[1:] != value[:-1])
        if clash.any() and not event.strong:
            i = int(np.flatnonzero(clash)[0])
            self._fault(time, event, int(row[i + 1]), int(thread[i]), time)

    def _read(self, time: int, at: Any, thread: Any, last: Any) -> None:
        """Remember the last reader, the last other thread that read, and the last in another block."""
        cell, newest = at[last], thread[last]
        starts = np.append(0, np.flatnonzero(last)[:-1] + 1)
        oldest = thread[starts]
        before, before_time = self.reader.take(cell)
        _keep(self.other, cell, [(oldest, np.full(len(cell), time)), (before, before_time)], lambda t: t != newest)
        block = newest // self.per_block
        both = [(oldest, np.full(len(cell), time)), (before, before_time)]
        _keep(self.elsewhere, cell, both, lambda t: (t >= 0) & (t // self.per_block != block))
        self.reader.put(cell, newest, time)

    def _require(self, time: int, event: Event, thread: Any, row: Any, at: Any, before: Any, when: Any) -> None:
        """Raise a fault unless the accesses of ``before`` at the times ``when`` come before this one."""
        open_ = np.flatnonzero((when >= 0) & (before >= 0) & (before != thread) & (when < time))
        if not len(open_):
            return
        thread, row, before, when = thread[open_], row[open_], before[open_], when[open_]
        barrier, warp_barrier = event.at(event.barrier)[row], event.at(event.warp_barrier)[row]
        same_block = thread // self.per_block == before // self.per_block
        within = thread % self.per_block // 32 == before % self.per_block // 32
        ordered = same_block & ((barrier > when) | (within & (warp_barrier > when)))
        if self.space == "global" and not (ordered | same_block).all():
            far = np.flatnonzero(~same_block)
            ordered[far] = self._published(time, thread[far], barrier[far], before[far], when[far])
        if not ordered.all():
            i = int(np.flatnonzero(~ordered)[0])
            self._fault(time, event, int(row[i]), int(before[i]), int(when[i]))

    # ---- between blocks

    def _published(self, time: int, thread: Any, barrier: Any, before: Any, when: Any) -> Any:
        """Whether an access by another block was released by an atomic operation that this thread's block acquired."""
        result = np.zeros(len(thread), bool)
        block, source = thread // self.per_block, before // self.per_block
        for s in self._synchronised():
            took, gave = s.time[block], s.time[source]
            chain = (took >= 0) & (gave >= 0) & (took < time)
            chain &= (gave < took) | ((gave == took) & (s.thread[source] < s.thread[block]))
            own = thread == s.thread[block]
            chain &= own | (barrier > took)
            fenced = self._fence_between(s.thread[block], took, np.where(own, time, barrier))
            fenced |= self._fence_between(
                thread, np.maximum(took, np.where(own, took, barrier - 1)), np.full(len(thread), time)
            )
            released = (before == s.thread[source]) & (when < s.fence[source])
            released |= when < s.barrier_before_fence[source]
            released |= self._fence_between(before, when, s.barrier[source])
            result |= chain & fenced & released
        return result

    def _fence_between(self, thread: Any, after: Any, until: Any) -> Any:
        """Whether each thread fenced at a time from ``after`` and before ``until``."""
        result = np.zeros(len(thread), bool)
        for time, threads in self.fences:
            at = np.searchsorted(threads, thread)
            at[at == len(threads)] = 0
            result |= (threads[at] == thread) & (after < time) & (time < until)
        return result

    def _synchronised(self) -> list[Synchronisation]:
        """The last atomic operation of each block, for each address of global memory that several blocks share."""
        if self._synchronisations is None:
            blocks = prod(self.launch.grid)
            by_address: dict[int, Synchronisation] = {}
            for time, event in enumerate(self.events):
                if event.kind != "atomic" or event.space != "global":
                    continue
                for offset in np.unique(event.offsets())[:64]:
                    chosen = np.flatnonzero(event.offsets() == offset)
                    known = by_address.setdefault(int(offset), _nothing(blocks))
                    self._note(known, time, event, chosen)
            self._synchronisations = list(by_address.values())
        return self._synchronisations

    def _note(self, known: Synchronisation, time: int, event: Event, chosen: Any) -> None:
        thread = event.threads[chosen] + event.first
        block = thread // self.per_block
        known.thread[block], known.time[block] = thread, time
        known.barrier[block] = event.at(event.barrier)[chosen]
        for when, threads in self.fences:
            if when > time:
                break
            fenced = np.isin(thread, threads)
            known.fence[block[fenced]] = when
            before = self.events[when]
            barrier = before.barrier
            if isinstance(barrier, np.ndarray):
                local = thread[fenced] - before.first
                known.barrier_before_fence[block[fenced]] = barrier[local]
            else:
                known.barrier_before_fence[block[fenced]] = barrier

    def _fault(self, time: int, event: Event, row: int, before: int, when: int) -> None:
        launch = self.launch
        there = self.events[when]
        block, inside = divmod(before, self.per_block)
        offset = int(event.offsets()[row])
        address = offset + BASE if self.space == "global" else offset
        mine = (int(event.threads[row]) + event.first) // self.per_block
        apart = "with no barrier between" if mine == block else "in different blocks"
        who = f"block {launch.index(block, launch.grid)}, thread {launch.index(inside, launch.block)}"
        what = f"{launch.verb(event.number)} {event.width} bytes at {address:#x} of {self.space} memory"
        other = f"{launch.verb(there.number)} {there.width} bytes there by {who} at {launch.line(there.number)}"
        launch.first = event.first // self.per_block
        raise launch.fault(
            "data race",
            f"{what}, and {other}, {apart}",
            event.number,
            int(event.threads[row]),
            address,
        )


def _nothing(blocks: int) -> Synchronisation:
    return Synchronisation(*(np.full(blocks, -1, np.int64) for _ in range(5)))


def _keep(stamp: Stamp, cell: Any, candidates: list[tuple[Any, Any]], suits: Any) -> None:
    """Put the first candidate that suits into a stamp, which keeps what it has where none does."""
    thread, time = stamp.take(cell)
    for who, when in reversed(candidates):
        good = suits(who) & (who >= 0)
        thread, time = np.where(good, who, thread), np.where(good, when, time)
    stamp.put(cell, thread, time)


def _bits(event: Event, row: Any, column: Any, size: int) -> Any:
    """The bits that a store writes to each cell, or those of the element that the cell is part of."""
    element = event.width // len(event.values)
    result = np.zeros(len(row), np.int64)
    for i, value in enumerate(event.values):
        bits = np.broadcast_to(np.ascontiguousarray(value).view(f"i{element}"), len(event.threads))
        mine = column * size // element == i
        result[mine] = bits[row[mine]]
    return result
