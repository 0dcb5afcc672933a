"""Optimizers, with all their options: rates, decays and groups that change, states that are loaded, schedules."""

from __future__ import annotations

import gradflow as gf
from footguns import batches, each, equal, net, numbers, raises, training
from gradflow.dispatch import perform
from gradflow.nn.functional import cross_entropy

OPTIMIZERS = {
    "SGD": lambda p: gf.optim.SGD(p, lr=0.1),
    "SGD with momentum": lambda p: gf.optim.SGD(p, lr=0.1, momentum=0.9),
    "SGD with damped momentum and decay": lambda p: gf.optim.SGD(
        p, lr=0.1, momentum=0.9, dampening=0.1, weight_decay=0.01
    ),
    "SGD by Nesterov": lambda p: gf.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda p: gf.optim.Adam(p, lr=0.01),
    "Adam with amsgrad and decay": lambda p: gf.optim.Adam(p, lr=0.01, amsgrad=True, weight_decay=0.1),
    "Adam with other betas and eps": lambda p: gf.optim.Adam(p, lr=0.01, betas=(0.8, 0.9), eps=1e-3),
    "AdamW": lambda p: gf.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "RMSprop": lambda p: gf.optim.RMSprop(p, lr=0.01),
    "RMSprop, centered, with momentum": lambda p: gf.optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True),
    "Lion": lambda p: gf.optim.Lion(p, lr=0.001, weight_decay=0.1),
    "Adagrad with a rate that falls": lambda p: gf.optim.Adagrad(p, lr=0.1, lr_decay=0.1),
    "Adadelta": lambda p: gf.optim.Adadelta(p, weight_decay=0.1),
    "Adamax": lambda p: gf.optim.Adamax(p, lr=0.01),
    "NAdam": lambda p: gf.optim.NAdam(p, lr=0.01, momentum_decay=0.1),
    "RAdam": lambda p: gf.optim.RAdam(p, lr=0.01, weight_decay=0.1, decoupled_weight_decay=True),
}


def _training(compile, make, between=lambda i, *both: None, count=7):
    """Steps of training a small model."""
    model = net(4, 5, 3)
    yield from training(compile, model, make(model.parameters()), between, count)


each({f"training by {name}": make for name, make in OPTIMIZERS.items()}, replays=5)(_training)

SGD = OPTIMIZERS["SGD with momentum"]
ADAM = OPTIMIZERS["Adam"]


@equal(replays=5)
def a_rate_changed_between_calls(compile):
    def between(i, model, optimizer):
        optimizer.param_groups[0]["lr"] = 0.1 / (i + 1)

    yield from _training(compile, ADAM, between)


@equal(replays=4)
def a_decay_changed_between_calls(compile):
    def between(i, model, optimizer):
        if i == 4:
            optimizer.param_groups[0]["weight_decay"] = 0.5

    yield from _training(compile, ADAM, between, count=10)


@equal(replays=4)
def betas_and_eps_changed_between_calls(compile):
    def between(i, model, optimizer):
        if i == 4:
            optimizer.param_groups[0]["betas"] = (0.5, 0.6)
            optimizer.param_groups[0]["eps"] = 0.1

    yield from _training(compile, ADAM, between, count=10)


@equal(replays=4)
def a_momentum_changed_and_changed_back(compile):
    def between(i, model, optimizer):
        optimizer.param_groups[0]["momentum"] = 0.5 if 3 <= i < 6 else 0.9

    yield from _training(compile, SGD, between, count=10)


@equal(replays=2)
def a_group_added(compile):
    more = numbers(3, requires_grad=True)
    model = net(4, 3)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        more.grad = None
        loss = cross_entropy(model(x) + more, y)
        loss.backward()
        optimizer.step()
        return loss

    for i, (x, y) in enumerate(batches(8)):
        if i == 4:
            optimizer.add_param_group({"params": [more], "lr": 0.01})
        yield step(x, y).detach(), model, more, optimizer


@equal(replays=5)
def groups_with_options_of_their_own(compile):
    def make(parameters):
        first, *others = parameters
        groups = [{"params": [first], "lr": 0.5}, {"params": others, "weight_decay": 0.1}]
        return gf.optim.AdamW(groups, lr=0.01)

    yield from _training(compile, make)


@equal(replays=3)
def the_state_of_an_optimizer_loaded_between_calls(compile):
    saved = {}

    def between(i, model, optimizer):
        if i == 2:
            saved.update(optimizer.state_dict())
        if i == 5:
            optimizer.load_state_dict(saved)

    yield from _training(compile, ADAM, between, count=9)


@equal(replays=3)
def a_state_with_other_options_loaded_between_calls(compile):
    def between(i, model, optimizer):
        if i == 4:
            state = optimizer.state_dict()
            state["param_groups"][0].update(lr=0.5, betas=(0.5, 0.6), weight_decay=0.1)
            optimizer.load_state_dict(state)

    yield from _training(compile, ADAM, between, count=9)


@equal(replays=4)
def the_state_of_a_model_loaded_between_calls(compile):
    saved = {}

    def between(i, model, optimizer):
        if i == 2:
            saved.update(model.state_dict())
        if i == 5:
            model.load_state_dict(saved)

    yield from _training(compile, ADAM, between, count=9)


@equal(replays=4)
def a_parameter_written_between_calls(compile):
    def between(i, model, optimizer):
        if i > 2:
            with gf.no_grad():
                next(model.parameters()).multiply_(0.5)

    yield from _training(compile, SGD, between)


@equal(replays=4)
def the_array_of_a_parameter_written_between_calls(compile):
    def between(i, model, optimizer):
        if i > 2:
            next(model.parameters()).data[...] *= 0.5

    yield from _training(compile, SGD, between)


@equal(replays=2)
def schedules_outside(compile):
    schedules = []

    def between(i, model, optimizer):
        if not schedules:
            schedules.append(gf.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5))
        else:
            schedules[0].step()

    yield from _training(compile, SGD, between)


@equal(replays=4)
def a_schedule_inside(compile):
    model = net(4, 3)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.5)
    schedule = gf.optim.lr_scheduler.ExponentialLR(optimizer, 0.8)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        schedule.step()
        return loss

    for x, y in batches(7):
        yield step(x, y).detach(), model, optimizer, schedule.get_last_lr(), schedule.last_epoch


@equal(replays=4)
def a_rate_set_by_an_action_inside(compile):
    model = net(4, 3)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.5)
    group = optimizer.param_groups[0]

    def decay():
        group["lr"] *= 0.8

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        perform(decay)
        optimizer.step()
        return loss

    for x, y in batches(7):
        yield step(x, y).detach(), model, optimizer


@raises("run twice, the step did not do the same")
def a_rate_set_inside(compile):
    model = net(4, 3)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.5)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.param_groups[0]["lr"] *= 0.8
        optimizer.step()
        return loss

    for x, y in batches(7):
        yield step(x, y).detach(), model, optimizer


@equal()
def a_rate_as_an_argument(compile):
    model = net(4, 3)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.5)

    @compile
    def step(x, y, lr):
        optimizer.param_groups[0]["lr"] = lr
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for i, (x, y) in enumerate(batches(8)):
        yield step(x, y, 0.1 if i < 4 else 0.2).detach(), model, optimizer
