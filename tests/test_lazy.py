"""Lazy layers: what they become, the state they load, and what they say before they have shapes."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import gradflow as gf
from gradflow import nn
from gradflow.errors import ArgumentError, ShapeError

LAYERS = [
    ("Linear", (4,), (2, 3)),
    *((f"Conv{n}d", (4, 2), (2, 3, 4, 4, 4)[: n + 2]) for n in (1, 2, 3)),
    *((f"ConvTranspose{n}d", (4, 2), (2, 3, 4, 4, 4)[: n + 2]) for n in (1, 2, 3)),
    *((f"BatchNorm{n}d", (), (2, 3, 4, 4, 4)[: n + 2]) for n in (1, 2, 3)),
]


@pytest.mark.parametrize(("name", "settings", "shape"), LAYERS, ids=[name for name, *_ in LAYERS])
def test_a_layer_becomes_the_one_for_its_first_input(name, settings, shape, torch, rng):
    layer, kind = getattr(nn, f"Lazy{name}")(*settings), getattr(nn, name)
    theirs = getattr(torch.nn, f"Lazy{name}")(*settings)
    assert isinstance(layer, kind)
    gf.manual_seed(0)
    out = layer(gf.ones(shape))
    theirs(torch.ones(shape))
    assert type(layer) is kind and out.shape[0] == 2
    assert {k: v.shape for k, v in layer.state_dict().items()} == {
        k: tuple(v.shape) for k, v in theirs.state_dict().items()
    }
    gf.manual_seed(0)
    twin = kind(3, *settings)
    assert repr(layer) == repr(twin)
    for found, expected in zip(layer.parameters(), twin.parameters(), strict=True):
        assert found.tolist() == expected.tolist()


@pytest.mark.parametrize(("name", "settings", "shape"), LAYERS, ids=[name for name, *_ in LAYERS])
def test_a_state_gives_a_layer_its_shapes(name, settings, shape):
    state = getattr(nn, name)(3, *settings).state_dict()
    layer = getattr(nn, f"Lazy{name}")(*settings)
    layer.load_state_dict(state)
    assert {k: v.tolist() for k, v in layer.state_dict().items()} == {k: v.tolist() for k, v in state.items()}


def test_a_state_of_groups_and_of_statistics_alone():
    grouped = nn.LazyConv1d(4, 2, groups=2)
    grouped.load_state_dict(nn.Conv1d(6, 4, 2, groups=2).state_dict())
    assert grouped.in_channels == 6
    norm = nn.LazyBatchNorm1d(affine=False)
    norm.load_state_dict(nn.BatchNorm1d(6, affine=False).state_dict())
    assert norm.num_features == 6


def model():
    return nn.Sequential(nn.LazyConv1d(4, 3), nn.LazyBatchNorm1d(), nn.Flatten(), nn.LazyLinear(2, bias=False))


def test_a_model_keeps_its_mode_and_learns_after_its_first_input():
    net = model().eval()
    assert repr(net[0]) == "LazyConv1d(4, 3)" and repr(net[3]) == "LazyLinear(2, bias=False)"
    twin = copy.deepcopy(net)
    net(gf.ones((2, 3, 6)))
    assert not any(each.training for each in net.modules()) and isinstance(twin[0], nn.LazyConv1d)
    optimizer = gf.optim.SGD(net.parameters(), lr=0.1)
    before = net[0].weight.tolist()
    net(gf.ones((2, 3, 6))).sum().backward()
    optimizer.step()
    assert net[0].weight.tolist() != before
    twin.load_state_dict(net.state_dict())
    assert twin.eval()(gf.ones((2, 3, 6))).tolist() == net(gf.ones((2, 3, 6))).tolist()
    assert [tuple(v.shape) for v in net.state_dict().values()][:2] == [(4, 3, 3), (4,)]


def test_before_there_are_shapes_nobody_gets_half_of_the_parameters():
    net = nn.Sequential(nn.Linear(2, 2), nn.LazyLinear(2))
    for ask in (lambda: gf.optim.SGD(net.parameters(), lr=0.1), net.state_dict, lambda: net.to("float64")):
        with pytest.raises(ArgumentError, match="LazyLinear: has no parameters yet; call the model on an input"):
            ask()
    assert "Linear(2, 2)  6" in repr(net)


def test_settings_and_inputs_that_do_not_fit_are_refused():
    with pytest.raises(TypeError, match="missing a required argument: 'out_features'"):
        nn.LazyLinear()
    with pytest.raises(TypeError, match="kernel"):
        nn.LazyConv2d(4, kernel=3)
    with pytest.raises(ShapeError, match=r"LazyConv2d: the input \(3,\) has no dimension of features"):
        nn.LazyConv2d(4, 3)(gf.ones(3))
    layer = nn.LazyLinear(2)
    layer(np.ones((1, 3), np.float32))
    with pytest.raises(ShapeError, match=r"weight is \(2, 3\)"):
        layer(gf.ones((1, 4)))
