"""What the simulated device did, in order: launches, products, copies, synchronisations, allocations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Record(NamedTuple):
    """One thing the device did."""

    kind: str  # kernel, gemm, copy_h2d, copy_d2h, copy_d2d, memset, sync, alloc, free, graph
    name: str
    bytes: int = 0
    stream: int = 0
    device: int = 0


class Log:
    """The records of one simulated machine, oldest first.

    >>> log = Log()
    >>> log.add(Record("kernel", "add", 24))
    >>> mark = len(log)
    >>> log.add(Record("copy_d2h", "get", 8))
    >>> log.count("kernel"), log.since(mark)[0].name, log.bytes("copy_d2h")
    (1, 'get', 8)
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.add = self.records.append

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __getitem__(self, position: int) -> Record:
        return self.records[position]

    def since(self, mark: int) -> list[Record]:
        """The records made after the log was ``mark`` records long."""
        return self.records[mark:]

    def count(self, *kinds: str, since: int = 0) -> int:
        """How many records there are of these kinds, of all kinds if none is given."""
        return sum(not kinds or record.kind in kinds for record in self.records[since:])

    def bytes(self, *kinds: str, since: int = 0) -> int:
        """The bytes of the records of these kinds, of all kinds if none is given."""
        return sum(record.bytes for record in self.records[since:] if not kinds or record.kind in kinds)

    def clear(self) -> None:
        """Forget everything."""
        self.records.clear()
