"""What elements there are, and where: results whose size depends on values, which are read; no gradient flows."""

from __future__ import annotations

from typing import Any, NamedTuple, SupportsIndex

import numpy as np

from gradflow.errors import ShapeError
from gradflow.ops.create import asarray
from gradflow.ops.shape import ravel
from gradflow.ops.slicing import integer
from gradflow.shapes import normalize_axis
from gradflow.tensor import Tensor, TensorLike, tensor


class UniqueAll(NamedTuple):
    """Distinct values, where each is first, which one each element is, and how often each is there."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """Distinct values, and how often each is there."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """Distinct values, and which one each element is."""

    values: Tensor
    inverse_indices: Tensor


def _read(name: str, x: TensorLike) -> tuple[Any, Any]:
    """The elements in host memory, and the device to which what is made of them goes."""
    given = asarray(x)
    return given.detach()._read(name), given.device


def unique(
    x: TensorLike,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: SupportsIndex | None = None,
) -> Any:
    """The distinct elements in ascending order, or with ``axis`` the distinct parts along it; NumPy's ``unique``.

    With flags a tuple: the elements, where each is first, which one each element of ``x`` is (in the shape of ``x``
    unless ``axis`` is given), and how often each is there. All NaN are one. Found on the CPU.

    >>> import gradflow as gf
    >>> gf.unique(gf.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    array, device = _read("unique", x)
    along = None if axis is None else normalize_axis("unique", axis, array.ndim)
    numpys: Any = np.unique  # whose overloads have no flags that are variables
    found = numpys(array, return_index, return_inverse, return_counts, axis=along)
    if isinstance(found, tuple):
        return tuple(tensor(each, device=device) for each in found)
    return tensor(found, device=device)


def unique_all(x: TensorLike) -> UniqueAll:
    """The distinct elements of ``x``, where each is first, which one each element is, and how often each is there.

    The array API's: every NaN is distinct.

    >>> import gradflow as gf
    >>> gf.unique_all(gf.tensor([3, 1, 3])).inverse_indices
    tensor([1, 0, 1])
    """
    array, device = _read("unique_all", x)
    found = np.unique(array, True, True, True, equal_nan=False)
    values, indices, inverse, counts = (tensor(each, device=device) for each in found)
    return UniqueAll(values, indices, inverse.reshape(array.shape), counts)


def unique_counts(x: TensorLike) -> UniqueCounts:
    """The distinct elements of ``x``, and how often each is there; every NaN is distinct.

    >>> import gradflow as gf
    >>> gf.unique_counts(gf.tensor([3, 1, 3]))
    UniqueCounts(values=tensor([1, 3]), counts=tensor([1, 2]))
    """
    found = unique_all(x)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(x: TensorLike) -> UniqueInverse:
    """The distinct elements of ``x``, and which one each element is, in the shape of ``x``; every NaN is distinct.

    >>> import gradflow as gf
    >>> gf.unique_inverse(gf.tensor([3, 1, 3]))
    UniqueInverse(values=tensor([1, 3]), inverse_indices=tensor([1, 0, 1]))
    """
    found = unique_all(x)
    return UniqueInverse(found.values, found.inverse_indices)


def unique_values(x: TensorLike) -> Tensor:
    """The distinct elements of ``x`` in ascending order; every NaN is distinct.

    >>> import gradflow as gf
    >>> gf.unique_values(gf.tensor([3, 1, 3]))
    tensor([1, 3])
    """
    return unique_all(x).values


def nonzero(x: TensorLike) -> tuple[Tensor, ...]:
    """The indices, int64, of the elements that are not 0: a vector for each dimension, as index arrays are.

    Raises ShapeError for a scalar.

    >>> import gradflow as gf
    >>> gf.nonzero(gf.tensor([0.0, 2.0, 3.0]))
    (tensor([1, 2]),)
    """
    array, device = _read("nonzero", x)
    if not array.ndim:
        raise ShapeError("nonzero: a scalar has no indices; use x != 0")
    return tuple(tensor(each, device=device) for each in np.nonzero(array))


def flatnonzero(x: TensorLike) -> Tensor:
    """The indices, int64, into the flattened tensor of the elements that are not 0.

    >>> import gradflow as gf
    >>> gf.flatnonzero(gf.tensor([[0, 1], [2, 0]]))
    tensor([1, 2])
    """
    return nonzero(ravel(x))[0]


def argwhere(x: TensorLike) -> Tensor:
    """The indices of the elements that are not 0, a row (ndim,) for each.

    >>> import gradflow as gf
    >>> gf.argwhere(gf.tensor([[0, 1], [2, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    array, device = _read("argwhere", x)
    return tensor(np.argwhere(array), device=device)


def triu_indices(n: SupportsIndex, k: SupportsIndex = 0, m: SupportsIndex | None = None) -> tuple[Tensor, Tensor]:
    """Row and column numbers of the elements of an (n, m) matrix on and above the ``k``-th diagonal; m is n by default.

    >>> import gradflow as gf
    >>> gf.triu_indices(2)
    (tensor([0, 0, 1]), tensor([0, 1, 1]))
    """
    sizes = integer("triu_indices", "n", n), integer("triu_indices", "m", n if m is None else m)
    rows, columns = np.triu_indices(sizes[0], integer("triu_indices", "k", k), sizes[1])
    return tensor(rows), tensor(columns)


def tril_indices(n: SupportsIndex, k: SupportsIndex = 0, m: SupportsIndex | None = None) -> tuple[Tensor, Tensor]:
    """Row and column numbers of the elements of an (n, m) matrix on and below the ``k``-th diagonal; m is n by default.

    >>> import gradflow as gf
    >>> gf.tril_indices(2)
    (tensor([0, 1, 1]), tensor([0, 0, 1]))
    """
    sizes = integer("tril_indices", "n", n), integer("tril_indices", "m", n if m is None else m)
    rows, columns = np.tril_indices(sizes[0], integer("tril_indices", "k", k), sizes[1])
    return tensor(rows), tensor(columns)


def diag_indices(n: SupportsIndex, ndim: SupportsIndex = 2) -> tuple[Tensor, ...]:
    """The indices of the main diagonal of an array with ``ndim`` dimensions of size ``n``.

    >>> import gradflow as gf
    >>> gf.diag_indices(2)
    (tensor([0, 1]), tensor([0, 1]))
    """
    places = tensor(np.arange(integer("diag_indices", "n", n)))
    return (places,) * integer("diag_indices", "ndim", ndim)
