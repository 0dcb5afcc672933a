"""Simulated device arrays: what they are made of, what they refuse, and what each call counts as."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from gradflow.testing.ptx import KernelFault
from gradflow.testing.simulated import Cupy

xp = Cupy()


def on_device(values, dtype=None):
    return xp.asarray(np.array(values, dtype))


def test_a_simulated_array_is_not_converted_to_numpy_unless_asked():
    x = on_device([1.0, 2.0])
    for convert in (np.asarray, np.array, lambda x: np.ones(2) + x, lambda x: np.add(np.ones(2), x)):
        with pytest.raises(TypeError):
            convert(x)
    assert x.get().tolist() == x.tolist() == xp.asnumpy(x).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("other", [np.ones(2), [1.0, 2.0], (1.0, 2.0), "1", None])
def test_a_simulated_operand_is_an_array_or_a_number_and_nothing_else(other):
    x = on_device([1.0, 2.0])
    with pytest.raises(TypeError):
        xp.multiply(x, other)
    with pytest.raises(TypeError):
        x * other


def test_an_upload_copies_and_views_share_simulated_memory():
    host = np.zeros((2, 3))
    x = xp.asarray(host)
    assert xp.asarray(x) is x
    host[...] = 7
    x[0] = 1
    x.T[2, 1] = 5
    x.reshape(-1)[3:5] = 4
    assert x.tolist() == [[1, 1, 1], [4, 4, 5]]
    assert x[0, 1].shape == ()  # NumPy would give a number
    assert x.T.data.ptr == x.data.ptr
    assert x[1:].data.ptr == x.data.ptr + 24
    assert x[1:].base is x


def test_broadcast_views_of_simulated_arrays_can_be_written_as_in_cupy():
    x = on_device([1.0, 2.0])
    xp.broadcast_to(x, (3, 2))[0, 0] = 5
    x.reshape(1, 2).diagonal()[...] = 6
    assert x.tolist() == [6, 2]


def test_python_numbers_are_weak_and_numpy_numbers_strong_as_simulated_cupy_14_has_them():
    x = on_device([1, 2], np.float32)
    assert (x * 3.0).dtype == np.float32
    assert (x * np.float64(3)).dtype == np.float64
    assert (np.float64(3) * x).dtype == np.float64
    assert isinstance(np.float64(3) * x, xp.ndarray)
    assert (x.astype(np.int8) + 1).dtype == np.int8
    with pytest.raises(OverflowError):
        on_device([1], np.uint8) + 300


def test_numpys_ufuncs_and_functions_of_simulated_arrays_are_cupys():
    x = on_device([1.0, 4.0])
    assert isinstance(np.sqrt(x), xp.ndarray)
    assert np.sqrt(x).tolist() == [1, 2]
    assert isinstance(np.sum(x), xp.ndarray)


def test_a_simulated_reduction_stays_on_the_device_and_reading_it_waits():
    x = on_device([[1.0, 2.0], [3.0, 4.0]])
    mark = len(xp.records)
    total = x.sum()
    assert isinstance(total, xp.ndarray)
    assert total.shape == ()
    assert [record.kind for record in xp.records.since(mark)] in (["kernel"], ["alloc", "kernel"])
    mark = len(xp.records)
    assert float(total) == 10
    assert [record.kind for record in xp.records.since(mark)] == ["sync", "copy_d2h"]
    mark = len(xp.records)
    assert total > 9  # a comparison on the device, then a wait
    assert xp.records.count("sync", since=mark) == 1


def test_simulated_memory_that_nobody_wrote_is_not_read():
    x = xp.empty((2, 3))
    with pytest.raises(KernelFault, match=r"uninitialised read: .*\(2, 3\) of float64") as raised:
        x + 1
    assert raised.value.kind == "uninitialised read"
    x[0] = 1
    assert (x[0] + 1).tolist() == [2, 2, 2]
    for read in (x.sum, x.get, x.copy, lambda: x[:, 1] * 2, lambda: x.T @ x):
        with pytest.raises(KernelFault, match="uninitialised"):
            read()
    x[1, ::2] = 2
    x[1, 1] = 3
    assert x.tolist() == [[1, 1, 1], [2, 3, 2]]
    xp.add(x, 1, out=x)
    out = xp.empty(3)
    xp.multiply(x[0], 2, out=out)
    assert out.tolist() == [4, 4, 4]


def test_a_result_goes_where_a_simulated_ufunc_is_told():
    x, out = on_device([1.0, 2.0]), xp.empty(2, np.float32)
    assert xp.add(x, 1, out=out) is out
    assert xp.add(x, 1, out) is out
    assert out.tolist() == [2, 3]
    with pytest.raises(ValueError, match="mismatched"):
        xp.add(x, 1, out=xp.empty((2, 2)))
    with pytest.raises(TypeError, match="same_kind"):
        xp.add(x, 1, out=xp.empty(2, np.int32))
    with pytest.raises(TypeError, match="ArrayType"):
        xp.add(x, 1, out=np.empty(2))
    half = xp.add(x, x, dtype=np.float32)
    assert half.dtype == np.float32


def test_results_of_simulated_ufuncs_are_in_c_order():
    x = xp.asfortranarray(on_device([[1.0, 2.0], [3.0, 4.0]]))
    assert x.flags.f_contiguous
    assert (x + x).flags.c_contiguous  # NumPy would keep Fortran's order
    assert xp.empty_like(x).flags.f_contiguous
    assert x.copy().flags.c_contiguous


def test_simulated_clip_keeps_nan_and_the_sign_of_zero():
    x = on_device([np.nan, -0.0, 5.0, -5.0])
    clipped = x.clip(0, np.inf).get()
    assert np.isnan(clipped[0])
    assert clipped[1:].tolist() == [0, 5, 0]
    assert np.signbit(clipped[1])
    assert on_device([1, 5, 9]).clip(2, 6).tolist() == [2, 5, 6]
    assert on_device([1, 5, 9]).clip(None, 6).tolist() == [1, 5, 6]


COUNTS = [
    (lambda x: x + x, "kernel", 1), (xp.exp, "kernel", 1), (lambda x: x.sum(axis=0), "kernel", 1),
    (lambda x: x.astype("d"), "kernel", 1), (lambda x: x.copy(), "copy_d2d", 1), (lambda x: x.T.copy(), "kernel", 1),
    (lambda x: x.T.reshape(-1), "kernel", 1), (lambda x: x.reshape(-1), "kernel", 0), (lambda x: x[1:], "kernel", 0),
    (lambda x: x @ x.T, "gemm", 1), (lambda x: x.__setitem__(0, x[1]), "copy_d2d", 1),
    (lambda x: x.__setitem__(0, x[0]), "copy_d2d", 0), (lambda x: x.T.__setitem__(0, x[:, 1]), "kernel", 1),
    (lambda x: x.__setitem__(0, x[1, :1]), "kernel", 1), (lambda x: x.__setitem__(0, 2.0), "kernel", 1),
    (lambda x: x.fill(1), "kernel", 1),
    (lambda x: x.fill(0), "memset", 1), (lambda x: xp.zeros(3), "memset", 1), (lambda x: xp.arange(3), "kernel", 1),
    (lambda x: xp.concatenate([x, x, x]), "kernel", 3), (lambda x: xp.where(x > 1, x, 0.0), "kernel", 2),
    (lambda x: x.get(), "copy_d2h", 1), (lambda x: xp.asarray(np.ones(3)), "copy_h2d", 1),
    (lambda x: x[0, 0].item(), "sync", 1), (lambda x: xp.empty(3), "kernel", 0),
    (lambda x: xp.einsum("ij,kj->ik", x, x), "gemm", 1), (lambda x: xp.einsum("ij->j", x), "kernel", 1),
    (lambda x: xp.take(x, 1, axis=0), "kernel", 1), (lambda x: x.std(), "kernel", 2),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "count"), COUNTS)
def test_every_simulated_call_is_counted_as_what_it_is(call, kind, count):
    x = on_device([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], np.float32)
    mark = len(xp.records)
    call(x)
    assert xp.records.count(kind, since=mark) == count
    assert xp.records.count("kernel", "gemm", "memset", "copy_d2d", "copy_d2h", "copy_h2d", "sync", since=mark) <= max(
        count + (kind in ("sync", "copy_d2h")), 0
    )


def test_the_simulated_records_say_how_many_bytes_moved():
    x = xp.zeros((10, 10), np.float32)
    mark = len(xp.records)
    y = x + 1
    assert xp.records.bytes("kernel", since=mark) == 800
    y.get()
    assert xp.records.bytes("copy_d2h", since=mark) == 400


def test_simulated_arrays_are_copied_and_pickled_through_the_host():
    x = on_device([1.0, 2.0])
    for twin in (copy.copy(x), copy.deepcopy(x), xp.array(x)):
        twin[0] = 5
        assert x.tolist() == [1, 2]
        assert twin.tolist() == [5, 2]
    function, arguments = x.__reduce__()
    assert function(*arguments).tolist() == [1, 2]
    assert pickle.dumps(x.get())


def test_a_simulated_array_of_another_library_is_adopted_without_a_copy():
    class Foreign:
        def __init__(self, x):
            self.__cuda_array_interface__ = x.__cuda_array_interface__

    x = on_device([[1.0, 2.0], [3.0, 4.0]])
    adopted = xp.asarray(Foreign(x.T))
    assert adopted.data.ptr == x.data.ptr
    assert adopted.tolist() == [[1, 3], [2, 4]]
    assert xp.may_share_memory(adopted, x)


def test_simulated_arrays_of_two_devices_do_not_meet():
    two = Cupy(devices=2, memory=1 << 20)
    here = two.ones(2)
    with two.cuda.Device(1):
        there = two.ones(2)
        assert there.device.id == 1
        with pytest.raises(ValueError, match=r"array device = 0 while current = 1"):
            here + there
        copied = two.asarray(here)
        assert (copied.device.id, copied.tolist()) == (1, [1, 1])
        assert two.records.count("copy_d2d") == 1
    assert two.cuda.Device().id == 0
    with pytest.raises(ValueError, match="device"):
        here + there
    there.set(np.array([3.0, 4.0]))
    assert two.records[-1].device == 1
    here.set(np.array([5.0, 6.0]))
    assert (here.tolist(), there.tolist()) == ([5, 6], [3, 4])  # copies know where they belong


def test_copies_of_simulated_arrays_keep_the_order_of_strides_where_cupys_do():
    x = xp.zeros((2, 3, 4)).transpose(2, 0, 1)
    strides = x.strides
    assert xp.copy(x).strides == x.astype(x.dtype).strides == xp.empty_like(x).strides == strides
    assert x.astype("f").strides == tuple(stride // 2 for stride in strides)
    assert x.copy().flags.c_contiguous
    assert x.astype("f", order="C").flags.c_contiguous
    assert (x + 1).flags.c_contiguous
    assert xp.asarray(np.zeros((2, 3, 4)).transpose(2, 0, 1)).strides == strides


def test_simulated_arrays_say_what_they_are():
    x = xp.arange(6, dtype=np.int16).reshape(2, 3)
    assert (x.itemsize, x.nbytes, x.ndim, x.size) == (2, 12, 2, 6)
    assert (x.flags.forc, x.flags.fnc, x.T.flags.fnc) == (True, False, True)
    assert x.__dlpack_device__() == (2, 0)
    assert str(x[0]) == "[0 1 2]"
    x.shape = (3, 2)
    assert x.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert (int(x[0, 1]), complex(x[1, 1]), f"{x[0]}") == (1, 3 + 0j, "[0 1]")
    assert x.get(order="F").flags.f_contiguous
    assert xp.empty((0, 3)).get().shape == (0, 3)
    with pytest.raises(ValueError, match="ambiguous"):
        bool(xp.empty(0))
    with pytest.raises(TypeError, match="float64 array cannot be obtained from int16"):
        x.get(out=np.empty((3, 2)))
    with pytest.raises(ValueError, match="Shape mismatch"):
        x.get(out=np.empty((2, 3), np.int16))
    with pytest.raises(RuntimeError, match="non-contiguous"):
        x.get(out=np.empty((6, 4), np.int16)[::2, ::2])
    with pytest.raises(RuntimeError, match="non-contiguous"):
        x[::2].set(np.zeros((2, 2), np.int16))
    assert xp.get_array_module(x) is xp
    assert xp.get_array_module(np.zeros(2)) is np
    assert xp.result_type(x, np.float32) == np.float32
    assert xp.can_cast(x, np.int32)
    assert not xp.shares_memory(x[0], x[1])
