"""Elementwise formulas evaluated with NumPy or CuPy, for ops that are declared by a formula alone."""

from __future__ import annotations

import ast
import math
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
    return compile(ast.fix_missing_locations(_Negated().visit(copied)), "formula", "eval")


class _Negated(ast.NodeTransformer):
    """Calls in the place of ~, which of Python's own True would be -2."""

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        node.operand = self.visit(node.operand)
        if not isinstance(node.op, ast.Invert):
            return node
        return ast.Call(ast.Name("logical_not", ast.Load()), [node.operand], [])


@lru_cache(maxsize=16)  # a simulated device is not kept for ever
def _functions(xp: Any, dtype: DType) -> dict[str, Any]:
    own = {
        "erf": lambda x: OPS["erf"].forward(xp, x),
        "sigmoid": lambda x: 1 / (1 + xp.exp(-x)),
        "where": lambda condition, a, b: xp.where(condition, _number(a, dtype), _number(b, dtype)),
    }
    theirs = {name: getattr(xp, name) for name in (*FUNCTIONS, "logical_not") if name not in own}
    both = {name: _either(function, _of_numbers(name)) for name, function in {**theirs, **own}.items()}
    return {"__builtins__": {}, **both, **NUMBERS}


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
