"""Messages of gf.compile: what was attempted, what was given, what to do, and the user's line."""

from __future__ import annotations

import re

import numpy as np
import pytest

import gradflow as gf
from footguns import net, numbers
from gradflow.errors import CompileError, GradflowError, GradientError, IndexOutOfRange
from gradflow.nn.functional import cross_entropy


def line_of(function, text):
    """Where ``text`` is in ``function``, as messages say it."""
    first = function.__code__.co_firstlineno
    with open(__file__, encoding="utf-8") as file:
        lines = file.readlines()
    number = next(n for n, line in enumerate(lines[first - 1 :], first) if text in line)
    return f'File "{__file__}", line {number}'


def message_of(function, *args, calls=2, **options):
    """What a compiled function says when it refuses, at the latest in its call number ``calls``."""
    compiled = gf.compile(function, **options)
    with pytest.raises(CompileError) as caught:
        for _ in range(calls):
            compiled(*args)
    return str(caught.value)


@pytest.mark.parametrize(
    ("attempt", "read"),
    [
        ("item", lambda x: x.sum().item()),
        ("item", lambda x: bool(x.sum() > 0)),
        ("tolist", lambda x: x.tolist()),
        ("numpy", lambda x: x.numpy()),
        ("repr", repr),
        ("a mask as an index", lambda x: x[x > 0]),
    ],
)
def test_a_read_says_what_reads_where_and_what_to_do(attempt, read):
    def step(x):
        read(x)  # here
        return x * 2

    message = message_of(step, gf.ones(3))
    assert message.startswith(f"gf.compile: {attempt} reads a tensor's elements inside the compiled step, at ")
    assert "Return the tensor and read it outside, choose with gf.where, or compile with fallback=True" in message
    assert __file__ in message


def test_a_read_in_the_step_itself_is_shown_with_its_line():
    def step(x):
        if x.sum() > 0:  # here
            return x
        return x * 2

    assert line_of(step, "# here") in message_of(step, gf.ones(3))


def test_a_tensor_that_outlives_the_step_is_shown_with_the_line_that_made_it():
    class Holder:
        def keep(self, x):
            setattr(self, "any" + "thing", x)

    holder = Holder()

    def step(x):
        holder.keep(x * 3)  # here
        return x * 2

    message = message_of(step, gf.ones(3))
    assert "a tensor of shape (3,), made by multiply at" in message
    assert line_of(step, "# here") in message
    assert "is still held when the compiled step has returned" in message
    assert "Return it, or keep a buffer and write to it in place with buffer.copy_(x)" in message


def test_a_value_of_pythons_that_the_step_changed_is_named():
    count = {"steps": 0}

    def step(x):
        count["steps"] += 1
        return x

    message = message_of(step, gf.ones(3))
    assert "the step changed count['steps'] from 0 to 1, which a replay would not do" in message
    assert "keep it in a tensor that is written in place, or change it outside the step" in message


def test_memory_that_the_step_replaced_is_named():
    w = gf.ones(3)

    def step(x):
        w.data = (x * 2).data

    assert "the step changed the memory (.data) of a tensor of shape (3,)" in message_of(step, gf.ones(3))


def test_what_differs_between_two_runs_is_shown_with_its_line():
    rng = np.random.default_rng(0)

    def step(x):
        y = x * 2
        return y * float(rng.random())  # here

    message = message_of(step, gf.ones(3))
    assert "run twice, the step did not do the same: multiply at" in message
    assert line_of(step, "# here") in message
    assert "(a counter, a clock, NumPy's random numbers); make it an argument, or a tensor" in message


def test_another_operation_the_second_time_is_shown_beside_that_of_the_first():
    turns = iter([gf.exp, gf.tanh])

    def step(x):
        return next(turns)(x)

    message = message_of(step, gf.ones(3))
    assert re.search(r"the same: exp at File .*, the next time tanh at File .* differs", message)


def test_an_argument_that_cannot_be_told_from_another_is_named():
    message = message_of(lambda x, bag: x, gf.ones(3), {1, 2})
    assert "an argument is a set, which is neither a tensor or an array" in message
    assert "pass its tensors, or close over it" in message


def test_an_argument_that_shares_memory_with_what_is_written_is_named():
    buffer = gf.ones(6)

    def step(x):
        buffer.add_(1)
        return x * 2

    message = message_of(step, buffer[1:3])
    assert "argument 0, a tensor of shape (2,), shares memory with something that the step writes" in message
    assert "pass a copy, or close over it instead of passing it" in message


def test_a_gradient_that_is_added_to_is_explained():
    w = gf.ones(3, requires_grad=True)

    def step(x):
        (w * x).sum().backward()

    message = message_of(step, gf.ones(3))
    assert "the step reads the gradient that a leaf of shape (3,) had before" in message
    assert "set it to None first, or, to add up gradients, give the leaf to an optimizer" in message


def test_a_sweep_that_goes_on_outside_is_shown_with_the_line_of_the_computation():
    def step(x):
        x.sum().backward()

    compiled = gf.compile(step)
    w = gf.ones(3, requires_grad=True)
    with pytest.raises(CompileError, match="went on into what was computed before it, by multiply at") as caught:
        compiled(w * 2)
    assert "Pass x.detach(), or return the result and call backward outside" in str(caught.value)
    assert __file__ in str(caught.value)


def test_a_leaf_made_inside_is_refused():
    message = message_of(lambda x: (x * 2).requires_grad_(), gf.ones(3))
    assert "returns a leaf of shape (3,) that it has made and that requires grad" in message
    assert "return it detached, and call requires_grad_() on it outside" in message


def test_derivatives_of_a_compiled_gradient_are_refused():
    w = gf.ones(3, requires_grad=True)
    compiled = gf.compile(lambda x: (w * w * x).sum())
    for _ in range(2):
        compiled(gf.ones(3))
    with pytest.raises(GradientError, match="compile the function that takes both derivatives instead"):
        compiled(gf.ones(3)).backward(create_graph=True)


def test_a_second_sweep_of_a_result_is_refused():
    w = gf.ones(3, requires_grad=True)
    compiled = gf.compile(lambda x: (w * w * x).sum())
    for _ in range(2):
        compiled(gf.ones(3))
    y = compiled(gf.ones(3))
    y.backward()
    with pytest.raises(GradientError, match="was swept before") as caught:
        y.backward()
    assert __file__ in str(caught.value)


def test_a_label_out_of_range_in_a_replay_is_the_error_of_the_op():
    model = net(4, 3)
    compiled = gf.compile(lambda x, y: cross_entropy(model(x), y))
    x, wrong = numbers(2, 4), gf.tensor([0, 5])
    for _ in range(3):
        compiled(x, gf.tensor([0, 1]))
    with pytest.raises(IndexOutOfRange) as eager:
        cross_entropy(model(x), wrong)
    with pytest.raises(IndexOutOfRange) as replayed:
        compiled(x, wrong)
    assert str(replayed.value) == str(eager.value)


def test_an_error_of_the_step_itself_is_as_it_is_without():
    compiled = gf.compile(lambda x: x @ gf.ones((3, 3)))
    with pytest.raises(GradflowError) as eager:
        gf.ones((2, 2)) @ gf.ones((3, 3))
    with pytest.raises(GradflowError, match=re.escape(str(eager.value))):
        compiled(gf.ones((2, 2)))


def test_without_llvmlite_the_plan_says_why_it_is_not_fused(monkeypatch):
    from gradflow.backend import native

    monkeypatch.setattr(native, "available", lambda: False)
    monkeypatch.setattr(native, "failure", lambda: "llvmlite is not installed")
    compiled = gf.compile(lambda x: x * 2)
    for _ in range(3):
        compiled(gf.ones(3))
    assert "call by call, since llvmlite is not installed" in str(compiled.plan)
