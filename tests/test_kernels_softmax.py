"""The kernels of softmax and of cross-entropy, each run by itself: every dtype, width, alignment and special value."""

from __future__ import annotations

import numpy as np
import pytest

from gradflow.op import OPS
from gradflow.testing import nvrtc
from kernel_results import assert_close, assert_thrifty, in_dtype, in_float64, outcome
from launching import ELEMENTS, loaded, run, stored

pytestmark = pytest.mark.skipif(not nvrtc.available(), reason="NVRTC is not installed")

SHAPES = [(1, 1), (3, 10), (64, 10), (5, 33), (7, 1000), (2, 3000), (65, 64)]
ALONG = ["softmax", "log_softmax", "softmax_grad", "log_softmax_grad"]
PLAIN = {"label_smoothing": 0.0, "ignore_index": -100, "reduction": "mean"}


def rows(name: str, shape: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    x = rng.normal(0, 3, shape)
    if not name.endswith("grad"):
        return (x,)
    probabilities = OPS["softmax"].forward(np, x, axis=1)
    return rng.normal(0, 1, shape), probabilities if name == "softmax_grad" else np.log(probabilities)


def labelled(shape: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.normal(0, 3, shape), rng.integers(0, shape[1], shape[0])


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ALONG)
def test_rows_of_every_width_agree_with_the_reference(name, shape, element, rng):
    got = outcome(name, rows(name, shape, rng), element, axis=1)
    assert_close(got.found, got.expected, element)


@pytest.mark.parametrize("element", ["float", "f16"])
@pytest.mark.parametrize("name", ALONG)
def test_rows_that_are_not_aligned_agree_with_the_reference(name, element, rng):
    got = outcome(name, rows(name, (9, 64), rng), element, offset=1, axis=1)
    assert_close(got.found, got.expected, element)


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_special_values_do_to_a_row_what_they_do_in_the_reference_and_nothing_to_others(name, element):
    inf, nan = np.inf, np.nan
    x = np.array([[0, 1, 2, 3], [0, -inf, 2, 3], [0, inf, 2, 3], [0, nan, 2, 3], [-inf] * 4, [-6e4, 6e4, 6e4, 1]])
    got = outcome(name, (x,), element, axis=1)
    assert_close(got.found, got.expected, element)
    assert np.isnan(got.found).any(axis=1).tolist() == [False, False, True, True, True, False]


@pytest.mark.parametrize("at", [0, 999, 1000, 4999])
def test_a_nan_anywhere_in_a_long_row_reaches_all_of_it(at, rng):
    x = rng.normal(size=(2, 5000))
    x[1, at] = np.nan
    got = outcome("softmax", (x,), "float", axis=1)
    assert np.isnan(got.found).all(axis=1).tolist() == [False, True]
    got = outcome("cross_entropy", (x, np.array([0, 1]), None), "float", **{**PLAIN, "reduction": "none"})
    assert np.isnan(got.found).tolist() == [False, True]


def test_logits_of_any_size_give_probabilities(rng):
    got = outcome("softmax", (rng.normal(size=(4, 100)) + np.array([[3e38], [-3e38], [1e4], [0]]),), "float", axis=1)
    assert_close(got.found, got.expected, "float")
    np.testing.assert_allclose(got.found.sum(axis=1), 1, rtol=1e-6)


def test_other_axes_and_strides_are_left_to_the_reference():
    x = np.zeros((4, 6), np.float32)
    assert OPS["softmax"].cuda(x, axis=0, out=x) is None
    assert OPS["softmax"].cuda(x.T, axis=1, out=np.zeros((6, 4), np.float32)) is None
    assert OPS["softmax"].cuda(x.astype(np.int64), axis=1, out=x.astype(np.float64)) is None
    assert OPS["softmax"].cuda(x[:0], axis=1, out=x[:0]) is None


ATTRIBUTES = [
    {"reduction": "mean"},
    {"reduction": "sum", "label_smoothing": 0.1},
    {"reduction": "none", "ignore_index": 1},
    {"reduction": "mean", "label_smoothing": 0.3, "ignore_index": 0},
]
LOSSES = [
    *((shape, True, attrs) for shape, attrs in zip([(64, 10), (5, 33), (7, 1000), (64, 12)], ATTRIBUTES, strict=True)),
    *((shape, False, attrs) for shape, attrs in zip([(7, 1000), (64, 10), (1, 2), (2, 1500)], ATTRIBUTES, strict=True)),
]


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize(("shape", "weighted", "attrs"), LOSSES)
def test_cross_entropy_and_its_gradient_agree_with_the_reference(shape, weighted, attrs, element, rng):
    logits, labels = labelled(shape, rng)
    weight = rng.uniform(0.5, 2, shape[1]) if weighted else None
    attrs = {**PLAIN, **attrs}
    got = outcome("cross_entropy", (logits, labels, weight), element, **attrs)
    assert_close(got.found, got.expected, element)
    g = np.asarray(rng.normal(size=shape[0] if attrs["reduction"] == "none" else ()))
    got = outcome("cross_entropy_grad", (g, logits, labels, weight), element, **attrs)
    assert_close(got.found, got.expected, element)


@pytest.mark.parametrize("element", ELEMENTS)
@pytest.mark.parametrize(
    ("shape", "attrs"), list(zip([(257, 10), (2, 2000), (65, 64), (64, 10)], ATTRIBUTES, strict=True))
)
def test_loss_and_gradient_in_one_pass_are_those_of_two_also_over_the_logits(shape, attrs, element, rng):
    op, attrs = OPS["cross_entropy_with_grad"], {**PLAIN, **attrs}
    logits, labels, weight = in_dtype((*labelled(shape, rng), rng.uniform(0.5, 2, shape[1])), element)
    loss = stored(np.full(shape[0] if attrs["reduction"] == "none" else (), 7.0), element)
    exact = [np.zeros(shape), np.zeros(loss.shape)]
    op.forward(np, *exact, *in_float64([logits, labels, weight], element), **attrs)
    for gradient in (stored(np.full(shape, 7.0), element), logits):
        run(op.cuda(gradient, loss, logits, labels, weight, out=None, **attrs), element)
        assert_close(loaded(gradient, element), exact[0], element)
        assert_close(loaded(loss, element), exact[1], element)


@pytest.mark.parametrize("shape", [(300, 10), (30, 700)])
def test_the_mean_is_over_rows_that_count_and_nan_without_any(shape, rng):
    logits, labels = labelled(shape, rng)
    labels[::2] = -100
    got = outcome("cross_entropy", (logits, labels, None), "float", **PLAIN)
    exact = OPS["cross_entropy"].forward(np, logits[1::2], labels[1::2], None, **PLAIN)
    np.testing.assert_allclose(got.found, exact, rtol=4e-6)
    labels[:] = -100
    assert np.isnan(outcome("cross_entropy", (logits, labels, None), "float", **PLAIN).found)
    got = outcome("cross_entropy_grad", (np.ones(()), logits, labels, None), "float", **PLAIN)
    assert not got.found.any()


def test_a_mean_over_weights_of_zero_is_nan_and_so_is_its_gradient(rng):
    logits, labels = rng.normal(size=(5, 3)), np.zeros(5, np.int64)
    arrays, attrs = (logits, labels, np.array([0.0, 1, 1])), {**PLAIN, "label_smoothing": 0.1}
    assert np.isnan(outcome("cross_entropy", arrays, "float", **attrs).found)
    assert np.isnan(outcome("cross_entropy_grad", (np.ones(()), *arrays), "float", **attrs).found).all()


def test_an_ignored_row_may_hold_anything(rng):
    logits, labels = labelled((5, 12), rng)
    logits[2], labels[2] = np.nan, -100
    got = outcome("cross_entropy", (logits, labels, None), "float", **PLAIN)
    assert np.isfinite(got.found)
    got = outcome("cross_entropy_grad", (np.ones(()), logits, labels, None), "float", **PLAIN)
    assert np.isfinite(got.found).all()
    assert not got.found[2].any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_reach_the_mean(value, rng):
    logits, labels = labelled((64, 10), rng)
    logits[40, 3] = value
    assert np.isnan(outcome("cross_entropy", (logits, labels, None), "float", **PLAIN).found)


def test_a_class_of_no_probability_costs_nothing_or_infinitely_much(rng):
    logits, labels = labelled((3, 4), rng)
    labels[:] = 0
    logits[:, 1] = -np.inf
    got = outcome("cross_entropy", (logits, labels, None), "float", **PLAIN)
    assert np.isfinite(got.found)
    assert_close(got.found, got.expected, "float")
    labels[1] = 1
    assert outcome("cross_entropy", (logits, labels, None), "float", **PLAIN).found == np.inf


@pytest.mark.parametrize("label", [-1, 10, 1 << 40])
@pytest.mark.parametrize("name", ["cross_entropy", "cross_entropy_grad"])
def test_a_label_out_of_range_is_noted_and_not_followed(name, label, rng):
    logits, labels = in_dtype(labelled((64, 10), rng), "float")
    labels[37] = label
    arrays = (logits, labels, None) if name == "cross_entropy" else (np.ones((), np.float32), logits, labels, None)
    out, fault = np.zeros(() if name == "cross_entropy" else logits.shape, np.float32), np.zeros(4, np.int64)
    launch = OPS[name].cuda(*arrays, out=out, **PLAIN)
    run(launch, fault=fault)
    assert fault[0] > 0
    assert fault[1:].tolist() == [label, 10, 37]
    labels[37] = -100
    without = OPS[name].forward(np, *in_float64(list(arrays), "float"), **PLAIN)
    assert_close(out.astype(np.float64), without, "float")


def test_labels_of_another_dtype_are_left_to_the_reference(rng):
    logits, labels = in_dtype(labelled((4, 3), rng), "float")
    out = np.zeros((), np.float32)
    assert OPS["cross_entropy"].cuda(logits, labels.astype(np.int8), None, out=out, **PLAIN) is None
    assert OPS["cross_entropy"].cuda(logits, labels, np.ones(3), out=out, **PLAIN) is None


def test_so_many_labels_that_each_block_had_better_not_count_them_are_left_to_the_reference():
    logits, labels = np.zeros((1 << 17, 2), np.float32), np.zeros(1 << 17, np.int64)
    one = np.ones((), np.float32)
    assert OPS["cross_entropy_grad"].cuda(one, logits, labels, None, out=logits, **PLAIN) is None
    alone = {**PLAIN, "reduction": "sum"}
    assert OPS["cross_entropy_grad"].cuda(one, logits, labels, None, out=logits, **alone) is not None


@pytest.mark.parametrize("name", ["cross_entropy", "cross_entropy_grad"])
def test_two_runs_have_the_same_bits(name, rng):
    logits, labels = labelled((257, 10), rng)
    arrays = (logits, labels, rng.uniform(0.5, 2, 10))
    given = arrays if name == "cross_entropy" else (np.ones(()), *arrays)
    first, second = (outcome(name, given, "float", **{**PLAIN, "label_smoothing": 0.1}).raw for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("name", "passes"), [("softmax", 2), ("softmax_grad", 3), ("log_softmax_grad", 3)])
def test_rows_are_moved_once_and_in_vectors(name, passes, rng):
    shape = (64, 1024)
    report = outcome(name, rows(name, shape, rng), "float", axis=1).report
    assert_thrifty(report, passes * 4 * shape[0] * shape[1])
    assert report.loads.sectors_per_request == 16
    assert report.stores.sectors_per_request == 16


def test_the_gradient_of_cross_entropy_moves_8_bytes_for_each_logit(rng):
    shape = (64, 1024)
    report = outcome("cross_entropy_grad", (np.ones(()), *labelled(shape, rng), None), "float", **PLAIN).report
    assert_thrifty(report, 8 * shape[0] * shape[1] + 8 * shape[0])
