"""What the lanes of a warp do together: shuffles, votes, matches, reductions."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.testing.ptx.atomics import COMBINING

ALL = np.uint32(0xFFFFFFFF)


def shuffle(g: Any, mode: str, x: Any, by: Any, clamp: Any, mask: Any, number: int) -> tuple[Any, Any]:
    """``shfl.sync``: each lane's value of x from another lane, and whether that lane was within the segment."""
    x = x if x.ndim else np.full(g.n, x)
    by, clamp = _uniform(by), _uniform(clamp)
    key = (mode, int(by), int(clamp)) if by.ndim == clamp.ndim == 0 and g.full else None
    plan = g.launch.plans.get(key) if key else None
    if plan is None:
        lane = g.lane.astype(np.int64)
        source, inside = _source(mode, lane, np.asarray(by).astype(np.int64), np.asarray(clamp).astype(np.int64))
        at = g.positions(np.where(inside, source, lane))
        plan = at, inside
        if (bad := at < 0).any():
            _absent(g, bad, source, number)
        if key:
            g.launch.plans[key] = plan
    at, inside = plan
    if mask.ndim or mask != ALL:
        source = g.lane[at].astype(np.uint32)
        if (bad := (mask >> source & 1) == 0).any():
            _absent(g, bad, source, number)
    return x.take(at), inside


def _uniform(x: Any) -> Any:
    """An array as a scalar if all its elements are the same."""
    return x[0] if x.ndim and (x == x[0]).all() else x


def _source(mode: str, lane: Any, by: Any, clamp: Any) -> tuple[Any, Any]:
    """The lane that each lane reads, and whether it may, as the PTX manual has it."""
    segment = clamp >> 8 & 31
    by, end = by & 31, (lane & segment) | (clamp & 31 & ~segment)
    if mode == "up":
        return lane - by, lane - by >= end
    if mode == "down":
        return lane + by, lane + by <= end
    source = lane ^ by if mode == "bfly" else (lane & segment) | (by & ~segment)
    return source, source <= end


def _absent(g: Any, bad: Any, source: Any, number: int) -> None:
    at = int(np.flatnonzero(bad)[0])
    lane = int(np.broadcast_to(source, g.n)[at])
    what = f"lane {int(g.lane[at])} reads from lane {lane}, which does not take part"
    raise g.launch.fault("shuffle", what, number, int(g.threads[at]))


def vote(g: Any, mode: str, predicate: Any, mask: Any) -> Any:
    """``vote.sync``: all, any or uni of a predicate over the lanes in the mask, or the ballot of it."""
    yes = ballot(g, np.broadcast_to(predicate, g.n)) & mask
    if mode == "ballot":
        return yes
    if mode == "any":
        return yes != 0
    return (yes == mask) if mode == "all" else (yes == mask) | (yes == 0)


def ballot(g: Any, predicate: Any) -> Any:
    """The lanes of its warp for which a predicate holds, as a mask, for each lane."""
    warp, starts = g.warps
    bits = np.where(predicate, np.uint32(1) << g.lane.astype(np.uint32), np.uint32(0))
    return np.bitwise_or.reduceat(bits, starts)[warp]


def active(g: Any) -> Any:
    """``activemask``: the lanes that run together now."""
    return ballot(g, np.ones(g.n, bool))


def match(g: Any, mode: str, x: Any, mask: Any) -> tuple[Any, Any]:
    """``match.sync``: the lanes in the mask that have the same value (any), or all of them if all have (all)."""
    x = np.broadcast_to(x, g.n)
    result = np.zeros(g.n, np.uint32)
    mask = np.broadcast_to(mask, g.n)
    for lane in range(32):
        at = g.positions(np.full(g.n, lane))
        same = (at >= 0) & (x == x[at]) & ((mask >> np.uint32(lane) & 1) == 1)
        result |= np.where(same, np.uint32(1) << np.uint32(lane), np.uint32(0))
    if mode == "any":
        return result, result != 0
    return np.where(result == mask, mask, np.uint32(0)), result == mask


def reduce(g: Any, operation: str, x: Any, mask: Any) -> Any:
    """``redux.sync``: add, min, max, and, or, xor over the lanes in the mask, which all lanes in it get."""
    x = np.broadcast_to(x, g.n)
    order = np.lexsort((np.arange(g.n), np.broadcast_to(mask, g.n), g.warps[0]))
    key = g.warps[0][order].astype(np.int64) << 32 | np.broadcast_to(mask, g.n)[order].astype(np.int64)
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    totals = COMBINING[operation].reduceat(x[order], starts, dtype=x.dtype)
    result = np.empty(g.n, x.dtype)
    result[order] = np.repeat(totals, np.diff(np.append(starts, g.n)))
    return result


def incomplete(g: Any, mask: Any) -> Any:
    """Which threads of the group wait for lanes that their mask names and that are not here."""
    present = active(g)
    return (np.broadcast_to(mask, g.n) & ~present) != 0
