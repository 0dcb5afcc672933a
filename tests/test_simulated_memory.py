"""The simulated memory pool: accounting, what it keeps, what it refuses, and faults on demand."""

from __future__ import annotations

import ctypes
import pickle

import numpy as np
import pytest

from gradflow.testing.simulated import Cupy


def test_the_simulated_pool_counts_in_units_of_512_bytes():
    xp = Cupy()
    pool = xp.get_default_memory_pool()
    x, y = xp.empty(1, np.uint8), xp.empty(600, np.uint8)
    assert (pool.used_bytes(), pool.total_bytes(), pool.n_free_blocks()) == (512 + 1024, 1536, 0)
    assert x.data.ptr % 512 == y.data.ptr % 512 == 0
    view = y[10:]
    del y
    assert pool.used_bytes() == 1536  # the view keeps the memory
    del view, x
    assert (pool.used_bytes(), pool.free_bytes(), pool.total_bytes(), pool.n_free_blocks()) == (0, 1536, 1536, 2)
    pool.free_all_blocks()
    assert (pool.free_bytes(), pool.n_free_blocks()) == (0, 0)
    assert xp.empty(0).data.ptr == 0
    assert pool.used_bytes() == 0


def test_the_simulated_pool_serves_from_what_it_keeps_but_only_on_the_stream_that_freed_it():
    xp = Cupy()
    del_me = xp.empty(100)
    mark = len(xp.records)
    del del_me
    again = xp.empty(100)
    assert xp.records.count("alloc", since=mark) == 0
    del again
    with xp.cuda.Stream(non_blocking=True):
        x = xp.empty(100)
    assert xp.records.count("alloc", since=mark) == 1
    assert x.size == 100


def test_simulated_free_memory_is_what_device_and_runtime_say():
    xp = Cupy(memory=1 << 20)
    free, total = xp.cuda.Device().mem_info
    assert total == free == 1 << 20
    x = xp.empty(1000, np.uint8)
    assert xp.cuda.runtime.memGetInfo() == (free - 1024, total)
    del x
    assert xp.cuda.runtime.memGetInfo() == (free - 1024, total)  # the pool keeps it
    xp.get_default_memory_pool().free_all_blocks()
    assert xp.cuda.runtime.memGetInfo() == (free, total)


def test_a_simulated_device_runs_out_of_memory_after_giving_back_what_the_pool_keeps():
    xp = Cupy(memory=1 << 20)
    pool = xp.get_default_memory_pool()
    x = xp.empty(600_000, np.uint8)
    del x
    y = xp.empty(900_000, np.uint8)  # fits once the pool has given back the first
    assert xp.records.count("free") == 1
    with pytest.raises(xp.cuda.memory.OutOfMemoryError, match=r"Out of memory allocating 200,192 bytes \(allocated so"):
        xp.empty(200_000, np.uint8)
    assert issubclass(xp.cuda.memory.OutOfMemoryError, MemoryError)
    assert y.size
    assert pool.used_bytes() == 900_096


def test_the_simulated_pool_keeps_to_its_limit():
    xp = Cupy(memory=1 << 20)
    pool = xp.get_default_memory_pool()
    pool.set_limit(fraction=0.5)
    assert pool.get_limit() == 1 << 19
    with pytest.raises(MemoryError, match="limit set to: 524,288 bytes"):
        xp.empty(600_000, np.uint8)
    pool.set_limit(0)
    assert xp.empty(600_000, np.uint8).size


def test_every_simulated_device_has_a_pool_of_its_own():
    xp = Cupy(devices=2)
    pool = xp.get_default_memory_pool()
    x = xp.empty(512, np.uint8)
    with xp.cuda.Device(1):
        assert pool.used_bytes() == 0
        y = xp.empty(1024, np.uint8)
        assert pool.used_bytes() == 1024
    del y
    assert pool.used_bytes() == x.nbytes


def test_the_simulated_allocation_that_was_told_to_fail_fails_and_no_other():
    xp = Cupy()
    xp.machine.fail_allocation(2)
    x = xp.ones(3)
    with pytest.raises(MemoryError):
        x + 1
    assert (x + 1).tolist() == [2, 2, 2]


def test_a_simulated_launch_failure_poisons_the_device_and_only_that():
    xp = Cupy(devices=2)
    x = xp.ones(3)
    xp.machine.fail_launch(2)
    x += 1
    with pytest.raises(
        xp.cuda.runtime.CUDARuntimeError, match="cudaErrorLaunchFailure: unspecified launch failure"
    ) as e:
        x += 1
    assert e.value.status == 719
    for call in (x.get, xp.cuda.Stream.null.synchronize, lambda: xp.zeros(1), lambda: x + 1, xp.cuda.Event):
        with pytest.raises(xp.cuda.runtime.CUDARuntimeError, match="LaunchFailure"):
            call()
    with xp.cuda.Device(1):
        assert xp.ones(2).tolist() == [1, 1]


def test_without_a_simulated_driver_everything_says_so():
    xp = Cupy(devices=0)
    assert not xp.cuda.is_available()
    assert xp.cuda.runtime.driverGetVersion() == 0
    for call in (xp.cuda.runtime.getDeviceCount, lambda: xp.zeros(3), lambda: xp.asarray([1.0]), xp.cuda.Stream):
        with pytest.raises(xp.cuda.runtime.CUDARuntimeError, match="cudaErrorInsufficientDriver") as raised:
            call()
        assert raised.value.status == 35


def test_simulated_devices_are_numbered_and_current_per_thread():
    xp = Cupy(devices=2)
    assert xp.cuda.runtime.getDeviceCount() == 2
    with xp.cuda.Device(1) as device:
        assert (device.id, xp.cuda.runtime.getDevice(), device.compute_capability) == (1, 1, "80")
        with xp.cuda.Device(0):
            assert xp.cuda.Device().id == 0
        assert xp.cuda.Device() == device
    assert xp.cuda.get_device_id() == 0
    with pytest.raises(xp.cuda.runtime.CUDARuntimeError, match="cudaErrorInvalidDevice"):
        xp.cuda.Device(2).use()
    assert xp.cuda.runtime.deviceGetAttribute(xp.cuda.runtime.cudaDevAttrMultiProcessorCount, 1) == 108
    assert xp.cuda.runtime.getDeviceProperties(0)["warpSize"] == 32


def test_simulated_pointers_copy_and_set_bytes():
    xp = Cupy()
    pointer = xp.cuda.alloc(16)
    host = np.arange(4, dtype=np.int32)
    pointer.copy_from_host(host.ctypes.data, 16)
    x = xp.ndarray((4,), np.int32, pointer)
    assert x.tolist() == [0, 1, 2, 3]
    (pointer + 4).memset_async(255, 4)
    assert x.tolist() == [0, -1, 2, 3]
    back = np.empty(2, np.int32)
    (pointer + 8).copy_to_host(ctypes.c_void_p(back.ctypes.data), 8)
    assert back.tolist() == [2, 3]
    y = xp.zeros(4, np.int32)
    y.data.copy_from_device_async(pointer, 16)
    assert y.tolist() == x.tolist()
    runtime = xp.cuda.runtime
    runtime.memcpyAsync(y.data.ptr + 4, host.ctypes.data, 8, runtime.memcpyHostToDevice, 0)
    runtime.memsetAsync(y.data.ptr + 12, 0, 4, 0)
    assert y.tolist() == [0, 0, 1, 0]
    assert x.data.mem.ptr == pointer.ptr
    assert x.data.device.id == 0


def test_simulated_pinned_memory_is_host_memory_with_a_buffer():
    xp = Cupy()
    memory = xp.cuda.alloc_pinned_memory(32)
    host = np.frombuffer(memory, np.float64, 4)
    host[...] = [1, 2, 3, 4]
    x = xp.empty(4)
    x.set(host)
    assert x.tolist() == [1, 2, 3, 4]
    assert xp.machine.is_pinned(host[1:])
    assert not xp.machine.is_pinned(np.zeros(4))
    out = np.empty(4)
    assert x.get(out=out) is out
    assert out.tolist() == [1, 2, 3, 4]


def test_simulated_unowned_memory_is_seen_where_it_is():
    xp = Cupy()
    x = xp.arange(6, dtype=np.float32)
    memory = xp.cuda.UnownedMemory(x.data.ptr, x.nbytes, x)
    y = xp.ndarray((3,), np.float32, xp.cuda.MemoryPointer(memory, 4), (8,))
    assert y.tolist() == [1, 3, 5]
    assert xp.ndarray((2, 3), np.float32, xp.cuda.MemoryPointer(memory, 0), order="F").tolist() == [
        [0, 2, 4],
        [1, 3, 5],
    ]
    del x
    assert y.tolist() == [1, 3, 5]  # its owner is kept


def test_the_simulated_runtime_answers_as_the_cuda_runtime():
    xp = Cupy()
    runtime = xp.cuda.runtime
    assert runtime.runtimeGetVersion() == runtime.driverGetVersion() == 12090
    runtime.setDevice(0)
    runtime.deviceSynchronize()
    x = xp.zeros(2)
    host = np.array([1.0, 2.0])
    runtime.memcpy(x.data.ptr, host.ctypes.data, 16, runtime.memcpyHostToDevice)
    assert x.tolist() == [1, 2]
    runtime.memset(x.data.ptr, 0, 8)
    assert x.tolist() == [0, 2]
    stream = xp.cuda.Stream(non_blocking=True)
    assert not runtime.streamIsCapturing(stream.ptr)
    with pytest.raises(runtime.CUDARuntimeError, match="cudaErrorInvalidValue"):
        runtime.deviceGetAttribute(10_000, 0)
    with pytest.raises(runtime.CUDARuntimeError, match="cudaErrorInvalidDevice"):
        runtime.getDeviceProperties(7)
    assert runtime.CUDARuntimeError(2).status == 2
    twice = pickle.loads(pickle.dumps(runtime.CUDARuntimeError(2)))
    assert str(twice) == "cudaErrorMemoryAllocation: out of memory"


def test_simulated_pools_and_pointers_are_what_cupy_calls_them():
    xp = Cupy()
    pool = xp.get_default_memory_pool()
    pointer = pool.malloc(1000)
    assert pool.used_bytes() == 1024
    assert int(pointer + 8 - 4) == pointer.ptr + 4
    x, y = xp.arange(4), xp.zeros(4, np.int64)
    y.data.copy_from_device(x.data, 32)
    y.data.memset(0, 8)
    assert y.tolist() == [0, 1, 2, 3]
    host = np.empty(2, np.int64)
    y.data.copy_to_host_async(host.ctypes.data, 16)
    assert host.tolist() == [0, 1]
    host[0] = 9
    y.data.copy_from_host_async(host.ctypes.data, 8)
    assert y[0].item() == 9
    with pytest.raises(ValueError, match="size and fraction"):
        pool.set_limit(1, 0.5)
    device = xp.cuda.Device(0)
    assert (int(device), [5][device], hash(device), repr(device)) == (0, 5, 0, "<CUDA Device 0>")


def test_the_simulated_pool_gives_back_what_one_stream_freed():
    xp = Cupy()
    pool, stream = xp.get_default_memory_pool(), xp.cuda.Stream()
    x = xp.empty(100)
    with stream:
        y = xp.empty(100)
    del x, y
    pool.free_all_blocks(stream)
    assert pool.n_free_blocks() == 1
