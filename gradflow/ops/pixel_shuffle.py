"""Channels as pixels, and pixels as channels."""

from __future__ import annotations

from typing import SupportsIndex

from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops.create import asarray
from gradflow.ops.shape import permute_dims, reshape
from gradflow.ops.slicing import integer
from gradflow.tensor import Tensor, TensorLike


def pixel_shuffle(input: TensorLike, upscale_factor: SupportsIndex) -> Tensor:
    """Every r * r channels as one channel of r times the height and width: (..., C r r, H, W) -> (..., C, H r, W r).

    Raises ShapeError unless the channels are a multiple of r * r, ArgumentError for a factor below 1.
    Source: Shi et al., "Real-time single image and video super-resolution ...", CVPR 2016.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.pixel_shuffle(gf.tensor([[[1.0]], [[2.0]], [[3.0]], [[4.0]]]), 2)
    tensor([[[1., 2.],
             [3., 4.]]])
    """
    x, r = _image("pixel_shuffle", input, upscale_factor)
    *lead, channels, height, width = x.shape
    if channels % (r * r):
        raise ShapeError(f"pixel_shuffle: the input is {x.shape}; its channels must be a multiple of {r} * {r}")
    parts = reshape(x, (*lead, channels // (r * r), r, r, height, width))
    n = len(lead)
    mixed = permute_dims(parts, (*range(n + 1), n + 3, n + 1, n + 4, n + 2))
    return reshape(mixed, (*lead, channels // (r * r), height * r, width * r))


def pixel_unshuffle(input: TensorLike, downscale_factor: SupportsIndex) -> Tensor:
    """The inverse of ``pixel_shuffle``: (..., C, H r, W r) -> (..., C r r, H, W).

    Raises ShapeError unless height and width are multiples of r, ArgumentError for a factor below 1.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.pixel_unshuffle(gf.tensor([[[1.0, 2.0], [3.0, 4.0]]]), 2).shape
    (4, 1, 1)
    """
    x, r = _image("pixel_unshuffle", input, downscale_factor)
    *lead, channels, height, width = x.shape
    if height % r or width % r:
        raise ShapeError(f"pixel_unshuffle: the input is {x.shape}; its last two sizes must be multiples of {r}")
    parts = reshape(x, (*lead, channels, height // r, r, width // r, r))
    n = len(lead)
    mixed = permute_dims(parts, (*range(n + 1), n + 2, n + 4, n + 1, n + 3))
    return reshape(mixed, (*lead, channels * r * r, height // r, width // r))


def _image(name: str, input: TensorLike, factor: SupportsIndex) -> tuple[Tensor, int]:
    x, r = asarray(input), integer(name, "the factor", factor)
    if x.ndim < 3:
        raise ShapeError(f"{name}: the input must be (..., C, H, W), got {x.shape}")
    if r < 1:
        raise ArgumentError(f"{name}: the factor must be 1 or more, got {factor}")
    return x, r
