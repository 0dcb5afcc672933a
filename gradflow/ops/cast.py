"""The same values in another dtype."""

from __future__ import annotations

from typing import Any

from gradflow import dtypes
from gradflow.dispatch import apply
from gradflow.dtypes import DType, DTypeLike
from gradflow.op import Op, Spec
from gradflow.samples import Real, sample
from gradflow.tensor import Tensor, TensorLike, operand


def astype(x: TensorLike, dtype: DTypeLike) -> Tensor:
    """``x`` in ``dtype``; itself if it is in it already. The gradient comes back in the dtype of ``x``.

    >>> import gradflow as gf
    >>> gf.astype(gf.tensor([1.7, -1.7]), gf.int64)
    tensor([ 1, -1])
    """
    wanted = dtypes.as_dtype(dtype)
    given = operand(x)
    if isinstance(given, Tensor) and given.dtype == wanted:
        return given
    return apply(_astype, given, dtype=wanted)


def _astype_forward(xp: Any, x: Any, *, dtype: DType, out: Any = None) -> Any:
    if out is None:
        return x.astype(dtype)
    out[...] = x
    return out


def _astype_scalar(x: Spec, dtype: DType) -> str | None:
    """Not to integers: what becomes of a number that they do not hold is a processor's own way."""
    return "x" if dtypes.is_floating(dtype) else "x != 0" if dtype == dtypes.bool_ else None


_astype = Op(
    name="astype",
    forward=_astype_forward,
    spec=lambda x, dtype: Spec(x.shape, dtype),
    scalar=_astype_scalar,
    vjp=(lambda g, specs, dtype: g.astype(specs[0].dtype) if dtypes.is_floating(dtype) else None,),
    samples=tuple(sample(Real(shape), dtype=dtypes.float64) for shape in [(), (3, 4), (0, 2)]),
)
