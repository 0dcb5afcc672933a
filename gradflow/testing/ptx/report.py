"""What a launch did: instructions, bytes, sectors, conflicts, and which source lines ran."""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from gradflow.testing.ptx.events import Event
from gradflow.testing.ptx.traffic import SECTOR, Traffic, bank_conflicts, traffic_of


class Report:
    """Counts of one launch; those of memory are worked out when they are first asked for.

    It holds the addresses of every access until then, so do not keep many that nobody asked.
    """

    def __init__(self, kernel: str, grid: tuple[int, ...], block: tuple[int, ...], lines: dict[int, str]) -> None:
        self.kernel, self.grid, self.block = kernel, grid, block
        self.threads = prod(grid) * prod(block)
        self.instructions = 0  # of all threads
        self.most_instructions = 0  # of any thread
        self.atomics = 0  # atomic operations, one a thread
        self.generic_accesses = 0  # instructions of a group of threads, with an address whose space is not known
        self.executed: set[int] = set()  # numbers of instructions
        self._lines = lines
        self._events: list[Event] = []
        self._traffic = {kind: Traffic() for kind in ("load", "store", "atomic")}
        self._local = self._conflicts = 0
        self._touched: dict[str, list[Any]] = {"read": [], "written": []}

    @property
    def instructions_per_thread(self) -> float:
        """Mean over all threads of the grid."""
        return self.instructions / self.threads

    @property
    def loads(self) -> Traffic:
        """Loads from global memory."""
        return self._settled._traffic["load"]

    @property
    def stores(self) -> Traffic:
        """Stores to global memory."""
        return self._settled._traffic["store"]

    @property
    def bytes_read(self) -> int:
        """Bytes of different 32-byte sectors of global memory that were read: what DRAM delivers at least."""
        return self._unique["read"]

    @property
    def bytes_written(self) -> int:
        """Bytes of different 32-byte sectors of global memory that were written."""
        return self._unique["written"]

    @property
    def bank_conflicts(self) -> int:
        """How often an access to shared memory had to go through once more."""
        return self._settled._conflicts

    @property
    def local_accesses(self) -> int:
        """Accesses to local memory, one a thread: arrays that did not fit registers."""
        return self._settled._local

    @cached_property
    def lines(self) -> set[str]:
        """The source lines that ran, as ``kernels/x.cu:12``."""
        return {self._lines[number].split(",")[0] for number in self.executed if self._lines[number]}

    @cached_property
    def missed_lines(self) -> set[str]:
        """The source lines of the kernel of which nothing ran."""
        return {line.split(",")[0] for line in self._lines.values() if line} - self.lines

    def add(self, events: list[Event]) -> None:
        """Take the accesses of the launch, or of a part of it."""
        self._events += [event._replace(values=None, barrier=0, warp_barrier=0) for event in events]

    def settle(self) -> None:
        """Work out the counts of the accesses taken so far, and forget the accesses."""
        for event in self._events:
            if event.kind == "fence" or event.space == "private":
                continue
            if event.space == "shared":
                self._conflicts += bank_conflicts(event)
            elif event.space == "local":
                self._local += len(event.threads)
            else:
                traffic, sectors = traffic_of(event)
                self._traffic[event.kind] = self._traffic[event.kind].plus(traffic)
                for way, kinds in (("read", {"load", "atomic"}), ("written", {"store", "atomic"})):
                    if event.kind in kinds:
                        self._touched[way].append(sectors)
        self._events = []
        for way, parts in self._touched.items():
            self._touched[way] = [np.unique(np.concatenate(parts))] if parts else []

    @property
    def _settled(self) -> Report:
        if self._events:
            self.settle()
        return self

    @property
    def _unique(self) -> dict[str, int]:
        touched = self._settled._touched
        return {way: SECTOR * sum(len(part) for part in parts) for way, parts in touched.items()}

    def __repr__(self) -> str:
        return (
            f"<{self.kernel}: {self.threads} threads, {self.instructions_per_thread:.1f} instructions each, "
            f"{self.bytes_read} bytes read ({self.loads.sectors_per_request:.1f} sectors a request), "
            f"{self.bytes_written} written ({self.stores.sectors_per_request:.1f}), {self.atomics} atomics>"
        )
