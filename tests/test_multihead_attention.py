"""nn.MultiheadAttention: PyTorch's weights, results and gradients, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow import nn
from gradflow.errors import ArgumentError, ShapeError
from oracles import assert_close


def pair(torch, **how):
    theirs = torch.nn.MultiheadAttention(8, 2, **how, dtype=torch.float64)
    ours = nn.MultiheadAttention(8, 2, **how, dtype="float64")
    with torch.no_grad():
        for p in theirs.parameters():
            p.uniform_(-0.5, 0.5)
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: tuple(v.shape) for k, v in theirs.state_dict().items()
    }
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    return ours, theirs


def compare(torch, ours, theirs, arrays, **how):
    mine = [gf.tensor(x, requires_grad=True) for x in arrays]
    given = [torch.from_numpy(x).requires_grad_() for x in arrays]
    found = ours(*mine, **how)
    masks = {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in how.items()}
    expected = theirs(*given, **masks)
    for a, b in zip(found, expected, strict=True):
        assert (a is None) == (b is None)
        if b is not None:
            assert_close(a.detach().numpy(), b.detach().numpy())
    (found[0] ** 2).sum().backward()
    (expected[0] ** 2).sum().backward()
    for a, b in zip([*mine, *ours.parameters()], [*given, *theirs.parameters()], strict=True):
        assert_close(a.grad.numpy(), b.grad.numpy())


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize(
    "how", [{}, {"bias": False, "batch_first": True}, {"kdim": 6, "vdim": 4, "batch_first": True}], ids=str
)
def test_results_weights_and_gradients_are_torchs(how, need_weights, torch, rng):
    ours, theirs = pair(torch, **how)
    lead = (lambda n: (3, n)) if how.get("batch_first") else (lambda n: (n, 3))
    features = (8, how.get("kdim", 8), how.get("vdim", 8))
    arrays = [rng.standard_normal((*lead(n), f)) for n, f in zip((5, 4, 4), features, strict=True)]
    compare(torch, ours, theirs, arrays, need_weights=need_weights)


@pytest.mark.parametrize("kind", ["padding", "scores", "both", "numbers", "each head"])
@pytest.mark.parametrize("need_weights", [True, False])
def test_masks_are_torchs(kind, need_weights, torch, rng):
    ours, theirs = pair(torch, batch_first=True)
    arrays = [rng.standard_normal((3, n, 8)) for n in (5, 4, 4)]
    padding = np.array([[False, False, True, True], [False] * 4, [False, False, False, True]])
    scores = np.triu(np.ones((5, 4), bool), 2)
    masks = {
        "padding": {"key_padding_mask": padding},
        "scores": {"attn_mask": scores},
        "both": {"key_padding_mask": padding, "attn_mask": scores},
        "numbers": {"attn_mask": rng.standard_normal((5, 4))},
        "each head": {"attn_mask": np.broadcast_to(scores, (6, 5, 4)).copy()},
    }
    compare(torch, ours, theirs, arrays, **masks[kind], need_weights=need_weights, average_attn_weights=False)


def test_a_single_sample_and_a_causal_layer(torch, rng):
    ours, theirs = pair(torch)
    x = rng.standard_normal((5, 8))
    compare(torch, ours, theirs, [x, x.copy(), x.copy()])
    hidden = np.triu(np.ones((5, 5), bool), 1)
    given = [gf.tensor(x)] * 3
    for need_weights in (True, False):
        causal, masked = (
            ours(*given, need_weights=need_weights, **how)[0] for how in ({"is_causal": True}, {"attn_mask": hidden})
        )
        assert_close(causal.detach().numpy(), masked.detach().numpy())


def test_what_does_not_fit_is_refused_with_the_reason():
    layer, x = nn.MultiheadAttention(8, 2), gf.ones((5, 3, 8))
    with pytest.raises(ArgumentError, match="no multiple of num_heads"):
        nn.MultiheadAttention(8, 3)
    with pytest.raises(ShapeError, match="last sizes be"):
        layer(x, x, gf.ones((5, 3, 4)))
    with pytest.raises(ShapeError, match="have 5 and 4 places"):
        layer(x, x, gf.ones((4, 3, 8)))
    with pytest.raises(ShapeError, match="key_padding_mask is"):
        layer(x, x, x, key_padding_mask=np.zeros((2, 5), bool))
    with pytest.raises(ShapeError, match="3 dimensions"):
        layer(x, gf.ones((5, 8)), x)
