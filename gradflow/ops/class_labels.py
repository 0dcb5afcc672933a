"""Class labels in losses: their range, the rows to ignore, and what every class of a row counts for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradflow.backend import backend_of
from gradflow.dispatch import apply
from gradflow.dtypes import DType
from gradflow.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError
from gradflow.op import Op, Spec
from gradflow.ops.arithmetic import where
from gradflow.ops.comparison import equal
from gradflow.ops.loss import check_reduction, scale
from gradflow.ops.precision import float_dtype, stored
from gradflow.ops.shape import expand_dims, permute_dims, reshape
from gradflow.samples import Given, sample
from gradflow.shapes import Shape, size_of
from gradflow.tensor import Tensor

Array = Any
IGNORED = -100  # PyTorch's default ignore_index
_LABELS = Given([1, 0, 3], "int64")


def shape_of_labels(name: str, input: Shape) -> Shape:
    """The shape of the labels for an input: (N,) for (N, C), () for (C,), (N, d) for (N, C, d)."""
    if not input or not input[min(1, len(input) - 1)]:
        raise ShapeError(f"{name}: the input must be (N, C), (C,) or (N, C, ...) for C classes, got {input}")
    return input[:1] + input[2:] if len(input) > 1 else ()


def check_labels(name: str, input: Shape, labels: Spec) -> None:
    """Raise unless ``labels`` are integers, one for each row of the input."""
    if getattr(labels.dtype, "kind", "") not in ("i", "u"):
        raise DTypeError(f"{name}: class labels are integers, not {labels.dtype}; convert with .astype('int64')")
    wanted = shape_of_labels(name, input)
    if labels.shape == wanted:
        return
    if labels.shape == input:
        hint = "take .argmax(axis=1) of one-hot rows, or convert them to floats: probabilities"
    elif size_of(labels.shape) == size_of(wanted):
        hint = f"use .reshape({wanted})"
    else:
        hint = "there must be one for each row"
    raise ShapeError(f"{name}: the labels of an input of {input} are {wanted}, and these are {labels.shape}; {hint}")


def check_weighing(name: str, classes: int, weight: Shape | None, label_smoothing: float) -> None:
    """Raise unless ``weight`` is None or a number for each class, and ``label_smoothing`` a probability."""
    if weight is not None and weight != (classes,):
        raise ShapeError(f"{name}: weight is {weight}; it must be a number for each class, {(classes,)}")
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"{name}: label_smoothing must be in [0, 1], got {label_smoothing}")


def label_spec(
    name: str, input: Spec, labels: Spec, weight: Spec, reduction: str, label_smoothing: float = 0.0
) -> Spec:
    """The Spec of a loss of rows (N, C) and their labels (N,), with a weight for each class or None."""
    check_reduction(name, reduction)
    check_labels(name, input.shape, labels)
    check_weighing(name, input.shape[1], None if weight.dtype is type(None) else weight.shape, label_smoothing)
    return Spec(labels.shape if reduction == "none" else (), float_dtype(input.dtype, weight.dtype))


def rows(x: Tensor) -> Tensor:
    """(C,) as (1, C) and (N, C, d, ...) as (N d ..., C): what has one label each, in rows."""
    if x.ndim < 2:
        return reshape(x, (1, x.size))
    last = permute_dims(x, (0, *range(2, x.ndim), 1))
    return reshape(last, (size_of(last.shape[:-1]), last.shape[-1]))


def by_rows(op: Op, input: Tensor, labels: Tensor, weight: Any, *, reduction: str, **attrs: Any) -> Tensor:
    """``op``, which takes (N, C) and (N,), of these or of (C,) and (), or of (N, C, ...) and (N, ...)."""
    if input.ndim == 2:
        return apply(op, input, labels, weight, reduction=reduction, **attrs)
    check_labels(op.name, input.shape, labels.spec)
    out = apply(op, rows(input), reshape(labels, (labels.size,)), weight, reduction=reduction, **attrs)
    return reshape(out, labels.shape) if reduction == "none" else out


def over_classes(g: Tensor) -> Tensor:
    """The gradient of a loss, one number or one for each row, so that it multiplies rows."""
    return expand_dims(g, -1) if g.ndim else g


def usable(xp: Any, name: str, labels: Array, classes: int, ignore_index: int) -> tuple[Array, Array | None]:
    """Labels that are good as indices, and which rows count; None is all of them. IndexOutOfRange for other labels."""
    check = backend_of(labels).check_range
    if xp is np and not 0 <= ignore_index < classes and check(name, labels, 0, classes) is None:
        return labels, None
    wrong = check(name, labels, 0, classes, ignore_index)
    if wrong is not None:
        raise IndexOutOfRange(
            f"{name}: label {labels[wrong]} at position {wrong} is out of range for {classes} classes; labels "
            f"must be 0 to {classes - 1}, or ignore_index ({ignore_index}) for a row to be left out"
        )
    labels = labels.astype(np.int64, copy=False)  # CuPy compares uint8 with no -100
    kept = labels != ignore_index
    return xp.where(kept, labels, 0), kept


def row_scale(xp: Any, weights: Array | None, kept: Array | None, count: int, reduction: str) -> Any:
    """What the losses of ``count`` rows are multiplied by: for a mean 1 / the sum of the weights of those kept."""
    if reduction != "mean" or (weights is None and kept is None):
        return scale(reduction, count)
    counted: Array = kept if weights is None else weights if kept is None else xp.where(kept, weights, 0)
    total = counted.sum()
    return 1 / xp.where(total == 0, math.nan, total)


def _targets_forward(
    xp: Any,
    labels: Array,
    *,
    classes: int,
    label_smoothing: float,
    ignore_index: int,
    dtype: DType,
    out: Array | None = None,
) -> Array:
    labels, kept = usable(xp, "class_targets", labels, classes, ignore_index)
    targets = xp.full((labels.size, classes), label_smoothing / classes, dtype)
    targets[xp.arange(labels.size), labels] += 1 - label_smoothing
    if kept is not None:
        targets[~kept] = 0
    return stored(targets, dtype, out)


_class_targets = Op(
    name="class_targets",
    forward=_targets_forward,
    spec=lambda labels, classes, label_smoothing, ignore_index, dtype: Spec((*labels.shape, classes), dtype),
    samples=(
        sample(_LABELS, classes=4, label_smoothing=0.0, ignore_index=-100, dtype=np.dtype("f4")),
        sample(_LABELS, classes=4, label_smoothing=0.1, ignore_index=3, dtype=np.dtype("f8")),
        sample(Given([], "int64"), classes=3, label_smoothing=0.0, ignore_index=-100, dtype=np.dtype("f4")),
    ),
)


def class_targets(like: Tensor, labels: Tensor, ignore_index: int, label_smoothing: float = 0.0) -> Tensor:
    """The probability that each class should have in each row, none in rows to be ignored; shaped as ``like``."""
    return apply(
        _class_targets,
        labels,
        classes=like.shape[1],
        label_smoothing=label_smoothing,
        ignore_index=ignore_index,
        dtype=float_dtype(like),
    )


def class_shares(
    like: Tensor, labels: Tensor, weight: Any, ignore_index: int, reduction: str, label_smoothing: float = 0.0
) -> Tensor:
    """(N, C): what each class of each row counts for, so that the loss is the sum of shares times -log p.

    It is targets times weights, divided for a mean by the sum of the weights of the rows' labels.
    """
    targets = class_targets(like, labels, ignore_index, label_smoothing)
    shares: Tensor = targets if weight is None else targets * weight
    if reduction == "mean":
        chosen = class_targets(like, labels, ignore_index)
        shares = shares / _total(chosen if weight is None else chosen * weight)
    return shares


def _total(shares: Tensor) -> Tensor:
    total = shares.sum()
    return where(equal(total, 0), math.nan, total)  # a mean over nothing is NaN, without a warning


def class_weight_gradient(
    part: Tensor, labels: Tensor, weight: Tensor, ignore_index: int, reduction: str, label_smoothing: float = 0.0
) -> Tensor:
    """The gradient in the weights, still to be summed over the rows, from ``part``, the one in ``class_shares``."""
    targets = class_targets(part, labels, ignore_index, label_smoothing)
    if reduction != "mean":
        return targets * part
    chosen = class_targets(part, labels, ignore_index)
    shares = class_shares(part, labels, weight, ignore_index, reduction, label_smoothing)
    return (targets * part - chosen * (shares * part).sum()) / _total(chosen * weight)
