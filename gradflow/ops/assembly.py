"""Putting tensors side by side and taking them apart, with NumPy's names for directions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import SupportsIndex

from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops.create import asarray
from gradflow.ops.join import _several, concat, split
from gradflow.ops.rearrange import flip
from gradflow.ops.shape import expand_dims, reshape, swapaxes
from gradflow.ops.slicing import integer
from gradflow.shapes import normalize_axis
from gradflow.tensor import Tensor, TensorLike

Cuts = SupportsIndex | Sequence[SupportsIndex]


def atleast_1d(*tensors: TensorLike) -> Tensor | list[Tensor]:
    """Each tensor with at least one dimension; of several a list.

    >>> import gradflow as gf
    >>> gf.atleast_1d(gf.tensor(5.0))
    tensor([5.])
    """
    return _each([reshape(x, (1,)) if not x.ndim else x for x in map(asarray, tensors)])


def atleast_2d(*tensors: TensorLike) -> Tensor | list[Tensor]:
    """Each tensor with at least two dimensions, new ones in front; of several a list.

    >>> import gradflow as gf
    >>> gf.atleast_2d(gf.tensor([5.0, 6.0]))
    tensor([[5., 6.]])
    """
    return _each([_rows(x) for x in map(asarray, tensors)])


def atleast_3d(*tensors: TensorLike) -> Tensor | list[Tensor]:
    """Each tensor with at least three dimensions: of a vector (n,) it is (1, n, 1), of a matrix (m, n) (m, n, 1).

    >>> import gradflow as gf
    >>> gf.atleast_3d(gf.tensor([5.0, 6.0])).shape
    (1, 2, 1)
    """
    return _each([_planes(x) for x in map(asarray, tensors)])


def _each(made: list[Tensor]) -> Tensor | list[Tensor]:
    return made[0] if len(made) == 1 else made


def _rows(x: Tensor) -> Tensor:
    return x if x.ndim > 1 else reshape(x, (1, -1))


def _planes(x: Tensor) -> Tensor:
    return x if x.ndim > 2 else expand_dims(_rows(x), -1)


def hstack(tensors: Sequence[TensorLike]) -> Tensor:
    """The tensors side by side: along the second axis, vectors along the first.

    >>> import gradflow as gf
    >>> gf.hstack([gf.tensor([1, 2]), gf.tensor([3])])
    tensor([1, 2, 3])
    """
    given = [x if x.ndim else reshape(x, (1,)) for x in _several("hstack", tensors)]
    return concat(given, 0 if given[0].ndim == 1 else 1)


def vstack(tensors: Sequence[TensorLike]) -> Tensor:
    """The tensors below one another, along the first axis; vectors are rows.

    >>> import gradflow as gf
    >>> gf.vstack([gf.tensor([1, 2]), gf.tensor([3, 4])])
    tensor([[1, 2],
            [3, 4]])
    """
    return concat([_rows(x) for x in _several("vstack", tensors)], 0)


def dstack(tensors: Sequence[TensorLike]) -> Tensor:
    """The tensors behind one another, along the third axis, which vectors and matrices get first.

    >>> import gradflow as gf
    >>> gf.dstack([gf.tensor([1, 2]), gf.tensor([3, 4])]).shape
    (1, 2, 2)
    """
    return concat([_planes(x) for x in _several("dstack", tensors)], 2)


def column_stack(tensors: Sequence[TensorLike]) -> Tensor:
    """The tensors side by side, vectors as columns.

    >>> import gradflow as gf
    >>> gf.column_stack([gf.tensor([1, 2]), gf.tensor([3, 4])])
    tensor([[1, 3],
            [2, 4]])
    """
    return concat([x if x.ndim > 1 else reshape(x, (-1, 1)) for x in _several("column_stack", tensors)], 1)


def append(x: TensorLike, values: TensorLike, axis: SupportsIndex | None = None) -> Tensor:
    """``x`` with ``values`` after it along ``axis``; both are flattened without it.

    >>> import gradflow as gf
    >>> gf.append(gf.tensor([1, 2]), [3])
    tensor([1, 2, 3])
    """
    return concat([asarray(x), asarray(values)], axis)


def array_split(x: TensorLike, indices_or_sections: Cuts, axis: SupportsIndex = 0) -> list[Tensor]:
    """``x`` cut along ``axis`` at the given indices, or into sections of which the first may be longer by one.

    >>> import gradflow as gf
    >>> gf.array_split(gf.arange(5), 3)
    [tensor([0, 1]), tensor([2, 3]), tensor([4])]
    """
    given = asarray(x)
    if isinstance(indices_or_sections, Iterable):
        return split(given, indices_or_sections, axis)
    sections = integer("array_split", "the number of sections", indices_or_sections)
    if sections < 1:
        raise ArgumentError(f"array_split: {sections} sections; there must be at least 1")
    each, longer = divmod(given.shape[normalize_axis("array_split", axis, given.ndim)], sections)
    cuts = [i * each + min(i, longer) for i in range(1, sections)]
    return split(given, cuts, axis)


def hsplit(x: TensorLike, indices_or_sections: Cuts) -> list[Tensor]:
    """``x`` cut along the second axis, a vector along the first: see ``split``.

    >>> import gradflow as gf
    >>> gf.hsplit(gf.arange(4), 2)
    [tensor([0, 1]), tensor([2, 3])]
    """
    given = _of_rank("hsplit", x, 1)
    return split(given, indices_or_sections, 0 if given.ndim == 1 else 1)


def vsplit(x: TensorLike, indices_or_sections: Cuts) -> list[Tensor]:
    """``x``, of at least two dimensions, cut along the first axis: see ``split``.

    >>> import gradflow as gf
    >>> gf.vsplit(gf.tensor([[1, 2], [3, 4]]), 2)
    [tensor([[1, 2]]), tensor([[3, 4]])]
    """
    return split(_of_rank("vsplit", x, 2), indices_or_sections, 0)


def dsplit(x: TensorLike, indices_or_sections: Cuts) -> list[Tensor]:
    """``x``, of at least three dimensions, cut along the third axis: see ``split``.

    >>> import gradflow as gf
    >>> [part.shape for part in gf.dsplit(gf.zeros((1, 1, 4)), [1])]
    [(1, 1, 1), (1, 1, 3)]
    """
    return split(_of_rank("dsplit", x, 3), indices_or_sections, 2)


def _of_rank(name: str, x: TensorLike, least: int) -> Tensor:
    given = asarray(x)
    if given.ndim < least:
        raise ShapeError(f"{name}: needs at least {least} dimensions, got shape {given.shape}")
    return given


def fliplr(x: TensorLike) -> Tensor:
    """``x`` with its columns, the second axis, in reverse order.

    >>> import gradflow as gf
    >>> gf.fliplr(gf.tensor([[1, 2]]))
    tensor([[2, 1]])
    """
    return flip(_of_rank("fliplr", x, 2), 1)


def flipud(x: TensorLike) -> Tensor:
    """``x`` with its rows, the first axis, in reverse order.

    >>> import gradflow as gf
    >>> gf.flipud(gf.tensor([1, 2]))
    tensor([2, 1])
    """
    return flip(_of_rank("flipud", x, 1), 0)


def rot90(x: TensorLike, k: SupportsIndex = 1, axes: Sequence[SupportsIndex] = (0, 1)) -> Tensor:
    """``x`` turned ``k`` times by 90 degrees, from the first of ``axes`` to the second.

    >>> import gradflow as gf
    >>> gf.rot90(gf.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    given = _of_rank("rot90", x, 2)
    first, second = (normalize_axis("rot90", axis, given.ndim) for axis in axes)
    if first == second:
        raise ShapeError(f"rot90: axes {tuple(axes)} of {given.shape} are the same")
    turns = integer("rot90", "k", k) % 4
    if turns == 0:
        return given
    if turns == 2:
        return flip(given, (first, second))
    return flip(swapaxes(given, first, second), first if turns == 1 else second)
