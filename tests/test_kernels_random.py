"""Random numbers and dropout on CUDA: the bits of the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradflow as gf
from gradflow.backend import kernels
from gradflow.errors import ArgumentError
from gradflow.op import Op
from gradflow.ops import quantile
from gradflow.ops.generator import Generator
from gradflow.ops.philox import random_bits
from gradflow.ops.random import _dropout, _normal, _uniform
from gradflow.testing import nvrtc, ptx
from launching import from_bf16, run, to_bf16

SEED = 2**63 + 5  # both halves of the key count
DRAWN = 2**32 + 7  # and so do both halves of the counter
SIZES = [1, 7, 255, 4099]
FLOATS = ["float16", "float32", "float64"]


def generator_on(device: str) -> Generator:
    """A generator at a place of a stream, the same on every device."""
    generator = Generator(device=device)
    generator.load_state_dict({"seed": SEED, "counter": DRAWN})
    return generator


def assert_same_bits(found: gf.Tensor, expected: gf.Tensor) -> None:
    assert (str(found.device), found.dtype, found.shape) == ("cuda:0", expected.dtype, expected.shape)
    np.testing.assert_array_equal(found.numpy().view(np.uint8), expected.numpy().view(np.uint8))


DRAWS = {
    "uniform": lambda n, dtype, g: gf.random.uniform(n, -0.7, 1.9, dtype=dtype, generator=g),
    "normal": lambda n, dtype, g: gf.random.normal(n, 0.3, 1.7, dtype=dtype, generator=g),
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", DRAWS)
def test_kernels_draw_the_numbers_of_the_cpu(name, n, dtype, cuda, launched):
    here, there = generator_on("cpu"), generator_on("cuda")
    for _ in range(2):
        assert_same_bits(DRAWS[name](n, dtype, there), DRAWS[name](n, dtype, here))
    assert launched == [name, name]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(("low", "high"), [(0, 10), (-(2**63), -(2**63) + 2**32), (2**63 - 2, 2**63)])
def test_kernels_draw_the_integers_of_the_cpu(low, high, n, cuda):
    here, there = generator_on("cpu"), generator_on("cuda")
    assert_same_bits(gf.random.randint(low, high, n, generator=there), gf.random.randint(low, high, n, generator=here))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("p", [0.0, 0.25, 1 - 2.0**-10, 1.0])
def test_the_kernel_of_dropout_keeps_what_the_cpu_keeps_forward_and_backward(p, n, dtype, cuda, rng):
    data, weights = (rng.standard_normal(n).astype(dtype) for _ in range(2))
    found, expected = [], []
    for device, results in (("cpu", expected), ("cuda", found)):
        x = gf.tensor(data, device=device, requires_grad=True)
        y = gf.random.dropout(x, p, generator=generator_on(device))
        y.backward(gf.tensor(weights, device=device))
        results += [y.detach(), x.grad]
    for ours, theirs in zip(found, expected, strict=True):
        assert_same_bits(ours, theirs)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("start", [1, 3])
def test_the_kernel_of_dropout_reads_and_writes_memory_that_is_not_aligned(dtype, start, cuda, launched, rng):
    data = rng.standard_normal(1030).astype(dtype)
    here, there = generator_on("cpu"), generator_on("cuda")
    expected = gf.random.dropout(gf.tensor(data)[start:], 0.4, generator=here)
    found = gf.random.dropout(gf.tensor(data, device="cuda")[start:], 0.4, generator=there)
    assert launched == ["dropout"]
    assert_same_bits(found, expected)


def test_the_kernel_of_dropout_drops_what_is_not_a_number(cuda):
    x = gf.tensor(np.full(64, np.nan, np.float32), device="cuda")
    assert gf.random.dropout(x, 1.0).tolist() == [0.0] * 64
    assert {str(value) for value in gf.random.dropout(x, 0.5).tolist()} == {"0.0", "nan"}


def test_a_draw_by_kernels_is_the_same_in_every_run_and_another_in_the_next_draw(cuda):
    x = gf.ones(4099, device="cuda")
    first, again = (gf.random.dropout(x, 0.5, generator=generator_on("cuda")) for _ in range(2))
    generator = generator_on("cuda")
    gf.random.uniform(generator=generator)
    assert_same_bits(first, again.cpu())
    assert not np.array_equal(first.numpy(), gf.random.dropout(x, 0.5, generator=generator).numpy())


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: gf.random.dropout(gf.ones(3, device="cuda"), 1.5), "dropout: p is 1.5"),
        (lambda: gf.random.randint(3, 3, 2, device="cuda"), r"randint: \[3, 3\)"),
    ],
)
def test_kernels_of_random_numbers_refuse_what_the_cpu_refuses(draw, message, cuda):
    with pytest.raises(ArgumentError, match=message):
        draw()


# ---- device functions, by kernels that only tests have

PROBES = """
__global__ void philox_of(const uint4* counters, const uint2* keys, uint4* out) {
  out[threadIdx.x] = philox(counters[threadIdx.x], keys[threadIdx.x]);
}
template <typename A> __global__ void quantile_of(const typename Format<A>::Word* words, A* out) {
  out[threadIdx.x] = quantile<A>(words[threadIdx.x]);
}
"""


def probed(probe: str, out: np.ndarray, *inputs: np.ndarray) -> np.ndarray:
    """What a probe makes of ``inputs``, one thread for each element."""
    program = ptx.load(nvrtc.compile(kernels.source() + PROBES, [probe]))
    memory = ptx.Memory(1 << 20)
    arguments = [np.uint64(memory.upload(each)) for each in inputs]
    address = memory.allocate(out.nbytes)
    program.launch(probe, (1,), (len(out),), [*arguments, np.uint64(address)], memory)
    return memory.download(address, out.shape, out.dtype)


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.usefixtures("simulated")
def test_philox_in_kernels_gives_the_known_answers_of_its_authors():
    known = [  # Random123, kat_vectors: counter, key, answer
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ]
    counters, keys, answers = (np.array([words(row[i]) for row in known], np.uint32) for i in range(3))
    np.testing.assert_array_equal(probed("philox_of", np.empty_like(answers), counters, keys), answers)


@pytest.mark.usefixtures("simulated")
@pytest.mark.parametrize(("number", "width"), [("float", 32), ("double", 64)])
def test_the_quantile_in_kernels_has_the_bits_of_the_cpu_into_the_far_tails(number, width, rng):
    edges = [0, 1, 2, 2 ** (width // 2), 2 ** (width - 1) - 1]  # the first of them are beyond 5 in sqrt(-log p)
    random = rng.integers(0, 2**width, 400, dtype=np.uint64)
    tails = random[:100] >> np.arange(100, dtype=np.uint64) % width
    low = np.concatenate([np.array(edges, np.uint64), random, tails]).astype(f"uint{width}")
    given = np.concatenate([low, ~low])
    found = probed(f"quantile_of<{number}>", np.empty(len(given), f"float{width}"), given)
    np.testing.assert_array_equal(found.view(given.dtype), quantile.normal(given).view(given.dtype))


@pytest.mark.usefixtures("simulated")
@pytest.mark.parametrize("number", ["float", "double", "f16", "bf16"])
def test_nothing_is_fused_in_the_kernels_of_random_numbers(number):
    names = [f"{name}<{number}>" for name in ("uniform", "normal")]
    compiled = nvrtc.compile(kernels.source(), names)
    for name in names:
        body = compiled.ptx.partition(f".entry {compiled.names[name]}(")[2].partition("\n}")[0]
        assert "mul" in body and "fma" not in body, name


# ---- bfloat16, which NumPy does not know: bits in arrays of float16


def in_bfloat16(op: Op, *arrays: np.ndarray, **attrs: Any) -> np.ndarray:
    """What the kernel of ``op`` makes of ``arrays`` of bfloat16, and of the generator's state."""
    state = np.array([SEED, DRAWN], np.uint64)
    out = np.empty(attrs["shape"] if not arrays else arrays[0].shape, np.float16)
    run(op.cuda(*arrays, state, out=out, **attrs), "bf16")
    return from_bf16(out)


@pytest.mark.usefixtures("simulated")
@pytest.mark.parametrize("n", [8, 1001])
def test_the_kernel_of_dropout_in_bfloat16_keeps_what_the_cpu_keeps(n, rng):
    x = to_bf16(rng.standard_normal(n))
    expected = gf.random.dropout(gf.tensor(from_bf16(x)), 0.5, generator=generator_on("cpu")).numpy()
    np.testing.assert_array_equal(in_bfloat16(_dropout, x, p=0.5), expected)


@pytest.mark.usefixtures("simulated")
def test_kernels_draw_in_bfloat16_the_leading_bits_of_the_words_and_rounded_normal_numbers():
    attrs = {"shape": (1001,), "dtype": np.dtype(np.float16)}
    words = random_bits(SEED, DRAWN, 1001)
    np.testing.assert_array_equal(in_bfloat16(_uniform, low=0.0, high=1.0, **attrs), (words >> 24) / 256)
    expected = from_bf16(to_bf16(quantile.normal(words)))
    np.testing.assert_array_equal(in_bfloat16(_normal, mean=0.0, std=1.0, **attrs), expected)
