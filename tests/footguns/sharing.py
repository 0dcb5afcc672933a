"""Arguments that share memory with each other, and with what the step holds itself."""

from __future__ import annotations

import gradflow as gf
from footguns import each, equal, numbers, raises

SHARES = "shares memory with something that the step writes"


def _twice(i):
    x = numbers(4, seed=i)
    return x, x


def _two(i):
    return numbers(4, seed=i), numbers(4, seed=9 + i)


def _over_one_array(i):
    x = numbers(4, seed=i)
    return x, gf.tensor(x.data)


def _overlapping(i):
    x = numbers(9, seed=i)
    return x[:6], x[3:]


@each(
    {
        "the same array twice": (_twice,),
        "the same array twice and then two": (_twice, _two),
        "two and then the same array twice": (_two, _twice),
        "two tensors over one array": (_over_one_array,),
        "overlapping arguments that are read": (_overlapping,),
    }
)
def two_arguments(compile, makers):
    @compile
    def step(a, b):
        return a * 2 + b, a - b

    for make in makers:
        for i in range(5):
            yield step(*make(i))


@equal()
def an_argument_written_in_place(compile):
    @compile
    def step(x):
        x.multiply_(2)
        return x + 1

    for i in range(5):
        x = numbers(4, seed=i)
        yield step(x), x


@equal()
def a_numpy_argument_written_in_place(compile):
    @compile
    def step(x):
        gf.asarray(x).multiply_(2)

    for i in range(5):
        x = numbers(4, seed=i).data
        step(x)
        yield x


@raises(SHARES)
def overlapping_arguments_one_of_them_written(compile):
    @compile
    def step(a, b):
        a.multiply_(2)
        return b + 1

    for i in range(3):
        yield step(numbers(6, seed=i), numbers(6, seed=i + 9))
    for i in range(3):
        x = numbers(9, seed=i)
        yield step(x[:6], x[3:]), x


@equal()
def an_argument_written_that_shares_with_a_captured_tensor(compile):
    buffer = numbers(6)

    @compile
    def step(a):
        a.multiply_(2)
        return buffer + 1

    for i in range(3):
        yield step(numbers(6, seed=i))
    for _ in range(3):
        yield step(gf.tensor(buffer.data)), buffer


@each(
    {
        "an argument read that is a captured tensor written": (3, False),
        "a captured tensor that is written passed from the start": (4, True),
    }
)
def a_captured_tensor_written(compile, case):
    count, first = case
    buffer = numbers(6)

    @compile
    def step(a):
        buffer.multiply_(2)
        return a + 1

    for passed in (first, not first):
        for i in range(count):
            yield step(buffer if passed else numbers(6, seed=i)), buffer


@each(
    {
        "a captured tensor that is read passed from the start": lambda x: x,
        "a captured array passed from the start": lambda x: x.data,
    }
)
def passed_from_the_start(compile, of):
    w = of(numbers(6))

    @compile
    def step(a):
        return gf.asarray(a) * gf.asarray(w)

    for _ in range(4):
        yield step(w)
    for i in range(4):
        yield step(of(numbers(6, seed=i)))


@raises(SHARES)
def a_part_of_a_captured_tensor_that_is_written(compile):
    buffer = numbers(6)

    @compile
    def step(a):
        buffer.multiply_(2)
        return a + 1

    for i in range(4):
        yield step(numbers(3, seed=i)), buffer
    yield step(buffer[3:]), buffer


@raises(SHARES)
def an_argument_that_is_written_and_part_of_a_captured_tensor(compile):
    buffer = numbers(6)

    @compile
    def step(a):
        y = buffer * 2
        a.multiply_(2)
        return buffer + y

    for i in range(4):
        yield step(numbers(3, seed=i))
    yield step(buffer[3:]), buffer


@equal()
def an_argument_that_was_the_result_of_the_call_before(compile):
    @compile
    def step(x):
        return gf.tanh(x * 1.5) + 0.1

    x = numbers(5)
    for _ in range(6):
        x = step(x)
        yield x


@equal()
def an_argument_that_is_a_view_of_a_result(compile):
    @compile
    def step(x):
        return gf.concat([x, x * 2])

    x = numbers(5)
    for _ in range(6):
        x = step(x)[2:7]
        yield x
