"""Signals, images and volumes in another size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops.adaptive_pool import _adaptive_avg_pool
from gradflow.ops.create import asarray
from gradflow.ops.lookup import take
from gradflow.ops.pooling import _window_spread
from gradflow.ops.resample import resampled, wide
from gradflow.ops.windows import Sizes, Windows, sizes_of
from gradflow.shapes import Shape
from gradflow.tensor import Tensor, TensorLike

RANKS = {"linear": (1,), "bilinear": (2,), "bicubic": (2,), "trilinear": (3,)}
NEAREST = ("nearest", "nearest-exact", "area")
CUBIC = -0.75  # the a of Keys' kernel, as PyTorch and OpenCV have it


def interpolate(
    input: TensorLike,
    size: Sizes | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """The input in another size: (N, C, L), (N, C, H, W) or (N, C, D, H, W), resized in all but the first two.

    Either ``size`` or ``scale_factor``, one number or one for each dimension; sizes are rounded down. ``mode`` is
    "nearest" (PyTorch's rounding), "nearest-exact" (that of image libraries), "area" (the mean of what is covered),
    "linear", "bilinear", "trilinear" or "bicubic" (Keys, 1981, with a = -0.75), by the rank. ``align_corners`` says
    that the centres of the corners keep their place, and not the edges of the image. ``recompute_scale_factor`` uses
    the ratio of sizes instead of the given factor. ``antialias``, for "bilinear" and "bicubic", widens the kernel by
    that ratio where an image is made smaller, as image libraries do (bicubic has a = -0.5 then); else nothing is
    smoothed.

    Raises ArgumentError for a mode that does not suit the rank or a setting that does not suit the mode, ShapeError
    for an input of another rank.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.interpolate(gf.tensor([[[0.0, 1.0]]]), 4, mode="linear")
    tensor([[[0.  , 0.25, 0.75, 1.  ]]])
    """
    x = asarray(input)
    _check(x.shape, mode, align_corners)
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ArgumentError(f"interpolate: antialias is for bilinear and bicubic, not {mode}")
    rank = x.ndim - 2
    target, scales = _target(x.shape[2:], size, scale_factor, bool(recompute_scale_factor))
    if mode == "area":
        return _adaptive_avg_pool("interpolate", rank, x, target)
    if mode.startswith("nearest"):
        return _nearest(x, target, scales, mode)
    terms: Callable[..., Any] = _cubic if mode == "bicubic" else _linear
    out = wide(x)
    for axis, (size_in, count, scale) in enumerate(zip(x.shape[2:], target, scales, strict=True), start=2):
        if antialias:
            ratio = (size_in - 1) / (count - 1) if align_corners and count > 1 else 0.0 if align_corners else scale
            out = resampled(out, axis, *_smoothed(size_in, count, ratio, mode))
        else:
            out = resampled(out, axis, *terms(_centres(size_in, count, scale, bool(align_corners), mode), size_in))
    return out if out.dtype == x.dtype else out.astype(x.dtype)


def _check(shape: Shape, mode: str, align_corners: bool | None) -> None:
    if mode not in (*NEAREST, *RANKS):
        raise ArgumentError(f"interpolate: mode is one of {', '.join((*NEAREST, *RANKS))}; got {mode!r}")
    if not 3 <= len(shape) <= 5 or not all(shape[2:]):
        raise ShapeError(f"interpolate: the input must be (N, C, sizes...) with 1 to 3 sizes, none 0; got {shape}")
    if mode in RANKS and len(shape) - 2 not in RANKS[mode]:
        raise ArgumentError(f"interpolate: {mode} is for {RANKS[mode][0]} sizes after (N, C), and the input is {shape}")
    if mode in NEAREST and align_corners is not None:
        raise ArgumentError(f"interpolate: align_corners is for linear, bilinear, trilinear and bicubic, not {mode}")


def _target(
    sizes: Shape, size: Sizes | None, factor: float | Sequence[float] | None, recompute: bool
) -> tuple[Shape, list[float]]:
    """The new sizes, and the old ones' ratio to them: that of the factor, if it was given and is to be used."""
    rank = len(sizes)
    if (size is None) == (factor is None):
        raise ArgumentError("interpolate: give size or scale_factor, and not both")
    if size is not None:
        if recompute:
            raise ArgumentError("interpolate: recompute_scale_factor is for scale_factor, not for size")
        target = sizes_of("interpolate", "size", size, rank, 1)
        return target, [before / after for before, after in zip(sizes, target, strict=True)]
    factors = list(factor) if isinstance(factor, Sequence) else [factor] * rank
    if len(factors) != rank or not all(each is not None and 0 < each < math.inf for each in factors):
        raise ArgumentError(f"interpolate: scale_factor is a positive number, or {rank} of them, not {factor}")
    target = tuple(math.floor(before * float(each)) for before, each in zip(sizes, factors, strict=True))  # type: ignore[arg-type]
    if not all(target):
        raise ArgumentError(f"interpolate: scale_factor {factor} makes {sizes} {target}; nothing would be left")
    if recompute:
        return target, [before / after for before, after in zip(sizes, target, strict=True)]
    return target, [1 / float(each) for each in factors]  # type: ignore[arg-type]


def _nearest(x: Tensor, target: Shape, scales: list[float], mode: str) -> Tensor:
    sizes = x.shape[2:]
    if all(
        count % size == 0 and scale == size / count for size, count, scale in zip(sizes, target, scales, strict=True)
    ):
        kernel = tuple(count // size for size, count in zip(sizes, target, strict=True))
        windows = Windows(kernel, kernel, ((0, 0),) * len(sizes), (1,) * len(sizes))
        return apply(_window_spread, x, windows=windows, sizes=target)
    for axis, (size, count, scale) in enumerate(zip(sizes, target, scales, strict=True), start=2):
        at = np.arange(count, dtype=np.float32) + np.float32(0.5 if mode == "nearest-exact" else 0)
        x = take(x, np.minimum(np.floor(at * np.float32(scale)).astype(np.int64), size - 1), axis)
    return x


def _centres(size: int, count: int, scale: float, align_corners: bool, mode: str) -> Any:
    """Where in an axis of ``size`` the new elements are."""
    at = np.arange(count)
    if align_corners:
        return at * ((size - 1) / (count - 1) if count > 1 else 0.0)
    centres = (at + 0.5) * scale - 0.5
    return centres if mode == "bicubic" else np.maximum(centres, 0)


def _linear(centres: Any, size: int) -> tuple[Any, Any]:
    left = np.minimum(np.floor(centres).astype(np.int64), size - 1)
    right = np.minimum(left + 1, size - 1)
    share = centres - left
    return np.stack([left, right], 1), np.stack([1 - share, share], 1)


def _cubic(centres: Any, size: int) -> tuple[Any, Any]:
    left = np.floor(centres).astype(np.int64)
    places = np.clip(left[:, None] + np.arange(-1, 3), 0, size - 1)
    return places, keys_weights(centres - left, np.stack)


def _smoothed(size: int, count: int, scale: float, mode: str) -> tuple[Any, Any]:
    """What a kernel as wide as ``scale`` elements, if those are more than one, sees around each new element."""
    wide = max(scale, 1.0)
    reach = wide * (2 if mode == "bicubic" else 1)
    centres = scale * (np.arange(count) + 0.5)
    first = np.maximum((centres - reach + 0.5).astype(np.int64), 0)
    last = np.minimum((centres + reach + 0.5).astype(np.int64), size)
    places = first[:, None] + np.arange(int((last - first).max()))
    distance = np.abs((places - centres[:, None] + 0.5) / wide)
    if mode == "bicubic":
        near, far = _near(distance, -0.5), _far(distance, -0.5)
        weights = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    else:
        weights = np.maximum(1 - distance, 0)
    weights = np.where(places < last[:, None], weights, 0)
    return np.minimum(places, size - 1), weights / weights.sum(1, keepdims=True)


def _near(d: Any, a: float = CUBIC) -> Any:
    return ((a + 2) * d - (a + 3)) * d * d + 1


def _far(d: Any, a: float = CUBIC) -> Any:
    return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a


def keys_weights(t: Any, stack: Callable[..., Any]) -> Any:
    """The weights of the four neighbours, ``stack``ed last, at ``t`` in [0, 1] from the second of them."""
    return stack([_far(t + 1), _near(t), _near(1 - t), _far(2 - t)], -1)
