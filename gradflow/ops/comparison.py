"""Comparisons, elementwise, with the names of the array API."""

from __future__ import annotations

import numpy as np

from gradflow.dispatch import apply
from gradflow.op import Op, elementwise
from gradflow.samples import Integer, binary, sample
from gradflow.tensor import Tensor, TensorLike


def _comparison(name: str, ufunc: np.ufunc, sign: str) -> Op:
    return Op(
        name=name,
        forward=lambda xp, a, b, *, out=None: getattr(xp, name)(a, b, out=out),
        spec=elementwise(name, ufunc),
        samples=(*binary(), sample(Integer((3, 4)), Integer((4,)))),
        scalar=f"a {sign} b",
        complex=sign in ("==", "!="),
    )


_equal = _comparison("equal", np.equal, "==")
_not_equal = _comparison("not_equal", np.not_equal, "!=")
_less = _comparison("less", np.less, "<")
_less_equal = _comparison("less_equal", np.less_equal, "<=")
_greater = _comparison("greater", np.greater, ">")
_greater_equal = _comparison("greater_equal", np.greater_equal, ">=")


def equal(a: TensorLike, b: TensorLike) -> Tensor:
    """Whether ``a == b``, elementwise, as bool.

    >>> import gradflow as gf
    >>> gf.equal(gf.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    return apply(_equal, a, b)


def not_equal(a: TensorLike, b: TensorLike) -> Tensor:
    """Whether ``a != b``, elementwise, as bool.

    >>> import gradflow as gf
    >>> gf.not_equal(gf.tensor([1, 2]), 2)
    tensor([ True, False])
    """
    return apply(_not_equal, a, b)


def less(a: TensorLike, b: TensorLike) -> Tensor:
    """Whether ``a < b``, elementwise, as bool.

    >>> import gradflow as gf
    >>> gf.less(gf.tensor([1, 2]), 2)
    tensor([ True, False])
    """
    return apply(_less, a, b)


def less_equal(a: TensorLike, b: TensorLike) -> Tensor:
    """Whether ``a <= b``, elementwise, as bool.

    >>> import gradflow as gf
    >>> gf.less_equal(gf.tensor([1, 3]), 2)
    tensor([ True, False])
    """
    return apply(_less_equal, a, b)


def greater(a: TensorLike, b: TensorLike) -> Tensor:
    """Whether ``a > b``, elementwise, as bool.

    >>> import gradflow as gf
    >>> gf.greater(gf.tensor([1, 3]), 2)
    tensor([False,  True])
    """
    return apply(_greater, a, b)


def greater_equal(a: TensorLike, b: TensorLike) -> Tensor:
    """Whether ``a >= b``, elementwise, as bool.

    >>> import gradflow as gf
    >>> gf.greater_equal(gf.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    return apply(_greater_equal, a, b)
