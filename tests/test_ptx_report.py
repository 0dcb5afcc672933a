"""Counts of the PTX interpreter against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kernel import NEEDS_NVRTC, launch

pytestmark = NEEDS_NVRTC

HERE = "int i = blockIdx.x * blockDim.x + threadIdx.x;"


def copy(body: str, kind: str = "float", parameters: str = "") -> str:
    return f'extern "C" __global__ void k(const {kind}* x, {parameters}{kind}* out) {{ {HERE} {body} }}'


def test_vectors_of_16_bytes_take_16_sectors_a_request() -> None:
    x = np.zeros(4096, np.float32)
    _, report = launch(copy("out[i] = x[i];", "float4"), x, out=(4096, "f4"), blocks=4, threads=256)
    assert report.loads == report.stores == (32, 512, 16384)  # 4 blocks of 8 warps, each 32 * 16 bytes
    assert report.loads.sectors_per_request == 16
    assert report.bytes_read == report.bytes_written == 16384
    assert report.atomics == report.generic_accesses == report.local_accesses == report.bank_conflicts == 0


@pytest.mark.parametrize(
    ("kind", "dtype", "sectors"), [("char", "i1", 1), ("short", "i2", 2), ("float", "f4", 4), ("double", "f8", 8)]
)
def test_scalars_take_a_sector_for_each_32_bytes(kind: str, dtype: str, sectors: int) -> None:
    _, report = launch(copy("out[i] = x[i];", kind), np.zeros(1024, dtype), out=(1024, dtype), blocks=4, threads=256)
    assert report.loads == (32, 32 * sectors, 1024 * np.dtype(dtype).itemsize)


def test_strides_and_offsets_cost_sectors() -> None:
    x = np.zeros(2000, np.float32)
    for step, sectors in ((2, 8), (3, 12), (8, 32), (16, 32)):
        _, report = launch(copy(f"out[i] = x[{step} * i];"), x, out=(64, "f4"), threads=64)
        assert (report.loads.sectors_per_request, report.stores.sectors_per_request) == (sectors, 4)
        assert report.bytes_read == 32 * 2 * sectors
    _, report = launch(copy("out[i] = x[i + 1];"), x, out=(64, "f4"), threads=64)
    assert report.loads.sectors_per_request == 5  # a warp's 128 bytes begin within a sector
    assert report.bytes_read == 9 * 32  # and two warps share one


def test_a_value_that_all_lanes_read_is_one_sector_and_is_read_from_memory_once() -> None:
    _, report = launch(copy("out[i] = x[0];"), np.zeros(64, np.float32), out=(256, "f4"), blocks=2, threads=128)
    assert report.loads == (8, 8, 4 * 256) and report.bytes_read == 32


def test_lanes_that_do_not_take_part_make_no_request() -> None:
    _, report = launch(copy("if (i < 40) out[i] = x[i];"), np.zeros(64, np.float32), out=(64, "f4"), threads=128)
    assert report.loads == (2, 5, 160)  # warps 2 and 3 ask for nothing, warp 1 for 8 numbers


def test_a_scattered_permutation_touches_a_sector_a_lane() -> None:
    order = (np.arange(1024) * 8 % 1021 % 1024).astype(np.int32)
    x = np.zeros(1024, np.float32)
    _, report = launch(
        copy("out[i] = x[at[i]];", parameters="const int* at, "), x, order, out=(1024, "f4"), blocks=4, threads=256
    )
    sectors = sum(len(set(order[w * 32 : w * 32 + 32] // 8)) for w in range(32))
    assert report.loads == (64, sectors + 128, 8192)


def test_shared_memory_conflicts_are_counted_by_bank() -> None:
    def conflicts(index: str, kind: str = "float") -> int:
        body = f"volatile __shared__ {kind} s[2048]; int t = threadIdx.x; s[{index}] = 1; __syncthreads(); out[t] = 1;"
        return launch(f'extern "C" __global__ void k(float* out) {{ {body} }}', out=(64, "f4"), threads=64)[
            1
        ].bank_conflicts

    assert conflicts("t") == 0
    assert conflicts("t % 32 * 32 + t / 32") == 2 * 31  # all lanes in one bank
    assert conflicts("t % 32 * 33 + t / 32") == 0  # a padded column
    assert conflicts("2 * t") == 2 * 1
    assert conflicts("t % 32 / 32") == 0  # one word for all: a broadcast, and the same value twice is no race
    assert conflicts("t", "double") == 0
    assert conflicts("2 * t", "double") == 2 * 2 * 1


def test_instructions_are_counted_for_each_thread() -> None:
    source = """.version 8.0
.target sm_80
.address_size 64
.visible .entry k(.param .u64 out) {
.reg .pred %p; .reg .b32 %r<3>; .reg .b64 %rd<3>;
mov.u32 %r0, %tid.x;
mov.u32 %r1, 0;
LOOP: add.u32 %r1, %r1, 1;
setp.le.u32 %p, %r1, %r0;
@%p bra LOOP;
ret; }"""
    from gradflow.testing import nvrtc, ptx

    memory = ptx.Memory(1 << 20)
    program = ptx.load(nvrtc.Compiled(source, {}, ""))
    report = program.launch("k", (2,), (10,), [np.uint64(0)], memory)
    each = [2 + 3 * (t + 1) + 1 for t in range(10)]  # thread t goes round t + 1 times
    assert report.instructions == 2 * sum(each) and report.most_instructions == max(each)
    assert report.instructions_per_thread == sum(each) / 10


def test_atomics_are_counted_a_thread() -> None:
    source = 'extern "C" __global__ void k(int* n) { if (threadIdx.x < 20) atomicAdd(n, 1); }'
    got, report = launch(source, np.zeros(1, "i4"), threads=64, blocks=3)
    assert got[0] == report.atomics == 60
    assert report.bytes_read == report.bytes_written == 32


def test_the_report_tells_which_lines_ran() -> None:
    source = """#line 1 "kernels/lines.cu"
extern "C" __global__ void k(int n, int* out) {
  int t = threadIdx.x;
  out[t] = 3;
  if (n > 5)
    __syncthreads();
  else
    __syncwarp();
}"""
    _, report = launch(source, np.int32(3), out=(32, "i4"))
    assert "kernels/lines.cu:7" in report.lines and "kernels/lines.cu:5" in report.missed_lines
    _, report = launch(source, np.int32(9), out=(32, "i4"))
    assert "kernels/lines.cu:5" in report.lines and "kernels/lines.cu:7" in report.missed_lines


def test_a_report_says_in_short_what_happened() -> None:
    _, report = launch(copy("out[i] = x[i];", "float4"), np.zeros(512, np.float32), out=(512, "f4"), threads=128)
    assert repr(report).startswith("<k: 128 threads, ")
    assert "2048 bytes read (16.0 sectors a request), 2048 written (16.0), 0 atomics>" in repr(report)


def test_counts_do_not_change_when_a_report_is_settled_early() -> None:
    x = np.zeros(4096, np.float32)
    _, report = launch(copy("out[i] = x[i] + x[i ^ 1];"), x, out=(4096, "f4"), blocks=16, threads=256)
    report.settle()
    report.settle()
    assert report.loads == (256, 1024, 32768) and report.bytes_read == 16384


def test_subnormal_numbers_do_not_count_loads_twice() -> None:
    x = np.full(1024, 1e-40, np.float32)
    got, report = launch(copy("out[i] = x[i] * 3;"), x, out=(1024, "f4"), blocks=4, threads=256)
    assert (got == 0).all() and report.loads == report.stores == (32, 128, 4096)
