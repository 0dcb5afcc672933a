"""Elementwise formulas evaluated with NumPy or CuPy, for ops that are declared by a formula alone."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from types import CodeType
from typing import Any

import numpy as np

from gradflow.dtypes import DType
from gradflow.formula import FUNCTIONS, NUMBERS, parse
from gradflow.op import OPS
from gradflow.ops import erf as _erf  # noqa: F401 - declares the op that formulas call
from gradflow.ops.blockwise import blockwise
from gradflow.ops.precision import Array

_PLAIN = (bool, int, float)


def evaluated(xp: Any, text: str, values: Mapping[str, Any], out: Array | None) -> Array:
    """What the formula ``text`` gives for ``values`` by name, arrays that broadcast and numbers; in ``out``, if given.

    It is computed in the dtype that the arrays promote to, float16 in float32 and integers in float64.
    """
    arrays = {name: x for name, x in values.items() if hasattr(x, "dtype")}
    numbers = {name: x for name, x in values.items() if name not in arrays}
    result: Array = _run(xp, *arrays.values(), out=out, text=text, names=tuple(arrays), numbers=numbers)
    return result


def condition(xp: Any, text: str, values: Mapping[str, Any]) -> Array:
    """Where the condition ``text`` holds of ``values`` by name, arrays of one dtype."""
    (dtype,) = {x.dtype for x in values.values()}
    _, result = _code(text)
    with np.errstate(all="ignore"):
        return eval(result, {**_functions(xp, dtype), **values})


@blockwise
def _run(xp: Any, *arrays: Array, out: Array, text: str, names: tuple[str, ...], numbers: dict[str, Any]) -> Array:
    dtype = arrays[0].dtype
    known = {**_functions(xp, dtype), **numbers, **dict(zip(names, arrays, strict=True))}
    lines, result = _code(text)
    with np.errstate(all="ignore"):  # of what ``where`` does not take
        for name, line in lines:
            known[name] = eval(line, known)
        out[...] = eval(result, known)
    return out


@cache
def _code(text: str) -> tuple[list[tuple[str, CodeType]], CodeType]:
    formula = parse(text)
    assert formula.result is not None
    return [(name, _compiled(each)) for name, each in formula.assignments], _compiled(formula.result)


def _compiled(expression: ast.expr) -> CodeType:
    copied = ast.parse(ast.unparse(expression), mode="eval")
    return compile(ast.fix_missing_locations(_Calls().visit(copied)), "formula", "eval")


def _is_fresh(node: ast.expr) -> bool:
    """Whether what ``node`` makes is an array that nothing else has; ``where`` may return what it was given."""
    return isinstance(node, ast.BinOp) or (isinstance(node, ast.Call) and ast.unparse(node.func) != "where")


_OVER = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide"}
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv,
}  # fmt: skip


class _Calls(ast.NodeTransformer):
    """Calls in the place of ~, which of Python's own True would be -2, and of arithmetic that can overwrite."""

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        node.operand = self.visit(node.operand)
        if not isinstance(node.op, ast.Invert):
            return node
        return ast.Call(ast.Name("logical_not", ast.Load()), [node.operand], [])

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        node.left, node.right = self.visit(node.left), self.visit(node.right)
        for position, operand in enumerate((node.left, node.right)):
            if type(node.op) in _OVER and _is_fresh(operand):
                function = ast.Name(f"{_OVER[type(node.op)]}_{position}", ast.Load())
                return ast.Call(function, [node.left, node.right], [])
        return node


@lru_cache(maxsize=16)  # a simulated device is not kept for ever
def _functions(xp: Any, dtype: DType) -> dict[str, Any]:
    own = {
        "erf": lambda x: OPS["erf"].forward(xp, x),
        "sigmoid": lambda x: 1 / (1 + xp.exp(-x)),
        "where": lambda condition, a, b: xp.where(condition, _number(a, dtype), _number(b, dtype)),
    }
    theirs = {name: getattr(xp, name) for name in (*FUNCTIONS, "logical_not") if name not in own}
    both = {name: _either(function, _of_numbers(name)) for name, function in {**theirs, **own}.items()}
    over = {f"{name}_{i}": _over(getattr(xp, name), _OPERATORS[name], i) for name in _OPERATORS for i in (0, 1)}
    return {"__builtins__": {}, **both, **over, **NUMBERS}


def _over(ufunc: Callable[..., Any], operator: Callable[[Any, Any], Any], position: int) -> Callable[..., Any]:
    """Arithmetic whose result takes the place of the operand at ``position``, if that is an array of floats."""

    def run(*given: Any) -> Any:
        room = given[position]
        return operator(*given) if type(room) in _PLAIN or room.dtype.kind != "f" else ufunc(*given, out=room)

    return run


def _either(of_arrays: Callable[..., Any], of_numbers: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays that answers Python's numbers with such: NumPy's float64 makes float64 of float32."""
    return lambda *given: of_numbers(*given) if type(given[0]) in _PLAIN and _plain(given) else of_arrays(*given)


def _plain(given: tuple[Any, ...]) -> bool:
    return type(given[0]) is bool or all(type(x) in _PLAIN for x in given)


def _of_numbers(name: str) -> Callable[..., Any]:
    own: dict[str, Callable[..., Any]] = {
        "erf": math.erf,
        "sigmoid": lambda x: (1 / (1 + np.exp(-x))).item(),
        "where": lambda condition, a, b: a if condition else b,
    }
    return own.get(name) or (lambda *given: getattr(np, name)(*given).item())


def _number(x: Any, dtype: DType) -> Any:
    return dtype.type(x) if type(x) in _PLAIN else x
