"""How functions without a ufunc are computed: in float64, and without warnings of branches not taken."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.dtypes import float64
from gradflow.ops.blockwise import blockwise
from gradflow.ops.polynomial import Polynomial
from gradflow.ops.precision import Array, float_dtype, stored

Function = Callable[..., Array]


def in_double(function: Function) -> Function:
    """Make ``function(xp, x)`` of float64 arrays the forward of an op: for every dtype, in blocks, with ``out``."""

    def block(xp: Any, x: Array, *, out: Array, **attrs: Any) -> Array:
        with np.errstate(all="ignore"):
            out[...] = function(xp, x, **attrs)
        return out

    inner = blockwise(block)

    @functools.wraps(function)
    def forward(xp: Any, x: Array, *, out: Array | None = None, **attrs: Any) -> Array:
        if x.dtype == float64:
            return inner(xp, x, out=out, **attrs)
        return stored(inner(xp, x.astype(float64), **attrs), float_dtype(x.dtype), out)

    return forward


def either(xp: Any, condition: Array, x: Array, one: Function, other: Function) -> Array:
    """``one(x)`` where ``condition`` holds and ``other(x)`` elsewhere; on the CPU each of its own elements alone.

    On a GPU, where choosing elements would be a wait, both are computed, and need not be finite where they do not hold.
    """
    if not isinstance(x, np.ndarray):
        return xp.where(condition, one(x), other(x))
    if condition.all():
        return one(x)
    if not condition.any():
        return other(x)
    out = np.empty_like(x)
    out[condition] = one(x[condition])
    rest = ~condition
    out[rest] = other(x[rest])
    return out


def chebyshev(x: Array, coefficients: Polynomial) -> Array:
    """The sum of Chebyshev polynomials at ``x`` in [-1, 1], the highest first, by Clenshaw's recurrence.

    >>> float(chebyshev(np.array(0.5), (1.0, 0.0, 2.0)))  # T2(x) + 2
    1.5
    """
    twice = 2 * x
    before, last = 0 * x, 0 * x
    for coefficient in coefficients[:-1]:
        next = twice * last
        next -= before
        next += coefficient
        before, last = last, next
    return x * last - before + coefficients[-1]
