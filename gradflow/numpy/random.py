"""``numpy.random.default_rng`` for tensors: the methods of NumPy's Generator that gradflow's own numbers serve."""

from __future__ import annotations

from typing import Any, SupportsIndex

import numpy as np

from gradflow import dtypes
from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.errors import DTypeError
from gradflow.numpy.creation import asarray
from gradflow.numpy.queries import shape
from gradflow.ops import random as ours
from gradflow.ops.generator import Generator as Numbers
from gradflow.ops.lookup import take
from gradflow.tensor import Tensor, TensorLike

__all__ = ["Generator", "default_rng"]

Size = Any  # None, a number, or a tuple of numbers


class Generator:
    """Random tensors under the names that NumPy's Generator has; the numbers are gradflow's (Philox).

    Locations and scales may be tensors: gradients flow to them.

    >>> rng = Generator(0)
    >>> rng.normal(size=(2, 3)).shape, rng.integers(10).dtype
    ((2, 3), dtype('int64'))
    """

    def __init__(self, seed: SupportsIndex | None = None, device: str | Device = "cpu") -> None:
        self._numbers = Numbers(seed, device)
        self._device = device

    def _kind(self, dtype: DTypeLike) -> Any:
        chosen = dtypes.as_dtype(dtype)
        if chosen not in (dtypes.float32, dtypes.float64):
            raise DTypeError(f"random numbers are float32 or float64, not {chosen}; convert them with .astype")
        return {"dtype": chosen, "device": self._device, "generator": self._numbers}

    def random(self, size: Size = None, dtype: DTypeLike = float) -> Tensor:
        """Numbers evenly spread over [0, 1)."""
        return ours.uniform(() if size is None else size, **self._kind(dtype))

    def standard_normal(self, size: Size = None, dtype: DTypeLike = float) -> Tensor:
        """Normal numbers with mean 0 and standard deviation 1."""
        return ours.normal(() if size is None else size, **self._kind(dtype))

    def uniform(self, low: TensorLike = 0.0, high: TensorLike = 1.0, size: Size = None) -> Tensor:
        """Numbers evenly spread over [low, high)."""
        return asarray(low + (high - low) * self.random(_size(size, low, high)))

    def normal(self, loc: TensorLike = 0.0, scale: TensorLike = 1.0, size: Size = None) -> Tensor:
        """Normal numbers with mean ``loc`` and standard deviation ``scale``."""
        return asarray(loc + scale * self.standard_normal(_size(size, loc, scale)))

    def integers(self, low: SupportsIndex, high: SupportsIndex | None = None, size: Size = None) -> Tensor:
        """Whole numbers, int64, from ``low`` to below ``high``; with one argument, from 0 to below it."""
        first, last = (0, low) if high is None else (low, high)
        return ours.randint(first, last, () if size is None else size, device=self._device, generator=self._numbers)

    def permutation(self, x: Any, axis: int = 0) -> Tensor:
        """The numbers below ``x`` in random order, or ``x`` with what lies along ``axis`` in random order."""
        if isinstance(x, SupportsIndex) and not isinstance(x, Tensor):
            return ours.permutation(x, device=self._device, generator=self._numbers)
        given = asarray(x)
        order = ours.permutation(given.shape[axis], device=self._device, generator=self._numbers)
        return take(given, order, axis)


def _size(size: Size, *parameters: TensorLike) -> Size:
    """The size asked for, or what the parameters broadcast to."""
    return np.broadcast_shapes(*map(shape, parameters)) if size is None else size


def default_rng(seed: SupportsIndex | None = None) -> Generator:
    """A Generator of its own, the same numbers for the same ``seed``."""
    return Generator(seed)
