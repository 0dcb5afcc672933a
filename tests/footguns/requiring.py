"""Arguments that require grad: parameters, leaves, computed tensors."""

from __future__ import annotations

import gradflow as gf
from footguns import equal, numbers, raises


@equal()
def a_parameter_as_an_argument(compile):
    w = numbers(4, requires_grad=True)
    optimizer = gf.optim.SGD([w], lr=0.1)

    @compile
    def step(p, x):
        optimizer.zero_grad()
        loss = ((p * x) ** 2).sum()
        loss.backward()
        optimizer.step()
        return loss

    for i in range(5):
        yield step(w, numbers(4, seed=i)).detach(), w, optimizer


@equal()
def parameters_as_a_list_of_arguments(compile):
    model = gf.nn.Linear(4, 3)
    optimizer = gf.optim.Adam(model.parameters(), lr=0.1)

    @compile
    def step(parameters, x):
        weight, bias = parameters
        loss = ((x @ weight.T + bias) ** 2).sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    for i in range(5):
        yield step(list(model.parameters()), numbers(2, 4, seed=i)).detach(), model, optimizer


@equal()
def a_leaf_that_requires_grad_with_backward_inside(compile):
    @compile
    def step(x):
        y = (x * x * x).sum()
        y.backward()
        return y.detach()

    for i in range(5):
        x = numbers(4, seed=i, requires_grad=True)
        yield step(x), x


@raises("reads the gradient that a leaf of shape (4,) had before")
def a_leaf_that_requires_grad_with_backward_inside_accumulating(compile):
    x = numbers(4, requires_grad=True)

    @compile
    def step(x):
        y = (x * x * x).sum()
        y.backward()
        return y.detach()

    for _ in range(5):
        yield step(x), x


@equal()
def a_leaf_that_requires_grad_with_backward_outside(compile):
    @compile
    def step(x):
        return (x * x * x).sum()

    for i in range(5):
        x = numbers(4, seed=i, requires_grad=True)
        y = step(x)
        y.backward()
        yield y.detach(), x


@raises("went on into what was computed before it")
def a_computed_argument_with_backward_inside(compile):
    @compile
    def step(x):
        y = (x * x * x).sum()
        y.backward()
        return y.detach()

    for i in range(5):
        x = numbers(4, seed=i, requires_grad=True)
        yield step(x * 2), x


@equal()
def a_computed_argument_with_backward_outside(compile):
    @compile
    def step(x):
        return (x * x * x).sum()

    for i in range(5):
        x = numbers(4, seed=i, requires_grad=True)
        step(x * 2).backward()
        yield x


@equal()
def arguments_that_require_grad_and_then_not(compile):
    @compile
    def step(x):
        return (x * x).sum()

    for i in range(8):
        yield step(numbers(4, seed=i, requires_grad=i % 4 > 1)).detach()


@equal()
def one_leaf_as_two_arguments(compile):
    @compile
    def step(a, b):
        return (a * b * b).sum()

    for i in range(5):
        x = numbers(4, seed=i, requires_grad=True)
        step(x, x).backward()
        yield x


@equal()
def two_leaves_over_one_array(compile):
    @compile
    def step(a, b):
        return (a * b * b).sum()

    for i in range(5):
        x = numbers(4, seed=i, requires_grad=True)
        y = gf.Tensor(x.data, True)
        step(x, y).backward()
        yield x, y
