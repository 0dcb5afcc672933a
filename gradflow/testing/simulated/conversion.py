"""Numbers as kernels that CuPy compiles treat them: subnormals flushed to zero, conversions to integers saturated."""

from __future__ import annotations

from typing import Any

import numpy as np

NORMAL = np.uint32(2**24 - 1)  # what the bits of the smallest normal float32, without sign, twice, less one, are
FLOAT64 = np.dtype("float64")


def flushed(x: Any) -> Any:
    """``x`` with zeros of the same sign for subnormal float32 numbers, as ``-ftz=true`` makes of them."""
    if getattr(x, "dtype", FLOAT64).char != "f":
        return x
    bits = x.view("u4") << 1
    bits -= 1  # zero becomes the largest number, subnormals remain the smallest
    if np.minimum.reduce(bits, axis=None, initial=NORMAL) == NORMAL:
        return x
    return np.copysign(np.where(bits < NORMAL, np.float32(0), x), x)


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
