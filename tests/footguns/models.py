"""Models that are shared, copied, compiled themselves, stepped eagerly in between."""

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
