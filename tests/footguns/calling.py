"""Functions that a step calls, their closures and defaults, and tensors and arrays that it holds."""

from __future__ import annotations

import functools

import gradflow as gf
from footguns import equal, numbers


def _twice(compile, function, change, calls=4):
    step = compile(function)
    for _ in range(2):
        for i in range(calls):
            yield step(numbers(3, seed=i))
        change()


@equal(replays=2)
def a_function_called_by_the_step_with_a_closure_that_changes(compile):
    factor = 2.0

    def change():
        nonlocal factor
        factor = 7.0

    def inner(x):
        return x * factor

    yield from _twice(compile, lambda x: inner(x) + 1, change)


@equal(replays=2)
def a_function_that_is_replaced(compile):
    function = gf.exp

    def change():
        nonlocal function
        function = gf.tanh

    yield from _twice(compile, lambda x: function(x), change)  # noqa: PLW0108 - it is looked up in each call


@equal(replays=2)
def a_callable_object_whose_attribute_changes(compile):
    class Scale:
        def __init__(self):
            self.factor = 2.0

        def __call__(self, x):
            return x * self.factor

    scale = Scale()

    def change():
        scale.factor = 7.0

    yield from _twice(compile, scale, change)


@equal(replays=2)
def a_callable_object_in_a_closure_whose_attribute_changes(compile):
    class Scale:
        def __init__(self):
            self.factor = 2.0

        def __call__(self, x):
            return x * self.factor

    scale = Scale()

    def change():
        scale.factor = 7.0

    yield from _twice(compile, lambda x: scale(x), change)  # noqa: PLW0108 - it is looked up in each call


@equal(replays=2)
def a_method_whose_attribute_changes(compile):
    class Trainer:
        def __init__(self):
            self.factor = 2.0

        def step(self, x):
            return self.helped(x)

        def helped(self, x):
            return x * self.factor

    trainer = Trainer()

    def change():
        trainer.factor = 7.0

    yield from _twice(compile, trainer.step, change)


@equal(replays=2)
def a_partial_with_a_list_that_changes(compile):
    factors = [2.0]

    def change():
        factors[0] = 7.0

    yield from _twice(compile, functools.partial(lambda factors, x: x * factors[0], factors), change)


@equal(replays=2)
def a_default_that_changes(compile):
    def step(x, factors=[2.0]):  # noqa: B006
        return x * factors[0]

    def change():
        step.__defaults__[0][0] = 7.0

    yield from _twice(compile, step, change)


@equal(replays=2)
def a_keyword_default_that_changes(compile):
    def step(x, *, factors=[2.0]):  # noqa: B006
        return x * factors[0]

    def change():
        step.__kwdefaults__["factors"][0] = 7.0

    yield from _twice(compile, step, change)


@equal(replays=2)
def a_captured_tensor_that_is_replaced(compile):
    w = numbers(3)

    def change():
        nonlocal w
        w = numbers(3, seed=9)

    yield from _twice(compile, lambda x: x * w, change)


@equal(replays=2)
def a_captured_tensor_whose_data_is_replaced(compile):
    w = numbers(3)

    def change():
        w.data = numbers(3, seed=9).data

    yield from _twice(compile, lambda x: x * w, change)


@equal(replays=2)
def a_captured_tensor_that_is_written(compile):
    w = numbers(3)
    yield from _twice(compile, lambda x: x * w, lambda: w.copy_(numbers(3, seed=9)))


@equal(replays=2)
def a_captured_array_that_is_written(compile):
    w = numbers(3).data

    def change():
        w[...] = 7

    yield from _twice(compile, lambda x: x * gf.tensor(w), change)


@equal(replays=2)
def a_captured_array_that_is_converted_and_written(compile):
    w = numbers(3, dtype="float64").data

    def change():
        w[...] = 7

    yield from _twice(compile, lambda x: x * gf.tensor(w, dtype="float32"), change)


@equal(replays=2)
def captured_tensors_in_a_dict_that_are_replaced(compile):
    held = {"w": numbers(3), "b": [numbers(3, seed=1)]}

    def change():
        held["b"][0] = numbers(3, seed=9)

    yield from _twice(compile, lambda x: x * held["w"] + held["b"][0], change)


@equal(replays=2)
def a_flag_of_a_deep_structure_that_changes(compile):
    class Node:
        def __init__(self, depth):
            self.child = Node(depth - 1) if depth else None
            self.factor = 2.0

        def value(self):
            return self.child.value() if self.child is not None else self.factor

    root = Node(6)

    def change():
        node = root
        while node.child is not None:
            node = node.child
        node.factor = 7.0

    yield from _twice(compile, lambda x: x * root.value(), change)


@equal(replays=2)
def a_long_list_an_element_of_which_changes(compile):
    factors = [1.0] * 100

    def change():
        factors[50] = 7.0

    yield from _twice(compile, lambda x: x * sum(factors), change)


@equal(replays=2)
def a_setting_that_changes(compile):
    before = gf.get_default_dtype()
    try:
        yield from _twice(compile, lambda x: x * gf.ones(3), lambda: gf.set_default_dtype("float64"))
    finally:
        gf.set_default_dtype(before)


@equal(replays=2)
def no_grad_around_some_calls(compile):
    w = numbers(3, requires_grad=True)
    step = compile(lambda x: (x * w).sum())
    for i in range(12):
        with gf.no_grad() if i % 2 else gf.enable_grad():
            y = step(numbers(3, seed=i))
        yield y.detach(), y.requires_grad


@equal(replays=2)
def a_print_inside(compile):
    @compile
    def step(x):
        "nothing is read"
        return x * 2

    for i in range(4):
        yield step(numbers(3, seed=i))
