"""What must come before what: which calls of a program read, or write over, what others write."""

from __future__ import annotations

from collections.abc import Sequence

from gradflow.compiler.program import Call, Storage, Value


def dependencies(calls: Sequence[Call]) -> list[set[int]]:
    """For each call the numbers of earlier calls that must be done before it; actions keep their place among all."""
    found: list[set[int]] = []
    touched: dict[Storage, list[tuple[int, Value, bool]]] = {}  # call, value, whether it is written
    barrier = -1
    for number, call in enumerate(calls):
        before = {barrier} if barrier >= 0 else set()
        if call.op is None:
            before |= set(range(barrier + 1, number))
            barrier = number
        uses = [(value, False) for value in call.reads] + [(value, True) for value in call.writes]
        for value, written in uses:
            for other, earlier, was_written in touched.get(value.storage, ()):
                if (written or was_written) and value.overlaps(earlier):
                    before.add(other)
        for value, written in uses:
            touched.setdefault(value.storage, []).append((number, value, written))
        found.append(before - {number})
    return found
