"""Matrix products of native programs: calls of BLAS, cut into parts for several threads."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradflow.backend.native import engine
from gradflow.backend.native.blas import Blas, blas
from gradflow.backend.native.function import Function
from gradflow.launch import Gemm

PLAIN, TRANSPOSED = 111, 112  # CBLAS_TRANSPOSE
WORTH = 1 << 18  # multiplications for which a thread is worth a call of its own
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


def product(gemm: Gemm, threads: int) -> Function:
    """``gemm`` as a function; one of many multiplications has a part for each of ``threads``."""
    library = blas()
    assert library is not None
    *_, m, n = gemm.out.shape
    k = gemm.a.shape[-2] if gemm.transpose_a else gemm.a.shape[-1]
    part = _stack(gemm, m, n, k) if len(gemm.out.shape) == 3 else _cut(gemm, m, n, k, threads)
    single = gemm.out.dtype.itemsize == 4
    words: tuple[Any, ...] = (
        library.float32 if single else library.float64,
        TRANSPOSED if gemm.transpose_a else PLAIN, TRANSPOSED if gemm.transpose_b else PLAIN,
        part.m, part.n, k, *(x.shape[-1] for x in (gemm.a, gemm.b, gemm.out)), gemm.a, gemm.b, gemm.out,
        *(step * gemm.out.dtype.itemsize for step in (part.a, part.b, part.out)),
        part.parts - 1, part.last_m, part.last_n, int(gemm.accumulate),
    )  # fmt: skip
    return Function("product_float" if single else "product_double", _text(single, library), words, part.parts)


def _text(single: bool, library: Blas) -> str:
    return engine.kernel("product", FLOAT="float" if single else "double", BLASINT=library.integer)


def _stack(gemm: Gemm, m: int, n: int, k: int) -> Part:
    return Part(gemm.out.shape[0], m, n, m, n, m * k, k * n, m * n)


def _cut(gemm: Gemm, m: int, n: int, k: int, threads: int) -> Part:
    """Parts of rows, or of columns where there are more of these."""
    wanted = min(threads, m * n * k // WORTH)
    if wanted > 1 and m >= n:
        rows = _size(m, wanted)
        count = -(-m // rows)
        return Part(count, rows, n, m - (count - 1) * rows, n, rows * (1 if gemm.transpose_a else k), 0, rows * n)
    if wanted > 1:
        columns = _size(n, wanted)
        count = -(-n // columns)
        last = n - (count - 1) * columns
        return Part(count, m, columns, m, last, 0, columns * (k if gemm.transpose_b else 1), columns)
    return Part(1, m, n, m, n, 0, 0, 0)


def _size(total: int, parts: int) -> int:
    """So many rows that ``parts`` of them, each but the last a multiple of BLOCK, make up ``total``."""
    return -(-total // (parts * BLOCK)) * BLOCK
