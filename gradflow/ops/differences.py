"""Differences, slopes and areas of sampled functions, and what lies between the samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import SupportsIndex

from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops.along import part
from gradflow.ops.arithmetic import where
from gradflow.ops.create import asarray
from gradflow.ops.floor_division import remainder
from gradflow.ops.join import concat
from gradflow.ops.lookup import take
from gradflow.ops.order import argsort, searchsorted
from gradflow.ops.precision import float_dtype
from gradflow.ops.reduce import sum
from gradflow.ops.shape import broadcast_to, reshape
from gradflow.ops.slicing import integer
from gradflow.shapes import normalize_axes, normalize_axis
from gradflow.tensor import Tensor, TensorLike


def diff(
    x: TensorLike, n: SupportsIndex = 1, axis: SupportsIndex = -1, prepend: TensorLike | None = None,
    append: TensorLike | None = None,
) -> Tensor:  # fmt: skip
    """The differences of neighbours along ``axis``, taken ``n`` times, after ``prepend`` and ``append`` were put to it.

    Of bools, whether they differ. Raises ArgumentError for a negative ``n``, ShapeError for a scalar.

    >>> import gradflow as gf
    >>> gf.diff(gf.tensor([1.0, 4.0, 9.0]))
    tensor([3., 5.])
    """
    given = asarray(x)
    times = integer("diff", "n", n)
    if times < 0:
        raise ArgumentError(f"diff: n is {times}; it counts differences, from 0")
    if not given.ndim:
        raise ShapeError("diff: a scalar has no neighbours; x must have at least one dimension")
    along = normalize_axis("diff", axis, given.ndim)
    parts = [_end(each, given, along) for each in (prepend, append)]
    joined = [each for each in (parts[0], given, parts[1]) if each is not None]
    result = concat(joined, along) if len(joined) > 1 else given
    for _ in range(times):
        after, before = part(result, along, 1, None), part(result, along, None, -1)
        result = after != before if result.dtype.kind == "b" else after - before
    return result


def _end(value: TensorLike | None, x: Tensor, axis: int) -> Tensor | None:
    if value is None:
        return None
    given = asarray(value)
    return broadcast_to(given, (*x.shape[:axis], 1, *x.shape[axis + 1 :])) if not given.ndim else given


def trapezoid(y: TensorLike, x: TensorLike | None = None, dx: TensorLike = 1.0, axis: SupportsIndex = -1) -> Tensor:
    """The area under samples ``y`` along ``axis``, at points ``x`` or ``dx`` apart, by the trapezoidal rule.

    ``x`` is a vector along ``axis`` or has the shape of ``y``. Gradients flow to all three.

    >>> import gradflow as gf
    >>> gf.trapezoid(gf.tensor([1.0, 2.0, 3.0]), dx=2.0)
    tensor(8.)
    """
    heights = asarray(y)
    along = normalize_axis("trapezoid", axis, heights.ndim)
    width = dx if x is None else diff(x, axis=-1 if asarray(x).ndim == 1 else along)
    if isinstance(width, Tensor) and width.ndim == 1:
        width = reshape(width, (-1, *(1,) * (heights.ndim - along - 1)))
    pairs = part(heights, along, 1, None) + part(heights, along, None, -1)
    return sum(pairs * width / 2, axis=along)


def gradient(
    f: TensorLike,
    *spacing: TensorLike,
    axis: SupportsIndex | Sequence[SupportsIndex] | None = None,
    edge_order: int = 1,
) -> Tensor | list[Tensor]:
    """The slope of samples ``f`` along each axis, or those in ``axis``: by central differences, one-sided at the ends.

    ``spacing`` is nothing (1), a number for all axes, or for each axis a number or the vector of coordinates. One axis
    gives a tensor, several a list. ``edge_order`` 2 takes three points at the ends. Second-order accurate inside
    (Fornberg 1988), as NumPy's. Raises ShapeError for too few samples or coordinates.

    >>> import gradflow as gf
    >>> gf.gradient(gf.tensor([1.0, 4.0, 9.0]))
    tensor([3., 4., 5.])
    """
    given = asarray(f)
    given = given.astype(float_dtype(given.dtype))
    axes = normalize_axes("gradient", axis, given.ndim)
    steps = list(spacing) or [1.0]
    if len(steps) == 1 and not asarray(steps[0]).ndim:
        steps = steps * len(axes)
    if len(steps) != len(axes):
        raise ArgumentError(f"gradient: {len(steps)} spacings for {len(axes)} axes; give one for all or one for each")
    if edge_order not in (1, 2):
        raise ArgumentError(f"gradient: edge_order is {edge_order}; it must be 1 or 2")
    slopes = [_slope(given, step, along, edge_order) for step, along in zip(steps, axes, strict=True)]
    return slopes[0] if len(slopes) == 1 else slopes


def _slope(f: Tensor, spacing: TensorLike, axis: int, edge_order: int) -> Tensor:
    count = f.shape[axis]
    if count <= edge_order:
        raise ShapeError(f"gradient: axis {axis} of {f.shape} has {count} samples, and needs {edge_order + 1}")
    step = asarray(spacing).astype(f.dtype)
    even = not step.ndim
    if even:
        step = broadcast_to(step, (count - 1,))
    elif step.shape == (count,):
        step = diff(step)
    else:
        raise ShapeError(f"gradient: coordinates are {step.shape}, and axis {axis} of {f.shape} needs {(count,)}")
    step = reshape(step, (-1, *(1,) * (f.ndim - axis - 1)))
    width = [part(step, 0, i, i + 1 or None) for i in (0, 1 if count > 2 else 0, -1, -2 if count > 2 else -1)]
    rise = diff(f, axis=axis) / step
    first = part(rise, axis, 0, 1)
    last = part(rise, axis, -1, None)
    if edge_order == 2:
        first = first + (first - part(rise, axis, 1, 2)) * (width[0] / (width[0] + width[1]))
        last = last + (last - part(rise, axis, -2, -1)) * (width[2] / (width[2] + width[3]))
    before, after = part(step, 0, None, -1), part(step, 0, 1, None)
    if even:  # what is in the middle has no part in it, not even as NaN
        inside = (part(f, axis, 2, None) - part(f, axis, None, -2)) / (before + after)
    else:
        inside = (part(rise, axis, None, -1) * after + part(rise, axis, 1, None) * before) / (before + after)
    return concat([first, inside, last], axis)


def interp(
    x: TensorLike,
    xp: TensorLike,
    fp: TensorLike,
    left: TensorLike | None = None,
    right: TensorLike | None = None,
    period: float | None = None,
) -> Tensor:
    """The piecewise linear function through the points (``xp``, ``fp``), at ``x``.

    ``xp`` (n,) ascends; outside it the value is ``left`` or ``right``, by default the first and last of ``fp``. With
    ``period``, ``xp`` is sorted and the function goes on periodically. Gradients flow to ``x``, ``xp`` and ``fp``; at
    a point, the slope is that to the right. Raises ShapeError unless ``xp`` and ``fp`` are vectors of one size.

    >>> import gradflow as gf
    >>> gf.interp(gf.tensor([0.5, 9.0]), gf.tensor([0.0, 1.0]), gf.tensor([10.0, 20.0]))
    tensor([15., 20.])
    """
    at, places, values = asarray(x), asarray(xp), asarray(fp)
    if places.ndim != 1 or places.shape != values.shape or not places.size:
        raise ShapeError(
            f"interp: xp is {places.shape}, fp {values.shape}; they must be vectors of one size, not empty"
        )
    dtype = float_dtype(at.dtype, places.dtype, values.dtype)
    at, places, values = (each.astype(dtype) for each in (at, places, values))
    if period is not None:
        at, places, values = _unrolled(at, places, values, period)
    return _between(at, places, values, left if period is None else None, right if period is None else None)


def _unrolled(x: Tensor, xp: Tensor, fp: Tensor, period: float) -> tuple[Tensor, Tensor, Tensor]:
    """Everything within one period, and one more point at either end."""
    if not period:
        raise ArgumentError("interp: period is 0")
    size = abs(float(period))
    x, xp = remainder(x, size), remainder(xp, size)
    order = argsort(xp.detach())
    xp, fp = take(xp, order), take(fp, order)
    return x, concat([xp[-1:] - size, xp, xp[:1] + size]), concat([fp[-1:], fp, fp[:1]])


def _between(x: Tensor, xp: Tensor, fp: Tensor, left: TensorLike | None, right: TensorLike | None) -> Tensor:
    low, high = xp[0], xp[-1]
    below, above = x < low, x > high
    result = broadcast_to(fp[0], x.shape)
    if xp.size > 1:
        after = searchsorted(xp.detach(), x.detach(), side="right")
        upper = after.clip(1, xp.size - 1)
        lower = upper - 1
        x0, x1, y0, y1 = take(xp, lower), take(xp, upper), take(fp, lower), take(fp, upper)
        inside = where(below | above, x0, x)
        result = y0 + (y1 - y0) / (x1 - x0) * (inside - x0)
    result = where(below, fp[0] if left is None else left, result)
    return where(above, fp[-1] if right is None else right, result)
