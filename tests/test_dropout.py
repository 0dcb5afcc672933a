"""Dropout of channels, and dropout that keeps mean and variance: who is dropped, by what the others are scaled."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow import nn
from gradflow.errors import ArgumentError, ShapeError
from gradflow.nn import functional as F

CHANNELS = [("1d", (7, 50, 3), 2), ("1d", (50, 3), 1), ("2d", (7, 50, 3, 2), 2), ("2d", (7, 50, 3), 2)]
CHANNELS += [("3d", (7, 50, 2, 1, 2), 2), ("3d", (50, 2, 1, 2), 1)]


@pytest.mark.parametrize(("kind", "shape", "leading"), CHANNELS, ids=str)
def test_channels_are_dropped_whole_and_the_gradient_knows_which(kind, shape, leading):
    gf.manual_seed(0)
    x = gf.ones(shape, requires_grad=True)
    out = getattr(F, f"dropout{kind}")(x, 0.2)
    out.sum().backward()
    assert x.grad.tolist() == out.tolist()
    channels = out.detach().numpy().reshape(*shape[:leading], -1)
    assert (channels == channels[..., :1]).all()
    kept = np.count_nonzero(channels[..., 0]) / channels[..., 0].size
    assert abs(kept - 0.8) < 4 * 0.4 / np.sqrt(channels[..., 0].size)
    np.testing.assert_allclose(channels[channels != 0], 1.25)
    assert getattr(F, f"dropout{kind}")(x, 0.2, training=False) is x


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_alpha_dropout_keeps_mean_and_variance(p, torch):
    gf.manual_seed(1)
    x = gf.random.normal((400, 500), dtype="float64")
    out = F.alpha_dropout(x, p, training=True).numpy()
    assert abs(out.mean()) < 0.02 and abs(out.std() - 1) < 0.02
    theirs = torch.nn.functional.alpha_dropout(torch.ones(1000, dtype=torch.float64), p, training=True)
    ours = F.alpha_dropout(gf.ones(1000, dtype="float64"), p, training=True)
    np.testing.assert_allclose(np.unique(ours.numpy().round(12)), np.unique(theirs.numpy().round(12)), rtol=1e-11)
    assert F.alpha_dropout(x, p) is x
    assert not F.alpha_dropout(x, 1.0, training=True).numpy().any()


def test_feature_alpha_dropout_drops_channels():
    gf.manual_seed(2)
    out = F.feature_alpha_dropout(gf.ones((8, 9, 5)), 0.4, training=True).numpy()
    assert (out == out[..., :1]).all() and len(np.unique(out)) == 2


@pytest.mark.parametrize("name", ["Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"])
def test_layers_drop_in_training_only(name):
    layer = getattr(nn, name)(0.5)
    x = gf.ones((4, 20, 2, 2, 2)[: {"1": 3, "2": 4}.get(name[-2], 5)])
    assert layer(x).tolist() != x.tolist() and layer.eval()(x) is x
    assert repr(layer) == f"{name}(0.5)"
    with pytest.raises(ArgumentError, match=rf"{name}: p is 1\.5; a probability is in \[0, 1\]"):
        getattr(nn, name)(1.5)


@pytest.mark.parametrize("name", ["dropout", "dropout1d", "alpha_dropout", "feature_alpha_dropout"])
@pytest.mark.parametrize("training", [True, False])
def test_no_probability_is_refused_where_nothing_is_dropped_too(name, training):
    with pytest.raises(ArgumentError, match=rf"{name}: p is 1\.5; a probability is in \[0, 1\]"):
        getattr(F, name)(gf.ones((2, 3)), 1.5, training=training)


def test_inputs_of_another_rank_are_refused():
    with pytest.raises(ShapeError, match=r"dropout1d: the input must have 2 or 3 dimensions, got \(4,\)"):
        F.dropout1d(gf.ones(4))
    with pytest.raises(ShapeError, match=r"dropout3d: the input must have 4 or 5 dimensions, got \(2, 3, 4\)"):
        F.dropout3d(gf.ones((2, 3, 4)))
    with pytest.raises(ShapeError, match=r"feature_alpha_dropout: the input must be \(N, C, ...\), got \(4,\)"):
        F.feature_alpha_dropout(gf.ones(4))
    with pytest.raises(ArgumentError, match="alpha_dropout: p is -1; a probability"):
        F.alpha_dropout(gf.ones(4), -1, training=True)
