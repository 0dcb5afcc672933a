"""Products that are not cuBLASLt's to do, that make no sense or have no terms; and how its errors are told."""

from __future__ import annotations

import numpy as np
import pytest

from arena import Bench
from gradflow.backend import gemm as products
from gradflow.backend.column_major import RULES, aux_shape
from gradflow.backend.cublaslt import SIGNATURES, Epilogue, Status, check
from gradflow.errors import ArgumentError, DeviceError, ShapeError
from gradflow.launch import LIMIT, Gemm

M, N, K = 5, 7, 6


@pytest.fixture
def bench():
    return Bench()


def operands(bench, dtype=np.float32):
    return {
        "a": bench.array(M, K, dtype=dtype),
        "b": bench.array(K, N, dtype=dtype),
        "out": bench.filled(M, N, dtype=dtype),
    }


def mask(bench, m=M, n=N):
    return bench.filled(*aux_shape("relu_aux", m, n), dtype="u1", value=0)


# ---- what is left to another way


def refused(bench, gemm, heuristics=0):
    before = gemm.out.tobytes()
    for _ in range(2):
        assert bench.run(gemm) is False
    assert gemm.out.tobytes() == before
    assert bench.library.calls["cublasLtMatmulAlgoGetHeuristic"] == heuristics
    assert bench.library.calls["cublasLtMatmul"] == 0
    assert bench.library.alive["operation"] == bench.library.alive["layout"] == bench.library.alive["preference"] == 0


def test_cublaslt_leaves_a_product_to_others_if_it_has_no_algorithm_and_asks_once(bench):
    bench.library.unsupported = {Epilogue.RELU_AUX_BIAS}
    aux, bias = mask(bench), bench.array(N)
    refused(bench, Gemm(**operands(bench), epilogue="relu_aux", aux=aux, bias=bias), heuristics=1)
    assert bench.run(Gemm(**operands(bench), epilogue="relu_aux", aux=aux))


def test_cublaslt_forgets_refusals_as_it_forgets_plans(bench, monkeypatch):
    monkeypatch.setattr(products, "PLANS", 1)
    bench.library.unsupported = {Epilogue.BIAS}
    for _ in range(2):
        assert not bench.run(Gemm(**operands(bench), bias=bench.array(N)))
        assert bench.run(Gemm(**operands(bench)))
    assert bench.library.calls["cublasLtMatmulAlgoGetHeuristic"] == 4
    assert bench.library.alive["operation"] == 1


def test_cublaslt_leaves_what_it_does_not_support_to_others(bench):
    refused(bench, Gemm(**operands(bench, np.float64), epilogue="relu_aux", aux=mask(bench)), heuristics=1)


@pytest.mark.parametrize("operand", ["a", "b", "out"])
@pytest.mark.parametrize("view", ["stepped", "reversed", "overlapping", "repeated", "repeated columns", "odd"])
def test_cublaslt_leaves_memory_it_cannot_step_through_to_others(bench, operand, view):
    arrays = operands(bench)
    rows, columns = arrays[operand].shape
    item = np.dtype("f4").itemsize
    wide = bench.array(4 * rows, 4 * columns)
    arrays[operand] = {
        "stepped": lambda: wide[:rows, : 2 * columns : 2],
        "reversed": lambda: wide[:rows][::-1, :columns],
        "overlapping": lambda: np.lib.stride_tricks.as_strided(wide, (rows, columns), (item, item), subok=True),
        "repeated": lambda: np.lib.stride_tricks.as_strided(wide, (rows, columns), (0, item), subok=True),
        "repeated columns": lambda: np.lib.stride_tricks.as_strided(wide, (rows, columns), (item, 0), subok=True),
        "odd": lambda: np.lib.stride_tricks.as_strided(wide, (rows, columns), (columns * item + 2, item), subok=True),
    }[view]()
    refused(bench, Gemm(**arrays))


def test_cublaslt_leaves_a_column_major_result_to_others(bench):
    refused(bench, Gemm(**{**operands(bench), "out": bench.array(N, M).T}))


@pytest.mark.parametrize("given", [("f4", "f4", "f8"), ("f4", "f8", "f8"), ("i4", "i4", "i4"), ("f2", "f2", "f4")])
def test_cublaslt_leaves_mixed_dtypes_and_integers_to_others(bench, given):
    arrays = (bench.filled(*shape, dtype=t, value=1) for shape, t in zip([(M, K), (K, N), (M, N)], given, strict=True))
    refused(bench, Gemm(*arrays))


def test_cublaslt_leaves_sizes_of_more_than_31_bits_to_others(bench):
    a = np.lib.stride_tricks.as_strided(bench.array(1), (LIMIT, 1), (4, 4), subok=True)
    out = np.lib.stride_tricks.as_strided(bench.array(1), (LIMIT, N), (4 * N, 4), subok=True)
    assert bench.run(Gemm(a, bench.array(1, N), out)) is False


def test_cublaslt_leaves_stacks_with_an_extra_array_to_others(bench):
    a, b, out = bench.array(3, M, K), bench.array(3, K, N), bench.array(3, M, N)
    refused(bench, Gemm(a, b, out, epilogue="bgrad_b", bias_grad=bench.array(N)))
    refused(bench, Gemm(a, b, out, epilogue="relu_aux", aux=bench.filled(3, M, 16, dtype="u1", value=0)))


def test_cublaslt_leaves_stacks_that_repeat_their_result_or_run_backwards_to_others(bench):
    a, b, out = bench.array(3, M, K), bench.array(3, K, N), bench.array(3, M, N)
    refused(bench, Gemm(a, b, np.broadcast_to(out[:1], out.shape, subok=True)))
    refused(bench, Gemm(a[::-1], b, out))


@pytest.mark.parametrize("name", ["bias", "bias_grad"])
@pytest.mark.parametrize("other", [lambda b: b.array(N, dtype="f8"), lambda b: b.array(2 * N)[::2]])
def test_cublaslt_leaves_a_bias_that_steps_or_has_another_dtype_to_others(bench, name, other):
    epilogue = "none" if name == "bias" else "bgrad_b"
    refused(bench, Gemm(**operands(bench), epilogue=epilogue, **{name: other(bench)}))


def test_cublaslt_leaves_adding_after_an_activation_to_others(bench):
    refused(bench, Gemm(**operands(bench), epilogue="relu", accumulate=True))


def test_cublaslt_leaves_an_unaligned_mask_to_others(bench):
    wide = bench.filled(M * 16 + 8, dtype="u1", value=0)
    refused(bench, Gemm(**operands(bench), epilogue="relu_aux", aux=wide[8:].reshape(M, 16)))


# ---- products without terms


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_a_product_over_nothing_is_zero_or_the_bias_without_cublaslt(bench, bias, accumulate):
    out, vector = bench.filled(M, N, value=3), bench.array(N) if bias else None
    assert bench.run(Gemm(bench.array(M, 0), bench.array(0, N), out, bias=vector, accumulate=accumulate))
    wanted = np.zeros((M, N), "f4") + (vector if bias else 0) + (3 if accumulate else 0)
    assert (np.array(out) == wanted).all()
    assert not bench.library.calls


@pytest.mark.parametrize("shape", [(0, N, K), (M, 0, K), (0, 0, 0)])
def test_a_product_without_result_does_nothing(bench, shape):
    m, n, k = shape
    assert bench.run(Gemm(bench.array(m, k), bench.array(k, n), bench.array(m, n), bias=bench.array(n)))
    assert bench.run(Gemm(bench.array(0, m, k), bench.array(0, k, n), bench.array(0, m, n)))
    assert not bench.library.calls


def test_a_product_over_nothing_with_an_epilogue_is_left_to_others(bench):
    out = bench.filled(M, N, value=3)
    assert bench.run(Gemm(bench.array(M, 0), bench.array(0, N), out, epilogue="relu")) is False
    assert (out == 3).all()


# ---- products that make no sense


@pytest.mark.parametrize(
    ("a", "b", "out", "message"),
    [
        ((M, K), (K + 1, N), (M, N), r"product of \(5, 6\) and \(7, 7\) in float32, .*: sums over 6 and over 7 terms"),
        ((M, K), (K, N), (N, M), r"the result does not fit into \(7, 5\)"),
        ((M, K), (K, N), (M + 1, N), "does not fit"),
        ((M, K), (3, K, N), (3, M, N), "does not fit"),
        ((2, M, K), (3, K, N), (3, M, N), "does not fit"),
        ((K,), (K,), (K,), "does not fit"),
    ],
)
def test_shapes_that_do_not_fit_are_told(bench, a, b, out, message):
    with pytest.raises(ShapeError, match=message):
        bench.run(Gemm(bench.array(*a), bench.array(*b), bench.array(*out)))


def test_messages_show_which_operands_are_transposed(bench):
    with pytest.raises(ShapeError, match=r"product of \(5, 6\)ᵀ and \(6, 7\) in float32, epilogue none"):
        bench.run(Gemm(**operands(bench), transpose_a=True))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epilogue": "tanh"}, "no epilogue 'tanh'; use one of none, relu, "),
        ({"epilogue": "relu_aux"}, "needs aux"),
        ({"epilogue": "drelu_bgrad", "aux": True}, "needs bias_grad"),
        ({"epilogue": "relu", "aux": True}, "takes no aux"),
        ({"bias_grad": True}, "takes no bias_grad"),
        ({"epilogue": "bgrad_a", "bias": True, "bias_grad": True}, "takes no bias"),
    ],
)
def test_an_epilogue_without_its_arrays_or_with_others_is_told(bench, given, message):
    arrays = {"aux": mask(bench), "bias": bench.array(N), "bias_grad": bench.array(N)}
    with pytest.raises(ArgumentError, match=message):
        bench.run(Gemm(**operands(bench), **{k: arrays[k] if v is True else v for k, v in given.items()}))


@pytest.mark.parametrize("name", ["bias", "bias_grad"])
def test_a_bias_that_does_not_fit_is_told(bench, name):
    epilogue = "none" if name == "bias" else "bgrad_b"
    with pytest.raises(ShapeError, match=r"must have 7 elements, not shape \(8,\)"):
        bench.run(Gemm(**operands(bench), epilogue=epilogue, **{name: bench.array(N + 1)}))


def test_the_gradient_of_a_bias_is_as_long_as_the_rows_that_bgrad_a_sums(bench):
    assert bench.run(Gemm(**operands(bench), epilogue="bgrad_a", bias_grad=bench.filled(M)))
    with pytest.raises(ShapeError, match="must have 5 elements"):
        bench.run(Gemm(**operands(bench), epilogue="bgrad_a", bias_grad=bench.filled(N)))


@pytest.mark.parametrize(
    "wrong",
    [lambda b: b.filled(M, 1, dtype="u1"), lambda b: b.filled(M, 16), lambda b: b.filled(M, 32, dtype="u1")[:, :16]],
)
def test_a_mask_that_does_not_fit_is_told(bench, wrong):
    with np.errstate(invalid="ignore"), pytest.raises(ShapeError, match=r"aux must be contiguous uint8 of \(5, 16\)"):
        bench.run(Gemm(**operands(bench), epilogue="relu_aux", aux=wrong(bench)))


def test_every_epilogue_has_a_rule_and_rows_of_aux_are_padded():
    assert {rule.plain for rule in RULES.values()} | {r.with_bias for r in RULES.values()} - {None} == set(Epilogue)
    assert [aux_shape("drelu", 3, n) for n in (1, 128, 129)] == [(3, 16), (3, 16), (3, 32)]
    assert [aux_shape("gelu_aux", 3, n) for n in (1, 8, 9)] == [(3, 8), (3, 8), (3, 16)]


# ---- errors of the library


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (Status.NOT_INITIALIZED, "gradflow info"),
        (Status.ALLOC_FAILED, "free memory"),
        (Status.INVALID_VALUE, "an error in gradflow, please report it"),
        (Status.ARCH_MISMATCH, "another dtype"),
        (Status.EXECUTION_FAILED, "started anew"),
        (Status.NOT_SUPPORTED, "newest nvidia-cublas wheel"),
        (99, "cuBLASLt status 99"),
    ],
)
def test_cublaslt_errors_name_the_status_the_product_and_what_to_do(bench, status, advice):
    bench.library.failing["cublasLtMatmul"] = status
    name = f"CUBLAS_STATUS_{status.name}" if isinstance(status, Status) else "status 99"
    with pytest.raises(DeviceError, match=rf"product of \(5, 6\) and \(6, 7\) in float32.*{name}") as caught:
        bench.run(Gemm(**operands(bench)))
    assert advice in str(caught.value)


@pytest.mark.parametrize("function", [f for f in SIGNATURES if f.endswith(("Create", "Attribute", "Heuristic"))])
def test_cublaslt_leaves_nothing_behind_when_a_call_fails(bench, function):
    bench.library.failing[function] = Status.INTERNAL_ERROR
    a, b, out = bench.array(2, M, K), bench.array(2, K, N), bench.filled(2, M, N)
    with pytest.raises(DeviceError, match="CUBLAS_STATUS_INTERNAL_ERROR"):
        bench.run(Gemm(a, b, out))
    assert set(bench.library.alive) <= {"handle"}
    bench.library.failing.clear()
    assert bench.run(Gemm(a, b, out))


def test_cublaslt_that_has_no_heuristic_for_a_product_is_no_error(bench):
    bench.library.failing["cublasLtMatmulAlgoGetHeuristic"] = Status.NOT_SUPPORTED
    refused(bench, Gemm(**operands(bench)), heuristics=1)


def test_success_is_no_error():
    check(Status.SUCCESS, "product")
