"""Optimizers: PyTorch's numerics, arenas that move nothing they should not, state that survives saving."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, CheckpointError, DTypeError, GradientError, StateKeyError
from gradflow.optim.arena import ALIGNMENT, Slot

SGDS = [
    {"lr": 0.1},
    {"lr": 0.1, "momentum": 0.9},
    {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01},
    {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    {"lr": 0.001, "momentum": 0.5, "weight_decay": 0.1, "maximize": True},
]
ADAMS = [
    {"lr": 0.01},
    {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-3},
    {"lr": 0.01, "weight_decay": 0.1},
    {"lr": 0.01, "amsgrad": True},
    {"lr": 0.001, "weight_decay": 0.1, "amsgrad": True, "maximize": True},
]
CONFIGURATIONS = [("SGD", k) for k in SGDS] + [("Adam", k) for k in ADAMS] + [("AdamW", k) for k in ADAMS]


def parameter(*shape, seed=0, dtype="float64"):
    values = np.random.default_rng(seed).standard_normal(shape)
    return gf.tensor(values, dtype=dtype, requires_grad=True)


def mlp_loss(xp, x, y, w1, b1, w2, b2):
    hidden = xp.relu(x @ w1.T + b1)
    return ((hidden @ w2.T + b2 - y) ** 2).mean()


@pytest.mark.parametrize(("name", "options"), CONFIGURATIONS)
def test_200_steps_follow_pytorch(name, options, rng, torch):
    start = [rng.standard_normal(shape) * 0.3 for shape in [(16, 8), (16,), (5, 16), (5,)]]
    ours = [gf.tensor(w.copy(), requires_grad=True) for w in start]
    theirs = [torch.tensor(w, requires_grad=True) for w in start]
    our_optimizer = getattr(gf.optim, name)(ours, **options)
    their_optimizer = getattr(torch.optim, name)(theirs, **options)
    for _ in range(200):
        x, y = rng.standard_normal((32, 8)), rng.standard_normal((32, 5))
        our_loss = mlp_loss(gf, gf.tensor(x), gf.tensor(y), *ours)
        their_loss = mlp_loss(torch, torch.tensor(x), torch.tensor(y), *theirs)
        assert our_loss.item() == pytest.approx(their_loss.item(), rel=1e-9, abs=0)
        for optimizer, loss in [(our_optimizer, our_loss), (their_optimizer, their_loss)]:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def adam_by_the_paper(w, gradients, lr, beta1=0.9, beta2=0.999, eps=1e-8):
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        w = w - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
    return w


def test_adam_is_algorithm_1_of_the_paper(rng):
    w = parameter(40_000)  # more than a chunk
    start, gradients = w.data.copy(), rng.standard_normal((5, 40_000))
    optimizer = gf.optim.Adam([w], lr=0.1)
    for g in gradients:
        w.grad = gf.tensor(g)
        optimizer.step()
    np.testing.assert_allclose(w.data, adam_by_the_paper(start, gradients, 0.1), rtol=1e-12, atol=1e-14)


def test_momentum_by_hand():
    w = gf.tensor(1.0, dtype="float64", requires_grad=True)
    optimizer = gf.optim.SGD([w], lr=0.1, momentum=0.5)
    for expected in (1 - 0.1 * 2, 0.8 - 0.1 * (0.5 * 2 + 2), 0.5 - 0.1 * (0.5 * 3 + 2)):
        w.grad = gf.tensor(2.0, dtype="float64")
        optimizer.step()
        assert w.item() == pytest.approx(expected, rel=1e-14)


def test_parameters_become_aligned_views_of_one_arena():
    weights = [parameter(3, 5, seed=1), parameter(7, seed=2), parameter(2, 2, seed=3)]
    before = [w.data.copy() for w in weights]
    gf.optim.SGD(weights, lr=0.1)
    arenas = {id(w.grad_slot.arena) for w in weights}
    assert len(arenas) == 1
    for w, old in zip(weights, before, strict=True):
        np.testing.assert_array_equal(w.data, old)
        assert np.shares_memory(w.data, weights[0].grad_slot.arena.values.data)
        assert w.grad_slot.start * w.data.itemsize % ALIGNMENT == 0


def test_parameters_of_two_dtypes_live_in_two_arenas_and_both_move():
    a, b = parameter(3), parameter(3, dtype="float32")
    optimizer = gf.optim.SGD([a, b], lr=1.0)
    old = a.tolist(), b.tolist()
    (a.sum() + b.sum()).backward()
    optimizer.step()
    np.testing.assert_allclose(a.data, np.array(old[0]) - 1)
    np.testing.assert_allclose(b.data, np.array(old[1], np.float32) - 1, rtol=1e-6)


def test_gradients_are_written_into_the_arena_by_the_products_themselves():
    w, b = parameter(4, 3), parameter(4)
    gf.optim.SGD([w, b], lr=0.1)
    gf.linear(gf.tensor(np.ones((5, 3))), w, b).sum().backward()
    for p in (w, b):
        assert isinstance(p.grad_slot, Slot)
        assert p.grad.data is p.grad_slot.tensor.data
    np.testing.assert_allclose(w.grad.data, np.full((4, 3), 5.0))
    np.testing.assert_allclose(b.grad.data, np.full(4, 5.0))


def test_gradients_accumulate_in_the_arena_and_from_shared_weights():
    w = parameter(3, 3)
    x = gf.tensor(np.ones((2, 3)))
    plain = gf.tensor(w.data.copy(), requires_grad=True)
    gf.optim.SGD([w], lr=0.1)
    for p in (w, plain):
        for _ in range(2):
            gf.linear(gf.linear(x, p), p).sum().backward()
    np.testing.assert_allclose(w.grad.data, plain.grad.data, rtol=1e-14)


def test_a_gradient_kept_across_zero_grad_keeps_its_values():
    w = parameter(3)
    optimizer = gf.optim.SGD([w], lr=0.1)
    (w * 2).sum().backward()
    kept = w.grad
    optimizer.zero_grad()
    assert w.grad is None
    (w * 5).sum().backward()
    assert kept.tolist() == [2.0] * 3
    assert w.grad.tolist() == [5.0] * 3


def test_zero_grad_can_leave_zeros():
    w = parameter(3)
    optimizer = gf.optim.SGD([w], lr=0.1)
    (w * gf.tensor([2.0, np.inf, np.nan])).sum().backward()
    optimizer.zero_grad(set_to_none=False)
    assert w.grad.tolist() == [0.0] * 3


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_parameters_without_a_gradient_stay_and_keep_their_own_step_count(name, torch):
    options = {"lr": 0.1, "momentum": 0.9} if name == "SGD" else {"lr": 0.1}
    ours = [parameter(3, seed=i) for i in range(3)]
    theirs = [torch.tensor(w.data.copy(), requires_grad=True) for w in ours]
    our_optimizer = getattr(gf.optim, name)(ours, **options)
    their_optimizer = getattr(torch.optim, name)(theirs, **options)
    for used in [(0, 1, 2), (0, 2), (1,), (0, 1, 2), (), (0, 1)]:
        for optimizer, weights in [(our_optimizer, ours), (their_optimizer, theirs)]:
            optimizer.zero_grad()
            for i in used:
                (weights[i] ** 2).sum().backward()
            optimizer.step()
        for w, expected in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(w.data, expected.detach().numpy(), rtol=1e-12)


def test_two_optimizers_may_share_parameters():
    a, b = parameter(3, seed=1), parameter(3, seed=2)
    first, second = gf.optim.SGD([a, b], lr=1.0), gf.optim.SGD([b], lr=10.0)
    old = a.data.copy(), b.data.copy()
    (a.sum() + b.sum()).backward()
    first.step()
    second.step()
    np.testing.assert_allclose(a.data, old[0] - 1)
    np.testing.assert_allclose(b.data, old[1] - 11)


def test_groups_have_options_of_their_own():
    a, b = parameter(2, seed=1), parameter(2, seed=2)
    optimizer = gf.optim.SGD([{"params": [a]}, {"params": [b], "lr": 10.0}], lr=1.0)
    old = a.data.copy(), b.data.copy()
    (a.sum() + b.sum()).backward()
    optimizer.step()
    np.testing.assert_allclose(a.data, old[0] - 1)
    np.testing.assert_allclose(b.data, old[1] - 10)


def test_a_new_learning_rate_is_obeyed_and_is_a_tensor():
    w = parameter(2)
    optimizer = gf.optim.SGD([w], lr=1.0)
    group = optimizer.param_groups[0]
    group["lr"] = 0.25
    assert group.lr.item() == 0.25
    old = w.data.copy()
    w.sum().backward()
    optimizer.step()
    np.testing.assert_allclose(w.data, old - 0.25)
    with pytest.raises(StateKeyError, match="'lr_rate' is not an option"):
        group["lr_rate"] = 1.0


def test_step_takes_a_closure():
    w = gf.tensor(2.0, dtype="float64", requires_grad=True)
    optimizer = gf.optim.SGD([w], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = w * w
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 4.0
    assert w.item() == 1.0


@pytest.mark.parametrize(("name", "options"), CONFIGURATIONS)
def test_training_goes_on_from_a_saved_state_as_if_it_had_not_stopped(name, options):
    def trained(w, optimizer, steps):
        for i in range(steps):
            optimizer.zero_grad()
            ((w[0] ** 2).sum() + ((w[1] * (i % 3 + 1)) ** 2).sum()).backward()
            optimizer.step()

    whole = [parameter(3, seed=1), parameter(2, 2, seed=2)]
    optimizer = getattr(gf.optim, name)(whole, **options)
    trained(whole, optimizer, 3)
    saved = optimizer.state_dict()
    again = [gf.tensor(w.data.copy(), requires_grad=True) for w in whole]
    resumed = getattr(gf.optim, name)(again, lr=7.0)
    resumed.load_state_dict(saved)
    trained(whole, optimizer, 3)
    trained(again, resumed, 3)
    for w, expected in zip(again, whole, strict=True):
        np.testing.assert_array_equal(w.data, expected.data)


def test_the_state_dict_has_pytorchs_form(torch):
    ours, theirs = parameter(3), torch.ones(3, requires_grad=True)
    o, t = gf.optim.Adam([ours], amsgrad=True), torch.optim.Adam([theirs], amsgrad=True)
    for optimizer, w in [(o, ours), (t, theirs)]:
        (w * w).sum().backward()
        optimizer.step()
    mine, reference = o.state_dict(), t.state_dict()
    assert set(mine) == set(reference)
    assert set(mine["state"][0]) == set(reference["state"][0])
    assert set(mine["param_groups"][0]) <= set(reference["param_groups"][0])
    assert mine["param_groups"][0]["params"] == [0]


def test_a_saved_state_is_a_copy():
    w = parameter(3)
    optimizer = gf.optim.Adam([w])
    w.sum().backward()
    optimizer.step()
    saved = optimizer.state_dict()
    before = saved["state"][0]["exp_avg"].tolist()
    optimizer.step()
    assert saved["state"][0]["exp_avg"].tolist() == before
    assert saved["state"][0]["step"].item() == 1


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing():
    optimizer = gf.optim.Adam([parameter(3)], lr=0.5)
    other = gf.optim.Adam([w := parameter(4)], lr=0.25)
    w.sum().backward()
    other.step()
    with pytest.raises(CheckpointError, match=r"exp_avg of parameter 0 is \(4,\), it is \(3,\)"):
        optimizer.load_state_dict(other.state_dict())
    with pytest.raises(CheckpointError, match=r"saved groups have \[2\] parameters"):
        optimizer.load_state_dict(gf.optim.Adam([parameter(3), parameter(3)]).state_dict())
    with pytest.raises(CheckpointError, match="saved options momentum"):
        optimizer.load_state_dict({"state": {}, "param_groups": [{"params": [0], "momentum": 0.9}]})
    with pytest.raises(CheckpointError, match="expected a dict"):
        optimizer.load_state_dict({})
    assert optimizer.param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: gf.optim.SGD([]), ArgumentError, "the list is empty"),
        (lambda: gf.optim.SGD(parameter(2)), DTypeError, r"write \[parameter\]"),
        (lambda: gf.optim.SGD([gf.zeros(2)]), ArgumentError, "does not require grad"),
        (lambda: gf.optim.SGD([parameter(2) * 2]), ArgumentError, "was computed"),
        (lambda: gf.optim.SGD([np.ones(2)]), DTypeError, "parameter 0 is a ndarray"),
        (lambda: gf.optim.SGD([p := parameter(2), p]), ArgumentError, "given twice"),
        (lambda: gf.optim.SGD([{"params": [p := parameter(2)]}, {"params": [p]}]), ArgumentError, "another group"),
        (lambda: gf.optim.SGD([{"params": [parameter(2)], "beta": 1}]), StateKeyError, "beta: not options of SGD"),
        (lambda: gf.optim.SGD([parameter(2)], lr=-1.0), ArgumentError, "lr is -1.0; it must be at least 0"),
        (lambda: gf.optim.SGD([parameter(2)], lr=float("nan")), ArgumentError, "lr is nan"),
        (lambda: gf.optim.SGD([parameter(2)], nesterov=True), ArgumentError, "nesterov needs a momentum"),
        (lambda: gf.optim.Adam([parameter(2)], betas=(0.9, 1.0)), ArgumentError, r"betas\[1\] is 1.0"),
    ],
)
def test_what_cannot_be_optimized_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_parameter_moved_after_its_optimizer_was_made_is_noticed():
    w = parameter(2)
    optimizer = gf.optim.SGD([w])
    w.sum().backward()
    w.data = np.zeros(2)
    with pytest.raises(GradientError, match="make the optimizer afterwards"):
        optimizer.step()


def test_a_model_converted_after_its_optimizer_was_made_is_noticed():
    model = gf.nn.Linear(2, 2)
    first = gf.optim.SGD(model.parameters())
    model.to("float64")
    model(gf.zeros((1, 2), dtype="float64")).sum().backward()
    with pytest.raises(GradientError, match="make the optimizer afterwards"):
        first.step()
    second = gf.optim.SGD(model.parameters(), lr=1.0)
    before = model.bias.data.copy()
    with pytest.raises(GradientError, match="arena of another optimizer"):
        first.step()
    np.testing.assert_array_equal(model.bias.data, before)
    second.step()
    np.testing.assert_allclose(model.bias.data, before - 1)


def test_a_step_between_forward_and_backward_is_refused():
    w = parameter(2)
    optimizer = gf.optim.SGD([w], lr=0.1)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(GradientError, match="sgd_update has overwritten"):
        loss.backward()


@pytest.mark.parametrize("in_arena", [True, False])
def test_clipping_by_norm_scales_all_gradients_together(in_arena):
    a, b = parameter(3, seed=1), parameter(2, 2, seed=2)
    if in_arena:
        gf.optim.SGD([a, b])
    ((a * 3).sum() + (b * 4).sum()).backward()
    before = np.sqrt(3 * 9 + 4 * 16)
    norm = gf.optim.clip_grad_norm_([a, b], max_norm=1.0)
    assert norm.item() == pytest.approx(before)
    np.testing.assert_allclose(a.grad.data, 3 / before, rtol=1e-6)
    np.testing.assert_allclose(b.grad.data, 4 / before, rtol=1e-6)
    gf.optim.clip_grad_norm_([a, b], max_norm=5.0)
    np.testing.assert_allclose(a.grad.data, 3 / before, rtol=1e-6)


def test_clipping_is_one_reduction_whatever_the_number_of_parameters():
    weights = [parameter(3, seed=i) for i in range(50)]
    gf.optim.Adam(weights)
    sum((w.sum() for w in weights), gf.tensor(0.0)).backward()
    seen = []

    class Log(gf.dispatch.Observer):
        def saw(self, op, inputs, attrs, out):
            seen.append((op.name, len(inputs)))

    with gf.dispatch.observed_by(Log()):
        gf.optim.clip_grad_norm_(weights, 1.0)
    assert [each for each in seen if each[0] == "joint_norm"] == [("joint_norm", 1)]
    assert sum(name == "clip_by_norm" for name, _ in seen) == 1


def test_a_norm_that_is_not_finite_can_be_an_error():
    w = parameter(2)
    w.grad = gf.tensor([np.inf, 1.0])
    with pytest.raises(GradientError, match="norm of the gradients is inf"):
        gf.optim.clip_grad_norm_([w], 1.0, error_if_nonfinite=True)
    assert w.grad.tolist() == [np.inf, 1.0]
    with pytest.raises(ArgumentError, match="max_norm is -1"):
        gf.optim.clip_grad_norm_([w], -1)


def test_adam_updates_everything_in_one_call():
    weights = [parameter(3, seed=i) for i in range(100)]
    optimizer = gf.optim.Adam(weights)
    sum((w.sum() for w in weights), gf.tensor(0.0)).backward()
    seen = []

    class Log(gf.dispatch.Observer):
        def saw(self, op, inputs, attrs, out):
            seen.append(op.name)

    with gf.dispatch.observed_by(Log()):
        optimizer.step()
    assert seen == ["adam_update"]
