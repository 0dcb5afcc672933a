"""Random numbers and dropout on CUDA: the bits of the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import gradflow as gf
from gradflow.backend import kernels
from gradflow.errors import ArgumentError
from gradflow.ops import quantile
from gradflow.ops.generator import Generator
from gradflow.testing import nvrtc, ptx

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


@pytest.mark.usefixtures("simulated")
@pytest.mark.parametrize("n", [8, 1001])
def test_the_kernel_of_dropout_in_bfloat16_keeps_what_the_cpu_keeps(n, rng):
    x = rng.standard_normal(n).astype(np.float32).view(np.uint32) & 0xFFFF0000
    halves = (x >> 16).astype(np.uint16)
    program = ptx.load(nvrtc.compile(kernels.source(), ["dropout<bf16>"]))
    memory = ptx.Memory(1 << 20)
    out = memory.allocate(2 * n)
    state = memory.upload(np.array([SEED, DRAWN], np.uint64))
    numbers = [np.uint64(2**31), np.float32(2), np.int32(n)]
    addresses = [np.uint64(address) for address in (memory.upload(halves), state, out)]
    program.launch("dropout<bf16>", (-(-n // 2048),), (256,), [*addresses, *numbers], memory)
    expected = gf.random.dropout(gf.tensor(x.view(np.float32)), 0.5, generator=generator_on("cpu")).numpy()
    np.testing.assert_array_equal(memory.download(out, (n,), np.uint16), (expected.view(np.uint32) >> 16))
