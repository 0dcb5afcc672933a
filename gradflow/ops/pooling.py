"""Sums and maxima of windows, and where the maxima were: what pooling layers are made of."""

from __future__ import annotations

import math
from typing import Any

from gradflow import dtypes
from gradflow.dispatch import apply
from gradflow.errors import DTypeError, ShapeError
from gradflow.op import Op, Spec
from gradflow.ops.gather import scattered
from gradflow.ops.precision import Array, float_dtype, precision, stored
from gradflow.ops.ranges import arange
from gradflow.ops.shape import ravel, reshape
from gradflow.ops.windows import Windows, padded, unpadded
from gradflow.samples import Real, Sample, sample
from gradflow.shapes import Shape
from gradflow.tensor import Tensor


def _window_sum_forward(xp: Any, x: Array, *, windows: Windows, out: Array | None = None) -> Array:
    dtype, working = precision(x)
    rank = len(windows.kernel)
    counts = windows.counts(x.shape[-rank:])
    source = padded(xp, x, windows, working)
    total = xp.zeros((*x.shape[:-rank], *counts), working)
    for _, where in windows.offsets(counts):
        total += source[..., *where]
    return stored(total, dtype, out)


def _window_spread_forward(xp: Any, g: Array, *, windows: Windows, sizes: Shape, out: Array | None = None) -> Array:
    dtype, working = precision(g)
    rank = len(windows.kernel)
    result = xp.zeros((*g.shape[:-rank], *windows.padded(sizes)), working)
    for _, where in windows.offsets(g.shape[-rank:]):
        there = result[..., *where]
        there += g
    return stored(unpadded(result, windows, sizes), dtype, out)


def _pooled(x: Spec, windows: Windows, dtype: Any) -> Spec:
    rank = len(windows.kernel)
    return Spec((*x.shape[:-rank], *windows.counts(x.shape[-rank:])), dtype)


def _spread_spec(g: Spec, windows: Windows, sizes: Shape) -> Spec:
    rank = len(windows.kernel)
    if windows.counts(sizes) != g.shape[-rank:]:
        raise ShapeError(f"window_spread: {sizes} have {windows.counts(sizes)} windows, not {g.shape[-rank:]}")
    return Spec((*g.shape[:-rank], *sizes), float_dtype(g.dtype))


_WINDOWS: list[tuple[Shape, Windows]] = [
    ((2, 3, 5), Windows((2,), (2,), ((0, 1),), (1,))),
    ((2, 1, 4, 5), Windows((3, 2), (1, 2), ((1, 1), (0, 1)), (1, 2))),
    ((1, 2, 3, 2, 3), Windows((2, 2, 2), (1, 1, 1), ((0, 0), (1, 0), (0, 0)), (1, 1, 1))),
    ((0, 3, 4), Windows((2,), (1,), ((0, 0),), (1,))),
]


def _samples(**how: Any) -> tuple[Sample, ...]:
    return tuple(sample(Real(shape, **how), windows=windows) for shape, windows in _WINDOWS)


# the sum of every window
_window_sum: Op = Op(
    name="window_sum",
    forward=_window_sum_forward,
    spec=lambda x, windows: _pooled(x, windows, float_dtype(x.dtype)),
    linear=True,
    vjp=(
        lambda g, specs, windows: apply(
            _window_spread, g, windows=windows, sizes=specs[0].shape[-len(windows.kernel) :]
        ),
    ),
    samples=_samples(),
)

# an array of ``sizes`` where every element is the sum of ``g`` over the windows that have it
_window_spread: Op = Op(
    name="window_spread",
    forward=_window_spread_forward,
    spec=_spread_spec,
    linear=True,
    vjp=(lambda g2, windows: apply(_window_sum, g2, windows=windows),),
    samples=tuple(
        sample(
            Real((*shape[: -len(windows.kernel)], *windows.counts(shape[-len(windows.kernel) :]))),
            windows=windows,
            sizes=shape[-len(windows.kernel) :],
        )
        for shape, windows in _WINDOWS
    ),
)


def _max_pool_forward(xp: Any, x: Array, *, windows: Windows, out: Array | None = None) -> Array:
    rank = len(windows.kernel)
    counts = windows.counts(x.shape[-rank:])
    source = padded(xp, x, windows, x.dtype, -math.inf)
    best = xp.full((*x.shape[:-rank], *counts), -math.inf, x.dtype) if out is None else out
    best.fill(-math.inf)
    for _, where in windows.offsets(counts):
        xp.maximum(best, source[..., *where], out=best)
    return best


def _places(xp: Any, windows: Windows, counts: Shape, place: Shape) -> list[Array]:
    """Along each dimension, where in the unpadded input the element ``place`` of every window is."""
    each = zip(place, windows.dilation, windows.stride, windows.padding, counts, strict=True)
    return [
        (xp.arange(count) * step + (at * apart - before)).reshape((-1,) + (1,) * (len(counts) - 1 - i))
        for i, (at, apart, step, (before, _), count) in enumerate(each)
    ]


def _flat(places: list[Array], sizes: Shape) -> Array:
    found = places[0]
    for place, size in zip(places[1:], sizes[1:], strict=True):
        found = found * size + place
    return found


def _max_pool_index_forward(xp: Any, x: Array, *, windows: Windows, out: Array | None = None) -> Array:
    rank = len(windows.kernel)
    sizes = x.shape[-rank:]
    counts = windows.counts(sizes)
    source = padded(xp, x, windows, x.dtype, -math.inf)
    best = xp.full((*x.shape[:-rank], *counts), -math.inf, x.dtype)
    first = _places(xp, windows, counts, (0,) * rank)
    # a window of nothing but -inf has its maximum at its first element that is no padding
    first = [
        xp.where(at < 0, at + -(at // apart) * apart, at) for at, apart in zip(first, windows.dilation, strict=True)
    ]
    index = xp.zeros(best.shape, dtypes.int64) if out is None else out
    index[...] = _flat(first, sizes)
    for place, where in windows.offsets(counts):
        seen = source[..., *where]
        better = (seen > best) | xp.isnan(seen)
        best = xp.where(better, seen, best)
        index[...] = xp.where(better, _flat(_places(xp, windows, counts, place), sizes), index)
    return index


def check_real(name: str, x: Spec) -> None:
    """Raise DTypeError unless ``x`` is floating."""
    if isinstance(x.dtype, type) or not dtypes.is_floating(x.dtype):
        raise DTypeError(f"{name}: the input is {x.dtype}; it must be floating: convert with .to('float32')")


def _max_spec(x: Spec, windows: Windows) -> Spec:
    check_real("max_pool", x)
    return _pooled(x, windows, x.dtype)


def _index_spec(x: Spec, windows: Windows) -> Spec:
    check_real("max_pool", x)
    return _pooled(x, windows, dtypes.int64)


def by_plane(index: Tensor, sizes: Shape) -> Tensor:
    """Positions in planes of ``sizes``, (N, C, ...), as positions in an array (N, C, *sizes), flattened."""
    samples, channels, *rest = index.shape
    first = arange(samples * channels, device=index.device) * math.prod(sizes)
    return index + reshape(first, (samples, channels, *(1 for _ in rest)))


def to_places(g: Tensor, index: Tensor, sizes: Shape) -> Tensor:
    """Zeros (N, C, *sizes), to which ``g`` (N, C, ...) is added at ``index`` in each plane."""
    shape = (*g.shape[:2], *sizes)
    return reshape(scattered(ravel(g), ravel(by_plane(index, sizes)), (math.prod(shape),), 0), shape)


# the position in its plane, the last dimensions made one, of the first maximum of every window; the last NaN, if any
_max_pool_index = Op(
    name="max_pool_index",
    forward=_max_pool_index_forward,
    spec=_index_spec,
    samples=_samples(distinct=True),
)

_max_pool = Op(
    name="max_pool",
    forward=_max_pool_forward,
    spec=_max_spec,
    vjp=(
        lambda g, x, windows: to_places(g, apply(_max_pool_index, x, windows=windows), x.shape[-len(windows.kernel) :]),
    ),
    samples=_samples(distinct=True),
    workloads=(sample(Real((8, 64, 56, 56)), windows=Windows((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1))),),
)
