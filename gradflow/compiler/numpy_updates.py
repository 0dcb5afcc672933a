"""Optimizers without machine code: their formulas as NumPy's functions on arrays that are there already."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Generator, Iterator
from typing import Any

import numpy as np

from gradflow.backend.native.updates import update_loops, updates
from gradflow.compiler.program import INPUT, Call, Value
from gradflow.formula import names
from gradflow.loop import Loop

FEW = 1 << 15  # elements, up to which a call of NumPy costs more than what is read and written for it

Function = Callable[..., Any]
Step = tuple[Function, tuple[Any, ...]]

_BINARY: dict[type, Function] = {ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide}
_NUMBERS: dict[str, Any] = {"sqrt": math.sqrt, "__builtins__": {}}  # of formulas of numbers, which Python computes


class Unsupported(Exception):
    """A formula with more than arithmetic and square roots."""


def numpy_update(call: Call, operands: list[Any]) -> Callable[[], None] | None:
    """What does ``call``, an update of few elements that stay where they are, on ``operands``; None if it does not."""
    values = [x for x in call.inputs if isinstance(x, Value)]
    fixed = all(x.storage.origin != INPUT and x.strides is None for x in values)
    if call.op is None or not fixed or values[0].size > FEW or not updates(call.op, call.inputs):
        return None
    numbers, elements = update_loops(call.op, operands, call.attrs, lambda dtype: np.empty((), dtype))
    try:
        shared, steps = _of_numbers(numbers), list(_Writer(elements).steps())
    except Unsupported:
        return None

    def do() -> None:
        shared()
        for function, arguments in steps:
            function(*arguments)

    return do


def _of_numbers(loop: Loop) -> Callable[[], None]:
    """What is the same for all elements, in Python's floats."""
    for each in loop.statements:
        _check(each.expression)
    statements = [
        (each.name, compile(ast.fix_missing_locations(ast.Expression(each.expression)), each.name, "eval"))
        for each in loop.statements
    ]
    read = [(each.name, each.array) for each in loop.operands]
    results = [(each.name, each.array) for each in loop.results]

    def do() -> None:
        known = {name: float(array) for name, array in read}
        for name, code in statements:
            known[name] = eval(code, _NUMBERS, known)
        for name, array in results:
            array[()] = known[name]

    return do


def _check(expression: ast.expr) -> None:
    """Raise Unsupported for functions but sqrt; conditions are arguments of where."""
    for each in ast.walk(expression):
        if isinstance(each, ast.Call) and ast.unparse(each.func) not in _NUMBERS:
            raise Unsupported(ast.unparse(each))


class _Writer:
    """Makes calls of NumPy of a loop over elements."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._arrays = {each.name: each.array for each in loop.operands}  # of what has a value by now
        self._kept = {each.name: each.array for each in loop.results}
        self._like = loop.results[0].array
        self._rooms: list[Any] = []  # for what is in between
        self._free: list[Any] = []

    def steps(self) -> Iterator[Step]:
        """The calls, in order; Unsupported if one writes over what another one reads after it."""
        for number, (name, _, expression, _) in enumerate(self._loop.statements):
            later = {other for each in self._loop.statements[number + 1 :] for other in names(each.expression)}
            out = self._kept.get(name)
            if out is not None and any(self._arrays.get(other) is out for other in later):
                raise Unsupported(name)
            if isinstance(expression, ast.Name) and out is None:
                self._arrays[name] = self._arrays[expression.id]
                continue
            self._free = list(self._rooms)
            self._arrays[name] = yield from self._steps(expression, np.empty_like(self._like) if out is None else out)

    def _steps(self, expression: ast.expr, out: Any = None) -> Generator[Step, None, Any]:
        """Those that compute ``expression``, into ``out`` or where there is room; they return where its value is."""
        if isinstance(expression, ast.Name):
            return self._arrays[expression.id]
        if isinstance(expression, ast.Constant):
            return np.asarray(expression.value, self._like.dtype)  # NumPy takes longer for a number of Python's
        function, parts = _call(expression)
        given = []
        for part in parts:
            given.append((yield from self._steps(part)))
        self._free += [x for x in given if any(x is room for room in self._rooms)]
        if out is None:
            out = self._free.pop() if self._free else np.empty_like(self._like)
            self._rooms += [out] * (not any(out is room for room in self._rooms))
        yield function, (*given, out)
        return out


def _call(expression: ast.expr) -> tuple[Function, list[ast.expr]]:
    if isinstance(expression, ast.BinOp) and type(expression.op) in _BINARY:
        return _BINARY[type(expression.op)], [expression.left, expression.right]
    if isinstance(expression, ast.UnaryOp) and isinstance(expression.op, ast.USub):
        return np.negative, [expression.operand]
    if isinstance(expression, ast.Call) and ast.unparse(expression.func) == "sqrt":
        return np.sqrt, list(expression.args)
    raise Unsupported(ast.unparse(expression))
