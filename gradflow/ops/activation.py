"""Activation functions: what a network puts between its linear layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.op import Op, elementwise
from gradflow.samples import Real, sample, unary
from gradflow.tensor import Tensor, TensorLike


def sigmoid(x: TensorLike) -> Tensor:
    """The logistic function, 1 / (1 + exp(-x)), elementwise, in (0, 1).

    >>> import gradflow as gf
    >>> gf.sigmoid(gf.tensor([0.0, 100.0]))
    tensor([0.5, 1. ])
    """
    return apply(_sigmoid, x)


def _sigmoid_forward(xp: Any, x: Any, *, out: Any = None) -> Any:
    half = xp.multiply(x, 0.5, out=out)  # by way of tanh, which never overflows
    half = xp.tanh(half, out=out)
    half = xp.multiply(half, 0.5, out=out)
    return xp.add(half, 0.5, out=out)


_sigmoid = Op(
    name="sigmoid",
    forward=_sigmoid_forward,
    spec=elementwise("sigmoid", np.tanh),
    vjp=(lambda g, out: apply(_sigmoid_grad, g, out),),
    partials=("out * (1 - out)",),
    samples=unary(low=-6, high=6),
)


def _sigmoid_grad_forward(xp: Any, g: Any, y: Any, *, out: Any = None) -> Any:
    slope = xp.subtract(1, y)
    slope *= y
    return xp.multiply(g, slope, out=out)


_sigmoid_grad = Op(
    name="sigmoid_grad",
    forward=_sigmoid_grad_forward,
    spec=elementwise("sigmoid_grad", np.multiply),
    vjp=(
        lambda g2, y: apply(_sigmoid_grad, g2, y),
        lambda g2, g, y: g2 * g * (1 - 2 * y),
    ),
    partials=("y * (1 - y)", "g * (1 - 2 * y)"),
    samples=tuple(sample(Real(s), Real(s, 0.05, 0.95)) for s in [(), (7,), (3, 4), (0, 2)]),
)


def relu(x: TensorLike) -> Tensor:
    """``max(x, 0)``, elementwise; the gradient at 0 is 0.

    Source: Nair & Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.

    >>> import gradflow as gf
    >>> gf.relu(gf.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return apply(_relu, x)


_relu = Op(
    name="relu",
    forward=lambda xp, x, *, out=None: xp.maximum(x, 0, out=out),
    spec=elementwise("relu", np.negative),
    vjp=(lambda g, out: apply(_relu_grad, g, out),),
    partials=("(x > 0) * 1",),
    samples=unary(kinks=(0.0,)),
)

_relu_grad = Op(
    name="relu_grad",
    forward=lambda xp, g, y, *, out=None: xp.multiply(g, xp.greater(y, 0), out=out),
    spec=elementwise("relu_grad", np.multiply),
    vjp=(lambda g2, y: apply(_relu_grad, g2, y), None),
    samples=tuple(sample(Real(s), Real(s, kinks=(0.0,))) for s in [(), (7,), (3, 4), (0, 2)]),
)
