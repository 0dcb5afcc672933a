"""Determinants, their logarithms, and the cofactors that are their gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradflow.dispatch import apply
from gradflow.op import Op, Spec
from gradflow.ops.conjugate import conjugated, imag, real
from gradflow.ops.matrix import EMPTY, GENERAL, GENERALS, adjoint, by_lapack, check_matrix, multiplied, square
from gradflow.ops.precision import float_dtype
from gradflow.ops.reduce import sum
from gradflow.ops.shape import expand_dims, swapaxes
from gradflow.ops.solve import inv
from gradflow.samples import Given, sample
from gradflow.tensor import Tensor, TensorLike


class SlogdetResult(NamedTuple):
    """The sign of a determinant, and the logarithm of its size."""

    sign: Tensor
    logabsdet: Tensor


def det(x: TensorLike) -> Tensor:
    """The determinant of the square matrices (..., n, n) in ``x``, 1 of an empty one.

    The gradient is right for singular matrices too, that of second order for others. ``slogdet`` neither overflows nor
    underflows. Raises ShapeError unless the matrices are square.

    >>> import gradflow as gf
    >>> gf.linalg.det(gf.tensor([[2.0, 1.0], [1.0, 3.0]]))
    tensor(5.)
    """
    return apply(_det, x)


def slogdet(x: TensorLike) -> SlogdetResult:
    """The sign of the determinant of the square matrices (..., n, n) in ``x``, and the logarithm of its absolute value.

    Of a singular matrix these are 0 and -inf, and its gradient is a LinAlgError. The sign of a complex determinant is
    a number of size 1; no gradient flows to that of a real one. Raises ShapeError unless the matrices are square.

    >>> import gradflow as gf
    >>> gf.linalg.slogdet(gf.tensor([[0.0, 1.0], [1.0, 0.0]]))
    SlogdetResult(sign=tensor(-1.), logabsdet=tensor(0.))
    """
    both = apply(_slogdet, x)
    signs = both if both.dtype.kind == "c" else both.detach()
    return SlogdetResult(signs[..., 0], real(both[..., 1]))


def _numbers(name: str, *more: int) -> Any:
    """The spec rule of functions from square matrices to numbers."""

    def spec(x: Spec) -> Spec:
        check_matrix(name, x, square=True)
        return Spec((*x.shape[:-2], *more), float_dtype(x.dtype))

    return spec


@by_lapack("det", "the matrices have no determinant")
def _det_forward(xp: Any, x: Any) -> Any:
    return xp.linalg.det(x)


@by_lapack("cofactor", "the singular values of a matrix were not found")
def _cofactor_forward(xp: Any, x: Any, det: Any) -> Any:
    """By singular values, of which each is left out once: without a division by what may be 0.

    On the CPU, where conditions can be looked at, by the inverse if that is exact enough, and ``det`` if it is known.
    """
    if isinstance(x, np.ndarray) and (found := _by_inverse(x, det)) is not None:
        return found
    u, s, vt = xp.linalg.svd(x, full_matrices=False)
    one = xp.eye(x.shape[-1], dtype=bool)
    others = xp.where(one, s.dtype.type(1), s[..., None, :]).prod(axis=-1)
    sign = xp.linalg.det(u) * xp.linalg.det(vt)
    return xp.matmul(u.conj() * (sign[..., None] * others)[..., None, :], vt.conj())


def _by_inverse(x: Any, det: Any) -> Any:
    """The cofactors, unless a matrix is close to being singular."""
    try:
        inverse = np.linalg.inv(x)
    except np.linalg.LinAlgError:
        return None
    condition = _squares(x) * _squares(inverse)
    if not (condition < np.finfo(x.dtype).eps ** -0.5).all():
        return None
    inverse *= (np.linalg.det(x) if det is None else det)[..., None, None]
    return inverse.swapaxes(-1, -2)


def _squares(x: Any) -> Any:
    """The sum of squares of the elements of each matrix, at the speed of a product of vectors."""
    rows = x.reshape(*x.shape[:-2], x.shape[-2] * x.shape[-1])
    return np.vecdot(rows, rows).real


def _cofactor_vjp(g: Tensor, x: Tensor, out: Tensor) -> Tensor:
    inverse, out = conjugated(inv(x)), conjugated(out)
    along = sum(g * out, axis=(-2, -1), keepdims=True)
    turned = multiplied(multiplied(inverse, g, transpose_a=True, transpose_b=True), out)
    return along * swapaxes(inverse, -1, -2) - turned


_cofactor = Op(
    name="cofactor",
    forward=_cofactor_forward,
    spec=lambda x, det: square("cofactor")(x),
    vjp=(_cofactor_vjp, None),
    complex=True,
    samples=tuple(sample(x, None) for x in (GENERAL, GENERALS, EMPTY, Given([[1.0, 2e4], [0.0, 3.0]]))),
)
_det = Op(
    name="det",
    forward=_det_forward,
    spec=_numbers("det"),
    vjp=(lambda g, x, out: expand_dims(g, (-2, -1)) * conjugated(apply(_cofactor, x, out)),),
    complex=True,
    samples=(sample(GENERAL), sample(GENERALS), sample(EMPTY), sample(Given([[3.0]]))),
)


@by_lapack("slogdet", "the matrices have no determinant")
def _slogdet_forward(xp: Any, x: Any) -> Any:
    return xp.stack(xp.linalg.slogdet(x), axis=-1)


def _slogdet_vjp(g: Tensor, x: Tensor, out: Tensor) -> Tensor:
    along = real(g[..., 1, None, None])
    if out.dtype.kind == "c":  # the sign turns by the imaginary part of what the logarithm changes by
        along = along + imag(conjugated(out[..., 0, None, None]) * g[..., 0, None, None]) * 1j
    return along * adjoint(inv(x))


_slogdet = Op(
    name="slogdet",
    forward=_slogdet_forward,
    spec=_numbers("slogdet", 2),
    vjp=(_slogdet_vjp,),
    complex=True,
    samples=(sample(GENERAL), sample(GENERALS), sample(EMPTY)),
)
