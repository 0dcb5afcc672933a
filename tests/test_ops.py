"""Every op, from its declaration: a new op is tested as soon as it is declared."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.op import OPS, Spec
from gradflow.tape import gradients
from gradflow.tensor import Tensor
from gradflow.testing.cases import call, cases, operands, tolerance
from gradflow.testing.gradcheck import gradcheck

CASES = [pytest.param(op, sample, id=f"{op.name}-{sample}") for op, sample in cases()]
PURE = [case for case in CASES if not case.values[0].mutates]
DIFFERENTIABLE = [case for case in CASES if case.values[0].differentiable]
WITH_PARTIALS = [case for case in CASES if case.values[0].partials]


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_an_op_declares_samples(op):
    assert op.samples


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(("op", "sample"), PURE)
def test_the_spec_predicts_the_result(op, sample, dtype):
    inputs = operands(sample, dtype)
    specs = [x.spec if isinstance(x, Tensor) else Spec((), type(x)) for x in inputs]
    with np.errstate(all="ignore"):
        assert call(op, inputs, sample).spec == op.spec(*specs, **sample.attrs)


@pytest.mark.parametrize(("op", "sample"), CASES)
def test_inputs_are_left_alone_but_for_those_declared_mutated(op, sample):
    inputs = operands(sample)
    before = [x.data.copy() if isinstance(x, Tensor) else x for x in inputs]
    call(op, inputs, sample)
    changed = {
        i
        for i, (x, old) in enumerate(zip(inputs, before, strict=True))
        if isinstance(x, Tensor) and not np.array_equal(x.data, old)
    }
    assert changed == {i for i in op.mutated(len(inputs)) if before[i] is not None and before[i].size}


@pytest.mark.parametrize(("op", "sample"), PURE)
def test_a_given_buffer_is_filled_with_the_same_result(op, sample):
    inputs = operands(sample, "float32")
    expected = call(op, inputs, sample)
    buffer = gf.tensor(np.full(expected.shape, 77, expected.dtype))
    memory = buffer.data
    result = gf.dispatch.apply(op, *inputs, into=buffer, **sample.attrs)
    assert result.data is memory
    np.testing.assert_array_equal(result.data, expected.data)


@pytest.mark.parametrize(("op", "sample"), PURE)
def test_arrays_that_are_not_contiguous_give_the_same_result(op, sample):
    inputs = operands(sample, "float32")
    expected = call(op, inputs, sample)

    def strided(x):
        if not isinstance(x, Tensor) or not x.ndim:
            return x
        room = np.empty([2 * size for size in x.shape], x.dtype)
        view = room[tuple(slice(None, None, -2) for _ in x.shape)]
        view[...] = x.data
        return gf.tensor(view)

    result = call(op, [strided(x) for x in inputs], sample)
    size = float(np.max(np.abs(expected.data), initial=1.0)) if expected.dtype.kind == "f" else 1.0
    np.testing.assert_allclose(result.data, expected.data, rtol=0, atol=tolerance(expected.dtype, size))


@pytest.mark.parametrize(("op", "sample"), PURE)
def test_float32_agrees_with_float64(op, sample):
    exact = call(op, operands(sample, "float64"), sample)
    drawn = operands(sample, "float64")
    rounded = [x.astype("float32") if isinstance(x, Tensor) and x.dtype == gf.float64 else x for x in drawn]
    result = call(op, rounded, sample)
    if result.dtype != gf.float32:
        return  # comparisons, indices and conversions have nothing to round
    size = float(np.max(np.abs(exact.data), initial=1.0))
    np.testing.assert_allclose(result.data, exact.data, rtol=0, atol=8 * tolerance(gf.float32, size))


@pytest.mark.parametrize(("op", "sample"), DIFFERENTIABLE)
def test_gradients_of_first_and_second_order_agree_with_finite_differences(op, sample):
    gradcheck(lambda *inputs: call(op, inputs, sample), *operands(sample))


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize(("op", "sample"), DIFFERENTIABLE)
def test_a_gradient_has_the_shape_and_dtype_of_its_input(op, sample, dtype):
    inputs = operands(sample, dtype, requires_grad=True)
    out = call(op, inputs, sample)
    if not out.requires_grad:
        pytest.fail("no input of this sample has a gradient; the op declares some")
    wrt = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
    with np.errstate(all="ignore"):
        found = gradients(out, wrt, gf.ones(out.shape, dtype=out.dtype))
    assert all(g is None or g.spec == x.spec for g, x in zip(found, wrt, strict=True))


@pytest.mark.parametrize(("op", "sample"), WITH_PARTIALS)
def test_the_written_local_derivative_is_the_one_computed(op, sample):
    inputs = operands(sample, requires_grad=True)
    out = call(op, inputs, sample)
    names = {name: getattr(x, "data", x) for name, x in zip(op.input_names, inputs, strict=False)}
    names |= {"out": out.data, **sample.attrs}
    wrt = [(i, x) for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    found = gradients(out, [x for _, x in wrt], gf.ones(out.shape, dtype="float64"))
    names = {k: gf.tensor(v, "float64") if isinstance(v, (np.ndarray, float)) else v for k, v in names.items()}
    functions = {name: getattr(gf, name) for name in gf.__all__} | {"pi": np.pi}
    for (i, x), g in zip(wrt, found, strict=True):
        if op.partials[i] == "":
            continue
        local = eval(op.partials[i], {**functions, **names})
        slope = np.broadcast_to(getattr(local, "data", local), out.shape)
        expected = gf.tensor(np.ascontiguousarray(slope, dtype="float64")).sum_to(x.shape)
        np.testing.assert_allclose(g.data, expected.data, rtol=1e-9, atol=1e-9)
