"""Loops written in a few words, and run, for tests of the code that is generated for them."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from gradflow.backend import native
from gradflow.loop import Loop, Operand, Result, Statement
from native import address_of


def loop(rows: int, columns: int, operands: Any, statements: Any, results: Any) -> Loop:
    """A loop of tuples: (name, kind, array, ...), (name, dtype, expression, over) and (name, kind, array, scale)."""
    return Loop(
        rows,
        columns,
        tuple(Operand(name, kind, array.dtype, array, *rest) for name, kind, array, *rest in operands),
        tuple(
            Statement(name, np.dtype(dtype), ast.parse(text, mode="eval").body, *over)
            for name, dtype, text, *over in statements
        ),
        tuple(Result(name, kind, array.dtype, array, *scale) for name, kind, array, *scale in results),
    )


def run(made: Loop) -> None:
    native.Program([made], address_of).run()


def computed(expression: str, dtype: Any, **operands: Any) -> Any:
    """What an expression of arrays of one shape, and of arrays of none, makes of their elements."""
    shape = np.broadcast_shapes(*(each.shape for each in operands.values()))
    out = np.full(shape, 77, dtype)
    given = [(name, "element" if each.shape == shape else "scalar", each) for name, each in operands.items()]
    run(loop(1, out.size, given, [("y", dtype, expression)], [("y", "element", out)]))
    return out
