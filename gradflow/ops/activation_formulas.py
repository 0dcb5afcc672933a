"""Activation functions that are declared by a formula alone: gradients of any order and loops follow from it."""

from __future__ import annotations

from typing import SupportsIndex

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError, ShapeError
from gradflow.op import Op
from gradflow.ops.create import asarray
from gradflow.ops.join import split
from gradflow.ops.own_formula import op_of
from gradflow.ops.random import uniform
from gradflow.ops.rectifier import hardtanh, leaky_relu
from gradflow.ops.shape import reshape
from gradflow.ops.softmax import softmax
from gradflow.samples import Real, sample, unary
from gradflow.shapes import normalize_axis
from gradflow.tensor import Tensor, TensorLike


def _of_x(name: str, text: str, *kinks: float, slope: str | None = None, **attrs: float) -> Op:
    return op_of(name, ("x",), tuple(attrs), text, unary(-6, 6, kinks, **attrs), slope and (slope,))


def mish(x: TensorLike) -> Tensor:
    """``x * tanh(log(1 + exp(x)))``, elementwise, a smooth rectifier. Source: Misra, Mish, BMVC 2020.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.mish(gf.tensor([0.0, 2.0]))
    tensor([0.      , 1.943959])
    """
    return apply(_mish, x)


# The other factor, tanh(log(1 + exp(x))), is n / (n + 2). Beyond 25 it is 1, below -1000 it is 0, in every dtype, and
# infinity times 0 would be NaN. Of large x, the derivative of 1 - 2 / (n + 2) does not cancel.
_MISH = "e = exp(x)\nn = e * (e + 2)\nwhere(x > 25, {}, where(x < -1000, 0, {}))"
_mish = _of_x(
    "mish",
    _MISH.format("x", "x * (n / (n + 2))"),
    slope=_MISH.format("1", "where(x < 0, n / (n + 2), 1 - 2 / (n + 2)) + 4 * x * (e / (n + 2)) * ((e + 1) / (n + 2))"),
)


def hardswish(x: TensorLike) -> Tensor:
    """``x * hardsigmoid(x)``, elementwise. Source: Howard et al., "Searching for MobileNetV3", ICCV 2019.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.hardswish(gf.tensor([-4.0, 0.0, 3.0]))
    tensor([0., 0., 3.])
    """
    return apply(_hardswish, x)


_hardswish = _of_x(
    "hardswish",
    "maximum(x, -3) * minimum(maximum(x / 6 + 0.5, 0), 1)",
    -3,
    3,
    slope="where(x <= -3, 0, where(x >= 3, 1, x / 3 + 0.5))",
)


def hardsigmoid(x: TensorLike) -> Tensor:
    """``x / 6 + 1 / 2``, but at least 0 and at most 1, elementwise; the gradient at -3, 3 and beyond is 0.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.hardsigmoid(gf.tensor([-4.0, 0.0, 1.5]))
    tensor([0.  , 0.5 , 0.75])
    """
    return apply(_hardsigmoid, x)


_hardsigmoid = _of_x(
    "hardsigmoid", "minimum(maximum(x / 6 + 0.5, 0), 1)", -3, 3, slope="where((x <= -3) | (x >= 3), 0, 1 / 6)"
)


def celu(x: TensorLike, alpha: float = 1.0) -> Tensor:
    """``x`` where it is positive, ``alpha * (exp(x / alpha) - 1)`` elsewhere: an ``elu`` whose slope is continuous.

    Raises ArgumentError for an ``alpha`` of 0. Source: Barron (arXiv:1704.07483, 2017).

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.celu(gf.tensor([-1.0, 2.0]))
    tensor([-0.6321205,  2.       ])
    """
    if not alpha:
        raise ArgumentError("celu: alpha is 0, and x is divided by it")
    return apply(_celu, x, alpha=float(alpha))


_celu = _of_x(
    "celu",
    "where(x >= 0, x, alpha * expm1(x / alpha))",
    0,
    slope="where(x >= 0, 1, exp(x / alpha))",
    alpha=1.5,
)


def logsigmoid(x: TensorLike) -> Tensor:
    """The logarithm of ``sigmoid(x)``, ``-log(1 + exp(-x))``, elementwise, exact for large ``x`` of both signs.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.logsigmoid(gf.tensor([-100.0, 0.0]))
    tensor([-100.       ,   -0.6931472])
    """
    return apply(_logsigmoid, x)


_logsigmoid = _of_x("logsigmoid", "minimum(x, 0) - log1p(exp(-abs(x)))", slope="sigmoid(-x)")


def softsign(x: TensorLike) -> Tensor:
    """``x / (1 + abs(x))``, elementwise, in [-1, 1].

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.softsign(gf.tensor([-1.0, 0.0, 3.0]))
    tensor([-0.5 ,  0.  ,  0.75])
    """
    return apply(_softsign, x)


_softsign = _of_x("softsign", "x / (1 + abs(x))", 0)


def tanhshrink(x: TensorLike) -> Tensor:
    """``x - tanh(x)``, elementwise.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.tanhshrink(gf.tensor([0.0, 2.0]))
    tensor([0.        , 1.0359724])
    """
    return apply(_tanhshrink, x)


_tanhshrink = _of_x("tanhshrink", "x - tanh(x)")


def softshrink(x: TensorLike, lambd: float = 0.5) -> Tensor:
    """``x`` moved by ``lambd`` towards 0, and 0 where it is not farther than that, elementwise.

    Raises ArgumentError for a negative ``lambd``.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.softshrink(gf.tensor([-2.0, 0.25, 1.0]))
    tensor([-1.5,  0. ,  0.5])
    """
    return apply(_softshrink, x, lambd=_distance("softshrink", lambd))


_softshrink = _of_x(
    "softshrink", "where(x > lambd, x - lambd, where(x < -lambd, x + lambd, 0 * x))", -0.5, 0.5, lambd=0.5
)


def hardshrink(x: TensorLike, lambd: float = 0.5) -> Tensor:
    """``x``, and 0 where it is not farther from 0 than ``lambd``, elementwise.

    Raises ArgumentError for a negative ``lambd``.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.hardshrink(gf.tensor([-2.0, 0.25, 1.0]))
    tensor([-2.,  0.,  1.])
    """
    return apply(_hardshrink, x, lambd=_distance("hardshrink", lambd))


_hardshrink = _of_x("hardshrink", "where(abs(x) <= lambd, 0, x)", -0.5, 0.5, lambd=0.5)


def _distance(name: str, lambd: float) -> float:
    if not lambd >= 0:
        raise ArgumentError(f"{name}: lambd is {lambd}; it must be at least 0")
    return float(lambd)


def threshold(x: TensorLike, threshold: float, value: float) -> Tensor:
    """``x`` where it is above ``threshold``, ``value`` elsewhere, elementwise.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.threshold(gf.tensor([0.0, 1.0, 2.0]), 1.0, -5.0)
    tensor([-5., -5.,  2.])
    """
    return apply(_threshold, x, threshold=float(threshold), value=float(value))


_threshold = _of_x("threshold", "where(x <= threshold, value, x)", 0.5, threshold=0.5, value=-1.0)


def relu6(x: TensorLike) -> Tensor:
    """``x``, but at least 0 and at most 6: ``hardtanh(x, 0, 6)``.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.relu6(gf.tensor([-1.0, 2.0, 8.0]))
    tensor([0., 2., 6.])
    """
    return hardtanh(x, 0.0, 6.0)


def prelu(x: TensorLike, weight: TensorLike) -> Tensor:
    """``x`` where it is positive, ``weight * x`` elsewhere, with one weight, or one for each channel of (N, C, ...).

    Raises ShapeError for another number of weights. Source: He et al., "Delving deep into rectifiers", ICCV 2015.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.prelu(gf.tensor([[-1.0, -1.0]]), gf.tensor([0.25, 0.5]))
    tensor([[-0.25, -0.5 ]])
    """
    given, slope = asarray(x), asarray(weight)
    channels = given.shape[1] if given.ndim > 1 else 1
    if slope.ndim > 1 or slope.size not in (1, channels):
        raise ShapeError(f"prelu: weight is {slope.shape}; it must be (1,) or ({channels},), for an x of {given.shape}")
    column = (-1, *(1,) * (given.ndim - 2)) if slope.size > 1 else ()
    return apply(_prelu, given, reshape(slope, column))


_prelu = op_of(
    "prelu",
    ("x", "weight"),
    (),
    "where(x > 0, x, weight * x)",
    tuple(
        sample(Real(a, kinks=(0.0,)), Real(b)) for a, b in [((), ()), ((7,), ()), ((2, 3, 4), (3, 1)), ((0, 2), (2,))]
    ),
)


def rrelu(x: TensorLike, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Tensor:
    """``x`` where it is positive, elsewhere times a number in [lower, upper]: their mean, or random in ``training``.

    Raises ArgumentError unless ``lower <= upper``. Source: Xu et al. (arXiv:1505.00853, 2015).

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.rrelu(gf.tensor([-1.0, 2.0]), 0.25, 0.75)
    tensor([-0.5,  2. ])
    """
    given = asarray(x)
    if not lower <= upper:
        raise ArgumentError(f"rrelu: lower {lower} is greater than upper {upper}; exchange them")
    if not training:
        return leaky_relu(given, (lower + upper) / 2)
    return apply(_prelu, given, uniform(given.shape, lower, upper, dtype=given.dtype, device=given.device))


def glu(x: TensorLike, axis: SupportsIndex = -1) -> Tensor:
    """The first half of ``x`` along ``axis`` times the sigmoid of the second half: a gated linear unit.

    Raises ShapeError unless the size there is even. Source: Dauphin et al. (arXiv:1612.08083, 2016).

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.glu(gf.tensor([2.0, 4.0, 0.0, 100.0]))
    tensor([1., 4.])
    """
    given = asarray(x)
    along = normalize_axis("glu", axis, given.ndim)
    if given.shape[along] % 2:
        raise ShapeError(f"glu: axis {along} of {given.shape} has no halves; its size must be even")
    return apply(_glu, *split(given, 2, along))


_glu = op_of(
    "glu", ("a", "b"), (), "a * sigmoid(b)", tuple(sample(Real(s), Real(s, -6, 6)) for s in [(), (7,), (3, 4), (0, 2)])
)


def softmin(x: TensorLike, axis: SupportsIndex = -1) -> Tensor:
    """``softmax(-x)``: positive numbers that sum to 1 along ``axis``, the largest where ``x`` is least.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> F.softmin(gf.tensor([0.0, 1000.0]))
    tensor([1., 0.])
    """
    return softmax(-asarray(x), axis)
