"""Logic and bits, elementwise: ``& | ^ ~ << >>``, and questions about floats; no gradient flows."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.dtypes import bool_, is_floating
from gradflow.errors import DTypeError
from gradflow.op import Op, Spec, elementwise
from gradflow.samples import Boolean, Integer, Sample, binary, sample, unary
from gradflow.tensor import Tensor, TensorLike


def _question(ufunc: np.ufunc, scalar: str, samples: tuple[Sample, ...]) -> Op:
    """The op of a NumPy function of one argument with bool results."""
    name = ufunc.__name__
    return Op(
        name=name,
        forward=lambda xp, x, *, out=None: getattr(xp, name)(x, out=out),
        spec=elementwise(name, ufunc),
        samples=(*unary(), *samples),
        scalar=scalar,
        complex=ufunc is not np.logical_not,  # CuPy's asks no complex numbers
    )


def _connective(ufunc: np.ufunc, scalar: str) -> Op:
    """The op of a NumPy function of two arguments with bool results."""
    name = ufunc.__name__
    return Op(
        name=name,
        forward=lambda xp, a, b, *, out=None: getattr(xp, name)(a, b, out=out),
        spec=elementwise(name, ufunc),
        samples=(*binary(), sample(Boolean((3, 4)), Integer((4,)))),
        scalar=scalar,
    )


_isnan = _question(np.isnan, "isnan(x)", (sample(Integer((3, 4))),))
_isinf = _question(np.isinf, "isinf(x)", (sample(Integer((3, 4))),))
_isfinite = _question(np.isfinite, "isfinite(x)", (sample(Integer((3, 4))),))
_logical_not = _question(np.logical_not, "x == 0", (sample(Boolean((3, 4))),))
_logical_and = _connective(np.logical_and, "(a != 0) & (b != 0)")
_logical_or = _connective(np.logical_or, "(a != 0) | (b != 0)")
_logical_xor = _connective(np.logical_xor, "((a != 0) & (b == 0)) | ((a == 0) & (b != 0))")


def isnan(x: TensorLike) -> Tensor:
    """Whether ``x`` is NaN, elementwise, as bool.

    >>> import gradflow as gf
    >>> gf.isnan(gf.tensor([1.0, float("inf"), float("nan")]))
    tensor([False, False,  True])
    """
    return apply(_isnan, x)


def isinf(x: TensorLike) -> Tensor:
    """Whether ``x`` is infinite, elementwise, as bool.

    >>> import gradflow as gf
    >>> gf.isinf(gf.tensor([1.0, float("inf"), float("nan")]))
    tensor([False,  True, False])
    """
    return apply(_isinf, x)


def isfinite(x: TensorLike) -> Tensor:
    """Whether ``x`` is neither infinite nor NaN, elementwise, as bool.

    >>> import gradflow as gf
    >>> gf.isfinite(gf.tensor([1.0, float("inf"), float("nan")]))
    tensor([ True, False, False])
    """
    return apply(_isfinite, x)


def logical_not(x: TensorLike) -> Tensor:
    """Whether ``x`` is zero or False, elementwise, as bool.

    >>> import gradflow as gf
    >>> gf.logical_not(gf.tensor([0.0, 2.0]))
    tensor([ True, False])
    """
    return apply(_logical_not, x)


def logical_and(a: TensorLike, b: TensorLike) -> Tensor:
    """Whether both ``a`` and ``b`` are true (not zero), elementwise with broadcasting, as bool.

    >>> import gradflow as gf
    >>> gf.logical_and(gf.tensor([0, 2]), True)
    tensor([False,  True])
    """
    return apply(_logical_and, a, b)


def logical_or(a: TensorLike, b: TensorLike) -> Tensor:
    """Whether ``a``, ``b`` or both are true (not zero), elementwise with broadcasting, as bool.

    >>> import gradflow as gf
    >>> gf.logical_or(gf.tensor([0, 2]), False)
    tensor([False,  True])
    """
    return apply(_logical_or, a, b)


def logical_xor(a: TensorLike, b: TensorLike) -> Tensor:
    """Whether exactly one of ``a`` and ``b`` is true (not zero), elementwise with broadcasting, as bool.

    >>> import gradflow as gf
    >>> gf.logical_xor(gf.tensor([0, 2]), True)
    tensor([ True, False])
    """
    return apply(_logical_xor, a, b)


def _bitwise(name: str, ufunc: np.ufunc, logic: str | None = None) -> Op:
    """The op of a NumPy function of bits, under the array API's name; ``logic`` is what it does to bools."""
    rule = elementwise(name, ufunc)

    def spec(*specs: Spec) -> Spec:
        if any(is_floating(np.dtype(each.dtype)) for each in specs):
            raise DTypeError(f"{name}: floats are not bits; compare first (x > 0), or convert with .to('int64')")
        return rule(*specs)

    def forward(xp: Any, a: Any, b: Any, *, out: Any = None) -> Any:
        return getattr(xp, ufunc.__name__)(a, b, out=out)

    def invert(xp: Any, x: Any, *, out: Any = None) -> Any:
        return xp.invert(x, out=out)

    def scalar(*specs: Spec) -> str | None:
        return logic if all(np.dtype(each.dtype) == bool_ for each in specs) else None

    pairs = [((), ()), ((3, 4), (4,)), ((3, 1), (2, 1, 4)), ((0, 2), (2,))]
    return Op(
        name=name,
        forward=forward if ufunc.nin == 2 else invert,
        spec=spec,
        scalar=scalar if logic else None,
        samples=(
            *(sample(*(Integer(shape) for shape in pair[: ufunc.nin])) for pair in pairs),
            sample(*(Boolean(shape) for shape in pairs[1][: ufunc.nin])),
        ),
    )


_bitwise_and = _bitwise("bitwise_and", np.bitwise_and, "a & b")
_bitwise_or = _bitwise("bitwise_or", np.bitwise_or, "a | b")
_bitwise_xor = _bitwise("bitwise_xor", np.bitwise_xor, "(a & ~b) | (~a & b)")
_bitwise_invert = _bitwise("bitwise_invert", np.invert, "~x")
_bitwise_left_shift = _bitwise("bitwise_left_shift", np.left_shift)
_bitwise_right_shift = _bitwise("bitwise_right_shift", np.right_shift)


def bitwise_and(a: TensorLike, b: TensorLike) -> Tensor:
    """``a & b``: both, of bool; of integers, bit by bit. Raises DTypeError for floats.

    >>> import gradflow as gf
    >>> gf.bitwise_and(gf.tensor([5, 6]), 3)
    tensor([1, 2])
    """
    return apply(_bitwise_and, a, b)


def bitwise_or(a: TensorLike, b: TensorLike) -> Tensor:
    """``a | b``: either or both, of bool; of integers, bit by bit. Raises DTypeError for floats.

    >>> import gradflow as gf
    >>> gf.bitwise_or(gf.tensor([5, 6]), 3)
    tensor([7, 7])
    """
    return apply(_bitwise_or, a, b)


def bitwise_xor(a: TensorLike, b: TensorLike) -> Tensor:
    """``a ^ b``: exactly one, of bool; of integers, bit by bit. Raises DTypeError for floats.

    >>> import gradflow as gf
    >>> gf.bitwise_xor(gf.tensor([5, 6]), 3)
    tensor([6, 5])
    """
    return apply(_bitwise_xor, a, b)


def bitwise_invert(x: TensorLike) -> Tensor:
    """``~x``: not, of bool; of integers, bit by bit (-x - 1 if they are signed). Raises DTypeError for floats.

    >>> import gradflow as gf
    >>> gf.bitwise_invert(gf.tensor([True, False]))
    tensor([False,  True])
    """
    return apply(_bitwise_invert, x)


def bitwise_left_shift(a: TensorLike, b: TensorLike) -> Tensor:
    """``a << b``, elementwise with broadcasting: ``a * 2**b`` of integers. Raises DTypeError for floats.

    >>> import gradflow as gf
    >>> gf.bitwise_left_shift(gf.tensor([5, 6]), 1)
    tensor([10, 12])
    """
    return apply(_bitwise_left_shift, a, b)


def bitwise_right_shift(a: TensorLike, b: TensorLike) -> Tensor:
    """``a >> b``, elementwise with broadcasting: ``a // 2**b`` of integers. Raises DTypeError for floats.

    >>> import gradflow as gf
    >>> gf.bitwise_right_shift(gf.tensor([5, 6]), 1)
    tensor([2, 3])
    """
    return apply(_bitwise_right_shift, a, b)
