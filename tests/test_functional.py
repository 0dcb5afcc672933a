"""gradflow.nn.functional: PyTorch's names and argument meanings, and nothing accepted that is ignored."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import gradflow as gf
import gradflow.nn.functional as F


def test_every_name_is_one_of_torch_and_begins_with_the_same_arguments():
    theirs = pytest.importorskip("torch").nn.functional
    assert sorted(F.__all__) == F.__all__
    for name in F.__all__:
        assert hasattr(theirs, name), name
    for name in ("dropout", "embedding", "binary_cross_entropy_with_logits", "cross_entropy", "nll_loss"):
        ours, given = (list(inspect.signature(getattr(each, name)).parameters) for each in (F, theirs))
        assert given[1] == ours[1]


def test_all_names_everything_public():
    public = {name for name, value in vars(F).items() if inspect.isfunction(value)}
    assert public == set(F.__all__)


def test_dim_is_called_axis_and_not_ignored():
    x = gf.zeros((2, 4))
    assert F.softmax(x, axis=1).tolist() == [[0.25] * 4] * 2
    assert F.softmax(x, axis=0).tolist() == [[0.5] * 4] * 2
    for function in (F.softmax, F.log_softmax):
        with pytest.raises(TypeError, match="dim"):
            function(x, dim=1)


def test_options_of_torch_that_are_not_offered_are_refused():
    with pytest.raises(TypeError, match="size_average"):
        F.mse_loss(gf.zeros(2), gf.zeros(2), size_average=True)
    with pytest.raises(TypeError, match="positional"):
        F.cross_entropy(gf.zeros((1, 2)), [0], None, -100)  # in PyTorch the fourth argument is size_average


def test_dropout_drops_in_training_only():
    x = gf.ones(1000)
    assert F.dropout(x, 0.5, training=False) is x
    kept = F.dropout(x, 0.25).numpy()
    assert set(np.unique(kept)) == {0, np.float32(1 / 0.75)} and 180 < (kept == 0).sum() < 320


def test_embedding_takes_the_indices_first_and_one_hot_gives_integers():
    weight = gf.tensor([[0.0, 1.0], [2.0, 3.0]])
    assert F.embedding(gf.tensor([1, 1]), weight).tolist() == [[2, 3], [2, 3]]
    hot = F.one_hot(gf.tensor([2, 0]), 3)
    assert hot.dtype == gf.int64 and hot.tolist() == [[0, 0, 1], [1, 0, 0]]
