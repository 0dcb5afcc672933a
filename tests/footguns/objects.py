"""Objects, modules, optimizers and functions as arguments."""

from __future__ import annotations

import gradflow as gf
from footguns import batches, equal, net, numbers
from gradflow.nn.functional import cross_entropy


@equal(replays=2)
def an_object_as_an_argument_whose_attribute_changes(compile):
    class Options:
        def __init__(self):
            self.factor = 2.0

    options = Options()
    step = compile(lambda x, options: x * options.factor)
    for i in range(8):
        options.factor = 2.0 if i < 4 else 7.0
        yield step(numbers(3, seed=i), options)


@equal(replays=2)
def another_object_as_an_argument(compile):
    class Options:
        def __init__(self, factor):
            self.factor = factor

    step = compile(lambda x, options: x * options.factor)
    options = None
    for i in range(12):
        options = Options(2.0 + i // 4) if i % 4 == 0 else options
        yield step(numbers(3, seed=i), options)


@equal(replays=4)
def a_model_and_an_optimizer_as_arguments(compile):
    model = gf.nn.Sequential(gf.nn.Linear(4, 5), gf.nn.Dropout(0.5), gf.nn.Linear(5, 3))
    optimizer = gf.optim.Adam(model.parameters(), lr=0.01)

    @compile
    def step(model, optimizer, x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for i, (x, y) in enumerate(batches(16)):
        model.train(i % 4 < 2)
        if i == 12:
            optimizer.param_groups[0]["betas"] = (0.5, 0.6)
        yield step(model, optimizer, x, y).detach(), model, optimizer


@equal(replays=4)
def two_models_in_turn_as_arguments(compile):
    models = net(4, 3), net(4, 3)

    @compile
    def step(model, x):
        with gf.no_grad():
            return model(x)

    for i, (x, _) in enumerate(batches(12)):
        yield step(models[i % 2], x)


@equal(replays=3)
def functions_as_arguments(compile):
    step = compile(lambda x, function: function(x) * 2)
    for i in range(12):
        yield step(numbers(3, seed=i), [gf.exp, gf.tanh][i % 2])


@equal(replays=2)
def numpy_scalars_with_signs(compile):
    import numpy as np

    step = compile(lambda x, k: gf.arctan2(x * float(k), gf.full((3,), -1.0)))
    for k in (0.0, 0.0, 0.0, -0.0, -0.0, -0.0):
        yield step(gf.ones(3), np.float32(k))
