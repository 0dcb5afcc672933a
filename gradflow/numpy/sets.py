"""Sets of elements: found on the host, taken from the tensors, so that gradients flow to where the values are from."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.numpy.creation import asarray
from gradflow.numpy.on_host import of_elements, on_device
from gradflow.ops.join import concat
from gradflow.ops.lookup import take
from gradflow.ops.reduce import any as _any
from gradflow.ops.shape import ravel
from gradflow.tensor import Tensor, TensorLike

__all__ = ["intersect1d", "isin", "setdiff1d", "setxor1d", "union1d"]


def isin(
    element: TensorLike,
    test_elements: TensorLike,
    assume_unique: bool = False,
    invert: bool = False,
    *,
    kind: str | None = None,
) -> Tensor:
    """Whether an element is one of ``test_elements``."""
    found = _any(asarray(element)[..., None] == ravel(asarray(test_elements)), axis=-1)
    return ~found if invert else found


def union1d(ar1: TensorLike, ar2: TensorLike) -> Tensor:
    """The distinct elements of both, in order."""
    return _chosen("union1d", ar1, ar2, lambda values, first: np.unique(values, return_index=True)[1])


def intersect1d(ar1: TensorLike, ar2: TensorLike, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """The distinct elements that are in both, in order; with ``return_indices`` where each is first in both, too."""

    found: list[Any] = []

    def places(values: Any, first: int) -> Any:
        _, *found[:] = np.intersect1d(values[:first], values[first:], assume_unique, return_indices=True)
        return found[0]

    values = _chosen("intersect1d", ar1, ar2, places)
    return (values, *on_device(found, values.device)) if return_indices else values


def setdiff1d(ar1: TensorLike, ar2: TensorLike, assume_unique: bool = False) -> Tensor:
    """The distinct elements of the first that are not in the second, in order; as they are with ``assume_unique``."""

    def places(values: Any, first: int) -> Any:
        own = values[:first]
        distinct = np.arange(first) if assume_unique else np.unique(own, return_index=True)[1]
        return distinct[np.isin(own[distinct], values[first:], invert=True)]

    return asarray(_chosen("setdiff1d", ar1, ar2, places), asarray(ar1).dtype)


def setxor1d(ar1: TensorLike, ar2: TensorLike, assume_unique: bool = False) -> Tensor:
    """The distinct elements that are in one of the two alone, in order."""

    def places(values: Any, first: int) -> Any:
        both = values[:first], values[first:]
        distinct = [np.arange(x.size) if assume_unique else np.unique(x, return_index=True)[1] for x in both]
        where = np.concatenate([distinct[0], distinct[1] + first])
        where = where[np.argsort(values[where], kind="stable")]
        changes = np.concatenate([[True], values[where][1:] != values[where][:-1], [True]])
        return where[changes[1:] & changes[:-1]]

    return _chosen("setxor1d", ar1, ar2, places)


def _chosen(name: str, ar1: TensorLike, ar2: TensorLike, places: Any) -> Tensor:
    """The elements of both tensors, in a row, at what ``places`` makes of their values and the size of the first."""
    first = ravel(asarray(ar1))
    joined = concat([first, ravel(asarray(ar2))], 0)
    return take(joined, of_elements(name, places)(joined, first.size))
