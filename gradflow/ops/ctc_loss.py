"""The loss of sequences whose labels are not aligned with time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, SupportsIndex

import numpy as np

from gradflow.dtypes import int64
from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.ops.arithmetic import maximum, where
from gradflow.ops.create import asarray, full
from gradflow.ops.join import concat, stack
from gradflow.ops.logic import logical_or
from gradflow.ops.lookup import take_along_axis
from gradflow.ops.loss import check_reduction
from gradflow.ops.ranges import arange
from gradflow.ops.reduce import mean, sum
from gradflow.ops.resample import wide
from gradflow.ops.shape import expand_dims, reshape, squeeze
from gradflow.ops.slicing import integer
from gradflow.ops.softmax import logsumexp
from gradflow.tensor import Tensor, TensorLike, tensor

NEVER = -1e30  # the logarithm of a probability of 0: unlike that of -inf, its differences and gradients are numbers
Lengths = TensorLike | Sequence[int]


def ctc_loss(
    log_probs: TensorLike,
    targets: TensorLike,
    input_lengths: Lengths,
    target_lengths: Lengths,
    blank: SupportsIndex = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """The negative log-probability of label sequences, over all their alignments with the times of ``log_probs``.

    ``log_probs`` is (T, N, C), or (T, C), from ``log_softmax``; ``targets`` (N, S) with labels from 1, or one sequence
    after the other; lengths (N,). Between labels, and around them, may be ``blank``. ``"mean"`` divides each loss by
    its target's length first. A target that does not fit into its times has infinite loss and no gradient, or loss 0
    with ``zero_infinity``. A recurrence over time, of ops: its gradients have gradients.

    Raises ShapeError and DTypeError for inputs that do not fit, ArgumentError for a ``blank`` or lengths out of range,
    IndexOutOfRange for a label past the end. Source: Graves et al., "Connectionist temporal classification", ICML 2006.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.ctc_loss(gf.log(gf.tensor([[[0.25, 0.75]], [[0.5, 0.5]]])), [[1]], [2], [1])  # all but two blanks
    tensor(0.13353139)
    """
    check_reduction("ctc_loss", reduction)
    given = asarray(log_probs)
    single = given.ndim == 2
    x = wide(expand_dims(given, 1) if single else given)
    labels, times, lengths = _arranged(x, targets, input_lengths, target_lengths)
    empty = integer("ctc_loss", "blank", blank)
    if not 0 <= empty < x.shape[2]:
        raise ArgumentError(f"ctc_loss: blank is {blank}; it must be one of the {x.shape[2]} classes")
    each = _losses(x, labels, times, lengths, empty)
    each = where(each > -NEVER / 2, 0.0 if zero_infinity else math.inf, each)
    each = each if each.dtype == given.dtype else each.astype(given.dtype)
    if reduction == "mean":
        return mean(each / maximum(lengths, 1).astype(each.dtype))
    if reduction == "sum":
        return sum(each)
    return squeeze(each, 0) if single else each


def _losses(x: Tensor, labels: Tensor, times: Tensor, lengths: Tensor, blank: int) -> Tensor:
    """The loss of each sample, by the probabilities of being, after so many times, at each place of its target."""
    samples, most = labels.shape
    real = arange(most, device=x.device) < expand_dims(lengths, -1)
    labels = where(real, labels, blank)
    blanks = full((samples, most, 1), blank, dtype=int64, device=x.device)
    places = reshape(concat([blanks, expand_dims(labels, -1)], -1), (samples, 2 * most))
    places = concat([places, full((samples, 1), blank, dtype=int64, device=x.device)], -1)
    said = take_along_axis(x, expand_dims(places, 0), -1)  # (T, N, places): the log-probability of what is there
    skips = where(logical_or(places[:, 2:] == blank, places[:, 2:] == places[:, :-2]), NEVER, 0.0).astype(x.dtype)
    never = full((samples, 2), NEVER, dtype=x.dtype, device=x.device)
    skips = concat([never, skips], -1)[:, : places.shape[1]]
    at = concat([said[0, :, :2], full((samples, 2 * most + 1), NEVER, dtype=x.dtype, device=x.device)], -1)
    at = at[:, : 2 * most + 1]
    for t in range(1, len(x)):
        before = concat([never, at], -1)
        came = logsumexp(stack([at, before[:, 1:-1], before[:, :-2] + skips]), axis=0)
        at = where(expand_dims(times > t, -1), came + said[t], at)
    last = expand_dims(2 * lengths, -1)
    ends = take_along_axis(at, concat([last, maximum(last - 1, 0)], -1), -1)
    twice = concat([full((samples, 1), 0.0, dtype=x.dtype, device=x.device), where(last > 0, 0.0, NEVER)], -1)
    return -logsumexp(ends + twice.astype(x.dtype), axis=-1)


def _arranged(x: Tensor, targets: TensorLike, inputs: Lengths, lengths: Lengths) -> tuple[Tensor, Tensor, Tensor]:
    """Labels (N, S), and the two lengths (N,), beside ``x`` (T, N, C)."""
    if x.ndim != 3 or not x.shape[0]:
        raise ShapeError(f"ctc_loss: log_probs must be (T, N, C) or (T, C), with a time at least, got {x.shape}")
    samples = x.shape[1]
    counts = [_whole("input_lengths", inputs, samples, x), _whole("target_lengths", lengths, samples, x)]
    labels: Any = asarray(targets)
    if not np.issubdtype(labels.dtype, np.integer) and labels.size:
        raise DTypeError(f"ctc_loss: targets are integers, not {labels.dtype}; convert with .to('int64')")
    if labels.ndim == 1:
        labels = _separated(labels, counts[1])
    if labels.ndim != 2 or labels.shape[0] != samples:
        raise ShapeError(f"ctc_loss: targets are {labels.shape}; they must be ({samples}, S) or one after the other")
    _check_lengths("input_lengths", counts[0], 1, len(x))
    _check_lengths("target_lengths", counts[1], 0, labels.shape[1])
    return labels.astype(int64), counts[0], counts[1]


def _whole(role: str, given: Lengths, samples: int, x: Tensor) -> Tensor:
    found = given if isinstance(given, Tensor) else tensor(np.asarray(given), device=x.device)
    if not np.issubdtype(found.dtype, np.integer):
        raise DTypeError(f"ctc_loss: {role} are integers, not {found.dtype}")
    if found.size != samples:
        raise ShapeError(f"ctc_loss: {role} are {found.shape}; there must be one for each of {samples} samples")
    return reshape(found, (samples,)).astype(int64)


def _separated(labels: Tensor, lengths: Tensor) -> Tensor:
    """Sequences that follow one another as rows of a matrix."""
    counts = lengths.cpu().numpy()
    if counts.sum() != labels.size:
        raise ShapeError(f"ctc_loss: targets are {labels.size} labels, and target_lengths add up to {counts.sum()}")
    rows = np.zeros((len(counts), int(counts.max(initial=0))), np.int64)
    rows[np.arange(rows.shape[1]) < counts[:, None]] = labels.cpu().numpy()
    return tensor(rows, device=labels.device)


def _check_lengths(role: str, lengths: Tensor, least: int, most: int) -> None:
    counts = lengths.cpu().numpy()
    if counts.size and not least <= counts.min() <= counts.max() <= most:
        raise ArgumentError(f"ctc_loss: {role} must be from {least} to {most}, got {counts.tolist()}")
