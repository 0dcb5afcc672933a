"""Whether numbers are as good as equal; no gradient flows."""

from __future__ import annotations

from gradflow.ops.arithmetic import where
from gradflow.ops.create import asarray
from gradflow.ops.elementwise import abs
from gradflow.ops.logic import isfinite, isnan
from gradflow.ops.reduce import all
from gradflow.tensor import Tensor, TensorLike, tensor


def isclose(a: TensorLike, b: TensorLike, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether ``abs(a - b) <= atol + rtol * abs(b)``, elementwise with broadcasting; equal infinities are close.

    NaN is close to NaN with ``equal_nan`` alone.

    >>> import gradflow as gf
    >>> gf.isclose(gf.tensor([1.0, 2.0]), gf.tensor([1.0000001, 2.1]))
    tensor([ True, False])
    """
    a, b = asarray(a).detach(), asarray(b).detach()
    if "b" in (a.dtype.kind, b.dtype.kind):
        a, b = a.astype("float32"), b.astype("float32")
    finite = isfinite(a) & isfinite(b)
    left, right = where(finite, a, 0), where(finite, b, 0)
    close = where(finite, abs(left - right) <= atol + rtol * abs(right), a == b)
    return close | (isnan(a) & isnan(b)) if equal_nan else close


def allclose(a: TensorLike, b: TensorLike, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether all elements are close (see ``isclose``), as a bool tensor of shape (); ``bool`` of it waits for it.

    >>> import gradflow as gf
    >>> gf.allclose(gf.tensor([1.0, 2.0]), gf.tensor([1.0, 2.1]))
    tensor(False)
    """
    return all(isclose(a, b, rtol, atol, equal_nan))


def array_equal(a: TensorLike, b: TensorLike, equal_nan: bool = False) -> Tensor:
    """Whether shapes are the same and all elements equal, as a bool tensor of shape ().

    >>> import gradflow as gf
    >>> gf.array_equal(gf.tensor([1.0]), gf.tensor([1.0, 1.0]))
    tensor(False)
    """
    a, b = asarray(a), asarray(b)
    if a.shape != b.shape:
        return tensor(False, device=a.device)
    same = a == b
    return all(same | (isnan(a) & isnan(b)) if equal_nan else same)
