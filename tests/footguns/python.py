"""Python values that a step looks at and that change between its calls: numbers, containers, attributes, functions."""

from __future__ import annotations

from footguns import equal, numbers

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

    yield from _twice(compile, lambda x: options.scaled(x), change)  # noqa: PLW0108 - it is looked up in each call
