"""Activation functions made of the logistic function: smooth steps and smooth rectifiers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError
from gradflow.launch import over_elements
from gradflow.op import Op
from gradflow.ops.blockwise import blockwise, real
from gradflow.ops.precision import Array
from gradflow.samples import Real, sample, unary
from gradflow.tensor import Tensor, TensorLike

HUGE = 1e30  # stands for infinity where infinity times a step that has reached 0 would be NaN


def sigmoid(x: TensorLike) -> Tensor:
    """The logistic function, 1 / (1 + exp(-x)), elementwise, in [0, 1].

    >>> import gradflow as gf
    >>> gf.sigmoid(gf.tensor([0.0, 100.0]))
    tensor([0.5, 1. ])
    """
    return apply(_sigmoid, x)


def _one_plus_exp_minus(xp: Any, x: Array, out: Array) -> Array:
    out = xp.negative(x, out=out)
    with np.errstate(over="ignore"):  # one over infinity is the right 0
        out = xp.exp(out, out=out)
    out += 1
    return out


@blockwise
def _sigmoid_forward(xp: Any, x: Any, *, out: Any = None) -> Any:
    return xp.true_divide(1, _one_plus_exp_minus(xp, x, out), out=out)


@blockwise
def _sigmoid_grad_forward(xp: Any, g: Any, y: Any, *, out: Any = None) -> Any:
    slope = xp.subtract(1, y)
    slope *= y
    return xp.multiply(g, slope, out=out)


_sigmoid_grad: Op = Op(
    name="sigmoid_grad",
    forward=_sigmoid_grad_forward,
    spec=real("sigmoid_grad"),
    vjp=(
        lambda g2, y: apply(_sigmoid_grad, g2, y),
        lambda g2, g, y: g2 * g * (1 - 2 * y),
    ),
    partials=("y * (1 - y)", "g * (1 - 2 * y)"),
    cuda=over_elements("sigmoid_grad"),
    scalar="g * (y * (1 - y))",
    samples=tuple(sample(Real(s), Real(s, 0.05, 0.95)) for s in [(), (7,), (3, 4), (0, 2)]),
    workloads=(sample(Real((256, 1024)), Real((256, 1024))),),
)

_sigmoid = Op(
    name="sigmoid",
    forward=_sigmoid_forward,
    spec=real("sigmoid"),
    vjp=(lambda g, out: apply(_sigmoid_grad, g, out),),
    partials=("out * (1 - out)",),
    cuda=over_elements("sigmoid"),
    scalar="sigmoid(x)",
    samples=unary(low=-6, high=6),
    workloads=(sample(Real((128, 256))), sample(Real((256, 1024)))),
)


def silu(x: TensorLike) -> Tensor:
    """``x * sigmoid(x)``, elementwise, also called swish.

    Source: Hendrycks & Gimpel, "Gaussian error linear units" (arXiv:1606.08415, 2016).

    >>> import gradflow as gf
    >>> gf.silu(gf.tensor([0.0, 1.0]))
    tensor([0.      , 0.731059])
    """
    return apply(_silu, x)


@blockwise
def _silu_forward(xp: Any, x: Any, *, out: Any = None) -> Any:
    return xp.true_divide(x.clip(-HUGE, math.inf), _one_plus_exp_minus(xp, x, out), out=out)


@blockwise
def _silu_grad_forward(xp: Any, g: Any, x: Any, *, out: Any = None) -> Any:
    x = x.clip(-HUGE, HUGE)
    step = xp.true_divide(1, _one_plus_exp_minus(xp, x, out), out=out)
    slope = xp.subtract(1, step)
    slope *= x
    slope += 1
    slope *= step
    return xp.multiply(g, slope, out=out)


def _silu_curvature(x: Tensor) -> Tensor:
    step = sigmoid(x)
    return step * (1 - step) * (2 + x * (1 - 2 * step))


_SILU_GRAD = f"""
z = minimum(maximum(x, {-HUGE}), {HUGE})
step = sigmoid(z)
g * (step * (1 + z * (1 - step)))
"""

_silu_grad: Op = Op(
    name="silu_grad",
    forward=_silu_grad_forward,
    spec=real("silu_grad"),
    vjp=(lambda g2, x: apply(_silu_grad, g2, x), lambda g2, g, x: g2 * g * _silu_curvature(x)),
    partials=("sigmoid(x) * (1 + x * sigmoid(-x))", ""),
    cuda=over_elements("silu_grad"),
    scalar=_SILU_GRAD,
    samples=tuple(sample(Real(s), Real(s, -6, 6)) for s in [(), (7,), (3, 4), (0, 2)]),
    workloads=(sample(Real((256, 1024)), Real((256, 1024))),),
)

_silu = Op(
    name="silu",
    forward=_silu_forward,
    spec=real("silu"),
    vjp=(lambda g, x: apply(_silu_grad, g, x),),
    partials=("sigmoid(x) * (1 + x * sigmoid(-x))",),
    cuda=over_elements("silu"),
    scalar=f"maximum(x, {-HUGE}) / (1 + exp(-x))",
    samples=unary(low=-6, high=6),
    workloads=(sample(Real((256, 1024))),),
)


def softplus(x: TensorLike, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """``log(1 + exp(beta * x)) / beta``, elementwise, a smooth rectifier; ``x`` itself where ``beta * x > threshold``.

    Raises ArgumentError unless ``beta > 0``.

    >>> import gradflow as gf
    >>> gf.softplus(gf.tensor(0.0)), gf.softplus(gf.tensor(30.0))
    (tensor(0.693147), tensor(30.))
    """
    if not beta > 0:
        raise ArgumentError(f"softplus: beta is {beta}; it must be positive")
    return apply(_softplus, x, beta=float(beta), threshold=float(threshold))


@blockwise
def _softplus_forward(xp: Any, x: Any, *, beta: float, threshold: float, out: Any = None) -> Any:
    # max(x, 0) + log1p(exp(-|beta x|)) / beta, the second term only up to the threshold
    scaled = xp.multiply(x, beta)
    bend = xp.negative(xp.absolute(scaled, out=out), out=out)
    bend = xp.log1p(xp.exp(bend, out=out), out=out)
    bend *= xp.less_equal(scaled, threshold)
    bend /= beta
    bend += x.clip(0, math.inf, out=scaled)
    return bend


@blockwise
def _softplus_grad_forward(xp: Any, g: Any, x: Any, *, beta: float, threshold: float, out: Any = None) -> Any:
    scaled = xp.multiply(x, beta)
    slope = xp.true_divide(1, _one_plus_exp_minus(xp, scaled, out), out=out)
    slope = xp.maximum(slope, xp.greater(scaled, threshold, out=scaled), out=out)
    return xp.multiply(g, slope, out=out)


def _softplus_curvature(x: Tensor, beta: float, threshold: float) -> Tensor:
    scaled = x * beta
    step = sigmoid(scaled)
    return step * (1 - step) * beta * (scaled <= threshold)


_softplus_grad: Op = Op(
    name="softplus_grad",
    forward=_softplus_grad_forward,
    spec=real("softplus_grad"),
    vjp=(
        lambda g2, x, beta, threshold: apply(_softplus_grad, g2, x, beta=beta, threshold=threshold),
        lambda g2, g, x, beta, threshold: g2 * g * _softplus_curvature(x, beta, threshold),
    ),
    partials=("where(beta * x > threshold, 1, sigmoid(beta * x))", ""),
    cuda=over_elements("softplus_grad", "beta", "threshold"),
    scalar="z = beta * x\ng * where(z > threshold, 1, sigmoid(z))",
    samples=(
        *(sample(Real(s), Real(s, -6, 6), beta=1.0, threshold=20.0) for s in [(), (7,), (3, 4), (0, 2)]),
        sample(Real((3, 4)), Real((3, 4), kinks=(0.5,)), beta=2.0, threshold=1.0),
    ),
    workloads=(sample(Real((256, 1024)), Real((256, 1024)), beta=1.0, threshold=20.0),),
)

_softplus = Op(
    name="softplus",
    forward=_softplus_forward,
    spec=real("softplus"),
    vjp=(lambda g, x, beta, threshold: apply(_softplus_grad, g, x, beta=beta, threshold=threshold),),
    partials=("where(beta * x > threshold, 1, sigmoid(beta * x))",),
    cuda=over_elements("softplus", "beta", "threshold"),
    scalar="z = beta * x\nmaximum(x, 0) + where(z <= threshold, log1p(exp(-abs(z))) / beta, 0)",
    samples=(
        *unary(low=-6, high=6, beta=1.0, threshold=20.0),
        *unary(kinks=(0.5,), beta=2.0, threshold=1.0),
    ),
    workloads=(sample(Real((256, 1024)), beta=1.0, threshold=20.0),),
)
