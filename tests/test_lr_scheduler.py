"""Learning-rate schedules: PyTorch's rates, closed forms, states that go on, what an update makes of a rate."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradflow as gf
from gradflow.dispatch import Observer, observed_by
from gradflow.errors import ArgumentError, CheckpointError, CompileError, StateKeyError
from gradflow.optim import lr_scheduler

STEPS = 60
SCHEDULES = {
    "LambdaLR": [{"lr_lambda": lambda t: 0.95**t}, {"lr_lambda": [lambda t: 1 / (1 + t), lambda t: 0.5]}],
    "StepLR": [{"step_size": 7}, {"step_size": 1, "gamma": 0.9}],
    "MultiStepLR": [{"milestones": [30, 5, 5, 11], "gamma": 0.5}],
    "ConstantLR": [{}, {"factor": 0.1, "total_iters": 9}],
    "LinearLR": [{}, {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 20}],
    "ExponentialLR": [{"gamma": 0.9}],
    "CosineAnnealingLR": [{"T_max": 10}, {"T_max": 25, "eta_min": 0.01}, {"T_max": 1}],
    "CosineAnnealingWarmRestarts": [{"T_0": 7}, {"T_0": 4, "T_mult": 3, "eta_min": 0.02}, {"T_0": 1, "T_mult": 2}],
    "PolynomialLR": [{}, {"total_iters": 30, "power": 2.5}],
    "OneCycleLR": [
        {"max_lr": 0.4, "total_steps": 61},
        {"max_lr": [0.4, 0.2], "epochs": 6, "steps_per_epoch": 10, "anneal_strategy": "linear"},
        {"max_lr": 0.4, "total_steps": 60, "three_phase": True, "pct_start": 0.4, "base_momentum": 0.7},
        {"max_lr": 0.4, "total_steps": 60, "pct_start": 0.0, "cycle_momentum": False},
    ],
    "CyclicLR": [
        {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 5},
        {"base_lr": [0.1, 0.2], "max_lr": 0.5, "step_size_up": 4, "step_size_down": 7, "mode": "triangular2"},
        {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 6, "mode": "exp_range", "gamma": 0.97},
        {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 5, "scale_fn": lambda cycle: 1 / cycle, "base_momentum": 0.5},
        {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 5, "scale_fn": lambda t: 0.9**t, "scale_mode": "iterations"},
    ],
}
CASES = [(name, options) for name, each in SCHEDULES.items() for options in each]
IDS = [f"{name}-{i}" for name, each in SCHEDULES.items() for i in range(len(each))]


def optimizer_of(library, name="SGD", rates=(0.1, 0.3)):
    weights = [library.zeros(2, requires_grad=True) for _ in rates]
    options = {"momentum": 0.9} if name == "SGD" else {}
    groups = [{"params": [w], "lr": rate} for w, rate in zip(weights, rates, strict=True)]
    return getattr(library.optim, name)(groups, lr=1.0, **options)


def settings(optimizer):
    """What schedules change: the rates, and momenta or betas."""
    return [[group["lr"], *group.get("betas", [group.get("momentum")])] for group in optimizer.param_groups]


def run(library, make, steps=STEPS, optimizer_name="SGD"):
    """What is set in each step, by schedules that ``make(lr_scheduler, optimizer)`` returns."""
    optimizer = optimizer_of(library, optimizer_name)
    schedules = make(library.optim.lr_scheduler, optimizer)
    history = [settings(optimizer)]
    for _ in range(steps):
        optimizer.step()
        for each in schedules:
            each.step()
        history.append(settings(optimizer))
        assert schedules[-1].get_last_lr() == [group["lr"] for group in optimizer.param_groups]
    return np.array(history)


def assert_like_torch(torch, make, steps=STEPS, optimizer_name="SGD"):
    ours, theirs = (run(library, make, steps, optimizer_name) for library in (gf, torch))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-15)
    assert len(np.unique(theirs, axis=0)) > 1


@pytest.mark.parametrize("optimizer_name", ["SGD", "Adam"])
@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_rates_are_pytorchs(name, options, optimizer_name, torch):
    assert_like_torch(torch, lambda s, o: [getattr(s, name)(o, **options)], optimizer_name=optimizer_name)


COMPOSED = {
    "a warm-up, then a cosine": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.1, total_iters=5), s.CosineAnnealingLR(o, T_max=20)], milestones=[5]
    ),
    "three in turn": lambda s, o: s.SequentialLR(
        o,
        [s.ConstantLR(o, 0.5, total_iters=3), s.CosineAnnealingWarmRestarts(o, T_0=6), s.ExponentialLR(o, 0.8)],
        milestones=[10, 30],
    ),
    "chained": lambda s, o: s.ChainedScheduler(
        [s.ConstantLR(o, 0.1, total_iters=5), s.ExponentialLR(o, 0.9), s.MultiStepLR(o, [8, 20])]
    ),
    "a chain with a floor": lambda s, o: s.ChainedScheduler(
        [s.CosineAnnealingLR(o, T_max=70, eta_min=0.01), s.StepLR(o, 9, gamma=0.7)]
    ),
}


@pytest.mark.parametrize("make", COMPOSED.values(), ids=COMPOSED)
def test_composed_rates_are_pytorchs(make, torch):
    assert_like_torch(torch, lambda s, o: [make(s, o)])


def test_schedules_called_one_after_the_other_multiply_each_other(torch):
    assert_like_torch(torch, lambda s, o: [s.ExponentialLR(o, 0.9), s.StepLR(o, 10, gamma=0.5), s.LinearLR(o, 0.2)])


def test_a_rate_set_by_hand_is_gone_on_from():
    optimizer = optimizer_of(gf)
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    scheduler.step()
    optimizer.param_groups[0]["lr"] = 8.0
    scheduler.step()
    assert scheduler.get_last_lr() == [4.0, 0.075]


def test_a_rate_alone_is_the_closed_form_to_the_last_bit():
    optimizer = optimizer_of(gf)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=2000)
    for t in range(2003):
        assert scheduler.get_last_lr() == [rate * ((1 + math.cos(math.pi * t / 2000)) / 2) for rate in (0.1, 0.3)]
        scheduler.advance()


METRICS = [1.0, 0.9, 0.95, 0.95, 0.95, 0.89999, 0.91, 0.5, *[0.6] * 12, 0.49, *[0.7] * 8, math.nan, math.nan, 0.1]
PLATEAUS = [
    {"patience": 2},
    {"patience": 2, "mode": "max", "factor": 0.5},
    {"patience": 1, "threshold_mode": "abs", "threshold": 0.05, "cooldown": 3},
    {"patience": 1, "threshold_mode": "abs", "mode": "max", "min_lr": [0.01, 0.2]},
    {"patience": 0, "eps": 1e-3},
]


@pytest.mark.parametrize("options", PLATEAUS)
def test_the_rate_falls_on_a_plateau_as_in_pytorch(options, torch):
    histories = []
    for library in (gf, torch):
        optimizer = optimizer_of(library)
        scheduler = library.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        history = []
        for value in METRICS:
            scheduler.step(library.tensor(value))
            history.append(scheduler.get_last_lr())
        histories.append(history)
    np.testing.assert_allclose(*histories, rtol=1e-12)
    assert len(np.unique(histories[0])) > 2


STATEFUL = {
    **{
        f"{name}": (lambda s, o, name=name, each=each: getattr(s, name)(o, **each[0]))
        for name, each in SCHEDULES.items()
    },
    **COMPOSED,
}


@pytest.mark.parametrize("make", STATEFUL.values(), ids=STATEFUL)
@pytest.mark.parametrize("after", [0, 3, 17])
def test_a_schedule_goes_on_from_its_state(make, after):
    first = optimizer_of(gf)
    scheduler = make(lr_scheduler, first)
    for _ in range(after):
        scheduler.step()
    second = optimizer_of(gf)
    resumed = make(lr_scheduler, second)
    second.load_state_dict(first.state_dict())
    resumed.load_state_dict(scheduler.state_dict())
    for _ in range(20):
        scheduler.step()
        resumed.step()
        assert settings(second) == settings(first)
        assert resumed.get_last_lr() == scheduler.get_last_lr()


def test_a_plateau_goes_on_from_its_state():
    first, second = optimizer_of(gf), optimizer_of(gf)
    scheduler, resumed = (lr_scheduler.ReduceLROnPlateau(each, patience=2) for each in (first, second))
    for value in METRICS[:4]:
        scheduler.step(value)
    resumed.load_state_dict(scheduler.state_dict())
    scheduler.step(0.95)
    resumed.step(0.95)
    assert scheduler.get_last_lr() == resumed.get_last_lr() == [0.1 * 0.1, 0.3 * 0.1]


@pytest.mark.parametrize("name", ["StepLR", "CosineAnnealingLR", "LinearLR", "ExponentialLR", "CyclicLR"])
def test_the_state_of_a_torch_optimizer_and_last_epoch_are_enough_to_go_on(name, torch):
    (options, *_) = SCHEDULES[name]
    theirs = optimizer_of(torch)
    scheduler = getattr(torch.optim.lr_scheduler, name)(theirs, **options)
    for _ in range(6):
        theirs.step()
        scheduler.step()
    ours = optimizer_of(gf)
    saved = theirs.state_dict()["param_groups"]
    for group, options_saved in zip(ours.param_groups, saved, strict=True):
        group["lr"], group["initial_lr"] = options_saved["lr"], options_saved["initial_lr"]
    resumed = getattr(lr_scheduler, name)(ours, **options, last_epoch=5)
    for _ in range(10):
        theirs.step()
        scheduler.step()
        resumed.step()
        np.testing.assert_allclose(resumed.get_last_lr(), scheduler.get_last_lr(), rtol=1e-9)


def test_an_optimizers_state_keeps_the_rate_that_schedules_start_from():
    optimizer = optimizer_of(gf)
    lr_scheduler.LinearLR(optimizer, 0.5)
    other = optimizer_of(gf)
    other.load_state_dict(optimizer.state_dict())
    assert [group["initial_lr"] for group in other.param_groups] == [0.1, 0.3]
    assert [group["lr"] for group in other.param_groups] == [0.05, 0.15]


def test_the_update_reads_the_new_rate():
    w = gf.tensor([1.0], dtype="float64", requires_grad=True)
    optimizer = gf.optim.SGD([w], lr=0.5)
    scheduler = lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    for expected in (0.5, 0.25, 0.125):
        before = w.item()
        w.grad = gf.tensor([1.0], dtype="float64")
        optimizer.step()
        assert before - w.item() == expected
        scheduler.step()


def test_a_step_is_one_action_that_does_it_again_when_it_is_called_again():
    optimizer = optimizer_of(gf)
    seen = []

    class Log(Observer):
        def saw(self, op, inputs, attrs, out):
            seen.append(op.name)

        def performs(self, action):
            seen.append(action)

    schedulers = [
        lr_scheduler.ExponentialLR(optimizer, 0.5),
        lr_scheduler.ChainedScheduler([lr_scheduler.ExponentialLR(optimizer, 0.5)]),
    ]
    for each in schedulers:
        seen.clear()
        with observed_by(Log()):
            each.step()
        (action,) = seen
        before = optimizer.param_groups[0]["lr"]
        action()
        assert optimizer.param_groups[0]["lr"] == optimizer.param_groups[0].lr.item() == before / 2


def sgd():
    return gf.optim.SGD([gf.zeros(1, requires_grad=True)], lr=0.1)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: lr_scheduler.StepLR(gf.zeros(1), 3), ArgumentError, "StepLR: needs an optimizer"),
        (lambda: lr_scheduler.StepLR(sgd(), 0), ArgumentError, "step_size is 0"),
        (lambda: lr_scheduler.StepLR(sgd(), 3, last_epoch=4), StateKeyError, "does not know its initial_lr"),
        (lambda: lr_scheduler.LambdaLR(sgd(), [abs, abs]), ArgumentError, "2 values, and the optimizer has 1"),
        (lambda: lr_scheduler.LinearLR(sgd(), 0.0), ArgumentError, "start_factor is 0.0"),
        (lambda: lr_scheduler.LinearLR(sgd(), 0.5, 1.5), ArgumentError, "end_factor is 1.5"),
        (lambda: lr_scheduler.ConstantLR(sgd(), 2.0), ArgumentError, "factor is 2.0"),
        (lambda: lr_scheduler.CosineAnnealingWarmRestarts(sgd(), 0), ArgumentError, "T_0 is 0"),
        (lambda: lr_scheduler.CyclicLR(sgd(), 0.1, 0.2), ArgumentError, "momentum above 0"),
        (lambda: lr_scheduler.CyclicLR(sgd(), 0.1, 0.2, mode="round"), ArgumentError, "mode is 'round'"),
        (lambda: lr_scheduler.OneCycleLR(sgd(), 0.1), ArgumentError, "give a positive total_steps"),
        (lambda: lr_scheduler.OneCycleLR(sgd(), 0.1, 9, pct_start=2.0), ArgumentError, "pct_start is 2.0"),
        (lambda: lr_scheduler.OneCycleLR(sgd(), 0.1, 9, anneal_strategy="x"), ArgumentError, "'cos' or 'linear'"),
        (lambda: lr_scheduler.ReduceLROnPlateau(sgd(), factor=1.0), ArgumentError, "factor is 1.0"),
        (lambda: lr_scheduler.ReduceLROnPlateau(sgd(), "low"), ArgumentError, "mode is 'low'"),
        (lambda: lr_scheduler.ChainedScheduler([]), ArgumentError, "at least one"),
    ],
)
def test_what_makes_no_schedule_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_schedules_in_turn_are_of_one_optimizer_and_have_milestones_between_them():
    one, other = sgd(), sgd()
    with pytest.raises(ArgumentError, match="schedule 1 is of another optimizer"):
        lr_scheduler.ChainedScheduler([lr_scheduler.StepLR(one, 3), lr_scheduler.StepLR(other, 3)])
    with pytest.raises(ArgumentError, match="2 schedules need 1 milestones"):
        lr_scheduler.SequentialLR(one, [lr_scheduler.StepLR(one, 3), lr_scheduler.StepLR(one, 3)], [])
    with pytest.raises(ArgumentError, match="ReduceLROnPlateau, number 0, is no schedule of the steps alone"):
        lr_scheduler.ChainedScheduler([lr_scheduler.ReduceLROnPlateau(one)])


def test_one_cycle_ends():
    scheduler = lr_scheduler.OneCycleLR(sgd(), 0.1, total_steps=3, cycle_momentum=False)
    for _ in range(3):
        scheduler.step()
    with pytest.raises(ArgumentError, match="the cycle has 3 steps"):
        scheduler.step()


def test_the_state_of_another_schedule_is_refused():
    scheduler = lr_scheduler.StepLR(sgd(), 3)
    with pytest.raises(CheckpointError, match="StepLR: the state lacks gamma, step_size"):
        scheduler.load_state_dict(lr_scheduler.PolynomialLR(sgd()).state_dict())
    chain = lr_scheduler.ChainedScheduler([scheduler])
    with pytest.raises(CheckpointError, match="the state is of 0 schedules, and these are 1"):
        chain.load_state_dict(scheduler.state_dict())


def trained(make, compiled, optimizer_name="SGD", steps=24):
    """The weights and rates of a step that has the schedule in it, compiled or not."""
    w = gf.tensor(np.linspace(-1, 1, 5), dtype="float64", requires_grad=True)
    options = {"momentum": 0.9} if optimizer_name == "SGD" else {}
    optimizer = getattr(gf.optim, optimizer_name)([w], lr=0.1, **options)
    scheduler = make(lr_scheduler, optimizer)

    def step(x):
        optimizer.zero_grad()
        loss = ((w * x) ** 2).sum()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss

    run_step = gf.compile(step) if compiled else step
    history = []
    for i in range(steps):
        loss = run_step(gf.tensor(np.cos(np.arange(5.0) + i)))
        history.append([loss.item(), *scheduler.get_last_lr(), *w.tolist()])
    return np.array(history), getattr(run_step, "reasons", [])


@pytest.mark.parametrize("make", COMPOSED.values(), ids=COMPOSED)
def test_a_compiled_step_counts_on(make):
    (found, reasons), (expected, _) = trained(make, compiled=True), trained(make, compiled=False)
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    assert len(reasons) == 2


def one_cycle(cycle_momentum):
    return lambda s, o: s.OneCycleLR(o, max_lr=0.1, total_steps=24, cycle_momentum=cycle_momentum)


@pytest.mark.parametrize("optimizer_name", ["SGD", "Adam"])
def test_a_momentum_cannot_change_in_a_compiled_step_and_a_rate_can(optimizer_name):
    found, _ = trained(one_cycle(cycle_momentum=False), True, optimizer_name)
    expected, _ = trained(one_cycle(cycle_momentum=False), False, optimizer_name)
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    with pytest.raises(CompileError, match="the step changed optimizer"):
        trained(one_cycle(cycle_momentum=True), True, optimizer_name)
