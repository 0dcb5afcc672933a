"""The norm of several arrays as if they were one vector, and what is scaled down by it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradflow import dtypes
from gradflow.dispatch import apply
from gradflow.launch import THREADS, Array, Launch, Scratch, Table, Tickets, flat
from gradflow.op import Op, Spec
from gradflow.ops.pieces import LANES, apply_all, in_pieces, joined
from gradflow.samples import Real, sample
from gradflow.tensor import Tensor

ROUNDS = 8  # of LANES elements by each thread, as in kernels/joint_norm.cu


def joint_norm(*tensors: Tensor) -> Tensor:
    """The 2-norm of all elements of ``tensors`` together, accumulated in float64 over the arrays, without gradient."""
    return apply(_joint_norm, *tensors)


def _joint_norm_forward(xp: Any, *arrays: Any, out: Any = None) -> Any:
    result = xp.sqrt(sum(_squares(xp, x) for x in arrays)).astype(arrays[0].dtype)
    if out is None:
        return result
    out[...] = result
    return out


def _squares(xp: Any, x: Any) -> Any:
    wide = x.astype(dtypes.accumulator(x.dtype), copy=False)
    return xp.vdot(wide, wide).astype(dtypes.float64)


def _joint_norm_cuda(*arrays: Array, out: Array) -> Launch | None:
    given = [x for x in arrays if x.size]
    if not given or not all(flat(x) and x.dtype == out.dtype for x in given):
        return None
    share = THREADS * min(LANES, 16 // out.dtype.itemsize) * ROUNDS
    rows, blocks = [], 0
    for x in given:
        needed = -(-x.size // share)
        rows.append((x, x.size, needed, blocks))
        blocks += needed
    first, table, size = (given[0], None, given[0].size) if len(given) == 1 else (None, Table(tuple(rows)), 0)
    return Launch(
        "joint_norm", out.dtype, blocks, THREADS, (first, out, Scratch(8 * blocks), table, len(rows), Tickets(1), size)
    )


_joint_norm = Op(
    name="joint_norm",
    forward=_joint_norm_forward,
    cuda=_joint_norm_cuda,
    spec=lambda first, *others: Spec((), first.dtype),
    samples=(
        sample(Real((7,))),
        sample(Real((3, 4)), Real((2,)), Real((0,))),
        sample(Real((40_001,)), Real((300,))),
    ),
    workloads=(sample(Real((1 << 17,))),),
)


def clip_by_norm(tensors: Sequence[Tensor], norm: Tensor, *, max_norm: float) -> None:
    """Scale all ``tensors``, in place, by ``max_norm / (norm + 1e-6)`` if that is below 1."""
    apply_all(_clip_by_norm, _clip_by_norm_all, [(x, norm) for x in tensors], max_norm=max_norm)


def _clip_by_norm_forward(xp: Any, x: Any, norm: Any, *, max_norm: float) -> None:
    factor = xp.minimum(max_norm / (norm.astype(dtypes.float64) + 1e-6), 1.0)
    xp.multiply(x, factor.astype(x.dtype), out=x)


_clip_by_norm = Op(
    name="clip_by_norm",
    forward=_clip_by_norm_forward,
    cuda=in_pieces("clip_by_norm", 1, 2, lambda max_norm: (max_norm,)),
    spec=lambda x, norm, max_norm: None,
    scalar="factor = minimum(max_norm / (norm + 1e-6), 1)\nx * factor",
    mutates=(0,),
    samples=tuple(sample(Real(shape, 0.5, 1.0), Real((), 2.0, 3.0), max_norm=1.0) for shape in [(7,), (3, 4), (0, 2)]),
    workloads=(sample(Real((1 << 17,), 0.5, 1.0), Real((), 2.0, 3.0), max_norm=1.0),),
)

_clip_by_norm_all = joined(_clip_by_norm)
