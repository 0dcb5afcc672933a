"""Products and sums of vectors and matrices that other ops are put together to."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import SupportsIndex

from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops.create import asarray
from gradflow.ops.diagonal import diagonal
from gradflow.ops.join import _several
from gradflow.ops.linalg import matmul
from gradflow.ops.matrix import check_matrix
from gradflow.ops.rearrange import roll
from gradflow.ops.reduce import sum
from gradflow.ops.shape import reshape, swapaxes
from gradflow.shapes import Shape, normalize_axis
from gradflow.tensor import Tensor, TensorLike


def trace(x: TensorLike, *, offset: SupportsIndex = 0, dtype: DTypeLike = None) -> Tensor:
    """The sum of the ``offset``-th diagonal of the matrices in the last two dimensions, in ``dtype`` if it is given.

    The array API's; NumPy's ``trace`` takes the first two dimensions.

    >>> import gradflow as gf
    >>> gf.linalg.trace(gf.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5.)
    """
    given = asarray(x)
    check_matrix("trace", given.spec)
    line = diagonal(given, offset, -2, -1)
    return sum(line if dtype is None else line.astype(dtype), axis=-1)


def matrix_transpose(x: TensorLike) -> Tensor:
    """``x`` with its last two dimensions exchanged.

    >>> import gradflow as gf
    >>> gf.linalg.matrix_transpose(gf.tensor([[1, 2], [3, 4]]))
    tensor([[1, 3],
            [2, 4]])
    """
    given = asarray(x)
    check_matrix("matrix_transpose", given.spec)
    return swapaxes(given, -1, -2)


def cross(a: TensorLike, b: TensorLike, *, axis: SupportsIndex = -1) -> Tensor:
    """The vector product of vectors of three elements along ``axis``; all else broadcasts.

    Raises ShapeError for vectors of another size.

    >>> import gradflow as gf
    >>> gf.linalg.cross(gf.tensor([1.0, 0.0, 0.0]), gf.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    a, b = asarray(a), asarray(b)
    for each in (a, b):
        if each.shape[normalize_axis("cross", axis, each.ndim)] != 3:
            raise ShapeError(f"cross: axis {axis} must have size 3 in both, got {a.shape} and {b.shape}")
    return roll(a, -1, axis) * roll(b, -2, axis) - roll(a, -2, axis) * roll(b, -1, axis)


def kron(a: TensorLike, b: TensorLike) -> Tensor:
    """The Kronecker product: ``b`` in place of every element of ``a``, multiplied by that element.

    The one with fewer dimensions gets more in front, as in NumPy.

    >>> import gradflow as gf
    >>> gf.kron(gf.tensor([1, 10]), gf.tensor([1, 2, 3]))
    tensor([ 1,  2,  3, 10, 20, 30])
    """
    a, b = asarray(a), asarray(b)
    rank = max(a.ndim, b.ndim)
    outer, inner = ((1,) * (rank - each.ndim) + each.shape for each in (a, b))
    spread = reshape(a, _interleaved(outer, (1,) * rank)) * reshape(b, _interleaved((1,) * rank, inner))
    return reshape(spread, tuple(m * n for m, n in zip(outer, inner, strict=True)))


def _interleaved(a: Shape, b: Shape) -> Shape:
    return tuple(size for pair in zip(a, b, strict=True) for size in pair)


def multi_dot(arrays: Sequence[TensorLike]) -> Tensor:
    """The product of several matrices, in the order of multiplications that costs least.

    The first may be a vector, a row, and the last one, a column. Order: Cormen et al., "Introduction to Algorithms",
    15.2. Raises ArgumentError for less than two, ShapeError if sizes do not fit.

    >>> import gradflow as gf
    >>> gf.linalg.multi_dot([gf.ones((2, 3)), gf.ones((3, 4)), gf.ones(4)])
    tensor([12., 12.])
    """
    given = _several("multi_dot", arrays)
    if len(given) < 2:
        raise ArgumentError(f"multi_dot: needs at least two matrices, got {len(given)}")
    for i, each in enumerate(given):
        if not (each.ndim == 2 or (each.ndim == 1 and i in (0, len(given) - 1))):
            raise ShapeError(f"multi_dot: takes matrices, and vectors at the ends; number {i} is {each.shape}")
    first = 1 if given[0].ndim == 1 else given[0].shape[0]
    sizes = (first, *(each.shape[-1] if each.ndim == 2 or i == 0 else 1 for i, each in enumerate(given)))
    return _in_order(given, sizes, 0, len(given))


def _in_order(given: list[Tensor], sizes: Shape, start: int, stop: int) -> Tensor:
    if stop - start == 1:
        return given[start]
    middle = _cheapest(sizes[start : stop + 1])[1] + start
    return matmul(_in_order(given, sizes, start, middle), _in_order(given, sizes, middle, stop))


@lru_cache(maxsize=1024)
def _cheapest(sizes: Shape) -> tuple[int, int]:
    """How many multiplications a product of matrices with these sizes takes, and where it is best cut."""
    if len(sizes) == 2:
        return 0, 0
    costs = [
        (_cheapest(sizes[: cut + 1])[0] + _cheapest(sizes[cut:])[0] + sizes[0] * sizes[cut] * sizes[-1], cut)
        for cut in range(1, len(sizes) - 1)
    ]
    return min(costs)
