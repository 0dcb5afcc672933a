"""The memory of a simulated device."""

from __future__ import annotations

import numpy as np
import pytest

from gradflow.errors import DeviceError
from gradflow.testing.ptx import Memory


def test_what_is_uploaded_comes_back() -> None:
    memory = Memory(1 << 20)
    for array in (np.arange(7.0), np.ones((3, 4), np.float16), np.array(3, np.int64), np.empty((0, 3))):
        np.testing.assert_array_equal(memory.download(memory.upload(array), array.shape, array.dtype), array)


def test_allocations_are_aligned_apart_and_far_from_zero() -> None:
    memory = Memory(1 << 20)
    addresses = [memory.allocate(n) for n in (1, 511, 512, 513, 0)]
    assert all(address % 512 == 0 and address > 1 << 32 for address in addresses)
    for (a, size), b in zip(zip(addresses, (1, 511, 512, 513), strict=False), addresses[1:], strict=True):
        assert b - (a + size) >= 512


def test_a_view_shares_memory_and_takes_strides() -> None:
    memory = Memory(1 << 20)
    address = memory.upload(np.arange(12, dtype=np.int32).reshape(3, 4))
    columns = memory.view(address, (4, 3), np.int32, strides=(4, 16))
    np.testing.assert_array_equal(columns, np.arange(12).reshape(3, 4).T)
    columns[0, 0] = 99
    assert memory.download(address, (1,), np.int32)[0] == 99
    backwards = memory.view(address + 44, (12,), np.int32, strides=(-4,))
    assert backwards[0] == 11 and backwards[11] == 99


def test_freed_memory_rests_and_is_used_again() -> None:
    memory = Memory(1 << 20)
    first = memory.allocate(1000)
    memory.free(first)
    assert memory.allocate(1000) != first  # at once it would hide a use after free
    with pytest.raises(DeviceError, match=f"free of {first:#x}, which is 0 bytes into memory that was freed"):
        memory.free(first)
    for _ in range(5000):  # five times the capacity
        memory.free(memory.allocate(1000))


def test_holes_next_to_each_other_become_one() -> None:
    memory = Memory(1 << 20)
    pieces = [memory.allocate(100_000) for _ in range(10)]
    for piece in pieces:
        memory.free(piece)
    memory.allocate(900_000)


def test_more_than_there_is_is_refused_with_both_numbers() -> None:
    memory = Memory(1 << 20)
    with pytest.raises(DeviceError, match="simulated device with 1048576"):
        memory.allocate(2 << 20)
    memory.allocate(1 << 19)


def test_freeing_what_was_never_allocated_is_an_error() -> None:
    with pytest.raises(DeviceError, match="near no allocation"):
        Memory(1 << 20).free(12345)
