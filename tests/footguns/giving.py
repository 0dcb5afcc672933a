"""Results that were there before, or that the step leaves elsewhere, too: parameters, buffers, gradients."""

from __future__ import annotations

import gradflow as gf
from footguns import equal, net, numbers


def _calls(compile, function, count=5):
    step = compile(function)
    for i in range(count):
        yield step(numbers(3, 4, seed=i))


@equal()
def a_parameter_given_back(compile):
    w = numbers(4, requires_grad=True)
    step = compile(lambda x: ((w * x).sum(axis=0).detach(), w))
    for i in range(5):
        y, same = step(numbers(3, 4, seed=i))
        yield y, same is w, same


@equal()
def a_buffer_written_and_given_back(compile):
    total = gf.zeros(4)

    def step(x):
        total.add_(x.sum(axis=0))
        return total

    for out in _calls(compile, step):
        yield out, out is total


@equal()
def a_view_of_a_buffer_given_back(compile):
    total = gf.zeros(4)

    def step(x):
        total.add_(x.sum(axis=0))
        return total[1:3]

    held = []
    for out in _calls(compile, step):
        held.append(out)
        yield held, total


@equal()
def detached_parameters_given_back(compile):
    model = net(4, 3)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x):
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
        return [p.detach() for p in model.parameters()]

    for i in range(5):
        yield step(numbers(3, 4, seed=i)), model


@equal()
def copies_of_parameters_given_back(compile):
    model = net(4, 3)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x):
        before = [p.detach() * 1 for p in model.parameters()]
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
        return before

    held = []
    for i in range(5):
        held.append(step(numbers(3, 4, seed=i)))
        yield held, model


@equal()
def gradients_given_back(compile):
    w = numbers(4, requires_grad=True)

    @compile
    def step(x):
        w.grad = None
        (w * w * x).sum().backward()
        return w.grad

    held = []
    for i in range(5):
        held.append(step(numbers(3, 4, seed=i)))
        yield held, held[-1] is w.grad


@equal()
def gradients_of_an_optimizer_given_back(compile):
    w = numbers(4, requires_grad=True)
    optimizer = gf.optim.SGD([w], lr=0.1)

    @compile
    def step(x):
        optimizer.zero_grad()
        (w * w * x).sum().backward()
        optimizer.step()
        return w.grad

    held = []
    for i in range(5):
        held.append(step(numbers(3, 4, seed=i)))
        yield held, held[-1] is w.grad, optimizer


@equal()
def constants_given_back(compile):
    step = compile(lambda x: (gf.ones(3), gf.arange(4), x + gf.tensor([1.0, 2.0, 3.0, 4.0])))
    for i in range(5):
        out = step(numbers(3, 4, seed=i))
        yield out
        out[0].copy_(9.0)


@equal()
def a_constant_written_in_place_and_given_back(compile):
    def step(x):
        total = gf.zeros(4)
        for row in x:
            total.add_(row)
        return total

    held = []
    for out in _calls(compile, step):
        held.append(out)
        yield held


@equal()
def an_array_without_elements(compile):
    yield from _calls(compile, lambda x: (x[:0] * 2, x[:0].sum(axis=0), gf.concat([x[:0], x])))


@equal()
def a_result_that_is_not_used(compile):
    step = compile(lambda x: (x * 2, x + 1))
    for i in range(5):
        step(numbers(3, seed=i))
        yield ()
