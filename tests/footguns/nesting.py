"""Compiled functions inside others, under a profiler, in threads."""

from __future__ import annotations

import threading

import gradflow as gf
from footguns import batches, equal, net, numbers, trained
from gradflow.nn.functional import cross_entropy


@equal(replays=3)
def compiled_inside_compiled(compile):
    model = net(4, 3)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1)
    forward = compile(lambda x: gf.tanh(model(x)))

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(forward(x) + forward(x * 2), y)
        loss.backward()
        optimizer.step()
        return loss

    for x, y in batches(6):
        yield step(x, y).detach(), model, forward(x).detach()


@equal(replays=2)
def an_attribute_seen_by_a_compiled_function_inside(compile):
    factor = {"of": 2.0}
    inner = compile(lambda x: x * factor["of"])
    outer = compile(lambda x: inner(x) + 1)
    for i in range(8):
        if i == 4:
            factor["of"] = 7.0
        yield outer(numbers(3, seed=i))


@equal(replays=3)
def a_compiled_step_under_a_profiler(compile):
    model = net(4, 3)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1)
    step = trained(compile, model, optimizer)

    for i, (x, y) in enumerate(batches(9)):
        if i % 3 == 2:
            gf.profile(step, x, y, warmup=0)
        else:
            step(x, y)
        yield model, optimizer


@equal(replays=3)
def a_step_that_calls_itself_by_another_name(compile):
    def inner(x, depth):
        return x * 2 if depth == 0 else compiled(x + 1, depth - 1)

    compiled = compile(inner)
    for i in range(6):
        yield compiled(numbers(3, seed=i), 3)


def _in_threads(*functions):
    errors = []

    def run(function):
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(each,)) for each in functions]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    if errors:
        raise errors[0]


@equal(replays=10)
def two_compiled_steps_in_two_threads(compile):
    found = {}

    def train(name, features):
        model = net(4, features, 3)
        for p in model.parameters():
            with gf.no_grad():
                p.copy_(numbers(*p.shape, seed=features))
        optimizer = gf.optim.Adam(model.parameters(), lr=0.01)

        @compile
        def step(x, y):
            optimizer.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        found[name] = [step(x, y).detach() for x, y in batches(12)], [p.data.copy() for p in model.parameters()]

    _in_threads(lambda: train("a", 5), lambda: train("b", 7))
    gf.manual_seed(0)
    yield found["a"], found["b"]


@equal(replays=10)
def one_compiled_function_from_two_threads(compile):
    w = numbers(4)
    function = compile(lambda x: (gf.tanh(x * w) @ x.T, x.sum()))
    found = {}

    def call(name):
        found[name] = [function(numbers(3, 4, seed=10 * name + i)) for i in range(10)]

    _in_threads(lambda: call(1), lambda: call(2))
    yield found[1], found[2]


@equal(replays=6)
def one_compiled_function_differentiated_in_two_threads(compile):
    function = compile(lambda x: (gf.tanh(x) ** 2).sum())
    found = {}

    def call(name):
        inputs = [numbers(3, 4, seed=10 * name + i, requires_grad=True) for i in range(8)]
        for x in inputs:
            function(x).backward()
        found[name] = inputs

    _in_threads(lambda: call(1), lambda: call(2))
    yield found[1], found[2]


@equal(replays=6)
def compiled_in_one_thread_while_another_runs(compile):
    w = numbers(4)
    function = compile(lambda x: (gf.tanh(x * w)).sum(axis=0))
    for i in range(3):
        function(numbers(3, 4, seed=i))
    found = {}

    def run():
        found["run"] = [function(numbers(3, 4, seed=i)) for i in range(8)]

    def trace():
        found["trace"] = [function(numbers(rows, 4, seed=i)) for rows in (5, 6) for i in range(3)]

    _in_threads(run, trace)
    yield found["run"], found["trace"]


@equal(replays=3)
def no_grad_in_another_thread(compile):
    w = numbers(4, requires_grad=True)
    function = compile(lambda x: (x * w).sum())
    found = []

    def quietly():
        with gf.no_grad():
            found.extend(function(numbers(4, seed=i)).requires_grad for i in range(5))

    for i in range(5):
        w.grad = None
        function(numbers(4, seed=i)).backward()
        yield w
    _in_threads(quietly)
    yield found
