"""Parametrized weights and parameters as vectors, against PyTorch."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import gradflow as gf
from gradflow import nn
from gradflow.errors import ArgumentError, ShapeError
from gradflow.nn.utils import parametrizations, parametrize

LAYERS = [("Linear", (3, 4), (2, 3)), ("Conv2d", (3, 4, 2), (2, 3, 4, 4)), ("ConvTranspose1d", (3, 4, 2), (2, 3, 4))]


def agree(ours, theirs, shape, torch, rng):
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})
    data = rng.normal(size=shape)
    out, expected = ours(gf.tensor(data)), theirs(torch.tensor(data))
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    (out * out).sum().backward()
    (expected * expected).sum().backward()
    gradients = {name: each.grad for name, each in theirs.named_parameters()}
    for name, each in ours.named_parameters():
        np.testing.assert_allclose(each.grad.numpy(), gradients[name].numpy(), rtol=1e-9, atol=1e-11)
    for name, each in ours.named_buffers():
        np.testing.assert_allclose(each.numpy(), dict(theirs.named_buffers())[name].numpy(), rtol=1e-10)


@pytest.mark.parametrize(("name", "settings", "shape"), LAYERS, ids=[name for name, *_ in LAYERS])
@pytest.mark.parametrize("how", [{}, {"dim": None}, {"dim": 1}], ids=str)
def test_weight_norm_is_pytorchs(name, settings, shape, how, torch, rng):
    theirs = torch.nn.utils.parametrizations.weight_norm(getattr(torch.nn, name)(*settings).double(), **how)
    ours = getattr(nn, name)(*settings, dtype="float64")
    before = ours.weight.tolist()
    parametrizations.weight_norm(ours, **how)
    np.testing.assert_allclose(ours.weight.tolist(), before, rtol=1e-12)
    agree(ours, theirs, shape, torch, rng)


@pytest.mark.parametrize(("name", "settings", "shape"), LAYERS, ids=[name for name, *_ in LAYERS])
@pytest.mark.parametrize("training", [True, False])
def test_spectral_norm_is_pytorchs(name, settings, shape, training, torch, rng):
    theirs = torch.nn.utils.parametrizations.spectral_norm(getattr(torch.nn, name)(*settings).double())
    ours = parametrizations.spectral_norm(getattr(nn, name)(*settings, dtype="float64"))
    agree(ours.train(training), theirs.train(training), shape, torch, rng)


def test_spectral_norm_finds_the_largest_singular_value(rng):
    layer = nn.Linear(6, 5, dtype="float64")
    largest = np.linalg.svd(layer.weight.detach().numpy(), compute_uv=False)[0]
    before = layer.weight.detach().numpy().copy()
    parametrizations.spectral_norm(layer, n_power_iterations=50)
    np.testing.assert_allclose(layer.weight.detach().numpy(), before / largest, rtol=1e-6)


def test_parametrized_layers_train_are_copied_and_become_plain_again():
    layer = parametrizations.weight_norm(nn.Linear(3, 2))
    assert isinstance(layer, nn.Linear) and parametrize.is_parametrized(layer, "weight")
    assert not parametrize.is_parametrized(layer, "bias") and not parametrize.is_parametrized(nn.Linear(3, 2))
    twin = copy.deepcopy(layer)
    optimizer = gf.optim.SGD(layer.parameters(), lr=0.1)
    before = layer.weight.tolist()
    layer(gf.ones((1, 3))).sum().backward()
    optimizer.step()
    assert layer.weight.tolist() != before == twin.weight.tolist()
    after = layer.weight.tolist()
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear and layer.weight.tolist() == after and layer.weight.requires_grad
    with pytest.raises(ArgumentError, match=r"'weight' of Linear\(3, 2\) has no parametrization"):
        parametrize.remove_parametrizations(layer, "weight")


def test_only_parameters_can_be_parametrized():
    layer = parametrizations.weight_norm(nn.Linear(3, 2))
    for name in ("weight", "wieght", "in_features"):
        with pytest.raises(ArgumentError, match=f"'{name}' is no parameter of Linear"):
            parametrizations.weight_norm(layer, name)
    with pytest.raises(ArgumentError, match="spectral_norm: 'wieght' is no parameter"):
        parametrizations.spectral_norm(layer, "wieght")
    with pytest.raises(ArgumentError, match="n_power_iterations is 0; it must be 1 or more"):
        parametrizations.spectral_norm(layer, "bias", 0)


def test_vectors_are_written_into_parameters_and_back():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    vector = nn.utils.parameters_to_vector(model.parameters())
    assert vector.shape == (11,) and vector.requires_grad
    kept = model[0].weight.data
    nn.utils.vector_to_parameters(np.arange(11.0, dtype=np.float32), model.parameters())
    assert model[0].weight.data is kept and model[1].bias.tolist() == [10.0]
    assert nn.utils.parameters_to_vector(model.parameters()).tolist() == list(range(11))
    with pytest.raises(ShapeError, match=r"vec is \(3,\); the parameters have 11 elements"):
        nn.utils.vector_to_parameters([1.0, 2.0, 3.0], model.parameters())
    assert nn.utils.clip_grad_norm_ is gf.optim.clip_grad_norm_
