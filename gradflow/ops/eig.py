"""Eigenvalues and eigenvectors of matrices that need not be symmetric."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradflow.dispatch import apply
from gradflow.dtypes import complex_of
from gradflow.errors import DeviceError
from gradflow.op import Op, Spec
from gradflow.ops.conjugate import conjugated, real
from gradflow.ops.eigen import NOT_FOUND, by_differences, held, signs, turn_of
from gradflow.ops.matrix import EMPTY, GENERAL, GENERALS, adjoint, by_lapack, check_matrix, multiplied, square
from gradflow.ops.precision import float_dtype
from gradflow.ops.ranges import eye
from gradflow.ops.reduce import sum
from gradflow.ops.solve import inverted
from gradflow.samples import Given, sample
from gradflow.tensor import Tensor, TensorLike


class EigResult(NamedTuple):
    """Eigenvalues (..., n), in no order, and eigenvectors of length 1, the columns of (..., n, n); both complex."""

    eigenvalues: Tensor
    eigenvectors: Tensor


def eig(x: TensorLike) -> EigResult:
    """Eigenvalues and eigenvectors of square ``x`` (..., n, n), ``x @ v == v * w``, by LAPACK's geev: always complex.

    The element of each eigenvector that is largest in size is positive, on every device, and gradients are those of
    these eigenvectors; of real ``x`` they are real. Gradient: Boeddeker et al., "On the computation of complex-valued
    gradients" (2017). Through eigenvectors it exists where eigenvalues differ, and is not finite where they do not. Of
    a matrix that is defective, or nearly so, it is a LinAlgError (on a GPU it means nothing). Raises ShapeError unless
    the matrices are square, LinAlgError if the iteration does not converge, DeviceError on a GPU with CuPy before 14 or
    CUDA before 12.6.2, which lack it.

    >>> import gradflow as gf
    >>> gf.linalg.eig(gf.tensor([[2.0, 0.0], [1.0, 3.0]])).eigenvalues
    tensor([3.+0.j, 2.+0.j], dtype=complex64)
    """
    both = apply(_eig, x)
    return EigResult(both[..., 0, :], both[..., 1:, :])


def eigvals(x: TensorLike) -> Tensor:
    """The eigenvalues (..., n) of square ``x`` (..., n, n), complex, in the order in which ``eig`` has them.

    Where eigenvalues are equal the gradient is one of several, that of the eigenvectors found. Raises as ``eig``.

    >>> import gradflow as gf
    >>> gf.linalg.eigvals(gf.tensor([[0.0, -1.0], [1.0, 0.0]]))
    tensor([0.+1.j, 0.-1.j], dtype=complex64)
    """
    return apply(_eigvals, x)


def _found(xp: Any, x: Any) -> Any:
    """Eigenvalues and eigenvectors, complex."""
    try:
        found = xp.linalg.eig(x)
    except (AttributeError, RuntimeError) as error:
        if not str(error).endswith(("attribute 'eig'", "geev is not available")):
            raise
        raise DeviceError("eig: needs CuPy 14 and CUDA 12.6.2 or later; move the matrix with .cpu()") from None
    return (each.astype(complex_of(x.dtype), copy=False) for each in found)


@by_lapack("eig", NOT_FOUND)
def _eig_forward(xp: Any, x: Any) -> Any:
    values, vectors = _found(xp, x)
    return xp.concatenate([values[..., None, :], vectors * signs(xp, vectors)], axis=-2)


def _eig_spec(x: Spec) -> Spec:
    check_matrix("eig", x, square=True)
    *batch, rows, columns = x.shape
    return Spec((*batch, rows + 1, columns), complex_of(float_dtype(x.dtype)))


def _eig_vjp(g: Tensor, out: Tensor) -> Tensor:
    values, vectors, by_vectors = out[..., 0, :], out[..., 1:, :], g[..., 1:, :]
    turned, left = conjugated(vectors), adjoint(apply(_basis_inv, vectors))  # first of all: there may be no basis
    if vectors.size:
        by_vectors = held(vectors, by_vectors, turn_of(vectors, by_vectors))
    by_vectors = by_vectors - vectors * real(sum(turned * by_vectors, axis=-2, keepdims=True))  # of length 1 for ever
    inner = by_differences(multiplied(turned, by_vectors, transpose_a=True), conjugated(values))
    inner = inner + g[..., :1, :] * eye(values.shape[-1], dtype=values.dtype, device=values.device)
    return multiplied(multiplied(left, inner), turned, transpose_b=True)


# where no two eigenvalues and no parts of an eigenvector are equal
APART = Given(
    [[1.0, 2.0, 0.5], [-1.5, 0.5, 0.7], [0.4, -0.3, 2.5]], None, [[0.3, 0.1, -0.4], [0.2, 0.6, 0.1], [0, 0.5, 0]]
)
SAMPLES = (sample(GENERAL), sample(GENERALS), sample(APART), sample(EMPTY), sample(Given([[3.0]])))

# eigenvalues in the first row, and below them the matrix of eigenvectors: an op has one result
_eig = Op(
    name="eig",
    forward=_eig_forward,
    spec=_eig_spec,
    vjp=(_eig_vjp,),
    complex=True,
    samples=SAMPLES,
)


@by_lapack("eigvals", NOT_FOUND)
def _eigvals_forward(xp: Any, x: Any) -> Any:
    values, _ = _found(xp, x)  # not by eigvals, whose order may be another than that of the gradient's eigenvectors
    return values


def _eigvals_spec(x: Spec) -> Spec:
    check_matrix("eigvals", x, square=True)
    return Spec(x.shape[:-1], complex_of(float_dtype(x.dtype)))


def _eigvals_vjp(g: Tensor, x: Tensor) -> Tensor:
    vectors = eig(x).eigenvectors
    left = adjoint(apply(_basis_inv, vectors)) * g[..., None, :]
    return multiplied(left, conjugated(vectors), transpose_b=True)


_eigvals = Op(
    name="eigvals",
    forward=_eigvals_forward,
    spec=_eigvals_spec,
    vjp=(_eigvals_vjp,),
    complex=True,
    samples=SAMPLES,
)

DEFECTIVE = "a matrix has no gradient: it is defective, or so nearly that its eigenvectors are no basis"


@by_lapack("eig", DEFECTIVE)
def _basis_inv_forward(xp: Any, x: Any) -> Any:
    inverse = xp.linalg.inv(x)
    # of a defective matrix two of the vectors, which have length 1, agree in half of the digits
    if isinstance(x, np.ndarray) and not np.abs(inverse).max(initial=0) < np.finfo(x.dtype).eps ** -0.5 / 4:
        raise np.linalg.LinAlgError
    return inverse


# ``inv`` of eigenvectors, that knows why there is none
_basis_inv = Op(
    name="basis_inv",
    forward=_basis_inv_forward,
    spec=square("basis_inv"),
    vjp=(inverted,),
    complex=True,
    samples=(sample(GENERAL), sample(GENERALS), sample(EMPTY)),
)
