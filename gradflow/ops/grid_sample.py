"""Images and volumes seen at the points of a grid, and grids of affine maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any, SupportsIndex

import numpy as np

from gradflow.dtypes import int64
from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops.arithmetic import where
from gradflow.ops.create import asarray
from gradflow.ops.elementwise import abs, clip
from gradflow.ops.interpolate import keys_weights
from gradflow.ops.logic import logical_and
from gradflow.ops.lookup import take
from gradflow.ops.ranges import arange
from gradflow.ops.rounding import floor, round
from gradflow.ops.shape import expand_dims, permute_dims, reshape
from gradflow.shapes import Shape, as_shape
from gradflow.tensor import Tensor, TensorLike, tensor

MODES = ("bilinear", "nearest", "bicubic")
PADDINGS = ("zeros", "border", "reflection")


def affine_grid(theta: TensorLike, size: Sequence[SupportsIndex], align_corners: bool = False) -> Tensor:
    """Where the elements of an output of ``size`` lie in the input under affine maps: a grid for ``grid_sample``.

    ``theta`` is (N, 2, 3) for a ``size`` of (N, C, H, W), the grid (N, H, W, 2); or (N, 3, 4) for (N, C, D, H, W).
    Raises ShapeError for other shapes. Source: Jaderberg et al., "Spatial transformer networks", NeurIPS 2015.

    >>> import gradflow.nn.functional as F
    >>> F.affine_grid([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]], (1, 1, 1, 2))
    tensor([[[[-0.5,  0. ],
              [ 0.5,  0. ]]]])
    """
    maps, shape = asarray(theta), as_shape("affine_grid", size)
    rank = len(shape) - 2
    if rank not in (2, 3) or maps.shape != (shape[0], rank, rank + 1):
        raise ShapeError(
            f"affine_grid: theta is {maps.shape}, the size {shape}; they must be (N, 2, 3) and (N, C, H, W), or "
            "(N, 3, 4) and (N, C, D, H, W)"
        )
    axes = [np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape[2:]]
    if not align_corners:
        axes = [axis * ((n - 1) / n) for axis, n in zip(axes, shape[2:], strict=True)]
    places = np.stack([*np.meshgrid(*axes, indexing="ij")[::-1], np.ones(shape[2:])], -1)
    base = tensor(places.reshape(-1, rank + 1), maps.dtype, maps.device)
    return reshape(base @ permute_dims(maps, (0, 2, 1)), (shape[0], *shape[2:], rank))


def grid_sample(
    input: TensorLike,
    grid: TensorLike,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = False,
) -> Tensor:
    """The input at the points of ``grid``: (N, C, H, W) and (N, h, w, 2) -> (N, C, h, w), or with a depth, and 3.

    The last dimension of the grid is x, y (and z), -1 and 1 for the edges of the input, or the centres of its corners
    with ``align_corners``. ``mode`` is "bilinear" (of eight neighbours in a volume), "nearest" or, for images,
    "bicubic". Outside the input is 0 ("zeros"), the nearest element ("border") or the input mirrored ("reflection").
    Raises ShapeError for other shapes, ArgumentError for another mode.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.grid_sample(gf.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), gf.zeros((1, 1, 1, 2)))
    tensor([[[[2.5]]]])
    """
    x, points = asarray(input), asarray(grid)
    rank = x.ndim - 2
    _check(x.shape, points.shape, mode, padding_mode)
    samples, channels, *sizes = x.shape
    last = permute_dims(x, (0, *range(2, x.ndim), 1))
    pixels = reshape(last, (samples * math.prod(sizes), channels))
    first = reshape(arange(samples, device=x.device) * math.prod(sizes), (-1,) + (1,) * rank)
    taps = [
        _taps(points[..., rank - 1 - axis], size, mode, padding_mode, align_corners) for axis, size in enumerate(sizes)
    ]
    total: Any = 0.0
    for corner in product(*taps):
        weight = corner[0][1]
        for _, part in corner[1:]:
            weight = weight * part
        place = first + _flat([index for index, _ in corner], sizes)
        total = total + take(pixels, place, 0) * expand_dims(weight, -1)
    return permute_dims(total, (0, rank + 1, *range(1, rank + 1)))


def _flat(indices: list[Tensor], sizes: list[int]) -> Tensor:
    flat = indices[0]
    for index, size in zip(indices[1:], sizes[1:], strict=True):
        flat = flat * size + index
    return flat


def _check(shape: Shape, points: Shape, mode: str, padding_mode: str) -> None:
    if len(shape) not in (4, 5) or len(points) != len(shape) or points[0] != shape[0] or points[-1] != len(shape) - 2:
        raise ShapeError(
            f"grid_sample: the input is {shape}, the grid {points}; they must be (N, C, H, W) and (N, h, w, 2), or "
            "(N, C, D, H, W) and (N, d, h, w, 3)"
        )
    if not all(shape[2:]):
        raise ShapeError(f"grid_sample: the input, {shape}, has an empty dimension, in which there is nothing to see")
    if mode not in MODES or (mode == "bicubic" and len(shape) == 5):
        raise ArgumentError(f"grid_sample: mode is one of {', '.join(MODES)}, the last for images; got {mode!r}")
    if padding_mode not in PADDINGS:
        raise ArgumentError(f"grid_sample: padding_mode is one of {', '.join(PADDINGS)}; got {padding_mode!r}")


def _taps(at: Tensor, size: int, mode: str, padding: str, align: bool) -> list[tuple[Tensor, Tensor]]:
    """Which elements along an axis of ``size`` are seen from coordinates ``at``, and their weights."""
    x = (at + 1) * ((size - 1) / 2) if align else ((at + 1) * size - 1) * 0.5
    if mode != "bicubic":
        x = _inside(x, size, padding, align)
    if mode == "nearest":
        return [_tap(round(x).detach(), x * 0 + 1, size)]
    left = floor(x).detach()
    t = x - left
    if mode == "bilinear":
        return [_tap(left, 1 - t, size), _tap(left + 1, t, size)]
    weights = keys_weights(t, lambda parts, _: parts)
    return [_tap(_inside(left + i, size, padding, align), weights[i + 1], size) for i in (-1, 0, 1, 2)]


def _tap(place: Tensor, weight: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The index of ``place``, and its weight, 0 outside the input."""
    seen = logical_and(place >= 0, place <= size - 1)
    return clip(place, 0, size - 1).astype(int64), where(seen, weight, 0.0)


def _inside(x: Tensor, size: int, padding: str, align: bool) -> Tensor:
    """Coordinates brought into the input."""
    if padding == "zeros":
        return x
    if padding == "reflection":
        low, span = (0.0, size - 1.0) if align else (-0.5, float(size))
        if not span:
            return x * 0
        away = abs(x - low)
        turns = floor(away * (1 / span)).detach()
        rest = away - turns * span
        x = where(turns % 2 == 0, rest, span - rest) + low
    return clip(x, 0, size - 1)
