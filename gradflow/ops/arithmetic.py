"""Arithmetic: what Python's operators mean for tensors, and choosing between elements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.dtypes import bool_, is_floating
from gradflow.errors import ArgumentError
from gradflow.op import Op, Spec, elementwise
from gradflow.ops.cast import astype
from gradflow.ops.comparison import equal, greater
from gradflow.ops.conjugate import conjugated
from gradflow.ops.elementwise import log
from gradflow.samples import Boolean, Real, binary, sample, unary
from gradflow.shapes import broadcast
from gradflow.tensor import Tensor, TensorLike


def add(a: TensorLike, b: TensorLike) -> Tensor:
    """``a + b``, elementwise with broadcasting.

    >>> import gradflow as gf
    >>> gf.add(gf.tensor([1.0, 2.0]), 0.5)
    tensor([1.5, 2.5])
    """
    return apply(_add, a, b)


_add = Op(
    name="add",
    forward=lambda xp, a, b, *, out=None: xp.add(a, b, out=out),
    spec=elementwise("add", np.add),
    vjp=(lambda g: g, lambda g: g),
    partials=("1", "1"),
    scalar="a + b",
    complex=True,
    samples=binary(),
    workloads=(sample(Real((128, 256)), Real((128, 256))), sample(Real((256, 1024)), Real((1024,)))),
)


def subtract(a: TensorLike, b: TensorLike) -> Tensor:
    """``a - b``, elementwise with broadcasting.

    >>> import gradflow as gf
    >>> gf.subtract(gf.tensor([1.0, 2.0]), 0.5)
    tensor([0.5, 1.5])
    """
    return apply(_subtract, a, b)


_subtract = Op(
    name="subtract",
    forward=lambda xp, a, b, *, out=None: xp.subtract(a, b, out=out),
    spec=elementwise("subtract", np.subtract),
    vjp=(lambda g: g, lambda g: -g),
    partials=("1", "-1"),
    scalar="a - b",
    complex=True,
    samples=binary(),
)


def multiply(a: TensorLike, b: TensorLike) -> Tensor:
    """``a * b``, elementwise with broadcasting.

    >>> import gradflow as gf
    >>> gf.multiply(gf.tensor([1.0, 2.0]), 0.5)
    tensor([0.5, 1. ])
    """
    return apply(_multiply, a, b)


_multiply = Op(
    name="multiply",
    forward=lambda xp, a, b, *, out=None: xp.multiply(a, b, out=out),
    spec=elementwise("multiply", np.multiply),
    vjp=(lambda g, b: g * conjugated(b), lambda g, a: g * conjugated(a)),
    partials=("b", "a"),
    scalar="a * b",
    complex=True,
    samples=binary(),
)


def divide(a: TensorLike, b: TensorLike) -> Tensor:
    """``a / b``, elementwise with broadcasting; integers divide to float64, as in NumPy.

    >>> import gradflow as gf
    >>> gf.divide(gf.tensor([1.0, 2.0]), 4)
    tensor([0.25, 0.5 ])
    """
    return apply(_divide, a, b)


_divide = Op(
    name="divide",
    forward=lambda xp, a, b, *, out=None: xp.true_divide(a, b, out=out),
    spec=elementwise("divide", np.true_divide),
    vjp=(lambda g, b: g / conjugated(b), lambda g, out, b: -g * conjugated(out) / conjugated(b)),
    partials=("1 / b", "-out / b"),
    scalar="a / b",
    complex=True,
    samples=binary(low=0.5, high=2.0),
)


def power(a: TensorLike, b: TensorLike) -> Tensor:
    """``a ** b``, elementwise with broadcasting.

    Where ``a`` is 0, the gradient in ``b`` is taken as 0 for ``b >= 0``. Raises ArgumentError for integers to a
    negative integer power, which have no integer result.

    >>> import gradflow as gf
    >>> gf.power(gf.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    return apply(_power, a, b)


def _power_forward(xp: Any, a: Any, b: Any, *, out: Any = None) -> Any:
    integers = all(getattr(x, "dtype", np.dtype(type(x))).kind in "iu" for x in (a, b))
    if integers and xp.any(xp.less(b, 0)):
        raise ArgumentError("power: integers to a negative integer power are not integers; use a float base")
    return xp.power(a, b, out=out)


def _power_by_base(g: Tensor, a: Tensor, b: Any) -> Tensor:
    if not isinstance(b, Tensor):
        return g * 0 if b == 0 else g * conjugated(b * power(a, b - 1))
    zero = b == 0  # the derivative of a**0 is 0, also where a**-1 is infinite
    return g * conjugated(where(zero, 0.0, b * power(a, where(zero, 1.0, b - 1))))


def _power_by_exponent(g: Tensor, a: Any, b: Tensor, out: Tensor) -> Tensor:
    if not isinstance(a, Tensor) and not isinstance(a, complex) and a > 0:
        return g * conjugated(out * math.log(a))
    zero = equal(a, 0)
    if out.dtype.kind == "c":  # the derivative of 0**b is taken as 0
        base = astype(where(zero, 1.0, a), out.dtype)  # real ones may be negative: their logarithms are complex
        return g * where(zero, 0.0, conjugated(out * log(base)))
    at_zero = where(b >= 0, 0.0, -np.inf)
    return g * where(zero, at_zero, out * log(where(zero, 1.0, a)))


def _power_scalar(a: Spec, b: Spec) -> str | None:
    dtype = elementwise("power", np.power)(a, b).dtype
    return "a ** b" if is_floating(np.dtype(dtype)) else None  # integers have exact powers, and some have none


_power = Op(
    name="power",
    forward=_power_forward,
    spec=elementwise("power", np.power),
    vjp=(_power_by_base, _power_by_exponent),
    partials=("b * a ** (b - 1)", "out * log(a)"),
    scalar=_power_scalar,
    complex=True,
    samples=(
        *binary(low=0.5, high=2.0),
        sample(Real((3,)), 2),
        sample(Real((3,)), 3.0),
        sample(Real((3,)), 0),
    ),
)


def negative(x: TensorLike) -> Tensor:
    """``-x``, elementwise.

    >>> import gradflow as gf
    >>> gf.negative(gf.tensor([1.0, -2.0]))
    tensor([-1.,  2.])
    """
    return apply(_negative, x)


_negative = Op(
    name="negative",
    forward=lambda xp, x, *, out=None: xp.negative(x, out=out),
    spec=elementwise("negative", np.negative),
    vjp=(lambda g: -g,),
    partials=("-1",),
    scalar="-x",
    complex=True,
    samples=unary(),
)


def maximum(a: TensorLike, b: TensorLike) -> Tensor:
    """The larger of ``a`` and ``b``, elementwise; NaN wins. Where they are equal each gets half the gradient.

    >>> import gradflow as gf
    >>> gf.maximum(gf.tensor([1.0, 5.0]), 3.0)
    tensor([3., 5.])
    """
    return apply(_maximum, a, b)


def minimum(a: TensorLike, b: TensorLike) -> Tensor:
    """The smaller of ``a`` and ``b``, elementwise; NaN wins. Where they are equal each gets half the gradient.

    >>> import gradflow as gf
    >>> gf.minimum(gf.tensor([1.0, 5.0]), 3.0)
    tensor([1., 3.])
    """
    return apply(_minimum, a, b)


def _share_of_greater(g: Tensor, a: Any, b: Any) -> Tensor:
    """The part of ``g`` for ``a``: all of it where it is greater than ``b``, half where they are equal."""
    return where(equal(a, b), 0.5 * g, where(greater(a, b), g, 0.0))


def _share_of_less(g: Tensor, a: Any, b: Any) -> Tensor:
    return _share_of_greater(g, b, a)


_maximum = Op(
    name="maximum",
    forward=lambda xp, a, b, *, out=None: xp.maximum(a, b, out=out),
    spec=elementwise("maximum", np.maximum),
    vjp=(_share_of_greater, _share_of_less),
    partials=("(a > b) + (a == b) / 2", "(b > a) + (a == b) / 2"),
    scalar="maximum(a, b)",
    samples=binary(),
)

_minimum = Op(
    name="minimum",
    forward=lambda xp, a, b, *, out=None: xp.minimum(a, b, out=out),
    spec=elementwise("minimum", np.minimum),
    vjp=(_share_of_less, _share_of_greater),
    partials=("(a < b) + (a == b) / 2", "(b < a) + (a == b) / 2"),
    scalar="minimum(a, b)",
    samples=binary(),
)


def where(condition: TensorLike, a: TensorLike, b: TensorLike) -> Tensor:
    """``a`` where ``condition`` holds, ``b`` elsewhere, with broadcasting.

    Both branches are computed; keep them finite, or the branch not taken puts NaN into the gradient.

    >>> import gradflow as gf
    >>> x = gf.tensor([-1.0, 2.0])
    >>> gf.where(x > 0, x, 0.0)
    tensor([0., 2.])
    """
    return apply(_where, condition, a, b)


def _where_forward(xp: Any, condition: Any, a: Any, b: Any, *, out: Any = None) -> Any:
    result = xp.where(condition, a, b)
    if out is None:
        return result
    out[...] = result
    return out


def _where_spec(condition: Spec, a: Spec, b: Spec) -> Spec:
    dtype = elementwise("where", np.add)(a, b).dtype  # a sum promotes as where does
    return Spec(broadcast("where", condition.shape, a.shape, b.shape), dtype)


def _where_scalar(condition: Spec, a: Spec, b: Spec) -> str:
    return "where(condition, a, b)" if condition.dtype in (bool, bool_) else "where(condition != 0, a, b)"


_where = Op(
    name="where",
    forward=_where_forward,
    spec=_where_spec,
    vjp=(
        None,
        lambda g, condition: where(condition, g, 0.0),
        lambda g, condition: where(condition, 0.0, g),
    ),
    scalar=_where_scalar,
    complex=True,
    samples=(
        sample(Boolean(()), Real(()), Real(())),
        sample(Boolean((3, 4)), Real((3, 4)), Real((4,))),
        sample(Boolean((4,)), Real((3, 1)), 0.0),
        sample(Boolean((0, 2)), Real((2,)), Real((1,))),
    ),
)
