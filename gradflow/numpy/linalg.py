"""``numpy.linalg`` for tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow import linalg as ours
from gradflow.errors import ArgumentError
from gradflow.linalg import LinAlgError  # noqa: F401 - NumPy has it here
from gradflow.numpy.translation import translated
from gradflow.ops.conjugate import conj
from gradflow.ops.create import asarray
from gradflow.ops.diagonal import tril, triu
from gradflow.tensor import Tensor, TensorLike

__all__ = [*sorted(each for each in np.linalg.__all__ if each in ours.__all__)]  # noqa: PLE0604


def svd(a: TensorLike, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    """U, S and Vh with ``a == U @ diag(S) @ Vh``, or S alone."""
    return ours.svd(a, full_matrices) if compute_uv else ours.svdvals(a)


def eigh(a: TensorLike, UPLO: str = "L") -> Any:
    """Eigenvalues and eigenvectors of a symmetric matrix, given by its lower (L) or upper (U) triangle."""
    return ours.eigh(_symmetric("eigh", a, UPLO))


def eigvalsh(a: TensorLike, UPLO: str = "L") -> Tensor:
    """The eigenvalues of a symmetric matrix, given by its lower (L) or upper (U) triangle."""
    return ours.eigvalsh(_symmetric("eigvalsh", a, UPLO))


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


def __getattr__(name: str) -> Any:
    if name.startswith("_") or name not in ours.__all__ or not hasattr(np.linalg, name):
        raise AttributeError(f"module 'gradflow.numpy.linalg' has no attribute {name!r}")
    found = globals()[name] = translated(f"linalg.{name}", getattr(np.linalg, name), getattr(ours, name))
    return found
