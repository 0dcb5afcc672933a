"""Windows that slide over the last dimensions of an array: where they lie, and what every kernel offset sees."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple, SupportsIndex

from gradflow.dtypes import DType
from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.shapes import Shape

Array = Any
Pairs = tuple[tuple[int, int], ...]
Sizes = SupportsIndex | Sequence[SupportsIndex]


class Windows(NamedTuple):
    """Along each dimension: the size of a window, the step to the next, what is added around, the step within."""

    kernel: Shape
    stride: Shape
    padding: Pairs  # before and after
    dilation: Shape

    def extents(self) -> Shape:
        """From a window's first element to past its last."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    def padded(self, sizes: Shape) -> Shape:
        """``sizes`` with the padding."""
        return tuple(size + before + after for size, (before, after) in zip(sizes, self.padding, strict=True))

    def counts(self, sizes: Shape) -> Shape:
        """How many windows fit along each of ``sizes``; below 1 where none does."""
        each = zip(self.padded(sizes), self.extents(), self.stride, strict=True)
        return tuple((size - extent) // stride + 1 for size, extent, stride in each)

    def offsets(self, counts: Shape) -> Iterator[tuple[Shape, tuple[slice, ...]]]:
        """Every place in a window, and what of a padded array is there in ``counts`` windows."""
        for place in product(*map(range, self.kernel)):
            starts = map(operator.mul, place, self.dilation)
            each = zip(starts, counts, self.stride, strict=True)
            yield place, tuple(slice(start, start + (count - 1) * step + 1, step) for start, count, step in each)

    @property
    def single(self) -> bool:
        """Whether every window is one element, and they lie side by side."""
        rank = len(self.kernel)
        return self.kernel == self.stride == (1,) * rank and self.padding == ((0, 0),) * rank

    @property
    def opposite(self) -> Windows | None:
        """What sees of windows those that an element lies in, the last first; None if strides or padding are larger."""
        each = zip(self.padding, self.extents(), strict=True)
        around = tuple((size - 1 - before, size - 1 - after) for (before, after), size in each)
        if max(self.stride) > 1 or any(min(pair) < 0 for pair in around):
            return None
        return self._replace(padding=around)

    @property
    def beside(self) -> Windows:
        """These over one more dimension, along which they lie side by side, each of one element."""
        return Windows((*self.kernel, 1), (*self.stride, 1), (*self.padding, (0, 0)), (*self.dilation, 1))


def sizes_of(name: str, role: str, given: Sizes, rank: int, least: int = 0) -> Shape:
    """``given``, an integer for all of ``rank`` dimensions or one for each, as a tuple; none is below ``least``.

    >>> sizes_of("conv2d", "stride", 2, 2)
    (2, 2)
    """
    numbers = tuple(given) if isinstance(given, Iterable) else (given,) * rank
    try:
        sizes = tuple(map(operator.index, numbers))
    except TypeError:
        raise DTypeError(f"{name}: {role} is an integer, or one for each dimension, not {given!r}") from None
    if len(sizes) == 1:
        sizes *= rank
    if len(sizes) != rank:
        raise ShapeError(f"{name}: {role} {given} has {len(sizes)} numbers; it must be one, or {rank}")
    if any(size < least for size in sizes):
        raise ArgumentError(f"{name}: {role} must be {least} or more, got {given}")
    return sizes


def padding_of(name: str, padding: Sizes | str, kernel: Shape, stride: Shape, dilation: Shape) -> Pairs:
    """What is added before and after: a number, one for each dimension, ``"valid"`` or ``"same"``."""
    rank = len(kernel)
    if not isinstance(padding, str):
        return tuple((size, size) for size in sizes_of(name, "padding", padding, rank))
    if padding == "valid":
        return ((0, 0),) * rank
    if padding != "same":
        raise ArgumentError(f'{name}: padding is a number, one for each dimension, "same" or "valid", not {padding!r}')
    if stride != (1,) * rank:
        raise ArgumentError(f'{name}: padding="same" needs stride 1, got {stride}')
    around = (d * (k - 1) for k, d in zip(kernel, dilation, strict=True))
    return tuple((both // 2, both - both // 2) for both in around)


def check_counts(name: str, windows: Windows, sizes: Shape) -> Shape:
    """How many windows there are in an input of ``sizes``; ShapeError if along some dimension there is none."""
    counts = windows.counts(sizes)
    if any(count < 1 for count in counts):
        extents = windows.extents()
        raise ShapeError(
            f"{name}: a window of {extents} is larger than the padded input, {windows.padded(sizes)}, so there is none"
        )
    return counts


def padded(xp: Any, x: Array, windows: Windows, dtype: DType, value: float = 0.0) -> Array:
    """``x`` in ``dtype`` with ``value`` around its last dimensions; ``x`` itself if nothing changes."""
    rank = len(windows.kernel)
    if not any(before or after for before, after in windows.padding):
        return x.astype(dtype, copy=False)
    shape = (*x.shape[:-rank], *windows.padded(x.shape[-rank:]))
    room = xp.zeros(shape, dtype) if value == 0 else xp.full(shape, value, dtype)
    room[inside(windows, x.shape[-rank:])] = x
    return room


def inside(windows: Windows, sizes: Shape) -> tuple[Any, ...]:
    """The index of what is not padding in a padded array of ``sizes``."""
    return (..., *(slice(low, low + size) for size, (low, _) in zip(sizes, windows.padding, strict=True)))


def unpadded(x: Array, windows: Windows, sizes: Shape) -> Array:
    """What of a padded ``x`` is not padding, without keeping the rest in memory."""
    kept = x[inside(windows, sizes)]
    return kept if kept.size == x.size else kept.copy()


class Block(NamedTuple):
    """Some samples, and some of the windows along the first dimension."""

    samples: slice
    rows: slice

    def of(self, x: Array) -> Array:
        """This part of an array (N, C, windows...), channels first."""
        return x[self.samples, :, self.rows].swapaxes(0, 1)

    def seen(self, x: Array, windows: Windows) -> Array:
        """What of a padded input (N, C, sizes...) these windows see, channels first."""
        step, extent = windows.stride[0], windows.extents()[0]
        rows = slice(self.rows.start * step, (self.rows.stop - 1) * step + extent)
        return x[self.samples, :, rows].swapaxes(0, 1)

    def counts(self, counts: Shape) -> Shape:
        """How many windows there are along each dimension."""
        return (self.rows.stop - self.rows.start, *counts[1:])


def blocks(samples: int, counts: Shape, elements: int, room: int) -> Iterator[Block]:
    """All of ``counts`` windows of ``elements`` elements, in blocks of at most ``room`` elements if that can be."""
    row = max(1, elements * math.prod(counts[1:]))
    if row * counts[0] <= room:
        together = max(1, room // max(1, row * counts[0]))
        for first in range(0, samples, together):
            yield Block(slice(first, min(first + together, samples)), slice(0, counts[0]))
        return
    rows = max(1, room // row)
    for first in range(samples):
        for start in range(0, counts[0], rows):
            yield Block(slice(first, first + 1), slice(start, min(start + rows, counts[0])))
