"""Convolutions in which every channel has one kernel of its own, and their gradients, with NumPy.

A product with so small a matrix takes BLAS longer than it takes einsum to add up multiples of slices: of those that a
row of the kernel meets, in one call.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from gradflow.backend.shared import shared
from gradflow.dtypes import DType
from gradflow.ops.planes import Planes

Array = Any
ROOM = 1 << 16  # elements of the planes that are worked on together


class Run(NamedTuple):
    """Places in a row of the kernel that lie at equal distances: which, where windows meet the first, the distance."""

    places: slice
    start: int
    step: int


def _runs(planes: Planes) -> list[Run]:
    *leading, last = planes.windows.kernel
    stride, dilation = planes.windows.stride[-1], planes.windows.dilation[-1]
    period = stride // math.gcd(stride, dilation)  # after so many places a place lies in the same phase
    return [
        Run(
            slice(row * last + first, (row + 1) * last, period),
            planes.start((*place, first)),
            period * dilation // stride,
        )
        for row, place in enumerate(product(*map(range, leading)))
        for first in range(min(period, last))
    ]


def _blocks(count: int, planes: Planes) -> Iterator[slice]:
    together = max(1, ROOM // planes.span)
    return (slice(first, min(first + together, count)) for first in range(0, count, together))


def _sliding(flat: Array, start: int, step: int, count: int, span: int) -> Array:
    """Slices of ``span`` elements of (n, elements), of which ``count`` begin ``step`` apart: (span, n, count)."""
    row, one = flat.strides
    return np.ndarray((span, len(flat), count), flat.dtype, flat, start * one, (one, row, step * one))


def _planewise(x: Array) -> Array:
    """(N, channels, ...) as (N * channels, ...)."""
    return x.reshape(-1, *x.shape[2:])


def _kernels(weight: Array, samples: int, dtype: DType) -> Array:
    """The kernel of every plane: (N * channels, elements)."""
    return np.tile(weight.reshape(len(weight), -1).astype(dtype, copy=False), (samples, 1))


def convolved(x: Array, weight: Array, planes: Planes, dtype: DType) -> Array:
    """What windows of ``x`` (N, C, sizes...) give with ``weight`` (C, 1, kernel...)."""
    own, kernels, runs = _planewise(x), _kernels(weight, len(x), dtype), _runs(planes)
    result = np.empty((len(own), *planes.counts), dtype)

    def work(block: slice) -> None:
        source = planes.filled(own[block], dtype)
        total, part = np.zeros((len(source), planes.span), dtype), np.empty((len(source), planes.span), dtype)
        for places, start, step in runs:
            factors = kernels[block, places]
            seen = _sliding(source, start, step, factors.shape[1], planes.span)
            np.einsum("lrj,rj->lr", seen, factors, out=part.T, order="F")  # the order in which slices are innermost
            total += part
        result[block] = planes.without_gaps(total)

    shared(work, _blocks(len(own), planes))
    return result.reshape(*x.shape[:2], *planes.counts)


def input_grad(g: Array, weight: Array, planes: Planes, dtype: DType) -> Array:
    """The gradient of ``convolved`` in ``x``: kernels times ``g`` (N, C, windows...), added up where they were met."""
    own, kernels, runs = _planewise(g), _kernels(weight, len(g), dtype), _runs(planes)
    result, size = np.empty((len(own), *planes.sizes), dtype), planes.size

    def work(block: slice) -> None:
        source = np.zeros((len(own[block]), 2 * size), dtype)  # what is before the first window is 0, too
        source[:, size : size + planes.span] = planes.with_gaps(own[block], dtype)
        total, part = (
            np.zeros((len(source), math.prod(planes.windows.stride), size), dtype),
            np.empty((len(source), size), dtype),
        )
        for places, start, step in runs:
            factors = kernels[block, places]
            seen = _sliding(source, size - start % size, -step, factors.shape[1], size)
            np.einsum("lrj,rj->lr", seen, factors, out=part.T, order="F")
            total[:, start // size] += part
        planes.emptied(total, result[block])

    shared(work, _blocks(len(own), planes))
    return result.reshape(*g.shape[:2], *planes.sizes)


def weight_grad(x: Array, g: Array, planes: Planes, dtype: DType) -> Array:
    """The gradient of ``convolved`` in ``weight``."""
    inputs, sides, runs = _planewise(x), _planewise(g), _runs(planes)
    result = np.empty((len(inputs), math.prod(planes.windows.kernel)), dtype)

    def work(block: slice) -> None:
        source, side = planes.filled(inputs[block], dtype), planes.with_gaps(sides[block], dtype)
        for places, start, step in runs:
            there = result[block, places]
            seen = _sliding(source, start, step, there.shape[1], planes.span)
            np.einsum("rl,lrj->rj", side, seen, out=there)

    shared(work, _blocks(len(inputs), planes))
    return result.reshape(*x.shape[:2], -1).sum(axis=0).reshape(x.shape[1], 1, *planes.windows.kernel)
