"""Every op with every sample, compiled: forward, backward and in place, a replay is what the op does."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.tape import gradients
from gradflow.tensor import Tensor
from gradflow.testing.cases import call, cases, operands, tolerance

CASES = [pytest.param(op, sample, id=f"{op.name}-{sample}") for op, sample in cases()]
PURE = [case for case in CASES if not case.values[0].mutates]
WRITING = [case for case in CASES if case.values[0].mutates]
SEEDS = (0, 1, 2, 3)  # two calls are traced, the others are replays
TRACED = 2


def step_of(op, sample):
    """The op as a step: what it returns, and the gradients of all its inputs that have one."""

    def step(inputs, seed):
        out = call(op, inputs, sample)
        wrt = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
        found = gradients(out, wrt, seed) if out.requires_grad else []
        return out.detach(), found

    return step


def seed_of(op, sample, inputs):
    with np.errstate(all="ignore"):
        out = call(op, inputs, sample)
    return (
        gf.tensor(np.random.default_rng(9).standard_normal(out.shape).astype(out.dtype)) if out.requires_grad else None
    )


def arrays_of(result):
    out, found = result
    return [out.numpy(), *(None if g is None else g.numpy() for g in found)]


def assert_close(found, expected):
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    size = float(np.max(np.abs(expected[np.isfinite(expected)], dtype="float64"), initial=1.0))
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance(expected.dtype, size))


def assert_identical(found, expected):
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    if expected.dtype.kind == "f":
        zero = expected == 0
        np.testing.assert_array_equal(np.signbit(found[zero]), np.signbit(expected[zero]))


EXACTLY = [pytest.param(False, assert_close, id="fused"), pytest.param(True, assert_identical, id="exact")]


@pytest.mark.parametrize(("exact", "compare"), EXACTLY)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("op", "sample"), PURE)
def test_a_replay_returns_what_the_op_and_its_gradient_do(op, sample, dtype, exact, compare):
    step = step_of(op, sample)
    compiled = gf.compile(step, exact=exact)
    for seed in SEEDS:
        inputs = operands(sample, dtype, requires_grad=op.differentiable, seed=seed)
        g = seed_of(op, sample, inputs)
        with np.errstate(all="ignore"):
            found, expected = arrays_of(compiled(inputs, g)), arrays_of(step(inputs, g))
        for ours, theirs in zip(found, expected, strict=True):
            assert (ours is None) == (theirs is None)
            if theirs is not None:
                compare(ours, theirs)
    assert len(compiled.reasons) == TRACED, compiled.explain()


@pytest.mark.parametrize(("exact", "compare"), EXACTLY)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("op", "sample"), WRITING)
def test_a_replay_writes_what_the_op_writes(op, sample, dtype, exact, compare):
    def step(inputs):
        call(op, inputs, sample)

    compiled = gf.compile(step, exact=exact)
    for seed in SEEDS:
        ours, theirs = operands(sample, dtype, seed=seed), operands(sample, dtype, seed=seed)
        with np.errstate(all="ignore"):
            compiled(ours)
            step(theirs)
        for x, y in zip(ours, theirs, strict=True):
            if isinstance(y, Tensor):
                compare(x.numpy(), y.numpy())
    assert len(compiled.reasons) == TRACED, compiled.explain()
