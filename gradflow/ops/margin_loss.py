"""Losses of scores that should be on one side of others, or of a threshold, by a margin."""

from __future__ import annotations

import numpy as np

from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.ops.activation import softplus
from gradflow.ops.arithmetic import where
from gradflow.ops.create import asarray
from gradflow.ops.logic import logical_and, logical_not
from gradflow.ops.lookup import one_hot, take, take_along_axis
from gradflow.ops.loss import check_same, reduce_losses
from gradflow.ops.rectifier import relu
from gradflow.ops.reduce import any, mean, sum
from gradflow.ops.scan import cumsum
from gradflow.ops.shape import expand_dims
from gradflow.tensor import Tensor, TensorLike


def hinge_embedding_loss(
    input: TensorLike, target: TensorLike, *, margin: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """The input, a distance, where ``target`` is 1, and max(0, margin - input) where it is -1.

    Raises ShapeError unless the shapes are equal, ArgumentError for another reduction.

    >>> import gradflow.nn.functional as F
    >>> F.hinge_embedding_loss([0.25, 0.25], [1, -1], reduction="none")
    tensor([0.25, 0.75])
    """
    x, t = asarray(input), asarray(target)
    check_same("hinge_embedding_loss", input=x, target=t)
    each = where(t == 1, x, where(t == -1, relu(margin - x), 0.0))
    return reduce_losses("hinge_embedding_loss", each, reduction)


def margin_ranking_loss(
    input1: TensorLike, input2: TensorLike, target: TensorLike, *, margin: float = 0.0, reduction: str = "mean"
) -> Tensor:
    """max(0, -target * (input1 - input2) + margin): the first should be larger where ``target`` is 1, smaller at -1.

    Raises ShapeError unless the shapes are equal, ArgumentError for another reduction.

    >>> import gradflow.nn.functional as F
    >>> F.margin_ranking_loss([1.0, 3.0], [2.0, 2.0], [1, 1], reduction="none")
    tensor([1., 0.])
    """
    a, b, t = (asarray(x) for x in (input1, input2, target))
    check_same("margin_ranking_loss", input1=a, input2=b, target=t)
    return reduce_losses("margin_ranking_loss", relu(margin - t.astype(a.dtype) * (a - b)), reduction)


def soft_margin_loss(input: TensorLike, target: TensorLike, *, reduction: str = "mean") -> Tensor:
    """log(1 + exp(-target * input)), for targets of 1 and -1.

    Raises ShapeError unless the shapes are equal, ArgumentError for another reduction.

    >>> import gradflow.nn.functional as F
    >>> F.soft_margin_loss([0.0], [1.0])
    tensor(0.6931472)
    """
    x, t = asarray(input), asarray(target)
    check_same("soft_margin_loss", input=x, target=t)
    return reduce_losses("soft_margin_loss", softplus(-t.astype(x.dtype) * x, 1.0, 100.0), reduction)


def multilabel_soft_margin_loss(
    input: TensorLike, target: TensorLike, weight: TensorLike = None, *, reduction: str = "mean"
) -> Tensor:
    """The binary cross-entropy of logits (N, C), its mean over the classes, each times ``weight`` (C,) if given.

    Raises ShapeError unless the shapes are equal, ArgumentError for another reduction.

    >>> import gradflow.nn.functional as F
    >>> F.multilabel_soft_margin_loss([[0.0, 0.0]], [[1.0, 0.0]])
    tensor(0.6931472)
    """
    x, t = asarray(input), asarray(target)
    check_same("multilabel_soft_margin_loss", input=x, target=t)
    truth = t.astype(x.dtype)
    each = truth * softplus(-x, 1.0, 100.0) + (1 - truth) * softplus(x, 1.0, 100.0)
    each = each if weight is None else each * asarray(weight)
    return reduce_losses("multilabel_soft_margin_loss", mean(each, -1), reduction)


def multi_margin_loss(
    input: TensorLike,
    target: TensorLike,
    p: int = 1,
    margin: float = 1.0,
    weight: TensorLike = None,
    *,
    reduction: str = "mean",
) -> Tensor:
    """The sum over wrong classes of max(0, margin - right score + wrong score)**p, over C: (N, C) and labels (N,).

    ``weight`` (C,) multiplies by the label. Raises ShapeError for other shapes, IndexOutOfRange for a label past the
    end, ArgumentError for a ``p`` other than 1 and 2 or another reduction.

    >>> import gradflow.nn.functional as F
    >>> F.multi_margin_loss([[0.1, 0.2, 0.4, 0.8]], [3])
    tensor(0.325)
    """
    x, t = asarray(input), asarray(target)
    if p not in (1, 2):
        raise ArgumentError(f"multi_margin_loss: p is 1 or 2, got {p}")
    if x.ndim not in (1, 2) or t.shape != x.shape[:-1]:
        raise ShapeError(f"multi_margin_loss: the input is {x.shape}, the target {t.shape}; use (N, C) and (N,)")
    _check_labels("multi_margin_loss", t)
    right = take_along_axis(x, expand_dims(t, -1), -1)
    over = relu(margin - right + x) ** p
    if weight is not None:
        over = over * expand_dims(take(asarray(weight), t, 0), -1)
    wrong = where(one_hot(t, x.shape[-1]) == 1, 0.0, over)
    return reduce_losses("multi_margin_loss", mean(wrong, -1), reduction)


def multilabel_margin_loss(input: TensorLike, target: TensorLike, *, reduction: str = "mean") -> Tensor:
    """The sum over right and wrong classes of max(0, 1 - right score + wrong score), over C: (N, C) and labels (N, C).

    The labels of a sample are those before the first -1. Raises ShapeError unless the shapes are equal,
    IndexOutOfRange for a label past the end, ArgumentError for another reduction.

    >>> import gradflow.nn.functional as F
    >>> F.multilabel_margin_loss([[0.1, 0.2, 0.4, 0.8]], [[3, 0, -1, 1]])
    tensor(0.85)
    """
    x, t = asarray(input), asarray(target)
    check_same("multilabel_margin_loss", input=x, target=t)
    if x.ndim not in (1, 2):
        raise ShapeError(f"multilabel_margin_loss: the input is {x.shape}; it must be (N, C) or (C,)")
    _check_labels("multilabel_margin_loss", t)
    given = cumsum(t < 0, -1) == 0
    labels = where(given, t, 0)
    right = take_along_axis(x, labels, -1)
    is_right = any(logical_and(one_hot(labels, x.shape[-1]) == 1, expand_dims(given, -1)), -2)
    pairs = relu(1 - expand_dims(right, -1) + expand_dims(x, -2))
    counts = logical_and(expand_dims(given, -1), expand_dims(logical_not(is_right), -2))
    each = sum(where(counts, pairs, 0.0), (-2, -1)) * (1 / max(x.shape[-1], 1))
    return reduce_losses("multilabel_margin_loss", each, reduction)


def _check_labels(name: str, labels: Tensor) -> None:
    if not np.issubdtype(labels.dtype, np.integer):
        raise DTypeError(f"{name}: labels are integers, not {labels.dtype}; convert with .to('int64')")
