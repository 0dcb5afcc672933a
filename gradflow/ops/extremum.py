"""The largest and the smallest elements, and where they are."""

from __future__ import annotations

from typing import Any, SupportsIndex

from gradflow.dispatch import apply
from gradflow.dtypes import int64
from gradflow.errors import ShapeError
from gradflow.launch import Launch
from gradflow.op import Op, Spec
from gradflow.ops.precision import stored
from gradflow.ops.reduce import Axis, by_rows, over_axes, reductions, spread
from gradflow.ops.reduction import reduction
from gradflow.samples import Given, Integer, Real, sample
from gradflow.shapes import Axes, Shape, normalize_axis, reduced
from gradflow.tensor import Tensor, TensorLike, operand


def max(x: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The largest element over ``axis`` (all axes by default); NaN if one is NaN.

    Elements that are equally large share the gradient evenly. Raises ShapeError if there is nothing to choose from.

    >>> import gradflow as gf
    >>> gf.max(gf.tensor([[1.0, 5.0], [3.0, 2.0]]), axis=1)
    tensor([5., 3.])
    """
    return over_axes(_max, x, axis, keepdims)


def min(x: TensorLike, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The smallest element over ``axis`` (all axes by default); NaN if one is NaN.

    Elements that are equally small share the gradient evenly. Raises ShapeError if there is nothing to choose from.

    >>> import gradflow as gf
    >>> gf.min(gf.tensor([[1.0, 5.0], [3.0, 2.0]]), axis=1)
    tensor([1., 2.])
    """
    return over_axes(_min, x, axis, keepdims)


def argmax(x: TensorLike, axis: SupportsIndex | None = None, *, keepdims: bool = False) -> Tensor:
    """The index along ``axis`` of the largest element, the first of several, as int64; that of a NaN if there is one.

    Without ``axis`` it is the index into the elements in order. Raises ShapeError if there is nothing to choose from.

    >>> import gradflow as gf
    >>> gf.argmax(gf.tensor([[1.0, 5.0], [3.0, 2.0]]), axis=1)
    tensor([1, 0])
    """
    return _over_axis(_argmax, x, axis, keepdims)


def argmin(x: TensorLike, axis: SupportsIndex | None = None, *, keepdims: bool = False) -> Tensor:
    """The index along ``axis`` of the smallest element, the first of several, as int64; that of a NaN if there is one.

    Without ``axis`` it is the index into the elements in order. Raises ShapeError if there is nothing to choose from.

    >>> import gradflow as gf
    >>> gf.argmin(gf.tensor([[1.0, 5.0], [3.0, 2.0]]), axis=1)
    tensor([0, 1])
    """
    return _over_axis(_argmin, x, axis, keepdims)


def _over_axis(op: Op, x: TensorLike, axis: SupportsIndex | None, keepdims: bool) -> Tensor:
    given = operand(x)
    rank = given.ndim if isinstance(given, Tensor) else 0
    index = None if axis is None else normalize_axis(op.name, axis, rank)
    return apply(op, given, axis=index, keepdims=bool(keepdims))


def _check_choice(name: str, shape: Shape, axes: Axes) -> None:
    for axis in axes:
        if shape[axis] == 0:
            raise ShapeError(f"{name}: axis {axis} of {shape} has size 0, and there is no {name} of nothing")


def _extremum_share_forward(xp: Any, x: Any, y: Any, *, axes: Axes, out: Any = None) -> Any:
    chosen = xp.equal(x, y)
    chosen |= xp.isnan(x)  # not equal to itself, and what was chosen
    count = chosen.sum(axis=axes, keepdims=True, dtype=x.dtype)
    return xp.true_divide(chosen, count, out=out)


_SHARE = """
chosen = where((x == y) | isnan(x), 1, 0)
chosen / row_sum(chosen)
"""

# Which part of the gradient each element of x gets, if y is what was chosen, with its dimensions kept.
_extremum_share = Op(
    name="extremum_share",
    forward=_extremum_share_forward,
    spec=lambda x, y, axes: x,
    scalar=lambda x, y, axes: _SHARE if by_rows(x, axes) else None,
    samples=(sample(Given([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]]), Given([[3.0], [2.0]]), axes=(1,)),),
)


def _extremum_vjp(g: Tensor, x: Tensor, out: Tensor, axes: Axes, keepdims: bool) -> Tensor:
    chosen = spread(out.detach(), x.shape, axes, keepdims)
    return spread(g, x.shape, axes, keepdims) * apply(_extremum_share, x.detach(), chosen, axes=axes)


def _max_cuda(x: Any, *, axes: Axes, keepdims: bool, out: Any) -> Launch | None:
    return reduction(x, axes, True, 1, out)


def _extremum(name: str) -> Op:
    def spec(x: Spec, axes: Axes, keepdims: bool) -> Spec:
        _check_choice(name, x.shape, axes)
        return Spec(reduced(x.shape, axes, keepdims), x.dtype)

    formula = "row_max(x)" if name == "max" else "-row_max(-x)"
    return Op(
        name=name,
        forward=lambda xp, x, *, axes, keepdims, out=None: getattr(x, name)(axis=axes, keepdims=keepdims, out=out),
        spec=spec,
        vjp=(_extremum_vjp,),
        scalar=lambda x, *, axes, keepdims: formula if by_rows(x, axes) else None,
        cuda=_max_cuda if name == "max" else None,
        samples=(*reductions(distinct=True), sample(Real((0, 2)), axes=(1,), keepdims=True)),
        workloads=(sample(Real((4096, 128)), axes=(1,), keepdims=False),),
    )


def _arg_extremum(name: str) -> Op:
    def spec(x: Spec, axis: int | None, keepdims: bool) -> Spec:
        axes = tuple(range(len(x.shape))) if axis is None else (axis,)
        _check_choice(name, x.shape, axes)
        return Spec(reduced(x.shape, axes, keepdims), int64)

    def forward(xp: Any, x: Any, *, axis: int | None, keepdims: bool, out: Any = None) -> Any:
        return stored(getattr(xp, name)(x, axis=axis, keepdims=keepdims), int64, out)

    return Op(
        name=name,
        forward=forward,
        spec=spec,
        samples=(
            sample(Real(()), axis=None, keepdims=False),
            sample(Real((3, 4), distinct=True), axis=None, keepdims=True),
            sample(Integer((3, 4)), axis=0, keepdims=False),
            sample(Real((0, 2)), axis=1, keepdims=True),
        ),
    )


_max = _extremum("max")
_min = _extremum("min")
_argmax = _arg_extremum("argmax")
_argmin = _arg_extremum("argmin")
