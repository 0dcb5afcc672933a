"""Products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow import dtypes
from gradflow.dispatch import apply
from gradflow.errors import DTypeError, ShapeError
from gradflow.launch import Gemm, computable
from gradflow.op import Op, Spec
from gradflow.ops import reduce
from gradflow.ops.conjugate import conjugated
from gradflow.ops.create import asarray
from gradflow.ops.shape import reshape
from gradflow.samples import Real, sample
from gradflow.shapes import Shape, broadcast
from gradflow.tensor import Tensor, TensorLike


def matmul(a: TensorLike, b: TensorLike) -> Tensor:
    """The matrix product ``a @ b``: a vector is a row on the left, a column on the right; leading dimensions broadcast.

    Raises ShapeError if the inner sizes differ, or if an operand is a scalar.

    >>> import gradflow as gf
    >>> gf.matmul(gf.tensor([[1.0, 2.0], [3.0, 4.0]]), gf.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    a, b = asarray(a), asarray(b)
    if a.ndim > 1 and b.ndim > 1:
        return apply(_matmul, a, b, transpose_a=False, transpose_b=False)
    _check_inner(a.shape, b.shape)
    row = a if a.ndim > 1 else reshape(a, (1, *a.shape))
    column = b if b.ndim > 1 else reshape(b, (*b.shape, 1))
    out = apply(_matmul, row, column, transpose_a=False, transpose_b=False)
    kept = out.shape[: -2 if a.ndim == 1 else -1] + (out.shape[-1:] if b.ndim > 1 else ())
    return reshape(out, kept)


def _check_inner(a: Shape, b: Shape) -> None:
    if not a or not b or a[-1] != b[-2 if len(b) > 1 else 0]:
        why = "inner sizes must agree" if a and b else "use * with scalars"
        raise ShapeError(f"matmul: cannot multiply {a} by {b}; {why}")


def _swapped(shape: Shape, transpose: bool) -> Shape:
    return (*shape[:-2], shape[-1], shape[-2]) if transpose else shape


def _matmul_spec(a: Spec, b: Spec, transpose_a: bool, transpose_b: bool) -> Spec:
    left, right = _swapped(a.shape, transpose_a), _swapped(b.shape, transpose_b)
    _check_inner(left, right)
    batch = broadcast("matmul", left[:-2], right[:-2])
    if np.bool_ in (a.dtype, b.dtype):
        raise DTypeError("matmul: not defined for bool; convert with .to('float32')")
    return Spec((*batch, left[-2], right[-1]), np.result_type(a.dtype, b.dtype))


def _matmul_forward(xp: Any, a: Any, b: Any, *, transpose_a: bool, transpose_b: bool, out: Any = None) -> Any:
    a = a.swapaxes(-1, -2) if transpose_a else a
    b = b.swapaxes(-1, -2) if transpose_b else b
    return product(xp, a, b, out)


def product(xp: Any, a: Any, b: Any, out: Any = None) -> Any:
    """``a @ b``; float16 by way of float32, which sums more exactly and has BLAS."""
    if _is_small(a, b):
        return _in_a_stack(a, b, out)
    if np.result_type(a.dtype, b.dtype) != dtypes.float16:
        return xp.matmul(a, b, out=out)
    exact = xp.matmul(a.astype(dtypes.float32), b.astype(dtypes.float32))
    if out is None:
        return exact.astype(dtypes.float16)
    out[...] = exact
    return out


# OpenBLAS starts its threads above 2^18 multiplications, and up to about five times as many they cost more than they
# save: measured on whole training steps of 17 layers of 128. NumPy runs a stack of products one by one.
SMALL = range((1 << 18) + 1, 3 << 19)
STACK = 8


def _is_small(a: Any, b: Any) -> bool:
    """Whether ``a @ b`` is two matrices of one float dtype, better multiplied by one thread."""
    return (
        isinstance(a, np.ndarray)
        and a.ndim == b.ndim == 2
        and a.dtype == b.dtype
        and a.dtype.char in "fd"
        and len(a) % STACK == 0
        and a.size * b.shape[1] in SMALL
    )


def _in_a_stack(a: Any, b: Any, out: Any) -> Any:
    out = np.empty((len(a), b.shape[1]), a.dtype) if out is None else out
    np.matmul(a.reshape(STACK, -1, a.shape[1]), b, out=out.reshape(STACK, -1, b.shape[1]))
    return out


def _matmul_cuda(a: Any, b: Any, *, transpose_a: bool, transpose_b: bool, out: Any) -> Gemm | None:
    stacked = a.ndim == b.ndim == 3 and len(a) == len(b)
    if not (a.dtype == b.dtype and computable(a.dtype) and out.size and (stacked or a.ndim == b.ndim == 2)):
        return None
    return Gemm(a, b, out, transpose_a, transpose_b)


def _matmul_by_a(g: Tensor, b: Tensor, transpose_a: bool, transpose_b: bool, into: Tensor | None) -> Tensor:
    b = conjugated(b)
    if transpose_a:
        return apply(_matmul, b, g, transpose_a=transpose_b, transpose_b=True, into=into)
    return apply(_matmul, g, b, transpose_a=False, transpose_b=not transpose_b, into=into)


def _matmul_by_b(g: Tensor, a: Tensor, transpose_a: bool, transpose_b: bool, into: Tensor | None) -> Tensor:
    a = conjugated(a)
    if transpose_b:
        return apply(_matmul, g, a, transpose_a=True, transpose_b=transpose_a, into=into)
    return apply(_matmul, a, g, transpose_a=not transpose_a, transpose_b=False, into=into)


_matmul = Op(
    name="matmul",
    forward=_matmul_forward,
    spec=_matmul_spec,
    vjp=(_matmul_by_a, _matmul_by_b),
    linear=True,
    cuda=_matmul_cuda,
    complex=True,
    samples=(
        sample(Real((3, 4)), Real((4, 2)), transpose_a=False, transpose_b=False),
        sample(Real((4, 3)), Real((4, 2)), transpose_a=True, transpose_b=False),
        sample(Real((3, 4)), Real((2, 4)), transpose_a=False, transpose_b=True),
        sample(Real((4, 3)), Real((2, 4)), transpose_a=True, transpose_b=True),
        sample(Real((5, 3, 4)), Real((4, 2)), transpose_a=False, transpose_b=False),
        sample(Real((2, 1, 3, 4)), Real((5, 2, 4)), transpose_a=False, transpose_b=True),
        sample(Real((3, 0)), Real((0, 2)), transpose_a=False, transpose_b=False),
        sample(Real((64, 72)), Real((64, 64)), transpose_a=True, transpose_b=False),  # just above OpenBLAS's threshold
    ),
    workloads=(
        sample(Real((128, 256)), Real((256, 784)), transpose_a=False, transpose_b=False),
        sample(Real((256, 1024)), Real((256, 1024)), transpose_a=True, transpose_b=False),
    ),
)


# OpenBLAS multiplies few rows by a large matrix in half the time when the large matrix is on the left
FEW_ROWS = 64
LARGE_WEIGHT = 1 << 17


def linear(x: TensorLike, weight: TensorLike, bias: TensorLike | None = None) -> Tensor:
    """``x @ weight.T + bias`` for x (..., inputs), weight (outputs, inputs), bias (outputs,): of shape (..., outputs).

    Raises ShapeError, naming the weight, if the sizes do not fit.

    >>> import gradflow as gf
    >>> gf.linear(gf.tensor([1.0, 2.0]), gf.tensor([[3.0, 4.0]]), gf.tensor([0.5]))
    tensor([11.5])
    """
    x = asarray(x)
    if x.ndim == 2:
        return apply(_linear, x, weight, bias)
    if x.ndim == 0:
        raise ShapeError("linear: the input is a scalar; it must have a last dimension, the inputs")
    inputs = x.shape[-1]
    rows = x.size // inputs if inputs else int(np.prod(x.shape[:-1]))
    out = apply(_linear, reshape(x, (rows, inputs)), weight, bias)
    return reshape(out, (*x.shape[:-1], out.shape[-1]))


def _linear_spec(x: Spec, weight: Spec, bias: Spec) -> Spec:
    if len(weight.shape) != 2 or x.shape[-1] != weight.shape[1]:
        raise ShapeError(
            f"linear: weight is {weight.shape}, the input {x.shape}; weight is (outputs, inputs), "
            f"and the input's last size must be its inputs"
        )
    if bias.dtype is not type(None) and bias.shape != weight.shape[:1]:
        raise ShapeError(f"linear: bias is {bias.shape}, weight {weight.shape}; bias must be {weight.shape[:1]}")
    given = [each.dtype for each in (x, weight, bias) if each.dtype is not type(None)]
    return Spec((x.shape[0], weight.shape[0]), np.result_type(*given))


def _linear_forward(xp: Any, x: Any, weight: Any, bias: Any, *, out: Any = None) -> Any:
    if 1 < len(x) <= FEW_ROWS and weight.size >= LARGE_WEIGHT and isinstance(x, np.ndarray):
        return xp.add(product(xp, weight, x.T).T, 0 if bias is None else bias, out=out, order="C")
    out = product(xp, x, weight.T, out)
    return out if bias is None else xp.add(out, bias, out=out)


def _linear_cuda(x: Any, weight: Any, bias: Any, *, out: Any) -> Gemm | None:
    alike = all(each is None or each.dtype == out.dtype for each in (x, weight, bias))
    return Gemm(x, weight, out, transpose_b=True, bias=bias) if alike and computable(out.dtype) and out.size else None


_linear = Op(
    name="linear",
    forward=_linear_forward,
    spec=_linear_spec,
    cuda=_linear_cuda,
    linear=True,
    vjp=(
        lambda g, weight, into: apply(_matmul, g, conjugated(weight), transpose_a=False, transpose_b=False, into=into),
        lambda g, x, into: apply(_matmul, g, conjugated(x), transpose_a=True, transpose_b=False, into=into),
        lambda g, into: apply(reduce._sum, g, axes=(0,), keepdims=False, into=into),
    ),
    complex=True,
    samples=(
        sample(Real((3, 4)), Real((2, 4)), Real((2,))),
        sample(Real((3, 4)), Real((2, 4)), None),
        sample(Real((0, 4)), Real((2, 4)), Real((2,))),
        sample(Real((2, 512)), Real((256, 512)), Real((256,))),  # few rows and a large weight
    ),
    workloads=(
        sample(Real((128, 784)), Real((256, 784)), Real((256,))),
        sample(Real((16, 2048)), Real((2048, 2048)), Real((2048,))),
    ),
)
