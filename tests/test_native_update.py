"""Steps of optimizers in native programs, against the ops' reference."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

import gradflow as gf
from gradflow.backend import native
from gradflow.backend.cpu import LARGE
from gradflow.backend.native import engine, steps
from gradflow.backend.native.updates import update_loops, updates
from gradflow.dispatch import apply
from gradflow.dtypes import tolerance
from gradflow.launch import Scratch
from gradflow.op import OPS
from gradflow.testing.cases import cases
from native import address_of

pytest.importorskip("llvmlite")

CASES = [
    pytest.param(op, sample, id=f"{op.name}-{i}")
    for i, (op, sample) in enumerate(cases())
    if len(op.mutates) > 1 and op.period is None and op.name.endswith("_update")
]
ADAM = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0, "decoupled": False, "maximize": False}


def drawn(sample, dtype, size):
    """The inputs of ``sample``, those with dimensions repeated to ``size`` elements."""
    return [x if x is None or not x.ndim else np.resize(x, size) for x in sample.draw(np.dtype(dtype))]


def loops_of(op, arrays, attrs):
    return update_loops(op, arrays, attrs, lambda dtype: Scratch(dtype.itemsize))


def copies(arrays):
    return [x if x is None else x.copy() for x in arrays]


def test_every_optimizer_is_here():
    names = {case.values[0].name.removesuffix("_update") for case in CASES}
    assert names == {"adadelta", "adagrad", "adam", "adamax", "lion", "nadam", "radam", "rmsprop", "sgd"}


@pytest.mark.parametrize("size", [1, 7, 1000, LARGE + 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("op", "sample"), CASES)
def test_a_program_does_what_the_reference_does(op, sample, dtype, size):
    ours = drawn(sample, dtype, size)
    expected = copies(ours)
    assert updates(op, ours)
    program = native.Program(loops_of(op, ours, sample.attrs), address_of)
    for _ in range(3):
        program.run()
        op.forward(np, *expected, **sample.attrs)
    close = tolerance(np.dtype(dtype))
    for x, reference in zip(ours, expected, strict=True):
        if x is not None:
            np.testing.assert_allclose(x, reference, rtol=close, atol=close)


@pytest.mark.parametrize(("op", "sample"), [case for case in CASES if case.values[1].inputs[-1] is not None])
def test_a_skipped_step_changes_nothing(op, sample):
    arrays = drawn(sample, "float32", 1000)
    arrays[-1][...] = 1
    before = copies(arrays)
    native.Program(loops_of(op, arrays, sample.attrs), address_of).run()
    for x, old in zip(arrays, before, strict=True):
        if x is not None:
            np.testing.assert_array_equal(x, old)


def adam(size, dtype="float32", seed=0):
    rng = np.random.default_rng(seed)
    p, g, m, v = (rng.random(size).astype(dtype) for _ in range(4))
    return [p, g, m, v, None, np.array(3.0), np.array(1e-3), None]


def test_a_large_update_is_a_native_program_and_a_small_one_is_not(monkeypatch):
    ran = []

    def run(program):
        ran.append(program)

    monkeypatch.setattr(native.Program, "run_alone", run)
    apply(OPS["adam_update"], *adam(LARGE - 1), **ADAM)
    assert not ran
    apply(OPS["adam_update"], *adam(LARGE), **ADAM)
    assert len(ran) == 1


def test_one_program_serves_arrays_that_lie_elsewhere():
    steps._programs.known.clear()
    for seed in range(3):
        ours = adam(LARGE, seed=seed)
        expected = copies(ours)
        apply(OPS["adam_update"], *ours, **ADAM)
        OPS["adam_update"].forward(np, *expected, **ADAM)
        np.testing.assert_allclose(ours[0], expected[0], rtol=4e-6, atol=4e-6)
    assert len(steps._programs.known) == 1


def test_programs_kept_for_updates_are_few_and_keep_no_array():
    steps._programs.known.clear()
    arrays = adam(LARGE)
    watched = weakref.ref(arrays[0])
    apply(OPS["adam_update"], *arrays, **ADAM)
    del arrays
    gc.collect()
    assert watched() is None
    for eps in range(steps.KEPT + 5):
        apply(OPS["adam_update"], *adam(LARGE), **{**ADAM, "eps": 1e-8 * (eps + 1)})
    assert len(steps._programs.known) == steps.KEPT


@pytest.mark.parametrize("change", [lambda x: np.repeat(x, 2)[::2], lambda x: x.astype(np.float16)])
def test_arrays_no_program_suits_are_updated_by_the_reference(change):
    arrays = [x if x is None or not x.ndim else change(x) for x in adam(LARGE)]
    expected = copies(arrays)
    apply(OPS["adam_update"], *arrays, **ADAM)
    OPS["adam_update"].forward(np, *expected, **ADAM)
    np.testing.assert_array_equal(arrays[0], expected[0])


def test_updates_in_two_threads_do_not_mix():
    def work(seed):
        ours = adam(LARGE, seed=seed)
        expected = copies(ours)
        for _ in range(20):
            apply(OPS["adam_update"], *ours, **ADAM)
            OPS["adam_update"].forward(np, *expected, **ADAM)
        results[seed] = np.allclose(ours[0], expected[0], rtol=1e-5)

    results = {}
    running = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    assert results == {0: True, 1: True, 2: True}


def test_an_llvm_that_fails_leaves_the_update_to_the_reference(monkeypatch):
    def fails(*given):
        raise RuntimeError("LLVM has no instructions for this")

    monkeypatch.setattr(engine, "code", fails)
    monkeypatch.setattr(steps._programs, "known", {})
    ours = adam(LARGE)
    expected = copies(ours)
    apply(OPS["adam_update"], *ours, **ADAM)
    OPS["adam_update"].forward(np, *expected, **ADAM)
    np.testing.assert_array_equal(ours[0], expected[0])


def test_a_parameter_of_several_dimensions_is_updated_too():
    optimizer_of = lambda p: gf.optim.Adam([p], lr=0.1)  # noqa: E731
    p = gf.tensor(np.ones((512, 256), np.float32), requires_grad=True)
    optimizer = optimizer_of(p)
    (p * p).sum().backward()
    optimizer.step()
    np.testing.assert_allclose(p.detach().numpy(), 0.9, rtol=1e-5)
