"""Eigenvalues and eigenvectors of symmetric and Hermitian matrices, and which of their multiples eigenvectors are."""

from __future__ import annotations

from typing import Any, NamedTuple

from gradflow.dispatch import apply
from gradflow.dtypes import real_of
from gradflow.op import Op, Spec
from gradflow.ops.arithmetic import where
from gradflow.ops.conjugate import conjugated, imag, real
from gradflow.ops.elementwise import abs
from gradflow.ops.extremum import argmax
from gradflow.ops.matrix import DEFINITE, DEFINITES, EMPTY, adjoint, by_lapack, check_matrix, multiplied
from gradflow.ops.precision import float_dtype
from gradflow.ops.ranges import arange, eye
from gradflow.ops.reduce import sum
from gradflow.samples import Given, sample
from gradflow.tensor import Tensor, TensorLike


class EighResult(NamedTuple):
    """Eigenvalues (..., n) in ascending order, and eigenvectors, the columns of (..., n, n)."""

    eigenvalues: Tensor
    eigenvectors: Tensor


def eigh(x: TensorLike) -> EighResult:
    """Eigenvalues and eigenvectors of symmetric ``x`` (..., n, n): ``x @ v == v * w``, by LAPACK's syevd and heevd.

    Of a matrix that is not symmetric, its symmetric part is taken, and gradients are symmetric; of complex matrices
    read Hermitian for symmetric. Eigenvalues are real. The element of each eigenvector that is largest in size is
    positive, on every device, and gradients are those of these eigenvectors, also of functions for which a complex
    factor of size 1 makes a difference. The gradient through eigenvectors exists where eigenvalues differ, and is not
    finite where they do not; that through eigenvalues always exists, for which ``eigvalsh`` is faster. Raises
    ShapeError unless the matrices are square, LinAlgError if the iteration does not converge.

    >>> import gradflow as gf
    >>> gf.linalg.eigh(gf.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 2.])
    """
    both = apply(_eigh, x)
    return EighResult(real(both[..., 0, :]), both[..., 1:, :])


def eigvalsh(x: TensorLike) -> Tensor:
    """The eigenvalues (..., n), in ascending order, of symmetric or Hermitian ``x`` (..., n, n), or of that part of it.

    Where eigenvalues are equal the gradient is one of several, that of the eigenvectors found. Raises as ``eigh``.

    >>> import gradflow as gf
    >>> gf.linalg.eigvalsh(gf.tensor([[2.0, 1.0], [1.0, 2.0]]))
    tensor([1., 3.])
    """
    return apply(_eigvalsh, x)


NOT_FOUND = "the eigenvalues of a matrix were not found; is it finite?"


def signs(xp: Any, vectors: Any) -> Any:
    """A number of size 1 for each column, by which its largest element becomes positive."""
    if not vectors.size:
        return xp.ones((*vectors.shape[:-2], 1, vectors.shape[-1]), vectors.dtype)
    largest = xp.expand_dims(xp.argmax(xp.absolute(vectors), axis=-2), -2)
    chosen = xp.take_along_axis(vectors, largest, axis=-2)
    if vectors.dtype.kind == "c":
        return chosen.conj() / xp.absolute(chosen)
    return xp.copysign(vectors.dtype.type(1), chosen)


def turn_of(columns: Tensor, g: Tensor) -> Tensor:
    """What the gradient ``g`` of complex ``columns`` says of turning them, each by an angle in the complex plane."""
    return imag(sum(conjugated(columns) * g, axis=-2, keepdims=True))


def held(columns: Tensor, g: Tensor, turn: Tensor) -> Tensor:
    """The gradient ``g`` of complex ``columns`` that ``signs`` turned, as one of columns that may turn freely.

    A change that turns a column is undone by turning it back until its largest element is real; so what gradients say
    of a ``turn`` belongs to the imaginary part of that element.
    """
    rows = arange(columns.shape[-2], device=columns.device)[:, None]
    largest = rows == argmax(abs(columns.detach()), axis=-2, keepdims=True)
    return g - where(largest, turn / where(largest, real(columns), 1.0), 0.0) * 1j


def quotient(x: Tensor, y: Tensor) -> Tensor:
    """``x / y``, 0 where both are: vectors of equal values have no gradient, but none may have been asked for."""
    nothing = (x == 0) & (y == 0)
    return where(nothing, 0.0, x) / where(nothing, 1.0, y)


def by_differences(x: Tensor, values: Tensor) -> Tensor:
    """``x[i, j] / (values[j] - values[i])``, 0 on the diagonal."""
    beside = 1 - eye(values.shape[-1], dtype=values.dtype, device=values.device)
    return quotient(x * beside, values[..., None, :] - values[..., :, None])


@by_lapack("eigh", NOT_FOUND)
def _eigh_forward(xp: Any, x: Any) -> Any:
    values, vectors = xp.linalg.eigh((x + x.conj().swapaxes(-1, -2)) / 2)
    return xp.concatenate([values[..., None, :], vectors * signs(xp, vectors)], axis=-2)


def _eigh_spec(x: Spec) -> Spec:
    check_matrix("eigh", x, square=True)
    *batch, rows, columns = x.shape
    return Spec((*batch, rows + 1, columns), float_dtype(x.dtype))


def _eigh_vjp(g: Tensor, out: Tensor) -> Tensor:
    """Giles, "Collected matrix derivative results for forward and reverse mode" (2008), 3.1."""
    values, vectors = real(out[..., 0, :]), out[..., 1:, :]
    turned = conjugated(vectors)
    by_vectors = g[..., 1:, :]
    if vectors.dtype.kind == "c" and vectors.size:
        by_vectors = held(vectors, by_vectors, turn_of(vectors, by_vectors))
    inner = by_differences(multiplied(turned, by_vectors, transpose_a=True), values)
    inner = inner + g[..., :1, :] * eye(values.shape[-1], dtype=values.dtype, device=values.device)
    result = multiplied(multiplied(vectors, inner), turned, transpose_b=True)
    return (result + adjoint(result)) / 2


# eigenvalues in the first row, and below them the matrix of eigenvectors: an op has one result
_eigh = Op(
    name="eigh",
    forward=_eigh_forward,
    spec=_eigh_spec,
    vjp=(_eigh_vjp,),
    complex=True,
    samples=(sample(DEFINITE), sample(DEFINITES), sample(EMPTY), sample(Given([[3.0]]))),
)


@by_lapack("eigvalsh", NOT_FOUND)
def _eigvalsh_forward(xp: Any, x: Any) -> Any:
    return xp.linalg.eigvalsh((x + x.conj().swapaxes(-1, -2)) / 2)


def _eigvalsh_spec(x: Spec) -> Spec:
    check_matrix("eigvalsh", x, square=True)
    return Spec(x.shape[:-1], real_of(float_dtype(x.dtype)))


def _eigvalsh_vjp(g: Tensor, x: Tensor) -> Tensor:
    vectors = eigh(x).eigenvectors
    return multiplied(vectors * g[..., None, :], conjugated(vectors), transpose_b=True)


_eigvalsh = Op(
    name="eigvalsh",
    forward=_eigvalsh_forward,
    spec=_eigvalsh_spec,
    vjp=(_eigvalsh_vjp,),
    complex=True,
    samples=(sample(DEFINITE), sample(DEFINITES), sample(EMPTY)),
)
