"""Decompositions with orthogonal factors: QR and singular values."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, overload

from gradflow.dispatch import apply
from gradflow.dtypes import real_of
from gradflow.errors import ArgumentError, GradientError
from gradflow.op import Op, Spec
from gradflow.ops.conjugate import conjugated, real
from gradflow.ops.create import asarray, zeros
from gradflow.ops.diagonal import triu
from gradflow.ops.eigen import by_differences, held, quotient, signs, turn_of
from gradflow.ops.join import concat
from gradflow.ops.matrix import EMPTY, GENERAL, GENERALS, TALL, WIDE, adjoint, by_lapack, check_matrix, multiplied
from gradflow.ops.precision import float_dtype
from gradflow.ops.ranges import eye
from gradflow.ops.shape import swapaxes
from gradflow.ops.triangular import below, solve_triangular
from gradflow.samples import Given, Real, sample
from gradflow.tensor import Tensor, TensorLike


class QRResult(NamedTuple):
    """Orthogonal columns and an upper triangle."""

    Q: Tensor
    R: Tensor


class SVDResult(NamedTuple):
    """Left singular vectors in columns, singular values in descending order, right singular vectors in rows."""

    U: Tensor
    S: Tensor
    Vh: Tensor


@overload
def qr(x: TensorLike, mode: Literal["reduced", "complete"] = ...) -> QRResult: ...


@overload
def qr(x: TensorLike, mode: Literal["r"]) -> Tensor: ...


def qr(x: TensorLike, mode: str = "reduced") -> QRResult | Tensor:
    """``Q`` with orthonormal columns and triangular ``R``, ``Q @ R == x`` (..., m, n), by Householder reflections.

    "reduced" gives Q (m, k) and R (k, n), k the smaller of m and n; "complete" Q (m, m) and R (m, n), for which there
    is no gradient unless they are the same; "r" is R (k, n) alone. The diagonal of R is real. The gradient (Walter &
    Lehmann, "Algorithmic differentiation of linear algebra functions", 2010) needs the first k columns to be
    independent. Raises ArgumentError for another mode.

    >>> import gradflow as gf
    >>> q, r = gf.linalg.qr(gf.tensor([[3.0, 1.0], [4.0, 2.0]]))
    >>> (q @ r).round(4)
    tensor([[3., 1.],
            [4., 2.]])
    """
    given = asarray(x)
    if mode not in ("reduced", "complete", "r"):
        raise ArgumentError(f"qr: mode is {mode!r}; it must be 'reduced', 'complete' or 'r'")
    both = apply(_qr, given)
    rows = given.shape[-2]
    q, r = both[..., :rows, :], swapaxes(both[..., rows:, :], -1, -2)
    if mode == "r":
        return r
    if mode == "complete" and rows > given.shape[-1]:
        q = _completed("qr", "mode='reduced'", q)
        below = zeros((*r.shape[:-2], rows - r.shape[-2], r.shape[-1]), dtype=r.dtype, device=r.device)
        r = concat([r, below], axis=-2)
    return QRResult(q, r)


def _completed(name: str, instead: str, columns: Tensor) -> Tensor:
    """Orthonormal columns, and as many more as make them a basis."""
    if columns.requires_grad:
        raise GradientError(f"{name}: columns beyond the rank of a matrix have no gradient; use {instead}")
    return concat([columns, apply(_complement, columns)], axis=-1)


@by_lapack("complement", "the columns have no complement")
def _complement_forward(xp: Any, x: Any) -> Any:
    return xp.linalg.qr(x, mode="complete")[0][..., x.shape[-1] :]


_complement = Op(
    name="complement",
    forward=_complement_forward,
    spec=lambda x: Spec((*x.shape[:-1], x.shape[-2] - x.shape[-1]), float_dtype(x.dtype)),
    complex=True,
    samples=(sample(TALL), sample(GENERAL)),
)


@by_lapack("qr", "the decomposition was not found")
def _qr_forward(xp: Any, x: Any) -> Any:
    q, r = xp.linalg.qr(x, mode="reduced")
    return xp.concatenate([q, r.swapaxes(-1, -2)], axis=-2)


def _stacked(name: str, rows: int) -> Any:
    """The spec rule of a decomposition whose factors stand below one another, with ``rows`` more between them."""

    def spec(x: Spec) -> Spec:
        check_matrix(name, x)
        *batch, m, n = x.shape
        return Spec((*batch, m + rows + n, min(m, n)), float_dtype(x.dtype))

    return spec


def _qr_vjp(g: Tensor, x: Tensor, out: Tensor) -> Tensor:
    rows, columns = x.shape[-2:]
    q, by_q = out[..., :rows, :], g[..., :rows, :]
    r, by_r = (swapaxes(each[..., rows:, :], -1, -2) for each in (out, g))
    if rows >= columns:
        return _tall_qr_vjp(q, r, by_q, by_r)
    by_rest = by_r[..., rows:]
    by_q = by_q + multiplied(x[..., rows:], conjugated(by_rest), transpose_b=True)
    first = _tall_qr_vjp(q, r[..., :rows], by_q, by_r[..., :rows])
    return concat([first, multiplied(q, by_rest)], axis=-1)


def _tall_qr_vjp(q: Tensor, r: Tensor, by_q: Tensor, by_r: Tensor) -> Tensor:
    half = below(multiplied(r, adjoint(triu(by_r))) - multiplied(adjoint(by_q), q))
    right = by_q + multiplied(q, half + adjoint(half))
    return adjoint(solve_triangular(r, adjoint(right)))


# Q, and below it R transposed: an op has one result
_qr = Op(
    name="qr",
    forward=_qr_forward,
    spec=_stacked("qr", 0),
    vjp=(_qr_vjp,),
    complex=True,
    samples=(sample(GENERAL), sample(GENERALS), sample(TALL), sample(WIDE), sample(EMPTY)),
)


def svd(x: TensorLike, full_matrices: bool = True) -> SVDResult:
    """``U``, ``S``, ``Vh`` with ``U * S @ Vh == x`` (..., m, n), ``S`` descending, by LAPACK's gesdd.

    Without ``full_matrices`` U is (m, k) and Vh (k, n), k the smaller of m and n; with it they are square, which has
    no gradient unless it is the same. S is real. In each column of U the element that is largest in size is positive,
    on every device, and gradients are those of these columns, as in ``eigh``. The gradient through U and Vh exists
    where singular values differ and are not 0, and is not finite elsewhere; that through S always exists, for which
    ``svdvals`` is faster. Gradient: Townsend, "Differentiating the singular value decomposition" (2016); of complex
    matrices, Wan & Zhang, "Automatic differentiation for complex valued SVD" (2019). Raises LinAlgError if the
    iteration does not converge.

    >>> import gradflow as gf
    >>> gf.linalg.svd(gf.tensor([[0.0, 2.0], [3.0, 0.0]])).S
    tensor([3., 2.])
    """
    given = asarray(x)
    parts = apply(_svd, given)
    rows = given.shape[-2]
    u, s, v = parts[..., :rows, :], real(parts[..., rows, :]), parts[..., rows + 1 :, :]
    if full_matrices and u.shape[-1] < u.shape[-2]:
        u = _completed("svd", "full_matrices=False", u)
    if full_matrices and v.shape[-1] < v.shape[-2]:
        v = _completed("svd", "full_matrices=False", v)
    return SVDResult(u, s, swapaxes(v, -1, -2))


NOT_FOUND = "the singular values of a matrix were not found; is it finite?"


@by_lapack("svd", NOT_FOUND)
def _svd_forward(xp: Any, x: Any) -> Any:
    u, s, vt = xp.linalg.svd(x, full_matrices=False)
    turned = signs(xp, u)
    return xp.concatenate([u * turned, s[..., None, :], vt.swapaxes(-1, -2) * turned.conj()], axis=-2)


def _svd_vjp(g: Tensor, x: Tensor, out: Tensor) -> Tensor:
    rows, columns = x.shape[-2:]
    u, s, vh = out[..., :rows, :], real(out[..., rows, :]), swapaxes(out[..., rows + 1 :, :], -1, -2)
    by_u, by_s, by_v = g[..., :rows, :], real(g[..., rows : rows + 1, :]), conjugated(g[..., rows + 1 :, :])
    v, across, down = adjoint(vh), s[..., None, :], s[..., :, None]
    if u.dtype.kind == "c" and u.size:
        turn = turn_of(v, by_v)
        by_u, by_s = held(u, by_u, turn_of(u, by_u) + turn), by_s - quotient(turn, across) * 1j
    left, right = (multiplied(conjugated(a), b, transpose_a=True) for a, b in ((u, by_u), (v, by_v)))
    left, right = (by_differences(each, s * s) for each in (left, right))
    inner = (left + adjoint(left)) * across + down * (right + adjoint(right))
    inner = inner + by_s * eye(s.shape[-1], dtype=s.dtype, device=s.device)
    result = multiplied(multiplied(u, inner), vh)
    if rows > columns:
        result = result + multiplied(quotient(_outside(u, by_u), across), vh)
    if rows < columns:
        result = result + multiplied(u, adjoint(quotient(_outside(v, by_v), across)))
    return result


def _outside(columns: Tensor, g: Tensor) -> Tensor:
    """The part of ``g`` that is orthogonal to ``columns``, which are orthonormal."""
    return g - multiplied(columns, multiplied(conjugated(columns), g, transpose_a=True))


# U, the row S, and Vh transposed: an op has one result
_svd = Op(
    name="svd",
    forward=_svd_forward,
    spec=_stacked("svd", 1),
    vjp=(_svd_vjp,),
    complex=True,
    samples=(sample(GENERAL), sample(GENERALS), sample(TALL), sample(WIDE), sample(Real((2, 0))), sample(EMPTY)),
)


def svdvals(x: TensorLike) -> Tensor:
    """The singular values (..., k) of ``x`` (..., m, n) in descending order; k is the smaller of m and n.

    Where they are equal, or 0, the gradient is one of several. Raises LinAlgError if the iteration does not converge.

    >>> import gradflow as gf
    >>> gf.linalg.svdvals(gf.tensor([[0.0, 2.0], [3.0, 0.0]]))
    tensor([3., 2.])
    """
    return apply(_svdvals, x)


@by_lapack("svdvals", NOT_FOUND)
def _svdvals_forward(xp: Any, x: Any) -> Any:
    return xp.linalg.svd(x, full_matrices=False, compute_uv=False)


def _svdvals_spec(x: Spec) -> Spec:
    check_matrix("svdvals", x)
    return Spec((*x.shape[:-2], min(x.shape[-2:])), real_of(float_dtype(x.dtype)))


def _svdvals_vjp(g: Tensor, x: Tensor) -> Tensor:
    u, _, vh = svd(x, full_matrices=False)
    return multiplied(u * g[..., None, :], vh)


_svdvals = Op(
    name="svdvals",
    forward=_svdvals_forward,
    spec=_svdvals_spec,
    vjp=(_svdvals_vjp,),
    complex=True,
    samples=(sample(GENERAL), sample(TALL), sample(Given([[[1.0, 2.0, 0.5]]])), sample(EMPTY)),
)
