"""Rows of a table, looked up by number: one for each number, or one for each bag of numbers."""

from __future__ import annotations

from typing import Any, SupportsIndex

import numpy as np

from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops import lookup
from gradflow.ops.arithmetic import maximum, where
from gradflow.ops.comparison import not_equal
from gradflow.ops.create import asarray, ones
from gradflow.ops.extremum import max as maximal
from gradflow.ops.gather import scattered
from gradflow.ops.logic import logical_and
from gradflow.ops.order import searchsorted
from gradflow.ops.path import index_array
from gradflow.ops.ranges import arange
from gradflow.ops.shape import expand_dims, ravel
from gradflow.ops.slicing import integer
from gradflow.tensor import Tensor, TensorLike, tensor

MODES = ("sum", "mean", "max")


def embedding(input: TensorLike, weight: TensorLike, padding_idx: SupportsIndex | None = None) -> Tensor:
    """The rows of ``weight`` that the integers ``input`` name: ``gf.embedding``, its arguments in PyTorch's order.

    The row ``padding_idx`` gets no gradient.

    >>> import gradflow.nn.functional as F
    >>> F.embedding([1, 0], [[0.0, 0.5], [1.0, 1.5]])
    tensor([[1. , 1.5],
            [0. , 0.5]])
    """
    rows = asarray(weight)
    indices = index_array("embedding", input, rows.device)
    out = lookup.embedding(rows, indices)
    padding = padding_row("embedding", padding_idx, len(rows))
    return out if padding is None else where(expand_dims(not_equal(indices, padding), -1), out, out.detach())


def embedding_bag(
    input: TensorLike,
    weight: TensorLike,
    offsets: TensorLike = None,
    *,
    mode: str = "mean",
    per_sample_weights: TensorLike = None,
    include_last_offset: bool = False,
    padding_idx: SupportsIndex | None = None,
) -> Tensor:
    """The "sum", "mean" or "max" of the rows of ``weight`` (count, D) that each bag of numbers names: (bags, D).

    Bags are the rows of an ``input`` (bags, L), or what in an input (n,) begins at each of ``offsets`` (bags,), the
    first of which is 0; with ``include_last_offset`` the last one is where the last bag ends. An empty bag gives 0. In
    a sum, rows are multiplied by ``per_sample_weights``, shaped like the input. ``padding_idx`` is left out of bags.

    Raises IndexOutOfRange for a number that no row has, ShapeError and ArgumentError for what does not fit.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> weight = gf.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    >>> F.embedding_bag([0, 1, 2, 2], weight, [0, 1])
    tensor([[0.       , 1.       ],
            [3.3333333, 4.3333335]])
    """
    table = asarray(weight)
    given = index_array("embedding_bag", input, table.device)
    if table.ndim != 2:
        raise ShapeError(f"embedding_bag: weight is (count, D), got {table.shape}")
    if mode not in MODES:
        raise ArgumentError(f"embedding_bag: mode is one of {', '.join(MODES)}; got {mode!r}")
    if given.ndim not in (1, 2) or (given.ndim == 1) != (offsets is not None):
        raise ShapeError(f"embedding_bag: the input is (bags, L), or (n,) with offsets; it is {given.shape}")
    factors = None if per_sample_weights is None else asarray(per_sample_weights)
    if factors is not None and (mode != "sum" or factors.shape != given.shape):
        raise ArgumentError(
            f"embedding_bag: per_sample_weights are for mode 'sum', one for each number of the input {given.shape}"
        )
    indices = ravel(given)
    padding = padding_row("embedding_bag", padding_idx, len(table))
    kept = None if padding is None else not_equal(indices, padding)
    starts = _starts(given, offsets, include_last_offset)
    rows = lookup.embedding(table, indices)
    if mode == "max":
        return _largest(rows, starts, kept)
    bags = searchsorted(starts[1:], arange(len(indices), device=starts.device), "right")
    shares = None if factors is None else ravel(factors)
    if kept is not None:
        shares = kept.astype(rows.dtype) if shares is None else where(kept, shares, 0)
    total = scattered(rows if shares is None else rows * expand_dims(shares, -1), bags, (len(starts), rows.shape[1]), 0)
    if mode == "sum":
        return total
    each = ones(len(indices), dtype=rows.dtype, device=rows.device) if shares is None else shares
    return total / expand_dims(maximum(scattered(each, bags, (len(starts),), 0), 1), -1)


def padding_row(name: str, padding_idx: SupportsIndex | None, count: int) -> int | None:
    """The row that ``padding_idx`` names, negative ones counted from the end."""
    if padding_idx is None:
        return None
    row = integer(name, "padding_idx", padding_idx)
    if not -count <= row < count:
        raise ArgumentError(f"{name}: padding_idx {row} is none of {count} rows")
    return row % count


def _starts(given: Tensor, offsets: TensorLike, include_last: bool) -> Tensor:
    """Where each bag begins in the numbers, all in one row."""
    if offsets is None:
        return arange(given.shape[0], device=given.device) * given.shape[1]
    starts = index_array("embedding_bag", offsets, given.device)
    if starts.ndim != 1 or len(starts) < 1 + include_last:
        raise ShapeError(f"embedding_bag: offsets are (bags,), at least one; they are {starts.shape}")
    on_cpu = isinstance(starts.data, np.ndarray)
    if on_cpu and (starts.data[0] != 0 or (np.diff(starts.data, append=len(given)) < 0).any()):
        raise ArgumentError(
            f"embedding_bag: offsets begin with 0 and do not fall; they are {starts.tolist()}, of {len(given)} numbers"
        )
    return starts[:-1] if include_last else starts


def _largest(rows: Tensor, starts: Tensor, kept: Tensor | None) -> Tensor:
    """The largest of each bag's rows, in a table of bags with room for the longest."""
    begun = starts.cpu().numpy()
    lengths = np.diff(begun, append=len(rows))
    steps = np.arange(max(lengths.max(initial=0), 1))
    places: Any = np.minimum(begun[:, None] + steps, max(len(rows) - 1, 0))
    there = tensor(steps < lengths[:, None], device=rows.device)
    if not len(rows):
        return scattered(rows, tensor([], "int64", rows.device), (len(starts), rows.shape[1]), 0)
    if kept is not None:
        there = logical_and(there, kept[places])
    seen = expand_dims(there, -1)
    largest = maximal(where(seen, lookup.take(rows, places, 0), -np.inf), 1)
    return where(maximal(seen, 1), largest, 0)
