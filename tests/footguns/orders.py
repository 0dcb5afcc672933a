"""Gradients of higher orders, of inputs, along graphs that are kept."""

from __future__ import annotations

import gradflow as gf
from footguns import batches, equal, net, numbers
from gradflow.nn.functional import cross_entropy
from gradflow.tape import gradients


def _made(lr=0.1):
    model = net(4, 5, 3)
    return model, gf.optim.SGD(model.parameters(), lr=lr, momentum=0.9)


@equal(replays=3)
def a_gradient_of_a_gradient(compile):
    model, optimizer = _made()

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        grads = gradients(loss, list(model.parameters()), create_graph=True)
        (loss + sum((g * g).sum() for g in grads)).backward()
        optimizer.step()
        return loss

    for x, y in batches(6):
        yield step(x, y).detach(), model, optimizer


@equal(replays=3)
def backward_with_create_graph(compile):
    w = numbers(4, requires_grad=True)

    @compile
    def step(x):
        w.grad = None
        (w * w * w * x).sum().backward(create_graph=True)
        first = w.grad
        w.grad = None
        (first * first).sum().backward()
        return first.detach()

    for i in range(6):
        yield step(numbers(4, seed=i)), w


@equal(replays=3)
def a_graph_kept_and_swept_twice(compile):
    w = numbers(4, requires_grad=True)

    @compile
    def step(x):
        w.grad = None
        y = (w * w * x).sum()
        y.backward(retain_graph=True)
        y.backward()
        return y.detach()

    for i in range(6):
        yield step(numbers(4, seed=i)), w


@equal(replays=3)
def gradients_with_respect_to_inputs(compile):
    model = net(4, 3)

    @compile
    def step(x):
        x = x.detach().requires_grad_()
        (g,) = gradients(model(x).sum(), [x])
        return g

    for x, _ in batches(6):
        yield step(x)


@equal(replays=3)
def a_retained_gradient(compile):
    w = numbers(4, requires_grad=True)

    @compile
    def step(x):
        w.grad = None
        h = w * x
        h.retain_grad()
        (h * h).sum().backward()
        return h.grad

    for i in range(6):
        yield step(numbers(4, seed=i)), w


@equal(replays=3)
def nothing_recorded_inside(compile):
    model = net(4, 3)

    @compile
    def step(x):
        with gf.no_grad():
            a = model(x)
            with gf.enable_grad():
                b = model(x)
        return a, b.sum()

    for x, _ in batches(6):
        a, b = step(x)
        b.backward()
        yield a, a.requires_grad, model
        model.zero_grad()
