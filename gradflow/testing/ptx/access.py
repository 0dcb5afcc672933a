"""Loads and stores of all threads of a group at once: bounds, alignment, initialisation, then one gather or scatter."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from gradflow.testing.ptx.memory import BASE, Allocation

SHARED_WINDOW = 1 << 33  # where generic addresses of shared memory start, and those of local memory
LOCAL_WINDOW = 1 << 34
WINDOW = 1 << 30
SIZE = {code: int(code[1]) for code in ("u1", "i1", "u2", "i2", "f2", "u4", "i4", "f4", "u8", "i8", "f8")}
ONES = {1: np.uint8(1), 2: np.uint16(0x0101), 4: np.uint32(0x01010101), 8: np.uint64(0x0101010101010101)}
_RAMPS: dict[int, Any] = {}


def load_global(g: Any, address: Any, shift: int, code: str, count: int, number: int) -> Any:
    """``count`` elements of type ``code`` from global memory for each thread; ``shift`` makes addresses offsets."""
    memory, size = g.memory, SIZE[code]
    width = size * count
    offset = address + shift
    first, step = _line(offset)
    view = memory.views[code]
    if step is None:
        allocation = _check(g, offset, width, number)
        if allocation is None or not allocation.complete:
            _check_written(g, memory, offset, width, number)
        g.record("load", "global", number, offset, width)
        if count == 1:
            return view.take(offset >> (size.bit_length() - 1))
        rows = view.reshape(-1, count).take(offset >> (width.bit_length() - 1), axis=0)
        return tuple(np.ascontiguousarray(rows.T))
    allocation = _check_line(g, first, step, offset, width, number)
    if not allocation.complete:
        if step in {width, 0}:
            if not memory.written[first : first + (step * (g.n - 1) + width)].all():
                _check_written(g, memory, offset, width, number)
        else:
            _check_written(g, memory, offset, width, number)
    g.record("load", "global", number, (first, step), width)
    at = first // size
    if step == 0:
        return view[at] if count == 1 else tuple(view[at : at + count])
    if count == 1:
        stride = step // size
        return view[at : at + (g.n - 1) * stride + 1 : stride].copy()
    if step == width:
        return tuple(np.ascontiguousarray(view[at : at + g.n * count].reshape(g.n, count).T))
    return tuple(np.ascontiguousarray(view.reshape(-1, count)[at // count :: step // width][: g.n].T))


def store_global(g: Any, address: Any, shift: int, code: str, values: tuple[Any, ...], number: int) -> None:
    """Write one element, or a vector of some, for each thread to global memory."""
    memory, size, count = g.memory, SIZE[code], len(values)
    width = size * count
    offset = address + shift
    first, step = _line(offset)
    view = memory.views[code]
    if step is None or step == 0:
        offset = np.broadcast_to(offset, g.n)
        allocation = _check(g, offset, width, number)
        if allocation is None or not allocation.complete:
            _mark_written(memory, offset, width)
            g.launch.wrote(allocation)
        index = offset >> (size.bit_length() - 1)
        for i, value in enumerate(values):
            view[index + i] = value
        g.record("store", "global", number, offset, width, values)
        return
    allocation = _check_line(g, first, step, offset, width, number)
    if not allocation.complete:
        if step == width:
            memory.written[first : first + g.n * width] = 1
        else:
            _mark_written(memory, offset, width)
        g.launch.wrote(allocation)
    g.record("store", "global", number, (first, step), width, values)
    start, stride = first // size, step // size
    for i, value in enumerate(values):
        view[start + i : start + i + (g.n - 1) * stride + 1 : stride] = value


def _line(offset: Any) -> tuple[int, int | None]:
    """The first offset and the distance from thread to thread, which is None where it varies or is negative."""
    if offset.ndim == 0:
        return int(offset), 0
    n = len(offset)
    first = int(offset[0])
    if n == 1:
        return first, 0
    step = int(offset[1]) - first
    if step < 0 or int(offset[-1]) - first != step * (n - 1) or int(offset[n // 2]) - first != step * (n // 2):
        return first, None
    return first, step if n < 4 or np.array_equal(offset, _ramp(step, n) + first) else None


def _ramp(step: int, n: int) -> Any:
    ramp = _RAMPS.get(step)
    if ramp is None or len(ramp) < n:
        if len(_RAMPS) > 64:
            _RAMPS.clear()
        ramp = _RAMPS[step] = np.arange(max(n, 1 << 12), dtype=np.int64) * step
    return ramp[:n]


def _check_line(g: Any, first: int, step: int, offset: Any, width: int, number: int) -> Allocation:
    """The allocation that holds accesses ``step`` apart; or a fault."""
    allocation: Allocation | None = g.memory.find(first)
    end = first + step * (g.n - 1) + width
    if allocation is None or end > allocation.start + allocation.size or (first | step) & (width - 1):
        _check(g, np.broadcast_to(offset, g.n), width, number)
        return Allocation(first, end - first)  # across several allocations
    return allocation


def _check(g: Any, offset: Any, width: int, number: int) -> Allocation | None:
    """The allocation that holds all accesses, None if it takes several; or a fault."""
    memory = g.memory
    if width > 1 and (bad := (offset & (width - 1)) != 0).any():
        _fail(g, "misaligned", bad, offset, width, number)
    low, high = int(offset.min()), int(offset.max())
    allocation: Allocation | None = memory.find(low)
    if allocation is not None and high + width <= allocation.start + allocation.size:
        return allocation
    starts = np.array([0, *memory.starts])
    ends = np.array([0, *(memory.allocations[start].start + memory.allocations[start].size for start in memory.starts)])
    at = np.searchsorted(starts, offset, side="right") - 1
    if (bad := (at <= 0) | (offset + width > ends[np.maximum(at, 0)])).any():
        _fail(g, "", bad, offset, width, number)
    return None


def _fail(g: Any, kind: str, bad: Any, offset: Any, width: int, number: int) -> NoReturn:
    at = int(np.flatnonzero(bad)[0])
    address = int(offset[at]) + BASE
    place = g.memory.place(address, width)
    verb = g.launch.verb(number)
    what = f"{verb} {width} bytes at {address:#x}, {place.words}"
    if kind == "misaligned":
        what += f"; the address is no multiple of {width}"
    elif kind == "uninitialised read":
        what += ", which nothing has written"
    raise g.launch.fault(kind or place.kind, what, number, int(g.threads[at]), address)


def _check_written(g: Any, memory: Any, offset: Any, width: int, number: int) -> None:
    offset = np.broadcast_to(offset, g.n)
    unit = min(width, 8)
    written = memory.written_as[unit]
    for part in range(0, width, unit):
        if (bad := written.take((offset + part) >> (unit.bit_length() - 1)) != ONES[unit]).any():
            _fail(g, "uninitialised read", bad, offset, width, number)


def _mark_written(memory: Any, offset: Any, width: int) -> None:
    unit = min(width, 8)
    for part in range(0, width, unit):
        memory.written_as[unit][(offset + part) >> (unit.bit_length() - 1)] = ONES[unit]


def load_private(g: Any, space: str, address: Any, shift: int, code: str, count: int, number: int) -> Any:
    """Elements from shared memory (each block has its own) or local memory (each thread has)."""
    size = SIZE[code]
    width = size * count
    region, offset, index = _locate(g, space, address, shift, width, number)
    if space == "shared":
        unit = min(width, 8)
        for part in range(0, width, unit):
            if (bad := region.written_as[unit].take((index + part) >> (unit.bit_length() - 1)) != ONES[unit]).any():
                _fail_private(g, space, "uninitialised read", bad, offset, width, number)
    g.record("load", space, number, offset, width)
    at = index >> (size.bit_length() - 1)
    view = region.views[code]
    return view.take(at) if count == 1 else tuple(view.take(at + i) for i in range(count))


def store_private(
    g: Any, space: str, address: Any, shift: int, code: str, values: tuple[Any, ...], number: int
) -> None:
    """Write elements to shared or local memory."""
    size = SIZE[code]
    width = size * len(values)
    region, offset, index = _locate(g, space, address, shift, width, number)
    if space == "shared":
        _mark_written(region, index, width)
    g.record("store", space, number, offset, width, values)
    at = index >> (size.bit_length() - 1)
    for i, value in enumerate(values):
        region.views[code][at + i] = value


def _locate(g: Any, space: str, address: Any, shift: int, width: int, number: int) -> tuple[Any, Any, Any]:
    """The region, the offsets in each owner's part of it, and the offsets in all of it; or a fault."""
    region = g.launch.region(space)
    offset = address + shift
    if not offset.ndim:
        offset = np.full(g.n, offset)
    if width > 1 and (bad := (offset & (width - 1)) != 0).any():
        _fail_private(g, space, "misaligned", bad, offset, width, number)
    if int(offset.min()) < 0 or int(offset.max()) + width > region.size:
        bad = (offset < 0) | (offset + width > region.size)
        _fail_private(g, space, "out of bounds", bad, offset, width, number)
    return region, offset, offset + (g.shared_base if space == "shared" else g.local_base)


def _fail_private(g: Any, space: str, kind: str, bad: Any, offset: Any, width: int, number: int) -> NoReturn:
    at = int(np.flatnonzero(bad)[0])
    address = int(offset[at])
    size = g.launch.region(space).size
    what = f"{g.launch.verb(number)} {width} bytes at {address:#x} of {space} memory, of which there are {size} bytes"
    if kind == "uninitialised read":
        what += "; nothing has written there"
    elif kind == "misaligned":
        what += f"; the address is no multiple of {width}"
    raise g.launch.fault(kind, what, number, int(g.threads[at]), address)


def spaces_of(g: Any, address: Any) -> list[tuple[str, int, Any]]:
    """For generic addresses: each space that occurs, what to add to its addresses, and the positions in the group."""
    address = np.broadcast_to(address, g.n)
    shared = (address >= SHARED_WINDOW) & (address < SHARED_WINDOW + WINDOW)
    local = (address >= LOCAL_WINDOW) & (address < LOCAL_WINDOW + WINDOW)
    found = [("shared", -SHARED_WINDOW, shared), ("local", -LOCAL_WINDOW, local), ("global", -BASE, ~(shared | local))]
    return [(space, shift, np.flatnonzero(chosen)) for space, shift, chosen in found if chosen.any()]


def load_generic(g: Any, address: Any, shift: int, code: str, count: int, number: int) -> Any:
    """Elements from wherever each thread's address points."""
    address = np.broadcast_to(address + shift, g.n)
    g.launch.generic += 1
    results = np.empty((count, g.n), code)
    for space, base, at in spaces_of(g, address):
        part = g if len(at) == g.n else g.part(at)
        if space == "global":
            values = load_global(part, address[at], base, code, count, number)
        else:
            values = load_private(part, space, address[at], base, code, count, number)
        for i, value in enumerate(values if count > 1 else (values,)):
            results[i, at] = value
    return results[0] if count == 1 else tuple(results)


def store_generic(g: Any, address: Any, shift: int, code: str, values: tuple[Any, ...], number: int) -> None:
    """Write elements to wherever each thread's address points."""
    address = np.broadcast_to(address + shift, g.n)
    g.launch.generic += 1
    for space, base, at in spaces_of(g, address):
        part = g if len(at) == g.n else g.part(at)
        chosen = tuple(np.broadcast_to(value, g.n)[at] for value in values)
        if space == "global":
            store_global(part, address[at], base, code, chosen, number)
        else:
            store_private(part, space, address[at], base, code, chosen, number)
