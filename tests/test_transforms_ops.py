"""Every op with every sample: its tangent, and what vmap makes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import GradflowError
from gradflow.op import OPS, Spec
from gradflow.tensor import Tensor
from gradflow.testing.cases import call, cases, operands
from gradflow.transforms.batching import RULES, rule_for
from gradflow.transforms.level import NoRule
from gradflow.transforms.tree import leaves

CASES = [pytest.param(op, sample, id=f"{op.name}-{sample}") for op, sample in cases()]
PURE = [case for case in CASES if not case.values[0].mutates]
DIFFERENTIABLE = [case for case in CASES if case.values[0].differentiable]
STEP = 1e-6


def moving(op: Any, inputs: list[Any]) -> list[list[int]]:
    """All positions that have a gradient, and each of them alone."""
    found = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.dtype.kind in "fc" and op.formula(i)]
    return [found, *([i] for i in found if len(found) > 1)]


def at(op, sample, inputs, positions):
    def f(*values):
        given = list(inputs)
        for i, value in zip(positions, values, strict=True):
            given[i] = value
        return call(op, given, sample)

    return f


def direction(rng, x):
    drawn = rng.standard_normal(x.shape)
    return gf.tensor((drawn + 1j * rng.standard_normal(x.shape) if x.dtype.kind == "c" else drawn).astype(x.dtype))


@pytest.mark.parametrize(("op", "sample"), DIFFERENTIABLE)
def test_a_tangent_is_a_finite_difference_and_what_the_pullback_transposes(op, sample):
    rng = np.random.default_rng(1)
    inputs = operands(sample)
    for positions in moving(op, inputs):
        f, xs = at(op, sample, inputs, positions), [inputs[i] for i in positions]
        ts = [direction(rng, x) for x in xs]
        out, t = gf.jvp(f, xs, ts)
        assert out.spec == t.spec == f(*xs).spec
        ahead, behind = (f(*(x + step * v for x, v in zip(xs, ts, strict=True))).numpy() for step in (STEP, -STEP))
        scale = max(1.0, float(np.max(np.abs(ahead), initial=0)), float(np.max(np.abs(t.numpy()), initial=0)))
        np.testing.assert_allclose(t.numpy(), (ahead - behind) / (2 * STEP), rtol=0, atol=4e-7 * scale)
        _, pullback = gf.vjp(f, *xs)
        g = direction(rng, out)
        pushed = np.real(np.vdot(g.numpy(), t.numpy()))
        pulled = sum(np.real(np.vdot(p.numpy(), v.numpy())) for p, v in zip(pullback(g), ts, strict=True))
        assert pushed == pytest.approx(pulled, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("op", "sample"), DIFFERENTIABLE)
def test_a_tangent_in_float32_has_the_dtype_of_the_result(op, sample):
    inputs = operands(sample, "float32")
    positions, *_ = moving(op, inputs)
    f, xs = at(op, sample, inputs, positions), [inputs[i] for i in positions]
    out, t = gf.jvp(f, xs, [gf.ones_like(x) for x in xs])
    assert out.spec == t.spec


@pytest.mark.parametrize(("op", "sample"), PURE)
def test_vmap_is_a_loop(op, sample):
    draws = [operands(sample, seed=seed) for seed in range(3)]
    tensors = [i for i, x in enumerate(draws[0]) if isinstance(x, Tensor)]
    for mapped in [tensors, *([i] for i in tensors if len(tensors) > 1)]:
        given = [gf.stack([draw[i] for draw in draws]) if i in mapped else x for i, x in enumerate(draws[0])]
        axes = tuple(0 if i in mapped else None for i in range(len(given)))
        each = [[draw[i] if i in mapped else x for i, x in enumerate(draws[0])] for draw in draws]
        with np.errstate(all="ignore"):
            found = gf.vmap(lambda *xs: call(op, xs, sample), in_axes=axes)(*given)
            expected = np.stack([call(op, inputs, sample).numpy() for inputs in each])
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        size = float(np.max(np.abs(expected[np.isfinite(expected)]), initial=1.0))
        np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-11 * size)


def test_rules_are_those_of_ops_that_there_are():
    assert set(RULES) <= set(OPS)


@pytest.mark.parametrize("dtype", ["bool", "int64", "float16", "complex64"])
def test_there_is_a_rule_for_every_dtype_that_an_op_takes(dtype):
    called = set()
    for op, sample in (case.values for case in PURE):
        inputs = [x.astype(dtype) if isinstance(x, Tensor) and x.dtype.kind == "f" else x for x in operands(sample)]
        try:
            with np.errstate(all="ignore"):
                out = call(op, inputs, sample)
        except (GradflowError, TypeError):  # of parts of attention, which are never given these
            continue
        specs = [x.spec if isinstance(x, Tensor) else Spec((), type(x)) for x in inputs]
        assert rule_for(op, specs, sample.attrs, out.spec) is not None, (op.name, sample)
        called.add(op.name)
    assert len(called) > 50


@pytest.mark.parametrize(("op", "sample"), DIFFERENTIABLE)
def test_the_gradient_and_the_tangent_of_each_example_are_those_of_a_loop(op, sample):
    draws = [operands(sample, seed=seed) for seed in range(2)]
    (positions, *_), rng = moving(op, draws[0]), np.random.default_rng(2)
    xs = [gf.stack([draw[i] for draw in draws]) for i in positions]
    f = at(op, sample, draws[0], positions)
    weights = direction(rng, f(*(x[0] for x in xs)))

    def gradients(*values):
        return gf.vjp(f, *values)[1](weights)

    def tangent(*values):
        return gf.jvp(f, values, values)[1]

    for g in (gradients, tangent):
        try:
            found = leaves(gf.vmap(g)(*xs))
        except NoRule:
            continue
        expected = [leaves(g(*(x[i] for x in xs))) for i in range(2)]
        for part, parts in zip(found, zip(*expected, strict=True), strict=True):
            wanted = np.stack([each.numpy() for each in parts])
            size = float(np.max(np.abs(wanted), initial=1.0))
            np.testing.assert_allclose(part.numpy(), wanted, rtol=0, atol=1e-10 * size)
