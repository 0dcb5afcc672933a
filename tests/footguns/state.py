"""State that is written in place, random numbers, shapes and dtypes of all kinds."""

from __future__ import annotations

import numpy as np

import gradflow as gf
from footguns import equal, numbers


def _calls(compile, function, count=5, shape=(3, 4), dtype=np.float32):
    step = compile(function)
    for i in range(count):
        yield step(numbers(*shape, seed=i, dtype=dtype))


@equal(replays=3)
def a_running_total(compile):
    total = gf.zeros(4)
    for out in _calls(compile, lambda x: total.add_(x.sum(axis=0)) * 1):
        yield out, total


@equal(replays=3)
def a_counter_that_is_a_tensor(compile):
    count = gf.tensor(0)

    def step(x):
        count.add_(1)
        return x * count

    for out in _calls(compile, step):
        yield out, count


@equal(replays=3)
def a_state_read_before_and_after_it_is_written(compile):
    s = gf.ones(4)

    def step(x):
        before = x * s
        s.multiply_(1.5)
        return before, x * s

    for out in _calls(compile, step):
        yield out, s


@equal(replays=3)
def parts_of_a_state_written(compile):
    s = gf.zeros((3, 4))

    def step(x):
        s[0] = x[1]
        s[1:, ::2] = x[1:, 1::2] + s[0, ::2]
        s[[0, 2]] = s[[2, 0]] + 1
        return s.sum()

    for out in _calls(compile, step):
        yield out, s


@equal(replays=3)
def a_view_of_a_state_written(compile):
    s = gf.zeros((3, 4))
    view = s[1]

    def step(x):
        view.add_(x[0])
        return s * 2

    for out in _calls(compile, step):
        yield out, s, view


@equal(replays=3)
def a_state_written_through_its_transpose(compile):
    s = gf.zeros((4, 3))

    def step(x):
        s.T.add_(x)
        return s @ x

    for out in _calls(compile, step):
        yield out, s


@equal(replays=3)
def overlapping_views_of_a_state(compile):
    s = numbers(6)

    def step(x):
        s[1:].copy_(s[:-1] + x[0, 0])
        return s.sum()

    for out in _calls(compile, step):
        yield out, s


@equal(replays=3)
def two_states_swapped(compile):
    a, b = gf.zeros(4), gf.ones(4)

    def step(x):
        old = a * 1
        a.copy_(b + x[0])
        b.copy_(old)
        return a - b

    for out in _calls(compile, step):
        yield out, a, b


@equal(replays=3)
def a_ring_of_results(compile):
    ring, place = gf.zeros((3, 4)), gf.tensor(0)

    def step(x):
        ring.copy_(gf.where((gf.arange(3) == place)[:, None], x.sum(axis=0), ring))
        place.copy_((place + 1) % 3)
        return ring.sum(axis=0)

    for out in _calls(compile, step):
        yield out, ring, place


@equal(replays=3)
def a_buffer_made_and_written_inside(compile):
    def step(x):
        s = gf.zeros((3, 4))
        s[1] = x[0]
        s.add_(x)
        y = s * 2
        s.multiply_(3)
        return y, s + 0

    yield from _calls(compile, step)


@equal(replays=3)
def a_result_written_inside(compile):
    def step(x):
        y = x * 2
        z = y + 1
        y.multiply_(3)
        return z, y, (y * z).sum()

    yield from _calls(compile, step)


@equal(replays=3)
def a_view_read_after_its_base_is_written(compile):
    def step(x):
        y = x * 2
        row = y[1]
        y.add_(1)
        return row * 1, y.T @ y

    yield from _calls(compile, step)


@equal(replays=3)
def equal_calls_with_a_write_between(compile):
    s = gf.ones(4)

    def step(x):
        a = gf.exp(s)
        s.add_(x[0] * 0.1)
        return a, gf.exp(s), gf.exp(s)

    for out in _calls(compile, step):
        yield out, s


@equal(replays=3)
def equal_calls_with_zeros_of_both_signs(compile):
    step = compile(lambda x: (1 / (x * 0.0), 1 / (x * -0.0), 1 / (gf.abs(x) * 0.0)))
    for i in range(5):
        with np.errstate(all="ignore"):
            yield step(numbers(3, 4, seed=i))


@equal(replays=3)
def equal_calls_with_numbers_of_other_types(compile):
    step = compile(lambda x: (x * 1, x * 1.0, x * True, x + 1, x + 1.0))
    for _ in range(5):
        yield step(gf.tensor([1, 2, 3]))


@equal(replays=3)
def products_with_one_of_other_dtypes_and_shapes(compile):
    def step(x):
        wide = gf.tensor(np.ones((), np.float64))
        return x * wide, x * gf.ones((2, 1, 1)), x * gf.ones(4), x / gf.ones(()), 1 / x, x * 1

    yield from _calls(compile, step)
