"""Tensors made as NumPy makes arrays: float64 unless a dtype is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

import numpy as np

from gradflow import dlpack, dtypes
from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError
from gradflow.numpy.translation import refuse
from gradflow.ops import create, ranges
from gradflow.ops.cast import astype
from gradflow.ops.elementwise import log
from gradflow.ops.grid import tri as _tri
from gradflow.ops.join import stack
from gradflow.ops.shape import broadcast_to, expand_dims, moveaxis
from gradflow.tensor import SCALARS, Tensor, TensorLike

__all__ = [
    "arange", "array", "asanyarray", "asarray", "ascontiguousarray", "copy", "empty", "empty_like", "eye",
    "from_dlpack", "fromfunction", "full", "full_like", "geomspace", "identity", "linspace", "logspace",
    "ones", "ones_like", "tri", "zeros", "zeros_like",
]  # fmt: skip

ShapeLike = SupportsIndex | Sequence[SupportsIndex]
Place = str | Device | None


def array(
    object: Any,
    dtype: DTypeLike = None,
    *,
    copy: bool | None = True,
    order: str | None = "K",
    ndmin: int = 0,
    device: Place = None,
) -> Tensor:
    """A tensor of numbers, an array, a tensor, or nested lists of them: tensors in lists are stacked, with gradients.

    A copy unless ``copy`` is False (never) or None (where it must be), with at least ``ndmin`` dimensions.
    Raises ArgumentError for a copy that is needed and not wanted, ShapeError for ragged lists.

    >>> import gradflow.numpy as np
    >>> x = np.array(2.0)
    >>> np.array([x, x * x])
    tensor([2., 4.], dtype=float64)
    """
    _c_order("array", order)
    listed = isinstance(object, list | tuple)
    if listed and copy is False:
        raise ArgumentError(f"array: a {type(object).__name__} cannot become a tensor without a copy; leave copy out")
    made = _stacked(object) if listed and _has_tensors(object) else _as_given(object)
    result = create.asarray(made, dtype=dtype, device=device, copy=None if listed else copy)
    missing = max(0, ndmin - result.ndim)
    return expand_dims(result, tuple(range(missing))) if missing else result


def _as_given(data: Any) -> Any:
    """Python's numbers as NumPy takes them, in double precision; the rest as it is."""
    return data if hasattr(data, "dtype") or hasattr(data, "__cuda_array_interface__") else np.asarray(data)


def _has_tensors(data: Any) -> bool:
    return isinstance(data, Tensor) or (isinstance(data, list | tuple) and any(map(_has_tensors, data)))


def _stacked(data: Any) -> Tensor:
    """Nested lists in which there are tensors, joined; numbers beside them become tensors on their device."""
    if not isinstance(data, list | tuple):
        return create.asarray(_as_given(data))
    parts = [_stacked(each) for each in data]
    model = next((part for part, each in zip(parts, data, strict=True) if _has_tensors(each)), parts[0])
    same = np.result_type(
        *(each if type(each) in SCALARS else part.dtype for part, each in zip(parts, data, strict=True))
    )
    return stack([astype(part, same).to(model.device) for part in parts])


def asarray(
    a: Any,
    dtype: DTypeLike = None,
    order: str | None = None,
    *,
    device: Place = None,
    copy: bool | None = None,
) -> Tensor:
    """As ``array``, with a copy only where there must be one."""
    return array(a, dtype, copy=False if copy is False else copy, order=order, device=device)


def asanyarray(a: Any, dtype: DTypeLike = None, order: str | None = None, *, device: Place = None) -> Tensor:
    """As ``asarray``."""
    return asarray(a, dtype, order, device=device)


def ascontiguousarray(a: Any, dtype: DTypeLike = None) -> Tensor:
    """As ``asarray``, with at least one dimension and the elements in C order in memory."""
    result = array(a, dtype, copy=None, ndmin=1)
    return result if result.data.flags.c_contiguous else create.asarray(result, copy=True)


def copy(a: TensorLike, order: str | None = "K", subok: bool = False) -> Tensor:
    """A copy of ``a``, through which gradients flow."""
    return array(a, copy=True, order=order)


def from_dlpack(x: Any, *, device: Place = None, copy: bool | None = None) -> Tensor:
    """The elements of an array of another library as a tensor: ``gf.from_dlpack``."""
    return dlpack.from_dlpack(x, device=device, copy=copy)


def _c_order(name: str, order: str | None) -> None:
    if order not in ("C", "K", "A", None):
        refuse(name, "order")


def full(
    shape: ShapeLike, fill_value: Any, dtype: DTypeLike = None, order: str | None = "C", *, device: Place = None
) -> Tensor:
    """A tensor of ``shape`` filled with ``fill_value``, a number or a tensor that is broadcast, with its gradient."""
    _c_order("full", order)
    if isinstance(fill_value, Tensor) or np.ndim(fill_value):
        return broadcast_to(asarray(fill_value, dtype, device=device), shape)
    return create.full(shape, fill_value, dtype=np.asarray(fill_value).dtype if dtype is None else dtype, device=device)


def zeros(shape: ShapeLike, dtype: DTypeLike = None, order: str | None = "C", *, device: Place = None) -> Tensor:
    """A tensor of ``shape`` filled with 0, float64 by default."""
    return full(shape, 0.0, dtype, order, device=device)


def ones(shape: ShapeLike, dtype: DTypeLike = None, order: str | None = "C", *, device: Place = None) -> Tensor:
    """A tensor of ``shape`` filled with 1, float64 by default."""
    return full(shape, 1.0, dtype, order, device=device)


def empty(shape: ShapeLike, dtype: DTypeLike = None, order: str | None = "C", *, device: Place = None) -> Tensor:
    """A tensor of ``shape`` to be filled: zeros, so that what was forgotten is the same in every run."""
    return zeros(shape, dtype, order, device=device)


def full_like(
    a: TensorLike,
    fill_value: Any,
    dtype: DTypeLike = None,
    order: str | None = "K",
    subok: bool = True,
    shape: ShapeLike | None = None,
    *,
    device: Place = None,
) -> Tensor:
    """A tensor filled with ``fill_value``, of the shape, dtype and device of ``a`` unless others are given."""
    model = asarray(a)
    kind = model.dtype if dtype is None else dtype
    where = model.device if device is None else device
    return full(model.shape if shape is None else shape, fill_value, kind, order, device=where)


def zeros_like(
    a: TensorLike,
    dtype: DTypeLike = None,
    order: str | None = "K",
    subok: bool = True,
    shape: ShapeLike | None = None,
    *,
    device: Place = None,
) -> Tensor:
    """Zeros of the shape, dtype and device of ``a`` unless others are given."""
    return full_like(a, 0, dtype, order, subok, shape, device=device)


def ones_like(
    a: TensorLike,
    dtype: DTypeLike = None,
    order: str | None = "K",
    subok: bool = True,
    shape: ShapeLike | None = None,
    *,
    device: Place = None,
) -> Tensor:
    """Ones of the shape, dtype and device of ``a`` unless others are given."""
    return full_like(a, 1, dtype, order, subok, shape, device=device)


empty_like = zeros_like


def arange(
    start: float,
    stop: float | None = None,
    step: float | None = 1,
    dtype: DTypeLike = None,
    *,
    device: Place = None,
) -> Tensor:
    """The numbers from ``start`` in steps to below ``stop``: integers of integers, float64 otherwise."""
    first, last = (0, start) if stop is None else (start, stop)
    step = 1 if step is None else step
    whole = all(isinstance(each, SupportsIndex) for each in (first, last, step))
    kind = (dtypes.int64 if whole else dtypes.float64) if dtype is None else dtype
    return ranges.arange(first, last, step, dtype=kind, device=device)


def eye(
    N: SupportsIndex,
    M: SupportsIndex | None = None,
    k: SupportsIndex = 0,
    dtype: DTypeLike = float,
    order: str | None = "C",
    *,
    device: Place = None,
) -> Tensor:
    """Ones on the ``k``-th diagonal of ``N`` rows and ``M`` columns, float64 by default."""
    _c_order("eye", order)
    return ranges.eye(N, M, k=k, dtype=dtype, device=device)


def identity(n: SupportsIndex, dtype: DTypeLike = None) -> Tensor:
    """The identity matrix of ``n`` rows, float64 by default."""
    return eye(n, dtype=float if dtype is None else dtype)


def tri(N: SupportsIndex, M: SupportsIndex | None = None, k: SupportsIndex = 0, dtype: DTypeLike = float) -> Tensor:
    """Ones at and below the ``k``-th diagonal, float64 by default."""
    return _tri(N, M, k, dtype=dtype)


def linspace(
    start: TensorLike,
    stop: TensorLike,
    num: SupportsIndex = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DTypeLike = None,
    axis: SupportsIndex = 0,
    *,
    device: Place = None,
) -> Any:
    """``num`` evenly spaced numbers from ``start`` to ``stop``, which may be tensors: gradients flow to both.

    float64 unless the tensors are of another dtype. With ``retstep`` their distance, too.
    """
    count = int(num)
    intervals = count - 1 if endpoint else count
    step: Any = (stop - start) / intervals if intervals > 0 else float("nan")
    if not isinstance(start, Tensor) and not isinstance(stop, Tensor) and not np.ndim(start) and not np.ndim(stop):
        kind = dtypes.float64 if dtype is None else dtype
        result = ranges.linspace(start, stop, num, endpoint=endpoint, dtype=kind, device=device)
        return (result, step) if retstep else result
    first, last = asarray(start), asarray(stop)
    model = first + last
    shares = np.linspace(0.0, 1.0, count, endpoint=endpoint).reshape(count, *(1,) * model.ndim)
    at = create.asarray(shares, dtype=model.dtype if model.dtype.kind == "f" else None, device=model.device)
    spread = (1 - at) * first + at * last
    spread = spread if dtype is None else astype(spread, dtype)
    result = moveaxis(spread, 0, axis) if axis else spread
    return (result, step) if retstep else result


def logspace(
    start: TensorLike,
    stop: TensorLike,
    num: SupportsIndex = 50,
    endpoint: bool = True,
    base: TensorLike = 10.0,
    dtype: DTypeLike = None,
    axis: SupportsIndex = 0,
) -> Tensor:
    """``base`` to the power of ``num`` evenly spaced numbers from ``start`` to ``stop``."""
    result: Tensor = base ** linspace(start, stop, num, endpoint, axis=axis)
    return result if dtype is None else astype(result, dtype)


def geomspace(
    start: TensorLike,
    stop: TensorLike,
    num: SupportsIndex = 50,
    endpoint: bool = True,
    dtype: DTypeLike = None,
    axis: SupportsIndex = 0,
) -> Tensor:
    """``num`` numbers, each a constant multiple of the one before, from ``start`` to ``stop``; both positive."""
    first, last = asarray(start), asarray(stop)
    shares = linspace(0.0, 1.0, num, endpoint, dtype=None)
    model = first * last
    at = shares.reshape((shares.size, *(1,) * model.ndim)).to(model.device)
    result = first * (at * log(last / first)).exp()
    result = moveaxis(result, 0, axis) if axis else result
    return result if dtype is None else astype(result, dtype)


def fromfunction(function: Callable[..., Any], shape: Sequence[SupportsIndex], *, dtype: DTypeLike = float) -> Any:
    """What ``function`` makes of the coordinates of every element, one tensor of ``shape`` for each dimension."""
    return function(*(create.asarray(each) for each in np.indices([int(size) for size in shape], dtype=dtype)))
