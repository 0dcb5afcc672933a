"""The same elements turned round, shifted, repeated or padded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, SupportsIndex

import numpy as np

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.op import Op, like_first
from gradflow.ops.create import asarray, holds
from gradflow.ops.gather import _take
from gradflow.ops.shape import Axis, broadcast_to, flatten, ravel, reshape
from gradflow.ops.slicing import FULL, Slice, _getitem, _place, integer
from gradflow.samples import Real, sample
from gradflow.shapes import Axes, normalize_axes, normalize_axis
from gradflow.tensor import Tensor, TensorLike, tensor


def flip(x: TensorLike, axis: Axis | None = None) -> Tensor:
    """``x`` with its elements in reverse order along ``axis`` (all axes by default); a view.

    >>> import gradflow as gf
    >>> gf.flip(gf.tensor([[1, 2], [3, 4]]), axis=1)
    tensor([[2, 1],
            [4, 3]])
    """
    given = asarray(x)
    axes = normalize_axes("flip", axis, given.ndim)
    backwards = Slice(None, None, -1)
    return apply(_getitem, given, index=tuple(backwards if i in axes else FULL for i in range(given.ndim)))


def roll(x: TensorLike, shift: SupportsIndex | Sequence[SupportsIndex], axis: Axis | None = None) -> Tensor:
    """``x`` with its elements moved ``shift`` places along ``axis``; those pushed out come in at the other end.

    With several axes, a shift for each or one for all; without ``axis``, over the flattened elements.

    >>> import gradflow as gf
    >>> gf.roll(gf.arange(5), 2)
    tensor([3, 4, 0, 1, 2])
    """
    given = asarray(x)
    shifts = tuple(integer("roll", "a shift", i) for i in (shift if isinstance(shift, Iterable) else (shift,)))
    if axis is None:
        rolled = apply(_roll, ravel(given), shifts=(sum(shifts),), axes=(0,))
        return reshape(rolled, given.shape)
    axes = tuple(normalize_axis("roll", i, given.ndim) for i in (axis if isinstance(axis, Iterable) else (axis,)))
    if len(shifts) != len(axes) and 1 not in (len(shifts), len(axes)):
        raise ShapeError(f"roll: {len(shifts)} shifts do not go with {len(axes)} axes")
    count = max(len(shifts), len(axes))
    return apply(_roll, given, shifts=shifts * (count // len(shifts)), axes=axes * (count // len(axes)))


def _roll_forward(xp: Any, x: Any, *, shifts: tuple[int, ...], axes: Axes, out: Any = None) -> Any:
    rolled = xp.roll(x, shifts, axes)
    if out is None:
        return rolled
    out[...] = rolled
    return out


_roll: Op = Op(
    name="roll",
    forward=_roll_forward,
    spec=like_first,
    vjp=(lambda g, shifts, axes: apply(_roll, g, shifts=tuple(-each for each in shifts), axes=axes),),
    complex=True,
    samples=(
        sample(Real((7,)), shifts=(2,), axes=(0,)),
        sample(Real((3, 4)), shifts=(-1, 6), axes=(0, 1)),
        sample(Real((2, 0)), shifts=(1,), axes=(0,)),
    ),
)


def repeat(
    x: TensorLike, repeats: SupportsIndex | Sequence[SupportsIndex], axis: SupportsIndex | None = None
) -> Tensor:
    """``x`` with each element along ``axis`` repeated in place, all ``repeats`` times or each its own number of times.

    Without ``axis``, the flattened elements. Raises ShapeError unless there are as many counts as elements.

    >>> import gradflow as gf
    >>> gf.repeat(gf.tensor([1, 2]), 2), gf.repeat(gf.tensor([1, 2]), [1, 3])
    (tensor([1, 1, 2, 2]), tensor([1, 2, 2, 2]))
    """
    given = asarray(x)
    if axis is None:
        given, axis = ravel(given), 0
    along = normalize_axis("repeat", axis, given.ndim)
    before, size, after = given.shape[:along], given.shape[along], given.shape[along + 1 :]
    if isinstance(repeats, Iterable):
        counts = [_count("repeat", each) for each in repeats]
        if len(counts) != size:
            raise ShapeError(
                f"repeat: {len(counts)} counts for axis {along} of {given.shape}; give one for each element"
            )
        return _picked(given, np.repeat(np.arange(size), counts), along)
    times = _count("repeat", repeats)
    columns = broadcast_to(reshape(given, (*before, size, 1, *after)), (*before, size, times, *after))
    return flatten(columns, along, along + 1)


def _count(name: str, given: Any) -> int:
    count = integer(name, "a number of repetitions", given)
    if count < 0:
        raise ArgumentError(f"{name}: cannot repeat {count} times")
    return count


def _picked(x: Tensor, positions: Any, axis: int) -> Tensor:
    return apply(_take, x, tensor(positions, np.int64, x.device), axis=axis)


def tile(x: TensorLike, reps: SupportsIndex | Sequence[SupportsIndex]) -> Tensor:
    """``x`` as a whole repeated ``reps`` times along each dimension, dimensions aligned at the right.

    >>> import gradflow as gf
    >>> gf.tile(gf.tensor([1, 2]), (2, 2))
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    given = asarray(x)
    counts = [_count("tile", each) for each in (reps if isinstance(reps, Iterable) else (reps,))]
    rank = max(given.ndim, len(counts))
    counts = [1] * (rank - len(counts)) + counts
    shape = (1,) * (rank - given.ndim) + given.shape
    apart = reshape(given, tuple(n for size in shape for n in (1, size)))
    tiled = broadcast_to(apart, tuple(n for pair in zip(counts, shape, strict=True) for n in pair))
    return reshape(tiled, tuple(count * size for count, size in zip(counts, shape, strict=True)))


Widths = SupportsIndex | Sequence[SupportsIndex] | Sequence[Sequence[SupportsIndex]]
MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


def pad(x: TensorLike, pad_width: Widths, mode: str = "constant", *, constant_values: float = 0) -> Tensor:
    """``x`` with elements added before and after along every dimension.

    ``pad_width`` is a number, ``(before, after)`` for all dimensions, or such a pair for each. What is added is
    ``constant_values``, or by ``mode`` the nearest element (``"edge"``), the elements mirrored about it
    (``"reflect"``) or with it (``"symmetric"``), or those from the other end (``"wrap"``).

    Raises ShapeError for widths that do not fit or an empty dimension with nothing to repeat.

    >>> import gradflow as gf
    >>> gf.pad(gf.tensor([1, 2, 3]), (1, 2)), gf.pad(gf.tensor([1, 2, 3]), (1, 2), mode="reflect")
    (tensor([0, 1, 2, 3, 0, 0]), tensor([2, 1, 2, 3, 2, 1]))
    """
    given = asarray(x)
    widths = _widths(pad_width, given.ndim) if given.ndim else []
    if mode not in MODES:
        raise ArgumentError(f"pad: mode {mode!r} is not one of {', '.join(MODES)}")
    if mode != "constant":
        for axis, width in enumerate(widths):
            if width != (0, 0):
                given = _picked(given, _padded_range(given.shape, axis, width, mode), axis)
        return given
    if not holds(given.dtype, constant_values):
        raise ArgumentError(f"pad: {given.dtype} cannot hold {constant_values}; convert x with .to(dtype)")
    pairs = list(zip(given.shape, widths, strict=True))
    shape = tuple(size + before + after for size, (before, after) in pairs)
    index = tuple(Slice(before, before + size) for size, (before, _) in pairs)
    return apply(_place, given, shape=shape, index=index, value=constant_values)


def _widths(pad_width: Widths, rank: int) -> list[tuple[int, int]]:
    try:
        table = np.broadcast_to(np.asarray(pad_width), (rank, 2))
    except ValueError:
        raise ShapeError(
            f"pad: pad_width {pad_width} is not a number, (before, after), or such a pair for each of {rank} dimensions"
        ) from None
    if table.dtype.kind not in "iu":
        raise DTypeError(f"pad: pad_width has integers, not {pad_width!r}")
    if (table < 0).any():
        raise ArgumentError(f"pad: pad_width {pad_width} is negative; cut with x[...] instead")
    return [(int(before), int(after)) for before, after in table]


def _padded_range(shape: tuple[int, ...], axis: int, width: tuple[int, int], mode: str) -> Any:
    if not shape[axis]:
        raise ShapeError(f"pad: axis {axis} of {shape} is empty, so there is nothing to pad with in mode {mode!r}")
    return np.pad(np.arange(shape[axis]), width, mode=mode)  # type: ignore[call-overload]
