"""Products of many elements."""

from __future__ import annotations

from typing import Any

from gradflow.dtypes import DTypeLike, accumulator
from gradflow.op import Op, Spec
from gradflow.ops.cast import astype
from gradflow.ops.conjugate import conjugated
from gradflow.ops.create import ones_like
from gradflow.ops.join import concat
from gradflow.ops.precision import stored
from gradflow.ops.reduce import Axis, accumulated, over_axes, reduced_count, reductions, spread
from gradflow.ops.shape import permute_dims, reshape
from gradflow.samples import Given, Real, sample
from gradflow.shapes import Axes, reduced
from gradflow.tensor import Tensor, TensorLike


def prod(x: TensorLike, axis: Axis = None, *, dtype: DTypeLike = None, keepdims: bool = False) -> Tensor:
    """The product over ``axis`` (all axes by default), 1 of nothing; dtypes are those of ``sum``.

    With ``dtype``, ``x`` is converted before. Gradients of any order are right where elements are zero, too.

    >>> import gradflow as gf
    >>> gf.prod(gf.tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    tensor([3., 8.])
    """
    return over_axes(_prod, x if dtype is None else astype(x, dtype), axis, keepdims)


def _prod_forward(xp: Any, x: Any, *, axes: Axes, keepdims: bool, out: Any = None) -> Any:
    dtype = accumulated(x.dtype)
    return stored(x.prod(axis=axes, dtype=accumulator(dtype), keepdims=keepdims), dtype, out)


def product_of_the_others(x: Tensor) -> Tensor:
    """For each element of the last dimension the product of all others: without a division, so zeros do no harm."""
    size = x.shape[-1]
    if size < 2:
        return ones_like(x)
    half = size // 2
    a, b, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    others = product_of_the_others(concat([a * b, rest], axis=-1))
    paired, single = others[..., :half], others[..., half:]
    return concat([paired * b, paired * a, single], axis=-1)


def _prod_vjp(g: Tensor, x: Tensor, axes: Axes, keepdims: bool) -> Tensor:
    kept = tuple(axis for axis in range(x.ndim) if axis not in axes)
    order = kept + axes
    last = permute_dims(x, order)
    others = product_of_the_others(reshape(last, (*last.shape[: len(kept)], reduced_count(x.shape, axes))))
    others = permute_dims(reshape(others, last.shape), tuple(map(order.index, range(x.ndim))))
    return spread(g, x.shape, axes, keepdims) * conjugated(others)


_prod = Op(
    name="prod",
    forward=_prod_forward,
    spec=lambda x, axes, keepdims: Spec(reduced(x.shape, axes, keepdims), accumulated(x.dtype)),
    vjp=(_prod_vjp,),
    complex=True,
    samples=(
        *reductions(),
        sample(Real((0, 2)), axes=(0,), keepdims=False),
        sample(Given([[0.5, 0.0, 2.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]]), axes=(1,), keepdims=False),
    ),
)
