"""Triangles and diagonals of matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, SupportsIndex

import numpy as np

from gradflow.dispatch import apply
from gradflow.errors import ShapeError
from gradflow.op import Op, Spec, SpecRule
from gradflow.ops.create import asarray, zeros
from gradflow.ops.shape import moveaxis
from gradflow.ops.slicing import integer
from gradflow.samples import Real, sample
from gradflow.shapes import normalize_axis
from gradflow.tensor import Tensor, TensorLike, tensor


def tril(x: TensorLike, k: SupportsIndex = 0) -> Tensor:
    """``x`` with zeros above the ``k``-th diagonal of its last two dimensions.

    >>> import gradflow as gf
    >>> gf.tril(gf.tensor([[1, 2], [3, 4]]))
    tensor([[1, 0],
            [3, 4]])
    """
    return apply(_tril, x, k=integer("tril", "k", k))


def triu(x: TensorLike, k: SupportsIndex = 0) -> Tensor:
    """``x`` with zeros below the ``k``-th diagonal of its last two dimensions.

    >>> import gradflow as gf
    >>> gf.triu(gf.tensor([[1, 2], [3, 4]]), 1)
    tensor([[0, 2],
            [0, 0]])
    """
    return apply(_triu, x, k=integer("triu", "k", k))


def _triangle_spec(name: str) -> SpecRule:
    def spec(x: Spec, k: int) -> Spec:
        if len(x.shape) < 2:
            raise ShapeError(f"{name}: needs a matrix or a stack of them, got shape {x.shape}")
        return x

    return spec


def _triangle(name: str) -> Callable[..., Any]:
    def forward(xp: Any, x: Any, *, k: int, out: Any = None) -> Any:
        kept = getattr(xp, name)(x, k)
        if out is None:
            return kept
        out[...] = kept
        return out

    return forward


TRIANGLES = (
    sample(Real((3, 4)), k=0),
    sample(Real((2, 4, 3)), k=-1),
    sample(Real((3, 3)), k=2),
    sample(Real((0, 3)), k=0),
)
_tril = Op(
    name="tril",
    forward=_triangle("tril"),
    spec=_triangle_spec("tril"),
    vjp=(tril,),
    complex=True,
    samples=TRIANGLES,
)
_triu = Op(
    name="triu",
    forward=_triangle("triu"),
    spec=_triangle_spec("triu"),
    vjp=(triu,),
    complex=True,
    samples=TRIANGLES,
)


def diagonal(x: TensorLike, offset: SupportsIndex = 0, axis1: SupportsIndex = 0, axis2: SupportsIndex = 1) -> Tensor:
    """The diagonal of the matrices in two dimensions of ``x``, as the last dimension of the result.

    ``offset`` counts from the main diagonal, to the right and, negative, downwards. A copy, unlike NumPy's.

    >>> import gradflow as gf
    >>> gf.diagonal(gf.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    given = asarray(x)
    if given.ndim < 2:
        raise ShapeError(f"diagonal: needs at least two dimensions, got shape {given.shape}")
    if normalize_axis("diagonal", axis1, given.ndim) == normalize_axis("diagonal", axis2, given.ndim):
        raise ShapeError(f"diagonal: axis1 and axis2 are the same, {axis1}")
    moved = moveaxis(given, (axis1, axis2), (-2, -1))
    rows, columns = moved.shape[-2:]
    return moved[(..., *_places(rows, columns, integer("diagonal", "offset", offset)))]


def _places(rows: int, columns: int, offset: int) -> tuple[Tensor, Tensor]:
    """The row and column numbers of a diagonal."""
    each = np.arange(max(0, min(rows + min(offset, 0), columns - max(offset, 0))))
    return tensor(each - min(offset, 0)), tensor(each + max(offset, 0))


def diag(x: TensorLike, k: SupportsIndex = 0) -> Tensor:
    """The ``k``-th diagonal of a matrix; of a vector, the square matrix with it there and zeros elsewhere.

    >>> import gradflow as gf
    >>> gf.diag(gf.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    given = asarray(x)
    if given.ndim == 2:
        return diagonal(given, k)
    if given.ndim != 1:
        raise ShapeError(f"diag: needs a vector or a matrix, got shape {given.shape}; use diagonal")
    offset = integer("diag", "k", k)
    side = given.size + abs(offset)
    blank = zeros((side, side), dtype=given.dtype, device=given.device)
    placed: Tensor = blank.at[_places(side, side, offset)].set(given)
    return placed
