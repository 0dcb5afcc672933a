"""Matrix products through our own cuBLASLt handle: layouts, dtypes, stacks, workspaces, plans and handles."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from arena import STREAM, Bench, Bfloat16, Device, close, exact
from gradflow.backend import gemm as products
from gradflow.backend.cublaslt import Compute, Preference
from gradflow.backend.gemm import MIB, Matmul
from gradflow.launch import Gemm
from gradflow.testing.device import simulated_backend

M, N, K = 5, 7, 6


@pytest.fixture
def bench():
    return Bench()


# how a matrix of that shape may lie in memory, and the flag that goes with it
def plain(bench, rows, columns, seed):
    return bench.array(rows, columns, seed=seed), False


def flagged(bench, rows, columns, seed):
    return bench.array(columns, rows, seed=seed), True


def transposed_view(bench, rows, columns, seed):
    return bench.array(columns, rows, seed=seed).T, False


def flagged_view(bench, rows, columns, seed):
    return bench.array(rows, columns, seed=seed).T, True


def strided(bench, rows, columns, seed):
    return bench.array(rows, columns + 5, seed=seed)[:, 2 : columns + 2], False


def strided_and_flagged(bench, rows, columns, seed):
    return bench.array(columns, rows + 3, seed=seed)[:, :rows], True


def strided_transposed_view(bench, rows, columns, seed):
    return bench.array(columns, rows + 3, seed=seed)[:, 1:-2].T, False


LAYOUTS = (plain, flagged, transposed_view, flagged_view, strided, strided_and_flagged, strided_transposed_view)


@pytest.mark.parametrize("layout_b", LAYOUTS)
@pytest.mark.parametrize("layout_a", LAYOUTS)
def test_cublaslt_multiplies_matrices_however_they_lie(bench, layout_a, layout_b):
    a, transpose_a = layout_a(bench, M, K, 1)
    b, transpose_b = layout_b(bench, K, N, 2)
    out = bench.filled(M, N + 3)[:, 1:-2]
    assert bench.run(Gemm(a, b, out, transpose_a, transpose_b))
    close(out, exact(a, transpose_a) @ exact(b, transpose_b))
    assert np.isnan(out.base[:, [0, -2, -1]]).all(), "wrote beside the result"


def test_cublaslt_is_told_the_leading_dimensions_of_row_major_memory(bench):
    a, b, out = bench.array(M, 20)[:, :K], bench.array(N, 30)[:, :K], bench.filled(M, 40)[:, :N]
    assert bench.run(Gemm(a, b, out, transpose_b=True))
    sent = bench.last
    assert (sent.a.address, sent.a.rows, sent.a.columns, sent.a.ld, sent.a.transposed) == (b.data.ptr, K, N, 30, True)
    assert (sent.b.address, sent.b.rows, sent.b.columns, sent.b.ld, sent.b.transposed) == (a.data.ptr, K, M, 20, False)
    assert (sent.d.address, sent.d.rows, sent.d.columns, sent.d.ld) == (out.data.ptr, N, M, 40)
    assert sent.c == sent.d
    assert sent.stream == STREAM


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 1), (5, 1, 3), (1, 1, 6), (1, 7, 6), (5, 1, 1)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_cublaslt_multiplies_single_rows_and_columns(bench, layout, shape):
    m, n, k = shape
    a, transpose_a = layout(bench, m, k, 1)
    b, transpose_b = layout(bench, k, n, 2)
    out = bench.filled(m, n)
    assert bench.run(Gemm(a, b, out, transpose_a, transpose_b))
    close(out, exact(a, transpose_a) @ exact(b, transpose_b))


def test_cublaslt_multiplies_single_rows_and_columns_that_step(bench):
    vector = bench.array(3 * K)[::3]
    row, column = vector[None, :], vector[:, None]
    for a, b in ((row, column), (column, row), (row, row.T), (column, column.T)):
        out = bench.filled(a.shape[0], b.shape[1])
        assert bench.run(Gemm(a, b, out))
        close(out, exact(a) @ exact(b))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_cublaslt_computes_in_every_float(bench, dtype):
    a, b, bias, out = (bench.array(*s, dtype=dtype) for s in ((M, K), (K, N), (N,), (M, N)))
    assert bench.run(Gemm(a, b, out, bias=bias))
    close(out, exact(a) @ exact(b) + exact(bias))
    assert bench.last.compute == (Compute.F64 if dtype is np.float64 else Compute.F32)


def test_cublaslt_computes_in_bfloat16(bench):
    bits = [bench.xp.array((bench.array(*s).view("u4") >> 16).astype("u2")) for s in ((M, K), (K, N), (M, N))]
    a, b, out = (x.view(Bfloat16) for x in bits)
    assert bench.run(Gemm(a, b, out))
    a, b, out = ((np.array(x, "u4") << 16).view("f4") for x in bits)
    wanted = exact(a) @ exact(b)
    np.testing.assert_allclose(out, wanted, rtol=2**-8, atol=1e-5)  # half of the step between bfloat16 numbers


def stacks(bench, a_stride, b_stride):
    a = bench.array(4, M, K)[:: max(a_stride, 1)] if a_stride else bench.array(1, M, K)
    b = bench.array(4, K, N, seed=3)[:: max(b_stride, 1)] if b_stride else bench.array(1, K, N, seed=3)
    batch = max(len(a), len(b))
    return np.broadcast_to(a, (batch, M, K), subok=True), np.broadcast_to(b, (batch, K, N), subok=True), batch


@pytest.mark.parametrize(("a_stride", "b_stride"), [(1, 1), (2, 2), (0, 1), (1, 0)])
def test_cublaslt_multiplies_stacks_and_one_matrix_with_a_stack(bench, a_stride, b_stride):
    a, b, batch = stacks(bench, a_stride, b_stride)
    out = bench.filled(batch, M, N)
    assert bench.run(Gemm(a, b, out, bias=bench.filled(N, value=2)))
    close(out, exact(a) @ exact(b) + 2)
    assert bench.last.batch == batch
    assert (bench.last.a.stride, bench.last.b.stride) == (b_stride * K * N, a_stride * M * K)


def test_cublaslt_multiplies_stacks_of_transposed_views(bench):
    a, b, out = bench.array(3, K, M).transpose(0, 2, 1), bench.array(3, N, K), bench.filled(M, 3, N).transpose(1, 0, 2)
    assert bench.run(Gemm(a, b, out, transpose_b=True))
    close(out, exact(a) @ exact(b, True))
    assert (bench.last.d.ld, bench.last.d.stride) == (3 * N, N)


@pytest.mark.parametrize("bias", [False, True])
def test_cublaslt_adds_to_the_result_when_accumulating(bench, bias):
    a, b, out = bench.array(M, K), bench.array(K, N), bench.array(M, N, seed=5)
    vector = bench.array(N) if bias else None
    wanted = exact(out) + exact(a) @ exact(b) + (exact(vector) if bias else 0)
    assert bench.run(Gemm(a, b, out, bias=vector, accumulate=True))
    close(out, wanted)
    assert (bench.last.alpha, bench.last.beta) == (1, 1)


def test_cublaslt_uses_tf32_for_float32_alone_and_only_when_told_to(bench):
    a, b, plain, fast = bench.array(M, K), bench.array(K, N), bench.filled(M, N), bench.filled(M, N)
    assert bench.run(Gemm(a, b, plain))
    assert bench.run(Gemm(a, b, fast), tf32=True)
    assert [x.compute for x in bench.library.products] == [Compute.F32, Compute.F32_FAST_TF32]
    wanted = exact(a) @ exact(b)
    close(plain, wanted)
    assert 1e-5 < np.abs(fast - wanted).max() < 1e-2
    half = [bench.array(*s, dtype=np.float16) for s in ((M, K), (K, N), (M, N))]
    assert bench.run(Gemm(*half), tf32=True)
    assert bench.last.compute == Compute.F32


# ---- workspaces, plans, handles


def test_cublaslt_works_in_the_workspace_it_is_given(bench):
    other = bench.matmul.workspace()
    gemm = Gemm(bench.array(M, K), bench.array(K, N), bench.filled(M, N))
    bench.matmul.run(gemm, 0x10, bench.workspace)
    bench.matmul.run(gemm, 0x20, other)
    used = [(x.stream, x.workspace, x.workspace_bytes) for x in bench.library.products]
    assert used == [(0x10, bench.workspace.data.ptr, 4 * MIB), (0x20, other.data.ptr, 4 * MIB)]


@pytest.mark.parametrize(("capability", "size"), [("75", 4), ("86", 4), ("90", 32), ("120", 32)])
def test_cublaslt_workspaces_are_as_large_as_nvidia_makes_them(capability, size):
    workspace = Matmul(Device(capability), None).workspace()
    assert (workspace.dtype, workspace.nbytes) == (np.uint8, size * MIB)


def test_cublaslt_describes_a_product_once_wherever_its_arrays_lie(bench):
    def step():
        b, bias, out = bench.array(K, N), bench.array(N), bench.filled(M, N)
        assert bench.run(Gemm(bench.array(M, K), b, out, bias=bias))
        return out, bias

    (first, bias), calls = step(), bench.library.calls.copy()
    first[...], bias[...] = 3, np.nan  # what a descriptor still pointed to
    second, _ = step()
    assert np.isfinite(second).all()
    assert (first == 3).all()
    assert bench.library.calls - calls == {"cublasLtMatmulDescSetAttribute": 1, "cublasLtMatmul": 1}


def test_cublaslt_asks_anew_for_arrays_that_are_less_aligned(bench):
    flat = bench.array(M * K + 1)
    for start in (0, 1):
        a, out = flat[start : start + M * K].reshape(M, K), bench.filled(M, N)
        assert bench.run(Gemm(a, bench.array(K, N), out))
        close(out, exact(a) @ exact(bench.array(K, N)))
    assert bench.library.calls["cublasLtMatmulAlgoGetHeuristic"] == 2


def test_cublaslt_tells_the_heuristic_how_arrays_and_bias_are_aligned(bench):
    flat = bench.array(100)
    for start, wanted in ((0, 256), (1, 4), (2, 8)):
        bias = flat[start : start + N]
        assert bench.run(Gemm(bench.array(M, K), bench.array(K, N), bench.filled(M, N), bias=bias))
        wishes = bench.library.preferences[-1]
        assert [wishes[x] for x in range(Preference.MIN_ALIGNMENT_A, Preference.MIN_ALIGNMENT_D + 1)] == [
            256,
            256,
            wanted,
            wanted,
        ]
        assert wishes[Preference.MAX_WORKSPACE_BYTES] == 4 * MIB


def test_cublaslt_asks_anew_for_other_strides_and_for_another_size_of_workspace(bench):
    b = bench.array(K, N)
    for a in (bench.array(M, K), bench.array(M, 2 * K)[:, :K], bench.array(K, M).T):
        for workspace in (bench.workspace, bench.workspace[:1024]):
            out = bench.filled(M, N)
            assert bench.matmul.run(Gemm(a, b, out), STREAM, workspace)
            close(out, exact(a) @ exact(b))
    assert bench.library.calls["cublasLtMatmulAlgoGetHeuristic"] == 6


def test_cublaslt_keeps_a_bounded_number_of_plans_and_drops_the_one_longest_unused(bench, monkeypatch):
    monkeypatch.setattr(products, "PLANS", 2)

    def heuristics(*sizes):
        before = bench.library.calls["cublasLtMatmulAlgoGetHeuristic"]
        for m in sizes:
            assert bench.run(Gemm(bench.array(m, K), bench.array(K, N), bench.filled(m, N)))
        return bench.library.calls["cublasLtMatmulAlgoGetHeuristic"] - before

    assert heuristics(1, 2, 1, 3) == 3
    assert heuristics(1, 3) == 0
    assert heuristics(2) == 1
    assert bench.library.alive == {"handle": 1, "operation": 2, "layout": 6}


def test_cublaslt_has_a_handle_for_each_device_made_when_it_is_needed(bench):
    assert bench.library.calls["cublasLtCreate"] == 0
    for bench.xp.current in (0, 1, 1, 0):
        assert bench.run(Gemm(bench.array(M, K), bench.array(K, N), bench.filled(M, N)))
    assert bench.library.calls["cublasLtCreate"] == 2
    assert bench.library.calls["cublasLtMatmulAlgoGetHeuristic"] == 2


def test_cublaslt_products_can_be_captured(bench):
    graph = []
    bench.library.submit = lambda product, work: graph.append((product.stream, product.name, product.bytes, work))
    a, b, out = bench.array(M, K), bench.array(K, N), bench.filled(M, N)
    assert bench.run(Gemm(a, b, out))
    assert np.isnan(out).all()
    for value in (1, 2):
        a[...] = value
        ((stream, name, size, work),) = graph
        work()
        close(out, exact(a) @ exact(b))
    assert (stream, name, size) == (STREAM, "7x5x6 DEFAULT", 4 * (M * K + K * N + M * N))


def test_cublaslt_products_run_in_a_graph_where_those_of_cupy_are_refused():
    backend = simulated_backend(memory=1 << 26)
    xp = backend.xp
    a, b, out = xp.ones((M, K), "f4"), xp.ones((K, N), "f4"), xp.zeros((M, N), "f4")
    with xp.cuda.Stream(non_blocking=True) as stream:
        assert backend.do(Gemm(a, b, out))  # makes the workspace, the handle and the plan
        out.fill(0)
        stream.begin_capture()
        with pytest.raises(NotImplementedError, match="cuBLAS"):
            xp.matmul(a, b)
        assert backend.do(Gemm(a, b, out))
        graph = stream.end_capture()
        assert not out.get().any()
        for value in (1, 2):
            a.fill(value)
            graph.launch(stream)
            assert (out.get() == value * K).all()


def test_cublaslt_threads_do_not_use_each_others_bias(bench):
    told = bench.library.cublasLtMatmulDescSetAttribute

    def slowly(*arguments):
        status = told(*arguments)
        time.sleep(0.005)
        return status

    bench.library.cublasLtMatmulDescSetAttribute = slowly
    a, b = bench.filled(M, K, value=0), bench.filled(K, N, value=0)
    work = [Gemm(a, b, bench.filled(M, N), bias=bench.filled(N, value=i)) for i in range(4)]
    assert bench.run(work[0])
    threads = [threading.Thread(target=bench.run, args=(gemm,)) for gemm in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [float(gemm.out[0, 0]) for gemm in work] == [0, 1, 2, 3]
