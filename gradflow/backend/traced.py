"""Arrays inside a transform: what the transformed function sees, and the tensor that stands for it below."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.dtypes import DType
from gradflow.errors import TransformError
from gradflow.shapes import Shape, size_of


class Traced:
    """The data of a tensor inside ``vmap`` or ``jvp``: a shape and a dtype, over a tensor one level below.

    ``level`` is the transform (see gradflow/transforms/level.py), ``value`` the tensor below: the primal of a dual
    number, or all examples of a batch.
    """

    __slots__ = ("dtype", "level", "shape", "value")

    def __init__(self, level: Any, value: Any, shape: Shape) -> None:
        self.level = level
        self.value = value
        self.shape = shape
        self.dtype: DType = value.data.dtype

    @property
    def ndim(self) -> int:
        """The number of dimensions that the function sees."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements that the function sees."""
        return size_of(self.shape)

    @property
    def flags(self) -> Any:
        """How the array below lies in memory."""
        return self.value.data.flags

    @property
    def bottom(self) -> Any:
        """The array that is really there."""
        data = self.value.data
        return data.bottom if isinstance(data, Traced) else data

    @property
    def device(self) -> Any:
        """Where a GPU array is, as CuPy says it."""
        return self.bottom.device

    def reshape(self, shape: Shape) -> Any:
        """The elements in another shape, for a mask whose true elements are to be found."""
        return np.asarray(self.read("a mask as an index")).reshape(shape)

    def astype(self, dtype: DType) -> Any:
        """What cannot be done here: data that is converted is no longer that of the transform."""
        raise TransformError(
            f"tensor: cannot make a new tensor of one inside {self.level.name}; use x.astype('{dtype}')"
        )

    def read(self, attempt: str) -> Any:
        """The elements as a NumPy array, for ``attempt``; an error where they cannot be had."""
        raise NotImplementedError

    def detached(self) -> Any:
        """The data that no derivative flows through."""
        raise NotImplementedError
