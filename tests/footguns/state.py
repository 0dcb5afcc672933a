"""State that is written in place, random numbers, shapes and dtypes of all kinds."""

from __future__ import annotations

import numpy as np

import gradflow as gf
from footguns import batches, equal, net, numbers
from gradflow.nn.functional import cross_entropy
from gradflow.ops.generator import Generator


def _calls(compile, function, count=5, shape=(3, 4), dtype=np.float32):
    step = compile(function)
    for i in range(count):
        yield step(numbers(*shape, seed=i, dtype=dtype))


# ---- written in place


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


# ---- random numbers


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

    yield from _calls(compile, step)


@equal(replays=3)
def a_generator_of_ones_own(compile):
    generator = Generator(3)
    for out in _calls(compile, lambda x: gf.random.normal((3, 4), generator=generator) * x):
        yield out, generator


@equal(replays=3)
def a_generator_made_inside(compile):
    yield from _calls(compile, lambda x: gf.random.normal((3, 4), generator=Generator(3)) * x)


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

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

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


# ---- shapes and dtypes


@equal(replays=2)
def shapes_that_alternate(compile):
    step = compile(lambda x: gf.softmax(x * 2).sum(axis=0))
    for i in range(12):
        yield step(numbers(3 + i % 2, 4, seed=i))


@equal(replays=2)
def dtypes_that_alternate(compile):
    step = compile(lambda x: gf.tanh(x * 2).sum(axis=0))
    for i in range(12):
        yield step(numbers(3, 4, seed=i, dtype=[np.float32, np.float64][i % 2]))


@equal(replays=3)
def half_precision(compile):
    yield from _calls(compile, lambda x: (gf.tanh(x * 2) @ x.T, x.sum(), x.to("float32") * 2), dtype=np.float16)


@equal(replays=3)
def double_precision(compile):
    yield from _calls(compile, lambda x: (gf.tanh(x * 2) @ x.T, gf.softmax(x), x.mean()), dtype=np.float64)


@equal(replays=3)
def integers_and_truth_values(compile):
    def step(x):
        i = (x * 10).to("int64")
        b = x > 0
        small = i.to("int8")
        return (
            i // 3,
            i % 3,
            -i,
            b & (i > 2),
            ~b,
            gf.where(b, i, -i),
            i.sum(),
            b.any(),
            b.sum(axis=0),
            small + small,
            i * 2.5,
        )

    yield from _calls(compile, step)


@equal(replays=3)
def integers_of_all_widths(compile):
    def step(x):
        given = [(gf.abs(x) * 9).to(kind) for kind in ("uint8", "int16", "int32", "uint16", "uint32", "uint64")]
        return [(y * 3 + 1, y.sum(), y.max()) for y in given]

    yield from _calls(compile, step)


@equal(replays=3)
def mixed_dtypes(compile):
    def step(x):
        return x * x.to("float64"), x + gf.arange(4), (x > 0) * x, x.to("float16") + x

    yield from _calls(compile, step)


@equal(replays=3)
def empty_arrays(compile):
    yield from _calls(compile, lambda x: (x * 2, x.sum(), x.sum(axis=0), x @ gf.ones((4, 2))), shape=(0, 4))


@equal(replays=3)
def arrays_without_dimensions(compile):
    yield from _calls(compile, lambda x: (x * 2, gf.exp(x), x + gf.ones(3), x.reshape(1), x > 0), shape=())


@equal(replays=3)
def arrays_of_one_element(compile):
    yield from _calls(compile, lambda x: (x * 2, x.sum(), gf.softmax(x), x.mean(axis=1), x @ x), shape=(1, 1))


@equal(replays=3)
def one_row_and_one_column(compile):
    def step(x):
        row, column = x[:1], x[:, :1]
        return (
            row + column,
            (row * x).sum(axis=0),
            (column * x).mean(axis=1),
            gf.softmax(row),
            gf.softmax(column, axis=0),
        )

    yield from _calls(compile, step)


@equal(replays=3)
def many_dimensions(compile):
    def step(x):
        y = x * gf.ones((2, 1, 5, 1))
        return y.sum(axis=(0, 2)), y.mean(axis=(1, 3)), gf.permute_dims(y, (3, 1, 0, 2)) * 2, y.max(axis=2)

    yield from _calls(compile, step, shape=(2, 3, 5, 4))


@equal(replays=3)
def lengths_that_no_vector_divides(compile):
    def step(x):
        return gf.tanh(x) * 2 + x.sum(axis=1, keepdims=True), x.sum(axis=0), x.sum(), gf.softmax(x), x @ x.T

    for shape in ((7, 13), (1, 17), (33, 1), (5, 31)):
        yield from _calls(compile, step, count=4, shape=shape)


@equal(replays=2)
def larger_arrays(compile):
    def step(x):
        return gf.tanh(x) * 2 + x.sum(axis=1, keepdims=True), x.sum(axis=0), x.mean(), gf.softmax(x), x @ x.T

    yield from _calls(compile, step, count=4, shape=(150, 301))


@equal(replays=3)
def infinities_and_nan(compile):
    def step(x):
        y = gf.where(x > 1, float("inf"), gf.where(x < -1, float("nan"), x))
        return y * 2, gf.maximum(y, 0.0), gf.relu(y), y.max(), gf.exp(y), gf.isnan(y), gf.clip(y, -1, 1)

    compiled = compile(step)
    for i in range(5):
        with np.errstate(all="ignore"):
            yield compiled(numbers(3, 4, seed=i))


@equal(replays=2)
def division_by_zero(compile):
    step = compile(lambda x: (1 / (x - x), (x - x) / (x - x), gf.log(x - x)))
    for i in range(4):
        with np.errstate(all="ignore"):
            yield step(numbers(3, 4, seed=i))


@equal(replays=2)
def a_hundred_layers(compile):
    model = net(*[4] * 101)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for x, y in batches(4):
        yield step(x, y).detach(), model


@equal(replays=2)
def a_chain_of_hundreds_of_calls(compile):
    def step(x):
        for i in range(300):
            x = x * 0.999 + 0.001 * (i % 3)
        return x

    yield from _calls(compile, step, count=4, dtype=np.float64)
