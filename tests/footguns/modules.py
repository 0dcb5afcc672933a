"""Modules: modes, frozen parameters, dtypes, replaced layers, running statistics, shared weights, hooks of attributes."""

from __future__ import annotations

import copy

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


@equal(replays=3)
def weights_that_are_shared(compile):
    class Tied(gf.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = gf.nn.Embedding(3, 4)
            self.out = gf.nn.Linear(4, 3, bias=False)
            self.out.weight = self.embedding.weight

        def forward(self, x):
            return self.out(gf.tanh(self.embedding(x)))

    model = Tied()
    optimizer = gf.optim.Adam(model.parameters(), lr=0.1)

    @compile
    def step(y):
        optimizer.zero_grad()
        loss = cross_entropy(model(y), y)
        loss.backward()
        optimizer.step()
        return loss

    for _, y in batches(7):
        yield step(y).detach(), model, optimizer


@equal(replays=5)
def two_compiled_functions_on_one_model(compile):
    model = _normalizing()
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x, y):
        model.train()
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    @compile
    def evaluate(x, y):
        with gf.no_grad():
            return cross_entropy(model(x), y)

    for x, y in batches(8):
        yield step(x, y).detach(), model, optimizer
        model.eval()
        yield evaluate(x, y)
        model.train()


@equal(replays=3)
def eager_and_compiled_steps_interleaved(compile):
    model = _normalizing()
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1)

    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    compiled = compile(step)
    for i, (x, y) in enumerate(batches(14)):
        yield (step if i % 3 == 2 else compiled)(x, y), model, optimizer


@equal(replays=3)
def eager_evaluation_between_compiled_steps(compile):
    model = _normalizing()

    def between(i, model, _):
        model.eval()
        model(numbers(2, 4, seed=i))
        model.train()

    yield from _training(compile, model, between)


@equal(replays=3)
def a_copy_of_a_model_made_between_calls(compile):
    copies = []

    def between(i, model, _):
        copies.append(copy.deepcopy(model))

    for seen in _training(compile, net(4, 3), between):
        yield seen, copies


@equal(replays=3)
def a_nan_in_the_data(compile):
    model = net(4, 3)
    step = compile(lambda x: model(x).detach())
    for i, (x, _) in enumerate(batches(6)):
        yield step(x * float("nan") if i == 4 else x)


@equal(replays=3)
def a_module_compiled(compile):
    model = compile(net(4, 3))
    for x, _ in batches(6):
        with gf.no_grad():
            yield model(x)


@equal(replays=3)
def an_embedding_trained(compile):
    model = gf.nn.Sequential(gf.nn.Embedding(3, 4), gf.nn.Linear(4, 3))
    optimizer = gf.optim.Adam(model.parameters(), lr=0.1)

    @compile
    def step(y):
        optimizer.zero_grad()
        loss = cross_entropy(model(y), y)
        loss.backward()
        optimizer.step()
        return loss

    for _, y in batches(7):
        yield step(y).detach(), model, optimizer
