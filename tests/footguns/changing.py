"""Python's state that a step changes, and what it draws on: counters, clocks, random numbers."""

from __future__ import annotations

import random
import time

import numpy as np

import gradflow as gf
from footguns import batches, equal, net, numbers, raises

TWICE = "run twice, the step did not do the same"
CHANGED = "the step changed "


@raises(CHANGED)
def a_counter_in_a_closure(compile):
    count = 0

    @compile
    def step(x):
        nonlocal count
        count += 1
        return x * 2

    for i in range(4):
        yield step(numbers(3, seed=i)), count


@raises(CHANGED)
def a_counter_that_the_result_depends_on(compile):
    count = {"steps": 0}

    @compile
    def step(x):
        count["steps"] += 1
        return x * count["steps"]

    for i in range(4):
        yield step(numbers(3, seed=i))


@raises(CHANGED)
def a_list_that_grows(compile):
    history = []

    @compile
    def step(x):
        history.append(1)
        return x * 2

    for i in range(4):
        yield step(numbers(3, seed=i)), len(history)


@raises(CHANGED)
def an_attribute_that_counts(compile):
    class State:
        def __init__(self):
            self.steps = 0

    state = State()

    @compile
    def step(x):
        state.steps += 1
        return x * 2

    for i in range(4):
        yield step(numbers(3, seed=i)), state.steps


@raises(CHANGED)
def a_module_that_counts_its_calls(compile):
    class Counting(gf.nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0
            self.inner = gf.nn.Linear(4, 3)

        def forward(self, x):
            self.calls += 1
            return self.inner(x).detach()

    model = Counting()
    step = compile(model)
    for x, _ in batches(4):
        yield step(x), model.calls


@raises(CHANGED)
def a_method_that_counts(compile):
    class Trainer:
        def __init__(self):
            self.steps = 0

        def step(self, x):
            self.steps += 1
            return x * 2

    trainer = Trainer()
    step = compile(trainer.step)
    for i in range(4):
        yield step(numbers(3, seed=i)), trainer.steps


@raises(CHANGED)
def a_class_attribute_that_counts(compile):
    class Counter:
        steps = 0

    @compile
    def step(x):
        Counter.steps += 1
        return x * 2

    for i in range(4):
        yield step(numbers(3, seed=i)), Counter.steps


@raises(TWICE)
def a_generator_that_is_advanced(compile):
    factors = iter([1.0, 2.0, 3.0, 4.0, 5.0])

    @compile
    def step(x):
        return x * next(factors)

    for i in range(4):
        yield step(numbers(3, seed=i))


@raises("draws from the random numbers of numpy.random")
def numpy_random_numbers_inside(compile):
    @compile
    def step(x):
        return x + gf.tensor(np.random.standard_normal(3).astype(np.float32))

    for i in range(4):
        yield step(numbers(3, seed=i))


@raises("draws from the random numbers of numpy.random")
def a_numpy_random_number_as_a_scalar(compile):
    @compile
    def step(x):
        return x * float(np.random.random())

    for i in range(4):
        yield step(numbers(3, seed=i))


@raises(TWICE)
def the_time_of_day_inside(compile):
    began = time.perf_counter()

    @compile
    def step(x):
        return x * (time.perf_counter() - began)

    step(gf.ones(3))
    step(gf.ones(3))
    yield ()


@raises(CHANGED)
def train_and_eval_switched_inside(compile):
    model = gf.nn.Sequential(gf.nn.Dropout(0.5), gf.nn.Linear(4, 3))

    @compile
    def step(x):
        model.train(not model.training)
        return model(x).detach()

    for x, _ in batches(4):
        yield step(x)


@equal()
def train_and_eval_switched_inside_and_back(compile):
    model = gf.nn.Sequential(gf.nn.Dropout(0.5), gf.nn.Linear(4, 3))

    @compile
    def step(x):
        model.eval()
        calm = model(x).detach()
        model.train()
        return calm, model(x).detach()

    for x, _ in batches(5):
        yield step(x)


@raises(CHANGED)
def requires_grad_switched_inside(compile):
    model = net(4, 3)

    @compile
    def step(x):
        for p in model.parameters():
            p.requires_grad_(not p.requires_grad)
        return model(x).detach()

    for x, _ in batches(4):
        yield step(x), [p.requires_grad for p in model.parameters()]


@raises(CHANGED)
def data_replaced_inside(compile):
    w = numbers(3)

    @compile
    def step(x):
        w.data = (w * x).data

    for i in range(4):
        step(numbers(3, seed=i))
        yield w


@raises("draws from the random numbers of random")
def layers_left_out_at_random(compile):
    model = net(4, 4)

    @compile
    def step(x):
        return model(x).detach() if random.random() < 0.9 else x * 1

    random.seed(1)
    for x, _ in batches(4):
        yield step(x)


@raises("draws from the random numbers of numpy.random")
def numpy_deciding_at_random(compile):
    @compile
    def step(x):
        return x * 2 if np.random.random() < 0.999 else x * 3

    for i in range(4):
        yield step(numbers(3, seed=i))


@raises("the step returns a ndarray")
def an_array_as_a_result(compile):
    count = iter(range(9))

    @compile
    def step(x):
        return x * 2, np.full(3, next(count))

    for i in range(4):
        yield step(numbers(3, seed=i))
