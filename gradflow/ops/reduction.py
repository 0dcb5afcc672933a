"""How a reduction is laid out on a GPU: as rows, as columns, or as a few rows that many blocks share."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradflow.dtypes import DType, accumulator
from gradflow.launch import LIMIT, THREADS, VECTOR, Launch, Scratch, Tickets, computable
from gradflow.shapes import Axes, Shape

WARP = 32
ACROSS = 4  # vectors of a row that a block takes: 64 bytes, which memory delivers at once
WIDE = 16  # of a large matrix: blocks that work at the same time read longer pieces of rows
LARGE = 1 << 22  # elements
BUSY = 264  # blocks: two for each processor of an H100
FULL = 1056  # blocks: as many as its processors hold at a time
WORK = 1024  # elements that are worth a block
DEARER = 4  # so many times dearer is a block beyond BUSY: blocks of a strip write and read for one another
MANY_ROWS = BUSY * THREADS // WARP  # so many warps, one for each row, keep a GPU busy
LARGEST_GRID = 65535  # in its second and third dimension


class Strips(NamedTuple):
    """A grid of blocks over the columns of matrices, and what their kernel is told of it, in its parameters' order."""

    grid: tuple[int, int, int]
    memory: tuple[Scratch | None, Tickets | None]
    sizes: tuple[int, int, int, int]  # rows, columns, lanes, share: see over_columns in kernels/reduce.cu


def strips(matrices: int, rows: int, columns: int, dtype: DType) -> Strips:
    """The grid that reduces the columns of ``matrices``, one after another in memory."""
    width = VECTOR // dtype.itemsize
    vectors = -(-columns // width)
    wide = rows * columns >= LARGE
    across = -(-vectors // (WIDE if wide else ACROSS))
    lanes = -(-vectors // across)
    most = -(-(rows * columns // WORK) // across)
    wanted = max(BUSY, min(FULL // 2 if wide else FULL, matrices * across * most // DEARER))
    share = rows // max(1, min(most, -(-wanted // (matrices * across))))
    down = -(-rows // share)
    scratch, tickets = None, None
    if down > 1:
        scratch = Scratch(matrices * down * across * lanes * width * accumulator(dtype).itemsize)
        tickets = Tickets(matrices * across)
    return Strips((across, down, matrices), (scratch, tickets), (rows, columns, lanes, share))


def reduction(x: Any, axes: Axes, largest: bool, divisor: float, out: Any) -> Launch | None:
    """The launch that puts into ``out`` the sums over ``axes`` divided by ``divisor``, or the largest elements.

    None if the axes are not next to one another, or for arrays that kernels do not take.
    """
    suits = computable(x.dtype) and x.dtype == out.dtype and 0 < x.size < LIMIT
    if not (suits and x.flags.c_contiguous and out.flags.c_contiguous):
        return None
    found = _outer_count_inner(x.shape, axes)
    if found is None:
        return None
    outer, count, inner = found
    results = x, out, largest, divisor
    if inner > 1:
        return _columns(results, outer, count, inner)
    width = VECTOR // x.dtype.itemsize
    if count <= WARP * width or outer >= MANY_ROWS:
        lanes = min(WARP, 1 << (-(-count // width) - 1).bit_length())
        return Launch("reduce_rows", x.dtype, -(-outer * lanes // THREADS), THREADS, (*results, outer, count, lanes))
    grid, memory, sizes = strips(outer, count // width, width, x.dtype)
    return Launch("reduce_columns", x.dtype, grid, THREADS, (*results, *memory, *sizes, True, count % width))


def _columns(results: tuple[Any, ...], outer: int, count: int, inner: int) -> Launch | None:
    if outer > LARGEST_GRID or (outer > 1 and count * inner < THREADS):  # many tiny matrices: a block each is too much
        return None
    dtype = results[0].dtype
    grid, memory, sizes = strips(outer, count, inner, dtype)
    return Launch("reduce_columns", dtype, grid, THREADS, (*results, *memory, *sizes, False, 0))


def _outer_count_inner(shape: Shape, axes: Axes) -> tuple[int, int, int] | None:
    """How many elements come before, along and after ``axes``; None unless these are next to one another.

    >>> _outer_count_inner((2, 1, 3, 4), (1, 2))
    (2, 3, 4)
    """
    sizes = [1, 1, 1]
    part = 0
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        if (axis in axes) != (part == 1):
            part += 1
        if part == 3:
            return None
        sizes[part] *= size
    outer, count, inner = sizes
    return (outer, count, inner) if count > 1 else None
