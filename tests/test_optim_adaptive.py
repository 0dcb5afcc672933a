"""Adagrad, Adadelta, Adamax, NAdam, RAdam: PyTorch's numerics and state, on every device, eager and compiled."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, CheckpointError
from gradflow.op import OPS
from gradflow.testing import assert_no_sync, tolerance

DECAYING = {"weight_decay": 0.1, "maximize": True}
OPTIONS = [
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.01, "initial_accumulator_value": 0.5, "eps": 1e-3, **DECAYING}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-3, **DECAYING}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-3, **DECAYING}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.01, "betas": (0.8, 0.9), "momentum_decay": 0.1, "eps": 1e-3, **DECAYING}),
    ("NAdam", {"lr": 0.01, "decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-3, **DECAYING}),
    ("RAdam", {"lr": 0.01, "betas": (0.8, 0.6)}),  # whose average is never long enough
    ("RAdam", {"lr": 0.01, "decoupled_weight_decay": True, "weight_decay": 0.1}),
]
NAMES = ["Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam"]


def give_gradients(weights, seed):
    rng = np.random.default_rng(seed)
    for w in weights:
        w.grad = gf.tensor(rng.standard_normal(w.shape), dtype=w.dtype, device=w.device)


def weights_of(device="cpu", dtype="float64"):
    rng = np.random.default_rng(1)
    shapes = [(3, 5), (7,), ()]
    return [gf.tensor(rng.standard_normal(s), dtype=dtype, device=device, requires_grad=True) for s in shapes]


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_100_steps_follow_pytorch(name, options, rng, torch):
    start = rng.standard_normal((6, 4))
    ours, theirs = gf.tensor(start.copy(), requires_grad=True), torch.tensor(start, requires_grad=True)
    optimizers = getattr(gf.optim, name)([ours], **options), getattr(torch.optim, name)([theirs], **options)
    for _ in range(100):
        x = rng.standard_normal((8, 6))
        for optimizer, w, batch in zip(optimizers, (ours, theirs), (gf.tensor(x), torch.tensor(x)), strict=True):
            optimizer.zero_grad()
            (((batch @ w) ** 2).mean() + w.sum()).backward()
            optimizer.step()
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-8)


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_the_state_is_pytorchs_and_training_goes_on_from_it(name, options, torch):
    ours, theirs = weights_of(), [torch.tensor(w.data, requires_grad=True) for w in weights_of()]
    o, t = getattr(gf.optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for seed in range(8):
        give_gradients(ours, seed)
        for w, reference in zip(ours, theirs, strict=True):
            reference.grad = torch.tensor(w.grad.data)
        o.step()
        t.step()
    mine, reference = o.state_dict(), t.state_dict()
    assert set(mine["param_groups"][0]) <= set(reference["param_groups"][0])
    for index, entry in reference["state"].items():
        assert set(mine["state"][index]) == set(entry)
        for key, value in entry.items():
            close = 1e-6 if name == "NAdam" else 1e-9  # PyTorch keeps mu_product as float32
            np.testing.assert_allclose(mine["state"][index][key].data, value.numpy(), rtol=close, err_msg=key)
    resumed = getattr(gf.optim, name)(again := [gf.tensor(w.data.copy(), requires_grad=True) for w in ours])
    resumed.load_state_dict({**mine, "state": reference["state"]})
    copied = copy.deepcopy(o)
    for weights, optimizer in [(ours, o), (again, resumed), (copied.param_groups[0]["params"], copied)]:
        give_gradients(weights, 99)
        optimizer.step()
    for w, *others in zip(ours, again, copied.param_groups[0]["params"], strict=True):
        for other in others:
            np.testing.assert_allclose(other.data, w.data, rtol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_without_a_gradient_stay_and_keep_numbers_of_their_own(name, torch):
    ours, theirs = weights_of(), [torch.tensor(w.data, requires_grad=True) for w in weights_of()]
    optimizers = getattr(gf.optim, name)(ours, lr=0.1), getattr(torch.optim, name)(theirs, lr=0.1)
    for used in [(0, 1, 2), (0, 2), (1,), (0, 1, 2), (), (0, 1)]:
        for optimizer, weights in zip(optimizers, (ours, theirs), strict=True):
            optimizer.zero_grad()
            for i in used:
                (weights[i] ** 2).sum().backward()
            optimizer.step()
        for w, expected in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(w.data, expected.detach().numpy(), rtol=1e-6 if name == "NAdam" else 1e-10)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_on_a_device_parameters_move_as_on_the_cpu_and_nothing_waits(name, dtype, cuda):
    here, there = weights_of(dtype=dtype), weights_of("cuda", dtype)
    ours, theirs = (getattr(gf.optim, name)(weights, lr=0.01, weight_decay=0.1) for weights in (here, there))
    for seed in range(8):
        give_gradients(here, seed)
        give_gradients(there, seed)
        ours.step()
        with assert_no_sync():
            theirs.step()
    for w, other in zip(here, there, strict=True):
        np.testing.assert_allclose(
            other.detach().cpu().numpy(), w.data, rtol=0, atol=tolerance(w.dtype, float(np.abs(w.data).max()))
        )
    theirs.load_state_dict(ours.state_dict())
    assert theirs.state_dict()["state"][0]["step"].item() == 8


@pytest.mark.parametrize(("name", "options"), OPTIONS)
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_compiled_step_is_the_step(name, options, device, cuda):
    def train(compile):
        w = weights_of(device, "float32")[0]
        optimizer = getattr(gf.optim, name)([w], **options)

        @compile
        def step(x):
            optimizer.zero_grad()
            ((x @ w) ** 2).mean().backward()
            optimizer.step()

        for seed in range(8):
            step(gf.tensor(np.random.default_rng(seed).standard_normal((4, 3)), dtype="float32", device=device))
        return w.detach().cpu().numpy()

    np.testing.assert_allclose(train(gf.compile), train(lambda f: f), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_chunks_are_the_whole(name):
    """More elements than a chunk of them, in the dtype that is widened, too."""
    for dtype in ("float16", "float64"):
        values = np.linspace(-1, 1, 40_000)
        w, few = (gf.tensor(x, dtype=dtype, requires_grad=True) for x in (values, values[-100:]))
        for each in (w, few):
            optimizer = getattr(gf.optim, name)([each], lr=0.1)
            for _ in range(3):
                each.grad = gf.tensor(np.cos(each.data.astype(float)), dtype=dtype)
                optimizer.step()
        np.testing.assert_array_equal(w.data[-100:], few.data)


def test_radam_waits_with_adaptive_rates_until_their_variance_is_known():
    w = gf.tensor([0.0, 0.0], dtype="float64", requires_grad=True)
    optimizer = gf.optim.RAdam([w], lr=1.0)
    for step in range(1, 7):
        w.grad = gf.tensor([1.0, 10.0], dtype="float64")
        before = w.data.copy()
        optimizer.step()
        ratio = np.divide(*(before - w.data)[::-1])
        assert ratio == pytest.approx(10.0 if step <= 5 else 1.0, rel=1e-6)  # of the gradients, or of their signs


def test_what_they_refuse():
    w = gf.ones(2, requires_grad=True)
    for name, options, message in [
        ("NAdam", {"betas": (0.9, 1.0)}, r"betas\[1\] is 1.0"),
        ("Adadelta", {"rho": 1.0}, "rho is 1.0"),
        ("Adagrad", {"initial_accumulator_value": -1.0}, "initial_accumulator_value is -1.0"),
        ("RAdam", {"eps": -1.0}, "eps is -1.0"),
        ("Adamax", {"lr": -1.0}, "lr is -1.0"),
    ]:
        with pytest.raises(ArgumentError, match=message):
            getattr(gf.optim, name)([w], **options)
    optimizer = gf.optim.NAdam([w])
    w.sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    state["state"][0]["mu_product"] = gf.ones(2)
    with pytest.raises(CheckpointError, match=r"mu_product of parameter 0 is \(2,\), it is \(\)"):
        optimizer.load_state_dict(state)
    assert "nadam_update" in OPS
