"""Which of two accesses comes first, by barriers within a block, and by fences and atomic operations between blocks."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from gradflow.testing.ptx.events import Event, cells
from gradflow.testing.ptx.faults import KernelFault
from gradflow.testing.ptx.memory import BASE


class Records(NamedTuple):
    """Accesses, one of one cell by one thread each: arrays of one length.

    ``event`` is a position in the list of events that is looked at, ``row`` that of the thread in the event, ``column``
    the part of a vector; ``barrier`` and ``warp_barrier`` are the times of the thread's last ones before.
    """

    cell: Any
    event: Any
    time: Any
    thread: Any
    row: Any
    column: Any
    barrier: Any
    warp_barrier: Any

    def take(self, at: Any) -> Records:
        """Those at some positions."""
        return Records(*(array[at] for array in self))


class Synchronisation(NamedTuple):
    """The last atomic operation of each block on one address: thread, time, and the barriers and fences before it."""

    thread: Any
    time: Any
    barrier: Any
    fence: Any
    barrier_before_fence: Any


class Order:
    """What happens before what among the accesses of one part of memory."""

    def __init__(self, launch: Any, events: list[Event], part: list[tuple[int, Event]], size: int, stride: int) -> None:
        self.launch, self.events, self.part = launch, events, part
        self.size, self.stride = size, stride
        self.space = part[0][1].space
        self.per_block = launch.shape.size
        self.fences = [(t, e.threads + e.first) for t, e in enumerate(events) if e.kind == "fence"]
        self._synchronisations: list[Synchronisation] | None = None

    def check(self) -> None:
        """Raise a fault for two accesses of a cell, one of them a write, of which neither is sure to come first.

        In the order in which the interpreter ran them, each access must come after the last write before it, and each
        read before the next write after it; what is further apart follows from these.
        """
        records = self._contested()
        count = len(records.cell)
        if not count:
            return
        writes = np.array([event.kind != "load" for _, event in self.part])[records.event]
        place = np.arange(count)
        first = np.append(True, records.cell[1:] != records.cell[:-1])
        start = np.maximum.accumulate(np.where(first, place, 0))
        before = np.append(-1, np.maximum.accumulate(np.where(writes, place, -1))[:-1])
        has = before >= start
        self._require(records, before[has], place[has])
        end = np.minimum.accumulate(np.where(np.append(first[1:], True), place, count)[::-1])[::-1]
        after = np.append(np.minimum.accumulate(np.where(writes, place, count)[::-1])[::-1][1:], count)
        has = ~writes & (after <= end)
        self._require(records, place[has], after[has])

    def _contested(self) -> Records:
        """The accesses of cells that several threads touch, by cell, then by time, then by thread."""
        parts = [cells(event, self.size, self.stride) for _, event in self.part]
        owners = [event.threads + event.first for _, event in self.part]
        cell = np.concatenate([where.reshape(-1) for where in parts])
        widths = np.array([where.shape[1] for where in parts])
        thread = np.concatenate([x if k == 1 else x.repeat(k) for x, k in zip(owners, widths, strict=True)])
        order = np.argsort(cell, kind="stable")
        cell, thread = cell[order], thread[order]
        new = cell[1:] != cell[:-1]
        group = np.append(0, np.cumsum(new))
        several = np.zeros(int(group[-1]) + 1, bool)
        several[group[1:][~new & (thread[1:] != thread[:-1])]] = True
        kept = np.flatnonzero(several[group])
        starts = np.cumsum([0, *(where.size for where in parts)])
        event = np.searchsorted(starts, order[kept], side="right") - 1
        row, column = np.divmod(order[kept] - starts[event], widths[event])
        time = np.array([time for time, _ in self.part])[event]
        return Records(cell[kept], event, time, thread[kept], row, column, *self._barriers(event, row))

    def _barriers(self, event: Any, row: Any) -> tuple[Any, Any]:
        """The time of the last barrier, and of the last barrier of the warp, before each access."""
        found = []
        for name in ("barrier", "warp_barrier"):
            given = [getattr(one, name) for _, one in self.part]
            varied = [at for at, times in enumerate(given) if isinstance(times, np.ndarray)]
            times = np.array([-1 if isinstance(x, np.ndarray) else x for x in given])[event]
            for at in varied:
                mine = np.flatnonzero(event == at)
                times[mine] = given[at][self.part[at][1].threads[row[mine]]]
            found.append(times)
        return found[0], found[1]

    def _require(self, records: Records, earlier: Any, later: Any) -> None:
        """Raise a fault unless the accesses at positions ``earlier`` come before those at ``later``."""
        thread = records.thread
        apart = thread[earlier] != thread[later]
        strong = np.array([event.strong for _, event in self.part])
        if strong.any():
            apart &= ~(strong[records.event[earlier]] & strong[records.event[later]])
        earlier, later = earlier[apart], later[apart]
        first, second, time = thread[earlier], thread[later], records.time[earlier]
        within = (first // self.per_block == second // self.per_block) & (records.barrier[later] > time)
        open_ = np.flatnonzero(~within)
        if len(open_):
            self._look(records.take(earlier[open_]), records.take(later[open_]))

    def _look(self, a: Records, b: Records) -> None:
        """Raise a fault unless something else than a barrier of the block orders accesses, or they do no harm."""
        block, source = b.thread // self.per_block, a.thread // self.per_block
        same_warp = b.thread % self.per_block // 32 == a.thread % self.per_block // 32
        wrong = ~((block == source) & same_warp & (b.warp_barrier > a.time))
        at = np.flatnonzero(wrong)
        wrong[at] = ~self._harmless(a.take(at), b.take(at))
        if self.space == "global":
            far = np.flatnonzero(wrong & (block != source))
            wrong[far] = ~self._published(a.take(far), b.take(far))
        if wrong.any():
            i = int(np.flatnonzero(wrong)[0])
            raise self._fault(a.take(i), b.take(i))

    def _harmless(self, a: Records, b: Records) -> Any:
        """Whether both store the same value."""
        kinds = np.array([event.kind == "store" for _, event in self.part])
        both = kinds[a.event] & kinds[b.event]
        at = np.flatnonzero(both)
        both[at] = self._values(a.take(at)) == self._values(b.take(at))
        return both

    def _values(self, records: Records) -> Any:
        """The bits that stores write to each cell, or those of the element that the cell is part of."""
        result = np.zeros(len(records.cell), np.int64)
        for at in np.unique(records.event):
            event = self.part[at][1]
            element = event.width // len(event.values)
            for i, value in enumerate(event.values):
                mine = np.flatnonzero((records.event == at) & (records.column * self.size // element == i))
                bits = np.broadcast_to(np.ascontiguousarray(value).view(f"i{element}"), len(event.threads))
                result[mine] = bits[records.row[mine]]
        return result

    # ---- between blocks

    def _published(self, a: Records, b: Records) -> Any:
        """Whether accesses were released by an atomic operation that the block of the later one acquired."""
        result = np.zeros(len(a.cell), bool)
        block, source = b.thread // self.per_block, a.thread // self.per_block
        for s in self._synchronised() if len(a.cell) else ():
            took, gave = s.time[block], s.time[source]
            chain = (took >= 0) & (gave >= 0) & (took < b.time)
            chain &= (gave < took) | ((gave == took) & (s.thread[source] < s.thread[block]))
            own = b.thread == s.thread[block]
            chain &= own | (b.barrier > took)
            acquired = self._fenced(s.thread[block], took, np.where(own, b.time, b.barrier))
            acquired |= self._fenced(b.thread, np.maximum(took, np.where(own, took, b.barrier - 1)), b.time)
            released = (a.thread == s.thread[source]) & (a.time < s.fence[source])
            released |= a.time < s.barrier_before_fence[source]
            released |= self._fenced(a.thread, a.time, s.barrier[source])
            result |= chain & acquired & released
        return result

    def _fenced(self, thread: Any, after: Any, until: Any) -> Any:
        """Whether each thread had a fence later than ``after`` and before ``until``."""
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
                    self._note(by_address.setdefault(int(offset), _nothing(blocks)), time, event, chosen)
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
            at = np.flatnonzero(np.isin(thread, threads))
            fence = self.events[when]
            known.fence[block[at]] = when
            barrier = fence.barrier
            local = thread[at] - fence.first
            known.barrier_before_fence[block[at]] = barrier[local] if isinstance(barrier, np.ndarray) else barrier

    def _fault(self, a: Records, b: Records) -> KernelFault:
        launch = self.launch
        before, event = self.part[int(a.event)][1], self.part[int(b.event)][1]
        block, inside = divmod(int(a.thread), self.per_block)
        offset = int(event.offsets()[int(b.row)])
        address = offset + BASE if self.space == "global" else offset
        apart = "with no barrier between" if int(b.thread) // self.per_block == block else "in different blocks"
        who = f"block {launch.index(block, launch.grid)}, thread {launch.index(inside, launch.block)}"
        what = f"{launch.verb(event.number)} {event.width} bytes at {address:#x} of {self.space} memory"
        other = f"{launch.verb(before.number)} {before.width} bytes there by {who} at {launch.line(before.number)}"
        launch.first = event.first // self.per_block
        thread = int(event.threads[int(b.row)])
        fault: KernelFault = launch.fault("data race", f"{what}, and {other}, {apart}", event.number, thread, address)
        return fault


def _nothing(blocks: int) -> Synchronisation:
    return Synchronisation(*(np.full(blocks, -1, np.int64) for _ in range(5)))
