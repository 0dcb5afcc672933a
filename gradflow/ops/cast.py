"""The same values in another dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow import dtypes
from gradflow.dispatch import apply
from gradflow.dtypes import DType, DTypeLike
from gradflow.errors import DTypeError
from gradflow.op import Op, Spec
from gradflow.samples import Real, sample
from gradflow.tensor import Tensor, TensorLike, check_on, operand


def astype(x: TensorLike, dtype: DTypeLike, *, copy: bool = False) -> Tensor:
    """``x`` in ``dtype``; itself if it is in it already, and no ``copy`` is asked for.

    The gradient comes back in the dtype of ``x``. Raises DTypeError for complex numbers in a dtype of real ones: take
    gf.real, gf.imag or gf.abs first.

    >>> import gradflow as gf
    >>> gf.astype(gf.tensor([1.7, -1.7]), gf.int64)
    tensor([ 1, -1])
    """
    wanted = dtypes.as_dtype(dtype)
    given = operand(x)
    if isinstance(given, Tensor) and given.dtype == wanted and not copy:
        return given
    if isinstance(given, Tensor) and dtypes.is_bfloat16(wanted):
        check_on(wanted, given.device)
    return apply(_astype, given, dtype=wanted)


def _astype_spec(x: Spec, dtype: DType) -> Spec:
    if dtype.kind not in "cb" and np.dtype(x.dtype).kind == "c":
        raise DTypeError(f"astype: {x.dtype} has no {dtype}; take gf.real, gf.imag or gf.abs of it first")
    return Spec(x.shape, dtype)


def _astype_forward(xp: Any, x: Any, *, dtype: DType, out: Any = None) -> Any:
    if out is None:
        return x.astype(dtype, order="C")
    out[...] = x
    return out


def _astype_scalar(x: Spec, dtype: DType) -> str | None:
    """Not to integers: what becomes of a number that they do not hold is a processor's own way."""
    return "x" if dtypes.is_floating(dtype) else "x != 0" if dtype == dtypes.bool_ else None


def _astype_vjp(g: Tensor, specs: tuple[Spec, ...], dtype: DType) -> Tensor | None:
    if not dtypes.is_differentiable(dtype):
        return None
    back = np.dtype(specs[0].dtype)
    return (g.real if dtype.kind == "c" != back.kind else g).astype(back)


_astype = Op(
    name="astype",
    forward=_astype_forward,
    spec=_astype_spec,
    scalar=_astype_scalar,
    vjp=(_astype_vjp,),
    complex=True,
    samples=tuple(sample(Real(shape), dtype=dtypes.float64) for shape in [(), (3, 4), (0, 2)]),
)
