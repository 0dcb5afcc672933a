"""Arguments in containers, by keyword, and those that are no tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

import gradflow as gf
from footguns import each, equal, numbers


@equal()
def keyword_arguments_in_another_order(compile):
    @compile
    def step(a, *, b, c=2.0):
        return a * b + c

    for i in range(4):
        yield step(numbers(3, seed=i), b=numbers(3, seed=9), c=1.0)
    for i in range(4):
        yield step(c=3.0, b=numbers(3, seed=9), a=numbers(3, seed=i))


ONES, WHOLE = gf.ones(3), gf.tensor([1, 2, 3])


@each(
    {
        "python numbers that change": (numbers(3), (2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 2.0)),
        "numbers that are equal and of other types": (WHOLE, (1, 1, 1, 1.0, 1.0, 1.0, True, True, True)),
        "numpy scalars that change": (numbers(3), [np.float32(k) for k in (2.0, 2.0, 2.0, 3.0, 3.0)]),
    }
)
@each({"nan as a static argument": (numbers(3), [float("nan") for _ in range(5)])}, replays=0)
def numbers_as_arguments(compile, case):
    x, given = case
    step = compile(lambda x, k: x * k)
    for k in given:
        yield step(x, k)


@equal()
def zero_and_minus_zero(compile):
    step = compile(lambda x, k: gf.arctan2(x * k, gf.full((3,), -1.0)))
    for k in (0.0, 0.0, 0.0, -0.0, -0.0, -0.0):
        yield step(ONES, k)


@dataclass
class Batch:
    x: gf.Tensor
    y: gf.Tensor
    scale: float = 1.0


class Pair(NamedTuple):
    first: gf.Tensor
    second: gf.Tensor


@equal()
def nested_containers_and_dataclasses(compile):
    @compile
    def step(batch, pair, extra):
        return batch.x * batch.scale + batch.y + pair.second * extra["k"][0][1]

    for i in range(5):
        a, b = numbers(3, seed=i), numbers(3, seed=i + 9)
        yield step(Batch(a, b, 2.0), Pair(a, b), {"k": [(None, a), "name"]})


@equal()
def a_dict_in_another_order(compile):
    @compile
    def step(given):
        return sum(given.values())

    for i in range(4):
        yield step({"a": numbers(3, seed=i), "b": numbers(3, seed=9)})
    for i in range(4):
        yield step({"b": numbers(3, seed=9), "a": numbers(3, seed=i)})


@equal()
def an_argument_that_is_not_used(compile):
    @compile
    def step(x, unused):
        return x * 2

    for i in range(5):
        yield step(numbers(3, seed=i), numbers(4, seed=i))


@equal()
def no_arguments_at_all(compile):
    w = numbers(4, requires_grad=True)
    optimizer = gf.optim.SGD([w], lr=0.1)

    @compile
    def step():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(5):
        yield step().detach(), optimizer


@equal(replays=0)
def an_integer_argument_that_becomes_a_shape(compile):
    @compile
    def step(x, n):
        return x.reshape(n, -1) * 2

    for n in (2, 2, 2, 3, 3, 3):
        yield step(numbers(6), n)
