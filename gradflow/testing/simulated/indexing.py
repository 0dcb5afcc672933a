"""Reading and writing by index: out-of-range indices wrap, and equal ones are written in no order to rely on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.testing.simulated.conversion import flushed
from gradflow.testing.simulated.creation import fill
from gradflow.testing.simulated.machine import SCALARS

BASIC = (slice, int, np.integer)


def _is_basic(index: Any) -> bool:
    return index is None or index is Ellipsis or (isinstance(index, BASIC) and not isinstance(index, bool))


def getitem(xp: Any, a: Any, index: Any) -> Any:
    """``a[index]``: a view for slices and numbers, otherwise a copy."""
    parts = index if isinstance(index, tuple) else (index,)
    if all(map(_is_basic, parts)):
        return a._like(a._a[parts if Ellipsis in parts else (*parts, Ellipsis)])
    parts, arrays = _prepared(xp, a, parts)
    return xp.machine.compute("getitem", _gather(parts, a.shape), (a, *arrays))


def setitem(xp: Any, a: Any, index: Any, value: Any) -> None:
    """``a[index] = value``, a device array or a number."""
    parts = index if isinstance(index, tuple) else (index,)
    if all(map(_is_basic, parts)):
        _write(xp, getitem(xp, a, index), value)
        return
    parts, arrays = _prepared(xp, a, parts)
    value = _on_device(xp, a, value)
    scatter = _Scatter(parts, a.shape, _first_wins)
    xp.machine.compute("setitem", scatter, (a, value, *arrays), a)


def _on_device(xp: Any, a: Any, value: Any) -> Any:
    """A value for an index that has arrays: CuPy copies even a number to the device first."""
    return value if isinstance(value, xp.ndarray) else xp.array(value, a.dtype)


def _write(xp: Any, target: Any, value: Any) -> None:
    """Write ``value`` into a view: by a copy engine if both are laid out alike, by a kernel otherwise."""
    if not isinstance(value, xp.ndarray):
        fill(xp, target, value)
        return
    a, b = target._a, value._a
    alike = a.shape == b.shape and a.strides == b.strides
    if alike and target._address() == value._address():
        return  # as after x[i] += 1
    straight = alike and a.dtype == b.dtype and a.flags.c_contiguous

    def written(v: Any) -> Any:
        return np.broadcast_to(_squeezed(v if v.dtype == a.dtype else flushed(v), a.shape), a.shape)

    xp.machine.compute("setitem", written, (value,), target, "copy_d2d" if straight else "kernel")


def _squeezed(v: Any, shape: tuple[int, ...]) -> Any:
    """``v`` without leading dimensions of size 1 that ``shape`` has not."""
    while v.ndim > len(shape) and v.shape[0] == 1:
        v = v[0]
    return v


def _first_wins(old: Any, at: Any, new: Any) -> None:
    """Write so that of equal places the first is kept: what NumPy would keep is the last, and a GPU any."""
    old.flat[at.ravel()[::-1]] = np.broadcast_to(new, at.shape).ravel()[::-1]


def _prepared(xp: Any, a: Any, parts: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[Any]]:
    """The index with a number in place of each array, and the arrays. A mask is counted, which waits for it."""
    arrays: list[Any] = []
    prepared = []
    for part in parts:
        if _is_basic(part):
            prepared.append(part)
            continue
        each = part if isinstance(part, xp.ndarray) else xp.array(np.asarray(part, *_index_dtype(part)))
        if each.dtype.kind == "b":
            xp.machine.read_back("mask")
        elif each.dtype.kind not in "iu":
            raise IndexError("arrays used as indices must be of integer or boolean type")
        prepared.append(_Place(len(arrays)))
        arrays.append(each)
    for _ in arrays if len(arrays) > 1 else ():  # one flat index is made of several, kernel by kernel
        xp.machine.enqueue("kernel", "prepare_array_indexing", 0, lambda: None)
    return tuple(prepared), arrays


def _index_dtype(part: Any) -> tuple[Any, ...]:
    return (np.int64,) if isinstance(part, list) and not part else ()


class _Place(int):
    """Which of the index arrays stands here."""


def _resolved(parts: tuple[Any, ...], shape: tuple[int, ...], arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """The index as NumPy takes it: arrays in their places, their numbers wrapped around the size of the axis."""
    consumed = sum(arrays[p].ndim if type(p) is _Place and arrays[p].dtype == bool else p is not None for p in parts)
    consumed -= Ellipsis in parts
    axis = 0
    resolved: list[Any] = []
    for part in parts:
        if part is None:
            resolved.append(part)
        elif part is Ellipsis:
            resolved.append(part)
            axis += len(shape) - consumed
        elif type(part) is _Place and arrays[part].dtype == bool:
            resolved.append(arrays[part])
            axis += arrays[part].ndim
        else:
            resolved.append(_wrapped(arrays[part], shape[axis]) if type(part) is _Place else part)
            axis += 1
    return tuple(resolved)


def _wrapped(indices: Any, size: int) -> Any:
    """Indices taken modulo the size of the axis, as CuPy's kernels do."""
    return np.remainder(indices.astype(np.int64), size) if size else indices


def _gather(parts: tuple[Any, ...], shape: tuple[int, ...]) -> Callable[..., Any]:
    return lambda a, *arrays: a[_resolved(parts, shape, arrays)]


class _Scatter:
    """``update(flat copy, places, values)`` at an index, as a function of old, values and index arrays."""

    def __init__(self, parts: tuple[Any, ...], shape: tuple[int, ...], update: Callable[..., None]) -> None:
        self.parts, self.shape, self.update = parts, shape, update

    def __call__(self, old: Any, values: Any, *arrays: Any) -> Any:
        new = np.array(old)
        places = np.arange(new.size).reshape(self.shape)[_resolved(self.parts, self.shape, arrays)]
        self.update(new, places, values)
        return new


def scatter(xp: Any, ufunc: np.ufunc, a: Any, index: Any, value: Any) -> None:
    """``ufunc`` of ``a`` and ``value`` at an index, for equal ones again and again."""
    parts, arrays = _prepared(xp, a, index if isinstance(index, tuple) else (index,))

    def update(new: Any, places: Any, values: Any) -> None:
        flat = new.reshape(-1)
        ufunc.at(flat, places.ravel(), np.broadcast_to(np.asarray(values, new.dtype), places.shape).ravel())

    xp.machine.compute(
        f"{ufunc.__name__}.at", _Scatter(parts, a.shape, update), (a, _on_device(xp, a, value), *arrays), a
    )


def take(xp: Any, a: Any, indices: Any, axis: Any = None, out: Any = None) -> Any:
    """Elements or slices by their numbers, which wrap."""
    if not isinstance(indices, xp.ndarray) and type(indices) not in SCALARS:
        indices = xp.array(indices)

    def taken(x: Any, which: Any) -> Any:
        if np.asarray(which).dtype.kind not in "iub":
            raise TypeError(f"Cannot take by indices of {np.asarray(which).dtype}")
        result = np.take(x, which, axis, mode="wrap")
        if out is not None and out.shape != result.shape:
            raise ValueError("Out shape is mismatched")
        return result

    return xp.machine.compute("take", taken, (a, indices), out)


def take_along_axis(xp: Any, a: Any, indices: Any, axis: Any) -> Any:
    """For each place the element at the index that stands there."""

    def taken(x: Any, which: Any) -> Any:
        size = x.size if axis is None else x.shape[axis]
        return np.take_along_axis(x, _wrapped(which, size), axis)

    return xp.machine.compute("take_along_axis", taken, (a, indices))


def nonzero(xp: Any, a: Any) -> tuple[Any, ...]:
    """The indices of what is not zero; how many there are is read back, which waits for it."""
    xp.machine.read_back("nonzero")
    count = max(a.ndim, 1)
    places = [xp.machine.compute("nonzero", lambda x, i=i: np.atleast_1d(x).nonzero()[i], (a,)) for i in range(count)]
    return tuple(places)


def flatnonzero(xp: Any, a: Any) -> Any:
    """The positions of what is not zero, in C order."""
    return nonzero(xp, a.ravel())[0]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "_getitem": getitem, "_setitem": setitem, "_scatter": scatter, "take": take, "take_along_axis": take_along_axis,
    "nonzero": nonzero, "flatnonzero": flatnonzero,
}  # fmt: skip
