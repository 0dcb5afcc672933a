"""Arguments of all kinds: views, arrays, parameters, tensors that require grad, containers, and what is no tensor."""

from __future__ import annotations

import numpy as np

import gradflow as gf
from footguns import equal, numbers


def _doubling(compile, prepare, calls=5):
    """Calls of a step with arguments that ``prepare`` made of (4, 6) numbers."""
    w = numbers(6, seed=99, requires_grad=True)

    @compile
    def step(x):
        w.grad = None
        y = gf.tanh(x * 2 + x.sum(axis=0)) - x
        (y * w[: x.shape[-1]]).sum().backward()
        return y, x @ gf.ones(x.shape[-1])

    for i in range(calls):
        y, z = step(prepare(numbers(4, 6, seed=i)))
        yield y.detach(), z, w.grad


@equal()
def an_argument_in_order(compile):
    yield from _doubling(compile, lambda x: x)


@equal()
def a_transposed_argument(compile):
    yield from _doubling(compile, lambda x: gf.tensor(np.ascontiguousarray(x.data.T)).T)


@equal()
def a_sliced_argument(compile):
    yield from _doubling(compile, lambda x: x[1:3])


@equal()
def an_argument_of_every_second_column(compile):
    yield from _doubling(compile, lambda x: x[:, ::2])


@equal()
def a_reversed_argument(compile):
    yield from _doubling(compile, lambda x: gf.tensor(x.data[::-1]))


@equal()
def an_argument_reversed_both_ways(compile):
    yield from _doubling(compile, lambda x: gf.tensor(x.data[::-1, ::-1]))


@equal()
def a_fortran_ordered_argument(compile):
    yield from _doubling(compile, lambda x: gf.tensor(np.asfortranarray(x.data)))


@equal()
def an_argument_with_zero_strides(compile):
    yield from _doubling(compile, lambda x: gf.tensor(np.broadcast_to(x.data[0], (4, 6))))


@equal()
def an_argument_that_is_one_number_broadcast(compile):
    yield from _doubling(compile, lambda x: gf.tensor(np.broadcast_to(x.data[0, 0], (4, 6))))


@equal()
def a_read_only_array(compile):
    def prepare(x):
        array = x.data.copy()
        array.flags.writeable = False
        return gf.tensor(array)

    yield from _doubling(compile, prepare)


@equal()
def an_argument_with_an_odd_address(compile):
    def prepare(x):
        memory = np.zeros(x.data.nbytes + 1, np.uint8)
        array = memory[1:].view(np.float32).reshape(x.shape)
        array[...] = x.data
        return gf.tensor(array)

    yield from _doubling(compile, prepare)


@equal()
def a_view_and_then_a_copy_of_the_same_strides(compile):
    whole = numbers(40, 6)
    yield from _doubling(compile, lambda x: whole[: x.shape[0]], calls=3)
    yield from _doubling(compile, lambda x: whole[5:9], calls=3)


@equal(replays=0)
def layouts_that_change_from_call_to_call(compile):
    layouts = iter([lambda x: x, lambda x: x, lambda x: gf.tensor(np.asfortranarray(x.data)), lambda x: x, lambda x: x])
    yield from _doubling(compile, lambda x: next(layouts)(x))  # noqa: PLW0108 - another one each time


@equal()
def numpy_arrays_as_arguments(compile):
    @compile
    def step(x):
        return gf.exp(gf.asarray(x)) * 2

    for i in range(5):
        yield step(numbers(3, 4, seed=i).data)


@equal()
def numpy_arrays_in_and_their_dtype_kept(compile):
    @compile
    def step(x):
        return x * 2 + 1

    for i in range(5):
        yield gf.asarray(step(gf.tensor(numbers(3, 4, seed=i, dtype=np.float64).data)))


@equal()
def a_numpy_array_that_is_written_between_calls(compile):
    array = numbers(5).data

    @compile
    def step(x):
        return gf.asarray(x) * 2

    for _ in range(5):
        array += 1
        yield step(array)
