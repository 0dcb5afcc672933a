"""Optimizers, clipping and loss scaling on CUDA devices: the CPU's numbers, few launches, no waiting."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.testing import assert_max_launches, assert_no_sync, tolerance

OPTIMIZERS = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    "Adam": {"lr": 0.01, "amsgrad": True},
    "AdamW": {"lr": 0.01},
    "Lion": {"lr": 0.01, "weight_decay": 0.1},
    "RMSprop": {"lr": 0.01, "momentum": 0.9, "centered": True},
}
SHAPES = [(3, 5), (7,), (1,), ()]


def parameters(*devices, dtype="float32"):
    """One parameter for each of SHAPES, on ``devices`` in turn."""
    if "cuda:1" in devices and gf.cuda.device_count() < 2:
        pytest.skip("there is one CUDA device, and this takes two")
    rng = np.random.default_rng(1)
    values = [rng.standard_normal(shape) for shape in SHAPES]
    places = [devices[i % len(devices)] for i in range(len(values))]
    return [gf.tensor(v, dtype=dtype, device=d, requires_grad=True) for v, d in zip(values, places, strict=True)]


def give_gradients(weights, seed, bad=False):
    rng = np.random.default_rng(seed)
    for w in weights:
        g = rng.standard_normal(w.shape)
        w.grad = gf.tensor(g * (np.inf if bad else 1.0), dtype=w.dtype, device=w.device)


def values(weights):
    return [w.detach().cpu().numpy() for w in weights]


def assert_close(weights, expected):
    for ours, theirs in zip(values(weights), values(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance(theirs.dtype, float(np.max(np.abs(theirs)))))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("devices", [("cuda",), ("cuda:0", "cuda:1"), ("cpu", "cuda")], ids=str)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_parameters_on_any_devices_move_as_on_the_cpu(name, devices, dtype, cuda):
    here, there = parameters("cpu", dtype=dtype), parameters(*devices, dtype=dtype)
    optimizers = [getattr(gf.optim, name)(weights, **OPTIMIZERS[name]) for weights in (here, there)]
    for seed in range(3):
        for weights, optimizer in zip((here, there), optimizers, strict=True):
            give_gradients(weights, seed)
            optimizer.param_groups[0]["lr"] = 0.01 * (seed + 1)
            optimizer.step()
    assert_close(there, here)
    assert [w.device for w in there] == [gf.device(devices[i % len(devices)]) for i in range(len(SHAPES))]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_is_one_launch_and_waits_for_nothing(name, cuda):
    weights = parameters("cuda")
    optimizer = getattr(gf.optim, name)(weights, **OPTIMIZERS[name])
    for w in weights:
        w.grad = w.grad_slot.lend()
    optimizer.step()
    with assert_max_launches(1), assert_no_sync():
        optimizer.step()


@pytest.mark.parametrize(("saved", "loaded"), [("cpu", "cuda"), ("cuda", "cpu"), ("cuda:0", "cuda:1")])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_state_saved_on_one_device_is_loaded_on_another(name, saved, loaded, cuda):
    here, there = parameters(saved), parameters(loaded)
    ours, theirs = (getattr(gf.optim, name)(w, **OPTIMIZERS[name]) for w in (here, there))
    for seed in range(2):
        give_gradients(here, seed)
        ours.step()
    state = ours.state_dict()
    assert state["state"][0]["step"].device == gf.device(saved)
    theirs.load_state_dict(state)
    for w, source in zip(there, here, strict=True):
        w.detach().copy_(source.detach().to(loaded))
    for weights, optimizer in [(here, ours), (there, theirs)]:
        give_gradients(weights, 5)
        optimizer.step()
    assert_close(there, here)
    assert next(iter(theirs.state_dict()["state"][1].values())).device == gf.device(loaded)


@pytest.mark.parametrize("devices", [("cuda",), ("cuda:0", "cuda:1"), ("cpu", "cuda")], ids=str)
def test_clipping_by_norm_does_what_the_cpu_does(devices, cuda):
    here, there = parameters("cpu"), parameters(*devices)
    for weights in (here, there):
        give_gradients(weights, 3)
    norms = [gf.optim.clip_grad_norm_(weights, 1.0) for weights in (here, there)]
    assert norms[1].device == gf.device(devices[0])
    assert norms[1].item() == pytest.approx(norms[0].item(), rel=1e-6)
    assert_close([w.grad for w in there], [w.grad for w in here])


@pytest.mark.parametrize("arenas", [1, 3])
def test_clipping_by_norm_is_two_launches_and_waits_for_nothing(arenas, cuda):
    groups = [parameters("cuda") for _ in range(arenas)]
    for group in groups:
        gf.optim.SGD(group)
    weights = [w for group in groups for w in group]
    for w in weights:
        w.grad = w.grad_slot.lend()
    gf.optim.clip_grad_norm_(weights, 1.0)
    with assert_max_launches(2), assert_no_sync():
        gf.optim.clip_grad_norm_(weights, 1.0)


@pytest.mark.parametrize("devices", [("cuda",), ("cuda:0", "cuda:1"), ("cpu", "cuda")], ids=str)
def test_loss_scaling_skips_the_same_steps_as_on_the_cpu(devices, cuda):
    here, there = parameters("cpu"), parameters(*devices)
    runs = [(w, gf.optim.Adam(w), gf.optim.GradScaler(init_scale=8.0, growth_interval=2)) for w in (here, there)]
    for seed, bad in enumerate([False, True, False, False, False]):
        for weights, optimizer, scaler in runs:
            give_gradients(weights, seed)
            if bad:
                weights[-1].grad = weights[-1].grad * float("nan")
            scaler.step(optimizer)
            scaler.update()
        assert runs[0][2].get_scale() == runs[1][2].get_scale()
        assert_close(there, here)
    assert runs[1][2].get_scale() == 8.0


def test_a_step_with_loss_scaling_waits_for_nothing(cuda):
    w = gf.tensor([1.0, 2.0], device="cuda", requires_grad=True)
    optimizer, scaler = gf.optim.Adam([w], lr=0.5), gf.optim.GradScaler()

    def step(factor):
        optimizer.zero_grad()
        scaler.scale((w * w).sum() * factor).backward()
        scaler.step(optimizer)
        scaler.update()

    step(1.0)
    with assert_no_sync():
        step(float("inf"))
        step(1.0)
    assert scaler.get_scale() == 32768.0
    assert optimizer.state_dict()["state"][0]["step"].item() == 2
