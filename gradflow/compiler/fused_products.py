"""Products whose results a loop reads element by element, as optimizers read gradients, done together with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradflow.backend.native.fused_products import fuses
from gradflow.compiler.program import Value
from gradflow.compiler.works import Action, Boundary, Work, work_of
from gradflow.formula import COLUMN, names
from gradflow.launch import Gemm
from gradflow.loop import ELEMENT, SCALAR, FusedProduct, Loop


def with_fused_products(works: Sequence[Work]) -> list[Work]:
    """``works`` with large products moved down to the loops over their elements, where nothing is in between."""
    if not any(isinstance(work.does, Gemm) and fuses(work.does) for work in works):
        return list(works)
    done: list[Work] = []
    for work in works:
        products = _products(done, work)
        if products:
            moved = {id(product) for product in products.values()}
            done = [each for each in done if id(each) not in moved]
            done += _together(work, products)
        else:
            done.append(work)
    return done


def _products(done: list[Work], work: Work) -> dict[int, Work]:
    """Those of ``done`` that may be done with ``work``, by the element of its loop with which their results begin."""
    if not isinstance(work.does, Loop) or not _is_of_elements(work.does):
        return {}
    found: dict[int, Work] = {}
    later: list[Work] = []
    for other in reversed(done):
        if isinstance(other.does, Boundary | Action):
            break
        start = _start(work.does, other.does.out) if isinstance(other.does, Gemm) and fuses(other.does) else None
        inputs = other.reads
        if (
            start is not None
            and not any(x.overlaps(y) for x in work.writes for y in inputs)
            and not any(_ordered(other, each) for each in (*later, *found.values()))
        ):
            found[start] = other
        else:
            later.append(other)
    return found


def _is_of_elements(loop: Loop) -> bool:
    """Whether ``loop`` may be cut anywhere: it has no sums, nor values of rows or columns."""
    return (
        all(each.kind in (ELEMENT, SCALAR) for each in loop.operands)
        and all(each.kind == ELEMENT for each in loop.results)
        and all(each.over is None and COLUMN not in names(each.expression) for each in loop.statements)
    )


def _start(loop: Loop, out: Value) -> int | None:
    """The element of ``loop`` that is the first of ``out``, if it has these elements one by one, and nowhere else."""
    read = {(x.kind, x.array.offset, x.array.dtype) for x in loop.operands if x.array.overlaps(out)}
    written = {(x.kind, x.array.offset, x.array.dtype) for x in loop.results if x.array.overlaps(out)}
    if len(read) != 1 or not written <= read:
        return None
    ((kind, offset, dtype),) = read
    start, rest = divmod(out.offset - offset, dtype.itemsize)
    inside = 0 <= start <= loop.rows * loop.columns - out.size
    return int(start) if kind == ELEMENT and dtype == out.dtype and rest == 0 and inside else None


def _ordered(earlier: Work, later: Work) -> bool:
    """Whether one of the two writes what the other reads or writes."""
    return any(x.overlaps(y) for x in earlier.writes for y in (*later.reads, *later.writes)) or any(
        x.overlaps(y) for x in earlier.reads for y in later.writes
    )


def _together(work: Work, products: dict[int, Work]) -> list[Work]:
    """The loop in parts: one with each of ``products``, and one for what is between them."""
    loop = work.does
    assert isinstance(loop, Loop)
    parts: list[Work] = []
    reached, size = 0, loop.rows * loop.columns
    for start, product in sorted(products.items(), key=lambda item: item[0]):
        assert isinstance(product.does, Gemm)
        (out,) = product.writes
        if start > reached:
            parts.append(work_of(_part(loop, reached, start - reached), work.calls))
        fused = FusedProduct(product.does, _part(loop, start, out.size, out))
        of_loop = work_of(fused.loop, work.calls)
        reads = (*product.reads, *(x for x in of_loop.reads if x is not out))
        parts.append(Work(fused, (*product.calls, *work.calls), reads, (out, *of_loop.writes)))
        reached = start + out.size
    if reached < size:
        parts.append(work_of(_part(loop, reached, size - reached), work.calls))
    return parts


def _part(loop: Loop, start: int, size: int, known: Value | None = None) -> Loop:
    """The loop over ``size`` elements from ``start`` on, of which ``known`` is an array already."""
    parts: dict[tuple[Any, int], Value] = {} if known is None else {(known.storage, known.offset): known}

    def part(x: Value) -> Value:
        offset = x.offset + start * x.dtype.itemsize
        return parts.setdefault((x.storage, offset), Value(x.storage, (size,), x.dtype, offset))

    operands = (each if each.kind == SCALAR else each._replace(array=part(each.array)) for each in loop.operands)
    results = (each._replace(array=part(each.array)) for each in loop.results)
    return Loop(1, size, tuple(operands), loop.statements, tuple(results))
