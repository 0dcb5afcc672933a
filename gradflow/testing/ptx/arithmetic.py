"""Arithmetic as PTX defines it, on arrays with one element a thread: what a NumPy operator does not do alone.

The functions take arrays or NumPy scalars, and are called from the code that translate.py writes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

TINY = {"f4": np.float32(2.0**-126), "f2": np.float16(2.0**-14), "f8": np.float64(2.0**-1022)}
WIDER = {"i1": "i2", "u1": "u2", "i2": "i4", "u2": "u4", "i4": "i8", "u4": "u8"}


def flush(x: Any) -> Any:
    """float32 with zeros of the same sign for subnormal numbers: the modifier ``.ftz``."""
    return np.where(np.abs(x) < TINY["f4"], np.copysign(np.float32(0), x), x)


def fma_f4(a: Any, b: Any, c: Any) -> Any:
    """a * b + c rounded once, to float32.

    The product is exact in float64 and the sum is rounded to 53 bits; rounding that to 24 bits goes wrong only where
    the sum lies on the midpoint of two float32 numbers, or where the result is subnormal: there the sum is made odd.
    """
    product = np.multiply(a, b, dtype=np.float64)
    total = np.asarray(product + c)
    if _midway(total) or ((np.abs(total) < 2.0**-125) & (total != 0)).any():
        total = _odd(product, np.asarray(c, np.float64), total)
    return total.astype(np.float32)


def fma_f4z(a: Any, b: Any, c: Any) -> Any:
    """The same where subnormal results become zero afterwards."""
    product = np.multiply(a, b, dtype=np.float64)
    total = np.asarray(product + c)
    if _midway(total):
        total = _odd(product, np.asarray(c, np.float64), total)
    return total.astype(np.float32)


def _midway(total: Any) -> bool:
    """Whether any float64 lies in the middle of two float32 numbers."""
    return bool(((total.view(np.int64) & 0x1FFFFFFF) == 0x10000000).any())


def fma_f2(a: Any, b: Any, c: Any) -> Any:
    """a * b + c rounded once, to float16."""
    product = np.multiply(a, b, dtype=np.float64)
    wide = np.asarray(c, np.float64)
    return _odd(product, wide, np.asarray(product + wide)).astype(np.float16)


def _odd(a: Any, b: Any, total: Any) -> Any:
    """a + b, of which ``total`` is the sum rounded to nearest, rounded to odd instead (Boldo and Melquiond, 2008)."""
    back = total - a
    error = (a - (total - back)) + (b - back)
    bits = total.view(np.int64).copy()
    inexact = (error != 0) & np.isfinite(total) & np.isfinite(error) & ((bits & 1) == 0)
    away = (error > 0) == (total > 0)
    bits += np.where(inexact, np.where(away, 1, -1), 0)
    return bits.view(np.float64)


_SPLIT = float(2**27 + 1)


def fma_f8(a: Any, b: Any, c: Any) -> Any:
    """a * b + c rounded once, to float64 (Boldo and Melquiond, 2008), but for intermediate overflow and underflow."""
    a, b, c = (np.asarray(x, np.float64) for x in (a, b, c))
    product, low = two_product(a, b)
    plain = product + c
    th, tl = two_sum(c, low)
    vh, vl = two_sum(product, th)
    exact = vh + _odd(tl, vl, np.asarray(tl + vl))
    safe = np.isfinite(plain) & np.isfinite(exact) & np.isfinite(low)
    return np.where(safe, exact, plain)


def two_product(a: Any, b: Any) -> tuple[Any, Any]:
    """A product in float64 and what its rounding lost (Dekker, 1971)."""
    product = a * b
    a_high = a * _SPLIT - (a * _SPLIT - a)
    b_high = b * _SPLIT - (b * _SPLIT - b)
    a_low, b_low = a - a_high, b - b_high
    return product, a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)


def two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """A sum and what its rounding lost (Knuth)."""
    total = a + b
    back = total - a
    return total, (a - (total - back)) + (b - back)


def minimum(a: Any, b: Any) -> Any:
    """The smaller number, the other one where one is NaN; -0 is below +0."""
    return _ordered_zeros(np.fmin(a, b), a, b, True)


def maximum(a: Any, b: Any) -> Any:
    """The larger number, the other one where one is NaN; +0 is above -0."""
    return _ordered_zeros(np.fmax(a, b), a, b, False)


def minimum_nan(a: Any, b: Any) -> Any:
    """The smaller number; NaN where one is NaN."""
    return _ordered_zeros(np.minimum(a, b), a, b, True)


def maximum_nan(a: Any, b: Any) -> Any:
    """The larger number; NaN where one is NaN."""
    return _ordered_zeros(np.maximum(a, b), a, b, False)


def _ordered_zeros(result: Any, a: Any, b: Any, negative: bool) -> Any:
    both = (result == 0) & (a == b)
    if not both.any():
        return result
    sign = (np.signbit(a) | np.signbit(b)) if negative else (np.signbit(a) & np.signbit(b))
    return np.where(both, np.where(sign, -np.zeros_like(result), np.zeros_like(result)), result)


def divide(a: Any, b: Any) -> Any:
    """Integers divided towards zero; all bits set where the divisor is 0, as on NVIDIA's machines."""
    zero = b == 0
    if not zero.any():
        return _quotient(a, b)
    return np.where(zero, ~np.zeros_like(a), _quotient(a, np.where(zero, np.ones_like(b), b)))


def _quotient(a: Any, b: Any) -> Any:
    if np.asarray(a).dtype.kind == "u":
        return a // b
    return (a - np.fmod(a, b)) // b


def remainder(a: Any, b: Any) -> Any:
    """What is left of an integer division towards zero: the dividend where the divisor is 0."""
    zero = b == 0
    if not zero.any():
        return np.fmod(a, b)
    return np.where(zero, a, np.fmod(a, np.where(zero, np.ones_like(b), b)))


def shift_left(x: Any, by: Any) -> Any:
    """x << by; 0 from the width of x on."""
    bits = 8 * x.dtype.itemsize
    return np.where(by < bits, x << (by & (bits - 1)).astype(x.dtype), np.zeros_like(x))


def shift_right(x: Any, by: Any) -> Any:
    """x >> by; 0, or the sign of a signed x, from the width of x on."""
    bits = 8 * x.dtype.itemsize
    return (
        x >> np.minimum(by, bits - 1).astype(x.dtype)
        if x.dtype.kind == "i"
        else np.where(by < bits, x >> (by & (bits - 1)).astype(x.dtype), np.zeros_like(x))
    )


def high_product(a: Any, b: Any) -> Any:
    """The upper half of the product of two integers."""
    dtype = np.asarray(a).dtype
    bits = 8 * dtype.itemsize
    if bits < 64:
        wide = WIDER[dtype.str[1:]]
        return (np.multiply(a, b, dtype=wide) >> bits).astype(dtype)
    x, y = np.asarray(a).view(np.uint64), np.asarray(b).view(np.uint64)
    low, x1, y1 = np.uint64(0xFFFFFFFF), x >> 32, y >> 32
    x0, y0 = x & low, y & low
    middle = (x0 * y0 >> 32) + (x1 * y0 & low) + (x0 * y1 & low)
    high = x1 * y1 + (x1 * y0 >> 32) + (x0 * y1 >> 32) + (middle >> 32)
    if dtype.kind == "i":
        high = (
            high
            - np.where(np.asarray(a) < 0, y, 0).astype(np.uint64)
            - np.where(np.asarray(b) < 0, x, 0).astype(np.uint64)
        )
    return high.view(dtype)


def add_saturated(a: Any, b: Any) -> Any:
    """int32 sum, clamped to what int32 holds."""
    return np.clip(np.add(a, b, dtype=np.int64), -(2**31), 2**31 - 1).astype(np.int32)


def subtract_saturated(a: Any, b: Any) -> Any:
    """int32 difference, clamped to what int32 holds."""
    return np.clip(np.subtract(a, b, dtype=np.int64), -(2**31), 2**31 - 1).astype(np.int32)


def add_with_carry(a: Any, b: Any, carry: Any) -> tuple[Any, Any]:
    """The sum of unsigned integers and a carry of 0 or 1, and the carry out of it."""
    partial = a + b
    total = partial + carry.astype(partial.dtype)
    return total, ((partial < a) | (total < partial)).astype(np.uint32)


def subtract_with_borrow(a: Any, b: Any, borrow: Any) -> tuple[Any, Any]:
    """a - b - borrow of unsigned integers, and the borrow out of it."""
    partial = a - b
    total = partial - borrow.astype(partial.dtype)
    return total, ((a < b) | (partial < borrow)).astype(np.uint32)


def packed(operation: Any, *operands: Any) -> Any:
    """``operation`` on both float16 halves of 32-bit registers."""
    halves = np.broadcast_arrays(*(np.asarray(x) for x in operands))
    shape = halves[0].shape
    result = operation(*(np.ascontiguousarray(x).reshape(-1).view(np.float16) for x in halves))
    return np.ascontiguousarray(result, np.float16).view(np.uint32).reshape(shape)


def packed_bf16(operation: Any, *operands: Any) -> Any:
    """``operation``, which works on float64 of bfloat16 values, on both halves of 32-bit registers."""
    halves = np.broadcast_arrays(*(np.asarray(x) for x in operands))
    shape = halves[0].shape
    result = brain(operation, *(np.ascontiguousarray(x).reshape(-1).view(np.uint16) for x in halves))
    return np.ascontiguousarray(result).view(np.uint32).reshape(shape)


def brain(operation: Any, *operands: Any) -> Any:
    """``operation`` on bfloat16 numbers, given and returned as uint16: in float64, then rounded once to bfloat16."""
    return narrow_bf16(np.asarray(operation(*(widen_bf16(x).astype(np.float64) for x in operands)), np.float64))


def fma_odd(a: Any, b: Any, c: Any) -> Any:
    """a * b + c of float64 whose product is exact, rounded to odd: what a narrower rounding may follow."""
    product = np.asarray(a * b)
    return _odd(product, np.asarray(c), np.asarray(product + c))


def widen_bf16(x: Any) -> Any:
    """bfloat16 bits as float32."""
    return (np.asarray(x).astype(np.uint32) << np.uint32(16)).view(np.float32)


def narrow_bf16(x: Any) -> Any:
    """float32 or float64 as bfloat16 bits, to nearest, ties to even; any NaN becomes 0x7fff."""
    x = np.asarray(x)
    if x.dtype == np.float64:  # to float32 first, with the last bit set where that is inexact: rounded to odd
        short = x.astype(np.float32)
        bits = short.view(np.uint32)
        back = short.astype(np.float64)
        over = np.isfinite(x) & (np.abs(back) > np.abs(x))
        bits = np.where(np.isfinite(x) & (back != x), (bits - over.astype(np.uint32)) | np.uint32(1), bits)
    else:
        bits = x.view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(x), np.uint16(0x7FFF), rounded.astype(np.uint16))


def approximate(function: Any, x: Any, ftz: bool) -> Any:
    """An ``.approx`` instruction: computed in float64 and rounded to float32, flushed with ``ftz``."""
    result = function(np.asarray(x, np.float64))
    if ftz:
        result = np.where(np.abs(result) < 2.0**-126, np.copysign(0.0, result), result)
    return result.astype(np.float32)


def reciprocal_root(x: Any) -> Any:
    """1 / sqrt(x)."""
    return 1.0 / np.sqrt(x)
