"""Degrees and radians, the inverse hyperbolic functions, and the cardinal sine; all elementwise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.op import Op
from gradflow.ops.arithmetic import where
from gradflow.ops.blockwise import blockwise, real
from gradflow.ops.conjugate import conjugated
from gradflow.ops.elementwise import abs, function, sqrt
from gradflow.ops.polynomial import horner
from gradflow.ops.trigonometric import cos
from gradflow.samples import Given, sample, unary
from gradflow.tensor import Tensor, TensorLike

DEGREE = math.pi / 180

_arcsinh = function(
    np.arcsinh, lambda g, x: g / conjugated(sqrt(x * x + 1)), "1 / sqrt(x**2 + 1)", unary(), complex=True
)
_arccosh = function(
    np.arccosh,
    lambda g, x: g / conjugated(sqrt(x - 1) * sqrt(x + 1)),  # of one product of both the root is not the right one
    "1 / (sqrt(x - 1) * sqrt(x + 1))",
    unary(1.2, 3.0),
    complex=True,
)
_arctanh = function(
    np.arctanh, lambda g, x: g / conjugated(1 - x * x), "1 / (1 - x**2)", unary(-0.8, 0.8), complex=True
)
_deg2rad = function(np.deg2rad, lambda g: g * DEGREE, "pi / 180", unary(-180, 180), f"x * {DEGREE}")
_rad2deg = function(np.rad2deg, lambda g: g / DEGREE, "180 / pi", unary(), f"x * {180 / math.pi}")


def arcsinh(x: TensorLike) -> Tensor:
    """The inverse of ``sinh``, elementwise.

    >>> import gradflow as gf
    >>> gf.arcsinh(gf.tensor([0.0, 1.0]))
    tensor([0.       , 0.8813736])
    """
    return apply(_arcsinh, x)


def arccosh(x: TensorLike) -> Tensor:
    """The inverse of ``cosh``, at least 0, elementwise: NaN below 1, where the gradient is infinite.

    >>> import gradflow as gf
    >>> gf.arccosh(gf.tensor([1.0, 2.0]))
    tensor([0.      , 1.316958])
    """
    return apply(_arccosh, x)


def arctanh(x: TensorLike) -> Tensor:
    """The inverse of ``tanh``, elementwise: infinite at -1 and 1, NaN outside.

    >>> import gradflow as gf
    >>> gf.arctanh(gf.tensor([0.0, 0.5]))
    tensor([0.        , 0.54930615])
    """
    return apply(_arctanh, x)


def deg2rad(x: TensorLike) -> Tensor:
    """Degrees to radians, elementwise.

    >>> import gradflow as gf
    >>> gf.deg2rad(gf.tensor([180.0]))
    tensor([3.1415927])
    """
    return apply(_deg2rad, x)


def rad2deg(x: TensorLike) -> Tensor:
    """Radians to degrees, elementwise.

    >>> import gradflow as gf
    >>> gf.rad2deg(gf.tensor([3.1415927]))
    tensor([180.])
    """
    return apply(_rad2deg, x)


def sinc(x: TensorLike) -> Tensor:
    """``sin(pi * x) / (pi * x)``, 1 at 0, elementwise; gradients of first and second order are right there too.

    >>> import gradflow as gf
    >>> gf.sinc(gf.tensor([0.0, 0.5]))
    tensor([1.       , 0.6366198])
    """
    return apply(_sinc, x)


def _sinc_forward(xp: Any, x: Any, *, out: Any = None) -> Any:
    angle = xp.multiply(xp.where(x == 0, 1e-20, x), math.pi)
    return xp.divide(xp.sin(angle), angle, out=out)


# the derivative in powers of x**2, after the factor x
SLOPE = (math.pi**8 / 45360, -(math.pi**6) / 840, math.pi**4 / 30, -(math.pi**2) / 3)
NEAR = 0.03


def _sinc_vjp(g: Tensor, x: Tensor, out: Tensor) -> Tensor:
    near = abs(x) < NEAR
    small, large = where(near, x, 0.0), where(near, 1.0, x)
    series = small * horner(small * small, SLOPE)
    return g * where(near, series, (cos(large * math.pi) - sinc(large)) / large)


_sinc = Op(
    name="sinc",
    forward=blockwise(_sinc_forward),
    spec=real("sinc"),
    vjp=(_sinc_vjp,),
    scalar=f"angle = where(x == 0, 1e-20, x) * {math.pi}\nsin(angle) / angle",
    samples=(*unary(), sample(Given([0.0, 1e-3, -0.02, 0.1]))),
)
