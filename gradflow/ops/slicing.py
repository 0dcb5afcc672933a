"""Basic indexing: integers, slices and new dimensions, which select a view; and its inverse, which places one."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple, SupportsIndex

from gradflow.dispatch import apply
from gradflow.errors import DTypeError, ShapeError
from gradflow.op import Op, Spec
from gradflow.samples import Real, sample
from gradflow.shapes import Shape


def integer(name: str, role: str, given: SupportsIndex) -> int:
    """``given`` as a Python integer; DTypeError naming its ``role`` if it is not one.

    >>> integer("roll", "a shift", 2)
    2
    """
    try:
        return operator.index(given)
    except TypeError:
        raise DTypeError(f"{name}: {role} is an integer, not {given!r}") from None


class Slice(NamedTuple):
    """A slice that can be hashed, as Python's own cannot before 3.12."""

    start: int | None = None
    stop: int | None = None
    step: int | None = None


FULL = Slice()
Selection = tuple[int | Slice | None, ...]  # one entry for each leading dimension, None for a new one


def selected(shape: Shape, index: Selection) -> Shape:
    """The shape of what ``index`` selects from an array of ``shape``.

    >>> selected((5, 6, 7), (0, None, Slice(1, 3)))
    (1, 2, 7)
    """
    sizes = iter(shape)
    result: list[int] = []
    for entry in index:
        if entry is None:
            result.append(1)
        elif isinstance(entry, Slice):
            result.append(len(range(*slice(*entry).indices(next(sizes)))))
        else:
            next(sizes)
    return (*result, *sizes)


def _native(index: Selection) -> tuple[Any, ...]:
    # the ellipsis keeps NumPy from making a scalar, which is not a view, of an element
    return (*(slice(*entry) if isinstance(entry, Slice) else entry for entry in index), ...)


def _getitem_forward(xp: Any, x: Any, *, index: Selection, out: Any = None) -> Any:
    view = x[_native(index)]
    if out is None:
        return view
    out[...] = view
    return out


_getitem: Op = Op(
    name="getitem",
    forward=_getitem_forward,
    spec=lambda x, index: Spec(selected(x.shape, index), x.dtype),
    vjp=(lambda g, specs, index: apply(_place, g, shape=specs[0].shape, index=index, value=0),),
    complex=True,
    samples=(
        sample(Real(()), index=()),
        sample(Real((7,)), index=(3,)),
        sample(Real((3, 4)), index=(Slice(None, None, -2), None, 1)),
        sample(Real((2, 3, 4)), index=(1, Slice(0, 2))),
        sample(Real((5, 2)), index=(Slice(3, 3),)),
    ),
    view=True,
)


def _place_forward(xp: Any, x: Any, *, shape: Shape, index: Selection, value: float, out: Any = None) -> Any:
    if out is None:
        out = xp.zeros(shape, x.dtype)  # the system clears this memory when it is touched, fill at once
        if value:
            out.fill(value)
    else:
        out.fill(value)
    out[_native(index)] = x
    return out


def _place_spec(x: Spec, shape: Shape, index: Selection, value: float) -> Spec:
    wanted = selected(shape, index)
    if x.shape != wanted:
        raise ShapeError(f"place: {x.shape} is not {wanted}, the shape of the place in {shape}")
    return Spec(shape, x.dtype)


_place: Op = Op(
    name="place",
    forward=_place_forward,
    spec=_place_spec,
    vjp=(lambda g, index: apply(_getitem, g, index=index),),
    jvp=lambda tangents, inputs, out, shape, index, value: apply(
        _place, tangents[0], shape=shape, index=index, value=0
    ),
    complex=True,
    samples=(
        sample(Real(()), shape=(7,), index=(3,), value=0),
        sample(Real((2, 1)), shape=(3, 4), index=(Slice(None, None, -2), None, 1), value=0),
        sample(Real((3,)), shape=(5,), index=(Slice(1, 4),), value=2.5),
        sample(Real((0, 2)), shape=(5, 2), index=(Slice(3, 3),), value=-1),
    ),
)


def check_fits(name: str, given: Shape, shape: Shape) -> None:
    """Raise unless a value of shape ``given`` can be written over a part of ``shape``."""
    spare = len(shape) - len(given)
    if spare < 0 or any(size not in (1, shape[spare + i]) for i, size in enumerate(given)):
        raise ShapeError(f"{name}: {given} does not broadcast to {shape}, the shape of what is indexed")


def _set_slice_forward(xp: Any, x: Any, value: Any, *, index: Selection, out: Any = None) -> Any:
    if out is None:
        out = x.copy()
    else:
        out[...] = x
    out[_native(index)] = value
    return out


def _set_slice_spec(x: Spec, value: Spec, index: Selection) -> Spec:
    check_fits("set", value.shape, selected(x.shape, index))
    return x


_set_slice: Op = Op(
    name="set_slice",
    forward=_set_slice_forward,
    spec=_set_slice_spec,
    vjp=(
        lambda g, index: apply(_set_slice, g, 0, index=index),
        lambda g, index: apply(_getitem, g, index=index),
    ),
    complex=True,
    samples=(
        sample(Real((7,)), Real(()), index=(3,)),
        sample(Real((3, 4)), Real((2, 1)), index=(Slice(None, None, -2), Slice(1, 3))),
        sample(Real((3, 4)), 1.5, index=(Slice(), None, 1)),
        sample(Real((5, 2)), Real((2,)), index=(Slice(3, 3),)),
    ),
)
