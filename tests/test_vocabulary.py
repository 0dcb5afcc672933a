"""Functions put together from ops, against NumPy's of the same name; their gradients against finite differences."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, DTypeError, IndexOutOfRange, ShapeError
from gradflow.testing import gradcheck

A = np.arange(24.0).reshape(2, 3, 4) ** 1.5
ROW, OTHER = np.array([1.0, 4.0, 2.0, -3.0]), np.array([2.0, 0.5])
T = gf.tensor


def assert_same(found, expected):
    if isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for ours, theirs in zip(found, expected, strict=True):
            assert_same(ours, theirs)
        return
    found = getattr(found, "data", found)
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


CALLS = {
    "diff": [(A,), (A, 2, 1), (ROW, 0), (ROW, 1, 0, 5.0, [7.0, 9.0]), (np.array([True, False, False]),)],
    "trapezoid": [(A,), (A, np.array([0.0, 1.0, 3.0, 4.0])), (A, None, 0.5, 1), (A, A * 2, 1.0, 0)],
    "gradient": [(A,), (ROW,), (ROW, 2.0), (ROW, np.array([0.0, 1.0, 3.0, 4.5])), (A, 1.0, 2.0, 3.0), (ROW[:2],),
                 (np.where(ROW > 3, np.nan, ROW),)],
    "interp": [
        (np.array([[-1.0, 0.5], [1.5, 9.0]]), np.array([0.0, 1.0, 3.0]), np.array([5.0, 4.0, 8.0])),
        (np.array([-1.0, 9.0, 3.0]), np.array([0.0, 1.0, 3.0]), np.array([5.0, 4.0, 8.0]), -7.0, 6.0),
        (np.array([-1.0, 9.0, 3.0]), np.array([2.0, 0.0, 1.0]), np.array([5.0, 4.0, 8.0]), None, None, 3.5),
        (np.array([-1.0, 9.0]), np.array([2.0]), np.array([5.0])),
    ],
    "convolve": [(a, v, mode) for a, v in [(ROW, OTHER), (OTHER, ROW), (ROW, ROW), (ROW, ROW[:3])] for mode in
                 ("full", "same", "valid")],
    "correlate": [(a, v, mode) for a, v in [(ROW, OTHER), (OTHER, ROW), (ROW, ROW), (ROW, ROW[:3]), (ROW[:3], ROW)]
                  for mode in ("full", "same", "valid")],
    "bincount": [(np.array([1, 3, 1]),), (np.array([1, 3, 1]), ROW[:3]), (np.array([1]), None, 5), (np.zeros(0, int),)],
    "digitize": [(ROW, np.array([-3.0, 1.0, 2.0])), (ROW, np.array([-3.0, 1.0, 2.0]), True),
                 (ROW, np.array([4.0, 2.0, -3.0])), (ROW, np.array([4.0, 2.0, -3.0]), True)],
    "histogram": [(A,), (A, 5, (0.0, 50.0)), (ROW, np.array([-5.0, 0.0, 5.0]), None, True), (A, "sqrt")],
    "unique": [(np.array([[3, 1], [1, 2]]),), (np.array([3.0, np.nan, 3.0, np.nan]), True, True, True),
               (np.array([[1, 2], [1, 2], [0, 0]]), False, False, False, 0)],
    "nonzero": [(A,), (np.array([True, False]),)],
    "flatnonzero": [(A,)],
    "argwhere": [(A > 30,), (np.array(3.0),)],
    "triu_indices": [(3,), (3, 1, 4), (2, -1)],
    "tril_indices": [(3,), (3, 1, 4), (2, -1)],
    "diag_indices": [(3,), (2, 3)],
    "unravel_index": [(np.array([[5, 0], [23, 7]]), (2, 3, 4)), (np.array(3), (5,))],
    "indices": [((2, 3),), ((4,),)],
    "meshgrid": [(ROW, OTHER), (ROW,), (ROW, OTHER, OTHER), (ROW, np.array(2.0))],
    "tri": [(3,), (2, 4, 1), (4, 2, -1)],
    "vander": [(ROW,), (ROW, 2)],
    "rot90": [(A, k) for k in (-1, 0, 1, 2, 7)] + [(A, 1, (1, 2)), (A, 1, (2, 0))],
    "fliplr": [(A,)],
    "flipud": [(A,), (ROW,)],
    "append": [(A, A), (A, A[:1], 0)],
    "array_split": [(A, 2, 1), (ROW, 3), (ROW, [1, 3]), (ROW, 6)],
    "hsplit": [(A, 3), (ROW, 2)],
    "vsplit": [(A, 2)],
    "dsplit": [(A, [1, 2])],
    "atleast_1d": [(np.array(2.0),), (ROW, np.array(2.0))],
    "atleast_2d": [(np.array(2.0),), (ROW, A)],
    "atleast_3d": [(np.array(2.0),), (ROW, A, A[0])],
    "hstack": [([A, A],), ([ROW, OTHER],), ([np.array(1.0), ROW],)],
    "vstack": [([A, A],), ([ROW, ROW],), ([np.array(1.0), np.array(2.0)],)],
    "dstack": [([A, A],), ([ROW, ROW],), ([A[0], A[1]],)],
    "column_stack": [([ROW, ROW],), ([A[0], ROW[:3]],)],
}  # fmt: skip
EACH = [pytest.param(name, args, id=f"{name}-{i}") for name, calls in CALLS.items() for i, args in enumerate(calls)]


def as_tensors(x):
    if isinstance(x, np.ndarray):
        return T(x)
    return [as_tensors(each) for each in x] if isinstance(x, list) and isinstance(x[0], np.ndarray) else x


@pytest.mark.parametrize(("name", "args"), EACH)
def test_a_function_does_what_numpys_does(name, args):
    assert_same(getattr(gf, name)(*map(as_tensors, args)), getattr(np, name)(*args))


@pytest.mark.parametrize("sparse", [False, True])
def test_a_grid_by_matrix_indices_is_numpys(sparse):
    expected = np.meshgrid(ROW, OTHER, OTHER, indexing="ij", sparse=sparse)
    assert_same(gf.meshgrid(T(ROW), T(OTHER), T(OTHER), indexing="ij", sparse=sparse), expected)


def test_slopes_at_the_ends_of_three_points_are_numpys():
    for spacing in ([], [2.0], [np.array([0.0, 1.0, 3.0, 4.5])]):
        assert_same(gf.gradient(T(ROW), *spacing, edge_order=2), np.gradient(ROW, *spacing, edge_order=2))
    assert_same(gf.gradient(T(A), axis=(0, 2)), np.gradient(A, axis=(0, 2)))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: gf.diff(x, 2) ** 2,
        lambda x: gf.trapezoid(x**2, x**3),
        lambda x: gf.gradient(x, x.detach() * 0 + gf.arange(4).astype("float64"), edge_order=2) ** 2,
        lambda x: gf.gradient(T(ROW), gf.cumsum(x * x + 1)),
        lambda x: gf.interp(x * 0.1, T(np.array([-1.0, 0.0, 1.0])), T(np.array([1.0, 3.0, -2.0]))),
        lambda x: gf.interp(T(np.array([0.3, 1.2, 9.0])), gf.cumsum(x * x + 0.1), x**3),
        lambda x: gf.convolve(x, x[:2], "same") ** 2,
        lambda x: gf.correlate(x, x[1:3], "full") ** 2,
        lambda x: gf.bincount(T(np.array([0, 2, 0, 1])), x**2),
        lambda x: gf.vander(x, 3),
        lambda x: gf.meshgrid(x, x**2)[1] * 2,
        lambda x: gf.rot90(gf.vstack([x, x**2]), 3) ** 2,
        lambda x: gf.select([T(ROW > 3), T(ROW > 1)], [x**2, x**3], x),
        lambda x: gf.choose(T(np.array([1, 0, 1, 0])), [x**2, x**3]),
        lambda x: gf.piecewise(x, [x > 1.5], [lambda x: x**3, lambda x: x**2]),
    ],
)
def test_gradients_are_those_of_finite_differences(function):
    gradcheck(function, T(ROW))


def test_indices_along_dimensions_are_made_one_as_numpy_does():
    index = (np.array([[1], [0]]), np.array([2, 0, 1]))
    assert_same(gf.ravel_multi_index(tuple(map(T, index)), (2, 3)), np.ravel_multi_index(index, (2, 3)))


def test_the_array_apis_unique_functions_take_every_nan_for_itself():
    x = np.array([[3.0, np.nan], [np.nan, 3.0]])
    found = gf.unique_all(T(x))
    np.testing.assert_array_equal(found.values.data, [3, np.nan, np.nan])
    np.testing.assert_array_equal(found.counts.data, [2, 1, 1])
    np.testing.assert_array_equal(found.values.data[found.inverse_indices.data], x)
    np.testing.assert_array_equal(x.ravel()[found.indices.data], found.values.data)
    np.testing.assert_array_equal(gf.unique_values(T(np.array([2, 1, 2]))).data, [1, 2])
    np.testing.assert_array_equal(gf.unique_counts(T(np.array([2, 1, 2]))).counts.data, [1, 2])


@pytest.mark.parametrize("equal_nan", [False, True])
def test_closeness_is_numpys(equal_nan):
    a, b = np.meshgrid([0.0, 1.0, 1.000001, np.inf, -np.inf, np.nan], [0.0, 1e-9, 1.0, np.inf, np.nan])
    assert_same(gf.isclose(T(a), T(b), equal_nan=equal_nan), np.isclose(a, b, equal_nan=equal_nan))
    for x, y in [(a, a), (a, b), (a[:2], a), (a[:, :5], a[:, :5] + 1e-12)]:
        assert bool(gf.array_equal(T(x), T(y), equal_nan)) == np.array_equal(x, y, equal_nan)
    assert bool(gf.allclose(T(a[:, :5]), T(a[:, :5] + 1e-12), equal_nan=equal_nan))
    assert bool(gf.allclose(T(np.array([3, 4])), T(np.array([3, 5])))) is False
    assert bool(gf.isclose(T(np.array(True)), T(np.array(True))))


def test_choices_are_numpys():
    x = np.array([-2.0, 0.5, 3.0])
    conditions, choices = [x < 0, x > 1], [x**2, x * 10]
    assert_same(gf.select(list(map(T, conditions)), list(map(T, choices)), 7.0), np.select(conditions, choices, 7.0))
    numbers = np.array([[1, 0], [1, 1]])
    options = [np.array([1.0, 2.0]), np.array([[10.0], [20.0]])]
    assert_same(gf.choose(T(numbers), list(map(T, options))), np.choose(numbers, options))
    beyond = np.array([3, -1])
    for mode in ("wrap", "clip"):
        found = gf.choose(T(beyond), [T(x[:2]), T(x[1:])], mode)
        assert_same(found, np.choose(beyond, [x[:2], x[1:]], mode=mode))
    functions = [lambda x: -x, 5.0, lambda x, y: x]
    found = gf.piecewise(T(x), [T(x < 0), T(x > 1)], [lambda x, y: -x, 5.0, lambda x, y: x + y], 2.0)
    np.testing.assert_array_equal(found.data, [2, 2.5, 5])
    assert_same(gf.piecewise(T(x), [T(x < 0)], functions[:1]), np.piecewise(x, [x < 0], functions[:1]))


def test_what_depends_on_values_is_read_on_a_gpu_and_comes_back_to_it(cuda):
    x = gf.tensor(np.array([3, 0, 3]), device="cuda")
    for found in (gf.unique(x), gf.nonzero(x)[0], gf.bincount(x), gf.histogram(x)[0], gf.argwhere(x)):
        assert found.device.kind == "cuda"
    values = gf.tensor(np.array([3.0, 1.0, 2.0]), device="cuda")
    np.testing.assert_array_equal(gf.median(values).numpy(), 2)
    np.testing.assert_array_equal(gf.convolve(values, values[:1]).numpy(), [9, 3, 6])
    np.testing.assert_array_equal(gf.cummax(values).numpy(), [3, 3, 3])
    np.testing.assert_array_equal(gf.interp(values, gf.sort(values), values).numpy(), [2, 3, 1])


@pytest.mark.parametrize(
    ("attempt", "error", "says"),
    [
        (lambda: gf.diff(ROW, -1), ArgumentError, "diff: n is -1"),
        (lambda: gf.diff(1.0), ShapeError, "diff: a scalar has no neighbours"),
        (lambda: gf.gradient(ROW[:1]), ShapeError, r"gradient: axis 0 of \(1,\) has 1 samples, and needs 2"),
        (lambda: gf.gradient(A, 1.0, 2.0), ArgumentError, "gradient: 2 spacings for 3 axes"),
        (lambda: gf.gradient(ROW, ROW[:2]), ShapeError, r"gradient: coordinates are \(2,\)"),
        (lambda: gf.gradient(ROW, edge_order=3), ArgumentError, "gradient: edge_order is 3"),
        (lambda: gf.interp(ROW, ROW, OTHER), ShapeError, "interp: xp is .* vectors of one size"),
        (lambda: gf.interp(ROW, ROW, ROW, period=0), ArgumentError, "interp: period is 0"),
        (lambda: gf.convolve(A, ROW), ShapeError, "convolve: takes two vectors"),
        (lambda: gf.correlate(ROW, ROW, "some"), ArgumentError, "correlate: mode is 'some'"),
        (lambda: gf.bincount(ROW), DTypeError, "bincount: x has integers, not float64"),
        (lambda: gf.bincount(np.array([-1])), ArgumentError, "bincount: -1 is negative"),
        (lambda: gf.bincount(np.array([1]), ROW), ShapeError, "bincount: weights are"),
        (lambda: gf.digitize(ROW, ROW), ArgumentError, "digitize: bins must ascend or descend"),
        (lambda: gf.histogram(ROW, -1), ArgumentError, "histogram: .*bins.* must be positive"),
        (lambda: gf.unravel_index(np.array([6]), (2, 3)), IndexOutOfRange, "ravel_multi_index: .*6"),
        (lambda: gf.ravel_multi_index((1,), (2, 3)), ShapeError, "ravel_multi_index: 1 indices for 2 dimensions"),
        (lambda: gf.nonzero(1.0), ShapeError, "nonzero: a scalar has no indices"),
        (lambda: gf.meshgrid(A), ShapeError, r"meshgrid: takes vectors, got shape \(2, 3, 4\)"),
        (lambda: gf.meshgrid(ROW, indexing="ji"), ArgumentError, "meshgrid: indexing is 'ji'"),
        (lambda: gf.vander(A), ShapeError, "vander: x must be a vector"),
        (lambda: gf.rot90(A, 1, (1, 1)), ShapeError, "rot90: axes .* are the same"),
        (lambda: gf.array_split(ROW, 0), ArgumentError, "array_split: 0 sections"),
        (lambda: gf.dsplit(ROW, 2), ShapeError, "dsplit: needs at least 3 dimensions"),
        (lambda: gf.hstack([]), ArgumentError, "hstack: the list of tensors is empty"),
        (lambda: gf.vstack(T(ROW)), DTypeError, "vstack: takes a list of tensors"),
        (lambda: gf.select([ROW > 0], [ROW, ROW]), ArgumentError, "select: 1 conditions and 2 choices"),
        (lambda: gf.select(None, [ROW]), DTypeError, "select: takes a list of tensors, not NoneType"),
        (lambda: gf.histogram(ROW > 0), DTypeError, "histogram: not defined for bool"),
        (lambda: gf.select([ROW], [ROW]), DTypeError, "select: a condition is bool, not float64"),
        (lambda: gf.choose(ROW, [ROW]), DTypeError, "choose: the numbers of choices are integers"),
        (lambda: gf.choose(np.array([2]), [ROW[:1]]), IndexOutOfRange, "2"),
        (lambda: gf.piecewise(ROW, [ROW > 0], []), ArgumentError, "piecewise: 0 functions for 1 conditions"),
    ],
)
def test_a_mistake_is_explained(attempt, error, says):
    with pytest.raises(error, match=says):
        attempt()
