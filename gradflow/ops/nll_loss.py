"""The negative log-likelihood of class labels under log-probabilities."""

from __future__ import annotations

from typing import Any

from gradflow.dispatch import apply
from gradflow.op import Op, Spec
from gradflow.ops.class_labels import (
    IGNORED,
    by_rows,
    class_weight_gradient,
    label_spec,
    over_classes,
    row_scale,
    usable,
)
from gradflow.ops.create import asarray
from gradflow.ops.precision import float_dtype, precision, stored
from gradflow.samples import Given, Real, sample
from gradflow.tensor import Tensor, TensorLike

Array = Any


def nll_loss(
    input: TensorLike,
    target: TensorLike,
    weight: TensorLike = None,
    *,
    ignore_index: int = IGNORED,
    reduction: str = "mean",
) -> Tensor:
    """``-weight[label] * input[label]`` of each row of log-probabilities: their mean, sum, or each one ("none").

    ``input`` is (N, C) with integer labels (N,) in ``target``, or (C,) with (), or (N, C, d, ...) with (N, d, ...);
    ``weight`` has a number for each of the C classes. The mean is the sum divided by that of the labels' weights. Rows
    whose label is ``ignore_index`` count for nothing; if all are, the mean is NaN. Raises ShapeError, DTypeError for
    labels that are not integers, IndexOutOfRange for labels that are not in [0, C).

    >>> from gradflow.ops.nll_loss import nll_loss
    >>> nll_loss([[-0.5, -1.0], [-2.0, -0.1]], [0, 0])
    tensor(1.25)
    """
    return by_rows(_nll_loss, asarray(input), asarray(target), weight, ignore_index=ignore_index, reduction=reduction)


def _nll_forward(
    xp: Any, input: Array, labels: Array, weight: Array,
    *, ignore_index: int, reduction: str, out: Array | None = None,
) -> Array:  # fmt: skip
    dtype, working = precision(input, weight)
    count, classes = input.shape
    labels, kept = usable(xp, "nll_loss", labels, classes, ignore_index)
    each = -input[xp.arange(count), labels].astype(working)
    weights = None if weight is None else xp.asarray(weight, working)[labels]
    each = each if weights is None else each * weights
    each = each if kept is None else xp.where(kept, each, 0)
    if reduction != "none":
        each = each.sum() * row_scale(xp, weights, kept, count, reduction)
    return stored(each, dtype, out)


def _nll_grad_forward(
    xp: Any, g: Array, labels: Array, weight: Array,
    *, classes: int, ignore_index: int, reduction: str, out: Array | None = None,
) -> Array:  # fmt: skip
    dtype, working = precision(g, weight)
    count = labels.size
    labels, kept = usable(xp, "nll_loss", labels, classes, ignore_index)
    weights = None if weight is None else xp.asarray(weight, working)[labels]
    each = g.astype(working) * row_scale(xp, weights, kept, count, reduction)
    each = each if weights is None else each * weights
    each = each if kept is None else xp.where(kept, each, 0)
    gradient = xp.zeros((count, classes), dtype) if out is None else out
    gradient[...] = 0
    gradient[xp.arange(count), labels] = -each
    return gradient


def _nll_grad_spec(g: Spec, labels: Spec, weight: Spec, classes: int, **attrs: Any) -> Spec:
    return Spec((*labels.shape, classes), float_dtype(g.dtype, weight.dtype))


_ROWS = Real((4, 3), -3, 0)
_LABELS = Given([2, 0, 1, 2], "int64")
_WEIGHT = Real((3,), 0.5, 2)

_nll_grad: Op = Op(
    name="nll_loss_grad",
    forward=_nll_grad_forward,
    spec=_nll_grad_spec,
    vjp=(
        lambda g2, labels, weight, ignore_index, reduction: apply(
            _nll_loss, g2, labels, weight, ignore_index=ignore_index, reduction=reduction
        ),
        None,
        lambda g2, g, labels, weight, ignore_index, reduction: class_weight_gradient(
            -g2 * over_classes(g), labels, weight, ignore_index, reduction
        ),
    ),
    samples=(
        sample(Real(), _LABELS, None, classes=3, ignore_index=-100, reduction="mean"),
        sample(Real((4,)), _LABELS, _WEIGHT, classes=3, ignore_index=1, reduction="none"),
        sample(Real(), _LABELS, _WEIGHT, classes=3, ignore_index=0, reduction="mean"),
        sample(Real(), Given([], "int64"), _WEIGHT, classes=3, ignore_index=-100, reduction="sum"),
    ),
)

_nll_loss: Op = Op(
    name="nll_loss",
    forward=_nll_forward,
    spec=lambda input, labels, weight, ignore_index, reduction: label_spec(
        "nll_loss", input, labels, weight, reduction
    ),
    vjp=(
        lambda g, labels, weight, specs, ignore_index, reduction: apply(
            _nll_grad,
            g,
            labels,
            weight,
            classes=specs[0].shape[1],
            ignore_index=ignore_index,
            reduction=reduction,
        ),
        None,
        lambda g, input, labels, weight, ignore_index, reduction: class_weight_gradient(
            -over_classes(g) * input, labels, weight, ignore_index, reduction
        ),
    ),
    samples=(
        sample(_ROWS, _LABELS, None, ignore_index=-100, reduction="mean"),
        sample(_ROWS, _LABELS, _WEIGHT, ignore_index=0, reduction="mean"),
        sample(_ROWS, _LABELS, _WEIGHT, ignore_index=-100, reduction="none"),
        sample(_ROWS, _LABELS, None, ignore_index=2, reduction="sum"),
        sample(Real((0, 3)), Given([], "int64"), _WEIGHT, ignore_index=-100, reduction="sum"),
    ),
)
