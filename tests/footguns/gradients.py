"""Gradients: added up, held, dropped, replaced, of second order, of results, backward twice and never."""

from __future__ import annotations

import gradflow as gf
from footguns import batches, each, equal, net, numbers, raises, trained
from gradflow.nn.functional import cross_entropy


def _made(lr=0.1):
    model = net(4, 5, 3)
    return model, gf.optim.SGD(model.parameters(), lr=lr, momentum=0.9)


def _adding(compile, before, after, between=lambda i, model, optimizer: None, calls=8):
    model, optimizer = _made()

    @compile
    def step(x, y):
        if before is not False:
            optimizer.zero_grad(**before)
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        if after:
            optimizer.zero_grad()
        return loss

    for i, (x, y) in enumerate(batches(calls)):
        between(i, model, optimizer)
        yield step(x, y).detach(), model, optimizer


each(
    {"gradients never dropped": (False, False), "gradients dropped at the end": (False, True),
     "gradients dropped twice": ({}, True)},
    replays=4,
)(lambda compile, case: _adding(compile, *case))  # fmt: skip


OUTSIDE = {
    "gradients dropped outside before each call": lambda i, model, optimizer: optimizer.zero_grad(),
    "gradients set to zero outside": lambda i, model, optimizer: optimizer.zero_grad(set_to_none=False),
}
each(OUTSIDE, replays=4)(lambda compile, between: _adding(compile, False, False, between))


@equal(replays=2)
def gradients_dropped_outside_every_second_call(compile):
    def between(i, model, optimizer):
        if i % 2 == 0:
            optimizer.zero_grad()

    yield from _adding(compile, False, False, between)


@equal(replays=4)
def gradients_set_to_zero_inside(compile):
    yield from _adding(compile, {"set_to_none": False}, False)


@equal(replays=3)
def gradients_added_up_over_parts_of_a_batch(compile):
    model, optimizer = _made()

    @compile
    def step(x, y):
        optimizer.zero_grad()
        for i in range(0, 6, 2):
            (cross_entropy(model(x[i : i + 2]), y[i : i + 2]) / 3).backward()
        optimizer.step()

    for x, y in batches(6):
        step(x, y)
        yield model, optimizer


@equal(replays=4)
def forward_and_update_compiled_apart(compile):
    model, optimizer = _made()

    @compile
    def collect(x, y):
        loss = cross_entropy(model(x), y)
        loss.backward()
        return loss

    @compile
    def update():
        optimizer.step()
        optimizer.zero_grad()

    for i, (x, y) in enumerate(batches(12)):
        yield collect(x, y).detach(), model, optimizer
        if i % 2:
            update()
            yield model, optimizer


@equal(replays=3)
def gradients_held_by_the_user(compile):
    model, optimizer = _made()
    held = []
    step = trained(compile, model, optimizer)

    for x, y in batches(7):
        step(x, y)
        held.append([p.grad for p in model.parameters()])
        yield held


@equal(replays=3)
def gradients_of_plain_leaves_held_by_the_user(compile):
    w = numbers(4, requires_grad=True)
    held = []

    @compile
    def step(x):
        w.grad = None
        (w * w * x).sum().backward()

    for i in range(7):
        step(numbers(4, seed=i))
        held.append(w.grad)
        yield held


@equal(replays=3)
def gradients_written_by_the_user(compile):
    model, optimizer = _made()
    step = trained(compile, model, optimizer)

    for x, y in batches(7):
        step(x, y)
        yield model, optimizer
        for p in model.parameters():
            p.grad.copy_(float("nan"))


def _set_to_none(i, model, optimizer):
    next(model.parameters()).grad = None


def _replaced(i, model, optimizer):
    for p in model.parameters():
        p.grad = gf.full(p.shape, float(i))


each(
    {"gradients set to none by the user": _set_to_none, "gradients replaced by the user and dropped": _replaced},
    replays=3,
)(lambda compile, between: _adding(compile, {}, False, between))


@raises("reads the gradient")
def gradients_replaced_by_the_user_and_used(compile):
    yield from _adding(compile, False, False, _replaced)


@raises("reads the gradient")
def gradients_made_by_numpy_for_a_compiled_update(compile):
    model, optimizer = _made()
    update = compile(optimizer.step)
    for i in range(6):
        for p in model.parameters():
            p.grad = numbers(*p.shape, seed=i)
        update()
        yield model, optimizer


@equal(replays=2)
def an_update_alone(compile):
    model, optimizer = _made()

    @compile
    def update():
        optimizer.step()

    for x, y in batches(6):
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        update()
        yield model, optimizer


@equal(replays=3)
def only_some_parameters_have_gradients(compile):
    model = net(4, 5, 3)
    optimizer = gf.optim.Adam(model.parameters(), lr=0.01)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = (model[0](x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    for x, y in batches(7):
        yield step(x, y).detach(), model, optimizer


@equal(replays=3)
def parameters_that_have_gradients_in_turn(compile):
    model = net(4, 5, 3)
    optimizer = gf.optim.Adam(model.parameters(), lr=0.01)

    @compile
    def step(x, y, first):
        optimizer.zero_grad()
        loss = (model[0](x) ** 2).mean() if first else cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for i, (x, y) in enumerate(batches(12)):
        yield step(x, y, i % 2 == 0).detach(), model, optimizer
