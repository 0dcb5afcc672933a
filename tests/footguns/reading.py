"""Elements that are read inside a step."""

from __future__ import annotations

import warnings

import numpy as np

import gradflow as gf
from footguns import batches, equal, net, numbers, raises
from gradflow.nn.functional import cross_entropy

READS = "reads a tensor's elements"
HELD = "is still held"
TWICE = "run twice, the step did not do the same"
CHANGED = "the step changed "


def _stepping(compile, read):
    """Calls of a step that reads something of a tensor."""

    @compile
    def step(x):
        y = x * 2
        read(y.sum())
        return y

    for i in range(4):
        yield step(numbers(3, seed=i))


@raises(READS)
def item_inside(compile):
    yield from _stepping(compile, lambda x: x.item())


@raises(READS)
def bool_inside(compile):
    yield from _stepping(compile, bool)


@raises(READS)
def a_branch_on_a_comparison(compile):
    yield from _stepping(compile, lambda x: 1 if x > 0 else 2)


@raises(READS)
def float_inside(compile):
    yield from _stepping(compile, float)


@raises(READS)
def int_inside(compile):
    yield from _stepping(compile, int)


@raises(READS)
def an_integer_tensor_as_an_index_of_a_list(compile):
    yield from _stepping(compile, lambda x: [1, 2][x.argmax()])


@raises(READS)
def tolist_inside(compile):
    yield from _stepping(compile, lambda x: x.tolist())


@raises(READS)
def numpy_inside(compile):
    yield from _stepping(compile, lambda x: x.numpy())


@raises(READS)
def asarray_inside(compile):
    yield from _stepping(compile, np.asarray)


@raises(READS)
def repr_inside(compile):
    yield from _stepping(compile, repr)


@raises(READS)
def an_f_string_inside(compile):
    yield from _stepping(compile, lambda x: f"{x:.3f}")


@raises(READS)
def min_of_tensors_by_python(compile):
    yield from _stepping(compile, lambda x: min([x, x + 1]))


@raises(READS)
def a_tensor_in_a_list(compile):
    yield from _stepping(compile, lambda x: x in [x + 1, x + 2])


@raises(READS)
def an_argument_read_as_a_number(compile):
    @compile
    def step(x, k):
        return x * int(k)

    for i in range(4):
        yield step(numbers(3, seed=i), gf.tensor(i))


@raises(READS)
def a_mask_as_an_index(compile):
    @compile
    def step(x):
        return x[x > 0]

    for i in range(4):
        yield step(numbers(9, seed=i))


@raises(READS)
def a_mask_to_write_by(compile):
    @compile
    def step(x):
        y = x * 2
        y[y > 0] = 0
        return y

    for i in range(4):
        yield step(numbers(9, seed=i))


@raises(TWICE)
def the_array_itself_read_behind_the_door(compile):
    @compile
    def step(x):
        return x * float(np.sum((x * 2).data))

    for i in range(4):
        yield step(numbers(3, seed=i))


@raises(TWICE)
def an_array_computed_by_numpy_behind_the_door(compile):
    @compile
    def step(x):
        return x + gf.tensor(np.sqrt(np.abs(x.data)))

    for i in range(4):
        yield step(numbers(3, seed=i))


@raises(READS)
def a_mask_as_an_index_with_the_same_batch_twice(compile):
    @compile
    def step(x):
        return x[x > 0].sum()

    for i in (0, 0, 1, 2):
        yield step(numbers(9, seed=i))


@raises(READS)
def an_assertion_about_a_loss(compile):
    model = net(4, 3)

    @compile
    def step(x, y):
        loss = cross_entropy(model(x), y)
        assert loss < 100
        return loss

    for x, y in batches(4):
        yield step(x, y).detach()


@raises(READS)
def clipping_that_raises_for_nonfinite_norms(compile):
    model = net(4, 3)

    @compile
    def step(x, y):
        model.zero_grad()
        cross_entropy(model(x), y).backward()
        return gf.optim.clip_grad_norm_(model.parameters(), 1.0, error_if_nonfinite=True)

    for x, y in batches(4):
        yield step(x, y)


@equal(replays=0)
def a_read_with_fallback(compile):
    @compile(fallback=True)
    def step(x):
        return x * 2 if x.sum() > 0 else x * 3

    for i in range(5):
        with warnings.catch_warnings(action="ignore"):
            yield step(numbers(3, seed=i))
