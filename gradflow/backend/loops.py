"""Hand-written loops over elements, compiled by Numba where the extra ``fast`` is installed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

WORTH = 1 << 17  # elements below which a few passes by NumPy cost less than loading Numba


def suits(arrays: list[Any]) -> bool:
    """Whether a loop may run over ``arrays``: many elements, flat, contiguous, of a float that Numba knows."""
    first = arrays[0]
    return (
        first.size >= WORTH
        and first.dtype.char in "fd"
        and all(x is None or (x.ndim <= 1 and x.flags.c_contiguous) for x in arrays)
    )


@cache
def compiled(loop: Callable[..., None]) -> Callable[..., None] | None:
    """``loop`` as machine code, kept on disk for the next process; None if Numba is not installed."""
    if find_spec("numba") is None:
        return None
    from numba import njit

    result: Callable[..., None] = njit(cache=True, nogil=True, error_model="numpy")(loop)
    return result
