"""Running sums along an axis."""

from __future__ import annotations

from typing import Any, SupportsIndex

from gradflow.dispatch import apply
from gradflow.dtypes import DTypeLike, accumulator
from gradflow.op import Op, Spec
from gradflow.ops.create import asarray
from gradflow.ops.precision import stored
from gradflow.ops.reduce import accumulated
from gradflow.ops.shape import reshape
from gradflow.samples import Real, sample
from gradflow.shapes import normalize_axis
from gradflow.tensor import Tensor, TensorLike


def cumsum(x: TensorLike, axis: SupportsIndex | None = None, *, dtype: DTypeLike = None) -> Tensor:
    """The sums of the elements up to each one along ``axis``, or of all in order without; dtypes are those of ``sum``.

    With ``dtype``, ``x`` is converted before.

    >>> import gradflow as gf
    >>> gf.cumsum(gf.tensor([1.0, 2.0, 3.0]), axis=0)
    tensor([1., 3., 6.])
    """
    given = asarray(x, dtype=dtype)
    if axis is None:
        given, axis = reshape(given, -1), 0
    return apply(_cumsum, given, axis=normalize_axis("cumsum", axis, given.ndim), reverse=False)


def _cumsum_forward(xp: Any, x: Any, *, axis: int, reverse: bool, out: Any = None) -> Any:
    dtype = accumulated(x.dtype)
    x = xp.flip(x, axis) if reverse else x
    sums = x.cumsum(axis=axis, dtype=accumulator(dtype))
    return stored(xp.flip(sums, axis) if reverse else sums, dtype, out)


_cumsum: Op = Op(
    name="cumsum",
    forward=_cumsum_forward,
    spec=lambda x, axis, reverse: Spec(x.shape, accumulated(x.dtype)),
    vjp=(lambda g, axis, reverse: apply(_cumsum, g, axis=axis, reverse=not reverse),),
    complex=True,
    samples=(
        sample(Real((7,)), axis=0, reverse=False),
        sample(Real((3, 4)), axis=0, reverse=True),
        sample(Real((2, 3, 4)), axis=1, reverse=False),
        sample(Real((2, 0)), axis=1, reverse=False),
    ),
)
