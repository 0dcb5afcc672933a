"""Formulas evaluated by NumPy: the slow way, to which generated code is held."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from gradflow.dtypes import DType
from gradflow.formula import COLUMN, FUNCTIONS, NUMBERS, Formula

Array = Any

_erf = np.vectorize(math.erf, otypes=[np.float64])


def evaluate(formula: Formula, values: Mapping[str, Any], dtype: DType) -> Array:
    """The result of ``formula`` for ``values`` by name, which are arrays that broadcast, and numbers.

    Rows are the last dimension; what is one number for each row keeps it, with size 1. Numbers that stand alone are of
    ``dtype``, functions that NumPy lacks are computed in float64.

    >>> from gradflow.formula import parse
    >>> evaluate(parse("e = exp(x)\\ne / row_sum(e)"), {"x": np.zeros((1, 2))}, np.dtype("float64"))
    array([[0.5, 0.5]])
    """
    assert formula.result is not None
    return _value(formula.result, assigned(formula, values, dtype), dtype)


def assigned(formula: Formula, values: Mapping[str, Any], dtype: DType) -> dict[str, Any]:
    """``values``, and those that ``formula`` assigns to names, in order; for updates, whose result these are."""
    known = dict(values)
    for name, expression in formula.assignments:
        known[name] = _value(expression, known, dtype)
    return known


def _value(expression: ast.expr, known: Mapping[str, Any], dtype: DType) -> Any:
    code = compile(ast.Expression(expression), "formula", "eval")
    with np.errstate(all="ignore"):
        return eval(code, {"__builtins__": {}, **_names(known, dtype)})


def _names(known: Mapping[str, Any], dtype: DType) -> dict[str, Any]:
    columns = max((x.shape[-1] for x in known.values() if np.ndim(x)), default=1)
    return {
        **{name: getattr(np, name) for name in FUNCTIONS if hasattr(np, name)},
        "erf": lambda x: _erf(x).astype(dtype),
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "where": lambda condition, a, b: np.where(condition, _number(a, dtype), _number(b, dtype)),
        "row_sum": lambda x: np.sum(x, axis=-1, keepdims=True),
        "row_max": lambda x: np.max(x, axis=-1, keepdims=True, initial=-math.inf),
        COLUMN: np.arange(columns),
        **NUMBERS,
        **known,
    }


def _number(x: Any, dtype: DType) -> Any:
    return dtype.type(x) if type(x) in (int, float) else x
