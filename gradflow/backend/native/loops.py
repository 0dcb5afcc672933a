"""Functions for loops, generated once for all loops of one form: the layers of a network have few."""

from __future__ import annotations

import ast
from typing import Any, NamedTuple

from gradflow.backend.native.emit import functions
from gradflow.backend.native.function import Function
from gradflow.loop import Loop

KEPT = 512  # forms


class _Place(NamedTuple):
    """What stands for an array in a form: its number in the order of appearance."""

    number: int


_known: dict[Any, tuple[Function, ...]] = {}


def functions_for(loop: Loop, block: int | None = None) -> tuple[Function, ...]:
    """The functions that do ``loop``, to be run one after another: what ``emit.functions`` makes, or raises."""
    form, arrays = _form(loop)
    statements = tuple((s.name, s.dtype, ast.dump(s.expression), s.over) for s in form.statements)
    key = form.rows, form.columns, form.operands, statements, form.results, block
    made = _known.get(key)
    if made is None:
        if len(_known) >= KEPT:
            _known.clear()
        made = _known[key] = functions(form, block)
    return tuple(
        each._replace(arrays=tuple(arrays[x.number] if isinstance(x, _Place) else x for x in each.arrays))
        for each in made
    )


def _form(loop: Loop) -> tuple[Loop, list[Any]]:
    """``loop`` with places instead of arrays, and the arrays."""
    places: dict[int, _Place] = {}
    arrays: list[Any] = []

    def place(array: Any) -> _Place:
        if id(array) not in places:
            places[id(array)] = _Place(len(arrays))
            arrays.append(array)
        return places[id(array)]

    operands = tuple(each._replace(array=place(each.array)) for each in loop.operands)
    results = tuple(each._replace(array=place(each.array)) for each in loop.results)
    return loop._replace(operands=operands, results=results), arrays
