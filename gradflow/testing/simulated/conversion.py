"""Numbers as kernels that CuPy compiles treat them: subnormals flushed to zero, conversions to integers saturated."""

from __future__ import annotations

from typing import Any

import numpy as np

SMALLEST = np.float32(2.0**-126)  # the smallest normal float32


def flushed(x: Any) -> Any:
    """``x`` with zeros of the same sign for subnormal float32 numbers, as ``-ftz=true`` makes of them."""
    if not isinstance(x, np.ndarray | np.generic) or x.dtype != np.float32:
        return x
    magnitude = np.abs(x)
    subnormal = (magnitude < SMALLEST) & (magnitude > 0)
    return np.copysign(np.where(subnormal, np.float32(0), x), x) if subnormal.any() else x


def converted(x: Any, dtype: np.dtype[Any]) -> Any:
    """``x`` as an array that can be assigned to one of ``dtype``: floats out of an integer's range become its ends.

    NaN becomes 0; 8- and 16-bit integers go through 32 bits first, as in CUDA.
    """
    if x.dtype.kind == "c" and dtype.kind not in "cb":
        x = x.real
    if x.dtype.kind != "f" or dtype.kind not in "iu":
        return x
    wide = np.dtype(f"{dtype.kind}{max(dtype.itemsize, 4)}")
    ends = np.iinfo(wide)
    exact = np.trunc(np.nan_to_num(x.astype(np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf))
    # the largest 64-bit integers are no float64: what reaches past them is set, not converted
    inside = np.clip(exact, float(ends.min), np.nextafter(float(ends.max) + 1, 0)).astype(wide)
    return np.where(exact >= float(ends.max), ends.max, inside).astype(dtype)
