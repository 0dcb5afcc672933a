"""Random numbers: of all kinds, of several generators, seeded between calls, differentiated."""

from __future__ import annotations

import gradflow as gf
from footguns import batches, calls, equal, numbers, trained
from gradflow.ops.generator import Generator


@equal(replays=3)
def random_numbers_of_all_kinds(compile):
    def step(x):
        return (
            x + gf.random.normal((3, 4)),
            gf.random.uniform((2, 3), -1, 1, dtype="float64"),
            gf.random.randint(0, 9, 5),
            gf.random.permutation(6),
            gf.random.dropout(x, 0.5),
        )

    yield from calls(compile, step)


@equal(replays=3)
def a_generator_of_ones_own(compile):
    generator = Generator(3)
    for out in calls(compile, lambda x: gf.random.normal((3, 4), generator=generator) * x):
        yield out, generator


@equal(replays=3)
def a_generator_made_inside(compile):
    yield from calls(compile, lambda x: gf.random.normal((3, 4), generator=Generator(3)) * x)


@equal(replays=3)
def a_seed_set_between_calls(compile):
    step = compile(lambda x: gf.random.dropout(x, 0.5))
    for i in range(8):
        if i % 3 == 2:
            gf.manual_seed(5)
        yield step(numbers(3, 4, seed=i))


@equal(replays=3)
def eager_draws_between_calls(compile):
    step = compile(lambda x: gf.random.dropout(x, 0.5))
    for i in range(6):
        yield gf.random.normal(3), step(numbers(3, 4, seed=i))


@equal(replays=3)
def dropout_and_its_gradient(compile):
    model = gf.nn.Sequential(gf.nn.Linear(4, 8), gf.nn.Dropout(0.3), gf.nn.Linear(8, 3))
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1)
    step = trained(compile, model, optimizer)

    for x, y in batches(6):
        yield step(x, y).detach(), model, optimizer


@equal(replays=3)
def dropout_differentiated_outside(compile):
    w = numbers(4, requires_grad=True)
    step = compile(lambda x: (gf.random.dropout(x * w, 0.5)).sum())
    for i in range(6):
        w.grad = None
        y = step(numbers(3, 4, seed=i))
        gf.random.normal(3)
        y.backward()
        yield y.detach(), w


@equal(replays=3)
def two_compiled_functions_that_draw(compile):
    first, second = compile(lambda x: gf.random.dropout(x, 0.5)), compile(lambda x: x + gf.random.normal((3, 4)))
    for i in range(6):
        x = numbers(3, 4, seed=i)
        yield first(x), second(x), first(x)
