"""Systems of linear equations, and inverses."""

from __future__ import annotations

from typing import Any

from gradflow.dispatch import apply
from gradflow.errors import ShapeError
from gradflow.op import Op, Spec
from gradflow.ops.conjugate import conjugated
from gradflow.ops.matrix import (
    EMPTY,
    GENERAL,
    GENERALS,
    by_lapack,
    check_matrix,
    multiplied,
    square,
    with_columns,
)
from gradflow.ops.precision import float_dtype
from gradflow.samples import Real, sample
from gradflow.shapes import broadcast
from gradflow.tensor import Tensor, TensorLike

SINGULAR = "a matrix is singular, so that there is no inverse (lstsq and pinv take any)"


def solve(a: TensorLike, b: TensorLike) -> Tensor:
    """The ``x`` with ``a @ x == b`` for ``a`` (..., n, n) and ``b`` (n,) or (..., n, k); stacks broadcast.

    By LU decomposition with partial pivoting (LAPACK's gesv). Raises ShapeError for sizes that do not fit, LinAlgError
    for a singular matrix; on a GPU that would be a wait, and the result is not finite instead.

    >>> import gradflow as gf
    >>> gf.linalg.solve(gf.tensor([[2.0, 1.0], [1.0, 3.0]]), gf.tensor([4.0, 7.0]))
    tensor([1., 2.])
    """
    return with_columns(lambda a, b: apply(_solve, a, b, transposed=False), a, b)


def system(name: str, a: Spec, b: Spec) -> Spec:
    """The spec of the solution of ``a @ x == b``."""
    check_matrix(name, a, square=True)
    check_matrix(name, b)
    if a.shape[-1] != b.shape[-2]:
        raise ShapeError(
            f"{name}: {a.shape} has {a.shape[-1]} equations, and the right-hand side {b.shape} gives {b.shape[-2]} "
            "numbers; these must be equal"
        )
    batch = broadcast(name, a.shape[:-2], b.shape[:-2])
    return Spec((*batch, *b.shape[-2:]), float_dtype(a.dtype, b.dtype))


@by_lapack("solve", SINGULAR)
def _solve_forward(xp: Any, a: Any, b: Any, *, transposed: bool) -> Any:
    if a.shape[:-2] != b.shape[:-2]:  # CuPy does not broadcast stacks
        batch = broadcast("solve", a.shape[:-2], b.shape[:-2])
        a, b = (xp.broadcast_to(each, (*batch, *each.shape[-2:])) for each in (a, b))
    return xp.linalg.solve(a.swapaxes(-1, -2) if transposed else a, b)


def _solve_by_a(g: Tensor, a: Tensor, out: Tensor, transposed: bool) -> Tensor:
    out, right = conjugated(out), apply(_solve, conjugated(a), g, transposed=not transposed)
    return -(multiplied(out, right, transpose_b=True) if transposed else multiplied(right, out, transpose_b=True))


_solve: Op = Op(
    name="solve",
    forward=_solve_forward,
    spec=lambda a, b, transposed: system("solve", a, b),
    linear=True,
    vjp=(_solve_by_a, lambda g, a, transposed: apply(_solve, conjugated(a), g, transposed=not transposed)),
    complex=True,
    samples=(
        sample(GENERAL, Real((3, 2)), transposed=False),
        sample(GENERAL, Real((2, 3, 1)), transposed=True),
        sample(GENERALS, Real((3, 1, 2, 2)), transposed=False),
        sample(EMPTY, Real((0, 2)), transposed=False),
    ),
)


def inv(x: TensorLike) -> Tensor:
    """The inverse of the square matrices (..., n, n) in ``x``; ``solve`` is faster and more exact than its product.

    Raises ShapeError unless they are square, LinAlgError for a singular one (on a GPU the result is not finite).

    >>> import gradflow as gf
    >>> gf.linalg.inv(gf.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5 , 0.  ],
            [0.  , 0.25]])
    """
    return apply(_inv, x)


@by_lapack("inv", SINGULAR)
def _inv_forward(xp: Any, x: Any) -> Any:
    return xp.linalg.inv(x)


def inverted(g: Tensor, out: Tensor) -> Tensor:
    """The gradient of a matrix, given that of its inverse ``out``."""
    out = conjugated(out)
    return -multiplied(multiplied(out, g, transpose_a=True), out, transpose_b=True)


_inv = Op(
    name="inv",
    forward=_inv_forward,
    spec=square("inv"),
    vjp=(inverted,),
    complex=True,
    samples=(sample(GENERAL), sample(GENERALS), sample(EMPTY)),
)
