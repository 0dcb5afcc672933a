"""Arithmetic on shapes: broadcasting, axes and reductions, with errors that name the operation."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import SupportsIndex

from gradflow.errors import DTypeError, IndexOutOfRange, ShapeError

Shape = tuple[int, ...]
Axes = tuple[int, ...]


def broadcast(name: str, *shapes: Shape) -> Shape:
    """The shape that ``shapes`` broadcast to.

    >>> broadcast("add", (3, 1), (4,))
    (3, 4)
    """
    rank = max(map(len, shapes), default=0)
    result = [1] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, start=rank - len(shape)):
            if size != 1 and result[axis] not in (1, size):
                given = ", ".join(map(str, shapes))
                raise ShapeError(f"{name}: cannot broadcast {given}; aligned at the right, sizes must be equal or 1")
            if size != 1:
                result[axis] = size
    return tuple(result)


def normalize_axis(name: str, axis: SupportsIndex, rank: int) -> int:
    """``axis`` counted from the front.

    >>> normalize_axis("sum", -1, 3)
    2
    """
    try:
        index = operator.index(axis)
    except TypeError:
        raise DTypeError(f"{name}: an axis is an integer, not {axis!r}") from None
    if not -rank <= index < rank:
        raise IndexOutOfRange(f"{name}: axis {index} is out of range for {rank} dimension{'s' * (rank != 1)}")
    return index % rank


def normalize_axes(name: str, axis: SupportsIndex | Sequence[SupportsIndex] | None, rank: int) -> Axes:
    """All axes for None, otherwise the given ones counted from the front, sorted, each once."""
    if axis is None:
        return tuple(range(rank))
    given = axis if isinstance(axis, Iterable) else (axis,)
    axes = sorted(normalize_axis(name, each, rank) for each in given)
    if len(set(axes)) != len(axes):
        raise ShapeError(f"{name}: axis {axis} names a dimension twice")
    return tuple(axes)


def reduced(shape: Shape, axes: Axes, keepdims: bool) -> Shape:
    """``shape`` after a reduction over ``axes``."""
    if keepdims:
        return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def as_shape(name: str, shape: SupportsIndex | Iterable[SupportsIndex]) -> Shape:
    """A tuple of sizes from an integer or an iterable of them."""
    given = shape if isinstance(shape, Iterable) else (shape,)
    try:
        sizes = tuple(map(operator.index, given))
    except TypeError:
        raise DTypeError(f"{name}: a shape is made of integers, not {shape!r}") from None
    if min(sizes, default=0) < 0:
        raise ShapeError(f"{name}: a shape cannot have a negative size, got {sizes}")
    return sizes


def size_of(shape: Shape) -> int:
    """How many elements an array of ``shape`` has."""
    count = 1
    for size in shape:
        count *= size
    return count
