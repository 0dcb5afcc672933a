"""Exponentials and logarithms by formulas that stay exact where the obvious one loses its digits; elementwise."""

from __future__ import annotations

import math
from typing import Any

from gradflow.dispatch import apply
from gradflow.op import Op
from gradflow.ops.blockwise import real
from gradflow.ops.own_formula import op_of
from gradflow.ops.polynomial import horner_text
from gradflow.samples import Given, Real, Sample, sample, unary
from gradflow.tensor import Tensor, TensorLike


def exp10(x: TensorLike) -> Tensor:
    """10 to the power of ``x``, elementwise.

    >>> import gradflow as gf
    >>> gf.special.exp10(gf.tensor([2.0, -1.0]))
    tensor([100. ,   0.1])
    """
    return apply(_exp10, x)


def exprel(x: TensorLike) -> Tensor:
    """``(exp(x) - 1) / x``, 1 at 0, elementwise.

    >>> import gradflow as gf
    >>> gf.special.exprel(gf.tensor([0.0, 1.0]))
    tensor([1.       , 1.7182817])
    """
    return apply(_exprel, x)


def cosm1(x: TensorLike) -> Tensor:
    """``cos(x) - 1``, elementwise, exact also where ``x`` is so small that ``cos(x)`` rounds to 1.

    >>> import gradflow as gf
    >>> gf.special.cosm1(gf.tensor([0.0, 1e-10]))
    tensor([-0.e+00, -5.e-21])
    """
    return apply(_cosm1, x)


def log1mexp(x: TensorLike) -> Tensor:
    """``log(1 - exp(-x))``, elementwise: -inf at 0, NaN below. Source: Mächler, "Accurately computing log(1 - exp(.))".

    >>> import gradflow as gf
    >>> gf.special.log1mexp(gf.tensor([1e-20, 1.0]))
    tensor([-46.0517  ,  -0.458675])
    """
    return apply(_log1mexp, x)


def boxcox(x: TensorLike, lmbda: TensorLike) -> Tensor:
    """The Box-Cox transformation ``(x**lmbda - 1) / lmbda``, ``log(x)`` at 0, elementwise with broadcasting.

    It has a gradient in ``lmbda``, at 0 too. Source: Box & Cox, "An analysis of transformations" (JRSS B 26, 1964).

    >>> import gradflow as gf
    >>> gf.special.boxcox(gf.tensor([1.0, 4.0]), 0.5)
    tensor([0., 2.])
    """
    return apply(_boxcox, x, lmbda)


def boxcox1p(x: TensorLike, lmbda: TensorLike) -> Tensor:
    """``boxcox(1 + x, lmbda)``, elementwise with broadcasting, exact also where ``x`` is tiny.

    >>> import gradflow as gf
    >>> gf.special.boxcox1p(gf.tensor([0.0, 3.0]), 0.5)
    tensor([0., 2.])
    """
    return apply(_boxcox1p, x, lmbda)


def inv_boxcox(y: TensorLike, lmbda: TensorLike) -> Tensor:
    """The inverse of ``boxcox``, elementwise with broadcasting.

    >>> import gradflow as gf
    >>> gf.special.inv_boxcox(gf.tensor([0.0, 2.0]), 0.5)
    tensor([1., 4.])
    """
    return apply(_inv_boxcox, y, lmbda)


def inv_boxcox1p(y: TensorLike, lmbda: TensorLike) -> Tensor:
    """The inverse of ``boxcox1p``, elementwise with broadcasting.

    >>> import gradflow as gf
    >>> gf.special.inv_boxcox1p(gf.tensor([0.0, 2.0]), 0.5)
    tensor([0., 3.])
    """
    return apply(_inv_boxcox1p, y, lmbda)


def log1p_over(x: Tensor) -> Tensor:
    """``log1p(x) / x``, 1 at 0, elementwise."""
    return apply(_log1p_over, x)


def _exp10_forward(xp: Any, x: Any, *, out: Any = None) -> Any:
    return xp.power(10.0, x, out=out)


# Series of which derivatives are exact, too: of (exp(u) - 1) / u below 1, of log1p(u) / u below 1 / 10
RISE = horner_text("u", tuple(1 / math.factorial(k + 1) for k in reversed(range(21))))
FALL = horner_text("u", tuple((-1) ** k / (k + 1) for k in reversed(range(18))))

_exp10 = Op(
    name="exp10",
    forward=_exp10_forward,
    spec=real("exp10"),
    vjp=(lambda g, out: g * (out * math.log(10)),),
    partials=(f"out * {math.log(10)}",),
    scalar="10.0 ** x",
    samples=unary(),
)
_exprel = op_of(
    "exprel",
    ("x",),
    (),
    f"u = x\nwhere(abs(u) < 1, {RISE}, where(x > 1000, inf, expm1(x) / x))",
    (*unary(), sample(Given([-3.0, 0.0, 1e-9, 5.0]))),
)
_cosm1 = op_of("cosm1", ("x",), (), "-2 * sin(x / 2) ** 2", unary())
_log1mexp = op_of(
    "log1mexp",
    ("x",),
    (),
    f"where(x < {math.log(2)}, log(-expm1(-x)), log1p(-exp(-x)))",
    (*unary(0.3, 3.0), sample(Given([0.3, 0.6, 0.8, 5.0]))),
)
_log1p_over = op_of(
    "log1p_over",
    ("x",),
    (),
    f"u = x\nwhere(abs(u) < 0.1, {FALL}, log1p(u) / u)",
    (*unary(-0.8, 2.0), sample(Given([-0.5, 0.0, 0.05, 3.0]))),
)


def _pairs(low: float, high: float) -> tuple[Sample, ...]:
    shapes: list[Any] = [((), ()), ((3, 4), (3, 4)), ((3, 1), (4,)), ((0, 2), (2,))]
    drawn = [sample(Real(a, low, high), Real(b, -1.5, 1.5)) for a, b in shapes]
    return (*drawn, sample(Real((3,), low, high), 0.5), sample(Given([low, 1.0, high]), Given([0.0, 0.4, -0.01])))


def _box_cox(name: str, logarithm: str, low: float) -> Op:
    text = f"""l = {logarithm}
u = lmbda * l
out = where(abs(u) < 1, l * ({RISE}), expm1(u) / lmbda)
where((lmbda == 0) & isinf(l), l, out)"""
    return op_of(name, ("x", "lmbda"), (), text, _pairs(low, 3.0))


def _inverse(name: str, exponential: str) -> Op:
    text = f"""u = lmbda * y
l = where(abs(u) < 0.1, y * ({FALL}), log1p(u) / lmbda)
{exponential}(where((lmbda == 0) & isinf(y), y, l))"""
    return op_of(name, ("y", "lmbda"), (), text, _pairs(-0.6, 0.6))


_boxcox = _box_cox("boxcox", "log(x)", 0.3)
_boxcox1p = _box_cox("boxcox1p", "log1p(x)", -0.6)
_inv_boxcox = _inverse("inv_boxcox", "exp")
_inv_boxcox1p = _inverse("inv_boxcox1p", "expm1")
