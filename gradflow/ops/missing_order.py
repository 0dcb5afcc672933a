"""Medians and quantiles that leave out NaN."""

from __future__ import annotations

from typing import Any

from gradflow.dtypes import int64
from gradflow.errors import ShapeError
from gradflow.ops.create import asarray
from gradflow.ops.logic import isnan
from gradflow.ops.lookup import take_along_axis
from gradflow.ops.order_statistics import _probabilities, _sorted
from gradflow.ops.precision import float_dtype
from gradflow.ops.reduce import Axis, sum
from gradflow.ops.rounding import floor
from gradflow.ops.shape import broadcast_to, reshape
from gradflow.shapes import normalize_axes
from gradflow.tensor import Tensor, TensorLike, tensor


def nanquantile(x: TensorLike, q: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The ``q``-quantiles over ``axis`` (all axes by default) of what is not NaN, by linear interpolation.

    ``q`` is a number or an array of numbers in [0, 1], whose dimensions come first; NaN where all are. The gradient
    goes to the one or two elements that a quantile is made of. Raises as ``quantile``.

    >>> import gradflow as gf
    >>> gf.nanquantile(gf.tensor([1.0, gf.nan, 2.0, 4.0]), [0.5, 0.75])
    tensor([2., 3.])
    """
    return _nanquantile("nanquantile", asarray(x), _probabilities("nanquantile", q, 1), axis, keepdims)


def nanpercentile(x: TensorLike, q: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """``nanquantile`` of ``q`` in [0, 100].

    >>> import gradflow as gf
    >>> gf.nanpercentile(gf.tensor([1.0, gf.nan, 2.0, 4.0]), 75)
    tensor(3.)
    """
    return _nanquantile("nanpercentile", asarray(x), _probabilities("nanpercentile", q, 100), axis, keepdims)


def nanmedian(x: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The middle element over ``axis`` (all axes by default) of what is not NaN, or the mean of two; NaN of nothing.

    >>> import gradflow as gf
    >>> gf.nanmedian(gf.tensor([5.0, gf.nan, 3.0, 4.0]))
    tensor(4.)
    """
    return _nanquantile("nanmedian", asarray(x), _probabilities("nanmedian", 0.5, 1), axis, keepdims)


def _nanquantile(name: str, x: Tensor, q: Any, axis: Axis, keepdims: bool) -> Tensor:
    axes = normalize_axes(name, axis, x.ndim)
    x = x.astype(float_dtype(x.dtype))
    ordered = _sorted(x, axes)  # NaN comes last
    if not ordered.shape[-1]:
        raise ShapeError(f"{name}: axes {axes} of {x.shape} have no elements, and there is no {name} of nothing")
    last = sum((~isnan(ordered)).astype(int64), axis=-1) - 1
    shares = tensor(q.reshape(-1, *(1,) * last.ndim), device=x.device)
    place = (last * shares).clip(0)
    below = floor(place)
    lower, weight = below.astype(int64), (place - below).astype(x.dtype)
    rows = broadcast_to(ordered, (q.size, *ordered.shape))
    result = _at(rows, lower) * (1 - weight) + _at(rows, lower + (weight > 0).astype(int64)) * weight
    kept = tuple(1 if i in axes else size for i, size in enumerate(x.shape) if keepdims or i not in axes)
    return reshape(result, (*q.shape, *kept))


def _at(rows: Tensor, place: Tensor) -> Tensor:
    return take_along_axis(rows, reshape(place, (*place.shape, 1)), -1)[..., 0]
