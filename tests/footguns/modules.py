"""Modules: modes, frozen parameters, dtypes, replaced layers, running statistics, attributes that change."""

from __future__ import annotations

import gradflow as gf
from footguns import batches, equal, net, numbers
from gradflow.nn.functional import cross_entropy


def _training(compile, model, between=lambda i, model, optimizer: None, calls=8, make=gf.optim.SGD):
    optimizer = make(model.parameters(), lr=0.1)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for i, (x, y) in enumerate(batches(calls)):
        between(i, model, optimizer)
        yield step(x, y).detach(), model, optimizer


def _normalizing(**options):
    return gf.nn.Sequential(gf.nn.Linear(4, 5), gf.nn.BatchNorm1d(5, **options), gf.nn.ReLU(), gf.nn.Linear(5, 3))


@equal(replays=5)
def running_statistics(compile):
    yield from _training(compile, _normalizing())


@equal(replays=5)
def running_statistics_averaged_over_all(compile):
    yield from _training(compile, _normalizing(momentum=None))


@equal(replays=5)
def batch_norm_without_statistics(compile):
    yield from _training(compile, _normalizing(track_running_stats=False, affine=False))


@equal(replays=4)
def batch_norm_in_train_and_eval(compile):
    yield from _training(compile, _normalizing(), lambda i, model, _: model.train(i % 4 < 2), calls=14)


@equal(replays=5)
def layer_norm(compile):
    yield from _training(compile, gf.nn.Sequential(gf.nn.Linear(4, 5), gf.nn.LayerNorm(5), gf.nn.Linear(5, 3)))


@equal(replays=4)
def dropout_in_train_and_eval(compile):
    model = gf.nn.Sequential(gf.nn.Linear(4, 5), gf.nn.Dropout(0.5), gf.nn.Linear(5, 3))
    yield from _training(compile, model, lambda i, model, _: model.train(i % 4 < 2), calls=14)


@equal(replays=3)
def a_rate_of_dropout_that_changes(compile):
    model = gf.nn.Sequential(gf.nn.Linear(4, 5), gf.nn.Dropout(0.5), gf.nn.Linear(5, 3))

    def between(i, model, _):
        if i == 4:
            model[1].p = 0.1

    yield from _training(compile, model, between, calls=9)


@equal(replays=3)
def layers_frozen_between_calls(compile):
    def between(i, model, _):
        model[0].requires_grad_(i < 4)

    yield from _training(compile, net(4, 5, 3), between, calls=9)


@equal(replays=3)
def layers_frozen_and_thawed(compile):
    def between(i, model, _):
        model[0].requires_grad_(i % 6 < 3)

    yield from _training(compile, net(4, 5, 3), between, calls=14)


@equal(replays=3)
def a_layer_replaced_between_calls(compile):
    model = net(4, 5, 3)
    step = compile(lambda x: model(x).detach())
    for i, (x, _) in enumerate(batches(8)):
        if i == 4:
            model[2] = gf.nn.Linear(5, 3)
        yield step(x)


@equal(replays=3)
def an_activation_replaced_between_calls(compile):
    class Net(gf.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = gf.nn.Linear(4, 3)
            self.activation = gf.tanh

        def forward(self, x):
            return self.activation(self.inner(x))

    model = Net()
    step = compile(lambda x: model(x).detach())
    for i, (x, _) in enumerate(batches(8)):
        if i == 4:
            model.activation = gf.exp
        yield step(x)


@equal(replays=3)
def a_parameter_replaced_between_calls(compile):
    model = net(4, 3)
    step = compile(lambda x: model(x).detach())
    for i, (x, _) in enumerate(batches(8)):
        if i == 4:
            model[0].weight = gf.nn.Parameter(numbers(3, 4))
        yield step(x)


@equal(replays=3)
def a_model_converted_between_calls(compile):
    model = net(4, 3)
    step = compile(lambda x: model(x.to(model[0].weight.dtype)).detach())
    for i, (x, _) in enumerate(batches(8)):
        if i == 4:
            model.to("float64")
        yield step(x)


@equal(replays=3)
def a_bias_removed_between_calls(compile):
    model = net(4, 3)
    step = compile(lambda x: model(x).detach())
    for i, (x, _) in enumerate(batches(8)):
        if i == 4:
            model[0].bias = None
        yield step(x)


@equal(replays=3)
def a_list_of_layers_that_grows(compile):
    layers = [gf.nn.Linear(4, 4)]

    @compile
    def step(x):
        for layer in layers:
            x = layer(x)
        return x.detach()

    for i, (x, _) in enumerate(batches(8)):
        if i == 4:
            layers.append(gf.nn.Linear(4, 4))
        yield step(x)


@equal(replays=3)
def a_number_in_a_list_of_a_module_that_changes(compile):
    class Net(gf.nn.Module):
        def __init__(self):
            super().__init__()
            self.factors = [1.0, 2.0]

        def forward(self, x):
            return x * self.factors[0]

    model = Net()
    step = compile(model)
    for i, (x, _) in enumerate(batches(8)):
        if i == 4:
            model.factors[0] = 7.0
        yield step(x)


@equal(replays=3)
def a_dict_of_a_module_that_changes(compile):
    class Net(gf.nn.Module):
        def __init__(self):
            super().__init__()
            self.options = {"factor": 1.0}

        def forward(self, x):
            return x * self.options["factor"]

    model = Net()
    step = compile(model)
    for i, (x, _) in enumerate(batches(8)):
        if i == 4:
            model.options["factor"] = 7.0
        yield step(x)


@equal(replays=3)
def a_plain_object_of_a_module_that_changes(compile):
    class Options:
        factor = 1.0

    class Net(gf.nn.Module):
        def __init__(self):
            super().__init__()
            self.options = Options()

        def forward(self, x):
            return x * self.options.factor

    model = Net()
    step = compile(model)
    for i, (x, _) in enumerate(batches(8)):
        if i == 4:
            model.options.factor = 7.0
        yield step(x)
