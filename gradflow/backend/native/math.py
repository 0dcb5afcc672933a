"""Functions that processors lack, as formulas of arithmetic for vectors, with at most 2 ulp of error.

Beside what formulas of ops may call there are fma(a, b, c) with one rounding, copysign(a, b), bits(x) and float_of(n),
which change the type and no bit, whole(x), which is an int32, wide(n), an integer as wide as floats are, decimal(n), a
float, the last three of small whole numbers, and << and >>.
"""

from __future__ import annotations

import ast
from functools import cache

from gradflow.backend.native import math_erf, math_exponential, math_logarithm, math_trigonometric
from gradflow.backend.native.math_format import DOUBLE, SINGLE
from gradflow.dtypes import DType, float32, float64
from gradflow.formula import Formula

_FORMATS = {float32: SINGLE, float64: DOUBLE}
_TEXTS = {
    (name, dtype): text
    for family in (math_exponential, math_logarithm, math_trigonometric)
    for dtype, format in _FORMATS.items()
    for name, text in family.formulas(format).items()
}
_TEXTS["erf", float32] = math_erf.ERF
NAMES = {name for name, _ in _TEXTS}


def limit(name: str, dtype: DType) -> float | None:
    """Up to which size of ``x`` the formula holds; None if it always does."""
    return _FORMATS[dtype].quarters if name in ("sin", "cos") else None


@cache
def formula(name: str, dtype: DType) -> Formula | None:
    """The formula of a function of ``x``, None if there is none for this dtype."""
    text = _TEXTS.get((name, dtype))
    if text is None:
        return None
    assignments = []
    *lines, last = ast.parse(text).body
    for line in lines:
        assert isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)
        assignments.append((line.targets[0].id, line.value))
    assert isinstance(last, ast.Expr)
    return Formula(tuple(assignments), last.value)
