"""Functions whose signature the array API standard wants otherwise than gradflow has them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple, SupportsIndex

import numpy as np

from gradflow import dtypes
from gradflow.device import Device
from gradflow.dlpack import from_dlpack
from gradflow.dtypes import DType, DTypeLike
from gradflow.errors import ArgumentError, ShapeError
from gradflow.linalg import matrix_transpose
from gradflow.ops import arithmetic, cast, conjugate, create, distinct, join, order, ranges, rounding, scan
from gradflow.ops import shape as shapes
from gradflow.ops.recurrence import cumprod
from gradflow.shapes import normalize_axis
from gradflow.tensor import Tensor, TensorLike

__all__ = [
    "astype", "can_cast", "cumulative_prod", "cumulative_sum", "empty", "empty_like", "expand_dims", "finfo",
    "from_dlpack", "full", "full_like", "iinfo", "isdtype", "linspace", "argsort", "matrix_transpose", "newaxis",
    "reshape", "result_type", "round", "sort", "unstack", "where",
]  # fmt: skip

Axes = SupportsIndex | Sequence[SupportsIndex] | None
Place = str | Device | None
Shape = SupportsIndex | Sequence[SupportsIndex]

newaxis = None


class FloatingInfo(NamedTuple):
    """The limits of a floating dtype (of the parts, if it is complex)."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


class IntegerInfo(NamedTuple):
    """The limits of an integer dtype."""

    bits: int
    max: int
    min: int
    dtype: DType


def _dtype_of(type: Any) -> DType:
    return type.dtype if isinstance(type, Tensor) else dtypes.as_dtype(type)


def finfo(type: Any, /) -> FloatingInfo:
    """The limits of a floating dtype, or of that of a tensor. Raises ArgumentError for another dtype."""
    dtype = _dtype_of(type)
    if not dtypes.is_differentiable(dtype):
        raise ArgumentError(f"finfo: {dtype} is not floating; use iinfo for integers")
    of = np.finfo(dtype)
    least, most, real = float(of.min), float(of.max), dtypes.real_of(dtype)
    return FloatingInfo(of.bits, float(of.eps), most, least, float(of.smallest_normal), real)


def iinfo(type: Any, /) -> IntegerInfo:
    """The limits of an integer dtype, or of that of a tensor. Raises ArgumentError for another dtype."""
    dtype = _dtype_of(type)
    if dtype.kind not in "iu":
        raise ArgumentError(f"iinfo: {dtype} is not an integer dtype; use finfo for floating ones")
    of = np.iinfo(dtype)
    return IntegerInfo(of.bits, of.max, of.min, dtype)


def isdtype(dtype: DTypeLike, kind: Any) -> bool:
    """Whether ``dtype`` is another, of a kind ("real floating", "integral", ...), or of one of a tuple of them."""
    try:
        return bool(np.isdtype(dtypes.as_dtype(dtype), kind))
    except ValueError as error:
        raise ArgumentError(f"isdtype: {error}") from None


def can_cast(from_: Any, to: DTypeLike, /) -> bool:
    """Whether ``from_``, a dtype or a tensor, becomes ``to`` by promotion."""
    return bool(np.can_cast(_dtype_of(from_), dtypes.as_dtype(to)))


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The dtype that these promote to; Python numbers are weak."""
    return np.result_type(*(x.dtype if isinstance(x, Tensor) else x for x in arrays_and_dtypes))


def astype(x: Tensor, dtype: DTypeLike, /, *, copy: bool = True, device: Place = None) -> Tensor:
    """``x`` in another dtype, on another device; a copy in any case, unless ``copy`` is False."""
    converted = create.asarray(x, copy=True) if copy and x.dtype == dtypes.as_dtype(dtype) else cast.astype(x, dtype)
    return converted if device is None else converted.to(device)


def empty(shape: Shape, *, dtype: DTypeLike = None, device: Place = None) -> Tensor:
    """A tensor of ``shape`` to be filled: zeros, so that what was forgotten is the same in every run."""
    return create.zeros(shape, dtype=dtype, device=device)


def empty_like(x: Tensor, /, *, dtype: DTypeLike = None, device: Place = None) -> Tensor:
    """A tensor like ``x`` to be filled: zeros."""
    return create.zeros_like(x, dtype=dtype, device=device)


def full(shape: Shape, fill_value: Any, *, dtype: DTypeLike = None, device: Place = None) -> Tensor:
    """A tensor of ``shape`` filled with ``fill_value``, a number or a scalar tensor."""
    if isinstance(fill_value, Tensor):
        return create.asarray(shapes.broadcast_to(fill_value, shape), dtype=dtype, device=device, copy=True)
    return create.full(shape, fill_value, dtype=dtype, device=device)


def full_like(x: Tensor, /, fill_value: Any, *, dtype: DTypeLike = None, device: Place = None) -> Tensor:
    """A tensor like ``x`` filled with ``fill_value``, a number or a scalar tensor."""
    if isinstance(fill_value, Tensor):
        return full(x.shape, fill_value, dtype=dtype or x.dtype, device=device or x.device)
    return create.full_like(x, fill_value, dtype=dtype, device=device)


def linspace(
    start: Any,
    stop: Any,
    /,
    num: SupportsIndex,
    *,
    dtype: DTypeLike = None,
    device: Place = None,
    endpoint: bool = True,
) -> Tensor:
    """``num`` evenly spaced numbers from ``start`` to ``stop``, which may be complex, or scalar tensors."""
    if isinstance(start, Tensor) or isinstance(stop, Tensor):
        model = start if isinstance(start, Tensor) else stop
        steps = ranges.linspace(0.0, 1.0, num, endpoint=endpoint, dtype=dtype or model.dtype, device=model.device)
        return arithmetic.add(start * (1 - steps), stop * steps)
    if not any(isinstance(each, complex) for each in (start, stop)):
        return ranges.linspace(start, stop, num, endpoint=endpoint, dtype=dtype, device=device)
    kind = dtypes.complex_of(dtypes.get_default_dtype()) if dtype is None else dtype
    return create.asarray(np.linspace(start, stop, int(num), endpoint=endpoint), dtype=kind, device=device)


def expand_dims(x: Tensor, /, *, axis: Any = 0) -> Tensor:
    """``x`` with a dimension of size 1 at ``axis``."""
    return shapes.expand_dims(x, axis)


def reshape(x: Tensor, /, shape: Any, *, copy: bool | None = None) -> Tensor:
    """The elements in another shape: a view where the memory allows it, unless ``copy`` is True.

    With ``copy`` False, ArgumentError where only a copy has that shape.
    """
    result = x.reshape(shape)
    if copy:
        return create.asarray(result, copy=True)
    if copy is False and x.size and not np.shares_memory(result.data, x.data):
        raise ArgumentError(f"reshape: elements of {x.shape} that lie this way have no view of {result.shape}")
    return result


def unstack(x: Tensor, /, *, axis: SupportsIndex = 0) -> tuple[Tensor, ...]:
    """The parts of ``x`` along ``axis``, without it. Raises ShapeError for a scalar."""
    if not x.ndim:
        raise ShapeError("unstack: a scalar has no axis to take apart")
    return tuple(shapes.moveaxis(x, normalize_axis("unstack", axis, x.ndim), 0))


def where(condition: TensorLike, *values: TensorLike) -> Any:
    """``values[0]`` where ``condition`` is true, ``values[1]`` elsewhere; without values, where it is true."""
    return arithmetic.where(condition, *values) if values else distinct.nonzero(condition)


def sort(x: Tensor, /, *, axis: SupportsIndex = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements along ``axis`` in order; sorting is always stable."""
    return order.sort(x, axis, descending=descending)


def argsort(x: Tensor, /, *, axis: SupportsIndex = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The indices that sort ``x`` along ``axis``; sorting is always stable."""
    return order.argsort(x, axis, descending=descending)


def round(x: Tensor, /) -> Tensor:
    """The nearest whole number, the even one of two; of both parts of a complex number."""
    if x.dtype.kind != "c":
        return rounding.round(x)
    return conjugate.complex(rounding.round(x.real), rounding.round(x.imag))


def cumulative_sum(
    x: TensorLike, /, *, axis: SupportsIndex | None = None, dtype: DTypeLike = None, include_initial: bool = False
) -> Tensor:
    """The sums of the first 1, 2, ... elements along ``axis``, after a 0 if ``include_initial``."""
    return _cumulative("cumulative_sum", scan.cumsum, 0, x, axis, dtype, include_initial)


def cumulative_prod(
    x: TensorLike, /, *, axis: SupportsIndex | None = None, dtype: DTypeLike = None, include_initial: bool = False
) -> Tensor:
    """The products of the first 1, 2, ... elements along ``axis``, after a 1 if ``include_initial``."""
    return _cumulative("cumulative_prod", _products, 1, x, axis, dtype, include_initial)


def _cumulative(name: str, scanned: Any, initial: int, x: Any, axis: Any, dtype: Any, include_initial: bool) -> Tensor:
    given = _in(create.asarray(x), dtype)
    if axis is None:
        if given.ndim != 1:
            raise ArgumentError(
                f"{name}: a tensor of shape {given.shape} needs an axis; only for one dimension is it 0"
            )
        axis = 0
    along = normalize_axis(name, axis, given.ndim)
    result: Tensor = scanned(given, along)
    if not include_initial:
        return result
    sizes = (*given.shape[:along], 1, *given.shape[along + 1 :])
    return join.concat([create.full(sizes, initial, dtype=result.dtype, device=result.device), result], along)


def _products(x: Tensor, axis: int) -> Tensor:
    """``cumprod``, and of complex numbers one product after the other."""
    if x.dtype.kind != "c" or not x.shape[axis]:
        return x if x.dtype.kind == "c" else cumprod(x, axis)
    return join.stack([*accumulate(unstack(x, axis=axis), arithmetic.multiply)], axis)


def _in(x: Tensor, dtype: DTypeLike) -> Tensor:
    return x if dtype is None else cast.astype(x, dtype)
