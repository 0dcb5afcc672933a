"""Loss scaling: PyTorch's sequence of scales and skipped steps, in float16 as well, without waiting for a GPU."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, CheckpointError, GradientError

OPTIONS = {"init_scale": 1024.0, "growth_interval": 3, "growth_factor": 4.0, "backoff_factor": 0.25}


def test_scales_and_skipped_steps_are_pytorchs(torch):
    bad = [False, False, True, False, False, False, True, True, False, False, False, False]
    ours, theirs = gf.tensor([1.0, 2.0], requires_grad=True), torch.tensor([1.0, 2.0], requires_grad=True)
    o, t = gf.optim.SGD([ours], lr=0.1, momentum=0.9), torch.optim.SGD([theirs], lr=0.1, momentum=0.9)
    mine, reference = gf.optim.GradScaler(**OPTIONS), torch.amp.GradScaler("cpu", **OPTIONS)
    for each in bad:
        factor = float("inf") if each else 1.0
        for scaler, optimizer, w in [(mine, o, ours), (reference, t, theirs)]:
            optimizer.zero_grad()
            scaler.scale((w * w).sum() * factor).backward()
            scaler.step(optimizer)
            scaler.update()
        assert mine.get_scale() == reference.get_scale()
        np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-6)
    assert mine.state_dict() == reference.state_dict()


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Lion", "RMSprop"])
def test_a_skipped_step_leaves_parameters_state_and_counters(name):
    w = gf.tensor([1.0, 2.0], requires_grad=True)
    optimizer, scaler = getattr(gf.optim, name)([w], lr=0.5), gf.optim.GradScaler()
    w.grad = gf.tensor([np.nan, 1.0])
    scaler.step(optimizer)
    scaler.update()
    assert w.tolist() == [1.0, 2.0]
    assert optimizer.state_dict()["state"] == {}
    assert scaler.get_scale() == 32768.0
    w.grad = gf.tensor([1.0, 1.0])
    optimizer.step()  # without the scaler, whose flag it must not keep
    assert w.tolist() != [1.0, 2.0]


def test_gradients_that_would_vanish_in_float16_arrive():
    w = gf.tensor([1.0], dtype="float16", requires_grad=True)
    small = gf.tensor([2.0**-20], dtype="float16")

    def loss():
        return (w * small * 2.0**-10).sum()  # a gradient of 2^-30; the smallest float16 is 2^-24

    loss().backward()
    assert w.grad.item() == 0
    w.grad = None
    optimizer, scaler = gf.optim.SGD([w], lr=1.0), gf.optim.GradScaler(init_scale=2.0**14)
    scaler.scale(loss()).backward()
    assert w.grad.item() == 2.0**-16
    w.grad = gf.tensor([2.0**-6], dtype="float16")
    scaler.unscale_(optimizer)
    assert w.grad.item() == 2.0**-20


def test_gradients_can_be_clipped_between_unscale_and_step():
    w = gf.tensor([3.0, 4.0], requires_grad=True)
    optimizer, scaler = gf.optim.SGD([w], lr=1.0), gf.optim.GradScaler()
    scaler.scale((w * w / 2).sum()).backward()
    scaler.unscale_(optimizer)
    assert gf.optim.clip_grad_norm_([w], 1.0).item() == 5.0
    scaler.step(optimizer)
    np.testing.assert_allclose(w.data, [2.4, 3.2], rtol=1e-6)


def test_what_one_optimizer_finds_shrinks_the_scale_of_all_and_only_its_own_step_is_skipped():
    a, b = gf.tensor([1.0], requires_grad=True), gf.tensor([1.0], requires_grad=True)
    optimizers = [gf.optim.SGD([a], lr=1.0), gf.optim.SGD([b], lr=1.0)]
    scaler = gf.optim.GradScaler(init_scale=2.0)
    losses = scaler.scale([(a * 3).sum(), (b * float("inf")).sum()])
    for loss, optimizer in zip(losses, optimizers, strict=True):
        loss.backward()
        scaler.step(optimizer)
    scaler.update()
    assert (a.item(), b.item(), scaler.get_scale()) == (-2.0, 1.0, 1.0)


def test_a_scaler_goes_on_from_a_saved_state():
    w = gf.tensor([1.0], requires_grad=True)
    optimizer, scaler = gf.optim.SGD([w], lr=0.1), gf.optim.GradScaler(**OPTIONS)
    other = gf.optim.GradScaler()
    for i in range(4):
        if i == 2:
            other.load_state_dict(scaler.state_dict())
            scaler = other
        scaler.scale((w * w).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
    assert scaler.state_dict() == {
        "scale": 4096.0, "growth_factor": 4.0, "backoff_factor": 0.25, "growth_interval": 3, "_growth_tracker": 1
    }  # fmt: skip
    scaler.update(new_scale=7.0)
    assert scaler.get_scale() == 7.0


def test_a_scaler_that_is_not_enabled_does_nothing():
    w = gf.tensor([1.0], requires_grad=True)
    optimizer, scaler = gf.optim.SGD([w], lr=0.25), gf.optim.GradScaler(enabled=False)
    loss = (w * w).sum()
    assert scaler.scale(loss) is loss
    loss.backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    scaler.load_state_dict({})
    assert (w.item(), scaler.get_scale(), scaler.state_dict()) == (0.5, 1.0, {})


def test_calls_out_of_order_are_refused():
    w = gf.tensor([1.0], requires_grad=True)
    optimizer, scaler = gf.optim.SGD([w], lr=0.25), gf.optim.GradScaler()
    with pytest.raises(GradientError, match="no parameter of the optimizer has a gradient"):
        scaler.step(optimizer)
    with pytest.raises(GradientError, match=r"update\(\) comes after step"):
        scaler.update()
    scaler.scale((w * w).sum()).backward()
    scaler.unscale_(optimizer)
    with pytest.raises(GradientError, match="unscale_ has been called for this optimizer already"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(GradientError, match="step has been called for this optimizer already"):
        scaler.step(optimizer)
    with pytest.raises(GradientError, match="unscale_ comes before step"):
        scaler.unscale_(optimizer)
    with pytest.raises(CheckpointError, match="lacks _growth_tracker"):
        scaler.load_state_dict({k: v for k, v in scaler.state_dict().items() if k != "_growth_tracker"})
    for options in ({"growth_factor": 1.0}, {"backoff_factor": 1.0}, {"backoff_factor": 0.0}):
        with pytest.raises(ArgumentError, match=next(iter(options))):
            gf.optim.GradScaler(**options)
