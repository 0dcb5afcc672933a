"""Fusion: neighbouring calls on the same elements become one loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gradflow.compiler.clean import kept
from gradflow.compiler.domain import Domain, spread
from gradflow.compiler.order import dependencies
from gradflow.compiler.program import COMPUTED, Call, Program, Storage, Value
from gradflow.compiler.terms import Term, Writer, term
from gradflow.compiler.works import Work, work_of
from gradflow.loop import COLUMN_SUM, ELEMENT, ROW, Loop, Operand, Result

Key = tuple[Storage, int, int]  # which elements a contiguous value is: storage, offset, bytes

MOST = 24  # arrays that one loop reads and writes: more would not stay in registers, nor in the nearest cache


class Group:
    """Calls that are done together: those of a loop, or one that is done alone (``domain`` None)."""

    def __init__(self, order: int, number: int, call: Call, each: Term | None) -> None:
        self.order = order  # among the groups, which are done in this order
        self.numbers = [number]
        self.calls = [call]
        self.terms = [each] if each is not None else []
        self.domain = None if each is None else each.domain

    def add(self, number: int, call: Call, each: Term, domain: Domain) -> None:
        """Take one more call."""
        self.numbers.append(number)
        self.calls.append(call)
        self.terms.append(each)
        self.domain = domain


def grouped(calls: Sequence[Call]) -> list[Group]:
    """``calls`` as groups in an order in which they can be done."""
    return sorted(_Grouping(calls).groups, key=lambda group: group.order)


class _Grouping:
    """Puts calls into groups, one call after another.

    A call joins the group of a call whose result it takes, or that reads what it reads: up there if what it needs has
    been done by then, or that group moves down to it if no other needs its results.
    """

    def __init__(self, calls: Sequence[Call]) -> None:
        self.groups: list[Group] = []
        self._needs = dependencies(calls)
        self._users: list[list[int]] = [[] for _ in calls]
        self._home: list[Group] = []  # of each call
        self._touching: dict[Key, dict[Group, None]] = {}  # the groups that read or write these elements
        for number, call in enumerate(calls):
            each = term(call)
            group = None if each is None else self._joined(number, call, each)
            if group is None:
                group = Group(number, number, call, each)
                self.groups.append(group)
            self._home.append(group)
            for other in self._needs[number]:
                self._users[other].append(number)
            for value in (*call.reads, *call.writes):
                self._touching.setdefault(key(value), {})[group] = None

    def _joined(self, number: int, call: Call, each: Term) -> Group | None:
        """The group that ``call`` joins, if there is one: the last that it can."""
        latest = max((self._home[other].order for other in self._needs[number]), default=-1)
        for group in sorted(self._related(call, each), key=lambda group: -group.order):
            domain = None if group.domain is None else group.domain.merged(each.domain)
            if domain is None or not _fits(group, number, call, each, domain, self._needs):
                continue
            if latest > group.order:
                if any(self._home[user] is not group for other in group.numbers for user in self._users[other]):
                    continue
                group.order = number  # down to here
            group.add(number, call, each, domain)
            return group
        return None

    def _related(self, call: Call, each: Term) -> set[Group]:
        """The groups that make or read what ``call`` reads, but for numbers, which many read."""
        return {
            group
            for value in call.reads
            for group in self._touching.get(key(value), ())
            if value.size > 1 or (each.domain.size == 1 and group.domain is not None and group.domain.size == 1)
        }


def _fits(group: Group, number: int, call: Call, each: Term, domain: Domain, needs: list[set[int]]) -> bool:
    """Whether ``call`` can be done in the loop of ``group``, element by element."""
    if _arrays([*group.calls, call]) > MOST:
        return False
    columns = domain.columns or domain.size
    for one in (*group.terms, each):
        if not _spreads(one, columns):
            return False
    for other_number, other, other_term in zip(group.numbers, group.calls, group.terms, strict=True):
        if other_number not in needs[number]:
            continue
        for x in (*call.reads, *call.writes):
            for y in (*other.reads, *other.writes):
                written = x in call.writes or y in other.writes
                if written and x.overlaps(y):
                    same = key(x) == key(y) and x.strides is None and y.strides is None
                    if not same or not (x.size == domain.size or _row_result(other_term, y)):
                        return False
                    if x in call.writes and y in other.writes:
                        return False
    return True


def _row_result(other: Term, value: Value) -> bool:
    return other.result == ROW and value is other.target


def _spreads(each: Term, columns: int) -> bool:
    values = [x for x in each.names.values() if isinstance(x, Value)]
    if each.result == COLUMN_SUM and each.target.size != columns:
        return False
    if each.result == ROW and each.domain.columns != columns:
        return False
    return all(spread(x, each.shape, columns) is not None for x in values)


def _arrays(calls: Sequence[Call]) -> int:
    return len({key(value) for call in calls for value in (*call.reads, *call.writes)})


def key(value: Value) -> Key:
    """What tells the elements of a value from those of others."""
    return value.storage, value.offset, value.nbytes


def fused(program: Program, single: Callable[[Call], Sequence[Work]]) -> list[Work]:
    """``program`` as works: loops of calls that can be done together, the others as ``single`` makes them."""
    groups = grouped(program.calls)
    last_read: dict[Storage, int] = {}
    for position, group in enumerate(groups):
        last_read.update((value.storage, position) for call in group.calls for value in call.reads)
    last_read.update((value.storage, len(groups)) for value in kept(program))
    works: list[Work] = []
    for position, group in enumerate(groups):
        if group.domain is None:
            works += single(group.calls[0])
        else:
            works.append(loop_of(group, {x for x in _written(group) if last_read.get(x, -1) > position}))
    return works


def _written(group: Group) -> set[Storage]:
    return {value.storage for call in group.calls for value in call.writes}


def loop_of(group: Group, later: set[Storage]) -> Work:
    """The loop that does the calls of ``group`` and keeps what is read ``later``, or was there before the step."""
    assert group.domain is not None
    size, columns = group.domain.size, group.domain.columns or group.domain.size
    writer = Writer()
    known: dict[Any, str] = {}  # the names of values that the loop has made or read
    operands: dict[str, Operand] = {}
    finals: list[tuple[str, Term]] = []
    for each in group.terms:
        given: dict[str, str] = {}
        for name, x in each.names.items():
            if isinstance(x, Value):
                given[name] = _operand(x, each, columns, known, operands)
        name = writer.add(each, given)
        if each.result in (ELEMENT, ROW):
            known[key(each.target), each.result] = name
        finals.append((name, each))
    last = {key(each.target): i for i, (_, each) in enumerate(finals)}
    results = tuple(
        Result(name, each.result, each.target.dtype, each.target, each.scale)
        for i, (name, each) in enumerate(finals)
        if last[key(each.target)] == i and (each.target.storage.origin != COMPUTED or each.target.storage in later)
    )
    loop = Loop(size // columns, columns, tuple(operands.values()), tuple(writer.statements), results)
    return work_of(loop, tuple(group.calls))


def _operand(x: Value, each: Term, columns: int, known: dict[Any, str], operands: dict[str, Operand]) -> str:
    how = spread(x, each.shape, columns)
    assert how is not None
    for kind in (ELEMENT, ROW):  # made in this loop, whatever it looks like where there is one element or one row
        if how.period == 0 and (key(x), kind) in known:
            return known[key(x), kind]
    marker = (key(x), x.dtype, how)
    if marker not in known:
        known[marker] = f"x{len(operands)}"
        operands[known[marker]] = Operand(known[marker], how.kind, x.dtype, x, how.period, how.inner)
    return known[marker]
