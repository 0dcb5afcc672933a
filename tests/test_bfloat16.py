"""bfloat16: computed in float32 and rounded once, on the CPU; without ml_dtypes an error that says so."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import gradflow as gf
from gradflow import nn
from gradflow.dtypes import find_bfloat16
from gradflow.errors import ArgumentError, DTypeError, MissingExtraError
from gradflow.tape import gradients
from gradflow.tensor import Tensor
from gradflow.testing.cases import call, cases, operands, tolerance
from process import python

pytest.importorskip("ml_dtypes")
BF16 = find_bfloat16()
CASES = [pytest.param(op, sample, id=f"{op.name}-{sample}") for op, sample in cases() if "dtype" not in sample.attrs]
PURE = [case for case in CASES if not case.values[0].mutates]
DIFFERENTIABLE = [case for case in PURE if case.values[0].differentiable]


def wide(x):
    return x.astype("float32") if isinstance(x, Tensor) and x.dtype == BF16 else x


def assert_rounded(found, exact):
    """``found`` is ``exact``, of float32, rounded to bfloat16."""
    if exact.dtype != gf.float32:
        assert found.dtype == exact.dtype
        np.testing.assert_array_equal(found.numpy(), exact.numpy())
        return
    assert found.dtype == BF16
    np.testing.assert_array_equal(found.numpy().astype("float32"), exact.numpy().astype(BF16).astype("float32"))


@pytest.mark.parametrize(("op", "sample"), PURE)
def test_a_result_is_that_of_float32_rounded_once(op, sample):
    inputs = operands(sample, BF16)
    if not any(isinstance(x, Tensor) and x.dtype == BF16 for x in inputs):
        return
    with np.errstate(all="ignore"):
        found, exact = call(op, inputs, sample), call(op, [wide(x) for x in inputs], sample)
    if any(isinstance(x, Tensor) and x.dtype == gf.float32 for x in inputs):
        assert found.dtype == exact.dtype
    else:
        assert_rounded(found, exact)


@pytest.mark.parametrize(("op", "sample"), DIFFERENTIABLE)
def test_gradients_are_near_those_of_float32_and_in_bfloat16(op, sample):
    inputs = operands(sample, BF16, requires_grad=True)
    twins = [Tensor(x.data.astype("float32"), True) if isinstance(x, Tensor) and x.dtype == BF16 else x for x in inputs]
    with np.errstate(all="ignore"):
        out, exact = call(op, inputs, sample), call(op, twins, sample)
        if any(isinstance(x, Tensor) and x.dtype == BF16 and float(gf.abs(x).sum()) > 1e3 for x in inputs):
            return  # an ill-conditioned matrix has no gradient that three digits could tell
        wrt = [(x, y) for x, y in zip(inputs, twins, strict=True) if isinstance(x, Tensor) and x.dtype == BF16]
        if not wrt or not out.requires_grad:
            return
        found = gradients(out, [x for x, _ in wrt], gf.ones(out.shape, dtype=out.dtype))
        expected = gradients(exact, [y for _, y in wrt], gf.ones(out.shape, dtype=exact.dtype))
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours is None) == (theirs is None)
        if theirs is not None:
            assert ours.dtype == BF16
            a, b = ours.numpy().astype("float64"), theirs.numpy().astype("float64")
            allowed = 4 * tolerance(BF16, float(np.max(np.abs(b), initial=1.0)))
            np.testing.assert_allclose(a, b, rtol=0, atol=allowed)


def test_it_is_a_dtype_by_name_and_by_attribute():
    x = gf.tensor([1.0, 3.14159], dtype="bfloat16")
    assert gf.bfloat16 == x.dtype == BF16
    assert x.astype("float32").tolist() == [1.0, 3.140625]
    assert gf.ones(2).to("bfloat16").dtype == BF16
    assert gf.tensor(np.ones(2, BF16)).dtype == BF16
    assert repr(x) == "tensor([1, 3.14062], dtype=bfloat16)"
    assert x[0].item() == 1.0
    assert gf.zeros(3, dtype=BF16).tolist() == [0, 0, 0]


def test_it_keeps_beside_python_numbers_and_widens_beside_others():
    x = gf.ones(2, dtype="bfloat16")
    assert (x * 1.5).dtype == (x + 1).dtype == (x / 3).dtype == BF16
    assert (x + gf.ones(2)).dtype == (x + gf.ones(2, dtype="float16")).dtype == gf.float32
    assert (x + gf.ones(2, dtype="float64")).dtype == gf.float64
    assert (x > 0).dtype == gf.bool
    assert (x * 1j).dtype == gf.complex64
    with gf.promotion("strict"), pytest.raises(DTypeError, match="add: bfloat16 with float64 became float64"):
        x + gf.ones(2, dtype="float64")


def test_sums_and_products_are_accumulated_in_float32():
    x = gf.full(4096, 1.0, dtype=BF16)
    assert x.sum().item() == 4096
    assert gf.matmul(x, x).item() == 4096  # adding up in bfloat16 would stop at 256


def test_views_are_views_and_writes_are_seen():
    x = gf.zeros((2, 3), dtype=BF16)
    x[1][2] = 7
    x[0].add_(0.5)
    assert x.tolist() == [[0.5, 0.5, 0.5], [0, 0, 7]]
    assert x.reshape(6).data.base is not None


def test_numbers_that_it_cannot_hold_are_refused():
    assert gf.full(1, 3.38e38, dtype=BF16).item() > 3.3e38
    with pytest.raises(ArgumentError, match=r"3\.4e\+38 is not a number that bfloat16 can hold"):
        gf.full(1, 3.4e38, dtype=BF16)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Lion", "RMSprop"])
def test_every_optimizer_steps_as_in_float32_but_for_rounding(name):
    if not hasattr(gf.optim, name):
        pytest.skip(f"there is no {name}")
    ends = []
    for dtype in (BF16, "float32"):
        w = gf.tensor([1.0, -2.0, 0.5], dtype=dtype, requires_grad=True)
        optimizer = getattr(gf.optim, name)([w], lr=0.05)
        for _ in range(5):
            optimizer.zero_grad()
            (w * w).sum().backward()
            optimizer.step()
        assert w.dtype == dtype
        ends.append(w.detach().numpy().astype("float64"))
    np.testing.assert_allclose(*ends, atol=0.04)


def test_a_network_learns_in_bfloat16_eager_and_compiled():
    rng = np.random.default_rng(0)
    x = gf.tensor(rng.standard_normal((64, 8)), dtype=BF16)
    y = gf.tensor((x.numpy().astype("float64")[:, 0] > 0).astype("int64"))
    histories = []
    for compiled in (False, True):
        gf.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
        model.to("bfloat16")
        optimizer = gf.optim.SGD(model.parameters(), lr=0.5)

        def step(x, y, model=model, optimizer=optimizer):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        run = gf.compile(step) if compiled else step
        losses = [run(x, y) for _ in range(30)]
        assert all(loss.dtype == BF16 for loss in losses)
        histories.append([float(loss) for loss in losses])
    assert histories[0][-1] < 0.5 * histories[0][0]
    np.testing.assert_allclose(*histories, atol=0.02)


def test_it_is_refused_on_a_gpu_in_words(cuda):
    x = gf.ones(2, dtype=BF16)
    for attempt in (
        lambda: x.to("cuda"),
        lambda: gf.zeros(2, dtype=BF16, device="cuda"),
        lambda: gf.tensor(x, device="cuda"),
    ):
        with pytest.raises(DTypeError, match="bfloat16 tensors are on the CPU alone"):
            attempt()
    with pytest.raises(DTypeError, match="bfloat16 tensors are on the CPU alone"):
        gf.ones(2, device="cuda").to("bfloat16")


def test_random_numbers_come_in_it():
    gf.manual_seed(0)
    x = gf.random.normal((1000,), dtype="bfloat16")
    assert x.dtype == BF16
    assert abs(float(x.mean())) < 0.1
    assert gf.random.uniform(3, dtype="bfloat16").dtype == BF16


def test_without_ml_dtypes_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'gradflow\[bfloat16\]'"):
        gf.zeros(2, dtype="bfloat16")


def test_models_are_saved_and_loaded_in_it(tmp_path):
    pytest.importorskip("safetensors")
    gf.serialize.save({"w": gf.tensor([1.5, -2.0], dtype=BF16)}, tmp_path / "model.safetensors")
    code = f"import gradflow as gf; print(gf.serialize.load({str(tmp_path / 'model.safetensors')!r})[0]['w'])"
    assert python("-c", code) == "tensor([1.5, -2], dtype=bfloat16)"
