"""Sorting, order statistics and scans against NumPy, their gradients against finite differences and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError
from gradflow.ops.order_statistics import CONTINUOUS, DISCRETE
from gradflow.testing import gradcheck

METHODS = [*CONTINUOUS, *DISCRETE]
TIES = np.array([[2.0, 1.0, 2.0, np.nan, -1.0, 1.0], [0.0, -0.0, np.inf, -np.inf, 0.0, 5.0]])


def distinct(rng, shape):
    return rng.permutation(np.linspace(-2, 3, int(np.prod(shape)))).reshape(shape)


def gradient_of(function, x, g=None):
    leaf = gf.tensor(x, requires_grad=True)
    out = function(leaf)
    out.backward(np.ones(out.shape, out.dtype) if g is None else g)
    return leaf.grad.data


@pytest.mark.parametrize("axis", [None, 0, -1])
def test_sorting_is_numpys_with_ties_and_nan(axis):
    np.testing.assert_array_equal(gf.sort(gf.tensor(TIES), axis).data, np.sort(TIES, axis, kind="stable"))
    np.testing.assert_array_equal(gf.argsort(gf.tensor(TIES), axis).data, np.argsort(TIES, axis, kind="stable"))


def test_a_descending_order_keeps_the_first_of_equal_elements_first():
    x = np.array([1, 3, 2, 3, 1])
    np.testing.assert_array_equal(gf.argsort(gf.tensor(x), descending=True).data, [1, 3, 2, 0, 4])
    np.testing.assert_array_equal(gf.sort(gf.tensor(x), descending=True).data, [3, 3, 2, 1, 1])


def test_the_gradient_of_sorted_elements_goes_back_to_their_places():
    g = np.array([10.0, 20.0, 30.0, 40.0])
    found = gradient_of(gf.sort, np.array([3.0, 1.0, 1.0, 2.0]), g)
    np.testing.assert_array_equal(found, [40, 10, 20, 30])


@pytest.mark.parametrize("largest", [True, False])
def test_the_top_elements_are_torchs_and_so_is_their_gradient(largest, torch, rng):
    x = distinct(rng, (4, 6))
    ours, theirs = gf.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    found, expected = gf.topk(ours, 3, 1, largest=largest), torch.topk(theirs, 3, 1, largest=largest)
    np.testing.assert_array_equal(found.values.data, expected.values.detach())
    np.testing.assert_array_equal(found.indices.data, expected.indices)
    (found.values**2).sum().backward()
    (expected.values**2).sum().backward()
    np.testing.assert_allclose(ours.grad.data, theirs.grad)


@pytest.mark.parametrize("kth", [0, 3, -1])
def test_a_partition_puts_one_element_in_its_place(kth, rng):
    x = rng.standard_normal((3, 6))
    found = gf.partition(gf.tensor(x), kth).data
    np.testing.assert_array_equal(found[:, kth], np.partition(x, kth)[:, kth])
    np.testing.assert_array_equal(np.take_along_axis(x, gf.argpartition(gf.tensor(x), kth).data, -1), found)


@pytest.mark.parametrize("side", ["left", "right"])
def test_places_in_a_sorted_vector_are_numpys(side, rng):
    a, v = np.array([1, 1, 2, 5]), np.array([[0, 1], [2, 9]])
    np.testing.assert_array_equal(gf.searchsorted(a, v, side).data, np.searchsorted(a, v, side))
    shuffled = np.array([5, 1, 2, 1])
    order = np.argsort(shuffled)
    np.testing.assert_array_equal(
        gf.searchsorted(shuffled, v, side, order).data, np.searchsorted(shuffled, v, side, sorter=order)
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("axis", [None, 1, (0, 2)])
def test_quantiles_are_numpys_by_every_method(method, axis, rng):
    x = rng.standard_normal((3, 4, 5))
    for q in (0.0, 0.25, 0.37, 0.5, 1.0, [0.1, 0.9], np.linspace(0, 1, 13).reshape(1, 13)):
        for keepdims in (False, True):
            found = gf.quantile(gf.tensor(x), q, axis, method=method, keepdims=keepdims).data
            expected = np.quantile(x, q, axis, method=method, keepdims=keepdims)
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 10])
def test_quantiles_of_few_elements_are_numpys_by_every_method(method, size, rng):
    x = rng.integers(0, 50, size)
    q = np.arange(0, 1.01, 0.125)
    found = gf.quantile(gf.tensor(x), q, method=method).data
    expected = np.quantile(x, q, method=method)
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert found.dtype == (np.int64 if method in DISCRETE else np.float64)


@pytest.mark.parametrize("method", ["linear", "hazen", "lower", "midpoint", "averaged_inverted_cdf"])
def test_quantiles_have_gradients(method, rng):
    x = gf.tensor(distinct(rng, (4, 5)))
    gradcheck(lambda x: gf.quantile(x, [0.21, 0.5], 1, method=method) ** 2, x)


def test_percentiles_and_medians_are_numpys_and_nan_where_there_is_one(rng):
    x = rng.standard_normal((4, 6))
    x[1, 2] = np.nan
    for axis in (None, 0, 1):
        np.testing.assert_allclose(gf.median(gf.tensor(x), axis).data, np.median(x, axis))
        np.testing.assert_allclose(gf.percentile(gf.tensor(x), [20, 80], axis).data, np.percentile(x, [20, 80], axis))
    np.testing.assert_array_equal(gf.median(gf.tensor([1.0, np.inf])).data, np.inf)
    np.testing.assert_array_equal(gradient_of(gf.median, np.array([5.0, 1.0, 3.0, 4.0])), [0, 0, 0.5, 0.5])


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_quantiles_past_nan_are_numpys_and_have_gradients(axis, rng):
    x = distinct(rng, (4, 6))
    x[[0, 1, 1, 3], [0, 2, 3, 5]] = np.nan
    for q in (0.3, [0.0, 0.5, 1.0]):
        for keepdims in (False, True):
            found = gf.nanquantile(gf.tensor(x), q, axis, keepdims=keepdims).data
            np.testing.assert_allclose(found, np.nanquantile(x, q, axis, keepdims=keepdims), rtol=1e-13)
    np.testing.assert_allclose(gf.nanmedian(gf.tensor(x), axis).data, np.nanmedian(x, axis))
    np.testing.assert_allclose(gf.nanpercentile(gf.tensor(x), 20, axis).data, np.nanpercentile(x, 20, axis))
    whole = gf.tensor(distinct(rng, (4, 6)))
    hole = gf.tensor(np.where(np.isnan(x), np.nan, 0.0))
    gradcheck(lambda y: gf.nanquantile(y + hole, [0.2, 0.6], axis) ** 2, whole)
    assert np.isnan(gf.nanmedian(gf.tensor([np.nan])).data)


def test_the_dtype_of_a_quantile_is_that_of_the_elements():
    assert gf.median(gf.tensor([1.0, 2.0])).dtype == gf.float32
    assert gf.median(gf.tensor(np.ones(2, "float16"))).dtype == gf.float16


def test_ranges_and_weighted_means_are_numpys(rng):
    x, w = rng.standard_normal((3, 4)), rng.uniform(0.5, 2, (3, 4))
    for axis in (None, 0, 1):
        np.testing.assert_allclose(gf.ptp(gf.tensor(x), axis).data, np.ptp(x, axis))
        np.testing.assert_allclose(gf.average(x, axis, w).data, np.average(x, axis, w))
    np.testing.assert_allclose(gf.average(x, 0, w[:, 0], keepdims=True).data, np.average(x, 0, w[:, 0], keepdims=True))
    gradcheck(lambda x, w: gf.average(x, 0, w), gf.tensor(x), gf.tensor(w[:, 0]))
    gradcheck(gf.ptp, gf.tensor(distinct(rng, (3, 4))))


@pytest.mark.parametrize("axis", [None, 0, -1])
def test_scans_are_numpys(axis):
    x = np.array([[1.0, 3.0, 2.0, 3.0], [-np.inf, -1.0, 5.0, 0.0], [2.0, np.nan, 7.0, -1.0]])
    flat = x.ravel() if axis is None else x
    along = 0 if axis is None else axis
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(gf.cummax(gf.tensor(x), axis).data, np.maximum.accumulate(flat, along))
        np.testing.assert_array_equal(gf.cummin(gf.tensor(x), axis).data, np.minimum.accumulate(flat, along))
        np.testing.assert_allclose(gf.cumprod(gf.tensor(x), axis).data, np.cumprod(x, axis))
        found = gf.logcumsumexp(gf.tensor(x), axis).data
        np.testing.assert_allclose(found, np.logaddexp.accumulate(flat, along), rtol=1e-15)


@pytest.mark.parametrize("name", ["cummax", "cummin", "cumprod", "logcumsumexp"])
def test_gradients_of_scans_are_torchs(name, torch, rng):
    x = distinct(rng, (3, 7))
    ours, theirs = gf.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    expected = getattr(torch, name)(theirs, 1)
    expected = expected[0] if isinstance(expected, tuple) else expected
    found = getattr(gf, name)(ours, 1)
    np.testing.assert_allclose(found.data, expected.detach(), rtol=1e-13)
    weights = rng.standard_normal(x.shape)
    (found * weights).sum().backward()
    (expected * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(ours.grad.data, theirs.grad, rtol=1e-11, atol=1e-12)


def test_the_gradient_of_a_running_product_is_right_at_zeros(rng):
    x = np.array([0.5, 0.0, 2.0, 0.0, 3.0])
    expected = np.zeros(5)
    for i in range(5):
        for k in range(i, 5):
            expected[i] += np.prod(np.delete(x[: k + 1], i))
    np.testing.assert_allclose(gradient_of(gf.cumprod, x), expected)


def test_the_gradient_of_a_running_logarithm_of_sums_neither_overflows_nor_meets_infinity():
    found = gradient_of(gf.logcumsumexp, np.array([-np.inf, 1000.0, -1000.0, 1000.0]))
    np.testing.assert_allclose(found, [1, 1 + 1 + 0.5, 0, 0.5], rtol=1e-12)  # a lone -inf is its own sum


def test_the_gradient_of_a_running_maximum_goes_to_the_last_of_equal_elements():
    np.testing.assert_array_equal(gradient_of(gf.cummax, np.array([1.0, 1.0, 0.0])), [1, 2, 0])


def test_a_long_scan_is_exact_in_float32(rng):
    x = rng.uniform(0.9, 1.1, 3000).astype("float32")
    found = gf.ops.recurrence._recurrence
    one = gf.dispatch.apply(found, gf.tensor(np.ones(3000, "float32")), gf.tensor(x), axis=0, reverse=False)
    np.testing.assert_allclose(one.data, np.cumsum(x, dtype="float64"), rtol=1e-6)


@pytest.mark.parametrize(
    ("attempt", "error", "says"),
    [
        (lambda: gf.sort(1.0), ShapeError, "sort: a scalar has no axis"),
        (lambda: gf.sort([1.0], 1), IndexOutOfRange, "sort: axis 1 is out of range"),
        (lambda: gf.partition([1.0], 1), ArgumentError, "partition: kth is 1, of 1 elements"),
        (lambda: gf.topk([1.0], 2), ArgumentError, r"topk: k is 2, and axis 0 of \(1,\) has 1"),
        (lambda: gf.searchsorted([[1.0]], [1.0]), ShapeError, "searchsorted: a must have one dimension"),
        (lambda: gf.searchsorted([1.0], [1.0], "middle"), ArgumentError, "searchsorted: side is 'middle'"),
        (lambda: gf.quantile([1.0], 1.5), ArgumentError, "quantile: q must be from 0 to 1"),
        (lambda: gf.percentile([1.0], np.nan), ArgumentError, "percentile: q must be from 0 to 100"),
        (lambda: gf.quantile([1.0], True), DTypeError, "quantile: q is made of numbers, not of bool"),
        (lambda: gf.quantile([1.0], 0.5, method="best"), ArgumentError, "quantile: method is 'best'"),
        (lambda: gf.median(np.zeros((2, 0)), 1), ShapeError, "median: axes .* no median of nothing"),
        (lambda: gf.median([True]), DTypeError, "median: not defined for bool"),
        (lambda: gf.average([[1.0, 2.0]], weights=[1.0, 2.0]), ShapeError, "average: .* name the axis"),
        (lambda: gf.average([[1.0, 2.0]], 0, [1.0, 2.0]), ShapeError, "average: weights are .* needs its size"),
        (lambda: gf.cummax([1.0], 3), IndexOutOfRange, "cummax: axis 3"),
    ],
)
def test_a_mistake_is_explained(attempt, error, says):
    with pytest.raises(error, match=says):
        attempt()


def test_what_numpy_has_as_a_method_is_one():
    x = gf.tensor(np.array([[2.0, 0.0], [1.0, 3.0]]))
    np.testing.assert_array_equal(x.argsort().data, [[1, 0], [0, 1]])
    np.testing.assert_array_equal(x.cumprod(0).data, [[2, 0], [2, 0]])
    np.testing.assert_array_equal(x.nonzero()[1].data, [0, 0, 1])
    assert x.trace().item() == 5
