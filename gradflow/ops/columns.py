"""Convolutions as products of matrices: windows are copied side by side, as columns, in blocks; and their gradients."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any, TypeVar

import numpy as np

from gradflow.backend.shared import calm, shared
from gradflow.dtypes import DType
from gradflow.ops.windows import Block, Windows, blocks, inside, padded, unpadded
from gradflow.shapes import Shape

Array = Any
Part = TypeVar("Part")

# A block of columns has so many elements: on a CPU what its caches hold, on a GPU what keeps launches few.
CPU_ROOM = 1 << 19
GPU_ROOM = 1 << 27
STRANDS = 1 << 21  # the elements of sums of blocks that are made independently of each other
KEPT = 1 << 20  # elements, up to which memory for what is in between is kept
SHORT = 8  # windows in a row: NumPy spends more time from row to row than on as few


def convolved(xp: Any, x: Array, weight: Array, windows: Windows, groups: int, dtype: DType) -> Array:
    """What windows of ``x`` (N, C, sizes...) give with ``weight`` (O, C / groups, kernel...): (N, O, windows...)."""
    counts, matrices = windows.counts(x.shape[2:]), _matrices(weight, groups, dtype)
    if _short(xp, len(x), counts, windows):
        return _turned_back(convolved(xp, _turned(x, "x"), weight[..., None], windows.beside, groups, dtype))
    source = _padded(xp, x, windows, dtype)
    if windows.single:
        return _multiplied(xp, matrices, source)
    result = xp.empty((len(x), len(weight), *counts), dtype)

    def work(block: Block) -> None:
        part = block.of(result)
        part[...] = xp.matmul(matrices, _columns(xp, source, block, windows, counts, groups)).reshape(part.shape)

    _each(
        xp,
        work,
        blocks(len(x), counts, groups * matrices.shape[-1], _room(xp, matrices.size)),
        result.size * matrices.shape[-1],
    )
    return result


def input_grad(xp: Any, g: Array, weight: Array, windows: Windows, groups: int, sizes: Shape, dtype: DType) -> Array:
    """The gradient of ``convolved`` in ``x``, which has ``sizes``, by ``g`` (N, O, windows...)."""
    if _short(xp, len(g), g.shape[2:], windows):
        sizes = (*sizes, len(g))
        return _turned_back(input_grad(xp, _turned(g, "g"), weight[..., None], windows.beside, groups, sizes, dtype))
    outputs, inputs, opposite = len(weight) // groups, weight.shape[1], windows.opposite
    if opposite is not None and (windows.single or outputs <= 2 * inputs > 2):  # fewer copies than there are sums
        return convolved(xp, g, _mirrored(weight, groups), opposite, groups, dtype)
    matrices = _matrices(weight, groups, dtype).swapaxes(-1, -2)
    result = xp.zeros((len(g), groups * inputs, *windows.padded(sizes)), dtype)
    g = g.astype(dtype, copy=False)

    def work(same_samples: list[Block]) -> None:
        for block in same_samples:
            _spread(xp, matrices, block.of(g), windows, block.seen(result, windows))

    every = blocks(len(g), g.shape[2:], groups * matrices.shape[1], _room(xp, matrices.size))
    same = (list(blocks) for _, blocks in groupby(every, lambda block: block.samples))
    _each(xp, work, same, g.size * matrices.shape[-2])
    return unpadded(result, windows, sizes)


def weight_grad(xp: Any, x: Array, g: Array, windows: Windows, groups: int, dtype: DType) -> Array:
    """The gradient of ``convolved`` in ``weight``, by ``g`` (N, O, windows...)."""
    if _short(xp, len(x), g.shape[2:], windows):
        return weight_grad(xp, _turned(x, "x"), _turned(g, "g"), windows.beside, groups, dtype)[..., 0]
    counts, outputs, inputs = g.shape[2:], g.shape[1], x.shape[1] // groups
    source, g = _padded(xp, x, windows, dtype), g.astype(dtype, copy=False)
    elements = inputs * math.prod(windows.kernel)
    every = list(blocks(len(x), counts, groups * elements, _room(xp, outputs * elements)))
    strands = max(1, min(len(every), STRANDS // max(1, outputs * elements))) if xp is np else 1
    sums = xp.zeros((strands, groups, outputs // groups, elements), dtype)

    def work(strand: int) -> None:
        for i, block in enumerate(every[strand::strands]):
            side = _side_by_side(block.of(g), groups)
            columns = _columns(xp, source, block, windows, counts, groups).swapaxes(-1, -2)
            if i:
                sums[strand] += xp.matmul(side, columns)
            else:
                xp.matmul(side, columns, out=sums[strand])

    _each(xp, work, range(strands), g.size * elements)
    total = sums[0] if strands == 1 else sums.sum(axis=0)
    return total.reshape(outputs, inputs, *windows.kernel)


def _short(xp: Any, samples: int, counts: Shape, windows: Windows) -> bool:
    """Whether rows of windows are so short, and samples so many, that on a CPU samples had better lie in rows."""
    return xp is np and counts[-1] < SHORT and samples >= 2 * SHORT and not windows.single


def _turned(x: Array, name: str) -> Array:
    """(N, C, sizes...) as one sample, (1, C, sizes..., N), for as long as no other of that ``name`` is made."""
    turned = _room_of(np, name, (*x.shape[1:], len(x)), x.dtype)
    turned[...] = np.moveaxis(x, 0, -1)
    return turned[None]


def _padded(xp: Any, x: Array, windows: Windows, dtype: DType) -> Array:
    """``padded``, on a CPU for as long as no other is made."""
    sizes = x.shape[2:]
    if xp is not np or windows.padded(sizes) == sizes:
        return padded(xp, x, windows, dtype)
    room = _room_of(xp, "padded", (*x.shape[:2], *windows.padded(sizes)), dtype)
    room.fill(0)
    room[inside(windows, sizes)] = x
    return room


def _turned_back(x: Array) -> Array:
    return np.ascontiguousarray(np.moveaxis(x[0], -1, 0))


def _multiplied(xp: Any, matrices: Array, x: Array) -> Array:
    """Every element of ``x`` (N, C, sizes...), over channels, times the matrices of the groups: (N, O, sizes...)."""
    groups, outputs, inputs = matrices.shape
    pixels = x.reshape(len(x), groups, inputs, math.prod(x.shape[2:]))
    result = xp.empty((len(x), groups, outputs, pixels.shape[-1]), x.dtype)

    def work(samples: slice) -> None:
        xp.matmul(matrices, pixels[samples], out=result[samples])

    samples = [slice(i, i + 1) for i in range(len(x))] if xp is np else [slice(None)]
    _each(xp, work, samples, result.size * inputs)
    return result.reshape(len(x), groups * outputs, *x.shape[2:])


def _each(xp: Any, work: Callable[[Part], None], parts: Iterable[Part], multiplications: int) -> None:
    if xp is np:
        with calm(multiplications):
            shared(work, parts)
    else:
        for part in parts:
            work(part)


def _room(xp: Any, matrices: int) -> int:
    """Of a block; on a CPU at least as many elements as the matrices have, which are read or added to for each."""
    return max(CPU_ROOM, matrices) if xp is np else GPU_ROOM


def _columns(xp: Any, x: Array, block: Block, windows: Windows, counts: Shape, groups: int) -> Array:
    """What the windows of ``block`` hold, as columns: (groups, elements of a window, windows)."""
    seen, counts = block.seen(x, windows), block.counts(counts)
    channels, samples = seen.shape[:2]
    if windows.single:
        return seen.reshape(groups, channels // groups, samples * math.prod(counts))
    columns = _room_of(xp, "columns", (channels, *windows.kernel, samples, *counts), x.dtype)
    for place, where in windows.offsets(counts):
        columns[:, *place] = seen[:, :, *where]
    return columns.reshape(groups, -1, samples * math.prod(counts))


def _spread(xp: Any, matrices: Array, part: Array, windows: Windows, seen: Array) -> None:
    """Add the columns that ``matrices`` make of ``part`` (outputs, samples, windows...) to what they have seen."""
    side = _side_by_side(part, len(matrices))
    columns = _room_of(xp, "columns", (*matrices.shape[:2], side.shape[-1]), np.result_type(matrices, side))
    # with one output to a group nothing is summed: BLAS takes five times as long
    (xp.multiply if side.shape[1] == 1 else xp.matmul)(matrices, side, out=columns)
    columns = columns.reshape(len(seen), *windows.kernel, *part.shape[1:])
    for place, where in windows.offsets(part.shape[2:]):
        there = seen[:, :, *where]
        there += columns[:, *place]


class _Rooms(threading.local):
    def __init__(self) -> None:
        self.last: dict[tuple[str, DType], Array] = {}


_rooms = _Rooms()


def _room_of(xp: Any, name: str, shape: Shape, dtype: DType) -> Array:
    """Memory for what is called ``name``; on a CPU a thread keeps some: new pages cost as much as what fills them."""
    size = math.prod(shape)
    if xp is not np or size > KEPT:
        return xp.empty(shape, dtype)
    last = _rooms.last.get((name, dtype))
    if last is None or last.size < size:
        last = _rooms.last[name, dtype] = np.empty(size, dtype)
    return last[:size].reshape(shape)


def _matrices(weight: Array, groups: int, dtype: DType) -> Array:
    """Kernels (outputs, inputs of a group, ...) as (groups, outputs of a group, elements of a window)."""
    flat = weight.reshape(groups, weight.shape[0] // groups, math.prod(weight.shape[1:]))
    return flat.astype(dtype, copy=False)


def _mirrored(weight: Array, groups: int) -> Array:
    """The kernels of the opposite windows: (inputs, outputs of a group, ...)."""
    outputs, inputs, *kernel = weight.shape
    split = weight.reshape(groups, outputs // groups, inputs, *kernel)
    swapped = split.swapaxes(1, 2)[:, :, :, *[slice(None, None, -1)] * len(kernel)]
    return swapped.reshape(groups * inputs, outputs // groups, *kernel)


def _side_by_side(part: Array, groups: int) -> Array:
    """What belongs to some windows, (outputs, samples, windows...), as (groups, outputs of a group, windows)."""
    return part.reshape(groups, len(part) // groups, math.prod(part.shape[1:]))
