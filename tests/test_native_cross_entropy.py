"""Cross-entropy in native programs, against the op's reference and in numbers that are easy to get wrong."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.backend import native
from gradflow.dtypes import tolerance
from gradflow.loop import CrossEntropy
from gradflow.ops.cross_entropy import cross_entropy
from native import address_of

pytest.importorskip("llvmlite")


def run(logits, labels, *, ignore_index=-100, reduction="mean", in_place=False, gradient=True):
    loss = np.full((), 7, logits.dtype)
    slope = logits if in_place else np.full_like(logits, 7)
    work = CrossEntropy(loss, slope if gradient else None, logits, labels, ignore_index, reduction)
    return native.Program([work], address_of).run(), loss, slope


def expected(logits, labels, **attrs):
    x = gf.tensor(logits.astype(np.float64), requires_grad=True)
    loss = cross_entropy(x, gf.tensor(labels), **attrs)
    loss.backward()
    return loss.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("integer", ["int32", "int64"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("shape", [(1, 1), (4, 3), (32, 10), (7, 1000), (3000, 10), (1, 5), (257, 64)])
def test_loss_and_gradient_are_the_reference_s(rng, dtype, integer, reduction, shape):
    logits = rng.standard_normal(shape).astype(dtype) * 5
    labels = rng.integers(0, shape[1], shape[0]).astype(integer)
    loss, slope = expected(logits, labels, reduction=reduction)
    stopped, ours, gradient = run(logits.copy(), labels, reduction=reduction)
    assert stopped is None
    close = tolerance(np.dtype(dtype))
    np.testing.assert_allclose(ours, loss, rtol=close, atol=close)
    np.testing.assert_allclose(gradient, slope, rtol=close, atol=close)
    _, _, replaced = run(logits.copy(), labels, reduction=reduction, in_place=True)
    np.testing.assert_array_equal(replaced, gradient)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("ignore_index", [-100, 2])
def test_ignored_rows_count_for_nothing_even_if_they_are_not_numbers(rng, reduction, ignore_index):
    logits = rng.standard_normal((6, 4)).astype(np.float32)
    labels = np.array([0, ignore_index, 3, ignore_index, 1, 1])
    loss, slope = expected(logits, labels, reduction=reduction, ignore_index=ignore_index)
    logits[1] = np.nan
    _, ours, gradient = run(logits, labels, reduction=reduction, ignore_index=ignore_index)
    np.testing.assert_allclose(ours, loss, rtol=1e-6)
    np.testing.assert_allclose(gradient, slope, atol=1e-7)
    assert (gradient[[1, 3]] == 0).all()


def test_the_mean_of_no_rows_is_not_a_number_and_their_sum_is_zero(rng):
    logits, labels = rng.standard_normal((3, 4)).astype(np.float32), np.full(3, -100)
    _, loss, gradient = run(logits, labels)
    assert np.isnan(loss)
    assert (gradient == 0).all()
    _, loss, gradient = run(logits, labels, reduction="sum")
    assert loss == 0


@pytest.mark.parametrize("wrong", [4, -1, 1 << 40])
def test_a_label_out_of_range_stops_before_anything_is_written(rng, wrong):
    logits = rng.standard_normal((300, 4)).astype(np.float32)
    labels = rng.integers(0, 4, 300)
    labels[299] = wrong
    before = logits.copy()
    stopped, loss, gradient = run(logits, labels, in_place=True)
    assert stopped == 0
    assert loss == 7
    np.testing.assert_array_equal(gradient, before)


def test_large_logits_do_not_overflow():
    logits = np.array([[1e30, 0, -1e30], [88.0, 89.0, 90.0], [-3e38, -3e38, 3e38]], np.float32)
    loss, slope = expected(logits, np.array([0, 2, 2]))
    _, ours, gradient = run(logits, np.array([0, 2, 2]))
    np.testing.assert_allclose(ours, loss, rtol=1e-6)
    np.testing.assert_allclose(gradient, slope, atol=1e-7)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_spreads_over_its_row_alone(rng, bad):
    logits = rng.standard_normal((4, 20)).astype(np.float32)
    logits[2, 5] = bad
    _, loss, gradient = run(logits, np.zeros(4, np.int64))
    assert np.isnan(loss)
    assert np.isnan(gradient[2]).all()
    assert np.isfinite(gradient[[0, 1, 3]]).all()


def test_the_loss_alone_and_the_gradient_alone(rng):
    logits, labels = rng.standard_normal((50, 10)).astype(np.float32), rng.integers(0, 10, 50)
    _, loss, gradient = run(logits.copy(), labels)
    _, alone, untouched = run(logits.copy(), labels, gradient=False)
    assert alone == loss
    assert (untouched == 7).all()
    slope = np.empty_like(logits)
    native.Program([CrossEntropy(None, slope, logits, labels, -100, "mean")], address_of).run()
    np.testing.assert_array_equal(slope, gradient)


def test_millions_of_rows_lose_no_digits():
    logits, labels = np.zeros((1 << 20, 2), np.float32), np.zeros(1 << 20, np.int64)
    _, loss, _ = run(logits, labels, reduction="sum")
    np.testing.assert_allclose(loss, np.log(2) * (1 << 20), rtol=1e-6)
