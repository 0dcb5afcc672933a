"""Cross-entropy of yes-or-no questions, from probabilities or from logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError
from gradflow.op import Op, Spec
from gradflow.ops.activation import sigmoid
from gradflow.ops.arithmetic import maximum
from gradflow.ops.loss import launch_slope, launch_sum, loss_spec, reduced, scale, slope_spec, slope_text, times
from gradflow.ops.precision import precision
from gradflow.samples import Real, sample
from gradflow.tensor import Tensor, TensorLike

Array = Any
LOWEST_LOG = -100.0  # what PyTorch takes the logarithm of 0 for, so that a sure and wrong answer costs 100
LEAST_VARIANCE = 1e-12  # of p (1 - p), for the same reason


def binary_cross_entropy(
    input: TensorLike, target: TensorLike, weight: TensorLike = None, *, reduction: str = "mean"
) -> Tensor:
    """``-(t log p + (1 - t) log(1 - p))`` of probabilities p and targets t; a log is at least -100.

    ``weight`` multiplies the loss of each element, with broadcasting. The result is the mean over all,
    their sum, or each one ("none"). Raises ShapeError unless the shapes are equal, ArgumentError for another
    reduction or, on the CPU (where looking costs no wait), for an input outside [0, 1].

    >>> from gradflow.ops.binary_cross_entropy import binary_cross_entropy
    >>> binary_cross_entropy([0.5, 0.0], [1.0, 1.0], reduction="none")
    tensor([  0.6931, 100.    ])
    """
    return apply(_bce, input, target, weight, reduction=reduction)


def _weighed(x: Any, weight: Any) -> Any:
    return x if weight is None else x * weight


def _check_probabilities(p: Array) -> None:
    low, high = p.min(initial=0), p.max(initial=1)
    if low < 0 or high > 1:
        raise ArgumentError(
            f"binary_cross_entropy: the input is from {low} to {high}, and must be probabilities, in [0, 1]; "
            "for logits use binary_cross_entropy_with_logits"
        )


def _bce_forward(
    xp: Any, input: Array, target: Array, weight: Array, *, reduction: str, out: Array | None = None
) -> Array:
    dtype, working = precision(input, target, weight)
    p, t = xp.asarray(input, working), xp.asarray(target, working)
    if xp is np:
        _check_probabilities(p)
    with np.errstate(divide="ignore"):
        yes, no = xp.maximum(xp.log(p), LOWEST_LOG), xp.maximum(xp.log1p(-p), LOWEST_LOG)
    return reduced(_weighed((t - 1) * no - t * yes, weight), reduction, dtype, out)


def _bce_grad_forward(
    xp: Any, g: Array, input: Array, target: Array, weight: Array, *, reduction: str, out: Array | None = None
) -> Array:
    dtype, working = precision(input, target, weight)
    p = xp.asarray(input, working)
    slope = _weighed((p - target) / xp.maximum(p * (1 - p), LEAST_VARIANCE), weight)
    return times(xp, xp.asarray(slope), g, scale(reduction, slope.size), dtype, out)


def _weighed_text(text: str, weight: Spec, name: str = "weight") -> str:
    return text if weight.absent else f"({text}) * {name}"


def _bce_grad_scalar(g: Spec, input: Spec, target: Spec, weight: Spec, reduction: str) -> str:
    slope = f"(input - target) / maximum(input * (1 - input), {LEAST_VARIANCE})"
    return slope_text(_weighed_text(slope, weight), input, target, reduction)


def _bce_target(g: Tensor, input: Any, weight: Any, reduction: str) -> Tensor:
    yes, no = (apply(_bce, input, t, weight, reduction="none") for t in (1.0, 0.0))
    return g * (yes - no) * scale(reduction, yes.size)


def _bce_weight(g: Tensor, input: Any, target: Any, reduction: str) -> Tensor:
    each = apply(_bce, input, target, None, reduction="none")
    return g * each * scale(reduction, each.size)


def _bce_curvature(g2: Tensor, g: Tensor, input: Any, target: Any, weight: Any, reduction: str) -> Tensor:
    variance = maximum(input * (1 - input), LEAST_VARIANCE)
    bend: Tensor = _weighed((input * input - 2 * input * target + target) / (variance * variance), weight)
    return g2 * g * bend * scale(reduction, g2.size)


def _bce_grad_target(g2: Tensor, g: Tensor, input: Any, weight: Any, reduction: str) -> Tensor:
    variance = maximum(input * (1 - input), LEAST_VARIANCE)
    bend: Tensor = _weighed(-1 / variance, weight)
    return g2 * g * bend * scale(reduction, g2.size)


_WEIGHTS = Real((4,), 0.5, 1.5)
_P, _T = Real((3, 4), 0.1, 0.9), Real((3, 4), 0.0, 1.0)

_bce_grad: Op = Op(
    name="binary_cross_entropy_grad",
    forward=_bce_grad_forward,
    spec=slope_spec("binary_cross_entropy"),
    vjp=(
        lambda g2, input, target, weight, reduction: apply(_bce_grad, g2, input, target, weight, reduction=reduction),
        _bce_curvature,
        _bce_grad_target,
        lambda g2, g, input, target, reduction: apply(_bce_grad, g2 * g, input, target, None, reduction=reduction),
    ),
    scalar=_bce_grad_scalar,
    samples=(
        sample(Real(), _P, _T, None, reduction="mean"),
        sample(Real((3, 4)), _P, _T, _WEIGHTS, reduction="none"),
        sample(Real(), Real((), 0.1, 0.9), 1.0, None, reduction="none"),
        sample(Real(), Real((0, 4)), Real((0, 4)), _WEIGHTS, reduction="sum"),
    ),
)

_bce: Op = Op(
    name="binary_cross_entropy",
    forward=_bce_forward,
    spec=loss_spec("binary_cross_entropy"),
    vjp=(
        lambda g, input, target, weight, reduction: apply(_bce_grad, g, input, target, weight, reduction=reduction),
        _bce_target,
        _bce_weight,
    ),
    samples=(
        sample(_P, _T, None, reduction="mean"),
        sample(_P, _T, _WEIGHTS, reduction="sum"),
        sample(_P, _T, Real((3, 1)), reduction="none"),
        sample(Real((), 0.1, 0.9), 1.0, None, reduction="none"),
        sample(Real((0, 4)), Real((0, 4)), _WEIGHTS, reduction="sum"),
    ),
)


def binary_cross_entropy_with_logits(
    input: TensorLike,
    target: TensorLike,
    weight: TensorLike = None,
    *,
    reduction: str = "mean",
    pos_weight: TensorLike = None,
) -> Tensor:
    """The binary cross-entropy of ``sigmoid(input)``, without the rounding and overflow on that way.

    ``weight`` multiplies the loss of each element and ``pos_weight`` the part of positive targets, both with
    broadcasting. The result is the mean over all elements, their sum, or each one ("none"). Raises ShapeError
    unless the shapes are equal, ArgumentError for another reduction.

    >>> from gradflow.ops.binary_cross_entropy import binary_cross_entropy_with_logits
    >>> binary_cross_entropy_with_logits([0.0, -100.0], [1.0, 1.0], reduction="none")
    tensor([  0.6931, 100.    ])
    """
    return apply(_logits, input, target, weight, pos_weight, reduction=reduction)


def _logits_forward(
    xp: Any, input: Array, target: Array, weight: Array, pos_weight: Array,
    *, reduction: str, out: Array | None = None,
) -> Array:  # fmt: skip
    dtype, working = precision(input, target, weight, pos_weight)
    x, t = xp.asarray(input, working), xp.asarray(target, working)
    rest = xp.log1p(xp.exp(-xp.abs(x)))  # log(1 + exp(x)) is this and the positive part of x
    above = xp.maximum(x, 0)
    each = _weighed(t * (rest + (above - x)), pos_weight) + (1 - t) * (rest + above)
    return reduced(_weighed(each, weight), reduction, dtype, out)


def _logits_scalar(input: Spec, target: Spec, weight: Spec, pos_weight: Spec, reduction: str) -> str | None:
    yes = _weighed_text("target * (rest + (above - input))", pos_weight, "pos_weight")
    each = _weighed_text(f"{yes} + (1 - target) * (rest + above)", weight)
    text = f"rest = log1p(exp(-abs(input)))\nabove = maximum(input, 0)\n{each}"
    return text if reduction == "none" else None


def _logits_grad_forward(
    xp: Any, g: Array, input: Array, target: Array, weight: Array, pos_weight: Array,
    *, reduction: str, out: Array | None = None,
) -> Array:  # fmt: skip
    dtype, working = precision(input, target, weight, pos_weight)
    x, t = xp.asarray(input, working), xp.asarray(target, working)
    p = 0.5 * xp.tanh(0.5 * x) + 0.5
    slope = p - t if pos_weight is None else p * (1 - t) - (1 - p) * (t * pos_weight)
    slope = xp.asarray(_weighed(slope, weight))
    return times(xp, slope, g, scale(reduction, slope.size), dtype, out)


def _logits_grad_scalar(g: Spec, input: Spec, target: Spec, weight: Spec, pos_weight: Spec, reduction: str) -> str:
    slope = "p - target" if pos_weight.absent else "p * (1 - target) - (1 - p) * (target * pos_weight)"
    return "p = sigmoid(input)\n" + slope_text(_weighed_text(slope, weight), input, target, reduction)


def _logits_target(g: Tensor, input: Any, weight: Any, pos_weight: Any, reduction: str) -> Tensor:
    yes = apply(_logits, input, 1.0, weight, pos_weight, reduction="none")
    no = apply(_logits, input, 0.0, weight, None, reduction="none")
    return g * (yes - no) * scale(reduction, yes.size)


def _logits_weight(g: Tensor, input: Any, target: Any, pos_weight: Any, reduction: str) -> Tensor:
    each = apply(_logits, input, target, None, pos_weight, reduction="none")
    return g * each * scale(reduction, each.size)


def _logits_pos_weight(g: Tensor, input: Any, target: Any, weight: Any, reduction: str) -> Tensor:
    yes: Tensor = apply(_logits, input, 1.0, weight, None, reduction="none") * target
    return g * yes * scale(reduction, yes.size)


def _logits_curvature(
    g2: Tensor, g: Tensor, input: Any, target: Any, weight: Any, pos_weight: Any, reduction: str
) -> Tensor:
    p = sigmoid(input)
    bend: Tensor = _weighed(p * (1 - p) * (1 - target + _weighed(target, pos_weight)), weight)
    return g2 * g * bend * scale(reduction, g2.size)


def _logits_grad_target(g2: Tensor, g: Tensor, input: Any, weight: Any, pos_weight: Any, reduction: str) -> Tensor:
    p = sigmoid(input)
    bend: Tensor = _weighed(-p - _weighed(1 - p, pos_weight), weight)
    return g2 * g * bend * scale(reduction, g2.size)


def _logits_grad_pos_weight(g2: Tensor, g: Tensor, input: Any, target: Any, weight: Any, reduction: str) -> Tensor:
    bend: Tensor = _weighed((sigmoid(input) - 1) * target, weight)
    return g2 * g * bend * scale(reduction, g2.size)


_X = Real((3, 4), -3, 3, kinks=(0.0,))
_LARGE = sample(Real((256, 512)), Real((256, 512), 0.0, 1.0), None, None, reduction="mean")

_logits_grad: Op = Op(
    name="binary_cross_entropy_with_logits_grad",
    forward=_logits_grad_forward,
    spec=slope_spec("binary_cross_entropy_with_logits"),
    cuda=launch_slope("binary_cross_entropy_with_logits_grad"),
    vjp=(
        lambda g2, input, target, weight, pos_weight, reduction: apply(
            _logits_grad, g2, input, target, weight, pos_weight, reduction=reduction
        ),
        _logits_curvature,
        _logits_grad_target,
        lambda g2, g, input, target, pos_weight, reduction: apply(
            _logits_grad, g2 * g, input, target, None, pos_weight, reduction=reduction
        ),
        _logits_grad_pos_weight,
    ),
    scalar=_logits_grad_scalar,
    samples=(
        sample(Real(), _X, _T, None, None, reduction="mean"),
        sample(Real((3, 4)), _X, _T, _WEIGHTS, Real((3, 1), 0.5, 2), reduction="none"),
        sample(Real(), Real(), 1.0, None, None, reduction="none"),
        sample(Real(), Real((0, 4)), Real((0, 4)), None, _WEIGHTS, reduction="sum"),
    ),
    workloads=(sample(Real(), *_LARGE.inputs, **_LARGE.attrs),),
)

_logits: Op = Op(
    name="binary_cross_entropy_with_logits",
    forward=_logits_forward,
    spec=loss_spec("binary_cross_entropy_with_logits"),
    cuda=launch_sum("binary_cross_entropy_with_logits"),
    vjp=(
        lambda g, input, target, weight, pos_weight, reduction: apply(
            _logits_grad, g, input, target, weight, pos_weight, reduction=reduction
        ),
        _logits_target,
        _logits_weight,
        _logits_pos_weight,
    ),
    scalar=_logits_scalar,
    samples=(
        sample(_X, _T, None, None, reduction="mean"),
        sample(_X, _T, _WEIGHTS, Real((3, 1), 0.5, 2), reduction="none"),
        sample(_X, _T, None, _WEIGHTS, reduction="sum"),
        sample(Real(), 1.0, None, None, reduction="none"),
        sample(Real((0, 4)), Real((0, 4)), _WEIGHTS, None, reduction="sum"),
    ),
    workloads=(_LARGE,),
)
