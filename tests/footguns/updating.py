"""Steps of several optimizers, with gradients clipped or scaled, and updates written by hand."""

from __future__ import annotations

import numpy as np

import gradflow as gf
from footguns import batches, equal, net, numbers, raises
from gradflow.nn.functional import cross_entropy


@equal(replays=5)
def norms_clipped(compile):
    model = net(4, 3)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.5)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x) * 10, y)
        loss.backward()
        norm = gf.optim.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        return loss, norm

    for x, y in batches(7):
        loss, norm = step(x, y)
        yield loss.detach(), norm, model, optimizer


@equal(replays=5)
def values_clipped(compile):
    model = net(4, 3)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.5)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        cross_entropy(model(x) * 10, y).backward()
        gf.optim.clip_grad_value_(model.parameters(), 0.1)
        optimizer.step()

    for x, y in batches(7):
        step(x, y)
        yield model, optimizer


def _scaled(compile, dtype, init_scale, prepare=lambda i, x: x):
    model = net(4, 3, dtype=dtype)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.5)
    scaler = gf.optim.GradScaler(init_scale=init_scale, growth_interval=2)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x.to(dtype)), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss

    for i, (x, y) in enumerate(batches(8)):
        with np.errstate(all="ignore"):
            yield step(prepare(i, x), y).detach(), model, optimizer, scaler.state_dict()


@equal(replays=4)
def a_scaler(compile):
    yield from _scaled(compile, gf.float32, 2.0**10)


@equal(replays=4)
def a_scaler_that_skips_steps(compile):
    yield from _scaled(compile, gf.float32, 2.0**10, lambda i, x: x * float("inf") if i in (3, 5) else x)


@equal(replays=4)
def a_scaler_of_half_precision(compile):
    yield from _scaled(compile, gf.float16, 2.0**8)


@equal(replays=4)
def two_optimizers_of_one_model(compile):
    model = net(4, 5, 3)
    first, second = gf.optim.SGD(model[0].parameters(), lr=0.1), gf.optim.Adam(model[2].parameters(), lr=0.01)

    @compile
    def step(x, y):
        first.zero_grad()
        second.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        first.step()
        second.step()
        return loss

    for x, y in batches(7):
        yield step(x, y).detach(), model, first, second


@equal(replays=4)
def two_optimizers_of_the_same_parameters(compile):
    model = net(4, 3)
    first, second = gf.optim.SGD(model.parameters(), lr=0.1), gf.optim.Adam(model.parameters(), lr=0.01)

    @compile
    def step(x, y):
        first.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        first.step()
        second.step()
        return loss

    for x, y in batches(7):
        yield step(x, y).detach(), model, first, second


@equal(replays=4)
def two_networks_against_each_other(compile):
    maker, judge = net(2, 4, 4), net(4, 4, 1)
    making, judging = gf.optim.Adam(maker.parameters(), lr=0.01), gf.optim.Adam(judge.parameters(), lr=0.01)

    @compile
    def step(real):
        fake = maker(gf.random.normal((6, 2)))
        judging.zero_grad()
        judged = gf.softplus(-judge(real)).mean() + gf.softplus(judge(fake.detach())).mean()
        judged.backward()
        judging.step()
        making.zero_grad()
        made = gf.softplus(-judge(fake)).mean()
        made.backward()
        making.step()
        return judged.detach(), made.detach()

    for x, _ in batches(7):
        yield step(x), maker, judge, making, judging


@equal(replays=4)
def a_step_with_a_closure(compile):
    model = net(4, 3)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.5)

    @compile
    def step(x, y):
        def closure():
            optimizer.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            return loss

        return optimizer.step(closure).detach()

    for x, y in batches(7):
        yield step(x, y), model, optimizer


@equal(replays=3)
def several_updates_in_one_step(compile):
    model = net(4, 3)
    optimizer = gf.optim.Adam(model.parameters(), lr=0.05)

    @compile
    def step(x, y):
        losses = []
        for _ in range(3):
            optimizer.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return losses

    for x, y in batches(6):
        yield step(x, y), model, optimizer


@equal(replays=3)
def an_average_of_parameters_kept_beside(compile):
    model, average = net(4, 3), net(4, 3)
    average.load_state_dict(model.state_dict())
    optimizer = gf.optim.SGD(model.parameters(), lr=0.5)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        with gf.no_grad():
            for p, q in zip(model.parameters(), average.parameters(), strict=True):
                q.multiply_(0.9).add_(p * 0.1)
        return loss

    for x, y in batches(6):
        yield step(x, y).detach(), model, average, optimizer


@equal(replays=3)
def an_update_written_by_hand(compile):
    model = net(4, 3)

    @compile
    def step(x, y):
        model.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        with gf.no_grad():
            for p in model.parameters():
                p.add_(p.grad * -0.5)
        return loss

    for x, y in batches(6):
        yield step(x, y).detach(), model


@raises("returns a leaf of shape (4, 3) that it has made")
def parameters_replaced_by_hand(compile):
    weights = [numbers(4, 3, requires_grad=True)]

    def step(w, x, y):
        loss = cross_entropy(x @ w, y)
        loss.backward()
        return (w.detach() - 0.5 * w.grad).requires_grad_()

    step = compile(step)
    w = weights[0]
    for x, y in batches(6):
        w = step(w, x, y)
        yield w.detach()
