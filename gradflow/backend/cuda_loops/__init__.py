"""Loops as CUDA C: a kernel is generated for each, and those of the same text are one function.

A loop becomes one of three kernels: over elements side by side (flat.py), over rows that are reduced (rows.py), over
strips of columns that are added up (strips.py). One that asks for sums of columns and of something else is two.
Values of 16 bits are computed in float; functions are CUDA's accurate ones; sums are added in an order that depends on
sizes alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradflow.backend import kernels
from gradflow.backend.cuda_loops.body import Body, by_value
from gradflow.backend.cuda_loops.flat import Flat
from gradflow.backend.cuda_loops.kernel import Kernel
from gradflow.backend.cuda_loops.rows import Rows
from gradflow.backend.cuda_loops.strips import Strips
from gradflow.dtypes import DType
from gradflow.launch import LIMIT, THREADS, Launch
from gradflow.loop import COLUMN, COLUMN_SUM, ELEMENT, ROW, SCALAR, TOTAL, Loop, Operand, Result
from gradflow.shapes import Shape

Empty = Callable[[Shape, DType], Any]  # makes an array, which must last until the launches are done


def suits(loop: Loop) -> bool:
    """Whether there can be a kernel for ``loop``: not empty, nor too large for 32 bits, and of numbers that C has."""
    if not 0 < loop.rows * loop.columns < LIMIT:
        return False
    arrays = [*(x.dtype for x in loop.operands), *(x.dtype for x in loop.results)]
    if any(each.over and each.dtype.kind != "f" for each in loop.statements):
        return False
    return all(dtype.kind in "biuf" for dtype in (*arrays, *(each.dtype for each in loop.statements)))


def launches(loop: Loop, empty: Empty) -> list[Launch]:
    """The launches that do ``loop``, one unless it has sums of columns beside other reductions.

    ``empty`` is asked for memory for what one of two launches has found for each row, and the other reads.
    """
    return [_launch(each) for part in _parts(_simplified(loop), empty) for each in (_kernel(part),)]


def _launch(made: Kernel) -> Launch:
    kernels.generated.setdefault(made.name, made.text)
    return Launch(made.name, None, made.blocks, THREADS, made.arguments)


def _kernel(loop: Loop) -> Kernel:
    body = Body(loop)
    if any(each.kind == COLUMN_SUM for each in loop.results):
        return Strips(body).kernel()
    if any(each.over for each in loop.statements) or any(each.kind == ROW for each in loop.results):
        return Rows(body).kernel()
    return Flat(body).kernel()


def _simplified(loop: Loop) -> Loop:
    """``loop`` with rows of one element, or a single row, as elements, where nothing is reduced over them."""
    reduced = any(each.over for each in loop.statements)
    kinds: dict[str, str] = {}
    if loop.columns == 1 and not reduced:
        kinds = {ROW: ELEMENT}
    elif loop.rows == 1:
        kinds = {COLUMN: ELEMENT}
    return loop._replace(
        operands=tuple(
            x._replace(kind=kinds[x.kind]) if x.kind in kinds and not x.period and not by_value(x) else x
            for x in loop.operands
        ),
        results=tuple(x._replace(kind=kinds.get(x.kind, x.kind)) for x in loop.results),
    )


def _parts(loop: Loop, empty: Empty) -> list[Loop]:
    """``loop`` as loops that are a kernel each: what is found for rows and in all comes first, sums of columns last."""
    summed = [x for x in loop.results if x.kind == COLUMN_SUM]
    before = [x for x in loop.results if x.kind in (ROW, SCALAR, TOTAL)]
    over = [each for each in loop.statements if each.over]
    if not summed or not (before or over):
        return [loop]
    rows = [Result(each.name, ROW, each.dtype, empty((loop.rows,), each.dtype)) for each in over]
    found = tuple(Operand(x.name, ROW, x.dtype, x.array) for x in rows)
    after = loop._replace(
        operands=loop.operands + found,
        statements=tuple(each for each in loop.statements if not each.over),
        results=tuple(x for x in loop.results if x.kind in (ELEMENT, COLUMN_SUM)),
    )
    return [loop._replace(results=(*before, *rows)), after]
