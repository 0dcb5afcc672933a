"""Where CuPy's kernels compute something else than NumPy: its formulas, for NumPy arrays and numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.testing.simulated.conversion import flushed


def _is_whole(*operands: Any) -> bool:
    """Whether numbers of these kinds are computed with as integers."""
    return np.result_type(*operands).kind in "iub"


def _floor_divide(a: Any, b: Any, **options: Any) -> Any:
    """The quotient, rounded, and rounded down: 1 // 0.1 is 10 and not 9. Of integers, 0 if ``b`` is."""
    if _is_whole(a, b):
        return np.floor_divide(a, b, **options)
    return np.floor(flushed(np.true_divide(a, b, **options)))


def _remainder(a: Any, b: Any, **options: Any) -> Any:
    """What that quotient leaves; NaN if ``b`` is infinite. Of integers, 0 if ``b`` is."""
    if _is_whole(a, b):
        return np.remainder(a, b, **options)
    return np.subtract(a, flushed(np.multiply(_floor_divide(a, b, **options), b)), **options)


def _power(a: Any, b: Any, **options: Any) -> Any:
    """Powers; of integers with negative exponents too, rounded towards zero."""
    if not _is_whole(a, b) or np.all(np.greater_equal(b, 0)):
        return np.power(a, b, **options)
    parity = np.where(np.bitwise_and(b, 1) == 1, -1, 1)
    below = np.where(np.equal(a, 1), 1, np.where(np.equal(a, -1), parity, 0))
    return np.where(np.less(b, 0), below, np.power(a, np.maximum(b, 0))).astype(np.result_type(a, b))


def _reciprocal(a: Any, **options: Any) -> Any:
    """One over ``a``; of the integer 0, 0."""
    made = np.reciprocal(a, **options)
    return np.where(np.equal(a, 0), 0, made).astype(made.dtype) if _is_whole(a) else made


def _fmod(a: Any, b: Any, **options: Any) -> Any:
    """The remainder with the sign of ``a``; of integers by way of float64, and 0 if ``b`` is."""
    if not _is_whole(a, b):
        return np.fmod(a, b, **options)
    rest = np.fmod(np.asarray(a, np.float64), np.asarray(b, np.float64))
    return np.where(np.equal(b, 0), 0, rest).astype(np.fmod(a, b).dtype)


def _heaviside(a: Any, b: Any, **options: Any) -> Any:
    """0, ``b`` or 1 by the sign of ``a``; ``b`` is copied as it is."""
    return np.heaviside(flushed(a), b, **options)


def _extremum(plain: np.ufunc, sign: int) -> Callable[..., Any]:
    """``plain``, the larger (``sign`` 1) or the smaller (-1) of two, for which 0 is larger than -0."""

    def extremum(a: Any, b: Any, **options: Any) -> Any:
        result = plain(a, b, **options)
        if result.dtype.kind != "f":
            return result
        zeros = np.equal(result, 0) & np.equal(a, b)
        below = (np.logical_and if sign > 0 else np.logical_or)(np.signbit(a), np.signbit(b))
        return np.where(zeros, np.copysign(result, np.where(below, -1, 1).astype(result.dtype)), result)

    return extremum


def _of_real(plain: np.ufunc) -> Callable[..., Any]:
    """``plain``, which refuses complex numbers."""

    def real(*operands: Any, **options: Any) -> Any:
        if np.result_type(*operands).kind == "c":
            raise TypeError(f"{plain.__name__}: complex numbers are neither true nor false in CuPy")
        return plain(*operands, **options)

    return real


FORMULAS: dict[str, Callable[..., Any]] = {
    "floor_divide": _floor_divide,
    "remainder": _remainder,
    "power": _power,
    "reciprocal": _reciprocal,
    "fmod": _fmod,
    "heaviside": _heaviside,
    "maximum": _extremum(np.maximum, 1),
    "minimum": _extremum(np.minimum, -1),
    "fmax": _extremum(np.fmax, 1),
    "fmin": _extremum(np.fmin, -1),
    "logical_and": _of_real(np.logical_and),
    "logical_or": _of_real(np.logical_or),
    "logical_xor": _of_real(np.logical_xor),
    "logical_not": _of_real(np.logical_not),
}
