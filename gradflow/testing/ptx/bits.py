"""Bit manipulation as PTX defines it, on arrays with one element a thread."""

from __future__ import annotations

from typing import Any

import numpy as np


def population(x: Any) -> Any:
    """How many bits are set."""
    return np.bitwise_count(x).astype(np.uint32)


def leading_zeros(x: Any) -> Any:
    """How many bits above the highest one that is set; the width if none is."""
    x = np.asarray(x)
    width = 8 * x.dtype.itemsize
    for distance in (1, 2, 4, 8, 16, 32)[: 5 if width == 32 else 6]:
        x = x | (x >> x.dtype.type(distance))
    return np.uint32(width) - np.bitwise_count(x).astype(np.uint32)


def reverse(x: Any) -> Any:
    """The bits in reverse order."""
    x = np.asarray(x)
    kind = x.dtype.type
    masks = {1: 0x5555555555555555, 2: 0x3333333333333333, 4: 0x0F0F0F0F0F0F0F0F}
    for distance, mask in masks.items():
        low = kind(mask & (2 ** (8 * x.dtype.itemsize) - 1))
        x = ((x >> kind(distance)) & low) | ((x & low) << kind(distance))
    return x.byteswap()


def highest_bit(x: Any) -> Any:
    """The position of the highest bit that differs from the sign; all ones if there is none."""
    x = np.asarray(x)
    unsigned = np.where(x < 0, ~x, x).view(x.dtype.str.replace("i", "u")) if x.dtype.kind == "i" else x
    return np.uint32(8 * x.dtype.itemsize - 1) - leading_zeros(unsigned)


def extract(x: Any, start: Any, length: Any) -> Any:
    """``bfe``: ``length`` bits of x from ``start``, extended by the sign of the field if x is signed."""
    x = np.asarray(x)
    width = 8 * x.dtype.itemsize
    start, length = (np.asarray(n & np.uint32(0xFF)).astype(np.int64) for n in (start, length))
    bits = x.view(f"u{x.dtype.itemsize}").astype(np.uint64)
    size = np.clip(np.minimum(length, width - start), 0, width)
    mask = np.where(size >= 64, ~np.uint64(0), (np.uint64(1) << np.minimum(size, 63).astype(np.uint64)) - np.uint64(1))
    field = np.where(start < width, bits >> np.minimum(start, 63).astype(np.uint64), np.uint64(0)) & mask
    if x.dtype.kind == "i":
        last = np.minimum(start + length - 1, width - 1).astype(np.uint64)
        negative = (length > 0) & ((bits >> last & np.uint64(1)) == 1)
        field = np.where(negative, field | ~mask, field)
    return field.astype(f"u{x.dtype.itemsize}").view(x.dtype)


def insert(x: Any, into: Any, start: Any, length: Any) -> Any:
    """``bfi``: ``into`` with its ``length`` bits from ``start`` taken from the low bits of x."""
    x = np.asarray(x)
    width = 8 * x.dtype.itemsize
    start, length = (np.asarray(n & np.uint32(0xFF)).astype(np.int64) for n in (start, length))
    size = np.clip(np.minimum(length, width - start), 0, width)
    ones = np.where(size >= 64, ~np.uint64(0), (np.uint64(1) << np.minimum(size, 63).astype(np.uint64)) - np.uint64(1))
    at = np.minimum(start, 63).astype(np.uint64)
    mask = ones << at
    result = (np.asarray(into).astype(np.uint64) & ~mask) | ((x.astype(np.uint64) << at) & mask)
    return result.astype(x.dtype)


def permute(a: Any, b: Any, selector: Any, mode: str = "") -> Any:
    """``prmt``: four bytes of the eight in a (the low ones) and b, chosen by the nibbles of the selector."""
    both = np.asarray(a).astype(np.uint64) | np.asarray(b).astype(np.uint64) << np.uint64(32)
    result = np.zeros(np.broadcast(both, selector).shape, np.uint32)
    for i in range(4):
        nibble = np.asarray(_nibble(selector, i, mode)).astype(np.uint64)
        byte = (both >> ((nibble & np.uint64(7)) * np.uint64(8))) & np.uint64(0xFF)
        sign = np.where(byte & np.uint64(0x80), np.uint64(0xFF), np.uint64(0))
        byte = np.where(nibble & np.uint64(8), sign, byte)
        result = result | (byte.astype(np.uint32) << np.uint32(8 * i))
    return result


def _nibble(selector: Any, i: int, mode: str) -> Any:
    """The selection of byte i: from the selector, or what the mode makes of its two lowest bits."""
    if not mode:
        return selector >> np.uint32(4 * i) & np.uint32(0xF)
    n = np.asarray(selector & np.uint32(3)).astype(np.int64)
    k = np.int64(i)
    chosen = {
        "f4e": n + k,
        "b4e": (n - k) & 7,
        "rc8": n,
        "ecl": np.maximum(n, k),
        "ecr": np.minimum(n, k),
        "rc16": (n & 1) * 2 + (k & 1),
    }
    return chosen[mode]


def funnel(low: Any, high: Any, by: Any, left: bool, clamp: bool) -> Any:
    """``shf``: the upper (left) or lower half of the 64 bits ``high:low``, shifted by ``by`` mod 32, or up to 32."""
    by = np.asarray(np.minimum(by, np.uint32(32)) if clamp else by & np.uint32(31)).astype(np.uint64)
    both = np.asarray(high).astype(np.uint64) << np.uint64(32) | np.asarray(low).astype(np.uint64)
    return ((both << by) >> np.uint64(32)).astype(np.uint32) if left else (both >> by).astype(np.uint32)


def logic(a: Any, b: Any, c: Any, table: int) -> Any:
    """``lop3``: any function of three bits, given by its table of 8 values."""
    result = a & np.uint32(0)
    for row in range(8):
        if table >> row & 1:
            result = result | ((a if row & 4 else ~a) & (b if row & 2 else ~b) & (c if row & 1 else ~c))
    return result


def byte_products(a: Any, b: Any, c: Any, signs: tuple[str, str], width: int = 1) -> Any:
    """``dp4a`` and the like: c plus the sum of the products of the bytes of a and b."""
    x = np.ascontiguousarray(np.broadcast_arrays(a, b)[0]).reshape(-1)
    y = np.ascontiguousarray(np.broadcast_arrays(a, b)[1]).reshape(-1)
    left = x.view(f"{signs[0]}{width}").astype(np.int64).reshape(len(x), -1)
    right = y.view(f"{signs[1]}{width}").astype(np.int64).reshape(len(y), -1)
    total = (left * right).sum(1) + np.asarray(c).astype(np.int64)
    return total.astype(np.uint32).reshape(np.broadcast(a, b).shape)
