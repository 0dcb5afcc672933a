"""Tensors from data and from nothing: conversions, constant values, ranges, identity matrices."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, SupportsIndex

import numpy as np

from gradflow import dtypes
from gradflow.backend import backend_for
from gradflow.device import CPU, Device
from gradflow.device import device as as_device
from gradflow.dispatch import apply
from gradflow.dtypes import DType, DTypeLike
from gradflow.errors import ArgumentError, DTypeError
from gradflow.ops.cast import _astype, astype
from gradflow.shapes import Shape, as_shape
from gradflow.tensor import Tensor, TensorLike, check_differentiable, check_on, tensor

ShapeLike = SupportsIndex | Iterable[SupportsIndex]
Number = bool | int | float | complex | np.generic


def asarray(
    data: TensorLike,
    *,
    dtype: DTypeLike = None,
    device: str | Device | None = None,
    copy: bool | None = None,
) -> Tensor:
    """``data`` as a tensor: a tensor stays what it is, with its gradient; a NumPy array shares its memory.

    ``copy`` True makes a copy in any case, None only where the dtype changes; with False that is an ArgumentError.
    What ``data`` may be, and the errors, are those of ``gf.tensor``.

    >>> import gradflow as gf
    >>> gf.asarray([1, 2], dtype="float32")
    tensor([1., 2.])
    """
    if isinstance(data, Tensor) and dtype is None and device is None and copy is None:
        return data
    given = data if isinstance(data, Tensor) else tensor(data, dtype)
    converted = given if dtype is None else astype(given, dtype)
    if copy is False and converted.data is not (data.data if isinstance(data, Tensor) else data):
        raise ArgumentError(
            f"asarray: {type(data).__name__} cannot become a tensor of {converted.dtype} without a copy; leave copy out"
        )
    if copy:
        converted = apply(_astype, converted, dtype=converted.dtype)
    return converted if device is None else converted.to(as_device(device))


def from_numpy(array: np.ndarray[Any, Any], requires_grad: bool = False) -> Tensor:
    """A tensor on the memory of ``array``: a change of one is a change of the other.

    Raises DTypeError for anything but a NumPy array of a dtype gradflow computes with.

    >>> import gradflow as gf, numpy as np
    >>> a = np.zeros(2)
    >>> x = gf.from_numpy(a)
    >>> a[0] = 5
    >>> x
    tensor([5., 0.], dtype=float64)
    """
    if not isinstance(array, np.ndarray):
        raise DTypeError(f"from_numpy: got {type(array).__name__}, not a NumPy array; use gf.tensor")
    return tensor(array, requires_grad=requires_grad)


def full(
    shape: ShapeLike,
    value: Number,
    *,
    dtype: DTypeLike = None,
    device: str | Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of ``shape`` with every element ``value``; its dtype by default that of ``gf.tensor(value)``.

    Raises DTypeError if ``value`` is not a number, ArgumentError if ``dtype`` cannot hold it.

    >>> import gradflow as gf
    >>> gf.full((2,), 0.5)
    tensor([0.5, 0.5])
    """
    if not isinstance(value, Number):
        raise DTypeError(f"full: the value is a number, not {value!r}; a tensor can be repeated with broadcast_to")
    if dtype is None:
        default = dtypes.get_default_dtype()
        dtype = {float: default, complex: dtypes.complex_of(default)}.get(type(value), np.asarray(value).dtype)
    chosen = dtypes.as_dtype(dtype)
    sizes = as_shape("full", shape)
    if not holds(chosen, value):
        raise ArgumentError(f"full: {value} is not a number that {chosen} can hold; choose another dtype")
    return _filled(sizes, value, chosen, CPU if device is None else as_device(device), requires_grad)


def _filled(shape: Shape, value: Number, dtype: DType, device: Device, requires_grad: bool) -> Tensor:
    """A tensor with every element ``value``, of which it is known that ``dtype`` can hold it."""
    if requires_grad:
        check_differentiable(dtype)
    check_on(dtype, device)
    backend = backend_for(device)
    with backend.on(device):
        return Tensor(backend.xp.full(shape, value, dtype), requires_grad)


def holds(dtype: DType, value: Number) -> bool:
    """Whether ``dtype`` has a number for ``value``, exactly for integers, rounded for floats."""
    number = value.item() if isinstance(value, np.generic) else value
    if dtype.kind == "c":
        return all(holds(dtypes.real_of(dtype), part) for part in (complex(number).real, complex(number).imag))
    if isinstance(number, complex):
        return False
    if dtypes.is_floating(dtype):
        return not float(dtypes.finfo(dtype).max) < abs(number) < math.inf
    low, high = (0, 1) if dtype == dtypes.bool_ else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return low <= number <= high and number == int(number)


def zeros(
    shape: ShapeLike,
    *,
    dtype: DTypeLike = None,
    device: str | Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of ``shape`` filled with 0, float32 by default.

    >>> import gradflow as gf
    >>> gf.zeros(2)
    tensor([0., 0.])
    """
    return full(shape, 0.0, dtype=dtype, device=device, requires_grad=requires_grad)


def ones(
    shape: ShapeLike,
    *,
    dtype: DTypeLike = None,
    device: str | Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of ``shape`` filled with 1, float32 by default.

    >>> import gradflow as gf
    >>> gf.ones(2)
    tensor([1., 1.])
    """
    return full(shape, 1.0, dtype=dtype, device=device, requires_grad=requires_grad)


def zeros_like(
    x: TensorLike,
    *,
    dtype: DTypeLike = None,
    device: str | Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor filled with 0, of the shape, dtype and device of ``x`` unless others are given.

    >>> import gradflow as gf
    >>> gf.zeros_like(gf.tensor([1, 2]))
    tensor([0, 0])
    """
    return _like(x, 0, dtype, device, requires_grad)


def ones_like(
    x: TensorLike,
    *,
    dtype: DTypeLike = None,
    device: str | Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor filled with 1, of the shape, dtype and device of ``x`` unless others are given.

    >>> import gradflow as gf
    >>> gf.ones_like(gf.tensor([1, 2]))
    tensor([1, 1])
    """
    return _like(x, 1, dtype, device, requires_grad)


def _like(x: TensorLike, value: int, dtype: DTypeLike, device: str | Device | None, requires_grad: bool) -> Tensor:
    """``value``, which every dtype can hold, for each element of ``x``."""
    model = asarray(x)
    chosen = model.dtype if dtype is None else dtypes.as_dtype(dtype)
    where = model.device if device is None else as_device(device)
    return _filled(model.shape, value, chosen, where, requires_grad)


def full_like(
    x: TensorLike,
    value: Number,
    *,
    dtype: DTypeLike = None,
    device: str | Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor filled with ``value``, of the shape, dtype and device of ``x`` unless others are given.

    >>> import gradflow as gf
    >>> gf.full_like(gf.tensor([1.0, 2.0]), 7)
    tensor([7., 7.])
    """
    model = asarray(x)
    return full(
        model.shape,
        value,
        dtype=model.dtype if dtype is None else dtype,
        device=model.device if device is None else device,
        requires_grad=requires_grad,
    )
