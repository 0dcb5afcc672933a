"""Arguments of all kinds: views, arrays, parameters, tensors that require grad, containers, and what is no tensor."""

from __future__ import annotations

import numpy as np

import gradflow as gf
from footguns import each, equal, numbers

WHOLE = numbers(40, 6)


def _doubling(compile, prepare, count=5):
    """Calls of a step with arguments that ``prepare`` made of (4, 6) numbers."""
    w = numbers(6, seed=99, requires_grad=True)

    @compile
    def step(x):
        w.grad = None
        y = gf.tanh(x * 2 + x.sum(axis=0)) - x
        (y * w[: x.shape[-1]]).sum().backward()
        return y, x @ gf.ones(x.shape[-1])

    for i in range(count):
        y, z = step(prepare(numbers(4, 6, seed=i)))
        yield y.detach(), z, w.grad


def _read_only(x):
    array = x.data.copy()
    array.flags.writeable = False
    return gf.tensor(array)


def _at_an_odd_address(x):
    memory = np.zeros(x.data.nbytes + 1, np.uint8)
    array = memory[1:].view(np.float32).reshape(x.shape)
    array[...] = x.data
    return gf.tensor(array)


each(
    {
        "an argument in order": lambda x: x,
        "a transposed argument": lambda x: gf.tensor(np.ascontiguousarray(x.data.T)).T,
        "a sliced argument": lambda x: x[1:3],
        "an argument of every second column": lambda x: x[:, ::2],
        "a reversed argument": lambda x: gf.tensor(x.data[::-1]),
        "an argument reversed both ways": lambda x: gf.tensor(x.data[::-1, ::-1]),
        "a fortran ordered argument": lambda x: gf.tensor(np.asfortranarray(x.data)),
        "an argument with zero strides": lambda x: gf.tensor(np.broadcast_to(x.data[0], (4, 6))),
        "an argument that is one number broadcast": lambda x: gf.tensor(np.broadcast_to(x.data[0, 0], (4, 6))),
        "a read only array": _read_only,
        "an argument with an odd address": _at_an_odd_address,
    }
)(_doubling)


@equal()
def a_view_and_then_a_copy_of_the_same_strides(compile):
    yield from _doubling(compile, lambda x: WHOLE[: x.shape[0]], count=3)
    yield from _doubling(compile, lambda x: WHOLE[5:9], count=3)


@equal(replays=0)
def layouts_that_change_from_call_to_call(compile):
    layouts = iter([lambda x: x, lambda x: x, lambda x: gf.tensor(np.asfortranarray(x.data)), lambda x: x, lambda x: x])
    yield from _doubling(compile, lambda x: next(layouts)(x))  # noqa: PLW0108 - another one each time


@each(
    {
        "numpy arrays as arguments": (np.float32, lambda x: gf.exp(gf.asarray(x)) * 2, lambda x: x.data),
        "numpy arrays in and their dtype kept": (np.float64, lambda x: x * 2 + 1, lambda x: gf.tensor(x.data)),
    }
)
def arrays(compile, case):
    dtype, function, prepare = case
    step = compile(function)
    for i in range(5):
        yield gf.asarray(step(prepare(numbers(3, 4, seed=i, dtype=dtype))))


@equal()
def a_numpy_array_that_is_written_between_calls(compile):
    array = numbers(5).data

    @compile
    def step(x):
        return gf.asarray(x) * 2

    for _ in range(5):
        array += 1
        yield step(array)
