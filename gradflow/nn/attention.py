"""Attention of several heads, with learned projections."""

from __future__ import annotations

import math
from typing import Any

from gradflow.device import Device
from gradflow.dtypes import DTypeLike
from gradflow.errors import ArgumentError, ShapeError
from gradflow.nn import init
from gradflow.nn.linear import Linear
from gradflow.nn.module import Module
from gradflow.nn.parameter import Parameter
from gradflow.ops.arithmetic import where
from gradflow.ops.attention import check_mask, scaled_dot_product_attention
from gradflow.ops.attention_blocks import attention_weights
from gradflow.ops.create import asarray, zeros
from gradflow.ops.linalg import linear
from gradflow.ops.logic import logical_not
from gradflow.ops.random import dropout
from gradflow.ops.reduce import mean
from gradflow.ops.shape import expand_dims, permute_dims, reshape, squeeze, swapaxes
from gradflow.tensor import Tensor, TensorLike


class MultiheadAttention(Module):
    """Attention of ``num_heads`` heads of ``embed_dim / num_heads`` features each, with learned projections.

    Called with query (L, N, E), key (S, N, E) and value (S, N, E), or with N first if ``batch_first``, or without N, it
    returns the result (L, N, E) and the weights (N, L, S), the mean over the heads, or (N, heads, L, S) with
    ``average_attn_weights=False``, or None with ``need_weights=False``, which spares the memory of all scores.
    In ``key_padding_mask`` (N, S) and ``attn_mask`` (L, S) or (N * heads, L, S) True means hidden, as in PyTorch (and
    not as in ``scaled_dot_product_attention``); numbers are added to the scores. ``is_causal`` hides later keys where
    no ``attn_mask`` is given. ``kdim`` and ``vdim`` are the features of key and value, by default ``embed_dim``.

    Parameters are PyTorch's: ``in_proj_weight`` (3 E, E), or ``q_proj_weight``, ``k_proj_weight`` and
    ``v_proj_weight`` if ``kdim`` or ``vdim`` differ, ``in_proj_bias`` and ``out_proj``.
    Raises ArgumentError unless the heads divide ``embed_dim``, ShapeError for inputs that do not fit.
    Source: Vaswani et al., "Attention is all you need", NeurIPS 2017.

    >>> import gradflow as gf
    >>> attend = gf.nn.MultiheadAttention(8, 2, batch_first=True)
    >>> out, weights = attend(gf.ones((3, 5, 8)), gf.ones((3, 4, 8)), gf.ones((3, 4, 8)))
    >>> out.shape, weights.shape
    ((3, 5, 8), (3, 5, 4))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: str | Device | None = None,
        dtype: DTypeLike = None,
    ) -> None:
        super().__init__()
        if num_heads < 1 or embed_dim < 1 or embed_dim % num_heads:
            raise ArgumentError(f"MultiheadAttention: embed_dim {embed_dim} is no multiple of num_heads {num_heads}")
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim, self.vdim = kdim or embed_dim, vdim or embed_dim

        def begun(rows: int, columns: int) -> Parameter:
            weight = Parameter(zeros((rows, columns), dtype=dtype, device=device))
            init.xavier_uniform_(weight)
            return weight

        if self.kdim == self.vdim == embed_dim:
            self.in_proj_weight = begun(3 * embed_dim, embed_dim)
        else:
            self.q_proj_weight = begun(embed_dim, embed_dim)
            self.k_proj_weight = begun(embed_dim, self.kdim)
            self.v_proj_weight = begun(embed_dim, self.vdim)
        self.in_proj_bias = Parameter(zeros(3 * embed_dim, dtype=dtype, device=device)) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, device=device, dtype=dtype)
        if self.out_proj.bias is not None:
            init.zeros_(self.out_proj.bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: TensorLike = None,
        need_weights: bool = True,
        attn_mask: TensorLike = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        single = query.ndim == 2
        given = [self._batch_first(x, single) for x in (query, key, value)]
        self._check(*given)
        q, k, v = (self._heads(x, i) for i, x in enumerate(given))
        mask = self._mask(q, k, key_padding_mask, attn_mask)
        causal = is_causal and mask is None
        dropped = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            weights = attention_weights(q, k, mask, causal, 1 / math.sqrt(q.shape[-1]))
            weights = dropout(weights, dropped) if dropped else weights
            out = weights @ v
            weights = mean(weights, 1) if average_attn_weights else weights
        else:
            out = scaled_dot_product_attention(q, k, v, mask, dropped, causal)
        samples, _, queries, _ = out.shape
        joined = self.out_proj(reshape(swapaxes(out, 1, 2), (samples, queries, self.embed_dim)))
        if single:
            return squeeze(joined, 0), None if weights is None else squeeze(weights, 0)
        return joined if self.batch_first else swapaxes(joined, 0, 1), weights

    def _batch_first(self, x: Tensor, single: bool) -> Tensor:
        if x.ndim != 3 - single:
            raise ShapeError(
                f"MultiheadAttention: query, key and value must have 3 dimensions, or each 2; one is {x.shape}"
            )
        return expand_dims(x, 0) if single else x if self.batch_first else swapaxes(x, 0, 1)

    def _check(self, q: Tensor, k: Tensor, v: Tensor) -> None:
        features = (self.embed_dim, self.kdim, self.vdim)
        if (q.shape[2], k.shape[2], v.shape[2]) != features or len({x.shape[0] for x in (q, k, v)}) > 1:
            raise ShapeError(
                f"MultiheadAttention: query, key and value are {q.shape}, {k.shape} and {v.shape} (samples first); "
                f"samples must agree, and the last sizes be {features}"
            )
        if k.shape[1] != v.shape[1]:
            raise ShapeError(f"MultiheadAttention: key and value have {k.shape[1]} and {v.shape[1]} places")

    def _heads(self, x: Tensor, which: int) -> Tensor:
        """``x`` (N, places, features), projected for q, k or v: (N, heads, places, features of a head)."""
        part = slice(which * self.embed_dim, (which + 1) * self.embed_dim)
        if self.kdim == self.vdim == self.embed_dim:
            weight = self.in_proj_weight[part]
        else:
            weight = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)[which]
        projected = linear(x, weight, None if self.in_proj_bias is None else self.in_proj_bias[part])
        shape = (*x.shape[:2], self.num_heads, self.embed_dim // self.num_heads)
        return permute_dims(reshape(projected, shape), (0, 2, 1, 3))

    def _mask(self, q: Tensor, k: Tensor, padding: TensorLike, attn_mask: TensorLike) -> Any:
        """Both masks as one of ``scaled_dot_product_attention``."""
        samples, heads, queries, _ = q.shape
        keys = k.shape[2]
        masks: list[Tensor] = []
        for name, given, shapes in (
            ("key_padding_mask", padding, {(samples, keys): (samples, 1, 1, keys), (keys,): (1, 1, 1, keys)}),
            (
                "attn_mask",
                attn_mask,
                {
                    (queries, keys): (1, 1, queries, keys),
                    (samples * heads, queries, keys): (samples, heads, queries, keys),
                },
            ),
        ):
            if given is None:
                continue
            mask = asarray(given)
            check_mask("MultiheadAttention", name, mask)
            if mask.shape not in shapes:
                raise ShapeError(
                    f"MultiheadAttention: {name} is {mask.shape}; it must be {' or '.join(map(str, shapes))}"
                )
            masks.append(reshape(mask, shapes[mask.shape]))
        if not masks:
            return None
        if all(mask.dtype == bool for mask in masks):
            seen = [logical_not(mask) for mask in masks]
            return seen[0] if len(seen) == 1 else seen[0] & seen[1]
        added = [
            where(mask, -math.inf, zeros((), dtype=q.dtype, device=q.device)) if mask.dtype == bool else mask
            for mask in masks
        ]
        return added[0] if len(added) == 1 else added[0] + added[1]

    def extra_repr(self) -> str:
        return f"{self.embed_dim}, {self.num_heads}"
