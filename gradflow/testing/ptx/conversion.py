"""Conversions between number types as the PTX instruction ``cvt`` does them."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.testing.ptx.arithmetic import narrow_bf16, widen_bf16

INTEGRAL = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}


def to_integer(x: Any, code: str, rounding: str) -> Any:
    """Floats to integers: rounded, clamped to what the type holds, 0 for NaN."""
    x = np.asarray(x)
    limits = np.iinfo(code)
    whole = INTEGRAL[rounding](x.astype(np.float64))
    inside = np.where(np.isnan(whole), 0.0, whole)
    top = float(limits.max)  # 2^63 and 2^64 for 64 bits, which is one too many
    below = inside < top if limits.bits == 64 else inside <= top
    above = inside >= float(limits.min)
    cast = np.where(below & above, inside, 0.0).astype(code)
    return np.where(above, np.where(below, cast, code_value(code, limits.max)), code_value(code, limits.min))


def code_value(code: str, value: int) -> Any:
    """An integer as a NumPy scalar of the type."""
    return np.dtype(code).type(value)


def clamp_integer(x: Any, code: str) -> Any:
    """Integers to a narrower type, clamped: ``cvt.sat``."""
    limits, given = np.iinfo(code), np.iinfo(np.asarray(x).dtype)
    low, high = max(limits.min, given.min), min(limits.max, given.max)
    return np.clip(
        x, code_value(np.asarray(x).dtype.str[1:], low), code_value(np.asarray(x).dtype.str[1:], high)
    ).astype(code)


def to_float(x: Any, code: str, rounding: str) -> Any:
    """Numbers to a float type that may not hold them exactly: ``rn``, ``rz``, ``rm`` (down) or ``rp`` (up)."""
    x = np.asarray(x)
    near = x.astype(code)
    if rounding in {"rn", "", "rna"}:
        return near
    side = _side(x, near)
    down, up = np.nextafter(near, near.dtype.type(-np.inf)), np.nextafter(near, near.dtype.type(np.inf))
    if rounding == "rz":
        positive = x > 0
        return np.where(positive & (side > 0), down, np.where(~positive & (side < 0), up, near))
    return np.where(side > 0, down, near) if rounding == "rm" else np.where(side < 0, up, near)


def _side(x: Any, near: Any) -> Any:
    """Whether a rounded number is above (1), below (-1) or at (0) what it was rounded from."""
    if x.dtype.kind == "f":
        return np.sign(np.where(np.isinf(near) & np.isfinite(x), np.sign(near), near.astype(np.float64) - x))
    exact = [int(n) if np.isfinite(n) else (1 if n > 0 else -1) << 70 for n in near.reshape(-1).astype(np.float64)]
    given = [int(n) for n in x.reshape(-1)]
    return np.array([(a > b) - (a < b) for a, b in zip(exact, given, strict=True)]).reshape(x.shape)


def to_bf16(x: Any, rounding: str) -> Any:
    """float32 to bfloat16 bits: to nearest, or towards zero."""
    x = np.asarray(x, np.float32)
    if rounding == "rz":
        return np.where(np.isnan(x), np.uint16(0x7FFF), (x.view(np.uint32) >> np.uint32(16)).astype(np.uint16))
    return narrow_bf16(x)


def saturate(x: Any) -> Any:
    """Floats clamped to [0, 1]; NaN becomes 0."""
    return np.where(x > 0, np.minimum(x, x.dtype.type(1)), x.dtype.type(0)).astype(x.dtype)


def pack(high: Any, low: Any) -> Any:
    """Two 16-bit halves as 32 bits."""
    return np.asarray(high).view(np.uint16).astype(np.uint32) << np.uint32(16) | np.asarray(low).view(np.uint16)


def convert(x: Any, source: str, target: str, rounding: str, sat: bool) -> Any:
    """``cvt``: ``source`` and ``target`` are type codes, "bf" for bfloat16 in uint16."""
    if source == "bf":
        x, source = widen_bf16(x), "f4"
    if target == "bf":
        if source != "f4":
            x = np.asarray(x).astype(np.float64) if source[0] in "iuf" else x
            return narrow_bf16(x)
        return to_bf16(saturate(np.asarray(x)) if sat else x, rounding)
    if target[0] == "f":
        if rounding in INTEGRAL and source == target:
            result = INTEGRAL[rounding](x)
        elif source[0] == "f" and int(target[1]) >= int(source[1]):
            result = np.asarray(x).astype(target)
        else:
            result = to_float(x, target, rounding)
        return saturate(result) if sat else result
    if source[0] == "f":
        return to_integer(x, target, rounding or "rzi")
    return clamp_integer(x, target) if sat else np.asarray(x).astype(target)
