"""Launches of the kernels of cross-entropy: a team of threads for each row of logits and its label."""

from __future__ import annotations

from typing import Any

from gradflow.dtypes import int64
from gradflow.launch import FAULT, LIMIT, THREADS, Launch, Tickets, fault_code
from gradflow.ops.loss import REDUCTIONS
from gradflow.ops.teams import alike, blocks_for, partial_sums, team_over

Array = Any
LABELS_READ = 1 << 24  # by all blocks of a launch, where each adds up the labels' weights for the mean


def _suits(logits: Array, labels: Array, *others: Array | None) -> bool:
    return (
        0 < logits.size < LIMIT
        and alike(logits.dtype, logits, *others)
        and labels.dtype == int64
        and bool(labels.flags.c_contiguous)
    )


def _attributes(classes: int, label_smoothing: float, ignore_index: int, reduction: str) -> tuple[Any, ...]:
    """What the kernels have for attributes: the share of the label itself, that of each class, and the rest."""
    return 1 - label_smoothing, label_smoothing / classes, ignore_index, REDUCTIONS.index(reduction)


def launch_loss(
    logits: Array, labels: Array, weight: Array,
    *, label_smoothing: float, ignore_index: int, reduction: str, out: Array,
) -> Launch | None:  # fmt: skip
    """The loss of each row, or their sum or mean, which the last block adds up."""
    if not _suits(logits, labels, weight, out):
        return None
    rows, classes = logits.shape
    team = team_over(classes, rows, logits.dtype)
    blocks = blocks_for(rows, team)
    arguments = (
        logits, labels, weight, out, *_attributes(classes, label_smoothing, ignore_index, reduction),
        partial_sums(blocks, logits.dtype, 2), Tickets(1), FAULT, fault_code("cross_entropy"), rows, classes, team,
    )  # fmt: skip
    return Launch("cross_entropy", logits.dtype, blocks, THREADS, arguments)


def launch_gradient(
    g: Array | None, logits: Array, labels: Array, weight: Array,
    *, label_smoothing: float, ignore_index: int, reduction: str, out: Array, loss: Array | None = None,
) -> Launch | None:  # fmt: skip
    """The gradient times ``g`` (None: 1), into ``out``, which may be the logits; and the loss, unless it is None."""
    if not _suits(logits, labels, weight, out, g, loss):
        return None
    rows, classes = logits.shape
    team = team_over(classes, rows, logits.dtype)
    blocks = blocks_for(rows, team)
    if reduction == "mean" and blocks * rows > max(LABELS_READ, 2 * logits.size):
        return None
    arguments = (
        g, logits, labels, weight, out, loss, *_attributes(classes, label_smoothing, ignore_index, reduction),
        partial_sums(blocks, logits.dtype), Tickets(1), FAULT, fault_code("cross_entropy"), rows, classes, team,
    )  # fmt: skip
    return Launch("cross_entropy_grad", logits.dtype, blocks, THREADS, arguments)
