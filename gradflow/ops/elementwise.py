"""Elementwise functions of one or two arguments, with NumPy's names."""

from __future__ import annotations

import numpy as np

from gradflow.dispatch import apply
from gradflow.op import Op, elementwise
from gradflow.samples import unary
from gradflow.tensor import Tensor, TensorLike


def exp(x: TensorLike) -> Tensor:
    """e to the power of ``x``, elementwise.

    >>> import gradflow as gf
    >>> gf.exp(gf.tensor([0.0, 1.0]))
    tensor([1.       , 2.7182817])
    """
    return apply(_exp, x)


_exp = Op(
    name="exp",
    forward=lambda xp, x, *, out=None: xp.exp(x, out=out),
    spec=elementwise("exp", np.exp),
    vjp=(lambda g, out: g * out,),
    partials=("out",),
    samples=unary(),
)


def log(x: TensorLike) -> Tensor:
    """The natural logarithm, elementwise: -inf at 0, NaN below.

    >>> import gradflow as gf
    >>> gf.log(gf.tensor([1.0, 10.0]))
    tensor([0.       , 2.3025851])
    """
    return apply(_log, x)


_log = Op(
    name="log",
    forward=lambda xp, x, *, out=None: xp.log(x, out=out),
    spec=elementwise("log", np.log),
    vjp=(lambda g, x: g / x,),
    partials=("1 / x",),
    samples=unary(low=0.2, high=3.0),
)
