"""The one door: what passes it, what it tells an observer, and what declarations it refuses."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import gradflow as gf
from gradflow import dispatch
from gradflow.dispatch import Observer, apply, observed_by
from gradflow.errors import GradientError
from gradflow.op import OPS, Op, Spec, like_first


class Log(Observer):
    def __init__(self):
        self.calls = []

    def saw(self, op, inputs, attrs, out):
        self.calls.append((op.name, inputs, attrs, out))

    @property
    def names(self):
        return [name for name, *_ in self.calls]


@pytest.fixture
def declared():
    """Declares ops for one test and forgets them after it."""
    names = []

    def declare(**fields):
        names.append(fields["name"])
        return Op(**fields)

    yield declare
    for name in names:
        OPS.pop(name, None)


def test_forward_backward_and_update_pass_the_same_door():
    w = gf.tensor([1.0, 2.0], requires_grad=True)
    optimizer = gf.optim.SGD([w], lr=0.1)
    log = Log()
    with observed_by(log):
        (w.sigmoid() * 2).sum().backward()
        optimizer.step()
    assert log.names[:3] == ["sigmoid", "multiply", "sum"]
    assert "sigmoid_grad" in log.names
    assert log.names[-1] == "sgd_update"


def test_an_observer_is_told_inputs_attributes_and_result():
    x = gf.tensor([[1.0, 2.0]])
    log = Log()
    with observed_by(log):
        out = x.sum(axis=1)
    ((name, inputs, attrs, seen),) = log.calls
    assert (name, attrs) == ("sum", {"axes": (1,), "keepdims": False})
    assert inputs[0] is x
    assert seen is out


def test_observing_ends_with_its_block_and_concerns_its_own_thread():
    log, x = Log(), gf.tensor(1.0)
    with observed_by(log):
        thread = threading.Thread(target=lambda: x + 1)
        thread.start()
        thread.join()
    x + 2
    assert log.names == []


def test_a_buffer_of_another_shape_or_dtype_is_not_written():
    x, buffer = gf.tensor([1.0, 2.0]), gf.tensor(np.full(3, 9.0, np.float32))
    assert apply(gf.ops.arithmetic._add, x, x, into=buffer).tolist() == [2.0, 4.0]
    assert buffer.tolist() == [9.0] * 3


def test_specs_are_asked_once_for_each_kind_of_call(declared):
    asked = []

    def spec(x, *, times):
        asked.append((x.shape, x.dtype, times))
        return Spec(x.shape, x.dtype)

    op = declared(name="asked", forward=lambda xp, x, *, times, out=None: xp.multiply(x, times, out=out), spec=spec)
    for array in (np.ones(2), np.zeros(2), np.ones(3), np.ones(2, np.float32)):
        for times in (1, 2):
            apply(op, array, times=times)
    assert len(asked) == len(set(asked)) == 6


def test_the_cache_of_specs_does_not_grow_without_bound():
    for size in range(dispatch.CACHED_SPECS + 10):
        gf.tensor(np.empty(size, np.int8)) + 1
    assert len(gf.ops.arithmetic._add.specs) <= dispatch.CACHED_SPECS


def test_writing_in_place_from_something_tracked_is_refused():
    buffer, w = gf.zeros(2), gf.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GradientError, match="copy_: writes in place"):
        buffer.copy_(w * 2)
    assert buffer.tolist() == [0.0, 0.0]


def test_a_formula_that_names_what_its_op_has_not_is_refused_when_declared(declared):
    with pytest.raises(TypeError, match="bad: a gradient formula names 'y'"):
        declared(
            name="bad",
            forward=lambda xp, x, *, out=None: xp.add(x, 0, out=out),
            spec=like_first,
            vjp=(lambda g, y: g * y,),
        )


def test_two_ops_cannot_have_one_name():
    with pytest.raises(TypeError, match="'add' is declared twice"):
        Op(name="add", forward=lambda xp, x, *, out=None: x, spec=like_first)
    assert OPS["add"] is gf.ops.arithmetic._add
