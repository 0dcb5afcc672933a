"""Scaled dot-product attention."""

from __future__ import annotations

import math

from gradflow.dispatch import apply
from gradflow.errors import ArgumentError, DTypeError, ShapeError
from gradflow.ops.attention_blocks import _attention, attention_weights
from gradflow.ops.create import asarray
from gradflow.ops.random import dropout
from gradflow.ops.rearrange import repeat
from gradflow.shapes import broadcast
from gradflow.tensor import Tensor, TensorLike


def scaled_dot_product_attention(
    query: TensorLike,
    key: TensorLike,
    value: TensorLike,
    attn_mask: TensorLike = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``softmax(query @ key.T * scale + attn_mask) @ value``: (..., L, E), (..., S, E), (..., S, Ev) -> (..., L, Ev).

    ``scale`` is 1 / sqrt(E) by default. ``attn_mask`` broadcasts to (..., L, S): booleans say which keys a query sees,
    numbers are added to the scores. With ``is_causal`` query i sees the keys up to i; a mask may not be given too.
    ``enable_gqa`` repeats the heads of key and value, dimension -3, for those of the query. Weights are dropped with
    probability ``dropout_p``. A query that sees nothing gives 0. Memory is that of a few queries' scores at a time,
    also for the gradient, but not for dropout, for the gradient of a mask or of a gradient.

    Raises ShapeError if shapes do not fit, ArgumentError for a mask with ``is_causal``.
    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017; Rabe & Staats, "Self-attention does not need
    O(n^2) memory", 2021.

    >>> import gradflow as gf, gradflow.nn.functional as F
    >>> q, v = gf.tensor([[1.0], [2.0]]), gf.tensor([[10.0], [20.0]])
    >>> F.scaled_dot_product_attention(q, gf.zeros((2, 1)), v, is_causal=True)
    tensor([[10.],
            [15.]])
    """
    q, k, v = asarray(query), asarray(key), asarray(value)
    mask = None if attn_mask is None else asarray(attn_mask)
    if is_causal and mask is not None:
        raise ArgumentError("scaled_dot_product_attention: give is_causal or attn_mask, and not both")
    if enable_gqa:
        k, v = _repeated(q, k), _repeated(q, v)
    _check(q, k, v, mask)
    factor = 1 / math.sqrt(max(q.shape[-1], 1)) if scale is None else float(scale)
    if not dropout_p:
        return apply(_attention, *_broadcast(q, k, v), mask, causal=bool(is_causal), scale=factor)
    return dropout(attention_weights(q, k, mask, bool(is_causal), factor), dropout_p) @ v


def _repeated(q: Tensor, x: Tensor) -> Tensor:
    if q.ndim < 3 or x.ndim < 3 or not x.shape[-3] or q.shape[-3] % x.shape[-3]:
        raise ShapeError(
            f"scaled_dot_product_attention: enable_gqa needs heads, dimension -3, of the query, {q.shape}, that are a "
            f"multiple of those of key and value, {x.shape}"
        )
    return x if q.shape[-3] == x.shape[-3] else repeat(x, q.shape[-3] // x.shape[-3], axis=-3)


def check_mask(name: str, argument: str, mask: Tensor) -> None:
    """Raise DTypeError for a mask of integers: are they 0 and 1, or scores?"""
    if mask.dtype.kind in "iu":
        raise DTypeError(
            f"{name}: {argument} is {mask.dtype}; booleans mask, and floating numbers are added to the scores: "
            "use .astype('bool') or .astype('float32')"
        )


def _check(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> None:
    name = "scaled_dot_product_attention"
    if min(q.ndim, k.ndim, v.ndim) < 2 or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ShapeError(
            f"{name}: query {q.shape}, key {k.shape} and value {v.shape} must be (..., L, E), (..., S, E), (..., S, Ev)"
        )
    shape = (*broadcast(name, q.shape[:-2], k.shape[:-2], v.shape[:-2]), q.shape[-2], k.shape[-2])
    if mask is not None:
        check_mask(name, "attn_mask", mask)
    if mask is not None and broadcast(name, mask.shape, shape) != shape:
        raise ShapeError(f"{name}: attn_mask is {mask.shape}; it must broadcast to the scores, {shape}")


def _broadcast(*tensors: Tensor) -> list[Tensor]:
    """The same leading dimensions for all."""
    lead = broadcast("scaled_dot_product_attention", *(x.shape[:-2] for x in tensors))
    return [x if x.shape[:-2] == lead else x.broadcast_to((*lead, *x.shape[-2:])) for x in tensors]
