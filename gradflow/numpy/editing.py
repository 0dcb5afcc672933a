"""Elements put in, left out and written over: new tensors with gradients, and NumPy's functions that write in place."""

from __future__ import annotations

from typing import Any, SupportsIndex

import numpy as np

from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError, NumPyCallError, ShapeError
from gradflow.numpy.creation import asarray
from gradflow.numpy.on_host import of_elements
from gradflow.numpy.queries import resize
from gradflow.ops.arithmetic import where as _where
from gradflow.ops.join import concat
from gradflow.ops.lookup import take
from gradflow.ops.shape import broadcast_to, moveaxis, ravel
from gradflow.shapes import normalize_axes, normalize_axis
from gradflow.tensor import Tensor, TensorLike

__all__ = [
    "copyto", "delete", "fill_diagonal", "insert", "place", "put", "put_along_axis", "putmask", "trim_zeros",
]  # fmt: skip


def delete(arr: TensorLike, obj: Any, axis: SupportsIndex | None = None) -> Tensor:
    """``arr`` without the parts along ``axis`` (the elements, for None) at an index, indices, a slice or a mask."""
    x, along = _along("delete", arr, axis)
    return take(x, of_elements("delete", np.delete)(np.arange(x.shape[along]), obj), along)


def insert(arr: TensorLike, obj: Any, values: TensorLike, axis: SupportsIndex | None = None) -> Tensor:
    """``arr`` with ``values``, in its dtype, before the places ``obj`` along ``axis`` (of the elements, for None).

    Before one place come all of ``values``, before several one each.
    """
    x, along = _along("insert", arr, axis)
    count, given = x.shape[along], beside(x, values, x.dtype)
    single = isinstance(obj, SupportsIndex) and not getattr(obj, "ndim", 0)
    given = given.reshape((*(1,) * (x.ndim - given.ndim), *given.shape))
    given = moveaxis(given, 0, along) if single else given
    several = of_elements("insert", np.insert)(np.zeros(count), obj, 1.0).size - count
    size = given.shape[along] if several == 1 else several
    given = broadcast_to(given, (*x.shape[:along], size, *x.shape[along + 1 :]))
    order = of_elements("insert", np.insert)(np.arange(count), obj, np.arange(count, count + size))
    return take(concat([x, given], along), order, along)


def beside(x: Tensor, a: TensorLike, dtype: DTypeLike = None) -> Tensor:
    """``a`` as a tensor; what is none yet goes to the device of ``x``."""
    return asarray(a, dtype, device=None if isinstance(a, Tensor) else x.device)


def _along(name: str, arr: TensorLike, axis: SupportsIndex | None) -> tuple[Tensor, int]:
    x = asarray(arr)
    return (ravel(x), 0) if axis is None else (x, normalize_axis(name, axis, x.ndim))


def trim_zeros(filt: TensorLike, trim: str = "fb", axis: Any = None) -> Tensor:
    """``filt`` without the zeros before the first ("f") and after the last ("b") element that is not 0 along axes."""
    x = asarray(filt)
    axes, ends = normalize_axes("trim_zeros", axis, x.ndim), trim.lower()
    if ends not in ("f", "b", "fb", "bf"):
        raise ArgumentError(f"trim_zeros: trim is {trim!r}; it is made of 'f' and 'b'")
    places = of_elements("trim_zeros", np.argwhere)(x)

    def kept(i: int) -> slice:
        if not len(places):
            return slice(0, 0)
        column = places[:, i]
        return slice(column.min() if "f" in ends else None, column.max() + 1 if "b" in ends else None)

    return x[tuple(kept(i) if i in axes else slice(None) for i in range(x.ndim))]


def copyto(dst: Any, src: TensorLike, casting: str = "same_kind", where: TensorLike = True) -> None:
    """Write ``src`` into the tensor ``dst``, which must not need its gradient, all of it or ``where`` that is true.

    Like all that write in place, raises NumPyCallError for an array, whose gradient would be lost.
    """
    _tensor("copyto", dst)[...] = src if where is True else _where(where, src, dst)


def putmask(a: Any, mask: TensorLike, values: TensorLike) -> None:
    """Write ``values``, over and over again, over ``a``, and of that only where ``mask`` is true."""
    places = of_elements("putmask", np.flatnonzero)(mask)
    _write("putmask", a, places, take(resize(beside(_tensor("putmask", a), values), a.size), places))


def place(arr: Any, mask: TensorLike, vals: TensorLike) -> None:
    """Write ``vals``, in order and over and over again, where ``mask`` is true."""
    _write("place", arr, of_elements("place", np.flatnonzero)(mask), vals)


def put(a: Any, ind: TensorLike, v: TensorLike, mode: str = "raise") -> None:
    """Write ``v``, over and over again, at the places ``ind`` of the elements in C order."""
    size = _tensor("put", a).size
    _write("put", a, of_elements("put", np.take)(np.arange(size), ind, mode=mode), v)


def put_along_axis(arr: Any, indices: TensorLike, values: TensorLike, axis: SupportsIndex | None = -1) -> None:
    """Write ``values`` where ``take_along_axis`` with these ``indices`` takes from."""
    numbers = np.arange(_tensor("put_along_axis", arr).size).reshape(arr.shape)
    places = of_elements("put_along_axis", np.take_along_axis)(numbers, indices, axis)
    _write("put_along_axis", arr, places, broadcast_to(beside(arr, values), places.shape))


def fill_diagonal(a: Any, val: TensorLike, wrap: bool = False) -> None:
    """Write ``val``, over and over again, on the main diagonal; with ``wrap`` it begins anew in tall matrices."""
    sizes = _tensor("fill_diagonal", a).shape
    if len(sizes) < 2 or (len(sizes) > 2 and len({*sizes}) > 1):
        raise ShapeError(f"fill_diagonal: {sizes} has no diagonal; it must be a matrix, or have all sizes equal")
    step = sizes[1] + 1 if len(sizes) == 2 else 1 + sum(np.cumprod(sizes[:-1]))
    end = None if wrap or len(sizes) > 2 else sizes[1] ** 2
    _write("fill_diagonal", a, np.arange(a.size)[:end:step], val)


def _tensor(name: str, x: Any) -> Tensor:
    if not isinstance(x, Tensor):
        raise NumPyCallError(f"numpy.{name}: writes a tensor into an array, whose gradient would be lost; use .numpy()")
    return x


def _write(name: str, x: Any, places: Any, values: TensorLike) -> None:
    """Write ``values``, over and over again, at ``places``, which are counted in C order."""
    given = beside(_tensor(name, x), values)
    if places.size and not given.size:
        raise ShapeError(f"{name}: there are no values to write at {places.size} places")
    x[np.unravel_index(places.ravel(), x.shape)] = resize(given, places.size)
