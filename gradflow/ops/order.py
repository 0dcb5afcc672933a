"""Sorting, and choosing by order: gradients go back the way that the elements came."""

from __future__ import annotations

from typing import Any, NamedTuple, SupportsIndex

from gradflow.dispatch import apply
from gradflow.dtypes import int64
from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.op import Op, Spec
from gradflow.ops.along import part
from gradflow.ops.create import asarray
from gradflow.ops.lookup import take_along_axis
from gradflow.ops.precision import stored
from gradflow.ops.shape import ravel
from gradflow.ops.slicing import integer
from gradflow.samples import Given, Integer, Real, sample
from gradflow.shapes import normalize_axis
from gradflow.tensor import Tensor, TensorLike

Axis = SupportsIndex | None


class TopK(NamedTuple):
    """The largest or smallest elements, in order, and where they are."""

    values: Tensor
    indices: Tensor


def sort(x: TensorLike, axis: Axis = -1, *, descending: bool = False) -> Tensor:
    """The elements along ``axis`` (of the flattened tensor for None) in ascending order, NaN last.

    The gradient goes to the places where the elements come from; of equal ones the first comes first.

    >>> import gradflow as gf
    >>> gf.sort(gf.tensor([3.0, 1.0, 2.0]))
    tensor([1., 2., 3.])
    """
    given, along = _along("sort", x, axis)
    return apply(_sort, given, axis=along, descending=bool(descending))


def argsort(x: TensorLike, axis: Axis = -1, *, descending: bool = False) -> Tensor:
    """The indices, int64, of the elements along ``axis`` in ascending order; equal ones stay in theirs.

    >>> import gradflow as gf
    >>> gf.argsort(gf.tensor([3.0, 1.0, 2.0]))
    tensor([1, 2, 0])
    """
    given, along = _along("argsort", x, axis)
    return apply(_argsort, given, axis=along, descending=bool(descending))


def partition(x: TensorLike, kth: SupportsIndex, axis: Axis = -1) -> Tensor:
    """The elements along ``axis`` with the ``kth`` where sorting would put it, none larger before, none smaller after.

    They are sorted, which is a partition for every ``kth``, and is what CuPy does. Raises ArgumentError for a ``kth``
    that is not there.

    >>> import gradflow as gf
    >>> gf.partition(gf.tensor([3.0, 1.0, 2.0]), 1)
    tensor([1., 2., 3.])
    """
    given, along = _along("partition", x, axis)
    _check_place("partition", kth, given.shape[along])
    return sort(given, along)


def argpartition(x: TensorLike, kth: SupportsIndex, axis: Axis = -1) -> Tensor:
    """The indices, int64, that put the elements along ``axis`` in the order of ``partition``.

    >>> import gradflow as gf
    >>> gf.argpartition(gf.tensor([3.0, 1.0, 2.0]), 1)
    tensor([1, 2, 0])
    """
    given, along = _along("argpartition", x, axis)
    _check_place("argpartition", kth, given.shape[along])
    return argsort(given, along)


def _check_place(name: str, kth: SupportsIndex, size: int) -> None:
    place = integer(name, "kth", kth)
    if not -size <= place < size:
        raise ArgumentError(f"{name}: kth is {place}, of {size} elements")


def topk(x: TensorLike, k: SupportsIndex, axis: SupportsIndex = -1, *, largest: bool = True) -> TopK:
    """The ``k`` largest (or smallest) elements along ``axis``, the most extreme first, and their indices, int64.

    Of equal ones the first comes first; NaN counts as the largest. Raises ArgumentError unless there are ``k``.

    >>> import gradflow as gf
    >>> gf.topk(gf.tensor([3.0, 1.0, 2.0]), 2)
    TopK(values=tensor([3., 2.]), indices=tensor([0, 2]))
    """
    given, along = _along("topk", x, axis)
    count = integer("topk", "k", k)
    if not 0 <= count <= given.shape[along]:
        raise ArgumentError(f"topk: k is {count}, and axis {along} of {given.shape} has {given.shape[along]} elements")
    order = argsort(given, along, descending=largest)
    chosen = part(order, along, 0, count)
    return TopK(take_along_axis(given, chosen, along), chosen)


def _along(name: str, x: TensorLike, axis: Axis) -> tuple[Tensor, int]:
    given = asarray(x)
    if axis is None:
        return ravel(given), 0
    if not given.ndim:
        raise ShapeError(f"{name}: a scalar has no axis to sort along; use axis=None")
    return given, normalize_axis(name, axis, given.ndim)


def _sort_forward(xp: Any, x: Any, *, axis: int, descending: bool, out: Any = None) -> Any:
    result = xp.sort(x, axis=axis)  # equal numbers are the same in any order
    return stored(xp.flip(result, axis) if descending else result, x.dtype, out)


def _argsort_forward(xp: Any, x: Any, *, axis: int, descending: bool, out: Any = None) -> Any:
    if not descending:
        return stored(xp.argsort(x, axis=axis, kind="stable"), int64, out)
    backwards = xp.argsort(xp.flip(x, axis), axis=axis, kind="stable")  # so that of equal ones the first comes first
    return stored(x.shape[axis] - 1 - xp.flip(backwards, axis), int64, out)


def _rank_forward(xp: Any, x: Any, *, axis: int, descending: bool, out: Any = None) -> Any:
    order = xp.moveaxis(_argsort_forward(xp, x, axis=axis, descending=descending), axis, -1)
    size = x.shape[axis]
    rows = order.reshape(-1, size) if x.size else order.reshape(0, size)
    places = xp.zeros(rows.shape, int64)
    places[xp.arange(len(rows))[:, None], rows] = xp.arange(size)
    return stored(xp.moveaxis(places.reshape(order.shape), -1, axis), int64, out)


def _sort_vjp(g: Tensor, x: Tensor, axis: int, descending: bool) -> Tensor:
    return take_along_axis(g, apply(_rank, x.detach(), axis=axis, descending=descending), axis)


_KINDS = (
    sample(Real((7,), distinct=True), axis=0, descending=False),
    sample(Real((3, 4), distinct=True), axis=1, descending=True),
    sample(Real((2, 3, 4), distinct=True), axis=1, descending=False),
    sample(Real((0, 2)), axis=0, descending=False),
)
_sort = Op(
    name="sort",
    forward=_sort_forward,
    spec=lambda x, axis, descending: x,
    vjp=(_sort_vjp,),
    samples=_KINDS,
)
_argsort = Op(
    name="argsort",
    forward=_argsort_forward,
    spec=lambda x, axis, descending: Spec(x.shape, int64),
    samples=(
        *_KINDS,
        sample(Integer((3, 8), 0, 3), axis=1, descending=True),
        sample(Given([2.0, 1.0, 2.0, 1.0]), axis=0, descending=True),
    ),
)
# where sorting puts each element
_rank = Op(
    name="rank",
    forward=_rank_forward,
    spec=lambda x, axis, descending: Spec(x.shape, int64),
    samples=_argsort.samples,
)


def searchsorted(a: TensorLike, v: TensorLike, side: str = "left", sorter: TensorLike | None = None) -> Tensor:
    """Where each element of ``v`` would have to be inserted into ascending ``a`` (n,) to keep the order, as int64.

    "left" is before equal elements, "right" after them; ``sorter`` are indices that sort ``a``. No gradient flows.
    Raises ShapeError unless ``a`` has one dimension, ArgumentError for another side.

    >>> import gradflow as gf
    >>> gf.searchsorted(gf.tensor([1.0, 2.0, 3.0]), gf.tensor([2.0, 2.5]))
    tensor([1, 2])
    """
    if side not in ("left", "right"):
        raise ArgumentError(f"searchsorted: side is {side!r}; it must be 'left' or 'right'")
    ordered = asarray(a)
    if sorter is not None:
        ordered = take_along_axis(ordered, sorter)
    return apply(_searchsorted, ordered, asarray(v), side=side)


def _searchsorted_spec(a: Spec, v: Spec, side: str) -> Spec:
    if len(a.shape) != 1:
        raise ShapeError(f"searchsorted: a must have one dimension, got shape {a.shape}")
    if a.dtype.kind == "b" or v.dtype.kind == "b":  # type: ignore[union-attr]
        raise DTypeError("searchsorted: not defined for bool; convert with .to('int64')")
    return Spec(v.shape, int64)


_searchsorted = Op(
    name="searchsorted",
    forward=lambda xp, a, v, *, side, out=None: stored(xp.searchsorted(a, v, side=side), int64, out),
    spec=_searchsorted_spec,
    samples=(
        sample(Given([-1.0, 0.0, 0.5, 1.0]), Real((3, 4)), side="left"),
        sample(Given([-1.0, 0.0, 0.0, 1.0]), Given([0.0, 1.0, 5.0]), side="right"),
        sample(Given([-1.0, 0.0]), Real((0,)), side="right"),
    ),
)
