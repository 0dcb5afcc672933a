"""Attention: values and gradients against PyTorch and against the formula, memory, and what is refused."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import gradflow as gf
import gradflow.nn.functional as F
from gradflow.errors import ArgumentError, ShapeError
from gradflow.ops import attention_blocks
from oracles import against_torch


def inputs(rng, lead=(2, 3), queries=7, keys=5, features=4, values=6):
    shapes = (queries, features), (keys, features), (keys, values)
    return [rng.standard_normal((*lead, *shape)) for shape in shapes]


def both(torch):
    return torch, F.scaled_dot_product_attention, torch.nn.functional.scaled_dot_product_attention


@pytest.mark.parametrize("room", [1, 40, 1 << 18])
@pytest.mark.parametrize("how", [{}, {"scale": 0.3}, {"is_causal": True}], ids=str)
@pytest.mark.parametrize(("queries", "keys"), [(7, 5), (5, 7), (6, 6)])
def test_attention_in_blocks_of_any_size_is_torchs(queries, keys, how, room, monkeypatch, torch, rng):
    monkeypatch.setattr(attention_blocks, "CPU_ROOM", room)
    against_torch(*both(torch), *inputs(rng, queries=queries, keys=keys), **how)


@pytest.mark.parametrize("room", [1, 1 << 18])
@pytest.mark.parametrize("shape", [(7, 5), (2, 3, 7, 5), (2, 1, 1, 5), (7, 1)])
def test_masks_of_numbers_and_of_booleans_are_torchs(shape, room, monkeypatch, torch, rng):
    monkeypatch.setattr(attention_blocks, "CPU_ROOM", room)
    against_torch(*both(torch), *inputs(rng), rng.standard_normal(shape))
    seen = rng.random(shape) < 0.7
    seen[..., 0] = True
    against_torch(*both(torch), *inputs(rng), seen)


def test_heads_are_shared_and_leading_dimensions_broadcast(torch, rng):
    q, _, _ = inputs(rng, (2, 6))
    _, k, v = inputs(rng, (2, 3))
    against_torch(*both(torch), q, k, v, enable_gqa=True)
    against_torch(*both(torch), q, k[:, :1], v[:, :1])


def test_a_query_that_sees_nothing_gives_zero_and_no_gradient(rng):
    q, k, v = (gf.tensor(x, requires_grad=True) for x in inputs(rng, ()))
    seen = np.ones((7, 5), bool)
    seen[3] = False
    out = F.scaled_dot_product_attention(q, k, v, seen)
    out.sum().backward()
    assert out.tolist()[3] == [0] * 6 and q.grad.tolist()[3] == [0] * 4
    assert np.isfinite(k.grad.numpy()).all() and np.isfinite(v.grad.numpy()).all()


def test_scores_of_a_long_sequence_are_never_whole_forward_or_backward(rng):
    n = 2048
    q, k, v = (gf.tensor(rng.standard_normal((n, 8)), "float32", requires_grad=True) for _ in range(3))
    F.scaled_dot_product_attention(q, k, v, is_causal=True).sum().backward()
    tracemalloc.start()
    F.scaled_dot_product_attention(q, k, v, is_causal=True).sum().backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * n * n / 2


def test_dropout_drops_weights_and_keeps_their_mean(rng):
    gf.manual_seed(0)
    q, k = gf.zeros((1, 4)), gf.zeros((4000, 4))
    out = F.scaled_dot_product_attention(q, k, gf.ones((4000, 1)), dropout_p=0.25).item()
    assert out != 1 and abs(out - 1) < 0.05


Q, K, V = np.ones((3, 4)), np.ones((5, 4)), np.ones((5, 2))


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (ShapeError, "must be .*L, E", lambda: F.scaled_dot_product_attention(Q, V, K)),
        (ShapeError, "must be .*L, E", lambda: F.scaled_dot_product_attention(Q, K, V[:2])),
        (ShapeError, "attn_mask is .2, 3, 5.", lambda: F.scaled_dot_product_attention(Q, K, V, np.ones((2, 3, 5)))),
        (ArgumentError, "not both", lambda: F.scaled_dot_product_attention(Q, K, V, np.ones((3, 5)), is_causal=True)),
        (ShapeError, "enable_gqa needs heads", lambda: F.scaled_dot_product_attention(Q, K, V, enable_gqa=True)),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(error, message, call):
    with pytest.raises(error, match=message):
        call()
