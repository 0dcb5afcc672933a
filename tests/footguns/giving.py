"""Results that were there before, or that the step leaves elsewhere, too: parameters, buffers, gradients."""

from __future__ import annotations

import gradflow as gf
from footguns import called, calls, each, equal, net, numbers


@equal()
def a_parameter_given_back(compile):
    w = numbers(4, requires_grad=True)
    for y, same in calls(compile, lambda x: ((w * x).sum(axis=0).detach(), w)):
        yield y, same is w, same


@equal()
def a_buffer_written_and_given_back(compile):
    total = gf.zeros(4)

    def step(x):
        total.add_(x.sum(axis=0))
        return total

    for out in calls(compile, step):
        yield out, out is total


@equal()
def a_view_of_a_buffer_given_back(compile):
    total = gf.zeros(4)

    def step(x):
        total.add_(x.sum(axis=0))
        return total[1:3]

    held = []
    for out in calls(compile, step):
        held.append(out)
        yield held, total


def _step(model, before, after):
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1)

    def step(x):
        first = before(model)
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
        return first, after(model)

    return step


@each(
    {
        "detached parameters given back": (lambda model: None, lambda model: [p.detach() for p in model.parameters()]),
        "copies of parameters given back": (
            lambda model: [p.detach() * 1 for p in model.parameters()],
            lambda model: None,
        ),
    }
)
def parameters_given_back(compile, case):
    model = net(4, 3)
    held = []
    for out in calls(compile, _step(model, *case)):
        held.append(out)
        yield out, held, model


@equal()
def gradients_given_back(compile):
    w = numbers(4, requires_grad=True)

    def step(x):
        w.grad = None
        (w * w * x).sum().backward()
        return w.grad

    held = []
    for out in calls(compile, step):
        held.append(out)
        yield held, held[-1] is w.grad


@equal()
def gradients_of_an_optimizer_given_back(compile):
    w = numbers(4, requires_grad=True)
    optimizer = gf.optim.SGD([w], lr=0.1)

    def step(x):
        optimizer.zero_grad()
        (w * w * x).sum().backward()
        optimizer.step()
        return w.grad

    held = []
    for out in calls(compile, step):
        held.append(out)
        yield held, held[-1] is w.grad, optimizer


@equal()
def constants_given_back(compile):
    for out in calls(compile, lambda x: (gf.ones(3), gf.arange(4), x + gf.tensor([1.0, 2.0, 3.0, 4.0]))):
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
    for out in calls(compile, step):
        held.append(out)
        yield held


@equal()
@called()
def an_array_without_elements():
    return lambda x: (x[:0] * 2, x[:0].sum(axis=0), gf.concat([x[:0], x]))


@equal()
def a_result_that_is_not_used(compile):
    for _ in calls(compile, lambda x: (x * 2, x + 1), shape=(3,)):
        yield ()
