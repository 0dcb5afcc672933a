"""Functions that processors lack as formulas of arithmetic: for vectors, with at most 2 ulp of error."""

from __future__ import annotations

import ast
from functools import cache

from gradflow.dtypes import DType, float32, float64
from gradflow.formula import Formula

SIGMOID = """
e = exp(-abs(x))
where(x >= 0, 1, e) / (1 + e)
"""
FORMULAS = {("sigmoid", float32): SIGMOID, ("sigmoid", float64): SIGMOID}

NAMES = {name for name, _ in FORMULAS}


@cache
def formula(name: str, dtype: DType) -> Formula | None:
    """The formula of a function of ``x``, None if there is none for this dtype.

    Beside what formulas of ops may call there are fma(a, b, c) with one rounding, bits(x) and float_of(n), which
    change the type and no bit, whole(x) and decimal(n), which convert small whole numbers, and << and >>.
    """
    text = FORMULAS.get((name, dtype))
    if text is None:
        return None
    *lines, last = ast.parse(text).body
    assignments = [(each.targets[0].id, each.value) for each in lines]
    return Formula(tuple(assignments), last.value)
