"""How functions without a ufunc are computed: in float64, and without warnings of branches not taken."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.dtypes import float64
from gradflow.ops.blockwise import blockwise
from gradflow.ops.precision import Array, float_dtype, stored

Function = Callable[..., Array]


def in_double(function: Function) -> Function:
    """Make ``function(xp, *arrays)`` of float64 arrays an op's forward: for every dtype, in blocks, with ``out``."""

    def block(xp: Any, *arrays: Array, out: Array, **attrs: Any) -> Array:
        with np.errstate(all="ignore"):
            out[...] = function(xp, *arrays, **attrs)
        return out

    inner = blockwise(block)

    @functools.wraps(function)
    def forward(xp: Any, *arrays: Any, out: Array | None = None, **attrs: Any) -> Array:
        dtype = float_dtype(*arrays)
        given = [xp.asarray(x, dtype=float64) for x in arrays]
        return (
            inner(xp, *given, out=out, **attrs) if dtype == float64 else stored(inner(xp, *given, **attrs), dtype, out)
        )

    return forward


def either(xp: Any, condition: Array, x: Array, one: Function, other: Function) -> Array:
    """``one(x)`` where ``condition`` holds and ``other(x)`` elsewhere; on the CPU each of its own elements alone.

    On a GPU, where choosing elements would be a wait, both are computed, and need not be finite where they do not hold.
    """
    if not isinstance(x, np.ndarray):
        return xp.where(condition, one(x), other(x))
    chosen, flat = np.flatnonzero(condition), x.ravel()  # a tenth of the time that a mask takes
    if chosen.size == x.size:
        return one(x)
    if not chosen.size:
        return other(x)
    rest = np.flatnonzero(~condition)
    out = np.empty_like(flat)
    out[chosen] = one(flat[chosen])
    out[rest] = other(flat[rest])
    return out.reshape(x.shape)
