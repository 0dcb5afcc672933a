"""Tensors: what they are made from, how they convert, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import DeviceError, DTypeError, GradflowError, GradientError, ShapeError


def test_a_numpy_array_is_shared_not_copied():
    array = np.arange(6.0).reshape(2, 3)
    t = gf.tensor(array)
    assert np.shares_memory(t.numpy(), array)
    array[0, 0] = 7
    assert t.tolist()[0][0] == 7


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, "float32"),
        ([1.5, 2.0], "float32"),
        (3, "int64"),
        ([1, 2], "int64"),
        (True, "bool"),
        (np.float64(1.5), "float64"),
        (np.ones(2), "float64"),
        (np.ones(2, np.float16), "float16"),
        (np.ones(2, np.int8), "int8"),
    ],
)
def test_data_with_a_dtype_keeps_it_and_python_floats_become_float32(data, dtype):
    assert gf.tensor(data).dtype == dtype


def test_the_default_dtype_can_be_changed_and_must_be_floating():
    gf.set_default_dtype("float64")
    try:
        assert gf.tensor(1.5).dtype == np.float64
        assert gf.zeros(2).dtype == np.float64
    finally:
        gf.set_default_dtype("float32")
    with pytest.raises(DTypeError, match="int64 is not a floating dtype"):
        gf.set_default_dtype("int64")
    assert gf.get_default_dtype() == np.float32


def test_float32_with_a_python_number_stays_float32():
    x = gf.tensor([1.0, 2.0])
    for result in (x * 2, 2.5 * x, x + True, 1 / x, x**2, 2.0**x, x - 1, 1 - x, x // 1, x % 2, -x):
        assert result.dtype == np.float32


def test_arrays_promote_as_in_numpy():
    assert (gf.tensor([1.0]) * np.ones(1)).dtype == np.float64
    assert (gf.tensor([1]) / 2).dtype == np.float64
    assert (gf.tensor(np.ones(1, np.float16)) + gf.tensor([1.0])).dtype == np.float32
    assert (gf.tensor([True]) + gf.tensor([True])).dtype == np.bool_


def test_numpy_arrays_on_the_left_do_not_drop_the_gradient():
    w = gf.tensor([1.0, 2.0], dtype="float64", requires_grad=True)
    for result in (np.ones(2) * w, np.ones(2) + w, np.ones((2, 2)) @ w, np.float64(2) * w, np.ones(2) - w):
        assert isinstance(result, gf.Tensor)
        assert result.requires_grad


def test_operators_agree_with_numpy():
    a, b = np.array([5.0, -7.0, 2.5]), np.array([2.0, 3.0, -1.5])
    x, y = gf.tensor(a), gf.tensor(b)
    pairs = [(x + y, a + b), (x - y, a - b), (x * y, a * b), (x / y, a / b), (x // y, a // b), (x % y, a % b)]
    pairs += [(abs(x), abs(a)), (-x, -a), (x < y, a < b), (x <= y, a <= b), (x > y, a > b), (x >= y, a >= b)]
    pairs += [(x == y, a == b), (x != y, a != b), (3 - x, 3 - a), (3 / x, 3 / a), (3 // x, 3 // a), (3 % x, 3 % a)]
    pairs += [(y**2, b**2), (2**y, 2**b), (x @ y, a @ b), (a @ y, a @ b)]
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours.data, theirs)


def test_zero_dimensional_results_are_arrays():
    total = gf.tensor([1.0, 2.0]).sum() * 2.0
    assert isinstance(total.data, np.ndarray)
    assert total.shape == ()
    assert total.item() == 6.0


def test_empty_arrays_pass_through():
    x = gf.tensor(np.zeros((0, 3)), requires_grad=True)
    (x * 2 + 1).sigmoid().sum().backward()
    assert x.grad.shape == (0, 3)


def test_item_needs_exactly_one_element():
    assert gf.tensor([[2.5]]).item() == 2.5
    with pytest.raises(ShapeError, match=r"shape \(2,\) has 2 elements"):
        gf.tensor([1.0, 2.0]).item()


def test_numpy_refuses_to_drop_a_gradient():
    x = gf.tensor([1.0], requires_grad=True)
    with pytest.raises(GradientError, match=r"use \.detach\(\)\.numpy\(\)"):
        x.numpy()
    with pytest.raises(GradientError, match=r"use \.detach\(\)\.numpy\(\)"):
        np.asarray(x)
    assert np.asarray(x.detach()).tolist() == [1.0]


def test_numpy_functions_without_a_counterpart_refuse_rather_than_drop_the_gradient():
    with pytest.raises(TypeError, match=r"use \.detach\(\)\.numpy\(\)"):
        np.is_busday(gf.tensor([1.0], requires_grad=True))


def test_truth_and_length():
    assert bool(gf.tensor(1.0))
    assert not bool(gf.tensor([0]))
    with pytest.raises(ShapeError, match=r"\.any\(\) or \.all\(\)"):
        bool(gf.tensor([1, 2]))
    assert len(gf.tensor([1, 2, 3])) == 3
    with pytest.raises(TypeError, match="has nothing to iterate over"):
        iter(gf.tensor(1.0))
    assert not np.iterable(gf.tensor(1.0))
    with pytest.raises(TypeError, match="has no length"):
        len(gf.tensor(1.0))


def test_integers_index_and_floats_do_not():
    assert [10, 20, 30][gf.tensor(1)] == 20
    with pytest.raises(DTypeError, match="cannot be used as an index"):
        [10, 20][gf.tensor(1.0)]


def test_tensors_are_hashable_by_identity():
    a, b = gf.tensor(1.0), gf.tensor(1.0)
    assert len({a, b, a}) == 2


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ("text", DTypeError, "not numeric"),
        ([1, "a"], DTypeError, "not numeric"),
        ([[1, 2], [3]], ShapeError, "ragged"),
        (np.datetime64("2026-01-01"), DTypeError, "datetime64"),
        (object(), DTypeError, "not numeric"),
        (np.ones(2, np.longdouble), DTypeError, "does not compute with"),
    ],
)
def test_what_is_not_a_number_is_refused(bad, error, message):
    with pytest.raises(error, match=message):
        gf.tensor(bad)


def test_a_list_of_tensors_is_refused_because_gradients_would_be_lost():
    with pytest.raises(DTypeError, match=r"gf\.stack"):
        gf.tensor([gf.tensor(1.0), gf.tensor(2.0)])


def test_operators_refuse_what_is_not_a_number():
    with pytest.raises(DTypeError):
        gf.tensor(1.0) + "1"


def test_shapes_that_do_not_broadcast_are_named():
    with pytest.raises(ShapeError, match=r"add: cannot broadcast \(2, 3\), \(2,\)"):
        gf.zeros((2, 3)) + gf.zeros(2)


def test_matmul_names_both_shapes():
    with pytest.raises(ShapeError, match=r"matmul: cannot multiply \(2, 3\) by \(2, 3\); inner sizes must agree"):
        gf.zeros((2, 3)) @ gf.zeros((2, 3))


def test_devices():
    x = gf.tensor([1.0])
    assert str(x.device) == "cpu"
    assert x.cpu() is x
    assert x.to("cpu") is x
    with pytest.raises(DeviceError, match="'gpu' is not a device"):
        gf.device("gpu")
    with pytest.raises(DeviceError, match="cuda"):
        x.cuda()
    assert str(gf.device("cuda")) == "cuda:0"
    assert gf.device("cuda") == gf.device("cuda:0")


def test_conversion_of_dtype_carries_the_gradient_back():
    x = gf.tensor([1.0, 2.0], requires_grad=True)
    (x.to("float64") * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    assert x.grad.dtype == np.float32
    assert x.to("float32") is x


def test_unknown_dtypes_are_named():
    with pytest.raises(DTypeError, match="'float33' is not a dtype"):
        gf.tensor([1.0]).to("float33")


def test_repr_shows_values_and_what_differs_from_the_usual():
    assert repr(gf.tensor([1.0, 2.0])) == "tensor([1., 2.])"
    assert repr(gf.tensor(1.0, dtype="float64", requires_grad=True)) == "tensor(1., dtype=float64, requires_grad=True)"
    assert repr(gf.tensor(1.0, requires_grad=True) * 2) == "tensor(2., made by multiply)"
    assert f"{gf.tensor(1.23456):.2f}" == "1.23"


def test_absent_names_are_attribute_errors():
    assert not hasattr(gf.tensor(1.0), "no_such_method")
    with pytest.raises(AttributeError, match="module 'gradflow' has no attribute 'no_such_function'"):
        getattr(gf, "no_such_" + "function")
    with pytest.raises(AttributeError):
        gf.tensor(1.0).no_such_attribute = 1


def test_every_error_is_a_gradflow_error():
    names = [getattr(gf.errors, name) for name in dir(gf.errors) if not name.startswith("_") and name[0].isupper()]
    assert len(names) >= 10
    assert all(issubclass(error, GradflowError) for error in names)
