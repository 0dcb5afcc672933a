"""Arguments that share memory with each other, and with what the step holds itself."""

from __future__ import annotations

import gradflow as gf
from footguns import equal, numbers, raises

SHARES = "shares memory with something that the step writes"


@equal()
def the_same_array_twice(compile):
    @compile
    def step(a, b):
        return a * 2 + b, a - b

    for i in range(5):
        x = numbers(4, seed=i)
        yield step(x, x)


@equal()
def the_same_array_twice_and_then_two(compile):
    @compile
    def step(a, b):
        return a * 2 + b

    for i in range(4):
        x = numbers(4, seed=i)
        yield step(x, x)
    for i in range(4):
        yield step(numbers(4, seed=i), numbers(4, seed=9 + i))


@equal()
def two_and_then_the_same_array_twice(compile):
    @compile
    def step(a, b):
        return a * 2 + b

    for i in range(4):
        yield step(numbers(4, seed=i), numbers(4, seed=9 + i))
    for i in range(4):
        x = numbers(4, seed=i)
        yield step(x, x)


@equal()
def two_tensors_over_one_array(compile):
    @compile
    def step(a, b):
        return a * 2 + b

    for i in range(5):
        x = numbers(4, seed=i)
        yield step(x, gf.tensor(x.data))


@equal()
def overlapping_arguments_that_are_read(compile):
    @compile
    def step(a, b):
        return a * 2 + b

    for i in range(5):
        x = numbers(9, seed=i)
        yield step(x[:6], x[3:])


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


@equal()
def an_argument_read_that_is_a_captured_tensor_written(compile):
    buffer = numbers(6)

    @compile
    def step(a):
        buffer.multiply_(2)
        return a + 1

    for i in range(3):
        yield step(numbers(6, seed=i)), buffer
    for _ in range(3):
        yield step(buffer), buffer


@equal()
def a_captured_tensor_that_is_written_passed_from_the_start(compile):
    buffer = numbers(6)

    @compile
    def step(a):
        buffer.multiply_(2)
        return a + 1

    for _ in range(4):
        yield step(buffer), buffer
    for i in range(4):
        yield step(numbers(6, seed=i)), buffer


@equal()
def a_captured_tensor_that_is_read_passed_from_the_start(compile):
    w = numbers(6)

    @compile
    def step(a):
        return a * w

    for _ in range(4):
        yield step(w)
    for i in range(4):
        yield step(numbers(6, seed=i))


@equal()
def a_captured_array_passed_from_the_start(compile):
    array = numbers(6).data

    @compile
    def step(a):
        return gf.asarray(a) * gf.asarray(array)

    for _ in range(4):
        yield step(array)
    for i in range(4):
        yield step(numbers(6, seed=i).data)


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
