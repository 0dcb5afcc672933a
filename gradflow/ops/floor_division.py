"""Division rounded down, and what remains, as Python defines them for every pair of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.op import Op, elementwise
from gradflow.ops.precision import Array, precision, stored
from gradflow.samples import Given, Real, sample
from gradflow.tensor import Tensor, TensorLike


def floor_divide(a: TensorLike, b: TensorLike) -> Tensor:
    """``a // b``, the quotient rounded down; its gradient is zero wherever it exists, and none flows.

    >>> import gradflow as gf
    >>> gf.floor_divide(gf.tensor([7, -7]), 2)
    tensor([ 3, -4])
    """
    return apply(_floor_divide, a, b)


def remainder(a: TensorLike, b: TensorLike) -> Tensor:
    """``a % b``, with the sign of ``b``, as in Python; the gradient is 1 in ``a`` and ``-(a // b)`` in ``b``.

    >>> import gradflow as gf
    >>> gf.remainder(gf.tensor([7.5, -7.5]), 2)
    tensor([1.5, 0.5])
    """
    return apply(_remainder, a, b)


def _rounds_the_quotient(xp: Any, *operands: Any) -> bool:
    """Whether ``xp`` is CuPy and divides floats: it rounds a / b before it rounds down, so that 1 // 0.1 is 10."""
    return xp is not np and any(getattr(x, "dtype", np.dtype(type(x))).kind == "f" for x in operands)


def _exact(xp: Any, a: Any, b: Any) -> tuple[Array, Array, Array, Array]:
    """``a`` and ``b`` as arrays wide enough, what the quotient rounded to 0 leaves, and whether its sign is wrong."""
    _, working = precision(a, b)
    a, b = xp.asarray(a, working), xp.asarray(b, working)
    rest = xp.fmod(a, b)
    return a, b, rest, (rest != 0) & ((rest < 0) != (b < 0))


def _floor_divide_forward(xp: Any, a: Any, b: Any, *, out: Any = None) -> Any:
    if not _rounds_the_quotient(xp, a, b):
        return xp.floor_divide(a, b, out=out)
    dtype, _ = precision(a, b)
    a, b, rest, wrong = _exact(xp, a, b)
    quotient = a / b
    whole = (a - rest) / b - wrong  # a whole number, but for rounding
    down = xp.floor(whole)
    down += whole - down > 0.5
    down = xp.where(whole != 0, down, xp.copysign(xp.zeros_like(whole), quotient))
    return stored(xp.where(b == 0, quotient, down), dtype, out)


def _remainder_forward(xp: Any, a: Any, b: Any, *, out: Any = None) -> Any:
    if not _rounds_the_quotient(xp, a, b):
        return xp.remainder(a, b, out=out)
    dtype, _ = precision(a, b)
    a, b, rest, wrong = _exact(xp, a, b)
    rest = xp.where(wrong, rest + b, rest)
    return stored(xp.where(rest == 0, xp.copysign(rest, b), rest), dtype, out)


_APART = sample(Real((3, 4), 2.1, 2.9), Real((4,), 0.95, 1.02))

_floor_divide = Op(
    name="floor_divide",
    forward=_floor_divide_forward,
    spec=elementwise("floor_divide", np.floor_divide),
    samples=(
        _APART,
        sample(Given([1.0, -1.0, 7.5, -7.5, 6.0, -6.0]), Given([0.1, 0.1, -2.0, 2.0, 3.0, 3.0])),
        sample(-7.6, Real((3,), 1.1, 1.2)),
        sample(Real((0, 2)), 1.5),
    ),
)

_remainder = Op(
    name="remainder",
    forward=_remainder_forward,
    spec=elementwise("remainder", np.remainder),
    vjp=(lambda g: g, lambda g, a, b: -g * (a // b)),
    partials=("1", "-(a // b)"),
    samples=(_APART, sample(Real((0, 2)), 1.5)),
)
