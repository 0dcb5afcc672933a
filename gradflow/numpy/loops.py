"""Python functions of elements and of lines: called in a loop, with tensors, so that gradients flow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, SupportsIndex

import numpy as np

from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError, NumPyCallError, ShapeError
from gradflow.numpy.creation import array, asarray
from gradflow.ops.join import stack
from gradflow.ops.shape import broadcast_arrays, expand_dims, moveaxis, ravel
from gradflow.shapes import normalize_axis
from gradflow.tensor import Tensor, TensorLike

__all__ = ["apply_along_axis", "apply_over_axes", "fromiter", "ndenumerate", "vectorize"]


def apply_along_axis(
    func1d: Callable[..., Any], axis: SupportsIndex, arr: TensorLike, *args: Any, **kwargs: Any
) -> Any:
    """``func1d`` of each vector along ``axis``, joined; the dimensions of what it returns take the place of the axis.

    ``gf.vmap`` does without the loop for functions that it can take apart.
    """
    x = asarray(arr)
    along = normalize_axis("apply_along_axis", axis, x.ndim)
    lines = moveaxis(x, along, -1)
    outer = lines.shape[:-1]
    if 0 in outer:
        raise ShapeError(f"apply_along_axis: there is no vector along axis {along} of shape {x.shape}")
    made = [asarray(func1d(lines[place], *args, **kwargs)) for place in np.ndindex(*outer)]
    result = stack(made).reshape((*outer, *made[0].shape))
    return moveaxis(result, tuple(range(len(outer), result.ndim)), tuple(range(along, along + made[0].ndim)))


def apply_over_axes(func: Callable[..., Any], a: TensorLike, axes: Any) -> Tensor:
    """``func(a, axis)`` for one of ``axes`` after the other, each kept as a dimension of size 1 if it goes."""
    result, rank = asarray(a), asarray(a).ndim
    for axis in axes if isinstance(axes, Iterable) else (axes,):
        along = normalize_axis("apply_over_axes", axis, rank)
        made = asarray(func(result, along))
        result = made if made.ndim == rank else expand_dims(made, along)
        if result.ndim != rank:
            raise ShapeError(f"apply_over_axes: the function made {made.shape} of {rank} dimensions")
    return result


def fromiter(iter: Iterable[Any], dtype: DTypeLike, count: int = -1) -> Tensor:
    """The numbers, or scalar tensors with their gradients, that ``iter`` gives: ``count`` of them, or all."""
    given = [each for each, _ in zip(iter, range(count), strict=False)] if count >= 0 else [*iter]
    if len(given) < count:
        raise ArgumentError(f"fromiter: the iterator has {len(given)} elements, and not {count}")
    return array(given, dtype)


def ndenumerate(arr: TensorLike) -> Iterator[tuple[tuple[int, ...], Tensor]]:
    """Pairs of the index of an element and the element."""
    x = asarray(arr)
    return ((place, x[place]) for place in np.ndindex(*x.shape))


class vectorize:
    """A function of numbers as one of tensors: called for each place of what the arguments broadcast to.

    Of several results it makes a tuple. ``excluded`` arguments, by number or name, are passed on as they are. Raises
    NumPyCallError for a signature: ``gf.vmap`` maps functions of arrays.
    """

    def __init__(
        self,
        pyfunc: Callable[..., Any],
        otypes: Any = None,
        doc: str | None = None,
        excluded: Iterable[int | str] | None = None,
        cache: bool = False,
        signature: str | None = None,
    ) -> None:
        if signature is not None:
            raise NumPyCallError("numpy.vectorize of tensors does not take signature=; use gf.vmap")
        self.pyfunc = pyfunc
        self.dtypes = otypes
        self.excluded = frozenset(excluded or ())
        self.__doc__ = pyfunc.__doc__ if doc is None else doc

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given: dict[int | str, Any] = dict(enumerate(args))
        given.update(kwargs)
        names = [name for name in given if name not in self.excluded]
        if not names:
            return self.pyfunc(*args, **kwargs)
        spread = broadcast_arrays(*(asarray(given[name]) for name in names))
        if not spread[0].size:
            raise ShapeError("vectorize: there is no element to call the function with")
        made = [
            self._called(given, dict(zip(names, each, strict=True))) for each in zip(*map(ravel, spread), strict=True)
        ]
        several = isinstance(made[0], tuple)
        columns = zip(*made, strict=True) if several else (made,)
        results = tuple(
            array([*column], self.dtypes and self.dtypes[i]).reshape(spread[0].shape)
            for i, column in enumerate(columns)
        )
        return results if several else results[0]

    def _called(self, given: dict[int | str, Any], elements: dict[int | str, Any]) -> Any:
        known = given | elements
        places = sorted(name for name in known if isinstance(name, int))
        named = {name: x for name, x in known.items() if isinstance(name, str)}
        return self.pyfunc(*(known[i] for i in places), **named)
