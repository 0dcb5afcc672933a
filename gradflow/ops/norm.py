"""The sizes of vectors."""

from __future__ import annotations

import math
from typing import Any

from gradflow.errors import ArgumentError
from gradflow.op import Op, Spec
from gradflow.ops.blockwise import widened
from gradflow.ops.create import asarray
from gradflow.ops.elementwise import abs, sign
from gradflow.ops.extremum import max, min
from gradflow.ops.precision import float_dtype
from gradflow.ops.reduce import Axis, by_rows, over_axes, reductions, spread, sum, total
from gradflow.samples import Real, Sample, sample
from gradflow.shapes import Axes, reduced
from gradflow.tensor import Tensor, TensorLike


def norm(x: TensorLike, ord: float | str = 2, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The ``ord``-norm of the elements over ``axis`` (all axes by default), taken as one vector.

    2, or "fro", is the square root of the sum of squares; 1 the sum of absolute values; inf and -inf the largest and
    the smallest of them; 0 the number of elements that are not 0; any other p is ``sum(abs(x)**p)**(1/p)``. The
    gradient of the zero vector's norm is 0. Integers give float64. Raises ArgumentError for another word, ShapeError
    for the largest or smallest of nothing.

    >>> import gradflow as gf
    >>> gf.norm(gf.tensor([3.0, -4.0])), gf.norm(gf.tensor([3.0, -4.0]), 1)
    (tensor(5.), tensor(7.))
    """
    if isinstance(ord, str) and ord != "fro":
        raise ArgumentError(f"norm: ord is {ord!r}; it must be a number or 'fro'")
    p = 2.0 if ord == "fro" else float(ord)
    given = asarray(x)
    if given.dtype.kind == "c":
        given = abs(given)
    if p not in (0, 1, math.inf, -math.inf):
        return over_axes(_norm, given, axis, keepdims, p=p)
    given = given.astype(float_dtype(given.dtype))
    if p == 0:
        return sum((given != 0).astype(given.dtype), axis, keepdims=keepdims)
    reduce = {1: sum, math.inf: max, -math.inf: min}[p]
    return reduce(abs(given), axis, keepdims=keepdims)


@widened
def _norm_forward(xp: Any, x: Any, *, axes: Axes, keepdims: bool, p: float, out: Any = None) -> Any:
    if p == 2:
        return xp.sqrt(total(xp.square(x), axes, keepdims, x.dtype))
    powers = xp.absolute(x) ** p
    return total(powers, axes, keepdims, x.dtype) ** (1 / p)


def _norm_vjp(g: Tensor, x: Tensor, out: Tensor, axes: Axes, keepdims: bool, p: float) -> Tensor:
    size = spread(out + (out == 0), x.shape, axes, keepdims)  # of the zero vector not 0 / 0, but 0 / 1
    if p == 2:
        return spread(g, x.shape, axes, keepdims) * (x / size)
    parts = (abs(x) + (x == 0)) / size  # where x is 0, the sign is, and no power of 0 may be infinite
    return spread(g, x.shape, axes, keepdims) * sign(x) * parts ** (p - 1)


def _norm_spec(x: Spec, axes: Axes, keepdims: bool, p: float) -> Spec:
    return Spec(reduced(x.shape, axes, keepdims), float_dtype(x.dtype))


def _norm_scalar(x: Spec, axes: Axes, keepdims: bool, p: float) -> str | None:
    if not by_rows(x, axes):
        return None
    return "sqrt(row_sum(x * x))" if p == 2 else "row_sum(abs(x) ** p) ** (1 / p)"


_norm = Op(
    name="norm",
    forward=_norm_forward,
    spec=_norm_spec,
    vjp=(_norm_vjp,),
    scalar=_norm_scalar,
    samples=(
        *(Sample(each.inputs, {**each.attrs, "p": p}) for each in reductions(low=0.3, high=2.0) for p in (2.0, 3.0)),
        sample(Real((3, 4), kinks=(0.0,), gap=0.2), axes=(1,), keepdims=False, p=0.5),
        sample(Real((0, 2)), axes=(0,), keepdims=False, p=2.0),
    ),
)
