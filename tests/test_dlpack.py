"""DLPack and NumPy's array protocol: memory that is shared, and refusals where a gradient would be lost."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.errors import ArgumentError, DTypeError, ExportError

DTYPES = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
)


class Capsule:
    """Another library's array: remembers what it is asked."""

    def __init__(self, array, device=(1, 0)):
        self.array, self.device, self.asked = array, device, {}

    def __dlpack_device__(self):
        return self.device

    def __dlpack__(self, **asked):
        self.asked = asked
        return self.array.__dlpack__(**asked)


@pytest.mark.parametrize("dtype", DTYPES)
def test_memory_is_shared_with_numpy_both_ways(dtype):
    x = gf.ones((2, 3), dtype=dtype)
    a = np.from_dlpack(x)
    assert np.shares_memory(a, x.data) and a.dtype == x.dtype
    y = gf.from_dlpack(a)
    assert np.shares_memory(y.data, x.data) and y.device == x.device
    a[0, 0] = 0
    assert x[0, 0].item() == y[0, 0].item() == 0


def test_strides_empty_tensors_and_scalars_travel():
    x = gf.arange(6).reshape(2, 3)
    for view in (x.T, x[:, ::2], x[0, 1], gf.zeros((0, 2))):
        np.testing.assert_array_equal(np.from_dlpack(view), view.numpy())


@pytest.mark.parametrize("dtype", [each for each in DTYPES if each != "uint8"])
def test_memory_is_shared_with_pytorch_both_ways(torch, dtype):
    x = gf.ones((2, 3), dtype=dtype)
    t = torch.from_dlpack(x)
    assert t.data_ptr() == x.data.ctypes.data
    t[0, 0] = 0
    assert x[0, 0].item() == 0
    back = gf.from_dlpack(t)
    assert back.data.ctypes.data == t.data_ptr() and back.dtype == x.dtype and back.data.flags.writeable


def test_a_copy_is_made_when_it_is_asked_for_and_never_when_it_is_forbidden():
    a = np.zeros(2)
    assert not np.shares_memory(gf.from_dlpack(a, copy=True).data, a)
    assert np.shares_memory(gf.from_dlpack(a, copy=False).data, a)
    x = gf.zeros(2)
    assert not np.shares_memory(np.from_dlpack(x, copy=True), x.data)


def test_a_tensor_that_requires_grad_is_not_handed_over(torch):
    x = gf.ones(2, requires_grad=True)
    for take in (np.from_dlpack, torch.from_dlpack, lambda t: t.__dlpack__()):
        with pytest.raises(BufferError, match=r"requires grad.* use \.detach\(\)"):
            take(x)
    with pytest.raises(ExportError, match=r"did not hand its memory over.*require gradient"):
        gf.from_dlpack(torch.ones(2, requires_grad=True))
    assert gf.from_dlpack(x) is x


def test_read_only_memory_is_said_to_be_so_or_not_handed_over():
    a = np.zeros(2)
    a.flags.writeable = False
    x = gf.from_numpy(a)
    assert not np.from_dlpack(x).flags.writeable
    with pytest.raises(ExportError, match=r"before version 1\.0 cannot say"):
        x.__dlpack__()


def test_what_is_no_array_or_no_number_is_refused():
    with pytest.raises(DTypeError, match="list has no __dlpack__"):
        gf.from_dlpack([1.0])
    with pytest.raises(ExportError, match=r"DLPack's device \(10, 0\)"):
        gf.from_dlpack(Capsule(np.zeros(2), (10, 0)))
    with pytest.raises(ExportError, match="has no stream"):
        gf.ones(1).__dlpack__(stream=1)
    with pytest.raises(ExportError, match="inside vmap"):
        gf.vmap(np.from_dlpack)(gf.ones((2, 2)))


def test_devices_are_told_apart(cuda):
    x = gf.tensor([1.0, 2.0], device="cuda")
    assert x.__dlpack_device__() == (2, 0) and gf.ones(1).__dlpack_device__() == (1, 0)
    with pytest.raises(ArgumentError, match="takes a copy"):
        gf.from_dlpack(x, device="cpu", copy=False)
    with pytest.raises(ExportError, match="without a copy"):
        x.__dlpack__(dl_device=(1, 0), copy=False)
    with pytest.raises(ExportError, match="asked for on DLPack's device"):
        gf.ones(1).__dlpack__(dl_device=(2, 0))
    assert np.from_dlpack(x, device="cpu").tolist() == [1.0, 2.0]
    assert gf.from_dlpack(x, device="cpu").tolist() == [1.0, 2.0]
    assert gf.from_dlpack(np.ones(2), device="cuda").device == x.device


def test_numpy_gets_a_view_unless_it_asks_for_more():
    x = gf.tensor([1.0, 2.0])
    assert np.shares_memory(np.asarray(x), x.data) and np.shares_memory(np.asarray(x, copy=False), x.data)
    assert not np.shares_memory(np.array(x), x.data)
    assert np.asarray(x, dtype="float64").dtype == np.float64
    with pytest.raises(ValueError, match="copy"):
        np.asarray(x, dtype="float64", copy=False)
    with pytest.raises(gf.errors.GradientError, match=r"use \.detach\(\)\.numpy\(\)"):
        np.asarray(gf.ones(1, requires_grad=True))
