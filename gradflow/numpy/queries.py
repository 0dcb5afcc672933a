"""What NumPy code asks of arrays beside their elements, and the few functions that return several tensors or none."""

from __future__ import annotations

import math
from typing import Any, SupportsIndex

import numpy as np

from gradflow.dtypes import DTypeLike
from gradflow.errors import NumPyCallError, ShapeError
from gradflow.ops import arithmetic
from gradflow.ops.closeness import array_equal
from gradflow.ops.conjugate import conj
from gradflow.ops.contract import dot, tensordot
from gradflow.ops.distinct import nonzero
from gradflow.ops.floor_division import floor_divide, remainder
from gradflow.ops.rearrange import tile
from gradflow.ops.rounding import trunc
from gradflow.ops.shape import broadcast_to, ravel
from gradflow.tensor import Tensor, TensorLike

__all__ = [
    "array_equiv", "can_cast", "divmod", "inner", "iscomplexobj", "isrealobj", "may_share_memory", "modf",
    "ndim", "resize", "result_type", "shape", "shares_memory", "size", "vdot", "where",
]  # fmt: skip


def shape(a: TensorLike) -> tuple[int, ...]:
    """The size of each dimension."""
    return a.shape if isinstance(a, Tensor) else np.shape(a)


def ndim(a: TensorLike) -> int:
    """The number of dimensions."""
    return len(shape(a))


def size(a: TensorLike, axis: SupportsIndex | None = None) -> int:
    """The number of elements, or of those along ``axis``."""
    sizes = shape(a)
    return int(np.prod(sizes, dtype=int)) if axis is None else sizes[axis.__index__()]


def result_type(*arrays_and_dtypes: Any) -> Any:
    """The dtype that NumPy promotes these to; Python numbers are weak."""
    return np.result_type(*(x.dtype if isinstance(x, Tensor) else x for x in arrays_and_dtypes))


def can_cast(from_: Any, to: DTypeLike, casting: str = "safe") -> bool:
    """Whether a cast is of this kind."""
    return np.can_cast(from_.dtype if isinstance(from_, Tensor) else from_, to, casting)  # type: ignore[arg-type]


def iscomplexobj(x: Any) -> bool:
    """Whether the dtype is complex."""
    return x.dtype.kind == "c" if isinstance(x, Tensor) else bool(np.iscomplexobj(x))


def isrealobj(x: Any) -> bool:
    """Whether the dtype is not complex."""
    return not iscomplexobj(x)


def shares_memory(a: Any, b: Any, max_work: int | None = None) -> bool:
    """Whether two arrays have an element in common."""
    return bool(np.shares_memory(_data(a), _data(b), max_work=max_work))  # type: ignore[arg-type]


def may_share_memory(a: Any, b: Any, max_work: int | None = None) -> bool:
    """Whether the memory of two arrays overlaps."""
    return bool(np.may_share_memory(_data(a), _data(b), max_work=max_work))  # type: ignore[arg-type]


def _data(x: Any) -> Any:
    return x.data if isinstance(x, Tensor) else x


def where(condition: TensorLike, x: TensorLike | None = None, y: TensorLike | None = None, /) -> Any:
    """``x`` where ``condition`` is true and ``y`` elsewhere; of a condition alone, where it is true."""
    if x is None and y is None:
        return nonzero(condition)
    if x is None or y is None:
        raise NumPyCallError("numpy.where: takes a condition alone, or with both of x and y")
    if not hasattr(x, "dtype") and not hasattr(y, "dtype"):
        x = np.asarray(x)  # Python's floats alone are float64
    return arithmetic.where(condition, x, y)


def divmod(x1: TensorLike, x2: TensorLike, /) -> tuple[Tensor, Tensor]:
    """The quotient rounded down, and what remains."""
    return floor_divide(x1, x2), remainder(x1, x2)


def modf(x: TensorLike, /) -> tuple[Tensor, Tensor]:
    """The fractional and the whole part, with the sign of ``x``."""
    whole = trunc(x)
    return arithmetic.where(whole == x, 0.0, x - whole), whole


def inner(a: TensorLike, b: TensorLike, /) -> Tensor:
    """The sum of products over the last axes of both."""
    if not ndim(a) or not ndim(b):
        return arithmetic.multiply(a, b)
    return tensordot(a, b, axes=([ndim(a) - 1], [ndim(b) - 1]))


def vdot(a: TensorLike, b: TensorLike, /) -> Tensor:
    """The sum of products of all elements, those of ``a`` conjugated."""
    return dot(conj(ravel(a)), ravel(b))


def array_equiv(a1: TensorLike, a2: TensorLike) -> Any:
    """Whether two arrays are equal once one is broadcast to the other's shape."""
    try:
        sizes = np.broadcast_shapes(shape(a1), shape(a2))
    except ValueError:
        return False
    return array_equal(broadcast_to(a1, sizes), broadcast_to(a2, sizes))


def resize(a: TensorLike, new_shape: Any) -> Tensor:
    """The elements over and over again, in order, until ``new_shape`` is full; ShapeError if there are none."""
    sizes = (new_shape,) if isinstance(new_shape, SupportsIndex) else tuple(new_shape)
    if any(size < 0 for size in sizes):
        raise ShapeError(f"resize: sizes count from 0, and the new shape is {sizes}")
    flat, count = ravel(a), math.prod(sizes)
    if count and not flat.size:
        raise ShapeError(f"resize: there are no elements, of which {sizes} could be filled")
    return tile(flat, -(-count // max(1, flat.size)))[:count].reshape(sizes)
