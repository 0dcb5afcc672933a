"""Results: of all structures, held across later calls, written to, aliases of arguments and of what was there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import gradflow as gf
from footguns import calls, each, equal, numbers


@equal()
def results_held_across_later_calls(compile):
    step = compile(lambda x: (x * 2, x.sum()))
    held = []
    for i in range(6):
        held.append(step(numbers(3, 4, seed=i)))
        yield held


@equal()
def results_written_to(compile):
    step = compile(lambda x: gf.tanh(x * 2) + 1)
    for i in range(6):
        y = step(numbers(3, 4, seed=i))
        yield y
        y.copy_(float("nan"))


@equal()
def a_result_written_to_by_the_next_call(compile):
    step = compile(lambda x: x.multiply_(2) + 1)
    y = numbers(3, 4)
    for _ in range(6):
        before, y = y, step(y)
        yield before, y


class Both(NamedTuple):
    one: gf.Tensor
    other: object


@dataclass(eq=False)
class Output:
    loss: gf.Tensor
    name: str = "output"


def _views(x):
    y = x * 2
    return y, y[1], y.T, y.reshape(-1)


each(
    {
        "a tuple": lambda x: (x + 1, x * 2),
        "a list": lambda x: [x + 1, [x * 2, ()]],
        "a dict": lambda x: {"sum": x.sum(), "both": {"a": x + 1, 3: None}},
        "a named tuple": lambda x: Both(x + 1, Both(x, "b")),
        "nothing": lambda x: None,
        "a number and a string beside tensors": lambda x: (x + 1, 3.5, "name", x.shape, x.dtype),
        "a view of another result": _views,
        "a view of an argument given back": lambda x: (x.T, x[1:], x.reshape(-1)),
        "a broadcast result": lambda x: (
            gf.broadcast_to(x, (2, 3, 4)),
            gf.broadcast_to(x.sum(axis=0) * 2, (3, 4)),
        ),
        "a transposed result that is computed": lambda x: ((x * 2).T, gf.exp(x.T)),
    }
)(calls)


@equal()
def a_dataclass(compile):
    for out in calls(compile, lambda x: Output(x.sum())):
        yield type(out), out.name, out.loss


@equal()
def lists_that_are_new_each_time(compile):
    step = compile(lambda x: [x + 1])
    for i in range(6):
        out = step(numbers(3, seed=i))
        yield out
        out.append("mine")


@equal()
def one_result_twice(compile):
    def step(x):
        y = x * 2
        return y, y

    for y, z in calls(compile, step):
        yield y, z, y is z


@equal()
def writing_to_a_result_that_another_views(compile):
    def step(x):
        y = x * 2
        return y, y.reshape(-1)

    for y, z in calls(compile, step):
        y.copy_(7.0)
        yield y, z


@equal()
def an_argument_given_back(compile):
    step = compile(lambda x: (x, x * 2))
    for i in range(5):
        x = numbers(3, seed=i)
        y, z = step(x)
        yield y, z, y is x


@equal()
def writing_to_a_view_of_an_argument_given_back(compile):
    step = compile(lambda x: (x[1:], x * 2))
    for i in range(5):
        x = numbers(3, 4, seed=i)
        view, _ = step(x)
        view.copy_(7.0)
        yield x, view


@equal()
def a_reshape_that_had_to_copy(compile):
    step = compile(lambda x: (x.T.reshape(-1), x.T.reshape(2, 6) * 2))
    for i in range(5):
        x = numbers(3, 4, seed=i)
        flat, _ = step(x)
        flat.copy_(flat + 1)
        yield x, flat


@equal()
def a_reshape_that_sometimes_has_to_copy(compile):
    step = compile(lambda x: x.reshape(-1) * 2)
    for i in range(8):
        yield step(numbers(3, 4, seed=i).T if i > 3 else numbers(4, 3, seed=i))


@equal()
def strides_of_results(compile):
    for out in calls(compile, lambda x: ((x * 2).T, gf.exp(x.T), (x + 1)[:, ::2], (x * 3)[::-1])):
        yield [y.data.flags.c_contiguous for y in out], out
