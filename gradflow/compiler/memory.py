"""Buffer sharing: what is computed lies in one piece of memory, where nothing else is needed at the time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gradflow.compiler.program import COMPUTED, Storage, Value
from gradflow.compiler.works import Work
from gradflow.loop import ELEMENT, CrossEntropy, Loop

ALIGNMENT = 256  # bytes: what vector loads, cache lines and CuPy's own allocations have


class Layout(NamedTuple):
    """Where each computed storage begins, how many bytes they take together, and who dies with which work."""

    places: dict[Storage, int]
    nbytes: int
    dead_after: list[list[Storage]]


def layout(works: Sequence[Work], kept: Iterable[Value]) -> Layout:
    """The places of what ``works`` compute; values that are ``kept`` stay to the end.

    The lowest place that is free while a storage lives is its own (first fit). A loop may write where it reads.
    """
    born, last = _lifetimes(works, {value.storage for value in kept})
    places: dict[Storage, int] = {}
    living: list[Storage] = []
    dead_after: list[list[Storage]] = []
    top = 0
    newborn: dict[int, list[Storage]] = {}
    for storage, when in born.items():
        newborn.setdefault(when, []).append(storage)
    for number, work in enumerate(works):
        new = newborn.get(number, [])
        dying = [storage for storage in living if last[storage] == number]
        replaceable = [storage for storage in dying if _may_be_overwritten(work, storage)]
        for storage in new:
            found = next(
                (old for old in replaceable if old.nbytes == storage.nbytes and _is_elements(work, storage)), None
            )
            if found is not None:
                replaceable.remove(found)
                places[storage] = places[found]
                living.remove(found)
            else:
                places[storage] = _lowest(storage.nbytes, [(places[each], each.nbytes) for each in living])
            living.append(storage)
            top = max(top, places[storage] + storage.nbytes)
        dead_after.append([storage for storage in living if last[storage] == number])
        living = [storage for storage in living if last[storage] != number]
    return Layout(places, -(-top // ALIGNMENT) * ALIGNMENT, dead_after)


def _lifetimes(works: Sequence[Work], kept: set[Storage]) -> tuple[dict[Storage, int], dict[Storage, int]]:
    born: dict[Storage, int] = {}
    last: dict[Storage, int] = {}
    for number, work in enumerate(works):
        for value in (*work.reads, *work.writes):
            if value.storage.origin == COMPUTED:
                born.setdefault(value.storage, number)
                last[value.storage] = len(works) if value.storage in kept else number
    return born, last


def _may_be_overwritten(work: Work, storage: Storage) -> bool:
    """Whether ``work`` reads ``storage`` element by element and nowhere else, so that a result may replace it."""
    does = work.does
    if isinstance(does, CrossEntropy):
        return does.logits.storage is storage and does.logits.whole
    if not isinstance(does, Loop):
        return False
    read = [operand for operand in does.operands if operand.array.storage is storage]
    written = any(result.array.storage is storage for result in does.results)
    return not written and all(operand.kind == ELEMENT and operand.array.whole for operand in read)


def _is_elements(work: Work, storage: Storage) -> bool:
    """Whether ``storage`` is a result of ``work`` with a value for each element, and nothing else."""
    does = work.does
    if isinstance(does, CrossEntropy):
        return does.gradient is not None and does.gradient.storage is storage and does.gradient.whole
    if not isinstance(does, Loop):
        return False
    made = [result for result in does.results if result.array.storage is storage]
    return all(result.kind == ELEMENT and result.array.whole for result in made)


def _lowest(nbytes: int, taken: list[tuple[int, int]]) -> int:
    """The lowest aligned place for ``nbytes`` beside what is ``taken``: begins and sizes."""
    place = 0
    for begin, size in sorted(taken):
        if place + nbytes <= begin:
            break
        place = max(place, -(-(begin + size) // ALIGNMENT) * ALIGNMENT)
    return place
