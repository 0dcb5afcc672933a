"""Tensors made of evenly spaced numbers: ranges and identity matrices."""

from __future__ import annotations

import math
from typing import Any, SupportsIndex

import numpy as np

from gradflow import dtypes
from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError, DTypeError
from gradflow.ops.slicing import integer
from gradflow.shapes import as_shape
from gradflow.tensor import Tensor, tensor


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: DTypeLike = None,
    device: str | Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """The numbers ``start``, ``start + step``, ... below ``stop``; with one argument, from 0 to below it.

    int64 for integers, otherwise float32 (the default dtype). Each number is rounded once, from float64.
    Raises ArgumentError for a step of 0 or a bound that is not finite, DTypeError for what is not a number.

    >>> import gradflow as gf
    >>> gf.arange(3), gf.arange(1, 2, 0.25)
    (tensor([0, 1, 2]), tensor([1.  , 1.25, 1.5 , 1.75]))
    """
    first, last = (0, start) if stop is None else (start, stop)
    _check_numbers("arange", start=first, stop=last, step=step)
    if step == 0:
        raise ArgumentError("arange: the step is 0, so the stop is never reached")
    whole = all(isinstance(each, SupportsIndex) for each in (first, last, step))
    natural = dtypes.int64 if whole else dtypes.get_default_dtype()
    chosen = natural if dtype is None else dtypes.as_dtype(dtype)
    count = -((first - last) // step) if whole else math.ceil((last - first) / step)
    each: Any = np.arange(max(0, count), dtype=dtypes.int64 if whole else dtypes.float64)
    values = first + step * each
    with np.errstate(invalid="ignore"):
        fits = dtypes.is_floating(chosen) or np.array_equal(values.astype(chosen), values)
    if not fits:
        raise ArgumentError(f"arange: {chosen} does not hold all of {first}, {first + step}, ... below {last}")
    return tensor(values, chosen, device, requires_grad)


def linspace(
    start: float,
    stop: float,
    num: SupportsIndex = 50,
    *,
    endpoint: bool = True,
    dtype: DTypeLike = None,
    device: str | Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """``num`` evenly spaced numbers from ``start`` to ``stop``, which is the last unless ``endpoint`` is False.

    float32 (the default dtype) unless ``dtype`` is given; each number is rounded once, from float64.

    >>> import gradflow as gf
    >>> gf.linspace(0, 1, 5)
    tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    _check_numbers("linspace", start=start, stop=stop)
    (count,) = as_shape("linspace", num)
    chosen = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
    return tensor(np.linspace(start, stop, count, endpoint=endpoint), chosen, device, requires_grad)


def eye(
    n_rows: SupportsIndex,
    n_cols: SupportsIndex | None = None,
    *,
    k: SupportsIndex = 0,
    dtype: DTypeLike = None,
    device: str | Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """The identity matrix, or ones on the ``k``-th diagonal (above the main one, below for negative ``k``) and zeros.

    >>> import gradflow as gf
    >>> gf.eye(2, 3, k=1)
    tensor([[0., 1., 0.],
            [0., 0., 1.]])
    """
    rows, columns = as_shape("eye", (n_rows, n_rows if n_cols is None else n_cols))
    chosen = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)
    return tensor(np.eye(rows, columns, integer("eye", "k", k)), chosen, device, requires_grad)


def _check_numbers(name: str, **numbers: float) -> None:
    for role, number in numbers.items():
        if not isinstance(number, int | float | np.integer | np.floating):
            raise DTypeError(f"{name}: {role} is a number, not {number!r}")
        if not abs(number) < math.inf:
            raise ArgumentError(f"{name}: {role} is {number}; it must be finite")
