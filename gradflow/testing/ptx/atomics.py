"""Atomic read-modify-write operations, as if the threads came one after the other in the order of their index."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.testing.ptx import access
from gradflow.testing.ptx.arithmetic import brain, flush, packed, packed_bf16

ROUNDS = 64  # of threads at one address, before it is done without the old values


def atomic(
    g: Any, space: str, operation: str, address: Any, shift: int, code: str, a: Any, b: Any, number: int, returns: bool
) -> Any:
    """The values before; ``operation`` of them and a (and b, for cas) is what memory holds after."""
    address = np.broadcast_to(address + shift, g.n)
    g.launch.atomics += g.n
    if space == "generic":
        g.launch.generic += 1
        results = np.empty(g.n, code)
        for where, base, at in access.spaces_of(g, address):
            part = g if len(at) == g.n else g.part(at)
            x, y = (None if operand is None else np.broadcast_to(operand, g.n)[at] for operand in (a, b))
            results[at] = _atomic(part, where, operation, address[at] + base, code, x, y, number, True)
        return results
    return _atomic(g, space, operation, address, code, a, b, number, returns)


def _atomic(
    g: Any, space: str, operation: str, offset: Any, code: str, a: Any, b: Any, number: int, returns: bool
) -> Any:
    size = access.SIZE[code]
    if space == "global":
        allocation = access._check(g, offset, size, number)
        if allocation is None or not allocation.complete:
            access._check_written(g, g.memory, offset, size, number)
        region, index = g.memory, offset
    else:
        region, offset, index = access._locate(g, space, offset, 0, size, number)
        if (bad := region.written_as[size].take(index >> (size.bit_length() - 1)) != access.ONES[size]).any():
            access._fail_private(g, space, "uninitialised read", bad, offset, size, number)
    g.record("atomic", space, number, offset, size)
    if (space, operation, code) == ("global", "add", "f4"):
        operation = "add_ftz"  # as the manual has it for global memory alone
    a = np.broadcast_to(a, g.n)
    b = None if b is None else np.broadcast_to(b, g.n)
    with np.errstate(all="ignore"):
        return _in_turn(region.views[code], index >> (size.bit_length() - 1), operation, a, b, returns)


def _in_turn(memory: Any, index: Any, operation: str, a: Any, b: Any, returns: bool) -> Any:
    order = np.argsort(index, kind="stable")
    ordered = index[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(np.append(starts, len(index)))
    if not returns and counts.max() > ROUNDS and (at := _ACCUMULATE.get(operation)) is not None:
        at(memory, index, flush(a) if operation == "add_ftz" else a)
        return None
    old = np.empty(len(index), memory.dtype)
    if operation == "add" and memory.dtype.kind in "iu":
        sums = np.cumsum(a[order], dtype=memory.dtype) - a[order]
        before = memory[ordered[starts]] - sums[starts]
        old[order] = sums + np.repeat(before, counts)
        np.add.at(memory, index, a)
        return old
    for turn in range(int(counts.max())):
        who = order[(starts + turn)[counts > turn]]
        at_now = index[who]
        old[who] = now = memory[at_now]
        memory[at_now] = _apply(operation, now, a[who], None if b is None else b[who])
    return old


_ACCUMULATE: dict[str, Any] = {
    "add": np.add.at,
    "add_ftz": np.add.at,
    "min": np.minimum.at,
    "max": np.maximum.at,
    "and": np.bitwise_and.at,
    "or": np.bitwise_or.at,
    "xor": np.bitwise_xor.at,
}


def _apply(operation: str, old: Any, a: Any, b: Any) -> Any:
    if operation in {"exch", "cas"}:
        return a if operation == "exch" else np.where(old == a, b, old)
    if operation == "inc":
        return np.where(old >= a, np.zeros_like(old), old + old.dtype.type(1))
    if operation == "dec":
        return np.where((old == 0) | (old > a), a, old - old.dtype.type(1))
    if operation == "add_ftz":
        return flush(flush(old) + flush(a))
    name, _, kind = operation.partition("_")
    function = COMBINING[name]
    if kind == "bf16":
        return brain(function, old, a)
    return {"f16x2": packed, "bf16x2": packed_bf16}[kind](function, old, a) if kind else function(old, a)


COMBINING: dict[str, Any] = {
    "add": np.add,
    "min": np.minimum,
    "max": np.maximum,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}
