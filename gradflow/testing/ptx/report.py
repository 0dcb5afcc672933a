"""What a launch did: instructions, bytes, sectors, atomics."""

from __future__ import annotations

from typing import Any

import numpy as np


class Report:
    """Counts of one launch."""

    def __init__(self, kernel: str, grid: tuple[int, ...], block: tuple[int, ...], lines: dict[int, str]) -> None:
        self.kernel, self.grid, self.block, self.lines = kernel, grid, block, lines
        self.accesses: list[Any] = []
        self.instructions_total = 0
        self.instructions_max = 0
        self.atomics = self.generic = 0

    def access(self, g: Any, kind: str, space: str, number: int, where: Any, width: int) -> None:
        self.accesses.append((kind, space, number, where, width, g.threads))

    def count(self, counts: Any) -> None:
        self.instructions_total += int(counts.sum())
        self.instructions_max = max(self.instructions_max, int(counts.max()))

    def close(self, launch: Any) -> None:
        self.atomics, self.generic = launch.atomics, launch.generic
        self.threads = int(np.prod(self.grid)) * int(np.prod(self.block))
