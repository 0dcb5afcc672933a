"""Gathering, adding rows and checking indices on CUDA: the results of the CPU, and faults where it raises."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.dtypes import tolerance
from gradflow.errors import IndexOutOfRange
from gradflow.nn import functional as F
from gradflow.op import OPS
from launching import from_bf16, run, to_bf16

FLOATS = ["float16", "float32", "float64"]
AROUND = [((5,), 0), ((300, 8), 0), ((40, 10), 0), ((7, 5, 3), 1), ((6, 33), 1), ((2, 9, 16), 1), ((1, 600), 0)]


@pytest.fixture
def fast():
    """Numbers may be added in any order."""
    gf.use_deterministic_algorithms(False)
    yield
    gf.use_deterministic_algorithms(True)


def on_cuda(array: np.ndarray, offset: int = 0) -> gf.Tensor:
    """``array`` on the device, so many elements past an aligned address."""
    padded = np.concatenate([np.zeros(offset, array.dtype), array.reshape(-1)])
    return gf.tensor(padded, device="cuda")[offset:].reshape(array.shape)


def assert_close(found: gf.Tensor, expected: np.ndarray) -> None:
    """As close as sums of so many numbers are."""
    allowed = tolerance(found.dtype) * np.abs(expected).max(initial=1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=allowed)


def settled() -> None:
    gf.cuda.synchronize()


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("shape", "axis"), AROUND)
def test_the_kernel_takes_what_numpy_takes(shape, axis, dtype, offset, cuda, launched, rng):
    x = rng.standard_normal(shape).astype(dtype)
    indices = rng.integers(-shape[axis], shape[axis], (3, 150))
    found = gf.take(on_cuda(x, offset), gf.tensor(indices, device="cuda"), axis=axis)
    assert launched == ["ravel_multi_index", "take"]
    np.testing.assert_array_equal(found.numpy(), np.take(x, indices, axis), strict=True)


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_kernel_of_an_embedding_looks_up_rows(dtype, cuda, launched, rng):
    weight, tokens = rng.standard_normal((50, 24)).astype(dtype), rng.integers(0, 50, (4, 9))
    found = gf.embedding(on_cuda(weight), gf.tensor(tokens, device="cuda"))
    assert launched == ["take"]
    np.testing.assert_array_equal(found.numpy(), weight[tokens], strict=True)


def summed(x: np.ndarray, indices: np.ndarray, shape: tuple[int, ...], axis: int) -> np.ndarray:
    """Zeros of ``shape`` with ``x`` added up in float64, row by row."""
    total = np.moveaxis(np.zeros(shape), axis, 0)
    parts = np.moveaxis(x.astype(np.float64), axis, 0)
    for part, index in zip(parts, indices, strict=True):
        total[index] += part
    return np.moveaxis(total, 0, axis)


def gradient_of_take(
    weights: np.ndarray, indices: np.ndarray, shape: tuple[int, ...], axis: int, device: str
) -> gf.Tensor:
    x = gf.zeros(shape, dtype=weights.dtype, device=device, requires_grad=True)
    gf.take(x, gf.tensor(indices, device=device), axis=axis).backward(gf.tensor(weights, device=device))
    return x.grad


def weights_for(shape: tuple[int, ...], axis: int, count: int, dtype: str, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((*shape[:axis], count, *shape[axis + 1 :])).astype(dtype)


@pytest.mark.parametrize("count", [1, 100])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("shape", "axis"), AROUND)
def test_the_kernel_adds_rows_in_order_with_the_bits_of_the_cpu(shape, axis, dtype, count, cuda, launched, rng):
    weights, indices = weights_for(shape, axis, count, dtype, rng), rng.integers(0, shape[axis], count)
    found = gradient_of_take(weights, indices, shape, axis, "cuda")
    assert launched[-1] == "scatter_add"
    np.testing.assert_array_equal(
        found.numpy(), gradient_of_take(weights, indices, shape, axis, "cpu").numpy(), strict=True
    )
    assert_close(found, summed(weights, indices, shape, axis))


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("shape", "axis"), AROUND)
def test_the_fast_kernel_adds_the_same_rows_in_any_order(shape, axis, dtype, cuda, launched, rng):
    weights, indices = weights_for(shape, axis, 200, dtype, rng), rng.integers(0, shape[axis], 200)
    found = gradient_of_take(weights, indices, shape, axis, "cuda")
    assert launched[-1] == ("scatter_add" if dtype == "float16" else "scatter_add_fast")
    assert_close(found, summed(weights, indices, shape, axis))


def test_rows_that_nothing_is_added_to_are_zero_and_so_are_all_without_indices(cuda):
    found = gradient_of_take(np.ones((2, 5), np.float32), np.array([3, 3]), (4, 5), 0, "cuda")
    assert found.tolist() == [[0.0] * 5] * 3 + [[2.0] * 5]
    assert (
        gradient_of_take(np.ones((0, 5), np.float32), np.zeros(0, int), (4, 5), 0, "cuda").tolist() == [[0.0] * 5] * 4
    )


def test_rows_are_added_from_and_to_memory_that_is_not_aligned(cuda, launched, rng):
    table = on_cuda(rng.standard_normal((9, 8)).astype("f"), 1).requires_grad_()
    tokens = rng.integers(0, 9, 40)
    g = rng.standard_normal((40, 8)).astype("f")
    gf.embedding(table, gf.tensor(tokens, device="cuda")).backward(on_cuda(g, 3))
    assert_close(table.grad, summed(g, tokens, (9, 8), 0))
    assert launched == ["take", "scatter_add"]


def test_more_rows_than_a_block_reads_at_once_are_added_in_order(cuda, rng):
    weights, indices = rng.standard_normal((1100, 4)).astype("f"), rng.integers(0, 16000, 1100)
    indices[1000:1050] = 7
    here, there = (gradient_of_take(weights, indices, (16000, 4), 0, device).numpy() for device in ("cpu", "cuda"))
    np.testing.assert_array_equal(there, here)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_what_is_broadcast_is_added_by_the_kernel_too_at_indices_of_any_kind(dtype, cuda, launched):
    table = gf.zeros((4, 5), device="cuda", requires_grad=True)
    tokens = gf.tensor([[3, 9], [0, 9], [3, 9]], dtype, device="cuda")[:, 0]
    gf.embedding(table, tokens).sum().backward()
    assert launched[-1] == "scatter_add"
    assert table.grad.tolist() == [[1.0] * 5, [0.0] * 5, [0.0] * 5, [2.0] * 5]


@pytest.mark.usefixtures("simulated")
@pytest.mark.parametrize("offset", [0, 1])
def test_kernels_take_and_add_rows_of_bfloat16(offset, rng):
    x, indices = to_bf16(rng.standard_normal((40, 16))), rng.integers(0, 5, 40)
    total, rows = np.empty((5, 16), np.float16), np.empty((40, 16), np.float16)
    run(OPS["scatter_add"].cuda(x, indices, shape=(5, 16), axis=0, deterministic=True, out=total), "bf16", offset)
    expected = np.zeros((5, 16), np.float32)
    np.add.at(expected, indices, from_bf16(x))
    np.testing.assert_array_equal(from_bf16(total), from_bf16(to_bf16(expected)))
    run(OPS["take"].cuda(total, indices, axis=0, out=rows), "bf16", offset)
    np.testing.assert_array_equal(from_bf16(rows), from_bf16(total)[indices])


def test_algorithms_are_deterministic_until_told_otherwise():
    assert gf.are_deterministic_algorithms_enabled()
    gf.use_deterministic_algorithms(False)
    try:
        assert not gf.are_deterministic_algorithms_enabled()
    finally:
        gf.use_deterministic_algorithms(True)
    assert gf.are_deterministic_algorithms_enabled()


# ---- indices out of range: noted, not followed, told at the next wait

LABELS = {"cross_entropy": F.cross_entropy, "nll_loss": F.nll_loss}
LOOKUPS = {
    "take": lambda bad: gf.take(gf.ones((5, 4), device="cuda"), gf.tensor([0, bad], device="cuda"), axis=0),
    "take_along_axis": lambda bad: gf.take_along_axis(gf.ones(5, device="cuda"), gf.tensor([0, bad], device="cuda")),
    "getitem": lambda bad: gf.ones((5, 4), device="cuda")[gf.tensor([0, bad], device="cuda")],
    "setitem": lambda bad: gf.ones((5, 4), device="cuda").__setitem__(gf.tensor([0, bad], device="cuda"), 2.0),
    "set": lambda bad: gf.ones(5, device="cuda").at[gf.tensor([0, bad], device="cuda")].set(2.0),
    "add": lambda bad: gf.ones(5, device="cuda").at[gf.tensor([0, bad], device="cuda")].add(2.0),
    "embedding": lambda bad: gf.embedding(gf.ones((5, 3), device="cuda"), gf.tensor([0, bad], device="cuda")),
    "one_hot": lambda bad: gf.one_hot(gf.tensor([0, bad], device="cuda"), 5),
    **{
        name: lambda bad, loss=loss: loss(gf.zeros((2, 5), device="cuda"), gf.tensor([0, bad], device="cuda"))
        for name, loss in LABELS.items()
    },
}


@pytest.mark.parametrize("bad", [5, -6, 2**62, -(2**62)])
@pytest.mark.parametrize("name", LOOKUPS)
def test_an_index_out_of_range_is_noted_and_not_followed(name, bad, cuda):
    settled()
    LOOKUPS[name](bad)
    with pytest.raises(IndexOutOfRange, match=rf"^{name}: index {bad} \(at position 1\) .* size of 5"):
        settled()
    settled()  # told once


@pytest.mark.parametrize("name", ["embedding", "one_hot", *LABELS])
def test_what_counts_from_the_end_elsewhere_is_out_of_range_for_rows_and_labels(name, cuda):
    LOOKUPS[name](-1)
    with pytest.raises(IndexOutOfRange, match=rf"^{name}: index -1"):
        settled()


@pytest.mark.parametrize("name", LOOKUPS)
def test_looking_up_what_is_there_waits_for_nothing_and_notes_nothing(name, cuda):
    settled()
    syncs = getattr(cuda, "records", None)
    before = 0 if syncs is None else len(syncs)
    LOOKUPS[name](4)
    assert syncs is None or syncs.count("sync", "copy_d2h", since=before) == 0
    settled()


def test_what_is_looked_up_out_of_range_is_zero_and_its_gradient_goes_nowhere(cuda):
    table = gf.tensor(np.ones((5, 3), "f"), device="cuda", requires_grad=True)
    rows = gf.embedding(table, gf.tensor([4, 7, -1], device="cuda"))
    rows.backward(gf.tensor(np.ones((3, 3), "f"), device="cuda"))
    with pytest.raises(IndexOutOfRange, match=r"embedding: index (7|-1) \(at position (1|2)\)"):
        settled()
    assert rows.tolist() == [[1.0] * 3, [0.0] * 3, [0.0] * 3]
    assert table.grad.tolist() == [[0.0] * 3] * 4 + [[1.0] * 3]


@pytest.mark.parametrize("loss", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8"])
def test_labels_of_any_integers_are_checked_but_for_those_to_ignore(loss, dtype, cuda):
    x = gf.zeros((3, 5), device="cuda")
    loss(x, gf.tensor([0, 7, 4], dtype, device="cuda"), ignore_index=7)
    settled()
    loss(x, gf.tensor([0, 7, 4], dtype, device="cuda"), ignore_index=4)
    with pytest.raises(IndexOutOfRange, match=r"index 7 \(at position 1\)"):
        settled()


def test_indices_that_kernels_do_not_read_are_looked_up_and_checked_all_the_same(cuda, rng):
    x = rng.standard_normal((6, 4)).astype("f")
    narrow, strided = rng.integers(-6, 6, 9).astype("i4"), rng.integers(0, 6, (9, 2))
    np.testing.assert_array_equal(gf.take(on_cuda(x), gf.tensor(narrow, device="cuda"), axis=0).numpy(), x[narrow])
    np.testing.assert_array_equal(
        gf.embedding(on_cuda(x), gf.tensor(strided, device="cuda")[:, 1]).numpy(), x[strided[:, 1]]
    )
    gf.embedding(on_cuda(x), gf.tensor(narrow * 0 + 6, device="cuda"))
    with pytest.raises(IndexOutOfRange, match="embedding: index 6"):
        settled()
