"""Matrix products of native programs, against NumPy in float64."""

from __future__ import annotations

import ctypes
import itertools

import numpy as np
import pytest

import gradflow as gf
from gradflow.backend import native
from gradflow.backend.native import products
from gradflow.backend.native.blas import blas
from gradflow.backend.native.few_rows import few_rows_product
from gradflow.backend.native.small_products import small_product
from gradflow.dtypes import tolerance
from gradflow.launch import Gemm
from native import address_of, count_chunks

pytest.importorskip("llvmlite")
pytestmark = pytest.mark.skipif(blas() is None, reason="NumPy has a BLAS that gradflow does not know")

SHAPES = [
    (1, 1, 1),
    (3, 5, 7),
    (32, 10, 64),
    (7, 19, 16),
    (6, 17, 8),
    (64, 127, 10),
    (2, 4097, 64),
    (64, 300, 512),
    (1, 300, 400),
    (1, 600, 256),
    (17, 517, 300),
    (300, 1, 70),
    (128, 256, 784),
    (16, 2048, 130),
    (130, 17, 2048),
    (257, 255, 33),
]


@pytest.fixture(autouse=True)
def as_before():
    before = gf.get_num_threads()
    yield
    gf.set_num_threads(before)


def operands(rng, m, n, k, transpose_a, transpose_b, dtype, stack=()):
    a = rng.standard_normal((*stack, *((k, m) if transpose_a else (m, k)))).astype(dtype)
    b = rng.standard_normal((*stack, *((n, k) if transpose_b else (k, n)))).astype(dtype)
    left = a.swapaxes(-1, -2) if transpose_a else a
    right = b.swapaxes(-1, -2) if transpose_b else b
    return a, b, left.astype(np.float64) @ right.astype(np.float64)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("transposes", [(False, False), (False, True), (True, False), (True, True)])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_product_is_numpy_s_whoever_computes_which_part(rng, shape, transposes, dtype, threads):
    gf.set_num_threads(threads)
    a, b, expected = operands(rng, *shape, *transposes, dtype)
    out = np.full(shape[:2], np.nan, dtype)  # what is there before must not matter
    gemm = Gemm(a, b, out, *transposes)
    assert native.multiplies(gemm)
    assert native.Program([gemm], address_of).run() is None
    close = tolerance(np.dtype(dtype)) * np.sqrt(shape[2])
    np.testing.assert_allclose(out, expected, rtol=close, atol=close * 4)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_product_may_be_added_to_what_is_there(rng, threads):
    gf.set_num_threads(threads)
    a, b, expected = operands(rng, 200, 300, 100, True, False, "float64")
    out = np.ones((200, 300))
    native.Program([Gemm(a, b, out, True, accumulate=True)], address_of).run()
    np.testing.assert_allclose(out, expected + 1, rtol=1e-11, atol=1e-11)


def test_stacks_are_multiplied_matrix_by_matrix(rng):
    gf.set_num_threads(2)
    a, b, expected = operands(rng, 8, 9, 10, True, True, "float32", stack=(13,))
    out = np.empty((13, 8, 9), np.float32)
    native.Program([Gemm(a, b, out, True, True)], address_of).run()
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("m", "n", "k"), [(128, 256, 128), (4096, 64, 64), (2048, 2048, 16), (48, 100_000, 3)])
@pytest.mark.parametrize("threads", [2, 3, 16])
def test_parts_cover_the_product_once(m, n, k, threads):
    part = products._cut(Gemm(None, None, None), m, n, k, threads)
    assert 1 <= part.parts <= threads
    rows = [part.m] * (part.parts - 1) + [part.last_m]
    columns = [part.n] * (part.parts - 1) + [part.last_n]
    assert min(rows + columns) > 0
    assert (sum(rows), set(columns)) == (m, {n}) or (set(rows), sum(columns)) == ({m}, n)


def test_small_products_are_not_cut():
    assert products._cut(Gemm(None, None, None), 64, 128, 128, 8).parts == 1


def test_blas_has_its_threads_again_after_a_program(rng):
    library = blas()
    get = ctypes.CFUNCTYPE(ctypes.c_int)(library.get_threads)
    set_ = ctypes.CFUNCTYPE(None, ctypes.c_int)(library.set_threads)
    before = get()
    try:
        for threads in (2, 1):
            set_(threads)
            a, b, _ = operands(rng, 64, 64, 64, False, False, "float32")
            native.Program([Gemm(a, b, np.empty((64, 64), np.float32))], address_of).run()
            assert get() == threads
    finally:
        set_(before)


@pytest.mark.parametrize(
    "gemm",
    [
        Gemm(np.ones((2, 3), "f2"), np.ones((3, 2), "f2"), np.ones((2, 2), "f2")),
        Gemm(np.ones((2, 0), "f4"), np.ones((0, 2), "f4"), np.ones((2, 2), "f4")),
        Gemm(np.ones((2, 3), "f4"), np.ones((3, 2), "f8"), np.ones((2, 2), "f8")),
        Gemm(np.ones((4, 2, 3), "f4"), np.ones((1, 3, 2), "f4"), np.ones((4, 2, 2), "f4")),
        Gemm(np.ones((2, 3), "f4"), np.ones((3, 2), "f4"), np.ones((2, 2), "f4"), bias=np.ones(2, "f4")),
        Gemm(np.ones((2, 3), "f4"), np.ones((3, 2), "f4"), np.ones((2, 2), "f4"), epilogue="relu"),
    ],
    ids=["float16", "empty", "mixed", "broadcast", "bias", "epilogue"],
)
def test_what_blas_does_not_do_is_told_beforehand(gemm):
    assert not native.multiplies(gemm)


def test_without_a_known_blas_nothing_is_multiplied(monkeypatch, rng):
    monkeypatch.setattr(products, "blas", lambda: None)
    assert not native.multiplies(Gemm(*(np.ones((2, 2), "f4") for _ in range(3))))


def test_products_and_loops_take_turns(rng):
    gf.set_num_threads(2)
    a, b, expected = operands(rng, 256, 256, 256, False, False, "float32")
    out, counts = np.empty((256, 256), np.float32), np.zeros(9, np.int64)
    program = native.Program([count_chunks(counts), Gemm(a, b, out), count_chunks(counts)], address_of)
    for _ in range(200):
        program.run()
    assert (counts == 400).all()
    np.testing.assert_allclose(out, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("transposes", [(False, False), (False, True), (True, False)])
def test_small_products_of_all_sizes_stay_inside_their_arrays(rng, transposes):
    works, results = [], []
    for m, n, k in itertools.product((1, 5, 13), (1, 3, 12, 26), (1, 7, 8, 19)):
        a, b, expected = operands(rng, m, n, k, *transposes, "float32")
        memory = np.full(m * n + 32, 7, np.float32)
        works.append(small_product(Gemm(a, b, memory[16:-16].reshape(m, n), *transposes), m, n, k))
        results.append((memory, expected))
    native.Program(works, address_of).run()
    for memory, expected in results:
        np.testing.assert_allclose(memory[16:-16].reshape(expected.shape), expected, rtol=1e-5, atol=1e-5)
        assert (memory[:16] == 7).all()
        assert (memory[-16:] == 7).all()


def test_a_small_product_spreads_what_is_not_finite_and_nothing_more(rng):
    a, b, _ = operands(rng, 5, 11, 13, False, True, "float32")
    a[2, 12], b[4, 12] = np.nan, np.inf
    out = np.empty((5, 11), np.float32)
    native.Program([small_product(Gemm(a, b, out, False, True), 5, 11, 13)], address_of).run()
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(out, a @ b.T, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("m", "n", "k"), [(1, 6, 1), (16, 7, 255), (17, 49, 256), (33, 96, 257), (5, 11, 1000)])
def test_products_of_few_rows_write_their_result_and_nothing_else(rng, m, n, k):
    a, b, expected = operands(rng, m, n, k, False, True, "float32")
    memory = np.full(m * n + 32, np.nan, np.float32)
    out = memory[16:-16].reshape(m, n)
    native.Program(list(few_rows_product(Gemm(a, b, out, False, True))), address_of).run()
    close = tolerance(np.dtype(np.float32)) * np.sqrt(k)
    np.testing.assert_allclose(out, expected, rtol=close, atol=close)
    assert np.isnan(memory[:16]).all()
    assert np.isnan(memory[-16:]).all()


@pytest.mark.parametrize(("vector", "rows"), [(16, 64), (32, 64), (64, 16)])
def test_few_rows_are_ours_where_blas_s_kernels_have_no_longer_vectors(monkeypatch, vector, rows):
    monkeypatch.setattr(products, "register", lambda: vector)

    def names(m, dtype="float32"):
        a, b, out = (np.zeros(shape, dtype) for shape in ((m, 2000), (300, 2000), (m, 300)))
        return [function.name for function in products.product(Gemm(a, b, out, False, True), 1)]

    assert names(1) == ["turn_1_2000", "few_rows_1_300_2000"]
    assert names(rows) == [f"turn_{rows}_2000", f"few_rows_{rows}_300_2000"]
    assert names(rows + 1) == ["product_float" if rows == 64 else "product_transposed_float"]
    assert names(8, "float64") == ["product_transposed_double"]


def test_long_sums_of_products_lose_no_more_digits_than_blas_s(rng):
    a, b, expected = operands(rng, 16, 64, 1 << 16, False, True, "float32")
    out = np.empty((16, 64), np.float32)
    native.Program([Gemm(a, b, out, False, True)], address_of).run()
    ours, blas_s = (np.sqrt(np.mean((x - expected) ** 2)) for x in (out, a @ b.T))
    assert ours < 2 * blas_s
