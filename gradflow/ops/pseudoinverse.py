"""Inverses of matrices that have none, and what is nearest to a solution."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradflow.dispatch import apply
from gradflow.dtypes import int64
from gradflow.errors import ShapeError
from gradflow.op import Op, Spec
from gradflow.ops.conjugate import conjugated, real
from gradflow.ops.create import asarray
from gradflow.ops.extremum import max
from gradflow.ops.matrix import EMPTY, GENERAL, GENERALS, TALL, WIDE, adjoint, by_lapack, check_matrix, multiplied
from gradflow.ops.numbers import number
from gradflow.ops.orthogonal import NOT_FOUND, svdvals
from gradflow.ops.precision import float_dtype
from gradflow.ops.reduce import sum
from gradflow.ops.shape import expand_dims, squeeze
from gradflow.samples import Given, sample
from gradflow.tensor import Tensor, TensorLike


class LstsqResult(NamedTuple):
    """The solution, the sums of squares of what it misses, the rank, and the singular values."""

    x: Tensor
    residuals: Tensor
    rank: Tensor
    s: Tensor


def pinv(x: TensorLike, rtol: float | None = None) -> Tensor:
    """The Moore-Penrose inverse (..., n, m) of any matrices ``x`` (..., m, n), by singular values.

    Those below ``rtol`` times the largest, by default the larger of m and n times the dtype's epsilon, count as 0.
    The gradient, of any order (Golub & Pereyra, SIAM J. Numer. Anal. 10, 1973), is right where the rank is constant
    nearby. Raises LinAlgError if the iteration does not converge.

    >>> import gradflow as gf
    >>> gf.linalg.pinv(gf.tensor([[2.0, 0.0], [0.0, 0.0]]))
    tensor([[0.5, 0. ],
            [0. , 0. ]])
    """
    return apply(_pinv, x, rtol=None if rtol is None else number("pinv", "rtol", rtol))


def _cutoff(shape: Any, dtype: Any, rtol: float | None) -> float:
    return float(np.finfo(dtype).eps) * np.max(shape[-2:]) if rtol is None else rtol


@by_lapack("pinv", NOT_FOUND)
def _pinv_forward(xp: Any, x: Any, *, rtol: float | None) -> Any:
    u, s, vt = xp.linalg.svd(x, full_matrices=False)
    kept = s > _cutoff(x.shape, x.dtype, rtol) * s[..., :1]
    inverse = kept / xp.where(kept, s, s.dtype.type(1))
    return xp.matmul(vt.conj().swapaxes(-1, -2) * inverse[..., None, :], u.conj().swapaxes(-1, -2))


def _pinv_spec(x: Spec, rtol: float | None) -> Spec:
    check_matrix("pinv", x)
    *batch, rows, columns = x.shape
    return Spec((*batch, columns, rows), float_dtype(x.dtype))


def _pinv_vjp(g: Tensor, x: Tensor, out: Tensor) -> Tensor:
    turned, g_turned = adjoint(out), adjoint(g)
    inner = -multiplied(multiplied(turned, g), turned)
    above = multiplied(g_turned, multiplied(out, turned))
    below = multiplied(multiplied(turned, out), g_turned)
    return inner + above - multiplied(x, multiplied(out, above)) + below - multiplied(multiplied(below, out), x)


_pinv = Op(
    name="pinv",
    forward=_pinv_forward,
    spec=_pinv_spec,
    vjp=(_pinv_vjp,),
    complex=True,
    samples=(
        sample(GENERAL, rtol=None),
        sample(GENERALS, rtol=1e-3),
        sample(TALL, rtol=None),
        sample(WIDE, rtol=None),
        sample(EMPTY, rtol=None),
        sample(Given(np.zeros((2, 0))), rtol=None),
    ),
)


def lstsq(a: TensorLike, b: TensorLike, rcond: float | None = None) -> LstsqResult:
    """The ``x`` for which ``sum(abs(a @ x - b)**2)`` is smallest, of several the shortest, for ``a`` (..., m, n).

    ``b`` is (m,) or (..., m, k); stacks broadcast. Singular values below ``rcond`` times the largest count as 0, by
    default as in ``pinv``, by which it is computed. ``residuals`` are the sums of squares for each column, and of size
    0, as in NumPy, unless m > n. Gradients flow to ``x`` and ``residuals``.

    >>> import gradflow as gf
    >>> t = gf.tensor([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    >>> gf.linalg.lstsq(t, gf.tensor([1.0, 3.0, 5.0])).x.round(4)
    tensor([2., 1.])
    """
    a, b = asarray(a), asarray(b)
    check_matrix("lstsq", a.spec)
    right = expand_dims(b, -1) if b.ndim == 1 else b
    if right.ndim < 2 or right.shape[-2] != a.shape[-2]:
        raise ShapeError(f"lstsq: {a.shape} has {a.shape[-2]} equations, and the right-hand side is {b.shape}")
    x = multiplied(pinv(a, rcond), right)
    missed = multiplied(a, x) - right
    missed = real(sum(missed * conjugated(missed), axis=-2))
    if a.shape[-2] <= a.shape[-1]:
        missed = missed[..., :0]
    x = squeeze(x, -1) if b.ndim == 1 else x
    return LstsqResult(x, missed, matrix_rank(a, rtol=rcond), svdvals(a))


def matrix_rank(x: TensorLike, *, rtol: float | None = None) -> Tensor:
    """How many singular values of the matrices (..., m, n) in ``x`` exceed ``rtol`` times the largest, as int64.

    ``rtol`` is by default the larger of m and n times the dtype's epsilon. No gradient flows.

    >>> import gradflow as gf
    >>> gf.linalg.matrix_rank(gf.tensor([[1.0, 2.0], [2.0, 4.0]]))
    tensor(1)
    """
    given = asarray(x).detach()
    check_matrix("matrix_rank", given.spec)
    values = svdvals(given)
    rtol = None if rtol is None else number("matrix_rank", "rtol", rtol)
    if not values.shape[-1]:
        return sum((values > 0).astype(int64), axis=-1)
    bound = max(values, axis=-1, keepdims=True) * _cutoff(given.shape, values.dtype, rtol)
    return sum((values > bound).astype(int64), axis=-1)
