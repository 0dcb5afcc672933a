"""The norm of several arrays as if they were one vector."""

from __future__ import annotations

from typing import Any

from gradflow import dtypes
from gradflow.dispatch import apply
from gradflow.op import Op, Spec
from gradflow.samples import Real, sample
from gradflow.tensor import Tensor


def joint_norm(*tensors: Tensor) -> Tensor:
    """The 2-norm of all elements of ``tensors`` together, accumulated in float64 over the arrays, without gradient."""
    return apply(_joint_norm, *tensors)


def _joint_norm_forward(xp: Any, *arrays: Any, out: Any = None) -> Any:
    total = sum(xp.vdot(x, x).astype(dtypes.float64) for x in arrays)
    result = xp.sqrt(total).astype(arrays[0].dtype)
    if out is None:
        return result
    out[...] = result
    return out


_joint_norm = Op(
    name="joint_norm",
    forward=_joint_norm_forward,
    spec=lambda first, *others: Spec((), first.dtype),
    samples=(sample(Real((7,))), sample(Real((3, 4)), Real((2,)), Real((0,)))),
)
