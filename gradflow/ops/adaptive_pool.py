"""Pooling to a given size, whatever the size of the input, over one, two and three dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any, SupportsIndex

from gradflow.dispatch import apply
from gradflow.dtypes import int64
from gradflow.errors import ShapeError
from gradflow.op import Op, Spec
from gradflow.ops.gather import _take
from gradflow.ops.pooling import _window_sum, by_plane, check_real
from gradflow.ops.precision import Array
from gradflow.ops.ranks import batched, by_rank, unbatched
from gradflow.ops.resample import adaptive_ranges, averaging, resampled, wide
from gradflow.ops.shape import ravel
from gradflow.ops.windows import Windows, sizes_of
from gradflow.samples import Real, sample
from gradflow.shapes import Shape
from gradflow.tensor import Tensor, TensorLike

Target = SupportsIndex | Sequence[SupportsIndex | None] | None


def _adaptive_avg_pool(name: str, rank: int, input: TensorLike, output_size: Target) -> Tensor:
    """The means of as many windows as ``output_size`` says, which cover the input: (N, C, H, W) or without N.

    Along each dimension window i is from floor(i * size / count) to ceil((i + 1) * size / count): windows may overlap.
    ``output_size`` is a number or one for each dimension, None for the size of the input.
    Raises ShapeError for an input of another rank or an empty one, ArgumentError for a size below 1.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.adaptive_avg_pool2d(gf.ones((1, 2, 5, 5)), 3).shape
    (1, 2, 3, 3)
    """
    x = batched(name, input, rank)
    sizes, target = x.shape[2:], _target(name, x.shape[2:], output_size)
    if all(count and size % count == 0 for size, count in zip(sizes, target, strict=True)):
        kernel = tuple(size // count for size, count in zip(sizes, target, strict=True))
        windows = Windows(kernel, kernel, ((0, 0),) * rank, (1,) * rank)
        out = apply(_window_sum, x, windows=windows) * (1 / math.prod(kernel))
    else:
        out = wide(x)
        for axis, (size, count) in enumerate(zip(sizes, target, strict=True), start=2):
            out = resampled(out, axis, *averaging(size, count))
        out = out if out.dtype == x.dtype else out.astype(x.dtype)
    return unbatched(out, input, rank)


def _adaptive_max_pool(
    name: str, rank: int, input: TensorLike, output_size: Target, return_indices: bool = False
) -> Any:
    """The maxima of as many windows as ``output_size`` says, which cover the input: (N, C, H, W) or without N.

    The windows are those of ``adaptive_avg_pool2d``; with ``return_indices`` also where in the flattened plane the
    maxima were. The gradient goes to the first maximum. Raises ShapeError, ArgumentError, and DTypeError for integers.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.adaptive_max_pool2d(gf.ones((1, 2, 5, 5)), 3).shape
    (1, 2, 3, 3)
    """
    x = batched(name, input, rank)
    target = _target(name, x.shape[2:], output_size)
    index = apply(_adaptive_max_index, x, sizes=target)
    out = unbatched(apply(_take, ravel(x), by_plane(index, x.shape[2:]), axis=0), input, rank)
    return (out, unbatched(index, input, rank)) if return_indices else out


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = by_rank(_adaptive_avg_pool)
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = by_rank(_adaptive_max_pool)


def _target(name: str, sizes: Shape, output_size: Target) -> Shape:
    given = tuple(output_size) if isinstance(output_size, Sequence) else (output_size,) * len(sizes)
    if len(given) != len(sizes):
        raise ShapeError(f"{name}: output_size {output_size} must be a number, or {len(sizes)}")
    target = tuple(size if each is None else each for size, each in zip(sizes, given, strict=True))
    if not all(sizes):
        raise ShapeError(f"{name}: the input has sizes {sizes}, and there is nothing in an empty dimension to pool")
    return sizes_of(name, "output_size", target, len(sizes), 1)


def _adaptive_max_index_forward(xp: Any, x: Array, *, sizes: Shape, out: Array | None = None) -> Array:
    rank = len(sizes)
    planes = x.shape[-rank:]
    index = xp.empty((*x.shape[:-rank], *sizes), int64) if out is None else out
    ranges = [list(zip(*map(list, adaptive_ranges(*each)), strict=True)) for each in zip(planes, sizes, strict=True)]
    grid = xp.arange(math.prod(planes)).reshape(planes)
    for place in product(*map(range, sizes)):
        where = tuple(slice(*ranges[axis][i]) for axis, i in enumerate(place))
        window = x[..., *where]
        best = window.reshape((*x.shape[:-rank], grid[where].size)).argmax(axis=-1)  # the first NaN if there is one
        index[..., *place] = grid[where].reshape(-1)[best]
    return index


def _index_spec(x: Spec, sizes: Shape) -> Spec:
    check_real("adaptive_max_pool", x)
    return Spec((*x.shape[: -len(sizes)], *sizes), int64)


# the position in its plane of the first maximum of each of ``sizes`` windows that cover it
_adaptive_max_index = Op(
    name="adaptive_max_index",
    forward=_adaptive_max_index_forward,
    spec=_index_spec,
    samples=(
        sample(Real((2, 3, 5), distinct=True), sizes=(3,)),
        sample(Real((2, 1, 5, 4), distinct=True), sizes=(2, 4)),
        sample(Real((1, 2, 3, 2, 3), distinct=True), sizes=(2, 1, 2)),
        sample(Real((0, 2, 4)), sizes=(3,)),
    ),
)
