"""Expressions of formulas in CUDA C."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from gradflow.formula import COLUMN, NUMBERS


class Text(NamedTuple):
    """An expression in C that needs no parentheses around it, and its type: bool, int, int64, float or double."""

    text: str
    type: str


FLOATS = ("float", "double")
_FUNCTIONS = {  # of formulas, where C has another name; overloaded for float and double
    "abs": "absolute", "sign": "sign_of", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arcsinh": "asinh",
    "arccosh": "acosh", "arctanh": "atanh", "arctan2": "atan2", "sigmoid": "logistic",
    "maximum": "Max::of", "minimum": "smaller", "isnan": "is_nan", "isinf": "is_infinite", "isfinite": "is_finite",
}  # fmt: skip
_TESTS = {"isnan", "isinf", "isfinite"}  # whose result is a condition
_SYMBOLS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.BitAnd: "&", ast.BitOr: "|",
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
_POWERS = {0.5: "sqrt({})", 1.0: "{}", 2.0: "squared({})", -1.0: "(1 / {})"}  # those that NumPy does not call pow for


class Writer:
    """Writes expressions that are computed in ``compute``, float or double; ``names`` are what names stand for."""

    def __init__(self, names: Mapping[str, Text], compute: str) -> None:
        self.names = names
        self.compute = compute

    def number(self, node: ast.expr) -> str:
        """``node`` as a number of the type that is computed in."""
        return self._converted(self.write(node), self.compute)

    def write(self, node: ast.expr) -> Text:
        """``node`` as it is; conditions are bool."""
        if isinstance(node, ast.Constant):
            return self._constant(node.value)
        if isinstance(node, ast.Name):
            return self._name(node.id)
        if isinstance(node, ast.UnaryOp):
            return self._unary(node)
        if isinstance(node, ast.Compare):
            return self._comparison(node.left, node.ops[0], node.comparators[0])
        if isinstance(node, ast.BinOp):
            return self._binary(node)
        assert isinstance(node, ast.Call)
        return self._call(node)

    def _constant(self, value: object) -> Text:
        if isinstance(value, bool):
            return Text("true" if value else "false", "bool")
        if isinstance(value, int):
            return Text(f"({value})" if value < 0 else f"{value}", "int")
        assert isinstance(value, float)
        return Text(self._float(value), self.compute)

    def _float(self, value: float) -> str:
        if math.isnan(value):
            return f"not_a_number<{self.compute}>()"
        if math.isinf(value):
            return f"{'(-' if value < 0 else ''}infinity<{self.compute}>(){')' if value < 0 else ''}"
        if self.compute == "double":
            return f"({value!r})" if value < 0 else repr(value)
        with np.errstate(over="ignore"):
            short = float(str(np.float32(value)))  # the shortest text of the float32 that is nearest
        return self._float(short) if math.isinf(short) else f"({short!r}f)" if value < 0 else f"{short!r}f"

    def _name(self, name: str) -> Text:
        if name == COLUMN:
            return Text("column_of", "int")
        if name in NUMBERS:
            return Text(self._float(NUMBERS[name]), self.compute)
        return self.names[name]

    def _unary(self, node: ast.UnaryOp) -> Text:
        if isinstance(node.op, ast.Invert):
            return Text(f"(!{self.write(node.operand).text})", "bool")
        return Text(f"(-{self.number(node.operand)})", self.compute)

    def _comparison(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Text:
        a, b = self.write(left), self.write(right)
        if a.type in FLOATS or b.type in FLOATS:  # whole numbers are compared as they are: float32 does not hold all
            a, b = (Text(self._converted(x, self.compute), self.compute) for x in (a, b))
        return Text(f"({a.text} {_SYMBOLS[type(operator)]} {b.text})", "bool")

    def _binary(self, node: ast.BinOp) -> Text:
        if isinstance(node.op, ast.Pow):
            return Text(self._power(node), self.compute)
        if isinstance(node.op, ast.BitAnd | ast.BitOr):
            a, b = self.write(node.left), self.write(node.right)
            return Text(f"({a.text} {_SYMBOLS[type(node.op)]} {b.text})", "bool")
        return Text(f"({self.number(node.left)} {_SYMBOLS[type(node.op)]} {self.number(node.right)})", self.compute)

    def _power(self, node: ast.BinOp) -> str:
        exponent = ast.literal_eval(node.right) if _is_number(node.right) else None
        base = self.number(node.left)
        return _POWERS[exponent].format(base) if exponent in _POWERS else f"pow({base}, {self.number(node.right)})"

    def _call(self, node: ast.Call) -> Text:
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        if name == "where":
            condition = self.write(node.args[0])
            yes, no = (self.number(each) for each in node.args[1:])
            return Text(f"({condition.text} ? {yes} : {no})", self.compute)
        arguments = [self.number(each) for each in node.args]
        kind = "bool" if name in _TESTS else self.compute
        return Text(f"{_FUNCTIONS.get(name, name)}({', '.join(arguments)})", kind)

    def _converted(self, x: Text, to: str) -> str:
        return x.text if x.type == to else f"{to}({x.text})"


def _is_number(node: ast.expr) -> bool:
    operand = node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else node
    return isinstance(operand, ast.Constant)
