"""Cross-entropy of logits, against class labels or against the probabilities of the classes."""

from __future__ import annotations

from typing import Any

from gradflow.dispatch import apply
from gradflow.dtypes import is_floating
from gradflow.errors import ArgumentError, ShapeError
from gradflow.op import Op, Spec
from gradflow.ops.class_labels import (
    IGNORED,
    by_rows,
    check_weighing,
    class_shares,
    class_weight_gradient,
    label_spec,
    over_classes,
    row_scale,
    rows,
    shape_of_labels,
    usable,
)
from gradflow.ops.create import asarray
from gradflow.ops.labelled_rows import launch_gradient, launch_loss
from gradflow.ops.precision import float_dtype, precision, stored
from gradflow.ops.shape import reshape
from gradflow.ops.soft_cross_entropy import _soft_cross_entropy, along, by_row, by_shares, curvature, exponents
from gradflow.samples import Given, Integer, Real, sample
from gradflow.tensor import Tensor, TensorLike

Array = Any


def cross_entropy(
    input: TensorLike,
    target: TensorLike,
    weight: TensorLike = None,
    *,
    ignore_index: int = IGNORED,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """``-log softmax(input)[label]`` of each row of logits: their mean, sum, or each one ("none").

    ``input`` is (N, C) with integer labels (N,) in ``target``, or (C,) with (), or (N, C, d, ...) with (N, d, ...);
    or ``target`` is floating and has the shape of ``input``: then it is the probability of every class. ``weight`` has
    a number for each class. ``label_smoothing`` in [0, 1] moves that much of the probability to all classes alike
    (Szegedy et al., CVPR 2016). Rows whose label is ``ignore_index`` count for nothing. The mean over labels is the
    sum divided by that of their weights, NaN if all are ignored; the mean over probabilities is divided by N alone.

    Raises ShapeError, DTypeError for labels that are not integers, IndexOutOfRange for labels not in [0, C).

    >>> from gradflow.ops.cross_entropy import cross_entropy
    >>> cross_entropy([[2.0, 0.0], [0.0, 2.0]], [0, 0])
    tensor(1.1269)
    >>> cross_entropy([2.0, 0.0], [0.5, 0.5])
    tensor(1.1269)
    """
    logits, target = asarray(input), asarray(target)
    smoothing = float(label_smoothing)
    if not is_floating(target.dtype):
        return by_rows(
            _cross_entropy, logits, target, weight,
            label_smoothing=smoothing, ignore_index=ignore_index, reduction=reduction,
        )  # fmt: skip
    if ignore_index != IGNORED:
        raise ArgumentError(
            "cross_entropy: ignore_index is for integer labels, and the target is floating: probabilities; "
            "set the probabilities of rows to be left out to 0, or convert labels with .astype('int64')"
        )
    weights = None if weight is None else asarray(weight)
    return _of_probabilities(logits, target, weights, reduction, smoothing)


def _of_probabilities(
    logits: Tensor, target: Tensor, weight: Tensor | None, reduction: str, smoothing: float
) -> Tensor:
    if target.shape != logits.shape:
        raise ShapeError(
            f"cross_entropy: the input is {logits.shape}, the target {target.shape} of {target.dtype}; probabilities "
            "must have the shape of the input, and class labels be integers: convert them with .astype('int64')"
        )
    each = shape_of_labels("cross_entropy", logits.shape)
    x, shares = rows(logits), rows(target)
    classes = x.shape[1]
    check_weighing("cross_entropy", classes, None if weight is None else weight.shape, smoothing)
    if smoothing:
        shares = shares * (1 - smoothing) + smoothing / classes
    if weight is not None:
        shares = shares * weight
    out = apply(_soft_cross_entropy, x, shares, reduction=reduction)
    return reshape(out, each) if reduction == "none" and out.shape != each else out


def _forward(
    xp: Any, logits: Array, labels: Array, weight: Array,
    *, label_smoothing: float, ignore_index: int, reduction: str, out: Array | None = None,
) -> Array:  # fmt: skip
    dtype, working = precision(logits, weight)
    weight = weight if weight is None else xp.asarray(weight, working)
    count, classes = logits.shape
    labels, kept = usable(xp, "cross_entropy", labels, classes, ignore_index)
    z = exponents(xp, logits, working)
    picked = z[xp.arange(count), labels]
    chosen = None if weight is None else weight[labels]
    if label_smoothing:
        others = z.sum(axis=1) if weight is None else z @ weight
    each = xp.log(xp.exp(z, out=z).sum(axis=1))  # log of the sum of exp
    if label_smoothing:
        others = (classes if weight is None else weight.sum()) * each - others
    each -= picked
    if chosen is not None:
        each *= chosen
    if label_smoothing:
        each = (1 - label_smoothing) * each + label_smoothing / classes * others
    if kept is not None:
        each = xp.where(kept, each, 0)
    if reduction != "none":
        each = each.sum() * row_scale(xp, chosen, kept, count, reduction)
    return stored(each, dtype, out)


def _grad_forward(
    xp: Any, g: Array, logits: Array, labels: Array, weight: Array,
    *, label_smoothing: float, ignore_index: int, reduction: str, out: Array | None = None,
) -> Array:  # fmt: skip
    dtype, working = precision(logits, weight)
    weight = weight if weight is None else xp.asarray(weight, working)
    count, classes = logits.shape
    labels, kept = usable(xp, "cross_entropy", labels, classes, ignore_index)
    chosen = None if weight is None else weight[labels]
    g = xp.multiply(g, row_scale(xp, chosen, kept, count, reduction), dtype=working)
    pick = g if chosen is None else g * chosen  # what -log softmax of the label counts for
    z = exponents(xp, logits, working, out)
    sums = xp.exp(z, out=z).sum(axis=1)
    if label_smoothing:
        pick = (1 - label_smoothing) * pick
        rest = label_smoothing / classes * g  # and what that of every class does, but for its weight
        z *= ((pick + rest * (classes if weight is None else weight.sum())) / sums)[:, None]
        z -= rest[..., None] if weight is None else rest[..., None] * weight
    else:
        z *= (pick / sums)[:, None]
    z[xp.arange(count), labels] -= pick
    if kept is not None:
        z[~kept] = 0
    return by_row(xp, z, dtype, out)


def _by_logits(
    g: Tensor, logits: Tensor, labels: Tensor, weight: Any, label_smoothing: float, ignore_index: int, reduction: str
) -> Tensor:
    return apply(
        _cross_entropy_grad, g, logits, labels, weight,
        label_smoothing=label_smoothing, ignore_index=ignore_index, reduction=reduction,
    )  # fmt: skip


def _by_weight(
    g: Tensor, logits: Tensor, labels: Tensor, weight: Any, label_smoothing: float, ignore_index: int, reduction: str
) -> Tensor:
    part = by_shares(g, logits)
    return class_weight_gradient(part, labels, weight, ignore_index, reduction, label_smoothing)


def _grad_by_g(
    g2: Tensor, logits: Tensor, labels: Tensor, weight: Any, label_smoothing: float, ignore_index: int, reduction: str
) -> Tensor:
    shares = class_shares(logits, labels, weight, ignore_index, reduction, label_smoothing)
    return (shares * along(g2, logits)).sum(axis=1)


def _grad_by_logits(
    g2: Tensor, g: Tensor, logits: Tensor, labels: Tensor, weight: Any,
    label_smoothing: float, ignore_index: int, reduction: str,
) -> Tensor:  # fmt: skip
    shares = class_shares(logits, labels, weight, ignore_index, reduction, label_smoothing)
    return curvature(g2, g, logits, shares)


def _grad_by_weight(
    g2: Tensor, g: Tensor, logits: Tensor, labels: Tensor, weight: Any,
    label_smoothing: float, ignore_index: int, reduction: str,
) -> Tensor:  # fmt: skip
    part = over_classes(g) * along(g2, logits)
    return class_weight_gradient(part, labels, weight, ignore_index, reduction, label_smoothing)


_LOGITS = Real((4, 3))
_LABELS = Given([2, 0, 1, 2], "int64")
_WEIGHT = Real((3,), 0.5, 2)
_SAMPLES = (
    sample(_LOGITS, _LABELS, None, label_smoothing=0.0, ignore_index=-100, reduction="mean"),
    sample(_LOGITS, _LABELS, None, label_smoothing=0.2, ignore_index=-100, reduction="sum"),
    sample(_LOGITS, _LABELS, _WEIGHT, label_smoothing=0.0, ignore_index=0, reduction="mean"),
    sample(_LOGITS, _LABELS, _WEIGHT, label_smoothing=0.2, ignore_index=1, reduction="mean"),
    sample(_LOGITS, _LABELS, _WEIGHT, label_smoothing=0.2, ignore_index=-100, reduction="none"),
    sample(Real((0, 3)), Given([], "int64"), _WEIGHT, label_smoothing=0.0, ignore_index=-100, reduction="sum"),
)

_LARGE = tuple(
    sample(
        Real((rows, classes)),
        Integer((rows,), 0, classes),
        None,
        label_smoothing=0.0,
        ignore_index=-100,
        reduction="mean",
    )
    for rows, classes in [(128, 10), (64, 1000)]
)

_cross_entropy_grad: Op = Op(
    name="cross_entropy_grad",
    forward=_grad_forward,
    spec=lambda g, logits, labels, weight, **attrs: Spec(logits.shape, float_dtype(logits.dtype, weight.dtype)),
    vjp=(_grad_by_g, _grad_by_logits, None, _grad_by_weight),
    cuda=launch_gradient,
    samples=tuple(
        sample(Real((4,) if each.attrs["reduction"] == "none" else ()), *each.inputs, **each.attrs) for each in _SAMPLES
    ),
    workloads=tuple(sample(Real(), *each.inputs, **each.attrs) for each in _LARGE),
)

_cross_entropy: Op = Op(
    name="cross_entropy",
    forward=_forward,
    spec=lambda logits, labels, weight, ignore_index, reduction, label_smoothing: label_spec(
        "cross_entropy", logits, labels, weight, reduction, label_smoothing
    ),
    vjp=(_by_logits, None, _by_weight),
    cuda=launch_loss,
    samples=_SAMPLES,
    workloads=_LARGE,
)
