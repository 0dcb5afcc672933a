"""Shapes and dtypes of all kinds, and programs of all sizes."""

from __future__ import annotations

import numpy as np

import gradflow as gf
from footguns import batches, calls, equal, net, numbers, trained


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
    yield from calls(compile, lambda x: (gf.tanh(x * 2) @ x.T, x.sum(), x.to("float32") * 2), dtype=np.float16)


@equal(replays=3)
def double_precision(compile):
    yield from calls(compile, lambda x: (gf.tanh(x * 2) @ x.T, gf.softmax(x), x.mean()), dtype=np.float64)


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

    yield from calls(compile, step)


@equal(replays=3)
def integers_of_all_widths(compile):
    def step(x):
        given = [(gf.abs(x) * 9).to(kind) for kind in ("uint8", "int16", "int32", "uint16", "uint32", "uint64")]
        return [(y * 3 + 1, y.sum(), y.max()) for y in given]

    yield from calls(compile, step)


@equal(replays=3)
def mixed_dtypes(compile):
    def step(x):
        return x * x.to("float64"), x + gf.arange(4), (x > 0) * x, x.to("float16") + x

    yield from calls(compile, step)


@equal(replays=3)
def empty_arrays(compile):
    yield from calls(compile, lambda x: (x * 2, x.sum(), x.sum(axis=0), x @ gf.ones((4, 2))), shape=(0, 4))


@equal(replays=3)
def arrays_without_dimensions(compile):
    yield from calls(compile, lambda x: (x * 2, gf.exp(x), x + gf.ones(3), x.reshape(1), x > 0), shape=())


@equal(replays=3)
def arrays_of_one_element(compile):
    yield from calls(compile, lambda x: (x * 2, x.sum(), gf.softmax(x), x.mean(axis=1), x @ x), shape=(1, 1))


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

    yield from calls(compile, step)


@equal(replays=3)
def many_dimensions(compile):
    def step(x):
        y = x * gf.ones((2, 1, 5, 1))
        return y.sum(axis=(0, 2)), y.mean(axis=(1, 3)), gf.permute_dims(y, (3, 1, 0, 2)) * 2, y.max(axis=2)

    yield from calls(compile, step, shape=(2, 3, 5, 4))


@equal(replays=3)
def lengths_that_no_vector_divides(compile):
    def step(x):
        return gf.tanh(x) * 2 + x.sum(axis=1, keepdims=True), x.sum(axis=0), x.sum(), gf.softmax(x), x @ x.T

    for shape in ((7, 13), (1, 17), (33, 1), (5, 31)):
        yield from calls(compile, step, count=4, shape=shape)


@equal(replays=2)
def larger_arrays(compile):
    def step(x):
        return gf.tanh(x) * 2 + x.sum(axis=1, keepdims=True), x.sum(axis=0), x.mean(), gf.softmax(x), x @ x.T

    yield from calls(compile, step, count=4, shape=(150, 301))


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
    step = trained(compile, model, optimizer)

    for x, y in batches(4):
        yield step(x, y).detach(), model


@equal(replays=2)
def a_chain_of_hundreds_of_calls(compile):
    def step(x):
        for i in range(300):
            x = x * 0.999 + 0.001 * (i % 3)
        return x

    yield from calls(compile, step, count=4, dtype=np.float64)
