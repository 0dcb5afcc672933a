"""Grids of coordinates, triangles of ones, and powers in columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import SupportsIndex

from gradflow.device import CPU, Device
from gradflow.dispatch import apply
from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops.arithmetic import power
from gradflow.ops.create import asarray, ones
from gradflow.ops.diagonal import tril
from gradflow.ops.floor_division import floor_divide, remainder
from gradflow.ops.gather import _ravel_multi_index
from gradflow.ops.join import stack
from gradflow.ops.path import index_array
from gradflow.ops.ranges import arange
from gradflow.ops.rearrange import flip
from gradflow.ops.shape import broadcast_to, reshape
from gradflow.ops.slicing import integer
from gradflow.shapes import as_shape
from gradflow.tensor import Tensor, TensorLike


def meshgrid(*tensors: TensorLike, indexing: str = "xy", sparse: bool = False) -> list[Tensor]:
    """The coordinates of a grid: for each vector an array of its elements over all the others.

    "ij" has the dimensions in the order of the vectors, "xy" the first two exchanged; ``sparse`` leaves the others at
    size 1. Raises ArgumentError for another indexing, ShapeError unless they are vectors or scalars.

    >>> import gradflow as gf
    >>> gf.meshgrid(gf.tensor([1, 2]), gf.tensor([3, 4, 5]), indexing="ij")[1]
    tensor([[3, 4, 5],
            [3, 4, 5]])
    """
    if indexing not in ("xy", "ij"):
        raise ArgumentError(f"meshgrid: indexing is {indexing!r}; it must be 'xy' or 'ij'")
    given = [asarray(each) for each in tensors]
    for each in given:
        if each.ndim > 1:
            raise ShapeError(f"meshgrid: takes vectors, got shape {each.shape}")
    places = list(range(len(given)))
    if indexing == "xy" and len(given) > 1:
        places[:2] = 1, 0
    lines = [
        reshape(each, tuple(each.size if i == place else 1 for i in range(len(given))))
        for each, place in zip(given, places, strict=True)
    ]
    if sparse:
        return lines
    sizes = {place: each.size for each, place in zip(given, places, strict=True)}
    return [broadcast_to(line, tuple(sizes[i] for i in range(len(given)))) for line in lines]


def indices(dimensions: Sequence[SupportsIndex], *, device: str | Device | None = None) -> Tensor:
    """The index of every place of an array with these ``dimensions``: of shape (ndim, *dimensions), int64.

    >>> import gradflow as gf
    >>> gf.indices((1, 3))[1]
    tensor([[0, 1, 2]])
    """
    lines = [arange(size, device=device) for size in as_shape("indices", dimensions)]
    return stack(meshgrid(*lines, indexing="ij"))


def unravel_index(indices: TensorLike, shape: SupportsIndex | Sequence[SupportsIndex]) -> tuple[Tensor, ...]:
    """For each index into a flattened array of ``shape`` its index along every dimension, as int64.

    Negative ones count from the end. Raises IndexOutOfRange for one past the end, DTypeError unless they are integers.

    >>> import gradflow as gf
    >>> gf.unravel_index(gf.tensor([5, 0]), (2, 3))
    (tensor([1, 0]), tensor([2, 0]))
    """
    sizes = as_shape("unravel_index", shape)
    rest = ravel_multi_index((indices,), math.prod(sizes))
    places: list[Tensor] = []
    for size in reversed(sizes):
        places.append(remainder(rest, size))
        rest = floor_divide(rest, size)
    return tuple(reversed(places))


def ravel_multi_index(multi_index: Sequence[TensorLike], dims: SupportsIndex | Sequence[SupportsIndex]) -> Tensor:
    """The index into the flattened array with sizes ``dims`` of indices along every dimension, which broadcast.

    Negative ones count from the end. Raises IndexOutOfRange for one past the end, ShapeError unless there are as many
    indices as dimensions.

    >>> import gradflow as gf
    >>> gf.ravel_multi_index((gf.tensor([1, 0]), gf.tensor([2, 0])), (2, 3))
    tensor([5, 0])
    """
    sizes = as_shape("ravel_multi_index", dims)
    given = [index_array("ravel_multi_index", each, CPU) for each in multi_index]
    if len(given) != len(sizes) or not given:
        raise ShapeError(f"ravel_multi_index: {len(given)} indices for {len(sizes)} dimensions, {sizes}")
    return apply(_ravel_multi_index, *given, name="ravel_multi_index", axes=tuple(range(len(sizes))), sizes=sizes)


def tri(
    rows: SupportsIndex, columns: SupportsIndex | None = None, k: SupportsIndex = 0, *, dtype: DTypeLike = None,
    device: str | Device | None = None,
) -> Tensor:  # fmt: skip
    """A matrix with ones on and below the ``k``-th diagonal and zeros above; float32 by default, and square.

    >>> import gradflow as gf
    >>> gf.tri(2, 3)
    tensor([[1., 0., 0.],
            [1., 1., 0.]])
    """
    return tril(ones((rows, rows if columns is None else columns), dtype=dtype, device=device), k)


def vander(x: TensorLike, n: SupportsIndex | None = None, *, increasing: bool = False) -> Tensor:
    """The powers of a vector's elements in ``n`` columns, from the highest down to 1, or ``increasing``.

    ``n`` is by default the vector's size. Raises ShapeError unless ``x`` is a vector.

    >>> import gradflow as gf
    >>> gf.vander(gf.tensor([2.0, 3.0]), 3)
    tensor([[4., 2., 1.],
            [9., 3., 1.]])
    """
    given = asarray(x)
    if given.ndim != 1:
        raise ShapeError(f"vander: x must be a vector, got shape {given.shape}")
    count = given.size if n is None else integer("vander", "n", n)
    powers = arange(count, device=given.device).astype(given.dtype)
    return power(given[:, None], powers if increasing else flip(powers))
