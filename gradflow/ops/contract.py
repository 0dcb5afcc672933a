"""Products of two tensors summed over any dimensions, by way of matrix multiplication."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, SupportsIndex

import numpy as np

from gradflow.dispatch import apply
from gradflow.errors import DTypeError, ShapeError
from gradflow.op import Op, Spec
from gradflow.ops.conjugate import conjugated
from gradflow.ops.create import asarray
from gradflow.ops.linalg import product
from gradflow.ops.shape import moveaxis, ravel, reshape
from gradflow.samples import Real, sample
from gradflow.shapes import Axes, broadcast, normalize_axis
from gradflow.tensor import Tensor, TensorLike

ELLIPSIS = "αβγδεζηθικλμνξοπρστυφχψω"  # names for the dimensions that "..." stands for, the last one first
LABELS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" + ELLIPSIS  # more than an array can have dimensions


class Lowering(NamedTuple):
    """The order of dimensions that makes a contraction a (stacked) matrix product."""

    a: Axes  # batch, left, summed
    b: Axes  # batch, summed, right
    out: Axes  # from batch, left, right to the order that is asked for
    batch: int
    left: int
    summed: int


def terms(subscripts: str) -> tuple[str, str, str]:
    """The labels of both operands and of the result of ``"ij,jk->ik"``."""
    operands, _, result = subscripts.partition("->")
    a, _, b = operands.partition(",")
    return a, b, result


@lru_cache(1024)
def _lowering(subscripts: str) -> Lowering:
    a, b, result = terms(subscripts)
    batch = [c for c in result if c in a and c in b]
    left = [c for c in result if c not in b]
    right = [c for c in result if c not in a]
    summed = [c for c in a if c not in result]
    return Lowering(
        tuple(map(a.index, batch + left + summed)),
        tuple(map(b.index, batch + summed + right)),
        tuple(map((batch + left + right).index, result)),
        len(batch),
        len(left),
        len(summed),
    )


def _einsum_forward(xp: Any, a: Any, b: Any, *, subscripts: str, out: Any = None) -> Any:
    how = _lowering(subscripts)
    a, b = a.transpose(how.a), b.transpose(how.b)
    batch, left = a.shape[: how.batch], a.shape[how.batch : how.batch + how.left]
    right = b.shape[how.batch + how.summed :]
    if how.summed:
        size = math.prod(a.shape[how.batch + how.left :])
        rows = a.reshape((*batch, math.prod(left), size))
        columns = b.reshape((*batch, size, math.prod(right)))
        result = product(xp, rows, columns).reshape((*batch, *left, *right))
    else:
        result = a.reshape(a.shape + (1,) * len(right)) * b.reshape((*batch, *(1,) * how.left, *right))
    result = result.transpose(how.out)
    if out is None:
        return result
    out[...] = result
    return out


def _einsum_spec(a: Spec, b: Spec, subscripts: str) -> Spec:
    given = terms(subscripts)
    sizes = dict(zip(given[0] + given[1], a.shape + b.shape, strict=True))
    if any(sizes[label] != size for label, size in zip(given[0], a.shape, strict=True)):
        raise ShapeError(f"einsum: {subscripts} does not fit {a.shape} and {b.shape}")
    if np.bool_ in (a.dtype, b.dtype):
        raise DTypeError("einsum: not defined for bool; convert with .to('float32')")
    return Spec(tuple(sizes[label] for label in given[2]), np.result_type(a.dtype, b.dtype))


def _einsum_by_a(g: Tensor, b: Tensor, subscripts: str) -> Tensor:
    labels_a, labels_b, result = terms(subscripts)
    return apply(_einsum, g, conjugated(b), subscripts=f"{result},{labels_b}->{labels_a}")


def _einsum_by_b(g: Tensor, a: Tensor, subscripts: str) -> Tensor:
    labels_a, labels_b, result = terms(subscripts)
    return apply(_einsum, conjugated(a), g, subscripts=f"{labels_a},{result}->{labels_b}")


# every label once in an operand, and each in two of the three: the operands and the result
_einsum: Op = Op(
    name="einsum",
    forward=_einsum_forward,
    spec=_einsum_spec,
    vjp=(_einsum_by_a, _einsum_by_b),
    linear=True,
    complex=True,
    samples=(
        sample(Real((3, 4)), Real((4, 2)), subscripts="ij,jk->ik"),
        sample(Real((5, 3, 4)), Real((2, 5, 4)), subscripts="bij,kbj->kib"),
        sample(Real((2, 3, 4)), Real((4, 3, 2)), subscripts="ijk,kji->"),
        sample(Real((3,)), Real((3,)), subscripts="i,i->i"),
        sample(Real((3,)), Real((2, 3)), subscripts="i,ji->ji"),
        sample(Real(()), Real((2, 3)), subscripts=",ij->ji"),
        sample(Real((3, 0)), Real((0, 2)), subscripts="ij,jk->ik"),
    ),
)


def tensordot(
    a: TensorLike,
    b: TensorLike,
    axes: SupportsIndex | Sequence[SupportsIndex | Sequence[SupportsIndex]] = 2,
) -> Tensor:
    """The products of ``a`` and ``b`` summed over some dimensions of both; the others follow, those of ``a`` first.

    ``axes`` is how many, the last of ``a`` and the first of ``b``, or a pair: which of ``a``, and which of ``b``.
    Raises ShapeError if their sizes differ.

    >>> import gradflow as gf
    >>> gf.tensordot(gf.ones((2, 3, 4)), gf.ones((4, 3, 5)), axes=([1, 2], [1, 0])).shape
    (2, 5)
    """
    a, b = asarray(a), asarray(b)
    summed_a, summed_b = _axes_pair(axes, a.ndim, b.ndim)
    if [a.shape[i] for i in summed_a] != [b.shape[i] for i in summed_b]:
        raise ShapeError(f"tensordot: axes {axes} of {a.shape} and {b.shape} do not have the same sizes")
    labels_a = LABELS[: a.ndim]
    labels_b = list(LABELS[a.ndim : a.ndim + b.ndim])
    kept = [label for i, label in enumerate(labels_a) if i not in summed_a]
    kept += [label for i, label in enumerate(labels_b) if i not in summed_b]
    for i, j in zip(summed_a, summed_b, strict=True):
        labels_b[j] = labels_a[i]
    return apply(_einsum, a, b, subscripts=f"{labels_a},{''.join(labels_b)}->{''.join(kept)}")


def _axes_pair(axes: Any, rank_a: int, rank_b: int) -> tuple[list[int], list[int]]:
    if isinstance(axes, SupportsIndex):
        count = int(axes)
        if not 0 <= count <= min(rank_a, rank_b):
            raise ShapeError(f"tensordot: cannot sum over {count} axes of tensors of {rank_a} and {rank_b} dimensions")
        return list(range(rank_a - count, rank_a)), list(range(count))
    if not isinstance(axes, Sequence) or len(axes) != 2:
        raise DTypeError(f"tensordot: axes is a number or a pair, not {axes!r}")
    first, second = axes
    summed_a = [normalize_axis("tensordot", i, rank_a) for i in (first if isinstance(first, Iterable) else (first,))]
    summed_b = [normalize_axis("tensordot", i, rank_b) for i in (second if isinstance(second, Iterable) else (second,))]
    if not len(summed_a) == len(summed_b) == len(set(summed_a)) == len(set(summed_b)):
        raise ShapeError(f"tensordot: axes {axes} must name equally many axes of both tensors, each once")
    return summed_a, summed_b


def outer(a: TensorLike, b: TensorLike) -> Tensor:
    """Every element of ``a`` times every element of ``b``, both flattened: a matrix.

    >>> import gradflow as gf
    >>> gf.outer([1, 2], [10, 20, 30])
    tensor([[10, 20, 30],
            [20, 40, 60]])
    """
    return reshape(ravel(a), (-1, 1)) * ravel(b)


def vecdot(a: TensorLike, b: TensorLike, axis: SupportsIndex = -1) -> Tensor:
    """The products of the conjugate of ``a`` with ``b`` summed along ``axis``; other dimensions broadcast.

    Raises ShapeError if the sizes along ``axis`` differ.

    >>> import gradflow as gf
    >>> gf.vecdot(gf.tensor([[1.0, 2.0], [3.0, 4.0]]), gf.tensor([1.0, 10.0]))
    tensor([21., 43.])
    """
    a, b = (moveaxis(x, axis, -1) for x in (a, b))
    if a.shape[-1] != b.shape[-1]:
        raise ShapeError(f"vecdot: sizes {a.shape[-1]} and {b.shape[-1]} along axis {axis} must be equal")
    broadcast("vecdot", a.shape, b.shape)
    a = conjugated(a)
    row, column = reshape(a, (*a.shape[:-1], 1, a.shape[-1])), reshape(b, (*b.shape, 1))
    return reshape(row @ column, broadcast("vecdot", a.shape[:-1], b.shape[:-1]))


def dot(a: TensorLike, b: TensorLike) -> Tensor:
    """The product summed over the last dimension of ``a`` and the last but one of ``b``, or its only one.

    For vectors the inner product, for matrices the matrix product; with a scalar, the product.

    >>> import gradflow as gf
    >>> gf.dot(gf.tensor([1.0, 2.0]), gf.tensor([3.0, 4.0]))
    tensor(11.)
    """
    left, right = asarray(a), asarray(b)
    if not left.ndim or not right.ndim:
        return left * right
    return tensordot(left, right, (-1, -2 if right.ndim > 1 else -1))
