"""Pooling with windows of one size, with PyTorch's names and arguments, over one, two and three dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops import pooling
from gradflow.ops.create import asarray, zeros
from gradflow.ops.gather import _put, _ravel_multi_index
from gradflow.ops.ranks import batched, by_rank, unbatched
from gradflow.ops.shape import ravel, reshape
from gradflow.ops.slicing import integer
from gradflow.ops.windows import Sizes, Windows, check_counts, sizes_of
from gradflow.shapes import Shape
from gradflow.tensor import Tensor, TensorLike, tensor


def _max_pool(
    name: str,
    rank: int,
    input: TensorLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of every window: (N, C, H, W) or without N.

    Windows of ``kernel_size``, a number or one for each dimension, begin ``stride`` apart (by default they are side by
    side); their elements are ``dilation`` apart. ``padding`` is never a maximum; with ``ceil_mode`` a last window may
    reach past the end. The gradient goes to the first maximum. With ``return_indices`` the result is a pair: also where
    the maxima were, as positions in the flattened input of a channel. Raises ShapeError for an input of another rank
    or smaller than a window, ArgumentError for a setting out of range, DTypeError unless the input is floating.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.max_pool2d(gf.ones((1, 1, 4, 4)), 2).shape
    (1, 1, 2, 2)
    """
    x = batched(name, input, rank)
    windows = _windows(name, x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    out = unbatched(apply(pooling._max_pool, x, windows=windows), input, rank)
    if not return_indices:
        return out
    return out, unbatched(apply(pooling._max_pool_index, x, windows=windows), input, rank)


def _avg_pool(
    name: str,
    rank: int,
    input: TensorLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: SupportsIndex | None = None,
) -> Tensor:
    """The mean of every window: (N, C, H, W) or without N.

    Windows are as in ``max_pool2d``. ``count_include_pad`` says whether the zeros of the padding count, in number too;
    ``divisor_override`` is what sums are divided by instead of the number of elements.
    Raises ShapeError and ArgumentError as ``max_pool2d`` does.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.avg_pool2d(gf.ones((1, 1, 4, 4)), 2).shape
    (1, 1, 2, 2)
    """
    x = batched(name, input, rank)
    windows = _windows(name, x.shape[2:], kernel_size, stride, padding, 1, ceil_mode)
    total = apply(pooling._window_sum, x, windows=windows)
    if divisor_override is None:
        divisors = _divisors(windows, x.shape[2:], sizes_of(name, "padding", padding, rank), count_include_pad)
    else:
        divisors = np.asarray(integer(name, "divisor_override", divisor_override))
        if not divisors:
            raise ArgumentError(f"{name}: divisor_override cannot be 0")
    return unbatched(total * _factor(1 / divisors, total), input, rank)


def _lp_pool(
    name: str,
    rank: int,
    input: TensorLike,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """The p-norm of every window: (N, C, H, W) or without N.

    ``(sum of x**p) ** (1 / p)`` with ``norm_type`` p, for windows as in ``avg_pool2d``, without padding.
    Raises ArgumentError for a ``norm_type`` of 0, ShapeError for a window larger than the input.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.lp_pool2d(gf.ones((1, 1, 4, 4)), 3, 2).shape
    (1, 1, 2, 2)
    """
    if not norm_type:
        raise ArgumentError(f"{name}: norm_type cannot be 0")
    elements = math.prod(sizes_of(name, "kernel_size", kernel_size, rank, 1))
    mean = _avg_pool(name, rank, asarray(input) ** float(norm_type), kernel_size, stride, ceil_mode=ceil_mode)
    root: Tensor = (mean * elements) ** (1 / float(norm_type))
    return root


def _max_unpool(
    name: str,
    rank: int,
    input: TensorLike,
    indices: TensorLike,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[SupportsIndex] | None = None,
) -> Tensor:
    """The inverse of ``max_pool2d``: maxima at the places its ``indices`` say, and 0 elsewhere.

    ``output_size`` is the size that was pooled, which kernel, stride and padding do not always say.
    Raises ShapeError if input and indices differ in shape, IndexOutOfRange for a place outside.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.max_unpool2d(*F.max_pool2d(gf.ones((1, 1, 4, 4)), 2, return_indices=True), 2).shape
    (1, 1, 4, 4)
    """
    x, places = batched(name, input, rank), batched(name, indices, rank)
    if x.shape != places.shape:
        raise ShapeError(f"{name}: the input is {x.shape}, the indices {places.shape}; they must be the same")
    windows = _side_by_side(name, rank, kernel_size, stride, padding)
    each = zip(x.shape[2:], windows.stride, windows.padding, windows.kernel, strict=True)
    sizes = tuple((count - 1) * step - before - after + size for count, step, (before, after), size in each)
    if output_size is not None:
        sizes = sizes_of(name, "output_size", tuple(output_size)[-rank:], rank, 1)
    room = zeros((x.shape[0] * x.shape[1] * math.prod(sizes),), dtype=x.dtype, device=x.device)
    inside = apply(_ravel_multi_index, places, name=name, axes=(2,), sizes=(math.prod(sizes),))
    filled = apply(_put, room, ravel(x), ravel(pooling.by_plane(inside, sizes)), axis=0)
    return unbatched(reshape(filled, (*x.shape[:2], *sizes)), input, rank)


max_pool1d, max_pool2d, max_pool3d = by_rank(_max_pool)
avg_pool1d, avg_pool2d, avg_pool3d = by_rank(_avg_pool)
lp_pool1d, lp_pool2d, lp_pool3d = by_rank(_lp_pool)
max_unpool1d, max_unpool2d, max_unpool3d = by_rank(_max_unpool)


def _side_by_side(
    name: str, rank: int, kernel: Sizes, stride: Sizes | None, padding: Sizes, dilation: Sizes = 1
) -> Windows:
    """Windows as they are given; without a ``stride`` they lie side by side."""
    extent = sizes_of(name, "kernel_size", kernel, rank, 1)
    steps = extent if stride is None else sizes_of(name, "stride", stride, rank, 1)
    around = tuple((pad, pad) for pad in sizes_of(name, "padding", padding, rank))
    return Windows(extent, steps, around, sizes_of(name, "dilation", dilation, rank, 1))


def _windows(
    name: str, sizes: Shape, kernel: Sizes, stride: Sizes | None, padding: Sizes, dilation: Sizes, ceil_mode: bool
) -> Windows:
    """The windows over ``sizes``; with ``ceil_mode`` there is one more for the rest, if it begins inside."""
    windows = _side_by_side(name, len(sizes), kernel, stride, padding, dilation)
    around = tuple(before for before, _ in windows.padding)
    if any(2 * pad > size for pad, size in zip(around, windows.kernel, strict=True)):
        raise ArgumentError(f"{name}: padding {around} is more than half of the kernel, {windows.kernel}")
    if ceil_mode:
        each = zip(sizes, windows.stride, around, windows.extents(), strict=True)
        pairs = tuple((pad, _for_the_rest(size, step, pad, long)) for size, step, pad, long in each)
        windows = windows._replace(padding=pairs)
    check_counts(name, windows, sizes)
    return windows


def _for_the_rest(size: int, step: int, pad: int, extent: int) -> int:
    """The padding after an input of ``size`` with which a last window that is not full fits."""
    count = -(-(size + 2 * pad - extent) // step) + 1
    if (count - 1) * step >= size + pad:
        count -= 1
    return max(pad, (count - 1) * step + extent - size - pad)


def _divisors(windows: Windows, sizes: Shape, padding: Shape, count_pad: bool) -> Any:
    """How many elements every window has: those of the input, and if ``count_pad`` of its ``padding``."""
    found: Any = np.ones(())
    counts = windows.counts(sizes)
    for axis, (size, pad, count) in enumerate(zip(sizes, padding, counts, strict=True)):
        start = np.arange(count) * windows.stride[axis] - pad
        stop = np.minimum(start + windows.kernel[axis], size + pad)
        inside = stop - start if count_pad else np.minimum(stop, size) - np.maximum(start, 0)
        found = found[..., None] * inside
    return found


def _factor(factors: Any, x: Tensor) -> TensorLike:
    """``factors`` as one number if they are equal, or as a tensor beside ``x``."""
    first = factors.flat[0] if factors.size else 1.0
    return float(first) if (factors == first).all() else tensor(factors, x.dtype, x.device)
