"""Cross-entropy and its gradient in one pass over the logits, for steps that are planned as a whole."""

from __future__ import annotations

from typing import Any

from gradflow.dispatch import apply
from gradflow.dtypes import accumulator
from gradflow.errors import ShapeError
from gradflow.launch import Launch
from gradflow.op import Op, Spec
from gradflow.ops.class_labels import IGNORED, label_spec, row_scale, usable
from gradflow.ops.cross_entropy import _LARGE, _LOGITS, _SAMPLES, _forward, _grad_forward
from gradflow.ops.labelled_rows import launch_gradient
from gradflow.ops.soft_cross_entropy import exponents
from gradflow.samples import Real, sample
from gradflow.tensor import Tensor

Array = Any


def cross_entropy_with_grad(
    gradient: Tensor,
    loss: Tensor,
    logits: Tensor,
    labels: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = IGNORED,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> None:
    """Write ``cross_entropy`` of logits (N, C) and labels (N,) into ``loss``, and its gradient into ``gradient``.

    ``gradient``, (N, C), may be the logits themselves, which it then replaces. ``loss`` is one number, or (N,) for
    the reduction "none", whose gradient is that of the sum. Raises what ``cross_entropy`` raises, and ShapeError for
    buffers that do not have the shape and dtype of what goes into them.

    >>> import gradflow as gf
    >>> from gradflow.ops.cross_entropy_with_grad import cross_entropy_with_grad
    >>> logits, loss = gf.tensor([[1.0, 1.0], [1.0, 1.0]]), gf.zeros(())
    >>> cross_entropy_with_grad(logits, loss, logits, gf.tensor([0, 1]))
    >>> loss, logits
    (tensor(0.6931472), tensor([[-0.25,  0.25],
            [ 0.25, -0.25]]))
    """
    apply(
        _cross_entropy_with_grad, gradient, loss, logits, labels, weight,
        label_smoothing=float(label_smoothing), ignore_index=ignore_index, reduction=reduction,
    )  # fmt: skip


def _with_grad_forward(
    xp: Any, gradient: Array, loss: Array, logits: Array, labels: Array, weight: Array,
    *, label_smoothing: float, ignore_index: int, reduction: str,
) -> None:  # fmt: skip
    if weight is None and not label_smoothing and reduction != "none":
        _plain_forward(xp, gradient, loss, logits, labels, ignore_index, reduction)
        return
    attrs: dict[str, Any] = {
        "label_smoothing": label_smoothing, "ignore_index": ignore_index, "reduction": reduction
    }  # fmt: skip
    loss[...] = _forward(xp, logits, labels, weight, **attrs)
    gradient[...] = _grad_forward(xp, xp.ones(loss.shape, loss.dtype), logits, labels, weight, **attrs)


def _plain_forward(
    xp: Any, gradient: Array, loss: Array, logits: Array, labels: Array, ignore_index: int, reduction: str
) -> None:
    """The common case, with one exp for both."""
    count, classes = logits.shape
    labels, kept = usable(xp, "cross_entropy", labels, classes, ignore_index)
    scale = row_scale(xp, None, kept, count, reduction)
    z = exponents(xp, logits, accumulator(logits.dtype))
    rows = xp.arange(count)
    each = z[rows, labels]
    sums = xp.exp(z, out=z).sum(axis=1)
    xp.subtract(xp.log(sums), each, out=each)
    z *= (scale / sums)[:, None]
    z[rows, labels] -= scale
    if kept is not None:
        each *= kept
        z[~kept] = 0
    loss[...] = each.sum() * scale
    gradient[...] = z


def _with_grad_cuda(
    gradient: Array, loss: Array, logits: Array, labels: Array, weight: Array, *, out: None, **attrs: Any
) -> Launch | None:
    return launch_gradient(None, logits, labels, weight, out=gradient, loss=loss, **attrs)


def _check(
    gradient: Spec, loss: Spec, logits: Spec, labels: Spec, weight: Spec,
    label_smoothing: float, ignore_index: int, reduction: str,
) -> None:  # fmt: skip
    made = label_spec("cross_entropy_with_grad", logits, labels, weight, reduction, label_smoothing)
    if loss != made or gradient != Spec(logits.shape, made.dtype):
        raise ShapeError(
            f"cross_entropy_with_grad: the gradient is {logits.shape} and the loss {made.shape}, both of {made.dtype}; "
            f"the buffers given are {gradient.shape} of {gradient.dtype} and {loss.shape} of {loss.dtype}"
        )


_cross_entropy_with_grad = Op(
    name="cross_entropy_with_grad",
    forward=_with_grad_forward,
    spec=_check,
    mutates=(0, 1),
    cuda=_with_grad_cuda,
    samples=tuple(
        sample(_LOGITS, Real((4,) if each.attrs["reduction"] == "none" else ()), *each.inputs, **each.attrs)
        for each in _SAMPLES
        if each.inputs[0] is _LOGITS
    ),
    workloads=tuple(sample(each.inputs[0], Real(), *each.inputs, **each.attrs) for each in _LARGE),
)
