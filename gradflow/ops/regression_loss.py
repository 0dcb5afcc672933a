"""Losses of numbers: how far predictions are from their targets."""

from __future__ import annotations

from typing import Any

from gradflow.dispatch import apply
from gradflow.dtypes import DType
from gradflow.errors import ArgumentError
from gradflow.op import Op
from gradflow.ops.comparison import less_equal
from gradflow.ops.loss import (
    REDUCTIONS,
    each_loss,
    launch_slope,
    launch_sum,
    loss_spec,
    reduced,
    scale,
    slope_spec,
    slope_text,
    times,
)
from gradflow.ops.precision import precision, room
from gradflow.samples import Real, Sample, sample
from gradflow.shapes import Shape
from gradflow.tensor import Tensor, TensorLike

Array = Any


def mse_loss(input: TensorLike, target: TensorLike, *, reduction: str = "mean") -> Tensor:
    """The squared error, ``(input - target)**2``: its mean over all elements, its sum, or each one ("none").

    ``reduction="half"`` is the textbook's L = sum of (y - t)**2 / 2, whose gradient is y - t.
    Raises ShapeError unless the shapes are equal (a Python number is the target of all), ArgumentError for
    another reduction.

    >>> from gradflow.ops.regression_loss import mse_loss
    >>> mse_loss([1.0, 2.0], [0.0, 4.0])
    tensor(2.5)
    >>> mse_loss(0.7, 1.0, reduction="half")
    tensor(0.045)
    """
    return apply(_mse_loss, input, target, reduction=reduction)


def _difference(xp: Any, input: Array, target: Array, out: Array | None = None) -> tuple[Array, DType]:
    """Predictions less targets, in the dtype to compute in, and the dtype of the result."""
    dtype, working = precision(input, target)
    d = xp.subtract(input, target, dtype=working, out=room(out, working))
    return xp.asarray(d), dtype  # NumPy makes scalars of 0-d results, which cannot be written to


def _mse_forward(xp: Any, input: Array, target: Array, *, reduction: str, out: Array | None = None) -> Array:
    d, dtype = _difference(xp, input, target)
    return reduced(xp.multiply(d, d, out=d), reduction, dtype, out)


def _mse_grad_forward(
    xp: Any, g: Array, input: Array, target: Array, *, reduction: str, out: Array | None = None
) -> Array:
    d, dtype = _difference(xp, input, target, out)
    return times(xp, d, g, 2 * scale(reduction, d.size), dtype, out)


def _apart(reduction: str, low: float, high: float, shape: Shape = (3, 4), **attrs: Any) -> Sample:
    """Predictions and targets whose difference is between ``low`` and ``high``."""
    middle = (high - low) / 4
    return sample(Real(shape, low + middle, high - middle), Real(shape, -middle, middle), reduction=reduction, **attrs)


def _with_g(each: Sample) -> Sample:
    """The sample of a loss's gradient, from one of the loss."""
    shape = each.inputs[0].shape if each.attrs["reduction"] == "none" else ()  # type: ignore[union-attr]
    return sample(Real(shape), *each.inputs, **each.attrs)


_MSE_SAMPLES = (
    _apart("mean", -2, 2),
    _apart("half", -2, 2, (7,)),
    _apart("none", -2, 2, ()),
    _apart("none", -2, 2),
    _apart("sum", -2, 2, (2, 0)),
)

_LARGE = sample(Real((256, 512)), Real((256, 512)), reduction="mean")

_mse_grad: Op = Op(
    name="mse_loss_grad",
    forward=_mse_grad_forward,
    spec=slope_spec("mse_loss"),
    cuda=launch_slope("mse_loss_grad", 2.0),
    vjp=(
        lambda g2, input, target, reduction: apply(_mse_grad, g2, input, target, reduction=reduction),
        lambda g2, g, reduction: g2 * g * (2 * scale(reduction, g2.size)),
        lambda g2, g, reduction: g2 * g * (-2 * scale(reduction, g2.size)),
    ),
    scalar=lambda g, input, target, reduction: slope_text("2 * (input - target)", input, target, reduction),
    samples=tuple(map(_with_g, _MSE_SAMPLES)),
    workloads=(_with_g(_LARGE),),
)

_mse_loss = Op(
    name="mse_loss",
    forward=_mse_forward,
    spec=loss_spec("mse_loss", (*REDUCTIONS, "half")),
    cuda=launch_sum("mse_loss"),
    vjp=(
        lambda g, input, target, reduction: apply(_mse_grad, g, input, target, reduction=reduction),
        lambda g, input, target, reduction: -apply(_mse_grad, g, input, target, reduction=reduction),
    ),
    scalar=each_loss("d = input - target\nd * d"),
    samples=(*_MSE_SAMPLES, sample(Real((7,)), 0.5, reduction="mean")),
    workloads=(_LARGE,),
)


def l1_loss(input: TensorLike, target: TensorLike, *, reduction: str = "mean") -> Tensor:
    """The absolute error, ``|input - target|``: its mean over all elements, its sum, or each one ("none").

    The gradient is 0 where they are equal. Raises ShapeError unless the shapes are equal, ArgumentError for
    another reduction.

    >>> from gradflow.ops.regression_loss import l1_loss
    >>> l1_loss([1.0, 2.0], [0.0, 4.0])
    tensor(1.5)
    """
    return apply(_l1_loss, input, target, reduction=reduction)


def _l1_forward(xp: Any, input: Array, target: Array, *, reduction: str, out: Array | None = None) -> Array:
    d, dtype = _difference(xp, input, target)
    return reduced(xp.abs(d, out=d), reduction, dtype, out)


def _l1_grad_forward(
    xp: Any, g: Array, input: Array, target: Array, *, reduction: str, out: Array | None = None
) -> Array:
    d, dtype = _difference(xp, input, target, out)
    return times(xp, xp.sign(d, out=d), g, scale(reduction, d.size), dtype, out)


_L1_SAMPLES = (
    _apart("mean", 0.1, 2),
    _apart("sum", -2, -0.1, (7,)),
    _apart("none", 0.1, 2, ()),
    _apart("none", 0.1, 2),
    _apart("sum", 0.1, 2, (2, 0)),
)

_l1_grad: Op = Op(
    name="l1_loss_grad",
    forward=_l1_grad_forward,
    spec=slope_spec("l1_loss"),
    vjp=(
        lambda g2, input, target, reduction: apply(_l1_grad, g2, input, target, reduction=reduction),
        None,
        None,
    ),
    scalar=lambda g, input, target, reduction: slope_text("sign(input - target)", input, target, reduction),
    samples=tuple(map(_with_g, _L1_SAMPLES)),
)

_l1_loss = Op(
    name="l1_loss",
    forward=_l1_forward,
    spec=loss_spec("l1_loss"),
    vjp=(
        lambda g, input, target, reduction: apply(_l1_grad, g, input, target, reduction=reduction),
        lambda g, input, target, reduction: -apply(_l1_grad, g, input, target, reduction=reduction),
    ),
    scalar=each_loss("abs(input - target)"),
    samples=_L1_SAMPLES,
)


def huber_loss(input: TensorLike, target: TensorLike, *, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """Of an error d: d**2 / 2 if abs(d) <= delta, else delta * (abs(d) - delta / 2): outliers count less.

    Raises ShapeError unless the shapes are equal, ArgumentError unless ``delta`` is positive.
    Source: Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35, 1964.

    >>> from gradflow.ops.regression_loss import huber_loss
    >>> huber_loss([0.5, 3.0], [0.0, 0.0], reduction="none")
    tensor([0.125, 2.5  ])
    """
    if not delta > 0:
        raise ArgumentError(f"huber_loss: delta must be positive, got {delta}")
    return apply(_huber_loss, input, target, delta=float(delta), reduction=reduction)


def smooth_l1_loss(input: TensorLike, target: TensorLike, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """Of an error d: d**2 / (2 beta) if abs(d) < beta, else abs(d) - beta / 2; the l1 loss for ``beta=0``.

    Raises ShapeError unless the shapes are equal, ArgumentError for a negative ``beta``.
    Source: Girshick, "Fast R-CNN", ICCV 2015.

    >>> from gradflow.ops.regression_loss import smooth_l1_loss
    >>> smooth_l1_loss([0.5, 3.0], [0.0, 0.0], reduction="none", beta=2.0)
    tensor([0.0625, 2.    ])
    """
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    if not beta > 0:
        raise ArgumentError(f"smooth_l1_loss: beta cannot be negative, got {beta}")
    return huber_loss(input, target, reduction=reduction, delta=beta) * (1 / beta)


def _huber_forward(
    xp: Any, input: Array, target: Array, *, delta: float, reduction: str, out: Array | None = None
) -> Array:
    d, dtype = _difference(xp, input, target)
    xp.abs(d, out=d)
    near = xp.minimum(d, delta)
    d -= 0.5 * near
    d *= near
    return reduced(d, reduction, dtype, out)


def _huber_grad_forward(
    xp: Any, g: Array, input: Array, target: Array, *, delta: float, reduction: str, out: Array | None = None
) -> Array:
    d, dtype = _difference(xp, input, target, out)
    xp.minimum(d, delta, out=d)
    return times(xp, xp.maximum(d, -delta, out=d), g, scale(reduction, d.size), dtype, out)


def _huber_curvature(g2: Tensor, g: Tensor, input: Any, target: Any, delta: float, reduction: str) -> Tensor:
    near = less_equal((input - target) ** 2, delta**2).astype(g2.dtype)
    return g2 * g * near * scale(reduction, g2.size)


_HUBER_SAMPLES = (
    _apart("mean", -0.9, 0.9, delta=1.0),
    _apart("sum", 0.6, 2, (7,), delta=0.5),
    _apart("none", -2, -0.6, (), delta=0.5),
    _apart("none", -2, -0.6, delta=0.5),
    _apart("sum", -2, 2, (2, 0), delta=1.0),
)

_huber_grad: Op = Op(
    name="huber_loss_grad",
    forward=_huber_grad_forward,
    spec=slope_spec("huber_loss"),
    vjp=(
        lambda g2, input, target, delta, reduction: apply(
            _huber_grad, g2, input, target, delta=delta, reduction=reduction
        ),
        _huber_curvature,
        lambda g2, g, input, target, delta, reduction: -_huber_curvature(g2, g, input, target, delta, reduction),
    ),
    scalar=lambda g, input, target, delta, reduction: slope_text(
        "maximum(minimum(input - target, delta), -delta)", input, target, reduction
    ),
    samples=tuple(map(_with_g, _HUBER_SAMPLES)),
)

_huber_loss = Op(
    name="huber_loss",
    forward=_huber_forward,
    spec=loss_spec("huber_loss"),
    vjp=(
        lambda g, input, target, delta, reduction: apply(
            _huber_grad, g, input, target, delta=delta, reduction=reduction
        ),
        lambda g, input, target, delta, reduction: (
            -apply(_huber_grad, g, input, target, delta=delta, reduction=reduction)
        ),
    ),
    scalar=each_loss("d = abs(input - target)\nnear = minimum(d, delta)\n(d - 0.5 * near) * near"),
    samples=_HUBER_SAMPLES,
)
