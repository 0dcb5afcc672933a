"""Weighted sums of a few places along one axis: what resizing and adaptive pooling are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.dtypes import accumulator
from gradflow.ops.lookup import take
from gradflow.tensor import Tensor, tensor


def resampled(x: Tensor, axis: int, places: Any, weights: Any) -> Tensor:
    """``sum over t of weights[:, t] * x[places[:, t]]`` along ``axis``, for NumPy arrays (new size, terms)."""
    shape = (-1,) + (1,) * (x.ndim - 1 - axis)
    total: Tensor | None = None
    for at, weight in zip(places.T, weights.T, strict=True):
        part = take(x, at, axis)
        if not (weight == 1).all():
            part = part * tensor(weight.reshape(shape), x.dtype, x.device)
        total = part if total is None else total + part
    assert total is not None
    return total


def wide(x: Tensor) -> Tensor:
    """``x`` in a dtype in which weights and sums keep their digits."""
    working = accumulator(x.dtype)
    return x if x.dtype == working else x.astype(working)


def adaptive_ranges(size: int, count: int) -> tuple[Any, Any]:
    """Where each of ``count`` windows that cover ``size`` elements begins, and where it ends.

    >>> adaptive_ranges(5, 3)
    (array([0, 1, 3]), array([2, 4, 5]))
    """
    at = np.arange(count)
    return at * size // count, -(-(at + 1) * size // count)


def averaging(size: int, count: int) -> tuple[Any, Any]:
    """Places and weights with which ``resampled`` averages over ``adaptive_ranges``."""
    start, stop = adaptive_ranges(size, count)
    length = stop - start
    steps = np.arange(int(length.max(initial=1)))
    places = np.minimum(start[:, None] + steps, stop[:, None] - 1)
    return places, (steps < length[:, None]) / length[:, None]
