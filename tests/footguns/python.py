"""Python values that a step looks at and that change between its calls: numbers, containers, attributes, functions."""

from __future__ import annotations

import functools

import gradflow as gf
from footguns import batches, equal, net, numbers
from gradflow.nn.functional import cross_entropy

FACTOR = 2.0
TABLE = {"factor": 2.0}


def _twice(compile, function, change, calls=4):
    step = compile(function)
    for _ in range(2):
        for i in range(calls):
            yield step(numbers(3, seed=i))
        change()


@equal(replays=2)
def a_closure_that_changes(compile):
    factor = 2.0

    def change():
        nonlocal factor
        factor = 3.0

    yield from _twice(compile, lambda x: x * factor, change)


@equal(replays=2)
def a_global_that_changes(compile):
    def change():
        global FACTOR  # noqa: PLW0603
        FACTOR = 5.0 - FACTOR

    yield from _twice(compile, lambda x: x * FACTOR, change)


@equal(replays=2)
def a_global_dict_that_changes(compile):
    def change():
        TABLE["factor"] = 5.0 - TABLE["factor"]

    yield from _twice(compile, lambda x: x * TABLE["factor"], change)


@equal(replays=2)
def a_list_that_changes(compile):
    factors = [2.0, 1.0]
    yield from _twice(compile, lambda x: x * sum(factors), lambda: factors.append(3.0))


@equal(replays=2)
def an_element_of_a_list_that_changes(compile):
    factors = [2.0, 1.0]

    def change():
        factors[0] = 7.0

    yield from _twice(compile, lambda x: x * factors[0], change)


@equal(replays=2)
def a_nested_dict_that_changes(compile):
    options = {"scale": {"factor": [2.0]}}

    def change():
        options["scale"]["factor"][0] = 7.0

    yield from _twice(compile, lambda x: x * options["scale"]["factor"][0], change)


@equal(replays=2)
def a_set_that_changes(compile):
    names = {"a"}

    def change():
        names.symmetric_difference_update({"a", "b"})

    yield from _twice(compile, lambda x: x * 2 if "a" in names else x * 3, change)


@equal(replays=2)
def an_attribute_that_changes(compile):
    class Options:
        factor = 1.0

        def __init__(self):
            self.factor = 2.0

    options = Options()

    def change():
        options.factor = 7.0

    yield from _twice(compile, lambda x: x * options.factor, change)


@equal(replays=2)
def an_attribute_of_an_attribute_that_changes(compile):
    class Options:
        pass

    options = Options()
    options.inner = Options()
    options.inner.factor = 2.0

    def change():
        options.inner.factor = 7.0

    yield from _twice(compile, lambda x: x * options.inner.factor, change)


@equal(replays=2)
def an_attribute_in_slots_that_changes(compile):
    class Options:
        __slots__ = ("factor",)

    options = Options()
    options.factor = 2.0

    def change():
        options.factor = 7.0

    yield from _twice(compile, lambda x: x * options.factor, change)


@equal(replays=2)
def a_class_attribute_that_changes(compile):
    class Options:
        factor = 2.0

    def change():
        Options.factor = 7.0

    yield from _twice(compile, lambda x: x * Options.factor, change)


@equal(replays=2)
def a_class_attribute_seen_through_an_object_that_changes(compile):
    class Options:
        factor = 2.0

    options = Options()

    def change():
        Options.factor = 7.0

    yield from _twice(compile, lambda x: x * options.factor, change)


@equal(replays=2)
def a_property_of_an_attribute_that_changes(compile):
    class Options:
        def __init__(self):
            self._factor = 2.0

        @property
        def factor(self):
            return self._factor

    options = Options()

    def change():
        options._factor = 7.0

    yield from _twice(compile, lambda x: x * options.factor, change)


@equal(replays=2)
def an_attribute_read_by_getattr_that_changes(compile):
    class Options:
        def __init__(self):
            self.factor = 2.0

    options = Options()

    def change():
        options.factor = 7.0

    yield from _twice(compile, lambda x: x * getattr(options, "factor"), change)  # noqa: B009


@equal(replays=2)
def an_attribute_that_a_method_reads_changes(compile):
    class Options:
        def __init__(self):
            self.factor = 2.0

        def scaled(self, x):
            return x * self.factor

    options = Options()

    def change():
        options.factor = 7.0

    yield from _twice(compile, lambda x: options.scaled(x), change)


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

    yield from _twice(compile, lambda x: function(x), change)


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

    yield from _twice(compile, lambda x: scale(x), change)


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


# ---- objects as arguments


@equal(replays=2)
def an_object_as_an_argument_whose_attribute_changes(compile):
    class Options:
        def __init__(self):
            self.factor = 2.0

    options = Options()
    step = compile(lambda x, options: x * options.factor)
    for i in range(8):
        options.factor = 2.0 if i < 4 else 7.0
        yield step(numbers(3, seed=i), options)


@equal(replays=2)
def another_object_as_an_argument(compile):
    class Options:
        def __init__(self, factor):
            self.factor = factor

    step = compile(lambda x, options: x * options.factor)
    options = None
    for i in range(12):
        options = Options(2.0 + i // 4) if i % 4 == 0 else options
        yield step(numbers(3, seed=i), options)


@equal(replays=4)
def a_model_and_an_optimizer_as_arguments(compile):
    model = gf.nn.Sequential(gf.nn.Linear(4, 5), gf.nn.Dropout(0.5), gf.nn.Linear(5, 3))
    optimizer = gf.optim.Adam(model.parameters(), lr=0.01)

    @compile
    def step(model, optimizer, x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for i, (x, y) in enumerate(batches(16)):
        model.train(i % 4 < 2)
        if i == 12:
            optimizer.param_groups[0]["betas"] = (0.5, 0.6)
        yield step(model, optimizer, x, y).detach(), model, optimizer


@equal(replays=4)
def two_models_in_turn_as_arguments(compile):
    models = net(4, 3), net(4, 3)

    @compile
    def step(model, x):
        with gf.no_grad():
            return model(x)

    for i, (x, _) in enumerate(batches(12)):
        yield step(models[i % 2], x)


@equal(replays=3)
def functions_as_arguments(compile):
    step = compile(lambda x, function: function(x) * 2)
    for i in range(12):
        yield step(numbers(3, seed=i), [gf.exp, gf.tanh][i % 2])


@equal(replays=2)
def numpy_scalars_with_signs(compile):
    import numpy as np

    step = compile(lambda x, k: gf.arctan2(x * float(k), gf.full((3,), -1.0)))
    for k in (0.0, 0.0, 0.0, -0.0, -0.0, -0.0):
        yield step(gf.ones(3), np.float32(k))
