"""Products of vectors and traces, with the axes that NumPy's functions of these names take."""

from __future__ import annotations

from typing import SupportsIndex

from gradflow.dtypes import DTypeLike
from gradflow.ops.contract import tensordot
from gradflow.ops.create import asarray
from gradflow.ops.diagonal import diagonal
from gradflow.ops.reduce import sum
from gradflow.ops.shape import ravel
from gradflow.tensor import Tensor, TensorLike


def trace(
    x: TensorLike, offset: SupportsIndex = 0, axis1: SupportsIndex = 0, axis2: SupportsIndex = 1,
    dtype: DTypeLike = None,
) -> Tensor:  # fmt: skip
    """The sum of the ``offset``-th diagonal of the matrices in two dimensions, by default the first, in ``dtype``.

    >>> import gradflow as gf
    >>> gf.trace(gf.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5.)
    """
    line = diagonal(x, offset, axis1, axis2)
    return sum(line if dtype is None else line.astype(dtype), axis=-1)


def inner(a: TensorLike, b: TensorLike) -> Tensor:
    """The sums of products over the last axis of both, for every pair of rows; with a scalar, the product.

    >>> import gradflow as gf
    >>> gf.inner(gf.tensor([[1.0, 2.0], [0.0, 1.0]]), gf.tensor([3.0, 4.0]))
    tensor([11.,  4.])
    """
    a, b = asarray(a), asarray(b)
    return tensordot(a, b, ((-1,), (-1,))) if a.ndim and b.ndim else a * b


def vdot(a: TensorLike, b: TensorLike) -> Tensor:
    """The sum of products of all elements, in order; of complex numbers, those of ``a`` conjugated.

    >>> import gradflow as gf
    >>> gf.vdot(gf.tensor([[1.0, 2.0]]), gf.tensor([[3.0], [4.0]]))
    tensor(11.)
    """
    a, b = ravel(asarray(a)), ravel(asarray(b))
    return tensordot(a.conj() if a.dtype.kind == "c" else a, b, 1)
