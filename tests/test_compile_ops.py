"""Every op with every sample, compiled: forward, backward and in place, a replay is what the op does."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradflow as gf
from gradflow.compiler.works import Reference
from gradflow.op import Spec
from gradflow.samples import Real, Sample
from gradflow.tape import gradients
from gradflow.tensor import Tensor
from gradflow.testing.cases import call, cases, operands, tolerance

CASES = [pytest.param(op, sample, id=f"{op.name}-{sample}") for op, sample in cases()]
PURE = [case for case in CASES if not case.values[0].mutates]
WRITING = [case for case in CASES if case.values[0].mutates]
SEEDS = (0, 1, 2, 3)  # two calls are traced, the others are replays
TRACED = 2


SPECIAL = (math.nan, math.inf, -math.inf, 0.0, -0.0)
LARGER = {2: 9, 3: 37, 4: 41, 5: 43, 6: 47, 7: 131}  # sizes of samples, and sizes that need more than one vector


def larger(sample):
    """The sample with arrays of many elements; None if it has others than floats, whose sizes mean something."""
    if not all((isinstance(x, Real) and not x.distinct) or not hasattr(x, "draw") for x in sample.inputs):
        return None

    def enlarged(shape):
        return tuple(LARGER.get(size, size) for size in shape)

    inputs = tuple(x._replace(shape=enlarged(x.shape)) if isinstance(x, Real) else x for x in sample.inputs)
    attrs = {name: enlarged(value) if name == "shape" else value for name, value in sample.attrs.items()}
    return Sample(inputs, attrs)


def has_formula(op, sample):
    inputs = operands(sample)
    specs = [x.spec if isinstance(x, Tensor) else Spec((), type(x)) for x in inputs]
    return op.scalar_for(specs, sample.attrs) is not None


LARGE = [
    pytest.param(op, each, id=f"{op.name}-{each}")
    for op, sample in cases()
    if op.scalar is not None and not op.mutates and (each := larger(sample)) is not None and has_formula(op, each)
]


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


WAYS = [  # exact plans do call by call what eager code does, in whatever dtype
    pytest.param("float32", False, assert_close, id="float32-fused"),
    pytest.param("float64", False, assert_close, id="float64-fused"),
    pytest.param("float32", True, assert_identical, id="float32-exact"),
]


@pytest.mark.parametrize(("dtype", "exact", "compare"), WAYS)
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


@pytest.mark.parametrize(("dtype", "exact", "compare"), WAYS)
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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("op", "sample"), LARGE)
def test_a_loop_over_many_elements_treats_nan_infinities_and_zeros_as_the_op_does(op, sample, dtype):
    pytest.importorskip("llvmlite")
    compiled = gf.compile(lambda *inputs: call(op, inputs, sample))
    rng = np.random.default_rng(0)
    for round_, often in enumerate((0.0, 0.0, 0.0, 0.3, 0.3, 0.003, 0.003)):
        inputs = operands(sample, dtype, seed=round_)
        for x in inputs:
            if isinstance(x, Tensor):
                chosen = rng.random(x.shape) < often
                x.data[chosen] = rng.choice(SPECIAL, int(np.sum(chosen)))
        with np.errstate(all="ignore"):
            found, expected = compiled(*inputs), call(op, inputs, sample)
        assert_close(found.numpy(), expected.numpy())
    works = compiled.plan.works
    assert all(isinstance(work.does, Reference) == (not expected.size) for work in works), "it was a loop"
