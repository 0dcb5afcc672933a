"""What NumPy writes with brackets: grids of numbers and rows of pieces; and histograms over several dimensions."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, SupportsIndex

import numpy as np

from gradflow.errors import NumPyCallError, ShapeError
from gradflow.numpy.creation import asarray
from gradflow.numpy.editing import beside
from gradflow.numpy.on_host import on_device, reading
from gradflow.ops.histogram import bincount
from gradflow.ops.join import concat, stack
from gradflow.ops.lookup import take
from gradflow.ops.shape import moveaxis
from gradflow.shapes import normalize_axes
from gradflow.tensor import SCALARS, Tensor, TensorLike

__all__ = ["c_", "histogram2d", "histogramdd", "lib", "mgrid", "ogrid", "r_"]


class Grid:
    """``mgrid[0:2, 0:1:5j]`` and ``ogrid[...]``: NumPy's own, with tensors."""

    def __init__(self, numpys: Any) -> None:
        self.numpys = numpys

    def __getitem__(self, key: Any) -> Any:
        return on_device(self.numpys[key])


mgrid, ogrid = Grid(np.mgrid), Grid(np.ogrid)


class Pieces:
    """``r_[0:3, x, 1.0]``: slices, tensors and numbers in a row; ``c_[x, y]`` has vectors as columns."""

    def __init__(self, columns: bool) -> None:
        self.columns = columns

    def __getitem__(self, key: Any) -> Tensor:
        pieces = key if isinstance(key, tuple) else (key,)
        if any(isinstance(each, str) for each in pieces):
            raise NumPyCallError("numpy.r_ of tensors takes no directions in a string; use concatenate with an axis")
        model = next((each for each in pieces if isinstance(each, Tensor)), asarray(0))
        made = [beside(model, _sliced(each) if isinstance(each, slice) else each) for each in pieces]
        kinds = [each if type(each) in SCALARS else x.dtype for each, x in zip(pieces, made, strict=True)]
        kind = np.result_type(*kinds)
        rows = [
            x.astype(kind).reshape((-1, 1) if self.columns else (-1,)) if x.ndim < 2 else x.astype(kind) for x in made
        ]
        return concat(rows, -1 if self.columns else 0)


def _sliced(each: slice) -> Any:
    start = 0 if each.start is None else each.start
    if isinstance(each.step, complex):
        return np.linspace(start, each.stop, int(abs(each.step)))
    return np.arange(start, each.stop, 1 if each.step is None else each.step)


r_, c_ = Pieces(False), Pieces(True)


def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: TensorLike | None = None
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """How many rows (n, dimensions) of ``sample`` fall into each box, and the edges of the bins of each dimension.

    ``sample`` may also be a list of vectors. With ``density`` the integral is 1. Gradients flow to ``weights``.
    """
    points = asarray(sample) if hasattr(sample, "ndim") else stack([asarray(each) for each in sample], -1)
    points = points.reshape((-1, 1)) if points.ndim == 1 else points
    _, edges = reading("histogramdd", np.histogramdd)(points, bins, range)
    sizes = [each.size - 1 for each in edges]
    places, inside = _boxes(points.detach()._read("histogramdd"), [each.numpy() for each in edges])
    shares = asarray(np.ones(points.shape[0]), device=points.device) if weights is None else asarray(weights) * 1.0
    if shares.shape != (points.shape[0],):
        raise ShapeError(f"histogramdd: weights are {shares.shape}, and there are {points.shape[0]} points")
    counts = bincount(asarray(places, device=points.device), take(shares, inside), math.prod(sizes)).reshape(sizes)
    counts = counts.astype(np.float64)
    if density:
        counts = counts / counts.sum()
        for axis, each in enumerate(edges):
            counts = counts / (each[1:] - each[:-1]).reshape((-1, *(1,) * (len(sizes) - axis - 1)))
    return counts, tuple(edges)


def _boxes(points: Any, edges: list[Any]) -> tuple[Any, Any]:
    """The number of the box that each point inside falls into, and which points these are; last edges are inside."""
    columns = [np.searchsorted(each, x, "right") - 1 - (x == each[-1]) for x, each in zip(points.T, edges, strict=True)]
    sizes = [each.size - 1 for each in edges]
    inside = np.all([(x >= 0) & (x < size) for x, size in zip(columns, sizes, strict=True)], axis=0)
    return np.ravel_multi_index([x[inside] for x in columns], sizes), np.flatnonzero(inside)


def histogram2d(
    x: TensorLike,
    y: TensorLike,
    bins: Any = 10,
    range: Any = None,
    density: bool | None = None,
    weights: TensorLike | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """How many points (``x``, ``y``) fall into each box, and the edges of the bins: as ``histogramdd``."""
    if np.ndim(bins) == 1 and len(bins) not in (1, 2):
        bins = [bins, bins]
    counts, (first, second) = histogramdd([x, y], bins, range, density, weights)
    return counts, first, second


def sliding_window_view(
    x: TensorLike, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Tensor:
    """Every window of this shape over ``axis``, in new dimensions at the end: a copy, through which gradients flow."""
    result = asarray(x)
    sizes = (window_shape,) if isinstance(window_shape, SupportsIndex) else tuple(window_shape)
    axes = normalize_axes("sliding_window_view", None, result.ndim) if axis is None else axis
    axes = (axes,) if isinstance(axes, SupportsIndex) else tuple(axes)
    if len(axes) != len(sizes):
        raise ShapeError(f"sliding_window_view: a window of {sizes} over axes {axes}; there must be a size for each")
    for each, size in zip(axes, sizes, strict=True):
        along = each % asarray(x).ndim
        count = result.shape[along] - size + 1
        if size < 0 or count < 1:
            raise ShapeError(f"sliding_window_view: no window of {sizes} fits into {asarray(x).shape} along {axes}")
        result = moveaxis(take(result, np.arange(count)[:, None] + np.arange(size), along), along + 1, -1)
    return result


lib = SimpleNamespace(stride_tricks=SimpleNamespace(sliding_window_view=sliding_window_view))
