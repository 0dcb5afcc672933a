"""What functions of matrices share: checks of their shapes, a precision LAPACK has, and errors that can be read."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.dtypes import complex_of, real_of
from gradflow.errors import LinAlgError, ShapeError
from gradflow.op import Spec
from gradflow.ops import linalg
from gradflow.ops.conjugate import conjugated
from gradflow.ops.create import asarray
from gradflow.ops.precision import Array, float_dtype, precision, stored
from gradflow.ops.shape import expand_dims, squeeze, swapaxes
from gradflow.samples import Given
from gradflow.tensor import Tensor, TensorLike

Forward = Callable[..., Array]


def by_lapack(name: str, complaint: str) -> Callable[[Forward], Forward]:
    """Run ``forward`` on numbers that LAPACK takes; where it gives up, ``complaint`` is what the error says."""

    def decorate(forward: Forward) -> Forward:
        @functools.wraps(forward)
        def run(xp: Any, *arrays: Array, out: Array | None = None, **attrs: Any) -> Array:
            dtype, wide = precision(*arrays)
            try:
                result = forward(xp, *(x if x is None else x.astype(wide, copy=False) for x in arrays), **attrs)
            except np.linalg.LinAlgError:
                given = ", ".join(str(x.shape) for x in arrays if x is not None)
                raise LinAlgError(f"{name}: {complaint}; given {given}") from None
            return stored(result, complex_of(dtype) if result.dtype.kind == "c" else real_of(dtype), out)

        return run

    return decorate


def check_matrix(name: str, x: Spec, square: bool = False) -> None:
    """Raise ShapeError unless ``x`` is a matrix, or a stack of them; square ones, if that is asked for."""
    if len(x.shape) < 2:
        raise ShapeError(f"{name}: needs a matrix or a stack of matrices, got shape {x.shape}")
    if square and x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"{name}: the last two sizes must be equal, a square matrix; got {x.shape}")


def square(name: str) -> Callable[..., Spec]:
    """The spec rule of functions from square matrices to matrices like them."""

    def spec(x: Spec, **attrs: Any) -> Spec:
        check_matrix(name, x, square=True)
        return Spec(x.shape, float_dtype(x.dtype))

    return spec


def multiplied(a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    """The products of matrices, transposed or not, in stacks that broadcast."""
    return apply(linalg._matmul, a, b, transpose_a=transpose_a, transpose_b=transpose_b)


def adjoint(x: Tensor) -> Tensor:
    """The conjugate transposes of matrices."""
    return conjugated(swapaxes(x, -1, -2))


def with_columns(op: Callable[[Tensor, Tensor], Tensor], a: TensorLike, b: TensorLike) -> Tensor:
    """``op`` of matrices ``a`` and ``b``, where a ``b`` of one dimension is a column, and so is the result."""
    a, b = asarray(a), asarray(b)
    return squeeze(op(a, expand_dims(b, -1)), -1) if b.ndim == 1 else op(a, b)


# Matrices for samples: well-conditioned, far from symmetric, positive definite, with singular values that are apart.
GENERAL = Given(
    [[2.0, -1.0, 0.5], [0.3, 1.5, -0.7], [-0.4, 0.8, 1.2]], None, [[0.2, 0.5, -0.3], [0.1, -0.4, 0.6], [0.7, 0.3, -0.2]]
)
GENERALS = Given([[[2.0, -1.0], [0.3, 1.5]], [[-0.5, 1.0], [1.5, 0.4]]], None, [[0.3, -0.6], [0.2, 0.5]])
DEFINITE = Given(
    [[4.0, 1.0, 0.5], [1.0, 3.0, -0.6], [0.5, -0.6, 1.5]], None, [[0.1, 0.4, -0.2], [-0.4, 0.2, 0.5], [0.2, -0.3, 0.0]]
)
DEFINITES = Given([[[4.0, 1.0], [1.0, 2.0]], [[1.0, -0.3], [-0.3, 2.5]]], None, [[0.0, 0.4], [-0.4, 0.1]])
TALL = Given([[2.0, -1.0], [0.3, 1.5], [-0.4, 0.8]], None, [[0.2, 0.5], [-0.4, 0.3], [0.6, -0.1]])
WIDE = Given([[2.0, 0.3, -0.4], [-1.0, 1.5, 0.8]], None, [[0.2, -0.4, 0.6], [0.5, 0.3, -0.1]])
EMPTY = Given(np.zeros((0, 0)))
