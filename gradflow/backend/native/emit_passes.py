"""In what order a loop is worked off: what is known per element, row or column, and in which pass over a row."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gradflow.formula import COLUMN as COLUMN_NUMBER
from gradflow.formula import names
from gradflow.loop import COLUMN, COLUMN_SUM, ELEMENT, ROW, SCALAR, TOTAL, Loop, Statement

KEPT = 1 << 14  # bytes of a row that are kept on the stack rather than computed again, for each name
COSTLY = {
    "exp", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh",
    "tanh", "arcsinh", "arccosh", "arctanh", "erf", "sigmoid", "arctan2", "hypot",
}  # fmt: skip


class Pass(NamedTuple):
    """One pass over the columns of a row, and what is known of the row after it."""

    elements: tuple[Statement, ...]  # computed for each element, in order
    kept: frozenset[str]  # of these, what a later pass reads again instead of computing it
    reductions: tuple[Statement, ...]
    rows: tuple[Statement, ...]  # computed after it, from the reductions


class Plan(NamedTuple):
    """The order of a loop's statements; ``kinds`` says what each name has a value for."""

    kinds: dict[str, str]
    scalars: tuple[Statement, ...]
    columns: tuple[Statement, ...]
    rows: tuple[Statement, ...]  # from operands alone
    passes: tuple[Pass, ...]


def planned(loop: Loop) -> Plan:
    """The plan of ``loop``. Every result of elements is written in the last pass, when all has been read."""
    kinds = _kinds(loop)
    ready = _ready(loop)  # the pass from which a name is known
    reductions = [each for each in loop.statements if each.over is not None]
    wide = [each for each in loop.results if each.kind != TOTAL or kinds[each.name] != ROW]
    wanted = [each.name for each in wide if each.kind in (ELEMENT, COLUMN_SUM, TOTAL)]
    last = max([*(ready[each.name] - 1 for each in reductions), *(ready[name] for name in wanted)], default=-1)
    goals = []
    for number in range(last + 1):
        read = {name for each in reductions if ready[each.name] == number + 1 for name in names(each.expression)}
        goals.append(read | set(wanted if number == last else ()))
    passes = []
    kept: set[str] = set()
    for number, goal in enumerate(goals):
        elements = _needed(loop, kinds, goal, kept)
        later = {each.name for other in goals[number + 1 :] for each in _needed(loop, kinds, other, kept)}
        keep = frozenset(each.name for each in elements if each.name in later and _worth_keeping(each, loop.columns))
        kept |= keep
        passes.append(
            Pass(
                tuple(elements),
                keep,
                tuple(each for each in reductions if ready[each.name] == number + 1),
                _of_kind(loop, kinds, ROW, ready, number + 1),
            )
        )
    scalars, columns = (_of_kind(loop, kinds, kind, ready, 0) for kind in (SCALAR, COLUMN))
    return Plan(kinds, scalars, columns, _of_kind(loop, kinds, ROW, ready, 0), tuple(passes))


def _kinds(loop: Loop) -> dict[str, str]:
    kinds = {each.name: each.kind for each in loop.operands}
    kinds[COLUMN_NUMBER] = COLUMN
    for each in loop.statements:
        read = {kinds[name] for name in names(each.expression)} - {SCALAR}
        kind = SCALAR if not read else read.pop() if len(read) == 1 else ELEMENT
        kinds[each.name] = kind if each.over is None else ROW
    return kinds


def _ready(loop: Loop) -> dict[str, int]:
    ready = {each.name: 0 for each in loop.operands}
    ready[COLUMN_NUMBER] = 0
    for each in loop.statements:
        known = max((ready[name] for name in names(each.expression)), default=0)
        ready[each.name] = known if each.over is None else known + 1
    return ready


def _of_kind(loop: Loop, kinds: dict[str, str], kind: str, ready: dict[str, int], number: int) -> tuple[Statement, ...]:
    return tuple(
        each
        for each in loop.statements
        if each.over is None and kinds[each.name] == kind and (ready[each.name] == number or kind == SCALAR)
    )


def _needed(loop: Loop, kinds: dict[str, str], goal: Iterable[str], known: set[str]) -> Sequence[Statement]:
    """The statements of elements from which ``goal`` is computed, in order."""
    wanted = set(goal) - known
    needed = []
    for each in reversed(loop.statements):
        if each.name in wanted and kinds[each.name] == ELEMENT:
            needed.append(each)
            wanted |= set(names(each.expression)) - known
    return needed[::-1]


def _worth_keeping(statement: Statement, columns: int) -> bool:
    return columns * statement.dtype.itemsize <= KEPT and calls(statement) > 0


def calls(statement: Statement) -> int:
    """How many functions a statement calls that take long."""
    called = (each.func for each in ast.walk(statement.expression) if isinstance(each, ast.Call))
    return sum(isinstance(each, ast.Name) and each.id in COSTLY for each in called)
