"""Counting: how many elements there are in each bin, or of each number."""

from __future__ import annotations

from typing import SupportsIndex

import numpy as np

from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.ops.create import asarray, zeros
from gradflow.ops.order import searchsorted
from gradflow.ops.rearrange import flip
from gradflow.ops.slicing import integer
from gradflow.tensor import Tensor, TensorLike, tensor


def bincount(x: TensorLike, weights: TensorLike | None = None, minlength: SupportsIndex = 0) -> Tensor:
    """How often each number from 0 on is in the vector ``x`` of integers, as int64, or the sums of its ``weights``.

    Of size ``minlength`` at least; the largest number is read. Gradients flow to ``weights``. Raises ShapeError unless
    ``x`` is a vector and ``weights`` like it, DTypeError unless it has integers, ArgumentError for negative ones.

    >>> import gradflow as gf
    >>> gf.bincount(gf.tensor([1, 3, 1]))
    tensor([0, 2, 0, 1])
    """
    numbers = asarray(x)
    if numbers.ndim != 1:
        raise ShapeError(f"bincount: x must be a vector, got shape {numbers.shape}")
    if numbers.dtype.kind not in "iu":
        raise DTypeError(f"bincount: x has integers, not {numbers.dtype}; use .to('int64')")
    values = numbers._read("bincount")
    if values.size and values.min() < 0:
        raise ArgumentError(f"bincount: {values.min()} is negative; x counts from 0")
    size = max(integer("bincount", "minlength", minlength), int(values.max(initial=-1)) + 1)
    if weights is None:
        return tensor(np.bincount(values, minlength=size), device=numbers.device)
    shares = asarray(weights)
    if shares.shape != numbers.shape:
        raise ShapeError(f"bincount: weights are {shares.shape}, x is {numbers.shape}; they must be alike")
    sums: Tensor = zeros(size, dtype=shares.dtype, device=shares.device).at[numbers].add(shares)
    return sums


def digitize(x: TensorLike, bins: TensorLike, right: bool = False) -> Tensor:
    """Into which bin each element falls, as int64: the ``i`` with ``bins[i - 1] <= x < bins[i]``.

    With ``right`` the upper edge belongs to a bin and the lower does not; ``bins`` (n,) may also descend. Raises
    ShapeError unless ``bins`` is a vector, ArgumentError unless it ascends or descends. No gradient flows.

    >>> import gradflow as gf
    >>> gf.digitize(gf.tensor([0.5, 2.0, 9.0]), gf.tensor([1.0, 2.0, 3.0]))
    tensor([0, 2, 3])
    """
    edges = asarray(bins).detach()
    if edges.ndim != 1:
        raise ShapeError(f"digitize: bins must be a vector, got shape {edges.shape}")
    steps = np.diff(edges._read("digitize"))
    side = "left" if right else "right"
    if (steps >= 0).all():
        return searchsorted(edges, x, side)
    if (steps <= 0).all():
        return edges.size - searchsorted(flip(edges), x, side)
    raise ArgumentError("digitize: bins must ascend or descend, and do neither")


def histogram(
    x: TensorLike,
    bins: TensorLike | str = 10,
    range: tuple[float, float] | None = None,
    density: bool = False,
    weights: TensorLike | None = None,
) -> tuple[Tensor, Tensor]:
    """How many elements fall into each bin, and the edges of the bins: NumPy's ``histogram``, computed on the CPU.

    ``bins`` is their number, the edges or the name of a rule; with ``density`` the integral is 1. No gradient flows.
    Raises ArgumentError for what NumPy refuses.

    >>> import gradflow as gf
    >>> gf.histogram(gf.tensor([1.0, 2.0, 2.5]), bins=[0.0, 2.0, 3.0])
    (tensor([1, 2]), tensor([0., 2., 3.]))
    """
    given = asarray(x)
    if given.dtype.kind in "bc":
        raise DTypeError(f"histogram: not defined for {given.dtype}; convert with .to('float32')")
    array = given.detach()._read("histogram")
    shares = None if weights is None else asarray(weights).detach()._read("histogram")
    edges = bins if isinstance(bins, str) else asarray(bins).detach()._read("histogram")
    if np.asarray(edges).dtype.kind in "bc":
        raise DTypeError(f"histogram: bins are a number or edges, not {bins!r}")
    if np.ndim(edges) == 0 and np.asarray(edges).dtype.kind in "iu":
        edges = int(edges)
    try:
        counts, limits = np.histogram(array, edges, range, bool(density), shares)
    except (ValueError, TypeError) as error:
        raise ArgumentError(f"histogram: {error}") from None
    if array.dtype.kind == "f":
        limits = limits.astype(array.dtype)
    return tensor(counts, device=given.device), tensor(limits, device=given.device)
