"""Rectifiers: activation functions that are linear, or nearly, on each side of a kink."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError
from gradflow.launch import Launch, over_elements
from gradflow.op import Op, Spec, elementwise
from gradflow.ops.blockwise import blockwise, real
from gradflow.samples import Real, Sample, sample, unary
from gradflow.tensor import Tensor, TensorLike


def _with_gradient(*kinks: float, **attrs: float) -> tuple[Sample, ...]:
    shapes = [(), (7,), (3, 4), (0, 2)]
    return tuple(sample(Real(s), Real(s, kinks=kinks), **attrs) for s in shapes)


def relu(x: TensorLike) -> Tensor:
    """``max(x, 0)``, elementwise; NaN stays NaN, and the gradient at 0 is 0.

    Source: Nair & Hinton, "Rectified linear units improve restricted Boltzmann machines", ICML 2010.

    >>> import gradflow as gf
    >>> gf.relu(gf.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return apply(_relu, x)


def _relu_forward(xp: Any, x: Any, *, out: Any = None) -> Any:
    if x.dtype.kind != "f":
        return xp.maximum(x, 0, out=out)
    return x.clip(0, math.inf, out=out)  # NumPy's clip takes a third of the time of its maximum with a number


_relu_grad: Op = Op(
    name="relu_grad",
    forward=lambda xp, g, y, *, out=None: xp.multiply(g, ~xp.less_equal(y, 0), out=out),
    spec=elementwise("relu_grad", np.multiply),
    vjp=(lambda g2, y: apply(_relu_grad, g2, y), None),
    cuda=over_elements("relu_grad"),
    scalar="g * where(y <= 0, 0, 1)",
    samples=_with_gradient(0.0),
    workloads=(sample(Real((256, 1024)), Real((256, 1024))),),
)

_relu = Op(
    name="relu",
    forward=_relu_forward,
    spec=elementwise("relu", np.negative),
    vjp=(lambda g, out: apply(_relu_grad, g, out),),
    partials=("(x > 0) * 1",),
    scalar="maximum(x, 0)",
    samples=unary(kinks=(0.0,)),
    workloads=(sample(Real((128, 256))), sample(Real((256, 1024)))),
)


def leaky_relu(x: TensorLike, negative_slope: float = 0.01) -> Tensor:
    """``x`` where it is positive, ``negative_slope * x`` elsewhere; the gradient at 0 is ``negative_slope``.

    Source: Maas, Hannun & Ng, "Rectifier nonlinearities improve neural network acoustic models", ICML 2013.

    >>> import gradflow as gf
    >>> gf.leaky_relu(gf.tensor([-1.0, 2.0]), 0.1)
    tensor([-0.1,  2. ])
    """
    return apply(_leaky_relu, x, negative_slope=float(negative_slope))


@blockwise
def _leaky_relu_forward(xp: Any, x: Any, *, negative_slope: float, out: Any = None) -> Any:
    if negative_slope == 0:
        return x.clip(0, math.inf, out=out)  # infinity times 0 would be NaN
    choose = xp.maximum if negative_slope <= 1 else xp.minimum
    return choose(x, xp.multiply(x, negative_slope, out=out), out=out)


@blockwise
def _leaky_relu_grad_forward(xp: Any, g: Any, x: Any, *, negative_slope: float, out: Any = None) -> Any:
    positive = xp.greater(x, 0, out=out)  # 1 or 0: arithmetic on it is several times as fast as choosing by it
    slope = xp.subtract(1, positive)
    slope *= negative_slope
    slope += positive
    return xp.multiply(g, slope, out=out)


_leaky_relu_grad: Op = Op(
    name="leaky_relu_grad",
    forward=_leaky_relu_grad_forward,
    spec=real("leaky_relu_grad"),
    vjp=(
        lambda g2, x, negative_slope: apply(_leaky_relu_grad, g2, x, negative_slope=negative_slope),
        None,
    ),
    cuda=over_elements("leaky_relu_grad", "negative_slope"),
    scalar="g * where(x > 0, 1, negative_slope)",
    samples=(*_with_gradient(0.0, negative_slope=0.01), *_with_gradient(0.0, negative_slope=1.5)),
    workloads=(sample(Real((256, 1024)), Real((256, 1024)), negative_slope=0.01),),
)

_scaled_below_0 = over_elements("leaky_relu", "negative_slope")


def _leaky_relu_cuda(x: Any, *, negative_slope: float, out: Any) -> Launch | None:
    return _scaled_below_0(x, negative_slope=negative_slope, out=out) if negative_slope else None  # 0: CuPy's clip


def _leaky_relu_scalar(x: Spec, *, negative_slope: float) -> str:
    return "where(x > 0, x, negative_slope * x)" if negative_slope else "maximum(x, 0)"


_leaky_relu = Op(
    name="leaky_relu",
    forward=_leaky_relu_forward,
    spec=real("leaky_relu"),
    vjp=(lambda g, x, negative_slope: apply(_leaky_relu_grad, g, x, negative_slope=negative_slope),),
    partials=("where(x > 0, 1, negative_slope)",),
    cuda=_leaky_relu_cuda,
    scalar=_leaky_relu_scalar,
    samples=(
        *unary(kinks=(0.0,), negative_slope=0.01),
        *(sample(Real((7,), kinks=(0.0,)), negative_slope=slope) for slope in (0.0, -0.5, 1.5)),
    ),
    workloads=(sample(Real((256, 1024)), negative_slope=0.01),),
)


def elu(x: TensorLike, alpha: float = 1.0) -> Tensor:
    """``x`` where it is positive, ``alpha * (exp(x) - 1)`` elsewhere.

    Source: Clevert, Unterthiner & Hochreiter, "Fast and accurate deep network learning by exponential linear
    units" (arXiv:1511.07289, 2015).

    >>> import gradflow as gf
    >>> gf.elu(gf.tensor([-1.0, 2.0]))
    tensor([-0.6321205,  2.       ])
    """
    return apply(_elu, x, alpha=float(alpha), scale=1.0)


def selu(x: TensorLike) -> Tensor:
    """``scale * elu(x, alpha)`` with the constants that keep mean 0 and variance 1 from layer to layer.

    Source: Klambauer, Unterthiner, Mayr & Hochreiter, "Self-normalizing neural networks" (arXiv:1706.02515, 2017):
    alpha = 1.67326..., scale = 1.05070...

    >>> import gradflow as gf
    >>> gf.selu(gf.tensor([-1.0, 2.0]))
    tensor([-1.1113307,  2.101402 ])
    """
    return apply(_elu, x, alpha=1.6732632423543772, scale=1.0507009873554805)


@blockwise
def _elu_forward(xp: Any, x: Any, *, alpha: float, scale: float, out: Any = None) -> Any:
    below = x.clip(-math.inf, 0)
    below = xp.expm1(below, out=below)
    if alpha != 1:
        below *= alpha
    result = x.clip(0, math.inf, out=out)
    result += below
    if scale != 1:
        result *= scale
    return result


@blockwise
def _elu_grad_forward(xp: Any, g: Any, x: Any, *, alpha: float, scale: float, out: Any = None) -> Any:
    slope = x.clip(-math.inf, 0)
    slope = xp.exp(slope, out=slope)
    if alpha != 1:  # 1 for positive x stays exactly 1
        positive = xp.greater(x, 0, out=out)
        slope -= positive
        slope *= alpha
        slope += positive
    if scale != 1:
        slope *= scale
    return xp.multiply(g, slope, out=out)


_elu_grad: Op = Op(
    name="elu_grad",
    forward=_elu_grad_forward,
    spec=real("elu_grad"),
    vjp=(
        lambda g2, x, alpha, scale: apply(_elu_grad, g2, x, alpha=alpha, scale=scale),
        lambda g2, x, out: g2 * out * (x < 0),  # there its derivative is itself
    ),
    partials=("", "out * (x < 0)"),
    cuda=over_elements("elu_grad", "alpha", "scale"),
    scalar="g * (scale * where(x > 0, 1, alpha * exp(x)))",
    samples=(
        *_with_gradient(0.0, alpha=1.0, scale=1.0),
        *_with_gradient(0.0, alpha=1.5, scale=0.9),
    ),
    workloads=(sample(Real((256, 1024)), Real((256, 1024)), alpha=1.0, scale=1.0),),
)

_elu = Op(
    name="elu",
    forward=_elu_forward,
    spec=real("elu"),
    vjp=(lambda g, x, alpha, scale: apply(_elu_grad, g, x, alpha=alpha, scale=scale),),
    partials=("scale * where(x > 0, 1, alpha * exp(x))",),
    cuda=over_elements("elu", "alpha", "scale"),
    scalar="scale * (maximum(x, 0) + alpha * expm1(minimum(x, 0)))",
    samples=(*unary(kinks=(0.0,), alpha=1.0, scale=1.0), *unary(kinks=(0.0,), alpha=1.5, scale=0.9)),
    workloads=(sample(Real((256, 1024)), alpha=1.0, scale=1.0),),
)


def hardtanh(x: TensorLike, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """``x``, but at least ``min_val`` and at most ``max_val``; the gradient at the bounds and beyond is 0.

    ``gf.clip`` is the same, but for a gradient of 1 at the bounds. Raises ArgumentError unless
    ``min_val <= max_val``.

    >>> import gradflow as gf
    >>> gf.hardtanh(gf.tensor([-2.0, 0.5, 3.0]))
    tensor([-1. ,  0.5,  1. ])
    """
    if not min_val <= max_val:
        raise ArgumentError(f"hardtanh: min_val {min_val} is greater than max_val {max_val}; exchange them")
    return apply(_hardtanh, x, min_val=float(min_val), max_val=float(max_val))


@blockwise
def _hardtanh_grad_forward(xp: Any, g: Any, x: Any, *, min_val: float, max_val: float, out: Any = None) -> Any:
    beyond = xp.less_equal(x, min_val)
    beyond |= xp.greater_equal(x, max_val)
    return xp.multiply(g, ~beyond, out=out)


_hardtanh_grad: Op = Op(
    name="hardtanh_grad",
    forward=_hardtanh_grad_forward,
    spec=real("hardtanh_grad"),
    vjp=(
        lambda g2, x, min_val, max_val: apply(_hardtanh_grad, g2, x, min_val=min_val, max_val=max_val),
        None,
    ),
    cuda=over_elements("hardtanh_grad", "min_val", "max_val"),
    scalar="g * where((x <= min_val) | (x >= max_val), 0, 1)",
    samples=_with_gradient(-1.0, 0.5, min_val=-1.0, max_val=0.5),
    workloads=(sample(Real((256, 1024)), Real((256, 1024)), min_val=-1.0, max_val=0.5),),
)

_hardtanh = Op(
    name="hardtanh",
    forward=blockwise(lambda xp, x, *, min_val, max_val, out=None: x.clip(min_val, max_val, out=out)),
    spec=real("hardtanh"),
    vjp=(lambda g, x, min_val, max_val: apply(_hardtanh_grad, g, x, min_val=min_val, max_val=max_val),),
    partials=("((x > min_val) & (x < max_val)) * 1",),
    scalar="minimum(maximum(x, min_val), max_val)",
    samples=unary(kinks=(-1.0, 0.5), min_val=-1.0, max_val=0.5),
)
