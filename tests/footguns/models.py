"""Models that are shared, copied, compiled themselves, stepped eagerly in between."""

from __future__ import annotations

import copy

import gradflow as gf
from footguns import batches, each, equal, net, normalizing, numbers, trained, training
from gradflow.nn.functional import cross_entropy


class Tied(gf.nn.Module):
    """An embedding, and a linear layer with the same weights."""

    def __init__(self):
        super().__init__()
        self.embedding = gf.nn.Embedding(3, 4)
        self.out = gf.nn.Linear(4, 3, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, x):
        return self.out(gf.tanh(self.embedding(x)))


class Averaged(gf.nn.Module):
    """The mean of two words' vectors: their gradient is one array, seen twice."""

    def __init__(self):
        super().__init__()
        self.embedding = gf.nn.Embedding(3, 4)
        self.out = gf.nn.Linear(4, 3)

    def forward(self, x):
        return self.out(self.embedding(gf.stack([x, (x + 1) % 3], axis=1)).mean(axis=1))


@each(
    {
        "weights that are shared": Tied,
        "vectors that are averaged": Averaged,
        "an embedding trained": lambda: gf.nn.Sequential(gf.nn.Embedding(3, 4), gf.nn.Linear(4, 3)),
    },
    replays=3,
)
def of_labels(compile, make):
    model = make()
    optimizer = gf.optim.Adam(model.parameters(), lr=0.1)
    step = trained(compile, model, optimizer)
    for _, y in batches(7):
        yield step(y, y).detach(), model, optimizer


@equal(replays=5)
def two_compiled_functions_on_one_model(compile):
    model = normalizing()
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
    model = normalizing()
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
    model = normalizing()

    def between(i, model, _):
        model.eval()
        model(numbers(2, 4, seed=i))
        model.train()

    yield from training(compile, model, between=between)


@equal(replays=3)
def a_copy_of_a_model_made_between_calls(compile):
    copies = []

    def between(i, model, _):
        copies.append(copy.deepcopy(model))

    for seen in training(compile, net(4, 3), between=between):
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
