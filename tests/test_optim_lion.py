"""Lion: the program of its paper."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError


def lion_by_the_paper(w, gradients, lr, beta1=0.9, beta2=0.99, weight_decay=0.0):
    """Program 1: c = interp(g, m, beta1); w -= lr * (sign(c) + wd * w); m = interp(g, m, beta2)."""
    m = np.zeros_like(w)
    for g in gradients:
        c = g + (m - g) * beta1
        w = w - lr * (np.sign(c) + weight_decay * w)
        m = g + (m - g) * beta2
    return w, m


@pytest.mark.parametrize("options", [{}, {"betas": (0.95, 0.98), "weight_decay": 0.1}])
def test_lion_is_program_1_of_the_paper(options, rng):
    start, gradients = rng.standard_normal(40_000), rng.standard_normal((5, 40_000))  # more than a chunk
    beta1, beta2 = options.get("betas", (0.9, 0.99))
    w, m = lion_by_the_paper(start, gradients, 0.1, beta1, beta2, options.get("weight_decay", 0.0))
    for maximize in (False, True):
        ours = gf.tensor(start.copy(), requires_grad=True)
        optimizer = gf.optim.Lion([ours], lr=0.1, **options, maximize=maximize)
        for g in gradients:
            ours.grad = gf.tensor(-g if maximize else g)
            optimizer.step()
        np.testing.assert_allclose(ours.data, w, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(optimizer.state_dict()["state"][0]["exp_avg"].data, m, rtol=1e-10, atol=1e-14)


def test_a_parameter_whose_momentum_is_zero_stays():
    w = gf.tensor([1.0, 2.0], requires_grad=True)
    optimizer = gf.optim.Lion([w], lr=0.5)
    w.grad = gf.tensor([0.0, 3.0])
    optimizer.step()
    assert w.tolist() == [1.0, 1.5]


def test_training_goes_on_from_a_saved_state():
    def run(w, optimizer, steps):
        for i in range(steps):
            w.grad = gf.tensor(np.array([(-1.0) ** i * (i + 1), 0.3], np.float32))
            optimizer.step()

    whole = gf.tensor([1.0, 2.0], requires_grad=True)
    optimizer = gf.optim.Lion([whole], lr=0.125, weight_decay=0.5)
    run(whole, optimizer, 3)
    again = gf.tensor(whole.data.copy(), requires_grad=True)
    resumed = gf.optim.Lion([again])
    resumed.load_state_dict(optimizer.state_dict())
    for w, each in [(whole, optimizer), (again, resumed)]:
        run(w, each, 3)
    np.testing.assert_array_equal(again.data, whole.data)


def test_what_lion_refuses():
    for options, message in [({"lr": -1.0}, "lr is -1.0"), ({"betas": (1.0, 0.9)}, r"betas\[0\] is 1.0")]:
        with pytest.raises(ArgumentError, match=message):
            gf.optim.Lion([gf.ones(2, requires_grad=True)], **options)
