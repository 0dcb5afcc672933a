"""Norms of matrices and vectors, with every order that NumPy has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import SupportsIndex

from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops.arithmetic import where
from gradflow.ops.create import asarray
from gradflow.ops.elementwise import abs
from gradflow.ops.extremum import max, min
from gradflow.ops.matrix import check_matrix
from gradflow.ops.norm import norm as vector_norm_over
from gradflow.ops.numbers import number
from gradflow.ops.orthogonal import svdvals
from gradflow.ops.precision import float_dtype
from gradflow.ops.reduce import Axis, sum
from gradflow.ops.shape import expand_dims, moveaxis, ravel, reshape
from gradflow.ops.solve import inv
from gradflow.shapes import normalize_axis
from gradflow.tensor import Tensor, TensorLike

Order = float | str | None


def vector_norm(x: TensorLike, *, axis: Axis = None, keepdims: bool = False, ord: Order = 2) -> Tensor:
    """The ``ord``-norm of the elements over ``axis`` (all axes by default), taken as one vector: see ``gf.norm``.

    >>> import gradflow as gf
    >>> gf.linalg.vector_norm(gf.tensor([3.0, -4.0]), ord=1)
    tensor(7.)
    """
    if ord is None or isinstance(ord, str):
        raise ArgumentError(f"vector_norm: ord is {ord!r}; it must be a number")
    return vector_norm_over(x, number("vector_norm", "ord", ord), axis, keepdims=keepdims)


def matrix_norm(x: TensorLike, *, keepdims: bool = False, ord: Order = "fro") -> Tensor:
    """The norm of the matrices in the last two dimensions of ``x``.

    ``ord`` is "fro" (the square root of the sum of squares), "nuc" (the sum of singular values), 2 or -2 (the largest
    or smallest singular value), 1 or -1 (the largest or smallest sum of absolute values in a column), inf or -inf (in
    a row). Raises ArgumentError for another, ShapeError for less than two dimensions or the largest of nothing.

    >>> import gradflow as gf
    >>> gf.linalg.matrix_norm(gf.tensor([[1.0, -2.0], [3.0, 4.0]]), ord=1)
    tensor(6.)
    """
    given = asarray(x)
    check_matrix("matrix_norm", given.spec)
    given = given.astype(float_dtype(given.dtype))
    if ord is None or ord == "fro":
        return vector_norm_over(given, axis=(-2, -1), keepdims=keepdims)
    result = _norm_of_matrices(given, ord if ord == "nuc" else _order(ord))
    return expand_dims(result, (-2, -1)) if keepdims else result


def _order(ord: Order) -> float:
    known = (1, -1, 2, -2, math.inf, -math.inf)
    order = math.nan if isinstance(ord, str) else number("matrix_norm", "ord", ord)
    if order not in known:
        raise ArgumentError(f"matrix_norm: ord is {ord!r}; it must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf")
    return order


def _norm_of_matrices(x: Tensor, ord: Order) -> Tensor:
    if ord == "nuc":
        return sum(svdvals(x), axis=-1)
    sizes = svdvals(x) if ord in (2, -2) else sum(abs(x), axis=-2 if ord in (1, -1) else -1)
    if not sizes.shape[-1]:
        raise ShapeError(f"matrix_norm: matrices of shape {x.shape} are empty, and have no norm of order {ord}")
    return (max if ord in (1, 2, math.inf) else min)(sizes, axis=-1)


def norm(
    x: TensorLike,
    ord: Order = None,
    axis: SupportsIndex | Sequence[SupportsIndex] | None = None,
    keepdims: bool = False,
) -> Tensor:
    """The norm of vectors along one ``axis``, or of matrices in two: ``vector_norm`` or ``matrix_norm``, as in NumPy.

    Without ``ord``, the square root of the sum of squares, over all elements if ``axis`` is not given either; with
    ``ord`` alone, ``x`` is a vector or a matrix. Raises ArgumentError for an order that is not known, ShapeError for
    other numbers of dimensions.

    >>> import gradflow as gf
    >>> gf.linalg.norm(gf.tensor([[3.0, 0.0], [0.0, 4.0]])), gf.linalg.norm(gf.tensor([[3.0, 0.0], [0.0, 4.0]]), 2)
    (tensor(5.), tensor(4.))
    """
    given = asarray(x)
    if axis is None and ord is None:
        whole = vector_norm_over(ravel(given))
        return reshape(whole, (1,) * given.ndim) if keepdims else whole
    axes = tuple(range(given.ndim)) if axis is None else tuple(axis) if isinstance(axis, Sequence) else (axis,)
    axes = tuple(normalize_axis("norm", each, given.ndim) for each in axes)
    if len(axes) == 1:
        if isinstance(ord, str):
            raise ArgumentError(f"norm: ord is {ord!r}, which vectors have not; it must be a number")
        return vector_norm_over(given, 2 if ord is None else number("norm", "ord", ord), axes, keepdims=keepdims)
    if len(axes) != 2 or axes[0] == axes[1]:
        raise ShapeError(f"norm: takes vectors along one axis or matrices in two, and axis is {axes} of {given.shape}")
    result = matrix_norm(moveaxis(given, axes, (-2, -1)), ord=ord)
    return expand_dims(result, axes) if keepdims else result


def cond(x: TensorLike, p: Order = None) -> Tensor:
    """The condition number of the matrices in ``x``: the ``p``-norm times that of the inverse.

    Without ``p``, or with 2, the ratio of the largest to the smallest singular value, of any matrix; with -2 its
    reciprocal; inf of a singular matrix. Raises LinAlgError for another ``p`` and a singular matrix, ShapeError for an
    empty one.

    >>> import gradflow as gf
    >>> gf.linalg.cond(gf.tensor([[4.0, 0.0], [0.0, 2.0]]))
    tensor(2.)
    """
    if p not in (None, 2, -2):
        return matrix_norm(x, ord=p) * matrix_norm(inv(x), ord=p)
    values = svdvals(x)
    if not values.shape[-1]:
        raise ShapeError(f"cond: needs matrices that are not empty, got shape {asarray(x).shape}")
    largest, smallest = values[..., 0], values[..., -1]
    if p == -2:
        return smallest / largest
    singular = smallest == 0
    return where(singular, math.inf, largest / where(singular, 1.0, smallest))
