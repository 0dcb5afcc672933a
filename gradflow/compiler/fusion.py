"""Fusion: neighbouring calls on the same elements become one loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gradflow.compiler.clean import kept
from gradflow.compiler.domain import Domain, spread
from gradflow.compiler.order import dependencies
from gradflow.compiler.program import COMPUTED, Call, Program, Storage, Value
from gradflow.compiler.terms import Term, Writer, term
from gradflow.compiler.works import Work
from gradflow.loop import COLUMN_SUM, ELEMENT, ROW, Loop, Operand, Result

Key = tuple[Storage, int, int]  # which elements a contiguous value is: storage, offset, bytes

MOST = 24  # arrays that one loop reads and writes: more would not stay in registers, nor in the nearest cache


class Group:
    """Calls that are done together: those of a loop, or one that is done alone (``domain`` None)."""

    def __init__(self, number: int, call: Call, each: Term | None) -> None:
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
    """``calls`` as groups in an order in which they can be done.

    A call joins the group of a call whose result it takes, or that reads what it reads: up there if what it needs has
    been done by then, or that group moves down to it if nothing between needs its results.
    """
    needs = dependencies(calls)
    groups: list[Group] = []
    home: list[Group] = []  # of each call
    for number, call in enumerate(calls):
        each = term(call)
        joined = None if each is None else _joinable(number, call, each, groups, home, needs)
        if joined is None or each is None:
            joined = Group(number, call, each)
            groups.append(joined)
        home.append(joined)
    return groups


def _joinable(
    number: int, call: Call, each: Term, groups: list[Group], home: list[Group], needs: list[set[int]]
) -> Group | None:
    places = {id(group): position for position, group in enumerate(groups)}
    latest = max((places[id(home[other])] for other in needs[number]), default=-1)
    for position in reversed(range(len(groups))):
        group = groups[position]
        if group.domain is None or not _related(group, call):
            continue
        domain = group.domain.merged(each.domain)
        if domain is None or not _fits(group, number, call, each, domain, needs):
            continue
        if latest <= position:
            group.add(number, call, each, domain)
            return group
        later = groups[position + 1 :]
        mine = set(group.numbers)
        between = {id(home[other]) for other in needs[number]} - {id(group)}
        if not any(needs[other] & mine for g in later for other in g.numbers) and id(group) not in between:
            group.add(number, call, each, domain)
            groups.append(groups.pop(position))
            return group
    return None


def _related(group: Group, call: Call) -> bool:
    """Whether ``call`` takes what ``group`` makes, or reads an array of more than one element that it reads."""
    mine = {value.storage for each in group.calls for value in (*each.reads, *each.writes) if value.size > 1}
    return any(value.storage in mine for value in call.reads if value.size > 1)


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
    read_later: list[set[Storage]] = []
    wanted = {value.storage for value in kept(program)}
    for group in reversed(groups):
        read_later.append(set(wanted))
        wanted |= {value.storage for call in group.calls for value in call.reads}
    works: list[Work] = []
    for group, later in zip(groups, reversed(read_later), strict=True):
        if group.domain is None:
            works += single(group.calls[0])
        else:
            works.append(loop_of(group, later))
    return works


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
    return Work(
        loop, tuple(group.calls), tuple(each.array for each in loop.operands), tuple(each.array for each in results)
    )


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
