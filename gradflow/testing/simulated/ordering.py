"""Sorting, searching and comparing whole arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _check_kind(kind: Any) -> None:
    if kind is not None and kind != "stable":
        raise ValueError("kind can only be None or 'stable'")


def sort(xp: Any, a: Any, axis: Any = -1, kind: Any = None) -> Any:
    """Sorted, by radix sort, which is stable."""
    _check_kind(kind)
    return xp.machine.compute("sort", lambda x: np.sort(x, axis, kind="stable"), (a,))


def argsort(xp: Any, a: Any, axis: Any = -1, kind: Any = None) -> Any:
    """The indices that would sort, equal elements in their order."""
    _check_kind(kind)
    return xp.machine.compute("argsort", lambda x: np.argsort(x, axis, kind="stable"), (a,))


def searchsorted(xp: Any, a: Any, v: Any, side: Any = "left", sorter: Any = None) -> Any:
    if not isinstance(a, xp.ndarray):
        raise NotImplementedError("Only int or ndarray are supported for a")
    operands = (a, v) if sorter is None else (a, v, sorter)
    return xp.machine.compute("searchsorted", lambda x, y, *order: np.searchsorted(x, y, side, *order), operands)


def bincount(xp: Any, x: Any, weights: Any = None, minlength: Any = None) -> Any:
    """How often each number occurs; the largest is read back, which waits for it."""
    xp.machine.read_back("bincount")
    return xp.machine.compute("bincount", lambda each, w: np.bincount(each, w, minlength or 0), (x, weights))


def isclose(xp: Any, a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    return xp.machine.compute("isclose", lambda x, y: np.isclose(x, y, rtol, atol, equal_nan), (a, b))


def allclose(xp: Any, a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether all elements are close: a 0-d device array."""
    return xp.all(isclose(xp, a, b, rtol, atol, equal_nan))


def array_equal(xp: Any, a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """Whether shapes and elements are equal: a 0-d device array."""
    return xp.machine.compute("array_equal", lambda x, y: np.array_equal(x, y, equal_nan), (a1, a2))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sort": sort, "argsort": argsort, "searchsorted": searchsorted, "bincount": bincount, "isclose": isclose,
    "allclose": allclose, "array_equal": array_equal,
}  # fmt: skip
