"""The arrays that a function is given, and what vectors of their elements lie where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gradflow.backend.native.emit_values import Operand, Value
from gradflow.backend.native.emit_writer import Writer


class Addresses:
    """The arrays that a function is given, each once, and their addresses in it."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.arrays: list[Any] = []

    def of(self, array: Any) -> Value:
        """The address of ``array``."""
        for position, each in enumerate(self.arrays):
            if each is array:
                return self.writer.argument(position)
        self.arrays.append(array)
        return self.writer.argument(len(self.arrays) - 1)


def vectors(writer: Writer, count: int, width: int) -> Iterator[tuple[Operand, int]]:
    """For vectors of ``count`` elements: the first element and the width of each; what is written for it is inside a
    loop, and then once for what does not fill a vector.
    """
    full = count // width * width
    if full:
        with writer.loop(0, full, width) as start:
            yield start, width
    if count > full:
        yield full, count - full
