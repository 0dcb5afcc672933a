"""Python values that a step looks at and that change between its calls: numbers, containers, attributes, functions."""

from __future__ import annotations

from footguns import changed, equal

FACTOR = 2.0
TABLE = {"factor": 2.0}


class Options:
    """Something with a factor, that a method and a property read, too."""

    def __init__(self):
        self.factor = self._factor = 2.0

    @property
    def hidden(self):
        return self._factor

    def scaled(self, x):
        return x * self.factor


@equal(replays=2)
@changed
def a_closure_that_changes():
    factor = 2.0

    def change():
        nonlocal factor
        factor = 3.0

    return lambda x: x * factor, change


@equal(replays=2)
@changed
def a_global_that_changes():
    def change():
        global FACTOR  # noqa: PLW0603
        FACTOR = 5.0 - FACTOR

    return lambda x: x * FACTOR, change


@equal(replays=2)
@changed
def a_global_dict_that_changes():
    return lambda x: x * TABLE["factor"], lambda: TABLE.update(factor=5.0 - TABLE["factor"])


@equal(replays=2)
@changed
def a_list_that_changes():
    factors = [2.0, 1.0]
    return lambda x: x * sum(factors), lambda: factors.append(3.0)


@equal(replays=2)
@changed
def an_element_of_a_list_that_changes():
    factors = [2.0, 1.0]
    return lambda x: x * factors[0], lambda: factors.__setitem__(0, 7.0)


@equal(replays=2)
@changed
def a_nested_dict_that_changes():
    options = {"scale": {"factor": [2.0]}}
    return (lambda x: x * options["scale"]["factor"][0]), lambda: options["scale"]["factor"].__setitem__(0, 7.0)


@equal(replays=2)
@changed
def a_set_that_changes():
    names = {"a"}
    return lambda x: x * 2 if "a" in names else x * 3, lambda: names.symmetric_difference_update({"a", "b"})


@equal(replays=2)
@changed
def an_attribute_that_changes():
    class Options:
        factor = 1.0

        def __init__(self):
            self.factor = 2.0

    options = Options()
    return lambda x: x * options.factor, lambda: setattr(options, "factor", 7.0)


@equal(replays=2)
@changed
def an_attribute_of_an_attribute_that_changes():
    options = Options()
    options.inner = Options()
    return lambda x: x * options.inner.factor, lambda: setattr(options.inner, "factor", 7.0)


@equal(replays=2)
@changed
def an_attribute_in_slots_that_changes():
    class Options:
        __slots__ = ("factor",)

    options = Options()
    options.factor = 2.0
    return lambda x: x * options.factor, lambda: setattr(options, "factor", 7.0)


@equal(replays=2)
@changed
def a_class_attribute_that_changes():
    class Options:
        factor = 2.0

    return lambda x: x * Options.factor, lambda: setattr(Options, "factor", 7.0)


@equal(replays=2)
@changed
def a_class_attribute_seen_through_an_object_that_changes():
    class Options:
        factor = 2.0

    options = Options()
    return lambda x: x * options.factor, lambda: setattr(Options, "factor", 7.0)


@equal(replays=2)
@changed
def a_property_of_an_attribute_that_changes():
    options = Options()
    return lambda x: x * options.hidden, lambda: setattr(options, "_factor", 7.0)


@equal(replays=2)
@changed
def an_attribute_read_by_getattr_that_changes():
    options = Options()
    return lambda x: x * getattr(options, "factor"), lambda: setattr(options, "factor", 7.0)  # noqa: B009


@equal(replays=2)
@changed
def an_attribute_that_a_method_reads_changes():
    options = Options()
    # a lambda, since the method is looked up in each call
    return lambda x: options.scaled(x), lambda: setattr(options, "factor", 7.0)  # noqa: PLW0108
