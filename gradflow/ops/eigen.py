"""Eigenvalues and eigenvectors of symmetric matrices."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradflow.dispatch import apply
from gradflow.op import Op, Spec
from gradflow.ops.matrix import DEFINITE, DEFINITES, EMPTY, by_lapack, check_matrix, multiplied
from gradflow.ops.precision import float_dtype
from gradflow.ops.ranges import eye
from gradflow.ops.shape import swapaxes
from gradflow.samples import Given, sample
from gradflow.tensor import Tensor, TensorLike


class EighResult(NamedTuple):
    """Eigenvalues (..., n) in ascending order, and eigenvectors, the columns of (..., n, n)."""

    eigenvalues: Tensor
    eigenvectors: Tensor


def eigh(x: TensorLike) -> EighResult:
    """Eigenvalues and eigenvectors of symmetric ``x`` (..., n, n): ``x @ v == v * w``, by LAPACK's syevd.

    Of a matrix that is not symmetric, its symmetric part is taken, and gradients are symmetric. The element of each
    eigenvector that is largest in size is positive, on every device. The gradient through eigenvectors exists where
    eigenvalues differ, and is not finite where they do not; that of eigenvalues alone always exists: use ``eigvalsh``.
    Raises ShapeError unless the matrices are square, LinAlgError if the iteration does not converge.

    >>> import gradflow as gf
    >>> gf.linalg.eigh(gf.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 2.])
    """
    both = apply(_eigh, x)
    return EighResult(both[..., 0, :], both[..., 1:, :])


def eigvalsh(x: TensorLike) -> Tensor:
    """The eigenvalues (..., n), in ascending order, of symmetric ``x`` (..., n, n), or of its symmetric part.

    Where eigenvalues are equal the gradient is one of several, that of the eigenvectors found. Raises as ``eigh``.

    >>> import gradflow as gf
    >>> gf.linalg.eigvalsh(gf.tensor([[2.0, 1.0], [1.0, 2.0]]))
    tensor([1., 3.])
    """
    return apply(_eigvalsh, x)


NOT_FOUND = "the eigenvalues of a matrix were not found; is it finite?"


def signs(xp: Any, vectors: Any) -> Any:
    """1 or -1 for each column, by which its largest element becomes positive."""
    if not vectors.size:
        return xp.ones((*vectors.shape[:-2], 1, vectors.shape[-1]), vectors.dtype)
    largest = xp.expand_dims(xp.argmax(xp.absolute(vectors), axis=-2), -2)
    return xp.copysign(vectors.dtype.type(1), xp.take_along_axis(vectors, largest, axis=-2))


def inverse_differences(values: Tensor) -> Tensor:
    """The matrix of 1 / (values[j] - values[i]), 0 on the diagonal."""
    one = eye(values.shape[-1], dtype=values.dtype, device=values.device)
    return (1 - one) / (values[..., None, :] - values[..., :, None] + one)


@by_lapack("eigh", NOT_FOUND)
def _eigh_forward(xp: Any, x: Any) -> Any:
    values, vectors = xp.linalg.eigh((x + x.swapaxes(-1, -2)) / 2)
    return xp.concatenate([values[..., None, :], vectors * signs(xp, vectors)], axis=-2)


def _eigh_spec(x: Spec) -> Spec:
    check_matrix("eigh", x, square=True)
    *batch, rows, columns = x.shape
    return Spec((*batch, rows + 1, columns), float_dtype(x.dtype))


def _eigh_vjp(g: Tensor, out: Tensor) -> Tensor:
    """Giles, "Collected matrix derivative results for forward and reverse mode" (2008), 3.1."""
    values, vectors = out[..., 0, :], out[..., 1:, :]
    inner = inverse_differences(values) * multiplied(vectors, g[..., 1:, :], transpose_a=True)
    inner = inner + g[..., :1, :] * eye(values.shape[-1], dtype=values.dtype, device=values.device)
    result = multiplied(multiplied(vectors, inner), vectors, transpose_b=True)
    return (result + swapaxes(result, -1, -2)) / 2


# eigenvalues in the first row, and below them the matrix of eigenvectors: an op has one result
_eigh = Op(
    name="eigh",
    forward=_eigh_forward,
    spec=_eigh_spec,
    vjp=(_eigh_vjp,),
    samples=(sample(DEFINITE), sample(DEFINITES), sample(EMPTY), sample(Given([[3.0]]))),
)


@by_lapack("eigvalsh", NOT_FOUND)
def _eigvalsh_forward(xp: Any, x: Any) -> Any:
    return xp.linalg.eigvalsh((x + x.swapaxes(-1, -2)) / 2)


def _eigvalsh_spec(x: Spec) -> Spec:
    check_matrix("eigvalsh", x, square=True)
    return Spec(x.shape[:-1], float_dtype(x.dtype))


def _eigvalsh_vjp(g: Tensor, x: Tensor) -> Tensor:
    vectors = eigh(x).eigenvectors
    return multiplied(vectors * g[..., None, :], vectors, transpose_b=True)


_eigvalsh = Op(
    name="eigvalsh",
    forward=_eigvalsh_forward,
    spec=_eigvalsh_spec,
    vjp=(_eigvalsh_vjp,),
    samples=(sample(DEFINITE), sample(DEFINITES), sample(EMPTY)),
)
