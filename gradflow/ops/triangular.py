"""Systems of equations with triangular matrices, and the decomposition of definite matrices into two of these."""

from __future__ import annotations

from typing import Any

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError
from gradflow.op import Op
from gradflow.ops.conjugate import conjugated
from gradflow.ops.create import asarray
from gradflow.ops.diagonal import tril, triu
from gradflow.ops.matrix import (
    DEFINITE,
    DEFINITES,
    EMPTY,
    adjoint,
    by_lapack,
    multiplied,
    square,
    with_columns,
)
from gradflow.ops.solve import system
from gradflow.ops.substitution import substituted
from gradflow.samples import Real, sample
from gradflow.shapes import broadcast
from gradflow.tensor import Tensor, TensorLike


def solve_triangular(
    a: TensorLike, b: TensorLike, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False
) -> Tensor:
    """The ``x`` with ``a @ x == b`` for triangular ``a`` (..., n, n), and ``b`` (n,) or (..., n, k); stacks broadcast.

    The other triangle of ``a`` is not looked at, nor is the diagonal if ``unit_diagonal`` says that it is 1. ``trans``
    is 0 or "N", for the transposed matrix 1 or "T", for its conjugate 2 or "C". SciPy's arguments. By substitution,
    where it can be called by BLAS's trsm. Raises ShapeError for sizes that do not fit, ArgumentError for another
    ``trans``, LinAlgError for a 0 on the diagonal (on a GPU the result is not finite instead).

    >>> import gradflow as gf
    >>> gf.linalg.solve_triangular(gf.tensor([[2.0, 0.0], [1.0, 4.0]]), gf.tensor([2.0, 9.0]), lower=True)
    tensor([1., 2.])
    """
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise ArgumentError(f"solve_triangular: trans is {trans!r}; it must be 0, 1, 2, 'N', 'T' or 'C'")
    turned = trans not in (0, "N")

    def solved(a: Tensor, b: Tensor) -> Tensor:
        return apply(_solve_triangular, a, b, lower=bool(lower), transposed=turned, unit=bool(unit_diagonal))

    return with_columns(solved, conjugated(asarray(a)) if trans in (2, "C") else a, b)


@by_lapack("solve_triangular", "a matrix is singular: there is a 0 on its diagonal")
def _solve_triangular_forward(xp: Any, a: Any, b: Any, *, lower: bool, transposed: bool, unit: bool) -> Any:
    if a.shape[:-2] != b.shape[:-2]:
        batch = broadcast("solve_triangular", a.shape[:-2], b.shape[:-2])
        a, b = (xp.broadcast_to(each, (*batch, *each.shape[-2:])) for each in (a, b))
    return substituted(xp, a, b, lower, transposed, unit)


def _solve_triangular_by_a(g: Tensor, a: Tensor, out: Tensor, lower: bool, transposed: bool, unit: bool) -> Tensor:
    out, right = conjugated(out), -_solve_triangular_by_b(g, a, lower, transposed, unit)
    both = multiplied(out, right, transpose_b=True) if transposed else multiplied(right, out, transpose_b=True)
    return tril(both, -int(unit)) if lower else triu(both, int(unit))


def _solve_triangular_by_b(g: Tensor, a: Tensor, lower: bool, transposed: bool, unit: bool) -> Tensor:
    return apply(_solve_triangular, conjugated(a), g, lower=lower, transposed=not transposed, unit=unit)


_solve_triangular: Op = Op(
    name="solve_triangular",
    forward=_solve_triangular_forward,
    spec=lambda a, b, lower, transposed, unit: system("solve_triangular", a, b),
    linear=True,
    vjp=(_solve_triangular_by_a, _solve_triangular_by_b),
    complex=True,
    samples=(
        sample(DEFINITE, Real((3, 2)), lower=True, transposed=False, unit=False),
        sample(DEFINITE, Real((3, 2)), lower=False, transposed=True, unit=False),
        sample(DEFINITE, Real((2, 3, 1)), lower=True, transposed=True, unit=True),
        sample(DEFINITES, Real((3, 1, 2, 2)), lower=False, transposed=False, unit=True),
        sample(EMPTY, Real((0, 2)), lower=True, transposed=False, unit=False),
    ),
)


def cholesky(x: TensorLike, *, upper: bool = False) -> Tensor:
    """The lower triangular ``L`` with ``L @ L.mT == x`` for symmetric positive definite ``x`` (..., n, n).

    With ``upper`` it is ``U = L.mT``, and ``U.mT @ U == x``. Of a matrix that is not symmetric, its symmetric part is
    taken, and gradients are symmetric. Of complex matrices read Hermitian for symmetric, and the conjugate of ``mT``.
    Gradient: Murray, "Differentiation of the Cholesky decomposition" (2016). Raises ShapeError unless the matrices are
    square, LinAlgError for one that is not positive definite (on a GPU that would be a wait, and the result means
    nothing instead).

    >>> import gradflow as gf
    >>> gf.linalg.cholesky(gf.tensor([[4.0, 2.0], [2.0, 10.0]]))
    tensor([[2., 0.],
            [1., 3.]])
    """
    lower = apply(_cholesky, x)
    return adjoint(lower) if upper else lower


@by_lapack("cholesky", "a matrix is not positive definite")
def _cholesky_forward(xp: Any, x: Any) -> Any:
    return xp.linalg.cholesky((x + x.conj().swapaxes(-1, -2)) / 2)


def below(x: Tensor) -> Tensor:
    """What is below the diagonals of matrices, and half of the diagonals."""
    return (tril(x) + tril(x, -1)) / 2


def _cholesky_vjp(g: Tensor, out: Tensor) -> Tensor:
    turned = conjugated(out)
    inner = below(multiplied(turned, tril(g), transpose_a=True))
    left = apply(_solve_triangular, turned, inner, lower=True, transposed=True, unit=False)
    both = apply(_solve_triangular, turned, adjoint(left), lower=True, transposed=True, unit=False)
    return (both + adjoint(both)) / 2


_cholesky = Op(
    name="cholesky",
    forward=_cholesky_forward,
    spec=square("cholesky"),
    vjp=(_cholesky_vjp,),
    complex=True,
    samples=(sample(DEFINITE), sample(DEFINITES), sample(EMPTY)),
)
