"""Matrix products of native programs: calls of BLAS, cut into parts for several threads."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradflow.backend.native import engine
from gradflow.backend.native.blas import blas
from gradflow.backend.native.emit_extent import register
from gradflow.backend.native.few_rows import PANEL, few_rows_product
from gradflow.backend.native.function import Function
from gradflow.backend.native.small_products import ROWS, small_product
from gradflow.dtypes import float32
from gradflow.launch import Gemm, Scratch

PLAIN, TRANSPOSED = 111, 112  # CBLAS_TRANSPOSE
SMALL = 1 << 19  # multiplications, up to which BLAS's preparations cost more than its better kernels save
WORTH = 1 << 20  # multiplications of a part: for less, moving operands between caches costs more than a thread saves
# rows that are few, and elements of a large matrix. With vectors of 32 bytes ours takes half of BLAS's time for 16 rows
# of float32, and nine tenths for 64; elsewhere BLAS is faster from the other side, transposed: by a third for 8 rows of
# float64, and with kernels for longer vectors in half the time for up to 64
FEW_ROWS = 64
LARGE = 1 << 17
VECTOR = 32  # bytes
BLOCK = 16  # rows or columns that BLAS's kernels compute at a time: parts are multiples of it


class Part(NamedTuple):
    """How a product is cut: sizes of a part and of the last one, and what the operands advance by, in elements."""

    parts: int
    m: int
    n: int
    last_m: int
    last_n: int
    a: int
    b: int
    out: int


def multiplies(gemm: Gemm) -> bool:
    """Whether a native program can do ``gemm``: matrices of float32 or float64, or stacks, no epilogue, BLAS found."""
    operands = (gemm.a, gemm.b, gemm.out)
    dimensions = len(gemm.out.shape)
    return (
        gemm.bias is None
        and gemm.bias_grad is None
        and gemm.epilogue == "none"
        and dimensions in (2, 3)
        and all(x.dtype == gemm.out.dtype and len(x.shape) == dimensions and 0 not in x.shape for x in operands)
        and (dimensions == 2 or gemm.a.shape[0] == gemm.b.shape[0] == gemm.out.shape[0])
        and np.dtype(gemm.out.dtype).char in "fd"
        and blas() is not None
    )


def product(gemm: Gemm, threads: int) -> tuple[Function, ...]:
    """The functions that do ``gemm``; one of many multiplications has a part for each of ``threads``."""
    *_, m, n = gemm.out.shape
    k = gemm.a.shape[-2] if gemm.transpose_a else gemm.a.shape[-1]
    if len(gemm.out.shape) == 3:
        return (_call("product", gemm, k, _stack(gemm, m, n, k)),)
    if m * n * k <= SMALL and gemm.out.dtype == float32 and not (gemm.transpose_a and gemm.transpose_b):
        return (small_product(gemm, m, n, k),)
    few = gemm.transpose_b and not gemm.transpose_a and not gemm.accumulate and n * k >= LARGE
    if few and m <= (PANEL if register() > VECTOR else FEW_ROWS) and n >= ROWS and gemm.out.dtype == float32:
        return few_rows_product(gemm)
    if few and 1 < m <= FEW_ROWS:
        swapped = Gemm(gemm.b, gemm.a, Scratch(m * n * gemm.out.dtype.itemsize), transpose_b=True)
        part = _of_rows(swapped, n, m, k, _wanted(m, n, k, threads))
        return (_call("product_transposed", swapped, k, part, gemm.out, n),)
    return (_call("product", gemm, k, _cut(gemm, m, n, k, threads)),)


def _call(name: str, gemm: Gemm, k: int, part: Part, *more: Any) -> Function:
    """A function of kernels/product.ll with its words."""
    library = blas()
    assert library is not None
    itemsize = gemm.a.dtype.itemsize
    kind = "float" if itemsize == 4 else "double"
    columns = gemm.a.shape[-1], gemm.b.shape[-1], part.n if isinstance(gemm.out, Scratch) else gemm.out.shape[-1]
    words: tuple[Any, ...] = (
        library.float32 if kind == "float" else library.float64,
        TRANSPOSED if gemm.transpose_a else PLAIN, TRANSPOSED if gemm.transpose_b else PLAIN,
        part.m, part.n, k, *columns, gemm.a, gemm.b, gemm.out,
        *(step * itemsize for step in (part.a, part.b, part.out)),
        part.parts - 1, part.last_m, part.last_n, int(gemm.accumulate), *more,
    )  # fmt: skip
    return Function(f"{name}_{kind}", engine.kernel("product", FLOAT=kind, BLASINT=library.integer), words, part.parts)


def _stack(gemm: Gemm, m: int, n: int, k: int) -> Part:
    return Part(gemm.out.shape[0], m, n, m, n, m * k, k * n, m * n)


def _cut(gemm: Gemm, m: int, n: int, k: int, threads: int) -> Part:
    """Parts of rows, or of columns where there are more of these."""
    wanted = _wanted(m, n, k, threads)
    return _of_rows(gemm, m, n, k, wanted) if m >= n or wanted == 1 else _of_columns(gemm, m, n, k, wanted)


def _wanted(m: int, n: int, k: int, threads: int) -> int:
    return max(1, min(threads, m * n * k // WORTH))


def _of_rows(gemm: Gemm, m: int, n: int, k: int, parts: int) -> Part:
    rows = _size(m, parts)
    count = -(-m // rows)
    return Part(count, rows, n, m - (count - 1) * rows, n, rows * (1 if gemm.transpose_a else k), 0, rows * n)


def _of_columns(gemm: Gemm, m: int, n: int, k: int, parts: int) -> Part:
    columns = _size(n, parts)
    count = -(-n // columns)
    return Part(
        count, m, columns, m, n - (count - 1) * columns, 0, columns * (k if gemm.transpose_b else 1), columns
    )  # fmt: skip


def _size(total: int, parts: int) -> int:
    """So many rows that ``parts`` of them make up ``total``, a multiple of BLOCK if there are several."""
    return total if parts == 1 else -(-total // (parts * BLOCK)) * BLOCK
