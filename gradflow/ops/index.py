"""Indexing with everything NumPy takes: what ``x[...]``, ``x[...] = v`` and ``x.at[...]`` mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow import dtypes
from gradflow.dispatch import apply
from gradflow.errors import ArgumentError, DTypeError
from gradflow.op import Op, Spec
from gradflow.ops.create import holds
from gradflow.ops.gather import (
    _put,
    _ravel_multi_index,
    _take,
    check_integers,
    from_the_front,
    scattered,
    taken,
    write,
)
from gradflow.ops.path import Index, Path, take_apart
from gradflow.ops.shape import broadcast_to, moveaxis, reshape
from gradflow.ops.slicing import FULL, _getitem, _set_slice, check_fits
from gradflow.samples import Given, Real, sample
from gradflow.shapes import Axes, broadcast
from gradflow.tensor import Tensor, TensorLike, operand, tensor


def getitem(x: Tensor, index: Index) -> Tensor:
    """The part of ``x`` at ``index``, as in NumPy: a view for integers and slices, a copy for arrays and masks.

    Raises IndexOutOfRange for an index past the end, DTypeError for one that is not an integer, ShapeError for a mask
    or index arrays whose shapes do not fit. Reading a mask's elements moves them to the host.

    >>> import gradflow as gf
    >>> x = gf.tensor([[1, 2, 3], [4, 5, 6]])
    >>> x[0, ::2], x[[1, 0, 1], -1], x[x > 4]
    (tensor([1, 3]), tensor([6, 3, 6]), tensor([5, 6]))
    """
    path = take_apart("getitem", x, index)
    view = _view(x, path)
    if not path.arrays:
        return view
    return apply(_take, _joined(view, path), _positions("getitem", view, path), axis=path.axis)


def setitem(x: Tensor, index: Index, value: TensorLike) -> None:
    """Write ``value`` over the part of ``x`` at ``index``, in place; where an index is repeated, the last value stays.

    Raises GradientError if ``x`` or ``value`` requires grad, unless inside ``no_grad``: use ``x = x.at[i].set(v)``.

    >>> import gradflow as gf
    >>> x = gf.zeros(3)
    >>> x[[0, 2]] = 5
    >>> x
    tensor([5., 0., 5.])
    """
    path = take_apart("setitem", x, index)
    given = _value("setitem", x, value)
    apply(_setitem, _view(x, path), given, *path.arrays, axis=path.axis, named=path.named)


class At:
    """What ``x.at`` is: index it to name a part of ``x`` that an update replaces."""

    __slots__ = ("_x",)

    def __init__(self, x: Tensor) -> None:
        self._x = x

    def __getitem__(self, index: Index) -> Part:
        return Part(self._x, index)


class Part:
    """A part of a tensor, and the tensors that differ from it in that part alone."""

    __slots__ = ("_index", "_x")

    def __init__(self, x: Tensor, index: Index) -> None:
        self._x = x
        self._index = index

    def set(self, value: TensorLike) -> Tensor:
        """The tensor with ``value`` in this part, differentiable in both; the last of repeated indices stays.

        >>> import gradflow as gf
        >>> gf.tensor([1.0, 2.0, 3.0]).at[1:].set(0.5)
        tensor([1. , 0.5, 0.5])
        """
        path = take_apart("set", self._x, self._index)
        given = _value("set", self._x, value)
        if not path.arrays:
            return apply(_set_slice, self._x, given, index=path.basic)
        return _changed("set", self._x, path, lambda x, i: apply(_put, x, given, i, axis=path.axis))

    def add(self, value: TensorLike) -> Tensor:
        """The tensor with ``value`` added to this part, differentiable in both; repeated indices add up.

        >>> import gradflow as gf
        >>> gf.zeros(3).at[[0, 2, 2]].add(1.0)
        tensor([1., 0., 2.])
        """
        path = take_apart("add", self._x, self._index)
        given = _value("add", self._x, value)
        if not path.arrays:
            part = apply(_getitem, self._x, index=path.basic)
            check_fits("add", getattr(given, "shape", ()), part.shape)
            return apply(_set_slice, self._x, part + given, index=path.basic)
        return _changed("add", self._x, path, lambda x, i: x + _scattered(x, given, i, path.axis))


def _scattered(x: Tensor, value: TensorLike, positions: Tensor, axis: int) -> Tensor:
    """Zeros like ``x``, with ``value`` added up at ``positions`` along ``axis``."""
    given = value if isinstance(value, Tensor) else tensor(value, x.dtype, x.device)
    shape = taken(x.shape, positions.shape, axis)
    check_fits("add", given.shape, shape)
    return scattered(broadcast_to(given.astype(x.dtype), shape), positions, x.shape, axis)


def _changed(name: str, x: Tensor, path: Path, change: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """``x`` with what ``path`` leads to replaced by ``change(joined, positions)``."""
    view = _view(x, path)
    part = reshape(change(_joined(view, path), _positions(name, view, path)), view.shape)
    part = _moved(part, _front(path), path.axes)
    if _is_whole(path):
        return part
    return apply(_set_slice, x, part, index=path.basic)


def _view(x: Tensor, path: Path) -> Tensor:
    """What the basic part of ``path`` selects, with the axes of its index arrays side by side."""
    view = x if path.arrays and _is_whole(path) else apply(_getitem, x, index=path.basic)
    return _moved(view, path.axes, _front(path))


def _is_whole(path: Path) -> bool:
    return all(entry == FULL for entry in path.basic)


def _front(path: Path) -> Axes:
    return tuple(range(path.axis, path.axis + len(path.axes)))


def _moved(x: Tensor, source: Axes, destination: Axes) -> Tensor:
    return x if source == destination else moveaxis(x, source, destination)


def _positions(name: str, view: Tensor, path: Path) -> Tensor:
    """Where the index arrays point along their axes made one."""
    sizes = view.shape[path.axis : path.axis + len(path.axes)]
    return apply(_ravel_multi_index, *path.arrays, name=name, axes=path.named, sizes=sizes)


def _joined(view: Tensor, path: Path) -> Tensor:
    """``view`` with the axes of the index arrays made one."""
    after = path.axis + len(path.axes)
    if len(path.axes) == 1:
        return view
    joined = math.prod(view.shape[path.axis : after])
    return reshape(view, (*view.shape[: path.axis], joined, *view.shape[after:]))


KINDS = {"b": 0, "i": 1, "u": 1, "f": 2, "V": 2, "c": 3}


def _value(name: str, x: Tensor, value: TensorLike) -> Tensor | bool | int | float:
    """``value``, if the dtype of ``x`` can hold what is of its kind."""
    given: Tensor | bool | int | float | None = operand(value)
    if given is None:
        raise DTypeError(f"{name}: a value is a tensor or a number, not None")
    dtype = given.dtype if isinstance(given, Tensor) else np.dtype(type(given))
    if KINDS[dtype.kind] > KINDS[x.dtype.kind]:
        raise DTypeError(f"{name}: {dtype} values do not fit into {x.dtype}; convert one with .to(dtype)")
    if type(given) is int and not holds(x.dtype, given):
        raise ArgumentError(f"{name}: {given} does not fit into {x.dtype}")
    return given


def _setitem_forward(xp: Any, x: Any, value: Any, *indices: Any, axis: int, named: Axes) -> None:
    sizes = x.shape[axis : axis + len(indices)]
    counted = [
        from_the_front(xp, "setitem", index, name, size)
        for index, name, size in zip(indices, named, sizes, strict=True)
    ]
    try:
        if counted:
            write(xp, x, value, counted, axis)
        else:
            x[...] = value
    except ValueError:  # all else that could be wrong has been checked
        raise ArgumentError(
            "setitem: the tensor's memory is read-only (a broadcast view, for one); write to gf.asarray(x, copy=True)"
        ) from None


def _setitem_spec(x: Spec, value: Spec, *indices: Spec, axis: int, named: Axes) -> None:
    check_integers("setitem", *indices)
    shape = broadcast("setitem", *(index.shape for index in indices))
    check_fits("setitem", value.shape, (*x.shape[:axis], *shape, *x.shape[axis + len(indices) :]))


_setitem = Op(
    name="setitem",
    forward=_setitem_forward,
    spec=_setitem_spec,
    mutates=(0,),
    complex=True,
    samples=(
        sample(Real((3, 4)), Real((4,)), axis=0, named=()),
        sample(Real((3, 4)), Real((3, 3)), Given([2, 0, 2], dtypes.int64), axis=1, named=(1,)),
        sample(Real((3, 4)), 1.5, Given([2, 0], dtypes.int64), Given([0, -1], dtypes.int64), axis=0, named=(0, 2)),
    ),
)
