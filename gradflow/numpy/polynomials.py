"""Polynomials as vectors of coefficients, the highest power first."""

from __future__ import annotations

import warnings
from typing import Any, SupportsIndex

import numpy as np

from gradflow import linalg
from gradflow.errors import ArgumentError, ShapeError
from gradflow.mode import mode
from gradflow.numpy.creation import asarray, full, zeros
from gradflow.numpy.editing import trim_zeros
from gradflow.numpy.linalg import all_real
from gradflow.ops.contract import outer
from gradflow.ops.convolve import convolve
from gradflow.ops.diagonal import diag
from gradflow.ops.elementwise import sqrt
from gradflow.ops.grid import vander
from gradflow.ops.join import concat, stack
from gradflow.ops.linalg import matmul
from gradflow.ops.shape import ravel
from gradflow.tensor import Tensor, TensorLike

__all__ = [
    "poly", "polyadd", "polyder", "polydiv", "polyfit", "polyint", "polymul", "polysub", "polyval", "roots",
]  # fmt: skip


def polyval(p: TensorLike, x: TensorLike) -> Tensor:
    """The polynomial ``p`` at ``x``, by Horner's rule."""
    at = asarray(x)
    result = at * 0
    for coefficient in asarray(p):
        result = result * at + coefficient
    return result


def polyadd(a1: TensorLike, a2: TensorLike) -> Tensor:
    """The sum of two polynomials."""
    first, second = _of_one_size("polyadd", a1, a2)
    return first + second


def polysub(a1: TensorLike, a2: TensorLike) -> Tensor:
    """The difference of two polynomials."""
    first, second = _of_one_size("polysub", a1, a2)
    return first - second


def _coefficients(name: str, p: TensorLike) -> Tensor:
    """``p`` as a vector, which a number may stand for."""
    x = asarray(p)
    if x.ndim > 1:
        raise ShapeError(f"{name}: takes vectors of coefficients, not shape {x.shape}")
    return ravel(x)


def _of_one_size(name: str, a1: TensorLike, a2: TensorLike) -> list[Tensor]:
    given = [_coefficients(name, a1), _coefficients(name, a2)]
    size = max(x.size for x in given)
    return [concat([zeros(size - x.size, x.dtype, device=x.device), x], 0) if x.size < size else x for x in given]


def polymul(a1: TensorLike, a2: TensorLike) -> Tensor:
    """The product of two polynomials; leading zeros are left out."""
    return convolve(_trimmed(_coefficients("polymul", a1)), _trimmed(_coefficients("polymul", a2)))


def _trimmed(x: Tensor) -> Tensor:
    """The coefficients from the first that is not 0 on, and at least one."""
    trimmed = trim_zeros(x, "f")
    return trimmed if trimmed.size else zeros(1, x.dtype, device=x.device)


def polydiv(u: TensorLike, v: TensorLike) -> tuple[Tensor, Tensor]:
    """The quotient and the remainder, whose leading zeros are left out."""
    divided, by = _coefficients("polydiv", u) + 0.0, _coefficients("polydiv", v) + 0.0
    if not by.size or not divided.size:
        raise ShapeError(f"polydiv: one of {divided.shape} and {by.shape} is empty; a polynomial has a coefficient")
    kind = np.result_type(divided.dtype, by.dtype)
    rest, quotient = divided.astype(kind), []
    for _ in range(divided.size - by.size + 1):
        share = rest[0] / by[0]
        quotient.append(share)
        rest = concat([rest[1 : by.size] - share * by[1:], rest[by.size :]], 0)
    nothing = zeros(1, kind, device=rest.device)
    rest = rest if rest.size else nothing
    large = trim_zeros(abs(rest.detach()) > 1e-8, "f").size  # as np.allclose sees it
    return stack(quotient) if quotient else nothing, rest[rest.size - max(large, 1) :]


def polyder(p: TensorLike, m: SupportsIndex = 1) -> Tensor:
    """The ``m``-th derivative."""
    result = _coefficients("polyder", p)
    for _ in range(_times("polyder", m)):
        result = result[:-1] * _powers(result.size - 1, result)
    return result


def polyint(p: TensorLike, m: SupportsIndex = 1, k: TensorLike | None = None) -> Tensor:
    """The ``m``-th integral; ``k`` is the constant of integration, or one for each integral, the first first."""
    times, result = _times("polyint", m), _coefficients("polyint", p)
    constants = zeros(times, device=result.device) if k is None else ravel(asarray(k))
    if constants.size == 1:
        constants = full(times, constants[0])
    if constants.size < times:
        raise ArgumentError(f"polyint: {constants.size} constants for {times} integrals; give one, or one for each")
    for i in range(times):
        result = concat([result / _powers(result.size, result), constants[i : i + 1]], 0)
    return result


def _powers(highest: int, model: Tensor) -> Tensor:
    return asarray(np.arange(max(highest, 0), 0, -1), device=model.device)


def _times(name: str, m: SupportsIndex) -> int:
    if m.__index__() < 0:
        raise ArgumentError(f"{name}: m is {m}; it counts, from 0")
    return m.__index__()


def poly(seq_of_zeros: TensorLike) -> Tensor:
    """The polynomial with these zeros, or the characteristic polynomial of a matrix; real if they are in pairs."""
    x = asarray(seq_of_zeros)
    if x.ndim > 2 or (x.ndim == 2 and x.shape[0] != x.shape[1]):
        raise ShapeError(f"poly: takes a vector of zeros or a square matrix, not shape {x.shape}")
    zeros_of = linalg.eigvals(x) if x.ndim == 2 else ravel(x).astype(np.mintypecode(x.dtype.char))
    result = full(1, 1, zeros_of.dtype, device=x.device)
    for zero in zeros_of:
        nothing = zeros(1, result.dtype, device=x.device)
        result = concat([result, nothing], 0) - concat([nothing, result * zero], 0)
    if result.dtype.kind == "c":
        values = np.sort(zeros_of.detach()._read("poly"))
        result = result.real if np.all(values == np.sort(values.conj())) else result
    return result


def roots(p: TensorLike) -> Tensor:
    """The zeros of a polynomial, complex if one is: eigenvalues of the companion matrix."""
    given = asarray(p)
    if given.ndim != 1:
        raise ShapeError(f"roots: takes a vector of coefficients, not shape {given.shape}")
    inner = trim_zeros(given)
    at_zero = given.size - trim_zeros(given, "b").size if inner.size else 0
    if inner.size < 2:
        return zeros(at_zero, device=given.device)
    first = -inner[1:] / inner[0]
    below = diag(full(inner.size - 2, 1, first.dtype, device=given.device), -1)
    companion = below.at[0].set(first)
    found = linalg.eigvals(companion)
    found = found.real if all_real(companion, found) else found
    return concat([found, zeros(at_zero, found.dtype, device=given.device)], 0)


def polyfit(
    x: TensorLike,
    y: TensorLike,
    deg: SupportsIndex,
    rcond: float | None = None,
    full: bool = False,
    w: TensorLike | None = None,
    cov: bool | str = False,
) -> Any:
    """The polynomial of degree ``deg`` nearest to points (``x``, ``y``) in least squares, weighed by ``w``.

    With ``full`` also residuals, rank, singular values and ``rcond``; with ``cov`` the covariance of the coefficients,
    scaled by the residuals unless "unscaled". Gradients flow to ``x``, ``y`` and ``w``.
    """
    at, heights, count = asarray(x) + 0.0, asarray(y) + 0.0, deg.__index__() + 1
    if at.ndim != 1 or not at.size or heights.ndim not in (1, 2) or heights.shape[:1] != at.shape:
        raise ShapeError(f"polyfit: x is {at.shape} and y {heights.shape}; there must be a y, or a row, for each x")
    if count < 1:
        raise ArgumentError(f"polyfit: deg is {deg}; it must not be negative")
    threshold = at.size * float(np.finfo(at.dtype).eps) if rcond is None else rcond
    rows = vander(at, count)
    if w is not None:
        weights = asarray(w) + 0.0
        rows = rows * weights[:, None]
        heights = heights * (weights[:, None] if heights.ndim == 2 else weights)
    scale = sqrt((rows * rows).sum(0))
    rows = rows / scale
    found, missed, rank, singular = linalg.lstsq(rows, heights, threshold)
    best = (found.T / scale).T
    if full:
        return best, missed, rank, singular, threshold
    if mode.reading is None and mode.level is None and int(rank.item()) != count:
        warnings.warn("polyfit: the points do not determine the polynomial", np.exceptions.RankWarning, stacklevel=3)
    if not cov:
        return best
    spread = (linalg.inv(matmul(rows.T, rows)) / outer(scale, scale))[..., None]
    if cov != "unscaled":
        if at.size <= count:
            raise ArgumentError(f"polyfit: cov needs more than {count} points, got {at.size}; or cov='unscaled'")
        spread = spread * missed / (at.size - count)
    return best, spread if heights.ndim == 2 else spread[..., 0]
