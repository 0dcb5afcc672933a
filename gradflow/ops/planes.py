"""Planes laid out so that what one place of a kernel meets in all windows is one slice, of which no copy is needed."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from gradflow.dtypes import DType
from gradflow.ops.windows import Windows
from gradflow.shapes import Shape

Array = Any


class Planes(NamedTuple):
    """How padded NumPy arrays (n, *sizes) lie as (n, elements).

    Elements that are ``stride`` apart are neighbours: they are a phase, and from one window to the next there is an
    element of each. In a phase rows follow each other, so that the windows meet each place of a kernel in one slice of
    ``span`` elements, with gaps between their rows.
    """

    windows: Windows
    sizes: Shape
    counts: Shape  # of windows
    phase: Shape  # its sizes
    span: int

    @property
    def size(self) -> int:
        """The elements of a phase."""
        return math.prod(self.phase)

    def start(self, place: Shape) -> int:
        """Where the first window meets ``place`` of the kernel."""
        at, stride = list(map(operator.mul, place, self.windows.dilation)), self.windows.stride
        phase = _position(map(operator.mod, at, stride), stride)
        return phase * self.size + _position(map(operator.floordiv, at, stride), self.phase)

    def filled(self, x: Array, dtype: DType) -> Array:
        """``x``, (n, *sizes), laid out like that, with 0 for the padding."""
        room = np.zeros((len(x), *self.windows.stride, *self.phase), dtype)
        for here, there in self._parts():
            room[:, *here] = x[:, *there]
        return room.reshape(len(x), -1)

    def emptied(self, flat: Array, out: Array) -> None:
        """Put into ``out``, (n, *sizes), what is laid out in ``flat``."""
        phases = flat.reshape(len(flat), *self.windows.stride, *self.phase)
        for here, there in self._parts():
            out[:, *there] = phases[:, *here]

    def _parts(self) -> Iterator[tuple[Any, Any]]:
        """Where the elements of each phase lie here, and where in an array of ``sizes``."""
        for each in product(*map(_phases, self.sizes, self.windows.padding, self.windows.stride)):
            at, here, there = zip(*each, strict=True)
            yield (*at, *here), there

    def without_gaps(self, flat: Array) -> Array:
        """What the windows begin in ``flat``, (n, span), as a view (n, *counts)."""
        steps = (math.prod(self.phase[axis + 1 :]) * flat.itemsize for axis in range(len(self.phase)))
        return np.ndarray((len(flat), *self.counts), flat.dtype, flat, 0, (flat.strides[0], *steps))

    def with_gaps(self, g: Array, dtype: DType) -> Array:
        """``g``, (n, *counts), as (n, span), with 0 in the gaps."""
        flat = np.zeros((len(g), self.span), dtype)
        self.without_gaps(flat)[...] = g
        return flat


@cache
def planes(windows: Windows, sizes: Shape) -> Planes:
    """The planes of arrays of ``sizes`` under ``windows``."""
    counts = windows.counts(sizes)
    phase = tuple(-(-size // step) for size, step in zip(windows.padded(sizes), windows.stride, strict=True))
    return Planes(windows, sizes, counts, phase, _position((count - 1 for count in counts), phase) + 1)


def _phases(size: int, padding: tuple[int, int], step: int) -> list[tuple[int, slice, slice]]:
    """Along one dimension: each phase, where in it is no padding, and the elements that are there."""
    found = []
    for phase in range(step):
        skipped = max(0, -(-(padding[0] - phase) // step))
        first = min(size, phase + skipped * step - padding[0])
        found.append((phase, slice(skipped, skipped - (first - size) // step), slice(first, size, step)))
    return found


def _position(index: Iterable[int], sizes: Shape) -> int:
    found = 0
    for at, size in zip(index, sizes, strict=True):
        found = found * size + at
    return found
