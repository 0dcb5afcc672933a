"""Simulated streams, events, captures and graphs: what CUDA and CuPy refuse in a capture, and what a graph replays."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from gradflow.testing.ptx import KernelFault
from gradflow.testing.simulated import Cupy


@pytest.fixture
def xp():
    return Cupy()


def capturing(xp):
    stream = xp.cuda.Stream(non_blocking=True)
    stream.use()
    stream.begin_capture()
    return stream


def test_a_simulated_stream_is_current_in_its_block_and_in_its_thread(xp):
    null, stream = xp.cuda.get_current_stream(), xp.cuda.Stream(non_blocking=True)
    assert null == xp.cuda.Stream.null
    assert null.ptr == 0
    with stream:
        assert xp.cuda.get_current_stream() is stream
        xp.zeros(3)
        assert xp.records[-1].stream == stream.ptr
        seen = []
        thread = threading.Thread(target=lambda: seen.append(xp.cuda.get_current_stream().ptr))
        thread.start()
        thread.join()
        assert seen == [0]
    assert xp.cuda.get_current_stream() == null
    assert stream.use() is xp.cuda.get_current_stream()


def test_a_simulated_stream_is_used_on_its_own_device():
    two = Cupy(devices=2)
    stream = two.cuda.Stream()
    with two.cuda.Device(1):
        with pytest.raises(RuntimeError, match=r"created on \(0\) does not match with the current device \(1\)"):
            stream.use()
        with two.cuda.Stream.null:
            two.zeros(1)
        assert two.records[-1].device == 1
        with two.cuda.Stream() as other:
            assert two.cuda.get_current_stream(1) is other
            assert two.cuda.get_current_stream(0).ptr == 0


def test_simulated_waits_are_recorded(xp):
    stream, event = xp.cuda.Stream(), xp.cuda.Event()
    mark = len(xp.records)
    stream.synchronize()
    stream.record(event)
    event.synchronize()
    xp.cuda.Device().synchronize()
    assert xp.records.count("sync", since=mark) == 3
    assert stream.done
    assert event.done
    other = xp.cuda.Stream()
    other.wait_event(event)
    assert xp.cuda.get_elapsed_time(event, other.record()) == 0


def test_a_simulated_stream_of_somebody_else_is_taken_by_its_pointer(xp):
    stream = xp.cuda.Stream()
    with pytest.warns(DeprecationWarning, match="ExternalStream is deprecated"):
        external = xp.cuda.ExternalStream(stream.ptr)
    with external:
        assert external == stream
        xp.zeros(2)
    assert xp.records[-1].stream == stream.ptr

    class Foreign:
        def __cuda_stream__(self):
            return 0, 0x1234

    assert xp.cuda.Stream.from_external(Foreign()).ptr == 0x1234
    with pytest.raises(xp.cuda.runtime.CUDARuntimeError, match="InvalidResourceHandle"):
        xp.cuda.runtime.streamSynchronize(0x9999)


def test_a_simulated_capture_does_nothing_until_its_graph_is_launched(xp):
    x, out = xp.asarray(np.array([1.0, 2.0])), xp.zeros(2)
    mark = len(xp.records)
    stream = capturing(xp)
    xp.add(x, 1, out=out)
    xp.multiply(out, 2, out=out)
    x.fill(5)
    assert stream.is_capturing()
    graph = stream.end_capture()
    assert not stream.is_capturing()
    assert out.tolist() == [0, 0]
    assert xp.records.count("kernel", "graph", since=mark) == 0
    graph.upload(stream)
    graph.launch(stream)
    assert out.tolist() == [4, 6]
    assert x.tolist() == [5, 5]
    graph.launch()
    assert out.tolist() == [12, 12]
    assert xp.records.count("graph", since=mark) == 2
    assert xp.records.count("kernel", since=mark) == 0


def test_a_simulated_graph_reads_what_is_in_its_arrays_when_it_is_launched(xp):
    x, total = xp.zeros((2, 3)), xp.zeros(3)
    stream = capturing(xp)
    x.sum(axis=0, out=total)
    graph = stream.end_capture()
    for value in (1.0, 2.0):
        x[...] = value
        graph.launch(stream)
        assert total.tolist() == [2 * value] * 3


def refused(xp, call, error, match):
    stream = xp.cuda.Stream(non_blocking=True).use()
    x = xp.ones((2, 2))
    _ = [x > 0, xp.ones(2)]
    xp.places = xp.asarray([0])
    del _  # the pool keeps what results will need
    stream.begin_capture()
    with pytest.raises(error, match=match):
        call(xp, x, stream)
    assert stream.is_capturing()
    return stream


@pytest.mark.parametrize(
    "call",
    [
        lambda xp, x, s: x.get(),
        lambda xp, x, s: x[0, 0].item(),
        lambda xp, x, s: float(x[0, 0]),
        lambda xp, x, s: bool(x[0, 0]),
        lambda xp, x, s: x.tolist(),
        lambda xp, x, s: xp.asnumpy(x),
        lambda xp, x, s: xp.asarray(np.ones(2)),
        lambda xp, x, s: xp.array([1.0]),
        lambda xp, x, s: x.set(np.ones((2, 2))),
        lambda xp, x, s: x.data.copy_from_host(np.ones(4).ctypes.data, 32),
        lambda xp, x, s: x[x > 0],
        lambda xp, x, s: x.__setitem__(xp.places, 3.0),
        lambda xp, x, s: xp.nonzero(x),
        lambda xp, x, s: xp.where(x > 0),
    ],
)
def test_a_simulated_capture_refuses_what_would_wait_for_the_host(xp, call):
    stream = refused(xp, call, RuntimeError, "the current stream is capturing, so synchronous API calls are disallowed")
    stream.end_capture()  # CuPy refuses before CUDA hears of it


@pytest.mark.parametrize(
    "call",
    [
        lambda xp, x, s: x @ x,
        lambda xp, x, s: xp.dot(x, x),
        lambda xp, x, s: xp.tensordot(x, x),
        lambda xp, x, s: xp.einsum("ij,jk->ik", x, x),
    ],
)
def test_a_simulated_capture_refuses_cupys_cublas(xp, call):
    refused(xp, call, NotImplementedError, "calling cuBLAS API during stream capture is currently unsupported")


@pytest.mark.parametrize(
    "call",
    [
        lambda xp, s: s.synchronize(),
        lambda xp, s: xp.cuda.Device().synchronize(),
        lambda xp, s: s.record().synchronize(),
        lambda xp, s: s.done or s.synchronize(),
        lambda xp, s: s.record().done or s.record().synchronize(),
    ],
)
def test_a_simulated_capture_is_spoilt_by_waiting(xp, call):
    stream = capturing(xp)
    with pytest.raises(xp.cuda.runtime.CUDARuntimeError, match=r"StreamCaptureUnsupported|CapturedEvent"):
        call(xp, stream)
    with pytest.raises(xp.cuda.runtime.CUDARuntimeError, match="cudaErrorStreamCaptureInvalidated"):
        stream.end_capture()
    assert not stream.is_capturing()
    stream.synchronize()


def test_asking_whether_work_is_done_spoils_a_simulated_capture_without_an_error(xp):
    stream = capturing(xp)
    assert not stream.done
    with pytest.raises(xp.cuda.runtime.CUDARuntimeError, match="Invalidated"):
        stream.end_capture()


def test_a_simulated_capture_allocates_from_the_pool_alone(xp):
    stream = xp.cuda.Stream(non_blocking=True)
    with stream:
        x = xp.ones(100)
        warm = x + 1
        del warm
        stream.begin_capture()
        y = x + 1
        with pytest.raises(xp.cuda.runtime.CUDARuntimeError, match="StreamCaptureUnsupported"):
            y + 1
        graph = stream.end_capture()
        with pytest.raises(KernelFault, match="uninitialised"):
            y.get()
        graph.launch()
        assert y[0].tolist() == 2


def test_a_simulated_graph_whose_memory_was_freed_is_not_replayed(xp):
    stream = xp.cuda.Stream(non_blocking=True)
    with stream:
        x = xp.ones(100)
        out = xp.zeros(100)
        stream.begin_capture()
        xp.add(x, 1, out=out)
        graph = stream.end_capture()
        graph.launch()
        del x
        with pytest.raises(KernelFault, match=r"use after free: graph: 'add' .* keep every array of a graph"):
            graph.launch()


def test_what_a_simulated_capture_frees_serves_its_graph_until_another_array_gets_it(xp):
    stream = xp.cuda.Stream(non_blocking=True)
    with stream:
        x, out = xp.ones(100), xp.zeros(100)
        _ = [x + 1, x + 1]
        del _
        stream.begin_capture()
        for _ in range(3):  # the second and third use the memory of the first's intermediate results again
            xp.multiply((x + 1) * 2, 3, out=out)
        graph = stream.end_capture()
        x.fill(2)
        graph.launch()
        graph.launch()
        assert out[0].tolist() == 18
        other = xp.zeros(100)
        with pytest.raises(KernelFault, match="given to another array since"):
            graph.launch()
        del other
        with pytest.raises(KernelFault, match="has been freed since"):
            graph.launch()


def test_what_a_simulated_capture_frees_may_serve_an_array_of_another_size(xp):
    stream = xp.cuda.Stream(non_blocking=True)
    with stream:
        x, out = xp.ones(3), xp.zeros(5)
        _ = x + 1
        del _
        stream.begin_capture()
        x.fill(2)
        xp.multiply(x + 1, 2, out=x)
        xp.add(xp.full(5, 7.0), 0.5, out=out)  # 40 bytes where 24 were
        graph = stream.end_capture()
        graph.launch()
        graph.launch()
        assert (x.tolist(), out.tolist()) == ([6] * 3, [7.5] * 5)
        other = xp.zeros(4)
        with pytest.raises(KernelFault, match="given to another array since"):
            graph.launch()
        assert other.tolist() == [0] * 4
        xp.get_default_memory_pool().free_all_blocks()
        with pytest.raises(KernelFault, match="freed since"):
            graph.launch()


@pytest.mark.parametrize(
    "call",
    [
        lambda xp, x: x.fill(0),
        lambda xp, x: x.fill(1),
        lambda xp, x: x.data.memset_async(0, 8),
        lambda xp, x: x.data.copy_from_device_async(x.data + 8, 8),
        lambda xp, x: x.set(np.frombuffer(xp.pinned, np.float64, 100)),
    ],
)
def test_a_simulated_graph_writes_to_no_memory_that_was_freed(xp, call):
    xp.pinned = xp.cuda.alloc_pinned_memory(800)
    stream = xp.cuda.Stream(non_blocking=True)
    with stream:
        x = xp.ones(100)
        stream.begin_capture()
        call(xp, x)
        graph = stream.end_capture()
        graph.launch()
        assert not xp.isnan(x).any()
        del x
        with pytest.raises(KernelFault, match="has been freed since"):
            graph.launch()


def test_memory_that_a_simulated_capture_uses_again_counts_as_unwritten(xp):
    stream = xp.cuda.Stream(non_blocking=True)
    with stream:
        x = xp.ones(100)
        old = x + 1
        address = old.data.ptr
        stream.begin_capture()
        del old
        new = x * 2
        graph = stream.end_capture()
        assert new.data.ptr == address
        with pytest.raises(KernelFault, match="uninitialised read"):
            new.get()
        graph.launch()
        assert new[0].tolist() == 2


def test_the_simulated_default_stream_is_not_captured_and_not_used_beside_a_blocking_capture(xp):
    with pytest.raises(RuntimeError, match="cannot capture on the default"):
        xp.cuda.Stream.null.begin_capture()
    x = xp.ones(3)
    blocking = xp.cuda.Stream()
    blocking.begin_capture()
    with pytest.raises(xp.cuda.runtime.CUDARuntimeError, match="StreamCaptureImplicit"):
        xp.cuda.Stream.null.is_capturing()
    with pytest.raises(xp.cuda.runtime.CUDARuntimeError, match="StreamCaptureImplicit"):
        x.fill(2)
    with pytest.raises(xp.cuda.runtime.CUDARuntimeError, match="Invalidated"):
        blocking.end_capture()
    free = xp.cuda.Stream(non_blocking=True)
    free.begin_capture()
    x.fill(2)
    free.end_capture()
    assert x.tolist() == [2, 2, 2]


def test_a_simulated_capture_ends_on_the_stream_where_it_began_and_begins_once(xp):
    stream, other = capturing(xp), xp.cuda.Stream(non_blocking=True)
    errors = xp.cuda.runtime.CUDARuntimeError
    with pytest.raises(errors, match="IllegalState"):
        stream.begin_capture()
    with pytest.raises(errors, match="IllegalState"):
        other.end_capture()
    other.wait_event(stream.record())
    with pytest.raises(errors, match="StreamCaptureUnmatched"):
        other.end_capture()
    with pytest.raises(errors, match="Invalidated"):
        stream.end_capture()
    with pytest.raises(NotImplementedError):
        xp.cuda.Graph()


def test_a_simulated_capture_spreads_to_streams_that_wait_for_it_and_must_be_joined(xp):
    x, y = xp.ones(3), xp.ones(3)
    stream, side = capturing(xp), xp.cuda.Stream(non_blocking=True)
    side.wait_event(stream.record())
    assert side.is_capturing()
    with side:
        y.fill(7)
    x.fill(6)
    with pytest.raises(xp.cuda.runtime.CUDARuntimeError, match="StreamCaptureUnjoined"):
        stream.end_capture()
    assert not side.is_capturing()
    stream.begin_capture()
    side.wait_event(stream.record())
    with side:
        y.fill(7)
    stream.wait_event(side.record())
    graph = stream.end_capture()
    assert y.tolist() == [1, 1, 1]
    graph.launch()
    assert y.tolist() == [7, 7, 7]


def test_a_simulated_capture_takes_copies_from_pinned_memory_and_host_functions(xp):
    memory = xp.cuda.alloc_pinned_memory(16)
    host = np.frombuffer(memory, np.float64, 2)
    host[...] = 1
    x = xp.zeros(2)
    called = []
    stream = capturing(xp)
    x.set(host)
    stream.launch_host_func(called.append, "done")
    graph = stream.end_capture()
    assert called == []
    host[...] = 4
    graph.launch()
    assert x.tolist() == [4, 4]
    assert called == ["done"]


def test_work_of_another_library_is_captured_with_the_simulated_stream(xp):
    done = []
    stream = capturing(xp)
    xp.machine.enqueue("gemm", "product", 8, lambda: done.append(1), xp.machine.stream_at(stream.ptr))
    graph = stream.end_capture()
    assert done == []
    graph.launch()
    xp.machine.enqueue("gemm", "product", 8, lambda: done.append(2), xp.machine.stream_at(0))
    assert done == [1, 2]
    assert xp.records[-1] == ("gemm", "product", 8, 0, 0)
