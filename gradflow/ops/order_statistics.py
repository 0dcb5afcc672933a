"""Medians, quantiles and other numbers that stand for many."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, SupportsIndex

import numpy as np

from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.ops.arithmetic import where
from gradflow.ops.create import asarray, ones_like
from gradflow.ops.extremum import max, min
from gradflow.ops.logic import isnan
from gradflow.ops.lookup import take
from gradflow.ops.order import sort
from gradflow.ops.precision import float_dtype
from gradflow.ops.reduce import Axis, sum
from gradflow.ops.shape import broadcast_to, moveaxis, permute_dims, reshape
from gradflow.shapes import Axes, normalize_axes, normalize_axis
from gradflow.tensor import Tensor, TensorLike, tensor


class Places(NamedTuple):
    """Between which sorted elements each quantile lies, and how far from the first to the second."""

    lower: Any
    upper: Any
    weight: Any


def _between(alpha: float, beta: float) -> Callable[[int, Any], Any]:
    """Hyndman & Fan's continuous methods: where a quantile lies among n elements, counted from 0."""
    return lambda n, q: n * q + alpha + q * (1 - alpha - beta) - 1


# NumPy's methods; numbers 1 to 9 of Hyndman & Fan, "Sample quantiles in statistical packages" (1996), and four more
CONTINUOUS: dict[str, Callable[[int, Any], Any]] = {
    "interpolated_inverted_cdf": _between(0, 1),
    "hazen": _between(0.5, 0.5),
    "weibull": _between(0, 0),
    "linear": _between(1, 1),
    "median_unbiased": _between(1 / 3, 1 / 3),
    "normal_unbiased": _between(3 / 8, 3 / 8),
    "midpoint": lambda n, q: (np.floor((n - 1) * q) + np.ceil((n - 1) * q)) / 2,
    "averaged_inverted_cdf": lambda n, q: (np.ceil(n * q) + np.floor(n * q + 1)) / 2 - 1,
}
DISCRETE: dict[str, Callable[[int, Any], Any]] = {
    "inverted_cdf": lambda n, q: np.ceil(n * q) - 1,
    "closest_observation": lambda n, q: np.rint(n * q) - 1,
    "lower": lambda n, q: np.floor((n - 1) * q),
    "higher": lambda n, q: np.ceil((n - 1) * q),
    "nearest": lambda n, q: np.rint((n - 1) * q),
}


def quantile(
    x: TensorLike, q: TensorLike, axis: Axis = None, *, method: str = "linear", keepdims: bool = False
) -> Tensor:
    """The ``q``-quantiles over ``axis`` (all axes by default), ``q`` a number or an array of numbers in [0, 1].

    The dimensions of ``q`` come first. ``method`` is one of NumPy's, which documents them: "linear", "lower", "higher",
    "midpoint", "nearest", "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf",
    "hazen", "weibull", "median_unbiased" and "normal_unbiased". NaN where there is one. Integers give float64, unless
    the method chooses an element. The gradient goes to the one or two elements that a quantile is made of; ``q`` is
    read, and gets none. Raises ArgumentError for another method or ``q``, ShapeError for a quantile of nothing.

    >>> import gradflow as gf
    >>> gf.quantile(gf.tensor([1.0, 2.0, 4.0]), [0.5, 0.75])
    tensor([2., 3.])
    """
    probabilities = _probabilities("quantile", q, 1)
    return _quantile("quantile", asarray(x), probabilities, axis, method, keepdims)


def percentile(
    x: TensorLike, q: TensorLike, axis: Axis = None, *, method: str = "linear", keepdims: bool = False
) -> Tensor:
    """``quantile`` of ``q`` in [0, 100].

    >>> import gradflow as gf
    >>> gf.percentile(gf.tensor([1.0, 2.0, 4.0]), 75)
    tensor(3.)
    """
    probabilities = _probabilities("percentile", q, 100)
    return _quantile("percentile", asarray(x), probabilities, axis, method, keepdims)


def median(x: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The middle element over ``axis`` (all axes by default), or the mean of two in the middle; NaN where there is one.

    >>> import gradflow as gf
    >>> gf.median(gf.tensor([5.0, 1.0, 3.0, 4.0]))
    tensor(3.5)
    """
    return _quantile("median", asarray(x), np.float64(0.5), axis, "linear", keepdims)


def _probabilities(name: str, q: TensorLike, whole: float) -> Any:
    given = asarray(q)
    if given.dtype.kind not in "iuf":
        raise DTypeError(f"{name}: q is made of numbers, not of {given.dtype}")
    numbers = np.asarray(given.detach()._read(name) if isinstance(q, Tensor) else q, np.float64) / whole
    if not np.all((numbers >= 0) & (numbers <= 1)):
        raise ArgumentError(f"{name}: q must be from 0 to {whole}, got {numbers * whole}")
    return numbers


def _quantile(name: str, x: Tensor, q: Any, axis: Axis, method: str, keepdims: bool) -> Tensor:
    axes = normalize_axes(name, axis, x.ndim)
    if x.dtype.kind == "b":
        raise DTypeError(f"{name}: not defined for bool; convert with .to('float32')")
    if method not in CONTINUOUS and method not in DISCRETE:
        raise ArgumentError(f"{name}: method is {method!r}; it must be one of {', '.join([*CONTINUOUS, *DISCRETE])}")
    ordered = _sorted(x, axes)
    count = ordered.shape[-1]
    if not count:
        raise ShapeError(f"{name}: axes {axes} of {x.shape} have no elements, and there is no {name} of nothing")
    result = _interpolated(ordered, _places(count, q, method), q.ndim)
    if keepdims:
        result = reshape(result, (*q.shape, *(1 if i in axes else size for i, size in enumerate(x.shape))))
    return result


def _sorted(x: Tensor, axes: Axes) -> Tensor:
    """``x`` with ``axes`` made one, the last, and sorted along it."""
    kept = tuple(axis for axis in range(x.ndim) if axis not in axes)
    moved = permute_dims(x, kept + axes)
    return sort(reshape(moved, (*moved.shape[: len(kept)], math.prod(moved.shape[len(kept) :]))))


def _places(count: int, q: Any, method: str) -> Places:
    if method in DISCRETE:
        chosen = np.clip(DISCRETE[method](count, q), 0, count - 1).astype(np.int64)
        return Places(chosen, chosen, None)
    place = np.clip(CONTINUOUS[method](count, q), 0, count - 1)
    lower = np.floor(place)
    return Places(lower.astype(np.int64), np.ceil(place).astype(np.int64), place - lower)


def _interpolated(ordered: Tensor, places: Places, rank: int) -> Tensor:
    """The elements at ``places`` of the last axis, in new first dimensions, of which there are ``rank``."""

    def at(numbers: Any) -> Tensor:
        found = take(ordered, tensor(numbers, device=ordered.device), axis=-1)
        source = tuple(range(-rank, 0))
        return moveaxis(found, source, tuple(range(rank))) if rank else found

    lower = at(places.lower)
    if places.weight is not None:
        dtype = float_dtype(ordered.dtype)
        weight = np.asarray(places.weight, dtype).reshape(places.weight.shape + (1,) * (ordered.ndim - 1))
        share = tensor(weight, device=ordered.device)
        lower = lower * (1 - share) + at(places.upper) * share
    if ordered.dtype.kind != "f":
        return lower
    return where(isnan(ordered[..., -1]), math.nan, lower)  # where there is one, it is sorted last


def ptp(x: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The largest element less the smallest, over ``axis`` (all axes by default).

    >>> import gradflow as gf
    >>> gf.ptp(gf.tensor([1.0, 5.0, 2.0]))
    tensor(4.)
    """
    return max(x, axis, keepdims=keepdims) - min(x, axis, keepdims=keepdims)


def average(
    x: TensorLike, axis: SupportsIndex | Sequence[SupportsIndex] | None = None, weights: TensorLike | None = None,
    *, keepdims: bool = False,
) -> Tensor:  # fmt: skip
    """The mean over ``axis`` (all axes by default), each element counted with its weight.

    ``weights`` have the shape of ``x``, or are a vector along the one ``axis``. Raises ShapeError for others.

    >>> import gradflow as gf
    >>> gf.average(gf.tensor([1.0, 2.0]), weights=gf.tensor([3.0, 1.0]))
    tensor(1.25)
    """
    given = asarray(x)
    share = ones_like(given.detach()) if weights is None else asarray(weights)
    if share.shape != given.shape:
        if axis is None or not isinstance(axis, SupportsIndex):
            raise ShapeError(f"average: weights are {share.shape}, x is {given.shape}; name the axis they belong to")
        along = normalize_axis("average", axis, given.ndim)
        if share.shape != given.shape[along : along + 1]:
            raise ShapeError(f"average: weights are {share.shape}, and axis {along} of {given.shape} needs its size")
        share = broadcast_to(reshape(share, (-1, *(1,) * (given.ndim - along - 1))), given.shape)
    return sum(given * share, axis, keepdims=keepdims) / sum(share, axis, keepdims=keepdims)
