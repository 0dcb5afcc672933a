"""Expressions of formulas as instructions: Python's syntax trees, evaluated to values of the loop."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from gradflow.backend.native import math
from gradflow.backend.native.emit_arithmetic import Arithmetic, Unsupported
from gradflow.backend.native.emit_functions import beyond, function
from gradflow.backend.native.emit_values import Operand, Value
from gradflow.backend.native.emit_writer import Writer
from gradflow.dtypes import DType
from gradflow.formula import NUMBERS, Formula

Names = Mapping[str, Value]


def evaluated(expression: ast.expr, names: Names, dtype: DType, writer: Writer) -> Value:
    """``expression`` as ``dtype``, computed in floats of it if it is one; not wider than what it reads."""
    arithmetic = Arithmetic(writer, dtype if dtype.kind == "f" else None)
    return arithmetic.typed(_operand(expression, names, arithmetic), dtype)


def _written(name: str, x: Value, arithmetic: Arithmetic) -> Operand:
    """A function that is written as a formula, at least for some dtype and up to some size of ``x``."""
    formula, limit = math.formula(name, x.dtype), math.limit(name, x.dtype)
    if formula is None or (limit is not None and x.depth < arithmetic.writer.depth):  # once, outside the loops
        return function(name, [x], arithmetic)
    usual = _computed(formula, x, arithmetic.writer)
    if limit is None:
        return usual
    outside = beyond(limit, x, arithmetic)
    return arithmetic.writer.unless(outside, usual, lambda: arithmetic.real(function(name, [x], arithmetic)))


def _computed(formula: Formula, x: Value, writer: Writer) -> Value:
    """A function of ``x`` that is written as a formula itself, in floats like ``x``."""
    names = {"x": x}
    arithmetic = Arithmetic(writer, x.dtype)
    for name, expression in formula.assignments:
        result = _operand(expression, names, arithmetic)
        names[name] = result if isinstance(result, Value) else arithmetic.real(result)
    assert formula.result is not None
    return arithmetic.real(_operand(formula.result, names, arithmetic))


def _operand(node: ast.expr, names: Names, arithmetic: Arithmetic) -> Operand:
    match node:
        case ast.Constant():
            assert isinstance(node.value, bool | int | float)
            return node.value
        case ast.Name():
            return NUMBERS[node.id] if node.id in NUMBERS else arithmetic.read(names[node.id])
        case ast.UnaryOp():
            return arithmetic.unary(type(node.op), _operand(node.operand, names, arithmetic))
        case ast.BinOp():
            left, right = (_operand(each, names, arithmetic) for each in (node.left, node.right))
            return arithmetic.binary(type(node.op), left, right)
        case ast.Compare():
            left, right = (_operand(each, names, arithmetic) for each in (node.left, node.comparators[0]))
            return arithmetic.compare(type(node.ops[0]), left, right)
        case ast.Call():
            assert isinstance(node.func, ast.Name)
            operands = [_operand(each, names, arithmetic) for each in node.args]
            if node.func.id in math.NAMES:
                return _written(node.func.id, arithmetic.real(operands[0]), arithmetic)
            return function(node.func.id, operands, arithmetic)
    raise Unsupported(ast.unparse(node))
