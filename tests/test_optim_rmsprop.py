"""RMSprop: PyTorch's numerics and state, and what it does where PyTorch's variance turns negative."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError

OPTIONS = [
    {},
    {"lr": 0.001, "alpha": 0.9, "eps": 1e-3},
    {"lr": 0.001, "weight_decay": 0.1, "momentum": 0.9},
    {"lr": 0.001, "centered": True},
    {"lr": 0.001, "centered": True, "momentum": 0.5, "weight_decay": 0.1, "maximize": True},
]


def loss_of(w, x):
    return ((x @ w) ** 2).mean() + w.sum()


@pytest.mark.parametrize("options", OPTIONS)
def test_100_steps_follow_pytorch(options, rng, torch):
    start = rng.standard_normal((6, 4))
    ours, theirs = gf.tensor(start.copy(), requires_grad=True), torch.tensor(start, requires_grad=True)
    our_optimizer, their_optimizer = gf.optim.RMSprop([ours], **options), torch.optim.RMSprop([theirs], **options)
    for _ in range(100):
        x = rng.standard_normal((8, 6))
        for optimizer, w, batch in [(our_optimizer, ours, gf.tensor(x)), (their_optimizer, theirs, torch.tensor(x))]:
            optimizer.zero_grad()
            loss_of(w, batch).backward()
            optimizer.step()
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-9)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "centered": True}])
def test_the_state_is_pytorchs_and_training_goes_on_from_it(options, torch):
    ours, theirs = gf.tensor([1.0, -2.0], dtype="float64", requires_grad=True), torch.tensor([1.0, -2.0]).double()
    theirs.requires_grad_()
    o, t = gf.optim.RMSprop([ours], **options), torch.optim.RMSprop([theirs], **options)
    for optimizer, w in [(o, ours), (t, theirs)]:
        (w**2).sum().backward()
        optimizer.step()
    mine, reference = o.state_dict(), t.state_dict()
    assert set(mine["state"][0]) == set(reference["state"][0])
    assert set(mine["param_groups"][0]) <= set(reference["param_groups"][0])
    for name, value in reference["state"][0].items():
        np.testing.assert_allclose(mine["state"][0][name].data, value.numpy(), rtol=1e-12)
    resumed = gf.optim.RMSprop([again := gf.tensor(ours.data.copy(), requires_grad=True)])
    resumed.load_state_dict(mine)
    again.grad = gf.tensor(ours.grad.data.copy())
    for optimizer in (o, resumed):
        optimizer.step()
    np.testing.assert_array_equal(again.data, ours.data)


def test_a_variance_that_rounding_made_negative_is_zero():
    w = gf.tensor([1.0] * 64, dtype="float32", requires_grad=True)
    optimizer = gf.optim.RMSprop([w], lr=1e-9, alpha=0.5, centered=True)
    for _ in range(60):  # the same gradient: its variance goes to 0, and by rounding beyond
        w.grad = gf.tensor(np.linspace(0.1, 0.9, 64, dtype=np.float32))
        optimizer.step()
    square, mean = (optimizer.param_groups[0].segments[0].of(w, name).data for name in ("square_avg", "grad_avg"))
    assert (square - mean * mean).min() < 0
    assert np.isfinite(w.data).all()


def test_what_rmsprop_refuses():
    for options, message in [({"alpha": -0.1}, "alpha is -0.1"), ({"momentum": -1.0}, "momentum is -1.0")]:
        with pytest.raises(ArgumentError, match=message):
            gf.optim.RMSprop([gf.ones(2, requires_grad=True)], **options)
