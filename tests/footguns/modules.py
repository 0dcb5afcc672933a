"""Modules: modes, frozen parameters, dtypes, replaced layers, running statistics, attributes that change."""

from __future__ import annotations

import gradflow as gf
from footguns import batches, each, equal, net, normalizing, numbers, training


@each(
    {
        "running statistics": normalizing,
        "running statistics averaged over all": lambda: normalizing(momentum=None),
        "batch norm without statistics": lambda: normalizing(track_running_stats=False, affine=False),
        "layer norm": lambda: gf.nn.Sequential(gf.nn.Linear(4, 5), gf.nn.LayerNorm(5), gf.nn.Linear(5, 3)),
    },
    replays=5,
)
def normalized(compile, make):
    yield from training(compile, make())


def _dropping():
    return gf.nn.Sequential(gf.nn.Linear(4, 5), gf.nn.Dropout(0.5), gf.nn.Linear(5, 3))


@each({"batch norm in train and eval": normalizing, "dropout in train and eval": _dropping}, replays=4)
def in_train_and_eval(compile, make):
    yield from training(compile, make(), between=lambda i, model, _: model.train(i % 4 < 2), count=14)


@equal(replays=3)
def a_rate_of_dropout_that_changes(compile):
    def between(i, model, _):
        if i == 4:
            model[1].p = 0.1

    yield from training(compile, _dropping(), between=between, count=9)


@each({"layers frozen between calls": (9, 9, 4), "layers frozen and thawed": (14, 6, 3)}, replays=3)
def frozen(compile, case):
    count, period, thawed = case
    yield from training(
        compile,
        net(4, 5, 3),
        between=lambda i, model, _: model[0].requires_grad_(i % period < thawed),
        count=count,
    )


# ---- what changes between calls


class Activated(gf.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = gf.nn.Linear(4, 3)
        self.activation = gf.tanh

    def forward(self, x):
        return self.activation(self.inner(x))


class Plain:
    factor = 1.0


class Scaled(gf.nn.Module):
    """A module with a factor that is in a list, in a dict or in an object, and no other."""

    def __init__(self, **held):
        super().__init__()
        for name, value in held.items():
            setattr(self, name, value)


class OfAList(Scaled):
    def forward(self, x):
        return x * self.factors[0]


class OfADict(Scaled):
    def forward(self, x):
        return x * self.options["factor"]


class OfAnObject(Scaled):
    def forward(self, x):
        return x * self.options.factor


@each(
    {
        "a layer replaced between calls": (
            lambda: net(4, 5, 3),
            lambda model: model.__setitem__(2, gf.nn.Linear(5, 3)),
        ),
        "an activation replaced between calls": (
            Activated,
            lambda model: setattr(model, "activation", gf.exp),
        ),
        "a parameter replaced between calls": (
            lambda: net(4, 3),
            lambda model: setattr(model[0], "weight", gf.nn.Parameter(numbers(3, 4))),
        ),
        "a bias removed between calls": (lambda: net(4, 3), lambda model: setattr(model[0], "bias", None)),
        "a number in a list of a module that changes": (
            lambda: OfAList(factors=[1.0, 2.0]),
            lambda model: model.factors.__setitem__(0, 7.0),
        ),
        "a dict of a module that changes": (
            lambda: OfADict(options={"factor": 1.0}),
            lambda model: model.options.update(factor=7.0),
        ),
        "a plain object of a module that changes": (
            lambda: OfAnObject(options=Plain()),
            lambda model: setattr(model.options, "factor", 7.0),
        ),
    },
    replays=3,
)
def something_changes(compile, case):
    make, change = case
    model = make()
    step = compile(lambda x: model(x).detach())
    for i, (x, _) in enumerate(batches(8)):
        if i == 4:
            change(model)
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
