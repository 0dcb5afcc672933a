"""Accesses of different threads to the same bytes with nothing that orders them."""

from __future__ import annotations

from typing import Any


class Races:
    """What the threads of a launch touched, and when."""

    def __init__(self, launch: Any) -> None:
        self.launch = launch

    def begin(self, shape: Any) -> None:
        """A new slab."""

    def record(self, g: Any, kind: str, space: str, number: int, where: Any, width: int, values: Any) -> None:
        """An access."""
        self.launch.report.access(g, kind, space, number, where, width)

    def barrier(self, g: Any) -> None: ...
    def warp_barrier(self, g: Any) -> None: ...
    def fence(self, g: Any, block: bool) -> None: ...
    def order(self, g: Any, order: str, scope: str, before: bool) -> None: ...
    def finish(self) -> None: ...
