"""Bessel functions of order 0 and 1, modified or not, elementwise; their derivatives are made of one another."""

from __future__ import annotations

import math
from collections.abc import Callable

from gradflow.dispatch import apply
from gradflow.op import Op
from gradflow.ops import bessel_coefficients as series
from gradflow.ops.arithmetic import where
from gradflow.ops.branches import of_branches, ratio_text
from gradflow.ops.elementwise import sign
from gradflow.ops.polynomial import horner_text
from gradflow.samples import Given, Sample, sample, unary
from gradflow.tensor import Tensor, TensorLike


def j0(x: TensorLike) -> Tensor:
    """The Bessel function of the first kind of order 0, elementwise; the error is below 1e-15 for moderate ``x``.

    >>> import gradflow as gf
    >>> gf.special.j0(gf.tensor([0.0, 1.0]))
    tensor([1.       , 0.7651977])
    """
    return apply(_j0, x)


def j1(x: TensorLike) -> Tensor:
    """The Bessel function of the first kind of order 1, elementwise; the error is below 1e-15 for moderate ``x``.

    >>> import gradflow as gf
    >>> gf.special.j1(gf.tensor([0.0, 1.0]))
    tensor([0.        , 0.44005057])
    """
    return apply(_j1, x)


def y0(x: TensorLike) -> Tensor:
    """The Bessel function of the second kind of order 0, elementwise: -inf at 0, NaN below.

    >>> import gradflow as gf
    >>> gf.special.y0(gf.tensor([1.0]))
    tensor([0.08825696])
    """
    return apply(_y0, x)


def y1(x: TensorLike) -> Tensor:
    """The Bessel function of the second kind of order 1, elementwise: -inf at 0, NaN below.

    >>> import gradflow as gf
    >>> gf.special.y1(gf.tensor([1.0]))
    tensor([-0.7812128])
    """
    return apply(_y1, x)


def i0(x: TensorLike) -> Tensor:
    """The modified Bessel function of the first kind of order 0, elementwise; the relative error is below 1e-14.

    >>> import gradflow as gf
    >>> gf.special.i0(gf.tensor([0.0, 1.0]))
    tensor([1.       , 1.2660658])
    """
    return apply(_i0, x)


def i0e(x: TensorLike) -> Tensor:
    """``exp(-abs(x)) * i0(x)``, elementwise, which does not overflow.

    >>> import gradflow as gf
    >>> gf.special.i0e(gf.tensor([0.0, 1000.0]))
    tensor([1.        , 0.01261724])
    """
    return apply(_i0e, x)


def i1(x: TensorLike) -> Tensor:
    """The modified Bessel function of the first kind of order 1, elementwise; the relative error is below 1e-14.

    >>> import gradflow as gf
    >>> gf.special.i1(gf.tensor([0.0, 1.0]))
    tensor([0.       , 0.5651591])
    """
    return apply(_i1, x)


def i1e(x: TensorLike) -> Tensor:
    """``exp(-abs(x)) * i1(x)``, elementwise, which does not overflow.

    >>> import gradflow as gf
    >>> gf.special.i1e(gf.tensor([0.0, 1000.0]))
    tensor([0.        , 0.01261093])
    """
    return apply(_i1e, x)


def k0(x: TensorLike) -> Tensor:
    """The modified Bessel function of the second kind of order 0, elementwise: inf at 0, NaN below.

    The relative error is below 1e-14.

    >>> import gradflow as gf
    >>> gf.special.k0(gf.tensor([1.0]))
    tensor([0.42102444])
    """
    return apply(_k0, x)


def k0e(x: TensorLike) -> Tensor:
    """``exp(x) * k0(x)``, elementwise, which does not underflow.

    >>> import gradflow as gf
    >>> gf.special.k0e(gf.tensor([1000.0]))
    tensor([0.03962832])
    """
    return apply(_k0e, x)


def k1(x: TensorLike) -> Tensor:
    """The modified Bessel function of the second kind of order 1, elementwise: inf at 0, NaN below.

    The relative error is below 1e-14.

    >>> import gradflow as gf
    >>> gf.special.k1(gf.tensor([1.0]))
    tensor([0.6019072])
    """
    return apply(_k1, x)


def k1e(x: TensorLike) -> Tensor:
    """``exp(x) * k1(x)``, elementwise, which does not underflow.

    >>> import gradflow as gf
    >>> gf.special.k1e(gf.tensor([1000.0]))
    tensor([0.03964813])
    """
    return apply(_k1e, x)


NEAR = "t = x * x / 32 - 1"


def _waves(order: int, wave: str) -> str:
    """The asymptotic form, beyond 8, with ``wave`` a sine or cosine of an angle that is exact as long as ``x`` is."""
    high, middle, low = series.TURN
    amplitude, phase = (series.AMPLITUDE0, series.PHASE0) if order == 0 else (series.AMPLITUDE1, series.PHASE1)
    return f"""a = abs(x)
n = rint(a * {1 / (2 * math.pi)})
turned = a - n * {high} - n * {middle} - n * {low}
z = 64 / (a * a)
angle = turned + (({horner_text("z", phase)}) / a - {math.pi / 4 + order * math.pi / 2})
height = {"sign(x) * " * order}sqrt({2 / math.pi} / a) * ({horner_text("z", amplitude)})
where(isinf(a), 0, height * {wave}(angle))"""


def _over(out: Tensor, x: Tensor) -> Tensor:
    """A function of order 1 divided by ``x``; at 0 half its factor there, 1."""
    zero = x == 0
    return where(zero, 0.5, out / where(zero, 1.0, x))


def _first_kind(name: str, order: int, vjp: Callable[..., Tensor]) -> Op:
    near = horner_text("t", series.J1_NEAR if order else series.J0_NEAR)
    branches = ("abs(x) <= 8", f"{NEAR}\n({near})" + " * x" * order), ("", _waves(order, "cos"))
    return of_branches(name, branches, vjp, _BOTH)


def _second_kind(name: str, order: int, vjp: Callable[..., Tensor]) -> Op:
    near, first = (series.Y1_NEAR, series.J1_NEAR) if order else (series.Y0_NEAR, series.J0_NEAR)
    inside = f"({horner_text('t', near)}) + {2 / math.pi} * log(x / 2) * ({horner_text('t', first)})"
    if order:
        inside = f"where(x == 0, -inf, ({inside}) * x - {2 / math.pi} / x)"
    return of_branches(name, (("x <= 8", f"{NEAR}\n{inside}"), ("", _waves(order, "sin"))), vjp, _ABOVE)


_BOTH = (*unary(-3.0, 3.0), sample(Given([-20.0, -9.0, -0.5, 0.0, 4.0, 7.0, 15.0])))
_ABOVE = (*unary(0.5, 3.0), sample(Given([0.5, 4.0, 7.0, 9.0, 15.0, 40.0])))

_j0 = _first_kind("j0", 0, lambda g, x: -g * j1(x))
_j1 = _first_kind("j1", 1, lambda g, x, out: g * (j0(x) - _over(out, x)))
_y0 = _second_kind("y0", 0, lambda g, x: -g * y1(x))
_y1 = _second_kind("y1", 1, lambda g, x, out: g * (y0(x) - out / x))


SMALL = "z = x * x / 64"
I0_NEAR, I1_NEAR = ratio_text("z", series.I0_NEAR), f"x * {ratio_text('z', series.I1_NEAR)}"


def _modified(name: str, order: int, scaled: bool, vjp: Callable[..., Tensor], samples: tuple[Sample, ...]) -> Op:
    near, far = (I1_NEAR, series.I1_FAR) if order else (I0_NEAR, series.I0_FAR)
    # exp(a) in two steps, the first of which does not overflow before the result does, but does before infinity is met
    rise = "" if scaled else " * half * half"
    beyond = f"""a = abs(x)
t = 16 / a - 1
b = minimum(a, {"inf" if scaled else 1500})
half = exp(b / 2)
{"sign(x) * " * order}({horner_text("t", far)}) / sqrt(b){rise}"""
    fall = " * exp(-abs(x))" if scaled else ""
    return of_branches(name, (("abs(x) <= 8", f"{SMALL}\n{near}{fall}"), ("", beyond)), vjp, samples)


def _modified_second(name: str, order: int, scaled: bool, vjp: Callable[..., Tensor]) -> Op:
    rise, fall = (" * exp(x)", "") if scaled else ("", " * exp(-x)")
    small = f"u = x * x / 4\n{SMALL}"
    if order:
        near = f"where(x == 0, inf, 1 / x + log(x / 2) * {I1_NEAR} + x * ({horner_text('u', series.K1_NEAR)}))"
    else:
        near = f"(({horner_text('u', series.K0_NEAR)}) - log(x / 2) * {I0_NEAR})"
    far = f"u = 2 / x\n{ratio_text('u', series.K1_FAR if order else series.K0_FAR)} / sqrt(x){fall}"
    return of_branches(name, (("x <= 2", f"{small}\n{near}{rise}"), ("", far)), vjp, _HALF)


_LINE = (*unary(-3.0, 3.0), sample(Given([-20.0, -9.0, -0.5, 4.0, 7.0])))
_SMALL = (*unary(-3.0, 3.0), sample(Given([-6.0, -0.5, 0.0, 4.0, 9.0])))
_HALF = (*unary(0.5, 3.0), sample(Given([0.5, 1.5, 2.5, 9.0, 40.0])))

_i0 = _modified("i0", 0, False, lambda g, x: g * i1(x), _SMALL)
_i1 = _modified("i1", 1, False, lambda g, x, out: g * (i0(x) - _over(out, x)), _SMALL)
_i0e = _modified("i0e", 0, True, lambda g, x, out: g * (i1e(x) - sign(x) * out), _LINE)
_i1e = _modified("i1e", 1, True, lambda g, x, out: g * (i0e(x) - _over(out, x) - sign(x) * out), _LINE)
_k0 = _modified_second("k0", 0, False, lambda g, x: -g * k1(x))
_k1 = _modified_second("k1", 1, False, lambda g, x, out: -g * (k0(x) + out / x))
_k0e = _modified_second("k0e", 0, True, lambda g, x, out: g * (out - k1e(x)))
_k1e = _modified_second("k1e", 1, True, lambda g, x, out: g * (out - k0e(x) - out / x))
