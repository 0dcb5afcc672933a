"""An index taken apart: what NumPy's indexing expressions mean, step by step."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple, SupportsIndex

import numpy as np

from gradflow import dtypes
from gradflow.device import Device
from gradflow.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError
from gradflow.mode import mode
from gradflow.ops.slicing import FULL, Selection, Slice
from gradflow.shapes import Axes, Shape
from gradflow.tensor import Tensor, tensor

Index = Any  # an integer, a slice, None, ..., a mask, an array or list of integers, or a tuple of these


class Path(NamedTuple):
    """Basic indexing first, then index arrays along some axes of the view that it selects."""

    basic: Selection
    arrays: tuple[Tensor, ...]
    axes: Axes  # the axes of the view that the arrays index
    axis: int  # where NumPy puts what they take: in place, or in front where something stands between them
    named: Axes  # the axes of the tensor itself that the arrays index, for errors


def take_apart(name: str, x: Tensor, index: Index) -> Path:
    """The path that ``index`` takes through ``x``."""
    items = [_item(name, x, item) for item in (index if isinstance(index, tuple) else (index,))]
    gap = x.ndim - sum(map(_consumed, items))
    if gap < 0:
        raise IndexOutOfRange(f"{name}: {x.ndim - gap} indices are too many for a tensor of shape {x.shape}")
    if sum(item is Ellipsis for item in items) > 1:
        raise ArgumentError(f"{name}: an index has at most one ellipsis (...)")
    basic: list[int | Slice | None] = []
    arrays: list[Tensor] = []
    axes: list[int] = []
    named: list[int] = []
    axis = kept = 0  # the next axis of x, and of the view
    for item in items:
        consumed = gap if item is Ellipsis else _consumed(item)
        entries: list[int | Slice | None] = [FULL] * consumed
        if isinstance(item, Tensor):
            found = _index_arrays(name, x.shape[axis : axis + consumed], axis, item)
            entries = entries or [None]  # a single truth value indexes a new dimension
            arrays += found
            axes += range(kept, kept + len(found))
            named += range(axis, axis + len(found))
        elif item is not Ellipsis:
            entries = [_counted(name, axis, x.shape[axis], item) if isinstance(item, int) else item]
        basic += entries
        kept += sum(not isinstance(entry, int) for entry in entries)
        axis += consumed
    placed = 0 if not axes or _apart(items) else axes[0]
    return Path(tuple(basic), tuple(arrays), tuple(axes), placed, tuple(named))


def _item(name: str, x: Tensor, item: Any) -> Any:
    """``item`` as an integer, a Slice, None, ``...`` or a tensor of integers or booleans."""
    if type(item) is int or item is None or item is Ellipsis:
        return item
    if isinstance(item, slice):
        return _hashable(name, item)
    if not isinstance(item, Tensor):
        if isinstance(item, SupportsIndex) and not isinstance(item, bool | np.bool_ | np.ndarray):
            return operator.index(item)
        item = index_array(name, item, x.device)
    if item.dtype.kind in "fc":
        raise DTypeError(f"{name}: an index array has integers or booleans, not {item.dtype}; use .to('int64')")
    return item


def index_array(name: str, item: Any, device: Device) -> Tensor:
    """``item`` as a tensor, on ``device`` if it has to be made; an empty list is one of integers."""
    if isinstance(item, Tensor):
        return item
    try:
        array = tensor(item, device=device)
    except (DTypeError, ShapeError):
        raise DTypeError(
            f"{name}: an index is an integer, a slice, None, ... or an array of integers or booleans, not {item!r}"
        ) from None
    return array.astype(dtypes.int64) if isinstance(item, list | tuple) and not array.size else array


def _hashable(name: str, item: slice) -> Slice:
    try:
        bounds = [b if b is None else operator.index(b) for b in (item.start, item.stop, item.step)]
    except TypeError:
        raise DTypeError(f"{name}: the bounds of a slice are integers or None, not {item}") from None
    if bounds[2] == 0:
        raise ArgumentError(f"{name}: a slice cannot have step 0")
    return Slice(*bounds)


def _consumed(item: Any) -> int:
    """How many axes of the tensor an item of an index is for."""
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if isinstance(item, Tensor) and item.dtype == dtypes.bool_ else 1


def _counted(name: str, axis: int, size: int, index: int) -> int:
    if not -size <= index < size:
        raise IndexOutOfRange(f"{name}: index {index} is out of range for axis {axis}, of size {size}")
    return index % size


def _index_arrays(name: str, sizes: Shape, axis: int, item: Tensor) -> tuple[Tensor, ...]:
    """``item`` itself, or for a mask the positions of its true elements, an array for each dimension."""
    if item.dtype != dtypes.bool_:
        return (item,)
    if item.shape != sizes:
        raise ShapeError(f"{name}: the mask is {item.shape}, and what it masks, from axis {axis} on, is {sizes}")
    if mode.reading is not None:
        mode.reading("a mask as an index")
    return tuple(map(Tensor, item.data.reshape(item.shape or (1,)).nonzero()))


def _apart(items: list[Any]) -> bool:
    """Whether something stands between the index arrays; integers count as arrays if there are any."""
    places = [place for place, item in enumerate(items) if isinstance(item, Tensor | int)]
    return any(isinstance(item, Tensor) for item in items) and places[-1] - places[0] >= len(places)
