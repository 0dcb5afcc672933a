"""Which memory was written in place, and when: what lets a stale gradient be refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gradflow.backend import backend_of
from gradflow.backend.traced import Traced
from gradflow.errors import GradientError
from gradflow.op import Op


class Mutations:
    """The log of writes in place.

    A node remembers the epoch it was made in. If no op has written in place since, there is nothing to check; if
    one has, the node's saved arrays must not overlap what was written.
    """

    LIMIT = 4096  # distinct buffers remembered; optimizers and running statistics write the same few again and again

    def __init__(self) -> None:
        self.epoch = 0
        self.forgotten = 0  # the epoch of the newest write the log no longer knows
        self.log: dict[tuple[int, int], tuple[int, str]] = {}

    def note(self, op: Op, arrays: Sequence[Any]) -> None:
        """``op`` wrote to ``arrays``."""
        self.wrote(op.name, [backend_of(array).memory_of(array) for array in arrays if array is not None])

    def wrote(self, writer: str, places: Iterable[tuple[int, int]]) -> None:
        """``writer`` wrote to the memory between the addresses of each of ``places``."""
        self.epoch += 1
        for key in places:
            self.log.pop(key, None)
            self.log[key] = (self.epoch, writer)
        while len(self.log) > self.LIMIT:
            self.forgotten, _ = self.log.pop(next(iter(self.log)))

    def check(self, reader: str, epoch: int, arrays: Iterable[Any]) -> None:
        """Raise GradientError if any of ``arrays``, which ``reader`` kept in ``epoch``, was written to since."""
        if epoch < self.forgotten:
            raise GradientError(
                f"backward: over {self.LIMIT} buffers were written in place since {reader} was recorded, too many "
                "to tell whether what it kept is still intact; write less in place between forward and backward"
            )
        recent = [(key, writer) for key, (when, writer) in list(self.log.items()) if when > epoch]
        for each in arrays:
            array = each.bottom if isinstance(each, Traced) else each
            low, high = backend_of(array).memory_of(array)
            for (start, end), writer in recent:
                if low < end and start < high:
                    raise GradientError(
                        f"backward: {reader} kept an array of shape {array.shape} for its gradient, and "
                        f"{writer} has overwritten it since; do that after backward, or on a copy"
                    )


mutations = Mutations()
