"""Formulas of ops: the text from which loops are generated says what the op's reference does."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradflow as gf
from gradflow.formula import COLUMN, names, parse
from gradflow.op import OPS, Op, Spec
from gradflow.tensor import Tensor
from gradflow.testing.cases import call, cases, operands, tolerance
from gradflow.testing.formula import assigned, evaluate

SPECIAL = (math.nan, math.inf, -math.inf, 0.0, -0.0)
ROUNDS = 8  # of special values put in random places

# elementwise by their partials, and without a formula
WITHOUT = {"remainder": "exact only by C's fmod, which formulas lack"}


def text_of(op, sample, inputs):
    specs = [x.spec if isinstance(x, Tensor) else Spec((), type(x)) for x in inputs]
    return op.scalar_for(specs, sample.attrs)


ALL = cases()
CASES = [
    pytest.param(op, sample, id=f"{op.name}-{sample}")
    for op, sample in ALL
    if op.scalar is not None and text_of(op, sample, operands(sample)) is not None
]


def named(op, sample, inputs):
    given = {name: x.data if isinstance(x, Tensor) else x for name, x in zip(op.input_names, inputs, strict=True)}
    numbers = {name: value for name, value in sample.attrs.items() if isinstance(value, (bool, int, float))}
    return {name: value for name, value in {**given, **numbers}.items() if value is not None}


def results(op, sample, inputs, dtype):
    """By name, what the formula makes of ``inputs``, and what the op does."""
    formula, values = parse(text_of(op, sample, inputs)), named(op, sample, inputs)
    found = assigned(formula, values, dtype) if formula.result is None else [evaluate(formula, values, dtype)]
    with np.errstate(all="ignore"):
        out = call(op, inputs, sample)
    if formula.result is not None:
        return {"out": (*found, out.data)}
    written = [i for i in op.mutates if inputs[i] is not None]
    return {op.input_names[i]: (found[op.input_names[i]], inputs[i].data) for i in written}


def assert_same(op, sample, inputs, dtype):
    for name, (found, expected) in results(op, sample, inputs, np.dtype(dtype)).items():
        one_for_each_row = np.ndim(found) > expected.ndim
        ours = np.broadcast_to(found.squeeze(-1) if one_for_each_row else found, expected.shape).astype(expected.dtype)
        finite = np.abs(expected[np.isfinite(expected)], dtype="float64")
        size = float(np.max(finite, initial=1.0))
        np.testing.assert_allclose(ours, expected, rtol=0, atol=tolerance(expected.dtype, size), err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("op", "sample"), CASES)
def test_a_formula_is_what_the_op_does(op, sample, dtype):
    assert_same(op, sample, operands(sample, dtype), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("op", "sample"), CASES)
def test_a_formula_treats_nan_infinities_and_zeros_as_the_op_does(op, sample, dtype):
    rng = np.random.default_rng(0)
    for _ in range(ROUNDS):
        inputs = operands(sample, dtype)
        for x in inputs:
            if isinstance(x, Tensor) and x.dtype.kind == "f" and x.ndim:
                chosen = rng.random(x.shape) < 0.3
                x.data[chosen] = rng.choice(SPECIAL, int(chosen.sum()))
        assert_same(op, sample, inputs, dtype)


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_a_formula_reads_inputs_that_are_there_numbers_and_its_own_lines(op, sample):
    inputs = operands(sample)
    formula = parse(text_of(op, sample, inputs))
    known = {*named(op, sample, inputs), COLUMN}
    for name, expression in formula.assignments:
        assert set(names(expression)) <= known
        assert name != COLUMN and name not in sample.attrs
        known.add(name)
    over = {name for name, _ in formula.assignments} & set(op.input_names)
    if formula.result is not None:
        assert set(names(formula.result)) <= known
        assert not over
        assert op.mutates in ((), (0,))
    else:
        assert over == {op.input_names[i] for i in op.mutates if inputs[i] is not None}


def test_every_elementwise_op_has_a_formula():
    elementwise = {op.name: op for op, _ in ALL if op.partials}
    assert {name for name, op in elementwise.items() if op.scalar is None} == set(WITHOUT)


def test_a_call_without_a_formula_says_so():
    x = Spec((3,), gf.int64)
    power: Op = OPS["power"]
    assert power.scalar_for((x, x), {}) is None
    assert power.scalar_for((Spec((3,), gf.float32), Spec((), int)), {}) == "a ** b"


def test_a_cast_has_a_formula_unless_it_is_to_integers():
    astype: Op = OPS["astype"]
    found = {
        name: astype.scalar_for((Spec((3,), gf.float64),), {"dtype": np.dtype(name)}) for name in ("f4", "?", "i4")
    }
    assert found == {"f4": "x", "?": "x != 0", "i4": None}


@pytest.mark.parametrize(("op", "sample"), [case for case in CASES if "found_inf" in case.values[0].input_names])
def test_a_formula_skips_the_step_whose_gradients_are_not_finite(op, sample):
    inputs = operands(sample)
    if inputs[-1] is None:
        inputs[-1] = gf.tensor(0.0)
    inputs[-1].data[...] = 1
    inputs[op.input_names.index("g")].data[...] = math.nan
    before = inputs[0].data.copy()
    assert_same(op, sample, inputs, "float64")
    np.testing.assert_array_equal(inputs[0].data, before)
