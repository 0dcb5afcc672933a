"""Arguments of all kinds: views, arrays, parameters, tensors that require grad, containers, and what is no tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

import gradflow as gf
from footguns import equal, numbers, raises

SHARES = "shares memory with something that the step writes"


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
    yield from _doubling(compile, lambda x: next(layouts)(x))


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


@equal()
def a_parameter_as_an_argument(compile):
    w = numbers(4, requires_grad=True)
    optimizer = gf.optim.SGD([w], lr=0.1)

    @compile
    def step(p, x):
        optimizer.zero_grad()
        loss = ((p * x) ** 2).sum()
        loss.backward()
        optimizer.step()
        return loss

    for i in range(5):
        yield step(w, numbers(4, seed=i)).detach(), w, optimizer


@equal()
def parameters_as_a_list_of_arguments(compile):
    model = gf.nn.Linear(4, 3)
    optimizer = gf.optim.Adam(model.parameters(), lr=0.1)

    @compile
    def step(parameters, x):
        weight, bias = parameters
        loss = ((x @ weight.T + bias) ** 2).sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    for i in range(5):
        yield step(list(model.parameters()), numbers(2, 4, seed=i)).detach(), model, optimizer


@equal()
def a_leaf_that_requires_grad_with_backward_inside(compile):
    @compile
    def step(x):
        y = (x * x * x).sum()
        y.backward()
        return y.detach()

    for i in range(5):
        x = numbers(4, seed=i, requires_grad=True)
        yield step(x), x


@raises("reads the gradient that a leaf of shape (4,) had before")
def a_leaf_that_requires_grad_with_backward_inside_accumulating(compile):
    x = numbers(4, requires_grad=True)

    @compile
    def step(x):
        y = (x * x * x).sum()
        y.backward()
        return y.detach()

    for _ in range(5):
        yield step(x), x


@equal()
def a_leaf_that_requires_grad_with_backward_outside(compile):
    @compile
    def step(x):
        return (x * x * x).sum()

    for i in range(5):
        x = numbers(4, seed=i, requires_grad=True)
        y = step(x)
        y.backward()
        yield y.detach(), x


@raises("went on into what was computed before it")
def a_computed_argument_with_backward_inside(compile):
    @compile
    def step(x):
        y = (x * x * x).sum()
        y.backward()
        return y.detach()

    for i in range(5):
        x = numbers(4, seed=i, requires_grad=True)
        yield step(x * 2), x


@equal()
def a_computed_argument_with_backward_outside(compile):
    @compile
    def step(x):
        return (x * x * x).sum()

    for i in range(5):
        x = numbers(4, seed=i, requires_grad=True)
        step(x * 2).backward()
        yield x


@equal()
def arguments_that_require_grad_and_then_not(compile):
    @compile
    def step(x):
        return (x * x).sum()

    for i in range(8):
        yield step(numbers(4, seed=i, requires_grad=i % 4 > 1)).detach()


@equal()
def one_leaf_as_two_arguments(compile):
    @compile
    def step(a, b):
        return (a * b * b).sum()

    for i in range(5):
        x = numbers(4, seed=i, requires_grad=True)
        step(x, x).backward()
        yield x


@equal()
def two_leaves_over_one_array(compile):
    @compile
    def step(a, b):
        return (a * b * b).sum()

    for i in range(5):
        x = numbers(4, seed=i, requires_grad=True)
        y = gf.Tensor(x.data, True)
        step(x, y).backward()
        yield x, y


@equal()
def keyword_arguments_in_another_order(compile):
    @compile
    def step(a, *, b, c=2.0):
        return a * b + c

    for i in range(4):
        yield step(numbers(3, seed=i), b=numbers(3, seed=9), c=1.0)
    for i in range(4):
        yield step(c=3.0, b=numbers(3, seed=9), a=numbers(3, seed=i))


@equal()
def python_numbers_that_change(compile):
    @compile
    def step(x, k):
        return x * k

    for k in (2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 2.0):
        yield step(numbers(3), k)


@equal()
def numbers_that_are_equal_and_of_other_types(compile):
    @compile
    def step(x, k):
        return x * k

    for k in (1, 1, 1, 1.0, 1.0, 1.0, True, True, True):
        yield step(gf.tensor([1, 2, 3]), k)


@equal()
def zero_and_minus_zero(compile):
    @compile
    def step(x, k):
        return gf.arctan2(x * k, gf.full((3,), -1.0))

    for k in (0.0, 0.0, 0.0, -0.0, -0.0, -0.0):
        yield step(gf.ones(3), k)


@equal()
def numpy_scalars_that_change(compile):
    @compile
    def step(x, k):
        return x * k

    for k in (2.0, 2.0, 2.0, 3.0, 3.0):
        yield step(numbers(3), np.float32(k))


@equal(replays=0)
def nan_as_a_static_argument(compile):
    @compile
    def step(x, k):
        return x * k

    for _ in range(5):
        yield step(numbers(3), float("nan"))


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
