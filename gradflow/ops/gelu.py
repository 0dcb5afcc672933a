"""The Gaussian error linear unit, exact and by its tanh approximation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.dtypes import accumulator
from gradflow.errors import ArgumentError
from gradflow.launch import over_elements
from gradflow.op import Op, Spec
from gradflow.ops.activation import HUGE, sigmoid
from gradflow.ops.blockwise import blockwise, real
from gradflow.ops.elementwise import exp, square
from gradflow.ops.erf import FITS, erfcx_chord, erfcx_chord_text
from gradflow.ops.precision import Array, float_dtype
from gradflow.samples import Real, sample, unary
from gradflow.tensor import Tensor, TensorLike

WITH_GRADIENT = tuple(sample(Real(s), Real(s, -5, 5)) for s in [(), (7,), (3, 4), (0, 2)])


def gelu(x: TensorLike, approximate: str = "none") -> Tensor:
    """``x`` times the probability that a standard normal number is below ``x``, elementwise.

    ``approximate="tanh"`` gives 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x**3))), which differs by up to 5e-4. Both
    keep their relative accuracy where they are close to 0. Raises ArgumentError for another ``approximate``.

    Source: Hendrycks & Gimpel, "Gaussian error linear units" (arXiv:1606.08415, 2016).

    >>> import gradflow as gf
    >>> gf.gelu(gf.tensor([-1.0, 0.0, 2.0]))
    tensor([-0.158655,  0.      ,  1.9545  ])
    """
    if approximate not in ("none", "tanh"):
        raise ArgumentError(f"gelu: approximate is {approximate!r}; it must be 'none' or 'tanh'")
    return apply(_gelu if approximate == "none" else _gelu_tanh, x)


def _gaussian(xp: Any, x: Array) -> tuple[Array, Array, Array]:
    """a = |x| / sqrt(2), as far as it matters, exp(-a**2) and erfcx(a); the tail beyond |x| is half their product."""
    a = xp.absolute(x)
    a *= math.sqrt(0.5)
    a = a.clip(0, FITS[a.dtype.itemsize].reach, out=a)
    bell = xp.multiply(a, -a)
    bell = xp.exp(bell, out=bell)
    tail = erfcx_chord(a)
    tail *= a
    tail = xp.subtract(1, tail, out=tail)
    return a, bell, tail


def _gaussian_text(x: Spec) -> str:
    """The same as lines of formulas."""
    fit = FITS[accumulator(float_dtype(x.dtype)).itemsize]
    chord = erfcx_chord_text("a", fit)
    return f"a = minimum(abs(x) * {math.sqrt(0.5)}, {fit.reach})\nbell = exp(-a * a)\ntail = 1 - a * {chord}\n"


@blockwise
def _gelu_forward(xp: Any, x: Any, *, out: Any = None) -> Any:
    a, bell, tail = _gaussian(xp, x)  # max(x, 0) - |x| times the tail, so that nothing cancels
    tail *= bell
    tail *= a
    tail *= math.sqrt(0.5)
    result = x.clip(0, math.inf, out=out)
    result -= tail
    return result


@blockwise
def _gelu_grad_forward(xp: Any, g: Any, x: Any, *, out: Any = None) -> Any:
    a, bell, tail = _gaussian(xp, x)
    a *= 1 / math.sqrt(math.pi)
    tail *= 0.5
    a -= tail
    a *= bell  # the slope is 1 + a for positive x, else -a
    positive = xp.greater(x, 0, out=out)
    slope = xp.add(a, a, out=tail)
    slope += 1
    slope *= positive
    slope -= a
    return xp.multiply(g, slope, out=out)


def _gelu_curvature(x: Tensor) -> Tensor:
    squared = square(x)
    return exp(squared * -0.5) * (2 - squared) * (1 / math.sqrt(2 * math.pi))


def _gelu_grad_scalar(g: Spec, x: Spec) -> str:
    bend = f"bend = bell * (a * {1 / math.sqrt(math.pi)} - 0.5 * tail)\n"
    return f"{_gaussian_text(x)}{bend}g * where(x > 0, 1 + bend, -bend)"


_gelu_grad: Op = Op(
    name="gelu_grad",
    forward=_gelu_grad_forward,
    spec=real("gelu_grad"),
    vjp=(lambda g2, x: apply(_gelu_grad, g2, x), lambda g2, g, x: g2 * g * _gelu_curvature(x)),
    cuda=over_elements("gelu_grad"),
    scalar=_gelu_grad_scalar,
    samples=WITH_GRADIENT,
    workloads=(sample(Real((256, 1024)), Real((256, 1024))),),
)

_gelu = Op(
    name="gelu",
    forward=_gelu_forward,
    spec=real("gelu"),
    vjp=(lambda g, x: apply(_gelu_grad, g, x),),
    partials=("(1 + erf(x / 2**0.5)) / 2 + x * exp(-(x**2) / 2) / (2 * pi) ** 0.5",),
    cuda=over_elements("gelu"),
    scalar=lambda x: f"{_gaussian_text(x)}maximum(x, 0) - {math.sqrt(0.5)} * (a * (bell * tail))",
    samples=unary(low=-5, high=5),
    workloads=(sample(Real((256, 1024))),),
)

# 0.5 (1 + tanh(u)) is sigmoid(2 u), and 2 u here is x (LINEAR + CUBIC x**2)
LINEAR = 2 * math.sqrt(2 / math.pi)
CUBIC = 0.044715 * LINEAR


@blockwise
def _gelu_tanh_forward(xp: Any, x: Any, *, out: Any = None) -> Any:
    with np.errstate(over="ignore"):  # one over infinity is the right 0
        fall = xp.multiply(x, x, out=out)
        fall *= -CUBIC
        fall -= LINEAR
        fall *= x
        fall = xp.exp(fall, out=out)
    fall += 1
    return xp.true_divide(x.clip(-HUGE, math.inf), fall, out=out)


@blockwise
def _gelu_tanh_grad_forward(xp: Any, g: Any, x: Any, *, out: Any = None) -> Any:
    x = x.clip(-100, 100)  # beyond, the slope is 0 or 1
    bend = xp.multiply(x, x)
    bend *= -CUBIC
    with np.errstate(over="ignore"):
        step = xp.subtract(bend, LINEAR, out=out)
        step *= x
        step = xp.exp(step, out=out)
    step += 1
    step = xp.true_divide(1, step, out=out)
    bend *= -3
    bend += LINEAR
    bend *= x
    bend *= 1 - step
    bend += 1
    bend *= step
    return xp.multiply(g, bend, out=out)


def _gelu_tanh_curvature(x: Tensor) -> Tensor:
    squared = square(x)
    argument = x * (squared * CUBIC + LINEAR)
    step = sigmoid(argument)
    rise = squared * (3 * CUBIC) + LINEAR  # the derivative of what the step is of
    bend = (1 - 2 * step) * square(rise) + x * (6 * CUBIC)
    return step * sigmoid(-argument) * (2 * rise + x * bend)  # 1 - step would have few digits where step is near 1


_GELU_TANH_GRAD = f"""
z = minimum(maximum(x, -100), 100)
rise = {CUBIC} * z * z
step = sigmoid(z * (rise + {LINEAR}))
g * (step * (1 + z * (3 * rise + {LINEAR}) * (1 - step)))
"""

_gelu_tanh_grad: Op = Op(
    name="gelu_tanh_grad",
    forward=_gelu_tanh_grad_forward,
    spec=real("gelu_tanh_grad"),
    vjp=(lambda g2, x: apply(_gelu_tanh_grad, g2, x), lambda g2, g, x: g2 * g * _gelu_tanh_curvature(x)),
    cuda=over_elements("gelu_tanh_grad"),
    scalar=_GELU_TANH_GRAD,
    samples=WITH_GRADIENT,
    workloads=(sample(Real((256, 1024)), Real((256, 1024))),),
)

_gelu_tanh = Op(
    name="gelu_tanh",
    forward=_gelu_tanh_forward,
    spec=real("gelu_tanh"),
    vjp=(lambda g, x: apply(_gelu_tanh_grad, g, x),),
    cuda=over_elements("gelu_tanh"),
    scalar=f"maximum(x, {-HUGE}) / (1 + exp(-x * ({CUBIC} * x * x + {LINEAR})))",
    samples=unary(low=-5, high=5),
    workloads=(sample(Real((256, 1024))),),
)
