"""Reductions and scans: one kernel a call; the result of a reduction is a device array, also of all axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.testing.simulated.conversion import flushed

Axis = Any


def _reduce(xp: Any, name: str, function: Callable[..., Any], a: Any, out: Any) -> Any:
    """``function`` of ``a``, in ``out`` if it is given."""
    if not isinstance(a, xp.ndarray):
        raise TypeError(f"Unsupported type {type(a)}")

    def reduced(x: Any) -> Any:
        result = np.asarray(flushed(function(flushed(x))))
        if out is not None and out.shape != result.shape:
            raise ValueError(f"Output array of the wrong shape: it is {out.shape}, the result {result.shape}")
        return result

    return xp.machine.compute(name, reduced, (a,), out)


def _accumulating(function: Callable[..., Any], dtype: Any) -> Callable[..., Any]:
    """``function`` of an array, in ``dtype``; float16 is added up in float32, as CuPy does it."""

    def accumulated(x: Any, **how: Any) -> Any:
        result = np.dtype(dtype) if dtype is not None else None
        if (result or x.dtype) == np.float16:
            return np.asarray(function(x, dtype=np.float32, **how)).astype(np.float16)
        return function(x, dtype=result, **how)

    return accumulated


def sum(xp: Any, a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    total = _accumulating(np.add.reduce, dtype)
    return _reduce(xp, "sum", lambda x: total(x, axis=axis, keepdims=keepdims), a, out)


def prod(xp: Any, a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    product = _accumulating(np.multiply.reduce, dtype)
    return _reduce(xp, "prod", lambda x: product(x, axis=axis, keepdims=bool(keepdims)), a, out)


def mean(xp: Any, a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    def average(x: Any) -> Any:
        given = dtype or (x.dtype if x.dtype.kind in "fc" else np.float64)
        total = _accumulating(np.add.reduce, np.float32 if given == np.float16 else given)(
            x, axis=axis, keepdims=keepdims
        )
        count = x.size // total.size if total.size else 0
        return np.asarray(total / np.asarray(count, total.dtype)).astype(given)

    return _reduce(xp, "mean", average, a, out)


def var(
    xp: Any, a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, ddof: int = 0, keepdims: Any = False
) -> Any:
    def variance(x: Any) -> Any:
        given = dtype or (x.dtype if x.dtype.kind in "fc" else np.float64)
        working = np.float32 if given == np.float16 else given
        return np.asarray(np.var(x, axis=axis, dtype=working, ddof=ddof, keepdims=keepdims)).astype(given)

    return _reduce(xp, "var", variance, a, out)


def std(
    xp: Any, a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, ddof: int = 0, keepdims: Any = False
) -> Any:
    return xp.sqrt(var(xp, a, axis, dtype, None, ddof, keepdims), out=out)


def max(xp: Any, a: Any, axis: Axis = None, out: Any = None, keepdims: Any = False) -> Any:
    return _reduce(xp, "max", lambda x: np.maximum.reduce(x, axis=axis, keepdims=keepdims), a, out)


def min(xp: Any, a: Any, axis: Axis = None, out: Any = None, keepdims: Any = False) -> Any:
    return _reduce(xp, "min", lambda x: np.minimum.reduce(x, axis=axis, keepdims=keepdims), a, out)


def ptp(xp: Any, a: Any, axis: Axis = None, out: Any = None, keepdims: Any = False) -> Any:
    return _reduce(xp, "ptp", lambda x: np.ptp(x, axis=axis, keepdims=keepdims), a, out)


def all(xp: Any, a: Any, axis: Axis = None, out: Any = None, keepdims: Any = False) -> Any:
    return _reduce(xp, "all", lambda x: np.logical_and.reduce(x, axis=axis, keepdims=keepdims), a, out)


def any(xp: Any, a: Any, axis: Axis = None, out: Any = None, keepdims: Any = False) -> Any:
    return _reduce(xp, "any", lambda x: np.logical_or.reduce(x, axis=axis, keepdims=keepdims), a, out)


def argmax(xp: Any, a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    return _reduce(xp, "argmax", lambda x: _as(np.argmax(x, axis=axis, keepdims=keepdims), dtype), a, out)


def argmin(xp: Any, a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    return _reduce(xp, "argmin", lambda x: _as(np.argmin(x, axis=axis, keepdims=keepdims), dtype), a, out)


def _as(x: Any, dtype: Any) -> Any:
    return np.asarray(x, dtype or np.int64)


def cumsum(xp: Any, a: Any, axis: Axis = None, dtype: Any = None, out: Any = None) -> Any:
    running = _accumulating(np.cumsum, dtype)
    return _reduce(xp, "cumsum", lambda x: running(x, axis=axis), a, out)


def cumprod(xp: Any, a: Any, axis: Axis = None, dtype: Any = None, out: Any = None) -> Any:
    running = _accumulating(np.cumprod, dtype)
    return _reduce(xp, "cumprod", lambda x: running(x, axis=axis), a, out)


def count_nonzero(xp: Any, a: Any, axis: Axis = None) -> Any:
    return _reduce(xp, "count_nonzero", lambda x: np.count_nonzero(x, axis=axis), a, None)


def nansum(xp: Any, a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: Any = False) -> Any:
    total = _accumulating(np.add.reduce, dtype)
    return _reduce(xp, "nansum", lambda x: total(np.nan_to_num(x), axis=axis, keepdims=keepdims), a, out)


def convolve(xp: Any, a: Any, v: Any, mode: Any = "full") -> Any:
    """The convolution of two vectors: in CuPy by a kernel or, if they are long, by Fourier transforms."""
    return xp.machine.compute("convolve", lambda x, y: np.convolve(flushed(x), flushed(y), mode), (a, v))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sum": sum, "prod": prod, "mean": mean, "var": var, "std": std, "max": max, "min": min, "amax": max, "amin": min,
    "ptp": ptp, "all": all, "any": any, "argmax": argmax, "argmin": argmin, "cumsum": cumsum, "cumprod": cumprod,
    "count_nonzero": count_nonzero, "nansum": nansum, "convolve": convolve,
}  # fmt: skip
