"""Products of matrices: cuBLAS calls in CuPy, which it refuses during a capture; they do not flush subnormals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

UNSUPPORTED = "calling cuBLAS API during stream capture is currently unsupported"


def product(xp: Any, name: str, function: Callable[..., Any], operands: Sequence[Any], out: Any = None) -> Any:
    """``function``, one call of cuBLAS, with 16-bit floats added up in float32."""
    if xp.machine.capture(xp.machine.begin()) is not None:
        raise NotImplementedError(UNSUPPORTED)

    def multiplied(*views: Any) -> Any:
        if all(x.dtype == np.float16 for x in views):
            return np.asarray(function(*(x.astype(np.float32) for x in views))).astype(np.float16)
        result = np.asarray(function(*views))
        if out is not None and out.shape != result.shape:
            raise ValueError(f"Output array has the wrong shape: it is {out.shape}, the result {result.shape}")
        return result

    for each in operands:
        if not isinstance(each, xp.ndarray):
            raise TypeError(f"Unsupported type {type(each)}")
    return xp.machine.compute(name, multiplied, operands, out, "gemm")


def matmul(xp: Any, x1: Any, x2: Any, /, out: Any = None, *, casting: Any = "same_kind", dtype: Any = None) -> Any:
    if isinstance(x1, xp.ndarray) and isinstance(x2, xp.ndarray) and not (x1.ndim and x2.ndim):
        raise ValueError("matmul: Input operand does not have enough dimensions")
    if out is not None and not np.can_cast(np.result_type(x1._a, x2._a), out.dtype, casting):
        raise TypeError(f"matmul: the result cannot be cast to {out.dtype} with casting rule {casting!r}")
    if dtype is not None:
        x1, x2 = (x.astype(dtype, copy=False) for x in (x1, x2))
    return product(xp, "matmul", np.matmul, (x1, x2), out)


def dot(xp: Any, a: Any, b: Any, out: Any = None) -> Any:
    if not getattr(a, "ndim", 0) or not getattr(b, "ndim", 0):
        return xp.multiply(a, b, out=out)
    if out is not None and (not out.flags.c_contiguous or out.dtype != np.result_type(a._a, b._a)):
        raise ValueError("Output array must be C-contiguous and of the dtype of the result")
    return product(xp, "dot", np.dot, (a, b), out)


def vdot(xp: Any, a: Any, b: Any) -> Any:
    return product(xp, "vdot", np.vdot, (a, b))


def inner(xp: Any, a: Any, b: Any) -> Any:
    return product(xp, "inner", np.inner, (a, b))


def tensordot(xp: Any, a: Any, b: Any, axes: Any = 2) -> Any:
    return product(xp, "tensordot", lambda x, y: np.tensordot(x, y, axes), (a, b))


def outer(xp: Any, a: Any, b: Any, out: Any = None) -> Any:
    return xp.multiply(a.reshape(-1, 1), b.reshape(1, -1), out=out)


def einsum(xp: Any, *operands: Any, **kwargs: Any) -> Any:
    """Einstein's sums; a contraction is a product of matrices, anything else a kernel."""
    unknown = set(kwargs) - {"out", "optimize", "dtype", "order", "casting"}
    if unknown:
        raise TypeError(f"Did not understand the following kwargs: {sorted(unknown)}")
    out, dtype = kwargs.get("out"), kwargs.get("dtype")
    subscripts, *arrays = operands
    if not isinstance(subscripts, str):
        raise NotImplementedError("the simulated einsum takes subscripts as a string")

    def computed(*views: Any) -> Any:
        return np.einsum(subscripts, *views, dtype=dtype, optimize=len(views) > 2)

    if len(arrays) > 1 and _contracts(subscripts):
        return product(xp, "einsum", computed, arrays, out)
    return xp.machine.compute("einsum", computed, arrays, out)


def _contracts(subscripts: str) -> bool:
    """Whether an index of two operands is summed over."""
    inputs, arrow, result = subscripts.replace(" ", "").partition("->")
    letters = [each for each in inputs if each.isalpha()]
    kept = set(result) if arrow else {each for each in letters if letters.count(each) == 1}
    return any(letters.count(each) > 1 and each not in kept for each in letters)


def trace(xp: Any, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
    return xp.sum(a.diagonal(offset, axis1, axis2), axis=-1, dtype=dtype, out=out)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "matmul": matmul, "dot": dot, "vdot": vdot, "inner": inner, "outer": outer, "tensordot": tensordot,
    "einsum": einsum, "trace": trace,
}  # fmt: skip
