"""Rounding to whole numbers, elementwise: derivatives are zero wherever they exist, and no gradient flows."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex

import numpy as np

from gradflow.dispatch import apply
from gradflow.dtypes import is_floating
from gradflow.errors import DTypeError
from gradflow.op import Op, Spec
from gradflow.ops.precision import stored
from gradflow.samples import Integer, sample, unary
from gradflow.tensor import Tensor, TensorLike


def floor(x: TensorLike) -> Tensor:
    """The largest whole number that is at most ``x``, elementwise, in the dtype of ``x``; no gradient flows.

    >>> import gradflow as gf
    >>> gf.floor(gf.tensor([1.5, -1.5]))
    tensor([ 1., -2.])
    """
    return apply(_floor, x)


def ceil(x: TensorLike) -> Tensor:
    """The smallest whole number that is at least ``x``, elementwise, in the dtype of ``x``; no gradient flows.

    >>> import gradflow as gf
    >>> gf.ceil(gf.tensor([1.5, -1.5]))
    tensor([ 2., -1.])
    """
    return apply(_ceil, x)


def trunc(x: TensorLike) -> Tensor:
    """The nearest whole number that is not further from 0 than ``x``, elementwise, in its dtype; no gradient flows.

    >>> import gradflow as gf
    >>> gf.trunc(gf.tensor([1.5, -1.5]))
    tensor([ 1., -1.])
    """
    return apply(_trunc, x)


def rint(x: TensorLike) -> Tensor:
    """The nearest whole number, the even one of two, elementwise, in the dtype of ``x``; no gradient flows.

    >>> import gradflow as gf
    >>> gf.rint(gf.tensor([0.5, 1.5]))
    tensor([0., 2.])
    """
    return apply(_rint, x)


def round(x: TensorLike, decimals: SupportsIndex = 0) -> Tensor:
    """``x`` rounded to ``decimals`` places, elementwise, halves to the even neighbour; no gradient flows.

    >>> import gradflow as gf
    >>> gf.round(gf.tensor([0.5, 1.5, -2.7]))
    tensor([ 0.,  2., -3.])
    """
    return apply(_round, x, decimals=operator.index(decimals))


def _spec(name: str) -> Any:
    def spec(x: Spec, **attrs: Any) -> Spec:
        if x.dtype == np.bool_:
            raise DTypeError(f"{name}: not defined for bool; convert with .to('float32')")
        return x

    return spec


def _to_whole(name: str) -> Op:
    def forward(xp: Any, x: Any, *, out: Any = None) -> Any:
        if x.dtype.kind != "f":  # NumPy before 2.1 would make floats of integers
            return xp.positive(x, out=out)
        return getattr(xp, name)(x, out=out)

    def scalar(x: Spec) -> str:
        return f"{name}(x)" if is_floating(np.dtype(x.dtype)) else "x"

    samples = (*unary(), sample(Integer((3, 4))))
    return Op(name=name, forward=forward, spec=_spec(name), samples=samples, scalar=scalar)


_floor = _to_whole("floor")
_ceil = _to_whole("ceil")
_trunc = _to_whole("trunc")
_rint = _to_whole("rint")


def _round_scalar(x: Spec, decimals: int) -> str | None:
    return "rint(x)" if decimals == 0 and is_floating(np.dtype(x.dtype)) else None


_round = Op(
    name="round",
    # not with out=, which NumPy refuses for integers and a negative number of decimals
    forward=lambda xp, x, *, decimals, out=None: stored(xp.round(x, decimals), x.dtype, out),
    spec=_spec("round"),
    scalar=_round_scalar,
    samples=(*unary(decimals=0), *unary(decimals=1), sample(Integer((3, 4)), decimals=-1)),
)
