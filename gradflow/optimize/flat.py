"""Containers of tensors as one vector, and back."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.dtypes import float64
from gradflow.errors import ArgumentError, DTypeError, GradientError, ShapeError
from gradflow.mode import enable_grad
from gradflow.ops.create import asarray, full_like
from gradflow.ops.join import concat
from gradflow.ops.shape import reshape
from gradflow.tensor import Tensor
from gradflow.transforms import tree


class Flat:
    """``given``, a tensor, an array, a list of numbers or a nested container of tensors, as the vector ``vector``.

    Integers and Python's numbers become float64. Raises DTypeError for complex numbers and for what is no number,
    ArgumentError if there is nothing.
    """

    def __init__(self, name: str, given: Any, what: str = "x0") -> None:
        self.name = name
        self.what = what
        leaves = tree.leaves(given)
        if not isinstance(given, dict) and leaves and all(isinstance(x, int | float | np.generic) for x in leaves):
            given = np.asarray(given, np.float64)  # as SciPy takes a list of numbers
        self.given = given
        tensors = [self._floating(x) for x in tree.leaves(given)]
        self.shapes = [x.shape for x in tensors]
        if not sum(x.size for x in tensors):
            raise ArgumentError(f"{name}: {what} has no elements; there is nothing to vary")
        if len({(x.dtype, x.device) for x in tensors}) > 1:
            kinds = ", ".join(f"{x.dtype} on {x.device}" for x in tensors)
            raise DTypeError(f"{name}: the tensors of {what} must have one dtype and one device, and are {kinds}")
        self.vector = self._joined(tensors)

    def _floating(self, x: Any) -> Tensor:
        value = asarray(x).detach()
        if value.dtype.kind in "iub":
            value = value.astype(float64)
        if value.dtype.kind != "f" or value.dtype.itemsize < 4:
            raise DTypeError(f"{self.name}: {self.what} is {value.dtype}; it must be float32 or float64")
        return value

    def _joined(self, tensors: list[Tensor]) -> Tensor:
        return concat([reshape(x, (-1,)) for x in tensors]) if len(tensors) > 1 else reshape(tensors[0], (-1,))

    def check_reached(self, of: Callable[[Tensor], Tensor]) -> None:
        """Raise GradientError if what ``of`` returns is not made of ``vector`` by operations on tensors."""
        with enable_grad():
            reached = of(self.vector.detach().requires_grad_()).requires_grad
        if not reached:
            raise GradientError(
                f"{self.name}: what fun returns does not depend on x by operations on tensors, so that there is no "
                "gradient; float(), .item(), .numpy() and .detach() leave it behind: return the tensor, or give jac"
            )

    def filled(self, vector: Tensor) -> Any:
        """``vector`` in the structure of what was given."""
        stops = [0, *itertools.accumulate(int(np.prod(shape)) for shape in self.shapes)]
        if len(self.shapes) == 1:
            parts = [reshape(vector, self.shapes[0])]
        else:
            parts = [
                reshape(vector[a:b], shape) for a, b, shape in zip(stops[:-1], stops[1:], self.shapes, strict=True)
            ]
        return tree.filled(self.given, iter(parts))

    def flattened(self, what: str, given: Any) -> Tensor:
        """A container like x0, a vector of as many elements or one number for all, as a vector of the same dtype."""
        like = self.vector
        if isinstance(given, int | float):
            return full_like(like, given)
        leaves = tree.leaves(given)
        if isinstance(given, list | tuple) and all(isinstance(x, int | float | np.generic) for x in leaves):
            leaves = [np.asarray(given)]
        tensors = [asarray(x, dtype=like.dtype, device=like.device).detach() for x in leaves]
        found = self._joined(tensors) if tensors else None
        if found is None or found.shape != like.shape:
            shapes = ", ".join(str(x.shape) for x in tensors)
            raise ShapeError(f"{self.name}: {what} is {shapes}; {self.what} has {', '.join(map(str, self.shapes))}")
        return found
