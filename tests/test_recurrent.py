"""Recurrent layers and cells: PyTorch's weights, results, states and gradients."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow import nn
from gradflow.errors import ArgumentError, ShapeError
from oracles import assert_close


def pair(torch, name, *sizes, **how):
    theirs = getattr(torch.nn, name)(*sizes, **how, dtype=torch.float64)
    ours = getattr(nn, name)(*sizes, **how, dtype="float64")
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    return ours, theirs


def flat(results):
    return [x for each in results for x in flat(each)] if isinstance(results, tuple) else [results]


def compare(torch, ours, theirs, x, state):
    mine = [gf.tensor(each, requires_grad=True) for each in (x, *state)]
    given = [torch.from_numpy(each).requires_grad_() for each in (x, *state)]

    def called(layer, x, *hx):
        return layer(x) if not hx else layer(x, hx if len(hx) == 2 else hx[0])

    found, expected = flat(called(ours, *mine)), flat(called(theirs, *given))
    total, wanted = 0, 0
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        assert_close(a.detach().numpy(), b.detach().numpy())
        total, wanted = total + (i + 1) * (a**2).sum(), wanted + (i + 1) * (b**2).sum()
    total.backward(), wanted.backward()
    for a, b in zip([*mine, *ours.parameters()], [*given, *theirs.parameters()], strict=True):
        assert_close(a.grad.numpy(), b.grad.numpy())


SETTINGS = [
    {},
    {"num_layers": 3, "bias": False},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
]


@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("how", SETTINGS, ids=str)
@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_a_layer_its_states_and_gradients_are_torchs(name, how, with_state, torch, rng):
    ours, theirs = pair(torch, name, 3, 4, **how)
    x = rng.standard_normal((2, 5, 3) if how.get("batch_first") else (5, 2, 3))
    count = how.get("num_layers", 1) * (1 + how.get("bidirectional", False))
    state = [rng.standard_normal((count, 2, 4)) for _ in range(2 if name == "LSTM" else 1)] if with_state else []
    compare(torch, ours, theirs, x, state)


@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("samples", [(), (2,)])
@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "GRUCell", "LSTM"])
def test_cells_and_single_sequences_are_torchs(name, samples, with_state, torch, rng):
    ours, theirs = pair(torch, name, 3, 4)
    lead, count = ((5,), (1,)) if name == "LSTM" else ((), ())
    x, number = rng.standard_normal((*lead, *samples, 3)), 2 if "LSTM" in name else 1
    state = [rng.standard_normal((*count, *samples, 4)) for _ in range(number)] if with_state else []
    compare(torch, ours, theirs, x, state)


@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("how", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
def test_an_lstm_with_a_projection_is_torchs(how, with_state, torch, rng):
    ours, theirs = pair(torch, "LSTM", 3, 5, proj_size=2, **how)
    count = how.get("num_layers", 1) * (1 + how.get("bidirectional", False))
    state = [rng.standard_normal((count, 2, size)) for size in (2, 5)] if with_state else []
    compare(torch, ours, theirs, rng.standard_normal((4, 2, 3)), state)


@pytest.mark.parametrize("lengths", [[4, 2, 2, 1], [1, 4, 2, 3], [3, 3, 3, 3]], ids=str)
@pytest.mark.parametrize("how", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_packed_sequences_their_states_and_gradients_are_torchs(name, how, lengths, torch, rng):
    ours, theirs = pair(torch, name, 3, 5, **how)
    count = how.get("num_layers", 1) * (1 + how.get("bidirectional", False))
    data = rng.standard_normal((4, 4, 3))
    state = [rng.standard_normal((count, 4, 5)) for _ in range(2 if name == "LSTM" else 1)]
    found = []
    for layer, make, lib in ((ours, gf.tensor, nn.utils.rnn), (theirs, torch.tensor, torch.nn.utils.rnn)):
        leaves = [make(each, requires_grad=True) for each in (data, *state)]
        packed = lib.pack_padded_sequence(leaves[0], lengths, batch_first=True, enforce_sorted=lengths[0] != 1)
        out, last = layer(packed, tuple(leaves[1:]) if name == "LSTM" else leaves[1])
        padded, counts = lib.pad_packed_sequence(out, batch_first=True, padding_value=-2.0)
        assert counts.tolist() == lengths
        results = [padded, *(last if name == "LSTM" else [last])]
        total = 0
        for i, each in enumerate(results):
            total = total + (i + 1) * (each**2).sum()
        total.backward()
        grads = [each.grad for each in (*leaves, *layer.parameters())]
        found.append([each.detach().numpy() for each in (*results, *grads)])
    for a, b in zip(*found, strict=True):
        assert_close(a, b)


def test_a_projection_and_packed_data_that_do_not_fit_are_refused():
    with pytest.raises(ArgumentError, match="GRU: proj_size is for an LSTM, and less than hidden_size; got 2"):
        nn.GRU(3, 4, proj_size=2)
    with pytest.raises(ArgumentError, match="LSTM: proj_size is for an LSTM, and less than hidden_size; got 4"):
        nn.LSTM(3, 4, proj_size=4)
    packed = nn.utils.rnn.pack_sequence([gf.ones((3, 2)), gf.ones((1, 2))])
    with pytest.raises(ShapeError, match=r"LSTM: packed data must be \(elements, 3\), got \(4, 2\)"):
        nn.LSTM(3, 4)(packed)


@pytest.mark.parametrize("name", ["RNN", "RNNCell"])
def test_rectified_networks_are_torchs(name, torch, rng):
    ours, theirs = pair(torch, name, 3, 4, nonlinearity="relu")
    compare(torch, ours, theirs, rng.standard_normal((5, 3)), [])


def test_layers_of_a_stack_are_told_apart_by_dropout_in_training_alone():
    gf.manual_seed(0)
    layer, x = nn.GRU(3, 4, 2, dropout=0.5), gf.ones((5, 2, 3))
    once, again = layer(x)[0].tolist(), layer(x)[0].tolist()
    layer.eval()
    assert once != again and layer(x)[0].tolist() == layer(x)[0].tolist()


def test_what_does_not_fit_is_refused_with_the_reason():
    layer = nn.LSTM(3, 4)
    for shape in [(3,), (5, 2, 4)]:
        with pytest.raises(ShapeError, match=r"LSTM: the input must be \(L, N, 3\)"):
            layer(gf.ones(shape))
    with pytest.raises(ShapeError, match="the sequence is empty"):
        layer(gf.ones((0, 2, 3)))
    with pytest.raises(ShapeError, match=r"the state is \(2, 4\); it must be \(1, 2, 4\)"):
        layer(gf.ones((5, 2, 3)), (gf.ones((2, 4)), gf.ones((2, 4))))
    with pytest.raises(ShapeError, match="GRUCell: the state is"):
        nn.GRUCell(3, 4)(gf.ones((2, 3)), gf.ones((1, 4)))
    with pytest.raises(ArgumentError, match="nonlinearity"):
        nn.RNN(3, 4, nonlinearity="sigmoid")
    with pytest.raises(ArgumentError, match="must be 1 or more"):
        nn.GRU(3, 0)


def test_an_lstm_learns_whether_a_sequence_had_a_one():
    gf.manual_seed(1)
    rng = np.random.default_rng(1)
    x = (rng.random((6, 64, 1)) < 0.12).astype(np.float32)
    target = gf.tensor(x.max(axis=(0, 2)))
    layer, head = nn.LSTM(1, 8), nn.Linear(8, 1)
    updating = gf.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.05)
    for _ in range(60):
        updating.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(head(layer(gf.tensor(x))[0][-1]).reshape(-1), target)
        loss.backward()
        updating.step()
    assert loss.item() < 0.1
