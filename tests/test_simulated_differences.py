"""What differs from NumPy on a GPU differs on the simulated device: indices, integers, conversions, subnormals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from gradflow.testing.simulated import Cupy

xp = Cupy()
SUBNORMAL = np.float32(1e-40)


def on_device(values, dtype=None):
    return xp.asarray(np.array(values, dtype))


def test_simulated_index_arrays_wrap_instead_of_raising():
    x = on_device([10, 11, 12])
    assert x[on_device([3, -4, 7])].tolist() == [10, 12, 11]
    assert x[[1, 3]].tolist() == [11, 10]
    assert xp.take(x, on_device([5])).tolist() == [12]
    x[on_device([4])] = 99
    assert x.tolist() == [10, 99, 12]
    with pytest.raises(IndexError):
        x[3]


def test_simulated_index_arrays_work_along_every_axis():
    host = np.arange(24).reshape(2, 3, 4)
    x = xp.asarray(host)
    i, j = np.array([[1, 0]]), np.array([2, 0])
    for index in [(slice(None), i), (..., i), (i, slice(1, 3), j), (None, j - 1), (0, i, j), (i, None, 1), (i, ..., j)]:
        there = tuple(xp.asarray(each) if isinstance(each, np.ndarray) else each for each in index)
        np.testing.assert_array_equal(x[there].get(), wrapped(host, index))
    mask = host[:, 0, 0] > 0
    np.testing.assert_array_equal(x[xp.asarray(mask), 2].get(), host[mask, 2])


def wrapped(host, index):
    """``host[index]`` with every index array taken modulo its axis, one axis at a time."""
    axis, made = 0, []
    consumed = sum(each is not None and each is not Ellipsis for each in index)
    for each in index:
        if each is Ellipsis:
            axis += host.ndim - consumed
        made.append(each % host.shape[axis] if isinstance(each, np.ndarray) else each)
        axis += each is not None and each is not Ellipsis
    return host[tuple(made)]


def test_a_simulated_boolean_mask_waits_for_the_count():
    x = on_device([1.0, 2.0, 3.0])
    mask = x > 1.5
    mark = len(xp.records)
    assert x[mask].tolist() == [2, 3]
    assert xp.records.since(mark)[0].kind == "sync"
    assert [each.tolist() for each in xp.nonzero(mask)] == [[1, 2]]
    x[mask] = 0
    assert x.tolist() == [1, 0, 0]


def test_a_number_written_to_a_simulated_index_array_is_copied_to_the_device_first():
    x, i = xp.zeros(3), on_device([0, 2])
    mark = len(xp.records)
    x[i] = 5
    assert [record.kind for record in xp.records.since(mark) if record.kind != "alloc"] == ["copy_h2d", "kernel"]
    x[on_device([1])] = [4.0]
    assert x.tolist() == [5, 4, 5]
    mark = len(xp.records)
    x[1:] = 6  # a number for a slice is an argument of the kernel
    assert xp.records.count("copy_h2d", since=mark) == 0


def test_of_equal_indices_the_simulated_device_keeps_another_value_than_numpy():
    x = xp.zeros(2)
    x[on_device([1, 1, 1])] = on_device([1.0, 2.0, 3.0])
    assert x.tolist() == [0, 1]  # undefined on a GPU; NumPy keeps the last


def test_simulated_scatter_adds_equal_indices_and_knows_cupys_dtypes():
    x = xp.zeros(3, np.float32)
    xp.add.at(x, on_device([1, 1, 4]), 2.0)
    assert x.tolist() == [0, 6, 0]
    largest = xp.zeros(2, np.int32)
    xp.maximum.at(largest, on_device([0, 0]), on_device([3, 5], np.int32))
    assert largest.tolist() == [5, 0]
    with pytest.raises(TypeError, match="only supports"):
        xp.add.at(xp.zeros(2, np.int8), on_device([1]), 1)
    with pytest.raises(NotImplementedError, match="multiply"):
        xp.multiply.at(x, on_device([1]), 2.0)


def test_simulated_integer_division_by_zero_is_zero_and_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        i = on_device([5, -5, 0])
        assert (i // 0).tolist() == [0, 0, 0]
        assert (i % 0).tolist() == [0, 0, 0]
        with np.errstate(all="raise"):
            x = on_device([1.0, -1.0, 0.0]) / 0
            assert xp.isinf(x).tolist() == [True, True, False]
            assert xp.exp(on_device([1e4])).tolist() == [np.inf]
        assert (on_device([2, 1, -1]) ** on_device([-1, -3, -3])).tolist() == [0, 1, -1]


def test_simulated_quotients_of_floats_are_rounded_before_they_are_rounded_down():
    one = on_device([1.0, 5.0])
    assert (one // 0.1).tolist() == [10, 50]  # NumPy: 9 and 49
    assert (one % 0.1).tolist() == [0, 0]  # NumPy: nearly 0.1
    assert xp.isnan(one % np.inf).all()  # NumPy: 1 and 5


def test_simulated_floats_become_integers_by_saturation():
    x = on_device([np.inf, -np.inf, np.nan, -1.5, 3e9, 1e30])
    assert x.astype(np.int32).tolist() == [2**31 - 1, -(2**31), 0, -1, 2**31 - 1, 2**31 - 1]
    assert x.astype(np.uint32).tolist() == [2**32 - 1, 0, 0, 0, 3000000000, 2**32 - 1]
    assert x.astype(np.int64).tolist() == [2**63 - 1, -(2**63), 0, -1, 3000000000, 2**63 - 1]
    assert x.astype(np.uint64).tolist() == [2**64 - 1, 0, 0, 0, 3000000000, 2**64 - 1]


def test_simulated_kernels_flush_subnormal_float32_and_nothing_else():
    x = on_device([SUBNORMAL, -SUBNORMAL, 1.0], np.float32)
    one = on_device(1.0, np.float32)
    assert x.tolist() == [float(SUBNORMAL), -float(SUBNORMAL), 1]  # a copy is no arithmetic
    assert (x * one).tolist() == [0, 0, 1]
    assert np.signbit((x * one).get()).tolist() == [False, True, False]
    assert (on_device([2.0**-126], np.float32) * 0.5).tolist() == [0]
    assert (x * 2.0**30).tolist() == [0, 0, 2.0**30]  # the input is flushed, not only the result
    assert (x > 0).tolist() == [False, False, True]
    assert x.astype(np.float64).tolist() == [0, 0, 1]
    assert x.sum().tolist() == 1
    assert xp.where(x > 0, x, x).tolist() == x.tolist()
    assert (on_device([1e-310]) * 1.0).tolist() == [1e-310]
    assert (on_device([6e-8], np.float16) * np.float16(1)).tolist() == [float(np.float16(6e-8))]
    assert (x[None] @ xp.ones((3, 1), np.float32)).shape == (1, 1)
    assert (x[:1] @ on_device([1.0], np.float32)).tolist() == float(SUBNORMAL)  # cuBLAS does not flush


def test_simulated_sums_of_float16_are_added_up_in_float32():
    x = xp.full(5000, 1, np.float16)
    assert x.sum().dtype == np.float16
    assert float(x.sum()) == 5000  # float16 would stop at 2048
    assert float(x.mean()) == 1
    assert xp.cumsum(x)[-1].tolist() == 5000
    assert (xp.ones((1, 5000), np.float16) @ xp.ones((5000, 1), np.float16)).tolist() == [[5000]]
