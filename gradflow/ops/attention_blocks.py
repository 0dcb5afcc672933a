"""Attention and its gradient in blocks of queries, so that the matrix of all scores is never whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from gradflow.dispatch import apply
from gradflow.op import Op, Spec
from gradflow.ops.arithmetic import where
from gradflow.ops.create import zeros_like
from gradflow.ops.precision import Array, float_dtype, precision, stored
from gradflow.ops.ranges import arange
from gradflow.ops.reduce import sum as summed
from gradflow.ops.shape import reshape, swapaxes
from gradflow.ops.softmax import softmax
from gradflow.samples import Boolean, Real, Sample, sample
from gradflow.tensor import Tensor

# Scores are computed for so many at a time: on a CPU what its caches hold, on a GPU what keeps launches few.
CPU_ROOM = 1 << 18
GPU_ROOM = 1 << 26


def _blocks(xp: Any, q: Array, k: Array) -> Iterator[slice]:
    """Of the queries, as many at a time as have scores for the room there is."""
    room = CPU_ROOM if xp is np else GPU_ROOM
    rows = max(1, room // max(1, math.prod(k.shape[:-1])))
    return (slice(start, min(start + rows, q.shape[-2])) for start in range(0, q.shape[-2], rows))


def _block_weights(xp: Any, q: Array, k: Array, mask: Array, rows: slice, causal: bool, scale: float) -> Array:
    """The softmax of the scores of the queries ``rows``, and 0 for a query that sees nothing."""
    scores = xp.matmul(q[..., rows, :] * scale, k.swapaxes(-1, -2))
    if causal:
        hidden = xp.arange(k.shape[-2]) > xp.arange(rows.start, rows.stop)[:, None]
        scores = xp.where(hidden, -math.inf, scores)
    if mask is not None:
        part = mask if mask.ndim < 2 or mask.shape[-2] == 1 else mask[..., rows, :]
        scores = xp.where(part, scores, -math.inf) if part.dtype == bool else scores + part
    if not k.shape[-2]:
        return scores
    top = scores.max(axis=-1, keepdims=True)
    scores -= xp.where(xp.isinf(top), 0, top)
    weights = xp.exp(scores, out=scores)
    total = weights.sum(axis=-1, keepdims=True)
    weights /= xp.where(total == 0, 1, total)
    return weights


def _seen(rows: slice, k: Array, causal: bool) -> int:
    """How many keys the queries ``rows`` may see."""
    return min(rows.stop, k.shape[-2]) if causal else int(k.shape[-2])


def _part(mask: Array, keys: int) -> Array:
    return mask if mask is None or not mask.ndim or mask.shape[-1] == 1 else mask[..., :keys]


def _cast(dtype: Any, *arrays: Array) -> list[Array]:
    return [x if x is None or x.dtype.kind != "f" else x.astype(dtype, copy=False) for x in arrays]


def _attention_forward(
    xp: Any, q: Array, k: Array, v: Array, mask: Array, *, causal: bool, scale: float, out: Array | None = None
) -> Array:
    dtype, working = precision(q, k, v)
    q, k, v, mask = _cast(working, q, k, v, mask)
    result = xp.empty((*q.shape[:-1], v.shape[-1]), working)
    for rows in _blocks(xp, q, k):
        n = _seen(rows, k, causal)
        weights = _block_weights(xp, q, k[..., :n, :], _part(mask, n), rows, causal, scale)
        result[..., rows, :] = xp.matmul(weights, v[..., :n, :])
    return stored(result, dtype, out)


def _attention_grad_forward(
    xp: Any,
    g: Array,
    q: Array,
    k: Array,
    v: Array,
    mask: Array,
    *,
    of: str,
    causal: bool,
    scale: float,
    out: Array | None = None,
) -> Array:
    dtype, working = precision(g, q, k, v)
    g, q, k, v, mask = _cast(working, g, q, k, v, mask)
    result = xp.zeros({"q": q, "k": k, "v": v}[of].shape, working)
    for rows in _blocks(xp, q, k):
        n = _seen(rows, k, causal)
        keys, values, above = k[..., :n, :], v[..., :n, :], g[..., rows, :]
        weights = _block_weights(xp, q, keys, _part(mask, n), rows, causal, scale)
        there = result[..., rows, :] if of == "q" else result[..., :n, :]
        if of == "v":
            there += xp.matmul(weights.swapaxes(-1, -2), above)
            continue
        slope = xp.matmul(above, values.swapaxes(-1, -2))
        slope -= (weights * slope).sum(axis=-1, keepdims=True)
        slope *= weights
        slope *= scale
        there += xp.matmul(slope, keys) if of == "q" else xp.matmul(slope.swapaxes(-1, -2), q[..., rows, :])
    return stored(result, dtype, out)


def attention_weights(q: Tensor, k: Tensor, mask: Any, causal: bool, scale: float) -> Tensor:
    """The whole matrix of weights, of ops: what gradients of gradients are made of."""
    scores = (q * scale) @ swapaxes(k, -1, -2)
    if causal:
        device = q.device
        seen: Tensor = arange(k.shape[-2], device=device) <= reshape(arange(q.shape[-2], device=device), (-1, 1))
        mask = seen
    if mask is None:
        return softmax(scores, -1)
    if mask.dtype != bool:
        return softmax(scores + mask, -1)
    weights = softmax(where(mask, scores, -1e30 if scores.dtype != "float16" else -1e4), -1)
    return where(mask, weights, 0.0)


def _inner(p: Tensor, x: Tensor) -> Tensor:
    """The gradient of softmax: ``x``, that of weights ``p``, becomes that of scores."""
    return p * (x - summed(p * x, -1, keepdims=True))


def _mask_grad(g: Tensor, q: Tensor, k: Tensor, v: Tensor, mask: Tensor, causal: bool, scale: float) -> Tensor:
    return _inner(attention_weights(q, k, mask, causal, scale), g @ swapaxes(v, -1, -2))


class _Second:
    """The gradients of ``sum(h * attention_grad(g, q, k, v, mask))``, for the three that it may be of.

    With P the weights and X = g v^T, the gradient of scores is D = P (X - sum(P X)). That of q is scale D k, so the sum
    is that of D T with T = scale h k^T; for k it is T = scale q h^T. For v it is the sum of X' P with X' = g h^T.
    """

    def __init__(self, h: Tensor, g: Tensor, inputs: tuple[Any, ...], of: str, causal: bool, scale: float) -> None:
        q, k, v, mask = inputs
        self.h, self.g, self.q, self.k, self.v, self.of, self.scale = h, g, q, k, v, of, scale
        p = attention_weights(q, k, mask, causal, scale)
        if of == "v":
            self.by_x, self.by_scores, self.slope = p, _inner(p, g @ swapaxes(h, -1, -2)), None
            return
        x = g @ swapaxes(v, -1, -2)
        t = (h @ swapaxes(k, -1, -2) if of == "q" else q @ swapaxes(h, -1, -2)) * scale
        self.by_x = _inner(p, t)
        total_t, total_x = (summed(p * each, -1, keepdims=True) for each in (t, x))
        self.by_scores = _inner(p, (x - total_x) * t - x * total_t)
        self.slope = _inner(p, x)

    def by_g(self) -> Tensor:
        return self.by_x @ (self.h if self.of == "v" else self.v)

    def by_v(self) -> Tensor:
        return zeros_like(self.v) if self.of == "v" else swapaxes(self.by_x, -1, -2) @ self.g

    def by_q(self) -> Tensor:
        found: Tensor = (self.by_scores @ self.k) * self.scale
        if self.of == "k":
            assert self.slope is not None
            found = found + (self.slope @ self.h) * self.scale
        return found

    def by_k(self) -> Tensor:
        found: Tensor = (swapaxes(self.by_scores, -1, -2) @ self.q) * self.scale
        if self.of == "q":
            assert self.slope is not None
            found = found + (swapaxes(self.slope, -1, -2) @ self.h) * self.scale
        return found


def _attention_spec(q: Spec, k: Spec, v: Spec, mask: Spec, causal: bool, scale: float) -> Spec:
    return Spec((*q.shape[:-1], v.shape[-1]), float_dtype(q.dtype, k.dtype, v.dtype))


def _grad_spec(g: Spec, q: Spec, k: Spec, v: Spec, mask: Spec, of: str, causal: bool, scale: float) -> Spec:
    return Spec({"q": q, "k": k, "v": v}[of].shape, float_dtype(*(x.dtype for x in (g, q, k, v))))


def _grad(g: Tensor, q: Tensor, k: Tensor, v: Tensor, mask: Any, of: str, causal: bool, scale: float) -> Tensor:
    return apply(_attention_grad, g, q, k, v, mask, of=of, causal=causal, scale=scale)


_INPUTS = (
    (Real((2, 3, 4)), Real((2, 5, 4)), Real((2, 5, 2)), None, False),
    (Real((4, 2)), Real((4, 2)), Real((4, 3)), None, True),
    (Real((2, 3, 2)), Real((2, 4, 2)), Real((2, 4, 2)), Boolean((3, 4)), False),
    (Real((2, 3, 2)), Real((2, 4, 2)), Real((2, 4, 2)), Real((2, 1, 4)), False),
    (Real((0, 3, 2)), Real((0, 4, 2)), Real((0, 4, 2)), None, False),
)


def _grad_samples() -> tuple[Sample, ...]:
    return tuple(
        sample(Real((*q.shape[:-1], v.shape[-1])), q, k, v, mask, of=of, causal=causal, scale=0.7)
        for of in "qkv"
        for q, k, v, mask, causal in _INPUTS
    )


# of attention in ``of`` of q, k and v
_attention_grad: Op = Op(
    name="attention_grad",
    forward=_attention_grad_forward,
    spec=_grad_spec,
    vjp=(
        lambda h, g, q, k, v, mask, of, causal, scale: _Second(h, g, (q, k, v, mask), of, causal, scale).by_g(),
        lambda h, g, q, k, v, mask, of, causal, scale: _Second(h, g, (q, k, v, mask), of, causal, scale).by_q(),
        lambda h, g, q, k, v, mask, of, causal, scale: _Second(h, g, (q, k, v, mask), of, causal, scale).by_k(),
        lambda h, g, q, k, v, mask, of, causal, scale: _Second(h, g, (q, k, v, mask), of, causal, scale).by_v(),
        lambda h, g, q, k, v, mask, of, causal, scale: _Second(h, g, (q, k, v, mask), of, causal, scale).by_scores,
    ),
    samples=_grad_samples(),
)

# softmax(q @ k.T * scale + mask) @ v, for q, k and v with the same leading dimensions
_attention: Op = Op(
    name="attention",
    forward=_attention_forward,
    spec=_attention_spec,
    vjp=(
        lambda g, q, k, v, mask, causal, scale: _grad(g, q, k, v, mask, "q", causal, scale),
        lambda g, q, k, v, mask, causal, scale: _grad(g, q, k, v, mask, "k", causal, scale),
        lambda g, q, k, v, mask, causal, scale: _grad(g, q, k, v, mask, "v", causal, scale),
        _mask_grad,
    ),
    samples=tuple(sample(q, k, v, mask, causal=causal, scale=0.7) for q, k, v, mask, causal in _INPUTS),
)
