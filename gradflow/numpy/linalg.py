"""``numpy.linalg`` for tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gradflow import linalg as ours
from gradflow.errors import ArgumentError, ShapeError
from gradflow.linalg import LinAlgError  # noqa: F401 - NumPy has it here
from gradflow.numpy.translation import translated
from gradflow.ops.conjugate import conj
from gradflow.ops.create import asarray
from gradflow.ops.diagonal import tril, triu
from gradflow.ops.shape import moveaxis
from gradflow.tensor import Tensor, TensorLike

__all__ = [*sorted({*(each for each in np.linalg.__all__ if each in ours.__all__), "tensorinv", "tensorsolve"})]  # noqa: PLE0604
OFTEN_REAL = np.lib.NumpyVersion(np.__version__) < "2.5.0"


def svd(a: TensorLike, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """U, S and Vh with ``a == U @ diag(S) @ Vh``, or S alone."""
    return ours.svd(a, full_matrices) if compute_uv else ours.svdvals(a)


def eigh(a: TensorLike, UPLO: str = "L") -> Any:
    """Eigenvalues and eigenvectors of a symmetric matrix, given by its lower (L) or upper (U) triangle."""
    return ours.eigh(_symmetric("eigh", a, UPLO))


def eigvalsh(a: TensorLike, UPLO: str = "L") -> Tensor:
    """The eigenvalues of a symmetric matrix, given by its lower (L) or upper (U) triangle."""
    return ours.eigvalsh(_symmetric("eigvalsh", a, UPLO))


def eig(a: TensorLike) -> ours.EigResult:
    """Eigenvalues and eigenvectors; before NumPy 2.5 real ones if ``a`` and all eigenvalues (they are read) are."""
    given = asarray(a)
    values, vectors = ours.eig(given)
    real = OFTEN_REAL and all_real(given, values)
    return ours.EigResult(values.real, vectors.real) if real else ours.EigResult(values, vectors)


def eigvals(a: TensorLike) -> Tensor:
    """The eigenvalues; before NumPy 2.5 real ones if ``a`` and all of them, which are read, are real."""
    given = asarray(a)
    values = ours.eigvals(given)
    return values.real if OFTEN_REAL and all_real(given, values) else values


def all_real(x: Tensor, values: Tensor) -> bool:
    """Whether ``x`` is real, and all its eigenvalues are."""
    return x.dtype.kind != "c" and not values.detach()._read("eigvals").imag.any()


def _symmetric(name: str, a: TensorLike, triangle: str) -> Tensor:
    """The symmetric matrix that has this triangle, to which alone gradients flow."""
    if triangle not in ("L", "U", "l", "u"):
        raise ArgumentError(f"{name}: UPLO is {triangle!r}; use 'L' or 'U'")
    given = asarray(a)
    if given.ndim < 2 or given.shape[-1] != given.shape[-2]:
        return given  # the op itself says what is wrong
    lower = triangle in "Ll"
    half = tril(given) if lower else triu(given)
    rest = tril(given, -1) if lower else triu(given, 1)
    return half + conj(rest).mT


def lstsq(a: TensorLike, b: TensorLike, rcond: float | None = None) -> Any:
    """The solution of least squares, residuals, rank and singular values."""
    return ours.lstsq(a, b, rcond)


def tensorsolve(a: TensorLike, b: TensorLike, axes: Sequence[int] | None = None) -> Tensor:
    """The ``x`` with ``tensordot(a, x, x.ndim) == b``; ``axes`` of ``a`` are moved to its end before.

    Raises ShapeError unless the dimensions of ``a`` that are not those of ``b`` have as many elements as ``b``.
    """
    given, right = asarray(a), asarray(b)
    if axes is not None:
        given = moveaxis(given, axes, range(given.ndim - len(axes), given.ndim))
    left, rest = given.shape[: right.ndim], given.shape[right.ndim :]
    if math.prod(left) != right.size or math.prod(rest) != right.size:
        raise ShapeError(f"tensorsolve: a is {given.shape} and b {right.shape}; {rest} must have as many elements as b")
    return ours.solve(given.reshape((right.size, right.size)), right.reshape(-1)).reshape(rest)


def tensorinv(a: TensorLike, ind: int = 2) -> Tensor:
    """The inverse of ``a`` as a map from its last dimensions to its first ``ind``.

    Raises ShapeError unless both have as many elements, ArgumentError for ``ind`` below 1.
    """
    given = asarray(a)
    if ind < 1:
        raise ArgumentError(f"tensorinv: ind is {ind}; it counts the dimensions of the result, from 1")
    left, right = given.shape[:ind], given.shape[ind:]
    if math.prod(left) != math.prod(right):
        raise ShapeError(f"tensorinv: {left} and {right} have different numbers of elements")
    return ours.inv(given.reshape((math.prod(left), -1))).reshape((*right, *left))


def __getattr__(name: str) -> Any:
    if name.startswith("_") or name not in ours.__all__ or not hasattr(np.linalg, name):
        raise AttributeError(f"module 'gradflow.numpy.linalg' has no attribute {name!r}")
    found = globals()[name] = translated(f"linalg.{name}", getattr(np.linalg, name), getattr(ours, name))
    return found
