"""Graphs of results: differentiated once, twice, late, in another order, never."""

from __future__ import annotations

import gradflow as gf
from footguns import batches, each, equal, net, numbers, raises
from gradflow.nn.functional import cross_entropy


def _made(lr=0.1):
    model = net(4, 5, 3)
    return model, gf.optim.SGD(model.parameters(), lr=lr, momentum=0.9)


def _differentiated(compile, after):
    w = numbers(4, requires_grad=True)

    @compile
    def function(x):
        return gf.tanh(w * x) * gf.tensor([1.0, 2.0, 3.0, 4.0]), (w * w).sum()

    for i in range(6):
        w.grad = None
        x = numbers(3, 4, seed=i, requires_grad=True)
        yield after(*function(x), function), w, x


def _after_other_calls(y, z, function):
    for i in range(3):
        function(numbers(3, 4, seed=20 + i, requires_grad=True))
    (y.sum() + z).backward()
    return y.detach()


def _twice_without(y, z, _):
    z.backward()
    try:
        z.backward()
    except gf.errors.GradientError:
        return "refused"
    return "done"


each(
    {
        "a result differentiated": lambda y, z, _: (y.sum().backward(), y.detach()),
        "both results differentiated together": lambda y, z, _: ((y * z).sum().backward(), y.detach()),
        "both results differentiated one by one": lambda y, z, _: (y.sum().backward(retain_graph=True), z.backward()),
        "both results differentiated in the other order": lambda y, z, _: (
            z.backward(),
            (y * y.detach()).sum().backward(),
        ),
        "a result used twice": lambda y, z, _: (y * y + y.sum() * z).sum().backward(),
        "a result given a gradient": lambda y, z, _: y.backward(numbers(4, 3, seed=5).T),
        "a result differentiated after other calls": _after_other_calls,
        "a result swept twice with its graph kept": lambda y, z, _: (
            y.sum().backward(retain_graph=True),
            y.sum().backward(),
        ),
        "a result swept twice without": _twice_without,
        "results never differentiated": lambda y, z, _: y.detach(),
    },
    replays=3,
)(_differentiated)


@equal(replays=3)
def results_held_and_differentiated_at_the_end(compile):
    w = numbers(4, requires_grad=True)
    function = compile(lambda x: (gf.tanh(w * x) ** 2).sum())
    held = [function(numbers(3, 4, seed=i)) for i in range(6)]
    sum(held).backward()
    yield [y.detach() for y in held], w


@equal(replays=3)
def results_differentiated_from_the_last_to_the_first(compile):
    w = numbers(4, requires_grad=True)
    function = compile(lambda x: (gf.tanh(w * x) ** 2).sum())
    held = [function(numbers(3, 4, seed=i)) for i in range(6)]
    for y in reversed(held):
        y.backward()
        yield y.detach(), w


@each({"a parameter written between forward and backward": lambda w, x: w.multiply_(0.9)}, replays=2)
@each({"an argument written between forward and backward": lambda w, x: x.multiply_(2)}, replays=3)
def written_between_forward_and_backward(compile, write):
    w = numbers(4, requires_grad=True)
    function = compile(lambda x: (gf.tanh(w * x) ** 2).sum())
    for i in range(5):
        x = numbers(3, 4, seed=i)
        y = function(x)
        with gf.no_grad():
            write(w, x)
        try:
            y.backward()
        except gf.errors.GradientError:
            yield "refused", w
        else:
            yield "done", w


def _twice_before_backward(compile, model):
    forward = compile(model)
    return lambda x, y: (
        cross_entropy(forward(x), y) + (forward(x * 2) ** 2).mean() + (forward(forward(x)[:, [0, 1, 2, 0]])).mean()
    )


def _following_each_other(compile, model):
    first, second = compile(model[0]), compile(lambda h: model[2](gf.tanh(h)))
    return lambda x, y: cross_entropy(second(first(x)), y)


def _outside(compile, model):
    forward = compile(model)
    return lambda x, y: cross_entropy(forward(x), y)


@each(
    {
        "a compiled model trained outside": _outside,
        "compiled layers that follow each other": _following_each_other,
        "a compiled function called twice before backward": _twice_before_backward,
    },
    replays=3,
)
def trained_outside(compile, make):
    model, optimizer = _made()
    loss_of = make(compile, model)
    for x, y in batches(7):
        optimizer.zero_grad()
        loss = loss_of(x, y)
        loss.backward()
        optimizer.step()
        yield loss.detach(), model, optimizer


@equal(replays=3)
def a_captured_tensor_that_was_computed(compile):
    w = numbers(4, requires_grad=True)
    for i in range(2):
        h = w * 2
        function = compile(lambda x: (gf.tanh(h) * x).sum())  # noqa: B023
        for j in range(4):
            w.grad = None
            h2 = function(numbers(4, seed=4 * i + j))
            if j < 3:
                h2.backward(retain_graph=True)
            yield h2.detach(), w


@equal(replays=3)
def a_mask_in_the_graph_of_a_result(compile):
    w = numbers(4, 4, requires_grad=True)
    function = compile(lambda x: (x @ (w * gf.tril(gf.ones((4, 4))))).sum())
    for i in range(6):
        y = function(numbers(3, 4, seed=i))
        y.backward()
        yield y.detach(), w


@raises("create_graph", gf.errors.GradientError)
def a_result_differentiated_with_create_graph(compile):
    w = numbers(4, requires_grad=True)
    function = compile(lambda x: (w * w * x).sum())
    for i in range(5):
        w.grad = None
        function(numbers(4, seed=i)).backward(create_graph=True)
        yield w.grad.detach()
