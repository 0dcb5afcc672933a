"""Circular and hyperbolic functions, elementwise, in radians."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.launch import over_elements
from gradflow.op import Op, elementwise
from gradflow.ops.blockwise import blockwise, real
from gradflow.ops.conjugate import conjugated
from gradflow.ops.elementwise import function, sqrt
from gradflow.samples import PAIRS, Real, sample, unary
from gradflow.tensor import Tensor, TensorLike

_sin = function(np.sin, lambda g, x: g * conjugated(cos(x)), "cos(x)", unary(), complex=True)
_cos = function(np.cos, lambda g, x: -g * conjugated(sin(x)), "-sin(x)", unary(), complex=True)
_tan = function(np.tan, lambda g, out: g * conjugated(out * out + 1), "1 + out**2", unary(-1.2, 1.2), complex=True)
_arcsin = function(
    np.arcsin, lambda g, x: g / conjugated(sqrt(1 - x * x)), "1 / sqrt(1 - x**2)", unary(-0.8, 0.8), complex=True
)
_arccos = function(
    np.arccos, lambda g, x: -g / conjugated(sqrt(1 - x * x)), "-1 / sqrt(1 - x**2)", unary(-0.8, 0.8), complex=True
)
_arctan = function(np.arctan, lambda g, x: g / conjugated(x * x + 1), "1 / (1 + x**2)", unary(), complex=True)
_sinh = function(np.sinh, lambda g, x: g * conjugated(cosh(x)), "cosh(x)", unary(), complex=True)
_cosh = function(np.cosh, lambda g, x: g * conjugated(sinh(x)), "sinh(x)", unary(), complex=True)


def sin(x: TensorLike) -> Tensor:
    """The sine of ``x`` radians, elementwise.

    >>> import gradflow as gf
    >>> gf.sin(gf.tensor([0.0, 1.0]))
    tensor([0.       , 0.8414709])
    """
    return apply(_sin, x)


def cos(x: TensorLike) -> Tensor:
    """The cosine of ``x`` radians, elementwise.

    >>> import gradflow as gf
    >>> gf.cos(gf.tensor([0.0, 1.0]))
    tensor([1.       , 0.5403023])
    """
    return apply(_cos, x)


def tan(x: TensorLike) -> Tensor:
    """The tangent of ``x`` radians, elementwise.

    >>> import gradflow as gf
    >>> gf.tan(gf.tensor([0.0, 1.0]))
    tensor([0.       , 1.5574077])
    """
    return apply(_tan, x)


def arcsin(x: TensorLike) -> Tensor:
    """The angle in [-pi/2, pi/2] whose sine is ``x``, elementwise: NaN outside [-1, 1].

    >>> import gradflow as gf
    >>> gf.arcsin(gf.tensor([0.0, 1.0]))
    tensor([0.       , 1.5707964])
    """
    return apply(_arcsin, x)


def arccos(x: TensorLike) -> Tensor:
    """The angle in [0, pi] whose cosine is ``x``, elementwise: NaN outside [-1, 1].

    >>> import gradflow as gf
    >>> gf.arccos(gf.tensor([0.0, 1.0]))
    tensor([1.5707964, 0.       ])
    """
    return apply(_arccos, x)


def arctan(x: TensorLike) -> Tensor:
    """The angle in [-pi/2, pi/2] whose tangent is ``x``, elementwise.

    >>> import gradflow as gf
    >>> gf.arctan(gf.tensor([0.0, 1.0]))
    tensor([0.       , 0.7853982])
    """
    return apply(_arctan, x)


def sinh(x: TensorLike) -> Tensor:
    """The hyperbolic sine, elementwise.

    >>> import gradflow as gf
    >>> gf.sinh(gf.tensor([0.0, 1.0]))
    tensor([0.       , 1.1752012])
    """
    return apply(_sinh, x)


def cosh(x: TensorLike) -> Tensor:
    """The hyperbolic cosine, elementwise.

    >>> import gradflow as gf
    >>> gf.cosh(gf.tensor([0.0, 1.0]))
    tensor([1.       , 1.543081])
    """
    return apply(_cosh, x)


def tanh(x: TensorLike) -> Tensor:
    """The hyperbolic tangent, elementwise, in [-1, 1].

    >>> import gradflow as gf
    >>> gf.tanh(gf.tensor([0.0, 1.0]))
    tensor([0.       , 0.7615942])
    """
    return apply(_tanh, x)


@blockwise
def _tanh_grad_forward(xp: Any, g: Any, y: Any, *, out: Any = None) -> Any:
    slope = xp.multiply(y, y)
    slope = xp.subtract(1, slope, out=slope)
    return xp.multiply(g, slope, out=out)


_tanh_grad: Op = Op(
    name="tanh_grad",
    forward=_tanh_grad_forward,
    spec=real("tanh_grad"),
    vjp=(
        lambda g2, y: apply(_tanh_grad, g2, y),
        lambda g2, g, y: g2 * g * (y * -2),
    ),
    partials=("1 - y**2", "-2 * g * y"),
    cuda=over_elements("tanh_grad"),
    scalar="g * (1 - y * y)",
    samples=tuple(sample(Real(s), Real(s, -0.95, 0.95)) for s in [(), (7,), (3, 4), (0, 2)]),
    workloads=(sample(Real((256, 1024)), Real((256, 1024))),),
)


def _tanh_vjp(g: Tensor, out: Tensor) -> Tensor:
    return apply(_tanh_grad, g, out) if out.dtype.kind != "c" else g * conjugated(1 - out * out)


_tanh = function(np.tanh, _tanh_vjp, "1 - out**2", unary(), complex=True)


def arctan2(a: TensorLike, b: TensorLike) -> Tensor:
    """The angle in [-pi, pi] of the point with ordinate ``a`` and abscissa ``b``, elementwise with broadcasting.

    >>> import gradflow as gf
    >>> gf.arctan2(gf.tensor([1.0, -1.0]), gf.tensor([0.0, -1.0]))
    tensor([ 1.5707964, -2.3561945])
    """
    return apply(_arctan2, a, b)


_arctan2 = Op(
    name="arctan2",
    forward=lambda xp, a, b, *, out=None: xp.arctan2(a, b, out=out),
    spec=elementwise("arctan2", np.arctan2),
    vjp=(
        lambda g, a, b: g * (b / (a * a + b * b)),
        lambda g, a, b: g * (-a / (a * a + b * b)),
    ),
    partials=("b / (a**2 + b**2)", "-a / (a**2 + b**2)"),
    scalar="arctan2(a, b)",
    samples=(
        *(sample(Real(a, kinks=(0.0,), gap=0.3), Real(b, kinks=(0.0,), gap=0.3)) for a, b in PAIRS),
        sample(Real((3,)), 0.7),
        sample(0.7, Real((3,))),
    ),
)


def hypot(a: TensorLike, b: TensorLike) -> Tensor:
    """``sqrt(a**2 + b**2)`` without overflow on the way, elementwise with broadcasting; the gradient at (0, 0) is 0.

    >>> import gradflow as gf
    >>> gf.hypot(gf.tensor([3.0, 0.0]), 4.0)
    tensor([5., 4.])
    """
    return apply(_hypot, a, b)


_hypot = Op(
    name="hypot",
    forward=lambda xp, a, b, *, out=None: xp.hypot(a, b, out=out),
    spec=elementwise("hypot", np.hypot),
    vjp=(
        lambda g, a, out: g * (a / (out + (out == 0))),  # at (0, 0) not 0 / 0 but 0 / 1
        lambda g, b, out: g * (b / (out + (out == 0))),
    ),
    partials=("a / out", "b / out"),
    scalar="hypot(a, b)",
    samples=(
        *(sample(Real(a, kinks=(0.0,), gap=0.3), Real(b, kinks=(0.0,), gap=0.3)) for a, b in PAIRS),
        sample(Real((3,)), 0.7),
        sample(0.7, Real((3,))),
    ),
)
