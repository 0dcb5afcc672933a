"""Work for a processor as data: one loop over rows and columns, to be generated and compiled."""

from __future__ import annotations

import ast
from typing import Any, NamedTuple

from gradflow.dtypes import DType
from gradflow.launch import Gemm

ELEMENT, ROW, COLUMN, SCALAR = "element", "row", "column", "scalar"  # what an operand has a value for: each
# element (rows * columns of them), each row, each column, or all together
COLUMN_SUM, TOTAL = "column_sum", "total"  # results that are sums: over the rows for each column, or over everything


class Operand(NamedTuple):
    """An array that is read: C-contiguous, with a value of the name ``name`` for each of ``kind``.

    ``period`` is for ROW: row r reads value ``r // inner % period``; 0 means a value for each row, in order.
    """

    name: str
    kind: str
    dtype: DType
    array: Any  # whatever stands for it where the loop is made: an array, a value of a program
    period: int = 0
    inner: int = 1


class Statement(NamedTuple):
    """``name = expression``, computed in floats of ``dtype`` and converted to it; names are of operands and earlier
    statements, of attributes no more: these are numbers in the expression by now.

    ``over`` is None for a value of each element, "sum" or "max" for one of each row, over its columns.
    What is read from rows, columns and scalars alone is computed no more often than they have values.
    """

    name: str
    dtype: DType
    expression: ast.expr
    over: str | None = None


class Result(NamedTuple):
    """A value ``name`` that is kept in ``array``, C-contiguous, of ``dtype``.

    ``kind`` is ELEMENT, ROW, SCALAR (for loops of one element), COLUMN_SUM or TOTAL; sums are multiplied by ``scale``.
    Its array may be that of an ELEMENT operand: every element is read before it is written.
    """

    name: str
    kind: str
    dtype: DType
    array: Any
    scale: float = 1.0


class Loop(NamedTuple):
    """For each of ``rows`` and ``columns``: read the operands, do the statements, keep the results."""

    rows: int
    columns: int
    operands: tuple[Operand, ...]
    statements: tuple[Statement, ...]
    results: tuple[Result, ...]


class CrossEntropy(NamedTuple):
    """Cross-entropy of logits (N, C) and labels (N,), into ``loss`` (), and its gradient, (N, C), in the same pass.

    Either result may be None. ``gradient`` may be the logits themselves. Rows whose label is ``ignore_index`` count for
    nothing; another label out of range stops the program before anything is written.
    """

    loss: Any
    gradient: Any
    logits: Any
    labels: Any
    ignore_index: int
    reduction: str  # mean or sum


class FusedProduct(NamedTuple):
    """A matrix product, and a loop that reads its result element by element: some rows of both at a time.

    The loop is over the elements alone, as one row, and finds them in the nearest cache.
    """

    gemm: Gemm
    loop: Loop
