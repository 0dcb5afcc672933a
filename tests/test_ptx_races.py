"""Data races that the PTX interpreter finds, and orders that it accepts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradflow.testing import nvrtc, ptx
from kernel import NEEDS_NVRTC, fault, launch

pytestmark = NEEDS_NVRTC

REDUCE = """
__device__ float block_sum(float x) {
  __shared__ float part[32];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int d = 16; d; d /= 2) x += __shfl_xor_sync(0xffffffffu, x, d);
  if (lane == 0) part[warp] = x;
  __syncthreads();
  x = lane < 8 ? part[lane] : 0;
  for (int d = 16; d; d /= 2) x += __shfl_xor_sync(0xffffffffu, x, d);
  __syncthreads();
  return x;
}
__device__ bool is_last(int* ticket) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last = atomicAdd(ticket, 1) == gridDim.x - 1;
    if (last) *ticket = 0;
  }
  __syncthreads();
  if (last) __threadfence();
  return last;
}
"""
X = np.arange(256, dtype=np.float32)


def kernel(body: str, parameters: str = "const float* x, float* out") -> str:
    return f'extern "C" __global__ void k({parameters}) {{ __shared__ float s[256]; int t = threadIdx.x;\n{body}\n}}'


def test_a_barrier_between_a_store_and_a_load_of_another_thread_is_needed() -> None:
    body = "s[t] = x[t];\n{}\nout[t] = s[255 - t];"
    got, _ = launch(kernel(body.format("__syncthreads();")), X, out=(256, "f4"), threads=256)
    np.testing.assert_array_equal(got, X[::-1])
    error = fault(kernel(body.format("")), X, out=(256, "f4"), threads=256)
    assert (error.kind, error.line) == ("data race", "kernels/wrong.cu:4")
    assert "of shared memory, and store of 4 bytes there by block (0, 0, 0), thread" in str(error)
    assert "at kernels/wrong.cu:2, with no barrier between" in str(error)


def test_a_barrier_between_a_load_and_the_next_store_is_needed() -> None:
    body = "s[t] = x[t]; __syncthreads(); float v = s[255 - t];\n{} s[t] = v; __syncthreads(); out[t] = s[t];"
    launch(kernel(body.format("__syncthreads();")), X, out=(256, "f4"), threads=256)
    error = fault(kernel(body.format("")), X, out=(256, "f4"), threads=256)
    assert error.kind == "data race" and "store of 4 bytes" in str(error) and "and load of 4 bytes" in str(error)


def test_a_barrier_in_a_loop_orders_each_round() -> None:
    body = """s[t] = x[t]; __syncthreads();
        for (int d = 1; d < 256; d *= 2) { float v = t >= d ? s[t - d] : 0; %s s[t] += v; __syncthreads(); }
        out[t] = s[t];"""
    got, _ = launch(kernel(body % "__syncthreads();"), X, out=(256, "f4"), threads=256)
    np.testing.assert_array_equal(got, np.cumsum(X))
    assert fault(kernel(body % ""), X, out=(256, "f4"), threads=256).kind == "data race"


def test_a_warp_barrier_orders_lanes_of_a_warp_only() -> None:
    launch(kernel("s[t] = x[t]; __syncwarp(); out[t] = s[t ^ 5];"), X, out=(256, "f4"), threads=256)
    error = fault(kernel("s[t] = x[t]; __syncwarp(); out[t] = s[t ^ 37];"), X, out=(256, "f4"), threads=256)
    assert error.kind == "data race"
    assert fault(kernel("s[t] = x[t]; out[t] = s[t ^ 5];"), X, out=(256, "f4"), threads=256).kind == "data race"


def test_two_threads_that_store_different_values_race_and_the_same_value_do_not() -> None:
    error = fault(kernel("out[t / 2] = t;"), X, out=(256, "f4"), threads=256)
    assert error.kind == "data race" and "store of 4 bytes" in str(error) and error.block == (0, 0, 0)
    launch(kernel("if (t % 3 == 1) out[0] = 1;"), X, out=(1, "f4"), threads=256)
    launch(kernel("out[0] = 1;"), X, out=(1, "f4"), threads=256, blocks=300)  # in slabs
    assert fault(kernel("out[0] = blockIdx.x;"), X, out=(1, "f4"), threads=256, blocks=300).kind == "data race"


def test_threads_in_place_do_not_race_and_neighbours_do() -> None:
    for blocks in (1, 3, 200):
        n = blocks * 256
        x = np.arange(n, dtype=np.float32)
        body = "int i = blockIdx.x * 256 + t; if (i < n) x[i] = x[i] * 2;"
        got, _ = launch(kernel(body, "float* x, int n"), x, np.int32(n - 5), blocks=blocks, threads=256)
        np.testing.assert_array_equal(got[: n - 5], 2 * x[: n - 5])
        shifted = body.replace("x[i] * 2", "x[i + 1] * 2")
        error = fault(kernel(shifted, "float* x, int n"), x, np.int32(n - 5), blocks=blocks, threads=256)
        assert error.kind == "data race" and "of global memory" in str(error)


def test_bytes_and_halves_next_to_each_other_are_no_race() -> None:
    for kind, dtype in (("char", "i1"), ("short", "i2")):
        source = kernel("int i = blockIdx.x * 256 + t; out[i] = i; __syncthreads(); out[i] += 1;", f"{kind}* out")
        got, _ = launch(source, out=(512, dtype), blocks=2, threads=256)
        np.testing.assert_array_equal(got, (np.arange(512) + 1).astype(dtype))


def test_blocks_do_not_see_what_another_writes() -> None:
    body = """if (t == 0) out[blockIdx.x] = 1; __syncthreads();
        out[gridDim.x + blockIdx.x] = out[(blockIdx.x + 1) % gridDim.x];"""
    error = fault(kernel(body), X, out=(10, "f4"), blocks=5, threads=64)
    assert error.kind == "data race" and "in different blocks" in str(error)


TICKET = """
template <int WITHOUT> __global__ void k(const float* x, int* ticket, float* partial, float* out) {
  __shared__ bool last; int i = blockIdx.x * 256 + threadIdx.x;
  float sum = block_sum(x[i]);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
  out[1 + i] = 2 * x[i];
  if (WITHOUT != 1) __threadfence();
  if (WITHOUT != 2) __syncthreads();
  if (threadIdx.x == 0) { last = atomicAdd(ticket, 1) == gridDim.x - 1; if (last) *ticket = 0; }
  if (WITHOUT != 3) __syncthreads();
  if (!last) return;
  if (WITHOUT != 4) __threadfence();
  float total = 0;
  for (int b = threadIdx.x; b < gridDim.x; b += 256) total += partial[b] + (out[38 + b * 256] - 2 * x[b * 256 + 37]);
  total = block_sum(total);
  if (threadIdx.x == 0) *out = total;
}"""


def last_block(without: int, blocks: int) -> Any:
    program = ptx.load(nvrtc.compile(REDUCE + TICKET, [f"k<{n}>" for n in range(5)]))
    memory = ptx.Memory(1 << 24)
    x = np.random.default_rng(0).standard_normal(blocks * 256).astype(np.float32)
    ticket = memory.upload(np.zeros(1, np.int32))
    out = memory.allocate(4 + 4 * x.size)
    arguments = [memory.upload(x), ticket, memory.allocate(4 * blocks), out]
    for _ in range(2):  # the ticket is as it was
        program.launch(f"k<{without}>", (blocks,), (256,), [np.uint64(a) for a in arguments], memory)
    assert memory.download(ticket, (1,), np.int32)[0] == 0
    return memory.download(out, (1,), np.float32)[0], x.astype(np.float64).sum()


@pytest.mark.parametrize("blocks", [3, 300])
def test_the_last_block_by_ticket_may_read_what_the_others_wrote(blocks: int) -> None:
    got, want = last_block(0, blocks)
    assert got == pytest.approx(want, abs=1e-3)


@pytest.mark.parametrize("blocks", [3, 300])
@pytest.mark.parametrize("without", [1, 2, 4])
def test_the_last_block_needs_both_fences_and_the_barrier_before_the_ticket(without: int, blocks: int) -> None:
    with pytest.raises(ptx.KernelFault, match=r"data race: load of 4 bytes .* in different blocks"):
        last_block(without, blocks)


def test_the_last_block_needs_the_barrier_after_the_ticket() -> None:
    with pytest.raises(ptx.KernelFault, match=r"uninitialised read|data race"):
        last_block(3, 3)


@pytest.mark.parametrize("blocks", [3, 300])
def test_one_thread_may_write_fence_and_take_the_ticket(blocks: int) -> None:
    source = kernel(
        """if (t == 0) { partial[blockIdx.x] = x[blockIdx.x]; FENCE;
        if (atomicAdd(ticket, 1) == gridDim.x - 1) { __threadfence(); float sum = 0;
          for (int b = 0; b < gridDim.x; b++) sum += partial[b]; *out = sum; } }""",
        "const float* x, int* ticket, float* partial, float* out",
    )
    x = np.arange(blocks, dtype=np.float32)
    given = x, np.zeros(1, np.int32), np.zeros(blocks, np.float32)
    got, _ = launch(source.replace("FENCE", "__threadfence()"), *given, out=(1, "f4"), blocks=blocks, threads=64)
    assert got[0] == x.sum()
    error = fault(source.replace("FENCE", ""), *given, out=(1, "f4"), blocks=blocks, threads=64)
    assert error.kind == "data race"
    error = fault(source.replace("FENCE", "__threadfence_block()"), *given, out=(1, "f4"), blocks=blocks, threads=64)
    assert error.kind == "data race"


@pytest.mark.parametrize("blocks", [3, 300])
def test_one_thread_may_fence_for_its_block_after_a_barrier(blocks: int) -> None:
    source = kernel(
        """__shared__ bool last; copy[blockIdx.x * 64 + t] = x[t]; __syncthreads();
        if (t == 0) { FENCE; last = atomicAdd(ticket, 1) == gridDim.x - 1; __threadfence(); }
        __syncthreads();
        float sum = 0; if (!last) return;
        for (int b = 0; b < gridDim.x; b++) sum += copy[b * 64 + (t + 1) % 64];
        out[t] = sum;""",
        "const float* x, int* ticket, float* copy, float* out",
    )
    given = X[:64], np.zeros(1, np.int32), np.zeros(blocks * 64, np.float32)
    got, _ = launch(source.replace("FENCE", "__threadfence()"), *given, out=(64, "f4"), blocks=blocks, threads=64)
    np.testing.assert_array_equal(got, blocks * np.roll(X[:64], -1))
    assert fault(source.replace("FENCE", ""), *given, out=(64, "f4"), blocks=blocks, threads=64).kind == "data race"


def test_atomic_operations_do_not_race_with_each_other_but_with_plain_ones() -> None:
    body = "atomicAdd(&sum[0], x[t]);"
    got, _ = launch(kernel(body, "float* sum, const float* x"), np.zeros(1, "f4"), X, threads=256, blocks=2)
    assert got[0] == 2 * X.sum()
    body += " if (t == 77) sum[0] = 0;"
    assert fault(kernel(body, "float* sum, const float* x"), np.zeros(1, "f4"), X, threads=256).kind == "data race"


@pytest.mark.parametrize("which", range(4))
def test_every_barrier_of_a_reduction_over_blocks_is_needed(which: int) -> None:
    parts = REDUCE.split("__syncthreads();")
    parts[which : which + 2] = [parts[which] + parts[which + 1]]
    source = (
        "__syncthreads();".join(parts)
        + """
        extern "C" __global__ void k(const float* x, int* ticket, float* partial, float* out) {
          float a = block_sum(x[threadIdx.x]), b = block_sum(a + x[threadIdx.x]);
          partial[blockIdx.x * 256 + threadIdx.x] = a + b;
          if (is_last(ticket)) {
            float s = 0; for (int i = threadIdx.x; i < gridDim.x; i += 256) s += partial[i * 256 + 77];
            s = block_sum(s); if (threadIdx.x == 0) *out = s; } }"""
    )
    program = ptx.load(nvrtc.compile(source, ["k"]))
    memory = ptx.Memory(1 << 20)
    arguments = [memory.upload(X), memory.upload(np.zeros(1, np.int32)), memory.allocate(4096), memory.allocate(4)]
    with pytest.raises(ptx.KernelFault, match=r"data race|uninitialised"):
        program.launch("k", (4,), (256,), [np.uint64(a) for a in arguments], memory)


def test_calls_of_one_function_share_its_shared_memory() -> None:
    source = """__noinline__ __device__ float sum(float x) {
        __shared__ float part[64]; part[threadIdx.x] = x; __syncthreads();
        float s = 0; for (int i = 0; i < 64; i++) s += part[i];
        BARRIER
        return s; }
      extern "C" __global__ void k(const float* x, float* out) { float a = sum(x[threadIdx.x]);
        out[threadIdx.x] = a + sum(a * x[threadIdx.x]); }"""
    got, _ = launch(source.replace("BARRIER", "__syncthreads();"), X, out=(64, "f4"), threads=64)
    total = X[:64].sum()
    assert got[0] == total + total * total
    assert fault(source.replace("BARRIER", ""), X, out=(64, "f4"), threads=64).kind == "data race"
