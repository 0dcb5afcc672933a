"""How often anything was set that steers Python code and is no tensor: what lets a compiled step look no further."""

from __future__ import annotations


class Changes:
    """A count: attributes of modules and options of optimizers raise it when they are set."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


changes = Changes()
