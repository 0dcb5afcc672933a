"""What cuBLASLt does to a product on its way to memory: bias, ReLU and GELU, their gradients, sums."""

from __future__ import annotations

import numpy as np
import pytest

from arena import Bench, close, exact
from gradflow.backend.column_major import RULES, aux_shape
from gradflow.backend.cublaslt import Epilogue
from gradflow.launch import Gemm

M, N, K = 5, 7, 6


@pytest.fixture
def bench():
    return Bench()


def gelu(x):
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def slope(x, h=1e-6):
    return (gelu(x + h) - gelu(x - h)) / (2 * h)


def mask_of(positive):
    """The bits of a ReLU's mask, set one by one, in rows of a multiple of 16 bytes."""
    mask = np.zeros(aux_shape("relu_aux", *positive.shape), np.uint8)
    for i, j in zip(*np.nonzero(positive), strict=True):
        mask[i, j // 8] |= 1 << j % 8
    return mask


SHAPES = [(M, N, K), (3, 130, 4), (64, 16, 8)]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("epilogue", ["none", "relu", "relu_aux", "gelu_aux"])
def test_cublaslt_epilogues_of_a_forward_pass(bench, epilogue, shape, bias):
    m, n, k = shape
    a, b, out = bench.array(m, k, seed=1), bench.array(k, n, seed=2), bench.filled(m, n)
    vector = bench.array(n, seed=3) if bias else None
    z = exact(a) @ exact(b) + (exact(vector) if bias else 0)
    aux = None
    if RULES[epilogue].aux:
        aux = bench.filled(*aux_shape(epilogue, m, n), dtype="u1" if epilogue == "relu_aux" else "f4", value=0)
    assert bench.run(Gemm(a, b, out, bias=vector, epilogue=epilogue, aux=aux))
    close(out, {"none": z, "relu": np.maximum(z, 0)}.get(epilogue[:4], gelu(z)))
    if epilogue == "relu_aux":
        assert bytes(aux) == mask_of(z > 0).tobytes()
        assert bench.last.aux_ld == aux.shape[1] * 8
    elif epilogue == "gelu_aux":
        close(aux[:, :n], z)
        assert not aux[:, n:].any()


def test_cublaslt_leaves_the_padding_of_a_mask_alone(bench):
    aux = bench.filled(*aux_shape("relu_aux", M, 9), dtype="u1", value=0xAB)
    bias = bench.filled(9, value=1e6)
    assert bench.run(
        Gemm(bench.array(M, K), bench.array(K, 9), bench.filled(M, 9), bias=bias, epilogue="relu_aux", aux=aux)
    )
    assert (aux[:, :2] == [0xFF, 0x01]).all()
    assert (aux[:, 2:] == 0xAB).all()


def test_cublaslt_masks_a_zero(bench):
    a, b, out, aux = (
        bench.filled(M, K, value=0),
        bench.array(K, N),
        bench.filled(M, N),
        bench.filled(M, 16, dtype="u1", value=9),
    )
    assert bench.run(Gemm(a, b, out, epilogue="relu_aux", aux=aux))
    assert not aux[:, 0].any()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("epilogue", ["drelu", "drelu_bgrad", "dgelu", "dgelu_bgrad"])
def test_cublaslt_epilogues_of_a_backward_pass(bench, epilogue, shape):
    m, n, k = shape
    dy, w, out = bench.array(m, k, seed=1), bench.array(n, k, seed=2), bench.filled(m, n)
    before = np.random.default_rng(4).standard_normal(aux_shape("gelu_aux", m, n))
    z = before[:, :n].astype(np.float32).astype(np.float64)
    aux = bench.xp.array(mask_of(z > 0) if "relu" in epilogue else before.astype(np.float32))
    bias_grad = bench.filled(n) if "bgrad" in epilogue else None
    assert bench.run(Gemm(dy, w, out, transpose_b=True, epilogue=epilogue, aux=aux, bias_grad=bias_grad))
    wanted = exact(dy) @ exact(w, True) * ((z > 0) if "relu" in epilogue else slope(z))
    close(out, wanted)
    if bias_grad is not None:
        close(bias_grad, wanted.sum(axis=0), size=float(np.abs(wanted).sum(axis=0).max()))


@pytest.mark.parametrize("accumulate", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_cublaslt_sums_an_operand_beside_the_gradient_of_a_weight(bench, shape, accumulate):
    rows, columns, batch = shape
    dy, x = bench.array(batch, rows, seed=1), bench.array(batch, columns, seed=2)
    for a, b, epilogue in ((dy, x, "bgrad_a"), (x, dy, "bgrad_b")):  # weights (out, in) and (in, out)
        out = bench.array(a.shape[1], b.shape[1], seed=3)
        wanted = exact(a, True) @ exact(b) + (exact(out) if accumulate else 0)
        bias_grad = bench.filled(rows)
        gemm = Gemm(a, b, out, transpose_a=True, epilogue=epilogue, bias_grad=bias_grad, accumulate=accumulate)
        assert bench.run(gemm)
        close(out, wanted)
        close(bias_grad, exact(dy).sum(axis=0))
    assert [x.epilogue for x in bench.library.products] == [Epilogue.BGRADB, Epilogue.BGRADA]
