"""State that is written in place, and what is equal and must not be taken for the same."""

from __future__ import annotations

import numpy as np

import gradflow as gf
from footguns import called, equal, numbers


@equal(replays=3)
@called()
def a_running_total():
    total = gf.zeros(4)
    return lambda x: total.add_(x.sum(axis=0)) * 1, lambda: total


@equal(replays=3)
@called()
def a_counter_that_is_a_tensor():
    count = gf.tensor(0)

    def step(x):
        count.add_(1)
        return x * count

    return step, lambda: count


@equal(replays=3)
@called()
def a_state_read_before_and_after_it_is_written():
    s = gf.ones(4)

    def step(x):
        before = x * s
        s.multiply_(1.5)
        return before, x * s

    return step, lambda: s


@equal(replays=3)
@called()
def parts_of_a_state_written():
    s = gf.zeros((3, 4))

    def step(x):
        s[0] = x[1]
        s[1:, ::2] = x[1:, 1::2] + s[0, ::2]
        s[[0, 2]] = s[[2, 0]] + 1
        return s.sum()

    return step, lambda: s


@equal(replays=3)
@called()
def a_view_of_a_state_written():
    s = gf.zeros((3, 4))
    view = s[1]

    def step(x):
        view.add_(x[0])
        return s * 2

    return step, lambda: (s, view)


@equal(replays=3)
@called()
def a_state_written_through_its_transpose():
    s = gf.zeros((4, 3))

    def step(x):
        s.T.add_(x)
        return s @ x

    return step, lambda: s


@equal(replays=3)
@called()
def overlapping_views_of_a_state():
    s = numbers(6)

    def step(x):
        s[1:].copy_(s[:-1] + x[0, 0])
        return s.sum()

    return step, lambda: s


@equal(replays=3)
@called()
def two_states_swapped():
    a, b = gf.zeros(4), gf.ones(4)

    def step(x):
        old = a * 1
        a.copy_(b + x[0])
        b.copy_(old)
        return a - b

    return step, lambda: (a, b)


@equal(replays=3)
@called()
def a_ring_of_results():
    ring, place = gf.zeros((3, 4)), gf.tensor(0)

    def step(x):
        ring.copy_(gf.where((gf.arange(3) == place)[:, None], x.sum(axis=0), ring))
        place.copy_((place + 1) % 3)
        return ring.sum(axis=0)

    return step, lambda: (ring, place)


@equal(replays=3)
@called()
def a_buffer_made_and_written_inside():
    def step(x):
        s = gf.zeros((3, 4))
        s[1] = x[0]
        s.add_(x)
        y = s * 2
        s.multiply_(3)
        return y, s + 0

    return step


@equal(replays=3)
@called()
def a_result_written_inside():
    def step(x):
        y = x * 2
        z = y + 1
        y.multiply_(3)
        return z, y, (y * z).sum()

    return step


@equal(replays=3)
@called()
def a_view_read_after_its_base_is_written():
    def step(x):
        y = x * 2
        row = y[1]
        y.add_(1)
        return row * 1, y.T @ y

    return step


@equal(replays=3)
@called()
def equal_calls_with_a_write_between():
    s = gf.ones(4)

    def step(x):
        a = gf.exp(s)
        s.add_(x[0] * 0.1)
        return a, gf.exp(s), gf.exp(s)

    return step, lambda: s


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
@called()
def products_with_one_of_other_dtypes_and_shapes():
    def step(x):
        wide = gf.tensor(np.ones((), np.float64))
        return x * wide, x * gf.ones((2, 1, 1)), x * gf.ones(4), x / gf.ones(()), 1 / x, x * 1

    return step
