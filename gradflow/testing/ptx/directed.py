"""Arithmetic rounded towards zero, down or up, and small things that generated code needs by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from gradflow.testing.ptx.access import LOCAL_WINDOW, SHARED_WINDOW, WINDOW
from gradflow.testing.ptx.arithmetic import fma_f4, fma_f8, two_product, two_sum, widen_bf16

NEAREST: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "rcp": lambda a: a.dtype.type(1) / a,
    "sqrt": np.sqrt,
}


def directed(name: str, rounding: str, *operands: Any) -> Any:
    """An operation on float32 or float64 rounded towards zero (``rz``), down (``rm``) or up (``rp``).

    Rounded to nearest first; the sign of what that is short of the exact result says whether to go one number on.
    """
    given = [np.asarray(x) for x in operands]
    if name == "fma":
        near = np.asarray((fma_f8 if given[0].dtype == np.float64 else fma_f4)(*given))
    else:
        near = np.asarray(NEAREST[name](*given))
    wide = [x.astype(np.float64) for x in given]
    finite = reduce(np.logical_and, [np.isfinite(x) for x in wide])
    short = np.where(np.isinf(near), -np.sign(near), _remainder(name, near.astype(np.float64), *wide))
    if name in {"div", "rcp"}:
        finite = finite & (wide[-1] != 0)
    short = np.where(finite, short, 0)
    ends = (near.dtype.type(-np.inf), near.dtype.type(np.inf))
    down, up = np.nextafter(near, ends[0]), np.nextafter(near, ends[1])
    if rounding == "rz":
        return np.where((near > 0) & (short < 0), down, np.where((near < 0) & (short > 0), up, near))
    return np.where(short < 0, down, near) if rounding == "rm" else np.where(short > 0, up, near)


def _remainder(name: str, near: Any, *x: Any) -> Any:
    """A number with the sign of the exact result less ``near``, which is that rounded to nearest."""
    if name in {"add", "sub"}:
        total, low = two_sum(x[0], x[1] if name == "add" else -x[1])
        return (total - near) + low
    if name in {"mul", "fma"}:
        product, low = two_product(x[0], x[1])
        if name == "mul":
            return (product - near) + low
        first, first_low = two_sum(x[2], low)
        total, total_low = two_sum(product, first)
        difference, rest = two_sum(total - near, total_low)
        return difference + (rest + first_low)
    product, low = two_product(near, near if name == "sqrt" else x[-1])
    left = ((1.0 if name == "rcp" else x[0]) - product) - low
    return left if name == "sqrt" else left * np.sign(x[-1])


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


def shift_amount(x: Any, top: int) -> Any:
    """What to shift left by to bring bit x to the top; all ones where there is no bit."""
    return np.where(x == np.uint32(0xFFFFFFFF), x, np.uint32(top) - x)


def in_space(address: Any, space: str) -> Any:
    """Whether generic addresses point into a state space."""
    shared = (address >= SHARED_WINDOW) & (address < SHARED_WINDOW + WINDOW)
    local = (address >= LOCAL_WINDOW) & (address < LOCAL_WINDOW + WINDOW)
    return {"shared": shared, "local": local}.get(space, ~(shared | local))
