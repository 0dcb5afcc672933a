"""Arithmetic rounded towards zero, down or up, and small things that generated code needs by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.testing.ptx.access import LOCAL_WINDOW, SHARED_WINDOW, WINDOW
from gradflow.testing.ptx.arithmetic import fma_odd, maximum_nan, widen_bf16
from gradflow.testing.ptx.conversion import to_float


def directed(function: Callable[..., Any], rounding: str, *operands: Any) -> Any:
    """A float32 operation rounded as told: computed in float64, which double rounding may spoil by an ulp rarely.

    Sums and products of float32 are rounded to odd first, so that they are right.
    """
    wide = [np.asarray(x, np.float64) for x in operands]
    code = np.asarray(operands[0]).dtype.str[1:]
    return to_float(function(*wide), code, rounding)


def fma_directed(rounding: str, a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded as told."""
    code = np.asarray(a).dtype.str[1:]
    return to_float(fma_odd(*(np.asarray(x, np.float64) for x in (a, b, c))), code, rounding)


def halves(x: Any) -> Any:
    """The two float16 numbers in 32 bits, the lower one first, along the first axis."""
    x = np.ascontiguousarray(x)
    return x.reshape(-1).view(np.float16).reshape(-1, 2).T.reshape(2, *x.shape)


def halves_bf16(x: Any) -> Any:
    """The two bfloat16 numbers in 32 bits as float32, the lower one first, along the first axis."""
    x = np.ascontiguousarray(x)
    return widen_bf16(x.reshape(-1).view(np.uint16).reshape(-1, 2).T.reshape(2, *x.shape))


def relu_bf16(x: Any) -> Any:
    """bfloat16 bits with 0 for negative numbers."""
    return np.where((x & np.uint16(0x8000) != 0) & (x <= np.uint16(0xFF80)), np.uint16(0), x)


def relu_halves(x: Any) -> Any:
    """Two 16-bit floats with 0 for negative ones."""
    x = np.ascontiguousarray(x)
    bits = x.reshape(-1).view(np.uint16)
    return np.where(bits & np.uint16(0x8000), np.uint16(0), bits).view(np.uint32).reshape(x.shape)


def relu(x: Any) -> Any:
    """The larger of x and 0; NaN stays."""
    return maximum_nan(x, x.dtype.type(0))


def shift_amount(x: Any, top: int) -> Any:
    """What to shift left by to bring bit x to the top; all ones where there is no bit."""
    return np.where(x == np.uint32(0xFFFFFFFF), x, np.uint32(top) - x)


def in_space(address: Any, space: str) -> Any:
    """Whether generic addresses point into a state space."""
    shared = (address >= SHARED_WINDOW) & (address < SHARED_WINDOW + WINDOW)
    local = (address >= LOCAL_WINDOW) & (address < LOCAL_WINDOW + WINDOW)
    return {"shared": shared, "local": local}.get(space, ~(shared | local))
