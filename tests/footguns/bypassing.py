"""NumPy writing to the memory of tensors, which passes no door."""

from __future__ import annotations

import warnings

import numpy as np

import gradflow as gf
from footguns import batches, equal, net, numbers, raises
from gradflow.nn.functional import cross_entropy

BYPASSED = "was written past gradflow, by NumPy or CuPy, inside the compiled step"


@raises(BYPASSED)
def descent_by_numpy(compile):
    w = numbers(4).requires_grad_()

    @compile
    def step(x):
        w.grad = None
        loss = ((w * x) ** 2).sum()
        loss.backward()
        w.data -= 0.1 * w.grad.data
        return loss

    for _ in range(4):  # the same batch each time
        yield step(numbers(4, seed=1)), w


@raises(BYPASSED)
def descent_by_numpy_of_a_model_and_its_optimizer(compile):
    model = net(4, 5, 3)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        for p in model.parameters():
            p.data *= 0.99
        return loss

    for x, y in batches(4):
        yield step(x, y), model


@raises(BYPASSED)
def elements_put_by_numpy_before_anything_else(compile):
    total = gf.zeros(4)

    @compile
    def step(x):
        total.data[1:3] += 7
        return total + x

    for i in range(4):
        yield step(numbers(4, seed=i)), total


@raises(BYPASSED)
def a_result_that_numpy_puts_into_a_tensor(compile):
    total = gf.zeros(4)

    @compile
    def step(x):
        y = total * 2 + x
        np.add(total.data, 1, out=total.data)
        return y

    for i in range(4):
        yield step(numbers(4, seed=i)), total


@raises(BYPASSED)
def elements_that_numpy_exchanges(compile):
    order = numbers(6)

    @compile
    def step(x):
        y = order * x
        order.data[:] = order.data[::-1].copy()
        return y

    for i in range(4):
        yield step(numbers(6, seed=i)), order


@raises(BYPASSED)
def an_argument_that_numpy_shifts(compile):
    @compile
    def step(x):
        y = x * 2
        x.data -= x.data.mean()
        return y

    for i in range(4):
        x = numbers(4, seed=i)
        yield step(x), x


@raises(BYPASSED)
def numpy_between_two_writes_of_the_step(compile):
    count = gf.zeros(3)

    @compile
    def step(x):
        count.add_(1)
        count.data *= 2
        count.add_(1)
        return x * count

    for i in range(4):
        yield step(numbers(3, seed=i)), count


@equal(replays=0)
def descent_by_numpy_that_is_left_as_it_is(compile):
    w = numbers(4).requires_grad_()

    @compile(fallback=True)
    def step(x):
        w.grad = None
        loss = ((w * x) ** 2).sum()
        loss.backward()
        w.data -= 0.1 * w.grad.data
        return loss

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(4):
            yield step(numbers(4, seed=i)), w


@equal()
def numpy_between_the_calls(compile):
    w = numbers(4)

    @compile
    def step(x):
        return w * x

    for i in range(5):
        yield step(numbers(4, seed=i))
        w.data += 1


@equal()
def arrays_of_numpy_s_own_inside_the_step(compile):
    @compile
    def step(x):
        scale = np.ones(4, np.float32)
        scale *= 3
        return x * gf.tensor(scale)

    for i in range(4):
        yield step(numbers(4, seed=i))
