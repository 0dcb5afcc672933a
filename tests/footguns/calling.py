"""Functions that a step calls, their closures and defaults, and tensors and arrays that it holds."""

from __future__ import annotations

import functools

import gradflow as gf
from footguns import called, changed, equal, numbers


class Scale:
    """Something that can be called, with a method that calls another."""

    def __init__(self):
        self.factor = 2.0

    def __call__(self, x):
        return x * self.factor

    def step(self, x):
        return self.scaled(x)

    def scaled(self, x):
        return x * self.factor


@equal(replays=2)
@changed
def a_function_called_by_the_step_with_a_closure_that_changes():
    factor = 2.0

    def change():
        nonlocal factor
        factor = 7.0

    def inner(x):
        return x * factor

    return lambda x: inner(x) + 1, change


@equal(replays=2)
@changed
def a_function_that_is_replaced():
    function = gf.exp

    def change():
        nonlocal function
        function = gf.tanh

    return lambda x: function(x), change  # noqa: PLW0108 - it is looked up in each call


@equal(replays=2)
@changed
def a_callable_object_whose_attribute_changes():
    scale = Scale()
    return scale, lambda: setattr(scale, "factor", 7.0)


@equal(replays=2)
@changed
def a_callable_object_in_a_closure_whose_attribute_changes():
    scale = Scale()
    return lambda x: scale(x), lambda: setattr(scale, "factor", 7.0)  # noqa: PLW0108 - it is looked up in each call


@equal(replays=2)
@changed
def a_method_whose_attribute_changes():
    scale = Scale()
    return scale.step, lambda: setattr(scale, "factor", 7.0)


@equal(replays=2)
@changed
def a_partial_with_a_list_that_changes():
    factors = [2.0]
    return functools.partial(lambda factors, x: x * factors[0], factors), lambda: factors.__setitem__(0, 7.0)


@equal(replays=2)
@changed
def a_default_that_changes():
    def step(x, factors=[2.0]):  # noqa: B006
        return x * factors[0]

    return step, lambda: step.__defaults__[0].__setitem__(0, 7.0)


@equal(replays=2)
@changed
def a_keyword_default_that_changes():
    def step(x, *, factors=[2.0]):  # noqa: B006
        return x * factors[0]

    return step, lambda: step.__kwdefaults__["factors"].__setitem__(0, 7.0)


@equal(replays=2)
@changed
def a_captured_tensor_that_is_replaced():
    w = numbers(3)

    def change():
        nonlocal w
        w = numbers(3, seed=9)

    return lambda x: x * w, change


@equal(replays=2)
@changed
def a_captured_tensor_whose_data_is_replaced():
    w = numbers(3)
    return lambda x: x * w, lambda: setattr(w, "data", numbers(3, seed=9).data)


@equal(replays=2)
@changed
def a_captured_tensor_that_is_written():
    w = numbers(3)
    return lambda x: x * w, lambda: w.copy_(numbers(3, seed=9))


@equal(replays=2)
@changed
def a_captured_array_that_is_written():
    w = numbers(3).data
    return lambda x: x * gf.tensor(w), lambda: w.fill(7)


@equal(replays=2)
@changed
def a_captured_array_that_is_converted_and_written():
    w = numbers(3, dtype="float64").data
    return lambda x: x * gf.tensor(w, dtype="float32"), lambda: w.fill(7)


@equal(replays=2)
@changed
def captured_tensors_in_a_dict_that_are_replaced():
    held = {"w": numbers(3), "b": [numbers(3, seed=1)]}
    return lambda x: x * held["w"] + held["b"][0], lambda: held["b"].__setitem__(0, numbers(3, seed=9))


@equal(replays=2)
@changed
def a_flag_of_a_deep_structure_that_changes():
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

    return lambda x: x * root.value(), change


@equal(replays=2)
@changed
def a_long_list_an_element_of_which_changes():
    factors = [1.0] * 100
    return lambda x: x * sum(factors), lambda: factors.__setitem__(50, 7.0)


def _keeping_the_default_dtype(run):
    @functools.wraps(run)
    def restoring(compile):
        before = gf.get_default_dtype()
        try:
            yield from run(compile)
        finally:
            gf.set_default_dtype(before)

    return restoring


@equal(replays=2)
@_keeping_the_default_dtype
@changed
def a_setting_that_changes():
    return lambda x: x * gf.ones(3), lambda: gf.set_default_dtype("float64")


@equal(replays=2)
def no_grad_around_some_calls(compile):
    w = numbers(3, requires_grad=True)
    step = compile(lambda x: (x * w).sum())
    for i in range(12):
        with gf.no_grad() if i % 2 else gf.enable_grad():
            y = step(numbers(3, seed=i))
        yield y.detach(), y.requires_grad


@equal(replays=2)
@called(4, (3,))
def a_print_inside():
    def step(x):
        "nothing is read"
        return x * 2

    return step


def scaled_by_options(model, x):
    return x * model.options.factor


class Options:
    """Nothing but an attribute, which no method of its own mentions."""

    def __init__(self):
        self.factor = 2.0


class WithOptions(gf.nn.Module):
    """A module whose ``forward`` leaves the work to a function that it gives itself to."""

    def forward(self, x):
        return scaled_by_options(self, x)


@equal(replays=2)
@changed
def an_attribute_that_a_function_reads_which_a_module_gives_itself_to():
    model = WithOptions()
    model.options = Options()
    return model, lambda: setattr(model.options, "factor", 7.0)


@equal(replays=2)
@changed
def an_attribute_that_a_function_in_a_closure_reads_of_an_object_it_is_given():
    options = Options()

    def inner(given, x):
        return x * given.factor

    def outer(given, x):
        return inner(given, x) + 1

    return lambda x: outer(options, x), lambda: setattr(options, "factor", 7.0)


FACTOR = {"factor": 2.0}


class Global:
    """An object whose methods read a global variable."""

    def scaled(self, x):
        return x * FACTOR["factor"]

    @property
    def factor(self):
        return FACTOR["factor"]


class Base(gf.nn.Module):
    """A module whose methods but ``forward`` read it."""

    def forward(self, x):
        return Global.scaled(self, x)

    def scaled(self, x):
        return x * FACTOR["factor"]


class ByMethod(Base):
    def forward(self, x):
        return self.scaled(x) + 1


class ByObject(Base):
    def forward(self, x):
        return self.held.scaled(x) + 1


class ByProperty(Base):
    def forward(self, x):
        return x * self.held.factor + 1


class BySuper(Base):
    def forward(self, x):
        return super().forward(x) + 1


def reading(kind):
    """A module that reads the global variable, and what changes it."""
    FACTOR["factor"] = 2.0
    model = kind()
    model.held = Global()
    return model, lambda: FACTOR.update(factor=7.0)


@equal(replays=2)
@changed
def a_global_variable_that_a_method_of_a_module_reads():
    return reading(ByMethod)


@equal(replays=2)
@changed
def a_global_variable_that_a_method_of_an_object_of_a_module_reads():
    return reading(ByObject)


@equal(replays=2)
@changed
def a_global_variable_that_a_property_reads():
    return reading(ByProperty)


@equal(replays=2)
@changed
def a_global_variable_that_a_method_of_the_class_above_reads():
    return reading(BySuper)


@equal(replays=2)
@called(4, (3, 3))
def rows_to_which_one_row_is_added():
    return lambda x: x.at[[0, 2, 2]].add(x[1])
