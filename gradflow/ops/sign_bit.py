"""Elementwise functions that look at signs, exponents and neighbours of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.errors import DTypeError
from gradflow.op import Op, Spec, elementwise
from gradflow.ops.arithmetic import where
from gradflow.ops.comparison import equal, greater, less
from gradflow.ops.create import asarray
from gradflow.ops.elementwise import sign
from gradflow.ops.logic import isnan
from gradflow.ops.rounding import trunc
from gradflow.samples import Integer, Real, binary, sample, unary
from gradflow.tensor import Tensor, TensorLike


def positive(x: TensorLike) -> Tensor:
    """``+x``: a tensor of the same numbers.

    >>> import gradflow as gf
    >>> gf.positive(gf.tensor([1.0, -2.0]))
    tensor([ 1., -2.])
    """
    return apply(_positive, x)


_positive = Op(
    name="positive",
    forward=lambda xp, x, *, out=None: xp.positive(x, out=out),
    spec=elementwise("positive", np.positive),
    vjp=(lambda g: g,),
    partials=("1",),
    scalar="x",
    samples=unary(),
    complex=True,
)


def signbit(x: TensorLike) -> Tensor:
    """Whether ``x`` has the sign minus, as -0.0 has, elementwise, as bool.

    >>> import gradflow as gf
    >>> gf.signbit(gf.tensor([-0.0, 1.0]))
    tensor([ True, False])
    """
    return apply(_signbit, x)


_signbit = Op(
    name="signbit",
    forward=lambda xp, x, *, out=None: xp.signbit(x, out=out),
    spec=elementwise("signbit", np.signbit),
    samples=unary(kinks=(0.0,)),
)


def copysign(a: TensorLike, b: TensorLike) -> Tensor:
    """The size of ``a`` with the sign of ``b``, elementwise with broadcasting; the gradient in ``b`` is 0.

    >>> import gradflow as gf
    >>> gf.copysign(gf.tensor([1.0, -2.0]), -0.0)
    tensor([-1., -2.])
    """
    return apply(_copysign, a, b)


_copysign = Op(
    name="copysign",
    forward=lambda xp, a, b, *, out=None: xp.copysign(a, b, out=out),
    spec=elementwise("copysign", np.copysign),
    vjp=(lambda g, a, b: g * sign(a) * copysign(1.0, b), None),
    samples=binary(kinks=(0.0,))[:-1],
)


def nextafter(a: TensorLike, b: TensorLike) -> Tensor:
    """The next number that the dtype has after ``a`` towards ``b``, elementwise with broadcasting; no gradient flows.

    >>> import gradflow as gf
    >>> gf.nextafter(gf.tensor(1.0), 2.0) - 1
    tensor(1.1920929e-07)
    """
    return apply(_nextafter, a, b)


_nextafter = Op(
    name="nextafter",
    forward=lambda xp, a, b, *, out=None: xp.nextafter(a, b, out=out),
    spec=elementwise("nextafter", np.nextafter),
    samples=binary(),
)


def heaviside(a: TensorLike, b: TensorLike) -> Tensor:
    """0 where ``a`` is negative, 1 where it is positive, ``b`` where it is 0, elementwise with broadcasting.

    No gradient flows to ``a``, whose derivative is 0; that of ``b`` is 1 where ``a`` is 0.

    >>> import gradflow as gf
    >>> gf.heaviside(gf.tensor([-1.0, 0.0, 2.0]), 0.5)
    tensor([0. , 0.5, 1. ])
    """
    return apply(_heaviside, a, b)


_heaviside = Op(
    name="heaviside",
    forward=lambda xp, a, b, *, out=None: xp.heaviside(a, b, out=out),
    spec=elementwise("heaviside", np.heaviside),
    vjp=(None, lambda g, a: where(equal(a, 0), g, 0.0)),
    scalar="where(a == 0, b, where(a < 0, 0, where(a > 0, 1, a)))",
    samples=(
        sample(Real((7,), kinks=(0.0,)), Real((7,))),
        sample(Real((3, 1), kinks=(0.0,)), Real((4,))),
        sample(Real((0, 2)), Real((2,))),
    ),
)


def ldexp(x: TensorLike, exponent: TensorLike) -> Tensor:
    """``x * 2**exponent``, exactly, elementwise with broadcasting; ``exponent`` has integers.

    >>> import gradflow as gf
    >>> gf.ldexp(gf.tensor([1.0, 3.0]), gf.tensor([2, -1]))
    tensor([4. , 1.5])
    """
    return apply(_ldexp, x, asarray(exponent))


def _ldexp_spec(x: Spec, exponent: Spec) -> Spec:
    if np.dtype(exponent.dtype).kind not in "iu":
        raise DTypeError(f"ldexp: the exponent has integers, not {exponent.dtype}; use x * gf.exp2(exponent)")
    return elementwise("ldexp", np.ldexp)(x, exponent)


_ldexp: Op = Op(
    name="ldexp",
    forward=lambda xp, x, exponent, *, out=None: xp.ldexp(x, exponent, out=out),
    spec=_ldexp_spec,
    vjp=(lambda g, exponent: apply(_ldexp, g, exponent), None),
    samples=(
        sample(Real((3, 4)), Integer((4,), -3, 4)),
        sample(Real(()), Integer(())),
        sample(Real((0,)), Integer(())),
    ),
)


def fmod(a: TensorLike, b: TensorLike) -> Tensor:
    """What division leaves, with the sign of ``a``, as C has it, elementwise; ``remainder`` has the sign of ``b``.

    The gradient is 1 in ``a`` and ``-trunc(a / b)`` in ``b``.

    >>> import gradflow as gf
    >>> gf.fmod(gf.tensor([7.5, -7.5]), 2)
    tensor([ 1.5, -1.5])
    """
    return apply(_fmod, a, b)


_fmod = Op(
    name="fmod",
    forward=lambda xp, a, b, *, out=None: xp.fmod(a, b, out=out),
    spec=elementwise("fmod", np.fmod),
    vjp=(lambda g: g, lambda g, a, b: -g * trunc(a / b)),
    samples=(sample(Real((3, 4), 2.1, 2.9), Real((4,), 0.95, 1.02)), sample(Real((0, 2)), 1.5)),
)


def fmax(a: TensorLike, b: TensorLike) -> Tensor:
    """The larger of ``a`` and ``b``, elementwise, where one is NaN the other; equal ones get half the gradient each.

    >>> import gradflow as gf
    >>> gf.fmax(gf.tensor([1.0, gf.nan]), 0.5)
    tensor([1. , 0.5])
    """
    return apply(_fmax, a, b)


def fmin(a: TensorLike, b: TensorLike) -> Tensor:
    """The smaller of ``a`` and ``b``, elementwise, where one is NaN the other; equal ones get half the gradient each.

    >>> import gradflow as gf
    >>> gf.fmin(gf.tensor([1.0, gf.nan]), 0.5)
    tensor([0.5, 0.5])
    """
    return apply(_fmin, a, b)


def _chosen(ufunc: np.ufunc, wins: Any, extremum: str) -> Op:
    def share(g: Tensor, a: Any, b: Any) -> Tensor:
        alone = isnan(b) & ~isnan(a)
        return where(equal(a, b), 0.5 * g, where(wins(a, b) | alone, g, 0.0))

    return Op(
        name=ufunc.__name__,
        forward=lambda xp, a, b, *, out=None: getattr(xp, ufunc.__name__)(a, b, out=out),
        spec=elementwise(ufunc.__name__, ufunc),
        vjp=(share, lambda g, a, b: share(g, b, a)),
        scalar=f"where(isnan(a), b, where(isnan(b), a, {extremum}(a, b)))",
        samples=binary(),
    )


_fmax = _chosen(np.fmax, greater, "maximum")
_fmin = _chosen(np.fmin, less, "minimum")
