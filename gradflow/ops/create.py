"""New tensors from nothing: constant values, ranges, identity matrices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import SupportsIndex

from gradflow import dtypes
from gradflow.backend import backend_for
from gradflow.device import CPU, Device, device as as_device
from gradflow.dtypes import DTypeLike
from gradflow.shapes import as_shape
from gradflow.tensor import Tensor, check_differentiable

ShapeLike = SupportsIndex | Iterable[SupportsIndex]


def full(
    shape: ShapeLike,
    value: bool | int | float,
    *,
    dtype: DTypeLike = None,
    device: str | Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of ``shape`` with every element ``value``; its dtype by default that of ``gf.tensor(value)``.

    >>> import gradflow as gf
    >>> gf.full((2,), 0.5)
    tensor([0.5, 0.5])
    """
    where = CPU if device is None else as_device(device)
    natural = {bool: dtypes.bool_, int: dtypes.int64}.get(type(value), dtypes.get_default_dtype())
    chosen = natural if dtype is None else dtypes.as_dtype(dtype)
    if requires_grad:
        check_differentiable(chosen)
    return Tensor(backend_for(where).xp.full(as_shape("full", shape), value, chosen), requires_grad)


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
