"""Embeddings with padding, and bags of them, against PyTorch: results, gradients, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow import nn
from gradflow.errors import ArgumentError, IndexOutOfRange, ShapeError
from gradflow.nn import functional as F

NUMBERS = np.array([4, 1, 1, 0, 2, 4, 3, 1])
RAGGED = [0, 3, 3, 7]


def compared(torch, rng, input, offsets, weights=False, **settings):
    """Results and gradients of ``embedding_bag`` here and in PyTorch."""
    table = rng.normal(size=(5, 3))
    found = []
    shares = rng.normal(size=input.shape) if weights else None
    for lib, F_ in ((gf, F), (torch, torch.nn.functional)):
        make = lib.tensor
        leaves = [make(each, requires_grad=True) for each in (table, shares) if each is not None]
        more = {"per_sample_weights": leaves[1]} if weights else {}
        where = None if offsets is None else make(np.array(offsets))
        out = F_.embedding_bag(make(input), leaves[0], where, **settings, **more)
        (out * out).sum().backward()
        found.append([out.detach().numpy(), *(leaf.grad.numpy() for leaf in leaves)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 1, -1], ids=str)
def test_bags_are_pytorchs(mode, padding, torch, rng):
    compared(torch, rng, NUMBERS, RAGGED, mode=mode, padding_idx=padding)
    compared(torch, rng, NUMBERS.reshape(4, 2), None, mode=mode, padding_idx=padding)
    compared(torch, rng, NUMBERS, [*RAGGED, 8], mode=mode, include_last_offset=True)
    compared(torch, rng, np.array([], np.int64), [0, 0], mode=mode)


@pytest.mark.parametrize("padding", [None, 1], ids=str)
def test_rows_of_a_sum_have_weights(padding, torch, rng):
    compared(torch, rng, NUMBERS, RAGGED, weights=True, mode="sum", padding_idx=padding)
    compared(torch, rng, NUMBERS.reshape(2, 4), None, weights=True, mode="sum", padding_idx=padding)


def test_bags_that_do_not_fit_are_refused():
    weight = gf.ones((5, 3))
    with pytest.raises(ShapeError, match=r"the input is \(bags, L\), or \(n,\) with offsets; it is \(8,\)"):
        F.embedding_bag(NUMBERS, weight)
    with pytest.raises(ShapeError, match=r"with offsets; it is \(4, 2\)"):
        F.embedding_bag(NUMBERS.reshape(4, 2), weight, RAGGED)
    with pytest.raises(ArgumentError, match=r"offsets begin with 0 and do not fall; they are \[1, 3\]"):
        F.embedding_bag(NUMBERS, weight, [1, 3])
    with pytest.raises(ArgumentError, match=r"they are \[0, 3, 2\]"):
        F.embedding_bag(NUMBERS, weight, [0, 3, 2])
    with pytest.raises(ArgumentError, match=r"they are \[0, 9\], of 8 numbers"):
        F.embedding_bag(NUMBERS, weight, [0, 9])
    with pytest.raises(ArgumentError, match="mode is one of sum, mean, max; got 'min'"):
        F.embedding_bag(NUMBERS, weight, RAGGED, mode="min")
    with pytest.raises(ArgumentError, match="per_sample_weights are for mode 'sum'"):
        F.embedding_bag(NUMBERS, weight, RAGGED, per_sample_weights=np.ones(8))
    with pytest.raises(IndexOutOfRange, match="5 is out of range for 5 rows"):
        F.embedding_bag([5], weight, [0])
    with pytest.raises(ShapeError, match=r"embedding_bag: weight is \(count, D\), got \(5,\)"):
        F.embedding_bag([0], gf.ones(5), [0])
    with pytest.raises(ShapeError, match="embedding: weight is a scalar"):
        F.embedding([0], gf.ones(()), 1)
    with pytest.raises(ArgumentError, match="EmbeddingBag: padding_idx 5 is none of 5 rows"):
        nn.EmbeddingBag(5, 3, padding_idx=5)


def test_the_row_of_padding_begins_as_zero_and_is_not_trained(torch):
    theirs, ours = torch.nn.Embedding(5, 3, padding_idx=-4), nn.Embedding(5, 3, padding_idx=-4)
    assert ours.padding_idx == theirs.padding_idx == 1
    assert ours.weight.detach().numpy().any(axis=1).tolist() == [True, False, True, True, True]
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    with torch.no_grad():
        theirs.weight[1] = 2.0
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    out, expected = ours(NUMBERS), theirs(torch.tensor(NUMBERS))
    assert out.tolist() == expected.tolist()
    (out * out).sum().backward()
    (expected * expected).sum().backward()
    np.testing.assert_allclose(ours.weight.grad.numpy(), theirs.weight.grad.numpy(), rtol=1e-6)
    assert repr(ours) == "Embedding(5, 3, padding_idx=1)  15 parameters"


def test_a_layer_can_be_made_of_vectors_that_are_there():
    table = np.arange(6.0).reshape(3, 2)
    frozen, trained = nn.Embedding.from_pretrained(table), nn.EmbeddingBag.from_pretrained(table, False, mode="sum")
    assert frozen([2]).tolist() == [[4.0, 5.0]] and frozen.weight.dtype == gf.float64
    assert not frozen.weight.requires_grad and trained.weight.requires_grad and trained.mode == "sum"
    with pytest.raises(ShapeError, match=r"Embedding: embeddings are \(num_embeddings, embedding_dim\), got \(3,\)"):
        nn.Embedding.from_pretrained([1.0, 2.0, 3.0])
