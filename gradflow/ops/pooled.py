"""Pooling with windows of one size: the mean, maximum or p-norm of every window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops.conv import batched, unbatched
from gradflow.ops.create import asarray, zeros
from gradflow.ops.gather import _put, _ravel_multi_index
from gradflow.ops.pooling import _max_pool, _max_pool_index, _window_sum, by_plane
from gradflow.ops.shape import ravel, reshape
from gradflow.ops.slicing import integer
from gradflow.ops.windows import Sizes, Windows, check_counts, sizes_of
from gradflow.shapes import Shape
from gradflow.tensor import Tensor, TensorLike, tensor


def pool_windows(
    name: str,
    sizes: Shape,
    kernel: Sizes,
    stride: Sizes | None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Windows:
    """The windows of a pooling layer over ``sizes``: by default side by side, and with ``ceil_mode`` one more for the
    rest, if it begins inside."""
    rank = len(sizes)
    extent = sizes_of(name, "kernel_size", kernel, rank, 1)
    steps = extent if stride is None else sizes_of(name, "stride", stride, rank, 1)
    around = sizes_of(name, "padding", padding, rank)
    apart = sizes_of(name, "dilation", dilation, rank, 1)
    if any(2 * pad > size for pad, size in zip(around, extent, strict=True)):
        raise ArgumentError(f"{name}: padding {around} is more than half of the kernel, {extent}")
    windows = Windows(extent, steps, tuple((pad, pad) for pad in around), apart)
    if ceil_mode:
        each = zip(sizes, steps, around, windows.extents(), strict=True)
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


def max_pool(name: str, rank: int, input: TensorLike, *how: Any, return_indices: bool = False) -> Any:
    """``max_pool1d`` to ``max_pool3d``, by rank."""
    x = batched(name, input, rank)
    windows = pool_windows(name, x.shape[2:], *how)
    out = unbatched(apply(_max_pool, x, windows=windows), input, rank)
    if not return_indices:
        return out
    return out, unbatched(apply(_max_pool_index, x, windows=windows), input, rank)


def max_unpool(
    name: str,
    rank: int,
    input: TensorLike,
    indices: TensorLike,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    output_size: Sequence[SupportsIndex] | None,
) -> Tensor:
    """``max_unpool1d`` to ``max_unpool3d``, by rank."""
    x, places = batched(name, input, rank), batched(name, indices, rank)
    if x.shape != places.shape:
        raise ShapeError(f"{name}: the input is {x.shape}, the indices {places.shape}; they must be the same")
    kernel = sizes_of(name, "kernel_size", kernel_size, rank, 1)
    steps = kernel if stride is None else sizes_of(name, "stride", stride, rank, 1)
    around = sizes_of(name, "padding", padding, rank)
    each = zip(x.shape[2:], steps, around, kernel, strict=True)
    sizes = tuple((count - 1) * step - 2 * pad + size for count, step, pad, size in each)
    if output_size is not None:
        sizes = sizes_of(name, "output_size", tuple(output_size)[-rank:], rank, 1)
    room = zeros((x.shape[0] * x.shape[1] * math.prod(sizes),), dtype=x.dtype, device=x.device)
    inside = apply(_ravel_multi_index, places, name=name, axes=(2,), sizes=(math.prod(sizes),))
    filled = apply(_put, room, ravel(x), ravel(by_plane(inside, sizes)), axis=0)
    return unbatched(reshape(filled, (*x.shape[:2], *sizes)), input, rank)


def avg_pool(
    name: str,
    rank: int,
    input: TensorLike,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: SupportsIndex | None = None,
) -> Tensor:
    """``avg_pool1d`` to ``avg_pool3d``, by rank."""
    x = batched(name, input, rank)
    windows = pool_windows(name, x.shape[2:], kernel_size, stride, padding, 1, ceil_mode)
    total = apply(_window_sum, x, windows=windows)
    if divisor_override is None:
        divisors = _divisors(windows, x.shape[2:], sizes_of(name, "padding", padding, rank), count_include_pad)
    else:
        divisors = np.asarray(integer(name, "divisor_override", divisor_override))
        if not divisors:
            raise ArgumentError(f"{name}: divisor_override cannot be 0")
    return unbatched(total * _factor(1 / divisors, total), input, rank)


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


def lp_pool(
    name: str,
    rank: int,
    input: TensorLike,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None,
    ceil_mode: bool,
) -> Tensor:
    """``lp_pool1d`` to ``lp_pool3d``, by rank."""
    if not norm_type:
        raise ArgumentError(f"{name}: norm_type cannot be 0")
    elements = math.prod(sizes_of(name, "kernel_size", kernel_size, rank, 1))
    mean = avg_pool(name, rank, asarray(input) ** float(norm_type), kernel_size, stride, 0, ceil_mode, True)
    root: Tensor = (mean * elements) ** (1 / float(norm_type))
    return root
