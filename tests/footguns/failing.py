"""Exceptions in the middle, nesting, profiling, threads: what is left behind, and whether the plan is usable again."""

from __future__ import annotations

import gradflow as gf
from footguns import batches, equal, net, numbers, trained
from gradflow.dispatch import perform
from gradflow.errors import GradflowError
from gradflow.nn.functional import cross_entropy


def _failing(compile, wrong, calls=9, at=(5, 7)):
    model = gf.nn.Sequential(gf.nn.Linear(4, 5), gf.nn.BatchNorm1d(5), gf.nn.ReLU(), gf.nn.Linear(5, 3))
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    step = trained(compile, model, optimizer)

    for i, (x, y) in enumerate(batches(calls)):
        given = wrong(x, y) if i in at else (x, y)
        try:
            loss = step(*given).detach()
        except GradflowError as error:
            yield type(error), str(error).partition("\n")[0], model, optimizer
        else:
            yield loss, model, optimizer


def _out_of_range(x, y):
    return x, gf.tensor([0, 1, 2, 7, 1, 0])


@equal(replays=5)
def a_label_out_of_range_in_a_replay(compile):
    yield from _failing(compile, _out_of_range)


@equal(replays=4)
def a_label_out_of_range_in_the_first_call(compile):
    yield from _failing(compile, _out_of_range, at=(0, 6))


@equal(replays=3)
def a_label_out_of_range_in_the_second_call(compile):
    yield from _failing(compile, _out_of_range, at=(1, 6))


@equal(replays=4)
def a_batch_of_another_shape_that_fails(compile):
    yield from _failing(compile, lambda x, y: (x[:, :3], y))


@equal(replays=3)
def an_index_out_of_range_in_a_replay(compile):
    step = compile(lambda x, i: x[i] * 2)
    for k in range(8):
        try:
            yield step(numbers(5, seed=k), gf.tensor([0, 9 if k in (4, 6) else 3]))
        except GradflowError as error:
            yield type(error), str(error)


@equal(replays=3)
def an_index_out_of_range_after_a_state_was_written(compile):
    total = gf.zeros(5)

    @compile
    def step(x, i):
        total.add_(x)
        y = x[i] * 2
        total.add_(x)
        return y

    for k in range(8):
        try:
            yield step(numbers(5, seed=k), gf.tensor([0, 9 if k in (4, 6) else 3])), total
        except GradflowError as error:
            yield type(error), str(error), total


@equal(replays=3)
def an_embedding_index_out_of_range(compile):
    table = numbers(5, 3, requires_grad=True)
    step = compile(lambda i: gf.embedding(table, i).sum())
    for k in range(8):
        table.grad = None
        try:
            y = step(gf.tensor([0, 9 if k in (4, 6) else 3]))
            y.backward()
            yield y.detach(), table
        except GradflowError as error:
            yield type(error), str(error).partition("\n")[0], table


@equal(replays=3)
def an_exception_of_the_users_in_the_first_calls(compile):
    attempts = []

    def check():
        attempts.append(1)
        if len(attempts) in (1, 3):
            raise RuntimeError("not now")

    model = net(4, 3)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1)

    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    compiled = compile(step)
    for x, y in batches(8):
        try:
            if len(attempts) < 4:
                check()
            yield compiled(x, y).detach(), model, optimizer
        except RuntimeError as error:
            yield str(error), model, optimizer


@equal(replays=3)
def an_exception_inside_a_step_while_it_is_traced(compile):
    model = net(4, 3)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x, y, fails):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        if fails:
            raise KeyboardInterrupt
        optimizer.step()
        return loss

    for i, (x, y) in enumerate(batches(10)):
        try:
            yield step(x, y, i in (0, 3, 6)).detach(), model, optimizer
        except KeyboardInterrupt:
            yield "interrupted", model, optimizer


@equal(replays=3)
def an_action_that_fails_in_a_replay(compile):
    total, fails = gf.zeros(3), iter([False, False, False, True, False, True, False, False])

    def act():
        if next(fails):
            raise RuntimeError("now")

    @compile
    def step(x):
        total.add_(x)
        perform(act)
        total.add_(x)
        return x * 2

    for i in range(8):
        try:
            yield step(numbers(3, seed=i)), total
        except RuntimeError as error:
            yield str(error), total


@equal(replays=3)
def gradients_after_an_action_failed(compile):
    model = net(4, 3)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1)
    fails = iter([False, False, False, True, False, True, False, False])

    def act():
        if next(fails):
            raise RuntimeError("now")

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        perform(act)
        optimizer.step()
        return loss

    for x, y in batches(8):
        try:
            yield step(x, y).detach(), [p.detach() for p in model.parameters()]
        except RuntimeError as error:
            yield str(error), [p.detach() for p in model.parameters()]
