"""What accesses cost on the way to memory: requests and 32-byte sectors, and conflicts of shared memory banks."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradflow.testing.ptx.events import Event

SECTOR = 32


class Traffic(NamedTuple):
    """Requests (a warp's instruction is one), the sectors that they touch, and the bytes that threads asked for."""

    requests: int = 0
    sectors: int = 0
    bytes: int = 0

    @property
    def sectors_per_request(self) -> float:
        """16 where each lane moves 16 bytes next to its neighbour's, 4 for 4 bytes; 0 without requests."""
        return self.sectors / self.requests if self.requests else 0.0

    def plus(self, other: Traffic) -> Traffic:
        """Both together."""
        return Traffic(*(a + b for a, b in zip(self, other, strict=True)))


def traffic_of(event: Event) -> tuple[Traffic, Any]:
    """The traffic of an access to global memory, and the sectors it touches."""
    sector = event.offsets() >> 5
    warp = event.shape.warp[event.threads]
    touched = np.unique(warp * (1 << 40) + sector)
    requests = 1 + int(np.count_nonzero(warp[1:] != warp[:-1]))
    traffic = Traffic(requests, len(touched), len(event.threads) * event.width)
    return traffic, np.unique(touched & ((1 << 40) - 1))


def bank_conflicts(event: Event) -> int:
    """How many times more than once an access to shared memory has to go through.

    32 banks of 4 bytes, each of which serves one word at a time; lanes of 8 (16) bytes go in two (four) parts.
    """
    words = max(event.width // 4, 1)
    offset, lane = event.offsets(), event.shape.lane[event.threads]
    turn = event.shape.warp[event.threads] * 4 + lane // (32 // min(words, 4))
    key = turn[:, None] * (1 << 32) + ((offset >> 2)[:, None] + np.arange(words))
    distinct = np.unique(key)
    bank, counts = np.unique((distinct >> 32) * 32 + (distinct & 31), return_counts=True)
    starts = np.flatnonzero(np.concatenate([[True], bank[1:] // 32 != bank[:-1] // 32]))
    return int((np.maximum.reduceat(counts, starts) - 1).sum())
