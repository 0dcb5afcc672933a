"""How a formula of several array passes is run: in blocks that stay in the cache, float16 in float32."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.op import Spec, SpecRule
from gradflow.ops.precision import Array, float_dtype, precision, stored
from gradflow.shapes import Shape, broadcast, size_of

Forward = Callable[..., Array]

BLOCK = 32768  # elements worked on at a time: a few such blocks of float32 fit the L2 cache


def real(name: str) -> SpecRule:
    """The spec rule of formulas of real numbers: shapes broadcast, floats promote, integers become float64."""

    def spec(*specs: Spec, **attrs: Any) -> Spec:
        shape = broadcast(name, *(each.shape for each in specs))
        return Spec(shape, float_dtype(*(each.dtype for each in specs)))

    spec.broadcasts = True  # type: ignore[attr-defined]
    return spec


def blockwise(forward: Forward) -> Forward:
    """Run ``forward``, elementwise and of several passes, a block at a time.

    It is given arrays of one shape, of at least one dimension, all in the dtype it is to compute in (float32 for
    float16, float64 for integers), and ``out`` to fill, in which it may keep what it goes on with.
    """

    @functools.wraps(forward)
    def run(xp: Any, *arrays: Array, out: Array | None = None, **attrs: Any) -> Array:
        if _is_one_block(arrays):
            return forward(xp, *arrays, out=xp.empty_like(arrays[0]) if out is None else out, **attrs)
        return _run_in_blocks(forward, xp, arrays, out, attrs, ())

    return run


def rowwise(forward: Forward) -> Forward:
    """Run ``forward``, which works along ``axis``, on some rows at a time; otherwise like ``blockwise``."""

    @functools.wraps(forward)
    def run(xp: Any, *arrays: Array, axis: int, out: Array | None = None) -> Array:
        if _is_one_block(arrays):
            return forward(xp, *arrays, axis=axis, out=xp.empty_like(arrays[0]) if out is None else out)
        from_the_back = {"axis": axis - arrays[0].ndim}  # the same in all the array and in a block of it
        return _run_in_blocks(forward, xp, arrays, out, from_the_back, arrays[0].shape[axis:])

    return run


def widened(forward: Forward) -> Forward:
    """Run ``forward``, a reduction, on floats wide enough for sums: float16 as float32, integers as float64."""

    @functools.wraps(forward)
    def run(xp: Any, x: Array, *, out: Array | None = None, **attrs: Any) -> Array:
        if x.dtype.char in "fd":
            return stored(forward(xp, x, **attrs), x.dtype, out)
        dtype, wide = precision(x)
        return stored(forward(xp, x.astype(wide), **attrs), dtype, out)

    return run


def _is_one_block(arrays: tuple[Array, ...]) -> bool:
    """Whether ``arrays`` are small, and as ``forward`` wants them, already."""
    first = arrays[0]
    if not (0 < first.size <= BLOCK and first.ndim and first.dtype.char in "fd"):
        return False
    return all(each.dtype == first.dtype and each.shape == first.shape for each in arrays[1:])


def _run_in_blocks(
    forward: Forward, xp: Any, arrays: tuple[Array, ...], out: Array | None, attrs: dict[str, Any], row: Shape
) -> Array:
    """Fill ``out`` with ``forward`` of ``arrays``; what makes up a ``row``, their last dimensions, stays together."""
    dtype, wide = precision(*arrays)
    shape = broadcast("", *(each.shape for each in arrays))
    out = xp.empty(shape, dtype) if out is None else out
    if not out.size:
        return out
    whole = [*(xp.broadcast_to(each, shape) for each in arrays), out]
    step = length = 1
    if all(each.flags.c_contiguous for each in whole):
        length = size_of(shape[: len(shape) - len(row)])
        whole = [each.reshape(length, *row) for each in whole]
        # on a GPU, one launch over everything is best
        step = max(1, BLOCK * length // out.size) if isinstance(out, np.ndarray) else length
    else:
        whole = [each[None] for each in whole]
    for start in range(0, length, step):
        *pieces, target = (each[start : start + step] for each in whole)
        room = target if dtype == wide else xp.empty(target.shape, wide)
        forward(xp, *(each.astype(wide, copy=False) for each in pieces), out=room, **attrs)
        if room is not target:
            target[...] = room
    return out
