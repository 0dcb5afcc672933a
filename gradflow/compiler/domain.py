"""Over which rows and columns a call runs, and how each of its operands is spread over them."""

from __future__ import annotations

from typing import NamedTuple

from gradflow.compiler.program import Value
from gradflow.loop import COLUMN, ELEMENT, ROW, SCALAR
from gradflow.shapes import Shape, size_of


class Spread(NamedTuple):
    """How a value is spread over a loop: its kind, and for ROW which rows have which value (see ``loop.Operand``)."""

    kind: str
    period: int = 0
    inner: int = 1


class Domain(NamedTuple):
    """``size`` elements in rows of ``columns``; a call whose operands all have one value, or one for each element,
    does not care about columns (None).
    """

    size: int
    columns: int | None = None

    def merged(self, other: Domain) -> Domain | None:
        """The domain that suits both, if there is one."""
        if self.size != other.size or (self.columns and other.columns and self.columns != other.columns):
            return None
        return Domain(self.size, self.columns or other.columns)


def varying(value: Value, shape: Shape) -> tuple[int, int] | None:
    """The dimensions [first, last) of ``shape`` along which ``value``, broadcast to it, changes; None if they are not
    neighbours, or the elements do not lie in order.
    """
    offset = len(shape) - len(value.shape)
    strides = value.strides or _in_order(value.shape, value.dtype.itemsize)
    changing = [
        offset + i for i, (size, stride) in enumerate(zip(value.shape, strides, strict=True)) if size > 1 and stride
    ]
    if not changing:
        return (0, 0)
    first, last = changing[0], changing[-1] + 1
    expected = value.dtype.itemsize
    for i in reversed(range(first, last)):
        if shape[i] == 1:
            continue
        if i < offset or value.shape[i - offset] != shape[i] or strides[i - offset] != expected:
            return None
        expected *= shape[i]
    return first, last


def columns_for(value: Value, shape: Shape) -> int | None:
    """The columns that ``value`` asks for when it is spread over ``shape``: 0 for any, None if it cannot be spread."""
    span = varying(value, shape)
    if span is None:
        return None
    first, last = span
    size, covered = size_of(shape), size_of(shape[first:last])
    if covered in (1, size):
        return 0
    after = size_of(shape[last:])
    return covered if after == 1 else after


def spread(value: Value, shape: Shape, columns: int) -> Spread | None:
    """How ``value`` is spread over ``shape`` in rows of ``columns``, or None if it cannot be said."""
    span = varying(value, shape)
    if span is None:
        return None
    first, last = span
    size, covered, after = size_of(shape), size_of(shape[first:last]), size_of(shape[last:])
    if covered == 1:
        return Spread(SCALAR)
    if covered == size:
        return Spread(ELEMENT)
    if after == 1:
        return Spread(COLUMN) if covered == columns else None
    if after % columns:
        return None
    rows, inner = size // columns, after // columns
    return Spread(ROW) if covered == rows else Spread(ROW, covered, inner)


def _in_order(shape: Shape, itemsize: int) -> tuple[int, ...]:
    strides: list[int] = []
    step = itemsize
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))
