"""Decompositions of matrices, ``cupy.linalg``: calls of cuSOLVER, which say nothing of singular matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _run(xp: Any, name: str, function: Callable[..., Any], operands: tuple[Any, ...]) -> Any:
    """One result of ``function`` of floats; refused in a capture, NaN where NumPy finds a matrix singular."""
    for each in operands:
        if not isinstance(each, xp.ndarray):
            raise TypeError(f"Unsupported type {type(each)}")
        if each.dtype.char not in "fdFD":
            raise TypeError(f"Unsupported dtype {each.dtype}")  # cuSOLVER has single and double precision
    if xp.machine.capture(xp.machine.begin()) is not None:
        raise NotImplementedError("calling cuSOLVER API during stream capture is currently unsupported")
    return xp.machine.compute(name, function, operands)


def _silent(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, which fills its result with NaN instead of raising LinAlgError."""

    def silent(*operands: Any) -> Any:
        try:
            return function(*operands)
        except np.linalg.LinAlgError:
            return np.full(operands[-1].shape, np.nan, operands[-1].dtype)

    return silent


def solve(xp: Any, a: Any, b: Any) -> Any:
    if a.shape[:-2] != b.shape[:-2] and b.ndim != 1:
        raise ValueError("a must have (..., M, M) shape and b must have (..., M) or (..., M, K)")
    return _run(xp, "solve", _silent(np.linalg.solve), (a, b))


def inv(xp: Any, a: Any) -> Any:
    return _run(xp, "inv", _silent(np.linalg.inv), (a,))


def cholesky(xp: Any, a: Any) -> Any:
    return _run(xp, "cholesky", _silent(np.linalg.cholesky), (a,))


def det(xp: Any, a: Any) -> Any:
    return _run(xp, "det", np.linalg.det, (a,))


def slogdet(xp: Any, a: Any) -> tuple[Any, Any]:
    sign, size = (_run(xp, "slogdet", lambda x, i=i: np.linalg.slogdet(x)[i], (a,)) for i in range(2))
    return sign, size


def eig(xp: Any, a: Any) -> tuple[Any, Any]:
    kind = np.result_type(a.dtype, np.complex64)  # NumPy's are real if all eigenvalues are; to know, CuPy would wait
    values, vectors = (_run(xp, "eig", lambda x, i=i: np.linalg.eig(x)[i].astype(kind), (a,)) for i in range(2))
    return values, vectors


def eigh(xp: Any, a: Any, UPLO: Any = "L") -> tuple[Any, Any]:
    values, vectors = (_run(xp, "eigh", lambda x, i=i: np.linalg.eigh(x, UPLO)[i], (a,)) for i in range(2))
    return values, vectors


def eigvalsh(xp: Any, a: Any, UPLO: Any = "L") -> Any:
    return _run(xp, "eigvalsh", lambda x: np.linalg.eigvalsh(x, UPLO), (a,))


def qr(xp: Any, a: Any, mode: Any = "reduced") -> tuple[Any, Any]:
    if mode not in ("reduced", "complete"):
        raise NotImplementedError(f"the simulated qr has no mode {mode!r}")
    q, r = (_run(xp, "qr", lambda x, i=i: np.linalg.qr(x, mode)[i], (a,)) for i in range(2))
    return q, r


def svd(xp: Any, a: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    if not compute_uv:
        return _run(xp, "svd", lambda x: np.linalg.svd(x, compute_uv=False), (a,))
    return tuple(_run(xp, "svd", lambda x, i=i: np.linalg.svd(x, full_matrices)[i], (a,)) for i in range(3))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "solve": solve, "inv": inv, "cholesky": cholesky, "det": det, "slogdet": slogdet, "eig": eig,
    "eigh": eigh, "eigvalsh": eigvalsh, "qr": qr, "svd": svd,
}  # fmt: skip
