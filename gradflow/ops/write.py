"""Writes in place: what replaces the elements of a tensor without a gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.dtypes import is_floating
from gradflow.errors import DTypeError, ShapeError
from gradflow.op import Op, Spec
from gradflow.samples import Real, sample
from gradflow.shapes import broadcast
from gradflow.tensor import Tensor, TensorLike


def copy_(x: Tensor, source: TensorLike) -> Tensor:
    """Write ``source`` over the elements of ``x``, in place, and return ``x``.

    Raises GradientError outside ``no_grad`` if either requires grad, ShapeError if ``source`` does not broadcast.

    >>> import gradflow as gf
    >>> gf.zeros(2).copy_(1.5)
    tensor([1.5, 1.5])
    """
    return apply(_copy_, x, source)


def add_(x: Tensor, other: TensorLike) -> Tensor:
    """Add ``other`` to the elements of ``x``, in place, and return ``x``.

    >>> import gradflow as gf
    >>> gf.zeros(2).add_(1.5)
    tensor([1.5, 1.5])
    """
    return apply(_add_, x, other)


def multiply_(x: Tensor, other: TensorLike) -> Tensor:
    """Multiply the elements of ``x`` by ``other``, in place, and return ``x``.

    >>> import gradflow as gf
    >>> gf.ones(2).multiply_(1.5)
    tensor([1.5, 1.5])
    """
    return apply(_multiply_, x, other)


def _fits(x: Spec, other: Spec) -> None:
    if np.dtype(other.dtype).kind == "c" != np.dtype(x.dtype).kind:
        raise DTypeError(f"write in place: complex numbers do not fit into {x.dtype}; take gf.real, gf.imag or gf.abs")
    if broadcast("write in place", x.shape, other.shape) != x.shape:
        raise ShapeError(f"write in place: {other.shape} does not broadcast to {x.shape}")


def _copy_forward(xp: Any, x: Any, source: Any) -> None:
    x[...] = source


def _add_forward(xp: Any, x: Any, other: Any) -> None:
    xp.add(x, other, out=x, casting="same_kind")


def _multiply_forward(xp: Any, x: Any, other: Any) -> None:
    xp.multiply(x, other, out=x, casting="same_kind")


def _to_floats(text: str) -> Callable[..., str | None]:
    return lambda x, other: text if is_floating(np.dtype(x.dtype)) else None


_WRITES = (sample(Real((3, 4)), Real((4,))), sample(Real((0, 4)), 2.0), sample(Real(()), 2.0))
_copy_ = Op(
    name="copy_",
    forward=_copy_forward,
    spec=_fits,
    scalar=_to_floats("source"),
    complex=True,
    mutates=(0,),
    samples=_WRITES,
)
_add_ = Op(
    name="add_",
    forward=_add_forward,
    spec=_fits,
    scalar=_to_floats("x + other"),
    complex=True,
    mutates=(0,),
    samples=_WRITES,
)
_multiply_ = Op(
    name="multiply_",
    forward=_multiply_forward,
    spec=_fits,
    scalar=_to_floats("x * other"),
    complex=True,
    mutates=(0,),
    samples=_WRITES,
)
