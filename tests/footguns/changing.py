"""Python's state that a step changes, and what it draws on: counters, clocks, random numbers."""

from __future__ import annotations

import random
import time

import numpy as np

import gradflow as gf
from footguns import called, equal, net, numbers, raises

TWICE = "run twice, the step did not do the same"
CHANGED = "the step changed "
BY_NUMPY = "draws from the random numbers of numpy.random"
FEW = called(4, (3,))
BATCHES = called(4, (6, 4))


@raises(CHANGED)
@FEW
def a_counter_in_a_closure():
    count = 0

    def step(x):
        nonlocal count
        count += 1
        return x * 2

    return step, lambda: count


@raises(CHANGED)
@FEW
def a_counter_that_the_result_depends_on():
    count = {"steps": 0}

    def step(x):
        count["steps"] += 1
        return x * count["steps"]

    return step


@raises(CHANGED)
@FEW
def a_list_that_grows():
    history = []

    def step(x):
        history.append(1)
        return x * 2

    return step, lambda: len(history)


class Trainer:
    """Something that counts its steps, and what is counted."""

    def __init__(self):
        self.steps = 0

    def step(self, x):
        self.steps += 1
        return x * 2


@raises(CHANGED)
@FEW
def an_attribute_that_counts():
    state = Trainer()

    def step(x):
        state.steps += 1
        return x * 2

    return step, lambda: state.steps


@raises(CHANGED)
@FEW
def a_method_that_counts():
    trainer = Trainer()
    return trainer.step, lambda: trainer.steps


@raises(CHANGED)
@BATCHES
def a_module_that_counts_its_calls():
    class Counting(gf.nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0
            self.inner = gf.nn.Linear(4, 3)

        def forward(self, x):
            self.calls += 1
            return self.inner(x).detach()

    model = Counting()
    return model, lambda: model.calls


@raises(CHANGED)
@FEW
def a_class_attribute_that_counts():
    class Counter:
        steps = 0

    def step(x):
        Counter.steps += 1
        return x * 2

    return step, lambda: Counter.steps


@raises(TWICE)
@FEW
def a_generator_that_is_advanced():
    factors = iter([1.0, 2.0, 3.0, 4.0, 5.0])
    return lambda x: x * next(factors)


@raises(BY_NUMPY)
@FEW
def numpy_random_numbers_inside():
    return lambda x: x + gf.tensor(np.random.standard_normal(3).astype(np.float32))


@raises(BY_NUMPY)
@FEW
def a_numpy_random_number_as_a_scalar():
    return lambda x: x * float(np.random.random())


@raises(BY_NUMPY)
@FEW
def numpy_deciding_at_random():
    return lambda x: x * 2 if np.random.random() < 0.999 else x * 3


@raises("draws from the random numbers of random")
@BATCHES
def layers_left_out_at_random():
    model = net(4, 4)
    random.seed(1)
    return lambda x: model(x).detach() if random.random() < 0.9 else x * 1


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
@BATCHES
def train_and_eval_switched_inside():
    model = gf.nn.Sequential(gf.nn.Dropout(0.5), gf.nn.Linear(4, 3))

    def step(x):
        model.train(not model.training)
        return model(x).detach()

    return step


@equal()
@called(5, (6, 4))
def train_and_eval_switched_inside_and_back():
    model = gf.nn.Sequential(gf.nn.Dropout(0.5), gf.nn.Linear(4, 3))

    def step(x):
        model.eval()
        calm = model(x).detach()
        model.train()
        return calm, model(x).detach()

    return step


@raises(CHANGED)
@BATCHES
def requires_grad_switched_inside():
    model = net(4, 3)

    def step(x):
        for p in model.parameters():
            p.requires_grad_(not p.requires_grad)
        return model(x).detach()

    return step, lambda: [p.requires_grad for p in model.parameters()]


@raises(CHANGED)
@FEW
def data_replaced_inside():
    w = numbers(3)

    def step(x):
        w.data = (w * x).data

    return step, lambda: w


@raises("the step returns a ndarray")
@FEW
def an_array_as_a_result():
    count = iter(range(9))
    return lambda x: (x * 2, np.full(3, next(count)))
