"""Triangular systems solved: by BLAS's ``trsm`` where NumPy's can be called, elsewhere a block of rows at a time."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np

ROWS = 8  # unknowns that are found one by one
BLOCK = 64  # those that are found at once, without BLAS's trsm; all else is matrix products
# of CBLAS: rows in C order, a on the left of x; whether a is transposed, which of its triangles, is its diagonal 1
ROW_MAJOR, LEFT = 101, 141
TRANSPOSED, LOWER, UNIT = {False: 111, True: 112}, {False: 121, True: 122}, {False: 131, True: 132}


def substituted(xp: Any, a: Any, b: Any, lower: bool, transposed: bool, unit: bool) -> Any:
    """The ``x`` with ``a @ x == b``, or ``a.mT @ x == b``, of one triangle of ``a``, in stacks that broadcast alike."""
    if isinstance(a, np.ndarray):
        if not unit and not a.diagonal(axis1=-2, axis2=-1).all():
            raise np.linalg.LinAlgError
        if b.size and a.shape[-1] > ROWS and (trsm := _trsm(a.dtype.char)) is not None:
            return _by_blas(trsm, a, b, (LOWER[lower], TRANSPOSED[transposed], UNIT[unit]))
    return _in_halves(xp, a.swapaxes(-1, -2) if transposed else a, b, lower != transposed, unit)


def _by_blas(trsm: Any, a: Any, b: Any, how: tuple[int, int, int]) -> Any:
    a, x = np.ascontiguousarray(a), np.array(b, order="C")
    one = np.ones((), a.dtype) if a.dtype.kind == "c" else None
    alpha = 1.0 if one is None else one.ctypes.data
    size, columns = x.shape[-2:]
    for place in np.ndindex(x.shape[:-2]):
        trsm(ROW_MAJOR, LEFT, *how, size, columns, alpha, a[place].ctypes.data, size, x[place].ctypes.data, columns)
    return x


@cache
def _trsm(kind: str) -> Any:
    """``cblas_?trsm`` of NumPy's BLAS for a dtype; None if it is not found."""
    from gradflow.backend.native.blas import PRODUCTS, blas

    found = blas()
    if found is None:
        return None
    library = ctypes.CDLL(found.file)
    letter = {"f": "s", "d": "d", "F": "c", "D": "z"}[kind]
    names = [name.replace("gemm", "trsm").format(letter) for name, integer in PRODUCTS if integer == found.integer]
    function = next((getattr(library, name) for name in names if hasattr(library, name)), None)
    if function is not None:
        word = {"i64": ctypes.c_int64, "i32": ctypes.c_int32}[found.integer]
        number = {"f": ctypes.c_float, "d": ctypes.c_double}.get(kind, ctypes.c_void_p)
        sizes = (word, word, number, ctypes.c_void_p, word, ctypes.c_void_p, word)
        function.argtypes, function.restype = (*[ctypes.c_int] * 5, *sizes), None
    return function


def _in_halves(xp: Any, a: Any, b: Any, lower: bool, unit: bool) -> Any:
    """Halves first: the unknowns that depend on no other, then with them the others."""
    size = a.shape[-1]
    if size <= ROWS and isinstance(a, np.ndarray):
        return _by_rows(a, b, lower, unit)
    if size <= BLOCK:
        return xp.linalg.solve(_triangle(xp, a, lower, unit), b)
    half = size // 2
    first, second = (slice(half), slice(half, None)) if lower else (slice(half, None), slice(half))
    x = _in_halves(xp, a[..., first, first], b[..., first, :], lower, unit)
    rest = b[..., second, :] - xp.matmul(a[..., second, first], x)
    y = _in_halves(xp, a[..., second, second], rest, lower, unit)
    return xp.concatenate([x, y] if lower else [y, x], axis=-2)


def _triangle(xp: Any, a: Any, lower: bool, unit: bool) -> Any:
    if unit:
        return (xp.tril(a, -1) if lower else xp.triu(a, 1)) + xp.eye(a.shape[-1], dtype=a.dtype)
    return xp.tril(a) if lower else xp.triu(a)


def _by_rows(a: Any, b: Any, lower: bool, unit: bool) -> Any:
    """One unknown after the other, for all of a stack at once."""
    size = a.shape[-1]
    x = b.copy()
    for i in range(size) if lower else reversed(range(size)):
        rest = slice(i + 1, None) if lower else slice(i)
        if not unit:
            x[..., i, :] /= a[..., i, i, None]
        x[..., rest, :] -= a[..., rest, i, None] * x[..., i, None, :]
    return x
