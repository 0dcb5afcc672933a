"""Formulas: what an op does to one element, as text from which loops for every device are generated."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

# what a formula may call, with the number of arguments: NumPy's functions, and the logistic function
FUNCTIONS = {
    "abs": 1, "sign": 1, "sqrt": 1, "exp": 1, "expm1": 1, "log": 1, "log1p": 1, "log2": 1, "log10": 1,
    "sin": 1, "cos": 1, "tan": 1, "arcsin": 1, "arccos": 1, "arctan": 1, "sinh": 1, "cosh": 1, "tanh": 1,
    "arcsinh": 1, "arccosh": 1, "arctanh": 1, "erf": 1, "sigmoid": 1, "floor": 1, "ceil": 1, "rint": 1, "trunc": 1,
    "isnan": 1, "isinf": 1, "isfinite": 1, "arctan2": 2, "hypot": 2, "maximum": 2, "minimum": 2, "where": 3,
}  # fmt: skip
REDUCTIONS = {"row_sum", "row_max"}  # of an expression, over the columns of a row
COLUMN = "column"  # the number of the column that the element is in
NUMBERS = {"pi": 3.141592653589793, "inf": float("inf"), "nan": float("nan")}

_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.USub, ast.Invert, ast.BitAnd, ast.BitOr,
    ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq,
)  # fmt: skip
_SHAPES = (ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Name, ast.Constant, ast.Load, *_OPERATORS)


class Formula(NamedTuple):
    """Assignments in order, and after them the result: what the op returns, or writes over its first input.

    Of an op that writes over several inputs there is no result (None), and it assigns to their names.

    Expressions are Python's own syntax trees, of the nodes that ``parse`` lets through: + - * / **, unary minus,
    comparisons of two, & | ~ of conditions, numbers, names and calls of FUNCTIONS and REDUCTIONS.
    """

    assignments: tuple[tuple[str, ast.expr], ...]
    result: ast.expr | None


@cache
def parse(text: str) -> Formula:
    """The formula in ``text``: lines ``name = expression``, then an expression, the result.

    Raises SyntaxError for anything that is no formula.

    >>> parse("e = exp(-x)\\n1 / (1 + e)").assignments[0][0]
    'e'
    """
    *lines, last = ast.parse(text).body
    assignments = [_assignment(line) for line in lines]
    if isinstance(last, ast.Expr):
        result: ast.expr | None = last.value
    else:
        assignments.append(_assignment(last))
        result = None
    for expression in (*(each for _, each in assignments), *([result] if result is not None else [])):
        _check(expression)
    return Formula(tuple(assignments), result)


def names(expression: ast.expr) -> Iterator[str]:
    """The names of values that ``expression`` reads."""
    calls = {id(each.func) for each in ast.walk(expression) if isinstance(each, ast.Call)}
    for each in ast.walk(expression):
        if isinstance(each, ast.Name) and id(each) not in calls and each.id not in NUMBERS:
            yield each.id


def _assignment(line: ast.stmt) -> tuple[str, ast.expr]:
    if isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name):
        return line.targets[0].id, line.value
    raise SyntaxError(f"a formula is made of lines 'name = expression' and a result, not of {ast.unparse(line)!r}")


def _check(expression: ast.expr) -> None:
    for each in ast.walk(expression):
        if not isinstance(each, _SHAPES):
            raise SyntaxError(f"{ast.unparse(expression)!r}: formulas have no {type(each).__name__}")
        if isinstance(each, ast.Constant) and type(each.value) not in (bool, int, float):
            raise SyntaxError(f"{ast.unparse(expression)!r}: {each.value!r} is not a number")
        if isinstance(each, ast.Compare) and len(each.ops) > 1:
            raise SyntaxError(f"{ast.unparse(expression)!r}: comparisons are of two; join them by &")
        if isinstance(each, ast.Call):
            known = {**FUNCTIONS, **dict.fromkeys(REDUCTIONS, 1)}
            name = each.func.id if isinstance(each.func, ast.Name) else ast.unparse(each.func)
            if name not in known or len(each.args) != known[name] or each.keywords:
                raise SyntaxError(f"{ast.unparse(each)!r}: not a function of formulas; they are {', '.join(known)}")
