"""How a loop is laid out: as one row where rows do not matter, in vectors of some width, and in chunks."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from gradflow.backend.native.emit_passes import calls
from gradflow.formula import COLUMN as COLUMN_NUMBER
from gradflow.formula import names
from gradflow.loop import COLUMN, COLUMN_SUM, ELEMENT, ROW, SCALAR, TOTAL, Loop, Operand

CHUNK = 1 << 16  # what a chunk costs, in simple operations on elements
CALL = 8  # what a function costs, in the same
REGISTERS = 2  # of the processor, that a vector of ours fills, one where functions need the others themselves
WIDEST = 64  # lanes
TOGETHER = 4  # rows that are added to each other before they are added to the sums of columns


class Extent(NamedTuple):
    """Vectors of ``width`` elements; ``step`` rows side by side, and in a chunk ``block`` rows, a multiple of that.

    Of one row that is ``cut`` chunks have ``block`` columns, and a step is a vector. If steps leave a rest, it has the
    last chunk to itself, unless there is but one.
    """

    width: int
    step: int
    chunks: int
    block: int
    cut: bool


def extent(loop: Loop) -> Extent:
    """The layout of a loop, which depends on nothing but the loop and the processor's registers."""
    costly = sum(map(calls, loop.statements))
    width = _width(loop, bool(costly))
    pieces = max(1, loop.rows * loop.columns * (1 + CALL * costly) // CHUNK)
    cut = loop.rows == 1 and flat(loop)
    together = not costly and all(each.over is None for each in loop.statements)
    summed = any(each.kind == COLUMN_SUM for each in loop.results)
    step = width if cut else min(TOGETHER, loop.rows) if together and summed else 1
    count = loop.columns if cut else loop.rows
    steps = count // step
    block = -(-steps // min(pieces, steps))
    chunks = -(-steps // block)
    rest = count % step > 0 and chunks > 1
    return Extent(width, step, chunks + rest, block * step, cut)


def in_blocks(loop: Loop, block: int) -> Extent:
    """The layout of one row that is cut in chunks of ``block`` columns, a multiple of WIDEST and a part of them all."""
    width = _width(loop, any(map(calls, loop.statements)))
    return Extent(width, width, loop.columns // block, block, True)


def _width(loop: Loop, costly: bool) -> int:
    arrays = [*(x.dtype for x in loop.operands), *(x.dtype for x in loop.results)]
    sizes = [dtype.itemsize for dtype in (*arrays, *(each.dtype for each in loop.statements))]
    fitting = min(WIDEST, (1 if costly else REGISTERS) * register() // max(sizes), loop.columns)
    return 1 << fitting.bit_length() - 1


@cache
def register() -> int:
    """Bytes in a vector register of this processor."""
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx2") else 16


def flattened(loop: Loop) -> Loop:
    """``loop`` as one row, if no value of it is for a row or a column."""
    if loop.columns == 1:
        loop = _of_one_column(loop)
    if loop.rows == 1:
        operands = tuple(each._replace(kind=SCALAR) if each.kind == ROW else each for each in loop.operands)
        loop = loop._replace(operands=operands)
    if flat(loop):
        return loop._replace(rows=1, columns=loop.rows * loop.columns)
    return loop


def flat(loop: Loop) -> bool:
    """Whether nothing in ``loop`` is per row or column, so that its elements may be cut anywhere."""
    numbered = any(COLUMN_NUMBER in names(each.expression) for each in loop.statements)
    if loop.rows > 1 and (numbered or any(each.kind == COLUMN for each in loop.operands)):
        return False
    if any(kind in (ROW, COLUMN_SUM) for kind in [*(x.kind for x in loop.operands), *(x.kind for x in loop.results)]):
        return False
    return all(each.over is None for each in loop.statements)


def _of_one_column(loop: Loop) -> Loop:
    """Rows of one element are elements."""
    operands = tuple(_element(each) if each.kind == ROW else each for each in loop.operands)
    operands = tuple(each._replace(kind=SCALAR) if each.kind == COLUMN else each for each in operands)
    kinds = {ROW: ELEMENT, SCALAR: ELEMENT, COLUMN_SUM: TOTAL}
    results = tuple(each._replace(kind=kinds.get(each.kind, each.kind)) for each in loop.results)
    return loop._replace(operands=operands, results=results)


def _element(operand: Operand) -> Operand:
    return operand if operand.period or operand.inner > 1 else operand._replace(kind=ELEMENT)
