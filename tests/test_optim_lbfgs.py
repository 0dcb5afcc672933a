"""L-BFGS: PyTorch's numerics, its state, closures that are compiled, and what it refuses."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, CheckpointError, CompileError, DTypeError

OPTIONS = [
    {"lr": 0.1},
    {"lr": 0.5, "max_iter": 5, "history_size": 3},
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "max_iter": 4, "history_size": 2},
    {"line_search_fn": "strong_wolfe", "max_eval": 7},
    {"line_search_fn": "strong_wolfe", "lr": 30.0},  # steps that are too long
    {"line_search_fn": "strong_wolfe", "lr": 1e-3},  # and too short
    {"line_search_fn": "strong_wolfe", "lr": 1e-3, "max_iter": 6, "max_eval": 4},  # and not looked for long enough
]


def valley(w, b):
    return (10 * (w[1:] - w[:-1] ** 2) ** 2).sum() + ((1 - w) ** 2).sum() + ((b - 2) ** 2).sum() * (w[0] ** 2 + 0.1)


def parameters():
    rng = np.random.default_rng(3)
    return [rng.standard_normal(5), rng.standard_normal((2, 3))]


def closure_of(optimizer, loss, given, counts=None):
    def closure():
        optimizer.zero_grad()
        found = loss(*given)
        found.backward()
        if counts is not None:
            counts.append(found.item())
        return found

    return closure


@pytest.mark.parametrize("options", OPTIONS)
def test_every_evaluation_is_the_one_of_pytorch(options, torch):
    ours = [gf.tensor(w, requires_grad=True) for w in parameters()]
    theirs = [torch.tensor(w, requires_grad=True) for w in parameters()]
    seen = {}
    for name, optimizer, given in [
        ("ours", gf.optim.LBFGS(ours, **options), ours),
        ("theirs", torch.optim.LBFGS(theirs, **options), theirs),
    ]:
        closure = closure_of(optimizer, valley, given, seen.setdefault(name, []))
        for _ in range(4):
            optimizer.step(closure)
    assert len(seen["ours"]) > 15
    np.testing.assert_allclose(seen["ours"], seen["theirs"], rtol=1e-6, atol=1e-9)
    for w, reference in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(w.data, reference.detach().numpy(), rtol=1e-5, atol=1e-7)


def test_the_state_is_pytorchs_and_iterations_go_on_from_it(torch):
    theirs = [torch.tensor(w, requires_grad=True) for w in parameters()]
    reference = torch.optim.LBFGS(theirs, lr=0.1, max_iter=3)
    reference.step(closure_of(reference, valley, theirs))
    ours = [gf.tensor(w.detach().numpy().copy(), requires_grad=True) for w in theirs]
    optimizer = gf.optim.LBFGS(ours)
    optimizer.load_state_dict(reference.state_dict())
    assert optimizer.param_groups[0]["lr"] == 0.1
    for _ in range(2):
        reference.step(closure_of(reference, valley, theirs))
        optimizer.step(closure_of(optimizer, valley, ours))
    np.testing.assert_allclose(ours[0].data, theirs[0].detach().numpy(), rtol=1e-9)
    mine, saved = optimizer.state_dict()["state"][0], reference.state_dict()["state"][0]
    assert set(mine) <= set(saved)
    for name in ("func_evals", "n_iter", "t", "d", "prev_flat_grad"):
        np.testing.assert_allclose(np.asarray(mine[name]), np.asarray(saved[name]), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x)), None])
def test_copies_and_saved_states_go_the_same_way(again):
    ours = [gf.tensor(w, requires_grad=True) for w in parameters()]
    optimizer = gf.optim.LBFGS(ours, lr=0.1, max_iter=4)
    optimizer.step(closure_of(optimizer, valley, ours))
    if again is None:
        others = [gf.tensor(w.data.copy(), requires_grad=True) for w in ours]
        other = gf.optim.LBFGS(others, lr=0.1)
        other.load_state_dict(optimizer.state_dict())
    else:
        other = again(optimizer)
        others = other.param_groups[0]["params"]
    for each, given in [(optimizer, ours), (other, others)]:
        each.step(closure_of(each, valley, given))
    assert ours[0].tolist() == others[0].tolist()


def test_a_hard_valley_is_followed_to_its_end():
    w = gf.tensor(np.array([-1.2, 1.0]), requires_grad=True)
    optimizer = gf.optim.LBFGS([w], max_iter=100, line_search_fn="strong_wolfe")
    first = optimizer.step(closure_of(optimizer, lambda w: 100 * (w[1] - w[0] ** 2) ** 2 + (1 - w[0]) ** 2, [w]))
    assert first.item() == pytest.approx(24.2)
    np.testing.assert_allclose(w.data, 1, atol=1e-4)
    assert optimizer.evaluations < 60


def test_parameters_without_a_gradient_stay():
    w, other = gf.ones(2, requires_grad=True), gf.ones(3, requires_grad=True)
    optimizer = gf.optim.LBFGS([w, other], lr=0.5)
    optimizer.step(closure_of(optimizer, lambda w: ((w - 3) ** 2).sum(), [w]))
    np.testing.assert_allclose(w.data, 3, atol=1e-3)
    assert other.tolist() == [1.0] * 3


@pytest.mark.parametrize("where", ["cpu", "cuda"])
def test_a_closure_may_be_compiled(where, cuda):
    w = gf.tensor([3.0, -2.0], device=where, requires_grad=True)
    optimizer = gf.optim.LBFGS([w], line_search_fn="strong_wolfe")
    optimizer.step(gf.compile(closure_of(optimizer, lambda w: ((w - 1) ** 4).sum(), [w])))
    assert w.device.kind == where
    np.testing.assert_allclose(w.detach().numpy(), 1, atol=0.05)


def test_a_compiled_step_is_refused():
    w = gf.ones(2, requires_grad=True)
    optimizer = gf.optim.LBFGS([w])
    step = gf.compile(lambda: optimizer.step(closure_of(optimizer, lambda w: (w * w).sum(), [w])))
    with pytest.raises(CompileError, match="call it outside, with a closure that is compiled"):
        step()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"line_search_fn": "armijo"}, ArgumentError, "line_search_fn is 'armijo'; it is 'strong_wolfe' or None"),
        ({"max_iter": 0}, ArgumentError, "max_iter is 0; it must be at least 1"),
        ({"tolerance_grad": -1.0}, ArgumentError, "tolerance_grad is -1.0"),
        ({"params": [{"params": [gf.ones(1, requires_grad=True)]} for _ in "ab"]}, ArgumentError, "there is one group"),
        (
            {"params": [gf.ones(1, requires_grad=True), gf.ones(1, dtype="float64", requires_grad=True)]},
            DTypeError,
            "the tensors of params must have one dtype",
        ),
    ],
)
def test_what_lbfgs_refuses(given, error, message):
    with pytest.raises(error, match=message):
        gf.optim.LBFGS(**{"params": [gf.ones(2, requires_grad=True)], **given})


def test_a_step_needs_a_closure_and_a_state_its_form():
    optimizer = gf.optim.LBFGS([gf.ones(2, requires_grad=True)])
    with pytest.raises(ArgumentError, match=r"write optimizer.step\(closure\)"):
        optimizer.step()
    with pytest.raises(CheckpointError, match="expected a dict"):
        optimizer.load_state_dict({})
