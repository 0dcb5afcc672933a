"""Results: of all structures, held across later calls, written to, aliases of arguments and of what was there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import gradflow as gf
from footguns import equal, net, numbers


def _calls(compile, function, count=5):
    step = compile(function)
    for i in range(count):
        yield step(numbers(3, 4, seed=i))


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


@equal()
def a_tuple(compile):
    yield from _calls(compile, lambda x: (x + 1, x * 2))


@equal()
def a_list(compile):
    yield from _calls(compile, lambda x: [x + 1, [x * 2, ()]])


@equal()
def a_dict(compile):
    yield from _calls(compile, lambda x: {"sum": x.sum(), "both": {"a": x + 1, 3: None}})


@equal()
def nothing(compile):
    yield from _calls(compile, lambda x: None)


@equal()
def a_number_and_a_string_beside_tensors(compile):
    yield from _calls(compile, lambda x: (x + 1, 3.5, "name", x.shape, x.dtype))


class Both(NamedTuple):
    one: gf.Tensor
    other: object


@dataclass
class Output:
    loss: gf.Tensor
    name: str = "output"

    def __eq__(self, other):
        return self.name == other.name and bool((self.loss == other.loss).all())


@equal()
def a_named_tuple(compile):
    yield from _calls(compile, lambda x: Both(x + 1, Both(x, "b")))


@equal()
def a_dataclass(compile):
    for out in _calls(compile, lambda x: Output(x.sum())):
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

    for y, z in _calls(compile, step):
        yield y, z, y is z


@equal()
def a_view_of_another_result(compile):
    def step(x):
        y = x * 2
        return y, y[1], y.T, y.reshape(-1)

    yield from _calls(compile, step)


@equal()
def writing_to_a_result_that_another_views(compile):
    def step(x):
        y = x * 2
        return y, y.reshape(-1)

    for y, z in _calls(compile, step):
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
def a_view_of_an_argument_given_back(compile):
    step = compile(lambda x: (x.T, x[1:], x.reshape(-1)))
    for i in range(5):
        yield step(numbers(3, 4, seed=i))


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
def a_broadcast_result(compile):
    step = compile(lambda x: (gf.broadcast_to(x, (2, 3, 4)), gf.broadcast_to(x.sum(axis=0) * 2, (3, 4))))
    for i in range(5):
        yield step(numbers(3, 4, seed=i))


@equal()
def a_transposed_result_that_is_computed(compile):
    yield from _calls(compile, lambda x: ((x * 2).T, gf.exp(x.T)))


@equal()
def strides_of_results(compile):
    for out in _calls(compile, lambda x: ((x * 2).T, gf.exp(x.T), (x + 1)[:, ::2], (x * 3)[::-1])):
        yield [y.data.flags.c_contiguous for y in out], out


@equal()
def a_parameter_given_back(compile):
    w = numbers(4, requires_grad=True)
    step = compile(lambda x: ((w * x).sum(axis=0).detach(), w))
    for i in range(5):
        y, same = step(numbers(3, 4, seed=i))
        yield y, same is w, same


@equal()
def a_buffer_written_and_given_back(compile):
    total = gf.zeros(4)

    def step(x):
        total.add_(x.sum(axis=0))
        return total

    for out in _calls(compile, step):
        yield out, out is total


@equal()
def a_view_of_a_buffer_given_back(compile):
    total = gf.zeros(4)

    def step(x):
        total.add_(x.sum(axis=0))
        return total[1:3]

    held = []
    for out in _calls(compile, step):
        held.append(out)
        yield held, total


@equal()
def detached_parameters_given_back(compile):
    model = net(4, 3)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x):
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
        return [p.detach() for p in model.parameters()]

    for i in range(5):
        yield step(numbers(3, 4, seed=i)), model


@equal()
def copies_of_parameters_given_back(compile):
    model = net(4, 3)
    optimizer = gf.optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x):
        before = [p.detach() * 1 for p in model.parameters()]
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
        return before

    held = []
    for i in range(5):
        held.append(step(numbers(3, 4, seed=i)))
        yield held, model


@equal()
def gradients_given_back(compile):
    w = numbers(4, requires_grad=True)

    @compile
    def step(x):
        w.grad = None
        (w * w * x).sum().backward()
        return w.grad

    held = []
    for i in range(5):
        held.append(step(numbers(3, 4, seed=i)))
        yield held, held[-1] is w.grad


@equal()
def gradients_of_an_optimizer_given_back(compile):
    w = numbers(4, requires_grad=True)
    optimizer = gf.optim.SGD([w], lr=0.1)

    @compile
    def step(x):
        optimizer.zero_grad()
        (w * w * x).sum().backward()
        optimizer.step()
        return w.grad

    held = []
    for i in range(5):
        held.append(step(numbers(3, 4, seed=i)))
        yield held, held[-1] is w.grad, optimizer


@equal()
def constants_given_back(compile):
    step = compile(lambda x: (gf.ones(3), gf.arange(4), x + gf.tensor([1.0, 2.0, 3.0, 4.0])))
    for i in range(5):
        out = step(numbers(3, 4, seed=i))
        yield out
        out[0].copy_(9.0)


@equal()
def a_constant_written_in_place_and_given_back(compile):
    def step(x):
        total = gf.zeros(4)
        for row in x:
            total.add_(row)
        return total

    held = []
    for out in _calls(compile, step):
        held.append(out)
        yield held


@equal()
def an_array_without_elements(compile):
    yield from _calls(compile, lambda x: (x[:0] * 2, x[:0].sum(axis=0), gf.concat([x[:0], x])))


@equal()
def a_result_that_is_not_used(compile):
    step = compile(lambda x: (x * 2, x + 1))
    for i in range(5):
        step(numbers(3, seed=i))
        yield ()
