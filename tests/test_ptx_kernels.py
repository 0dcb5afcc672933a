"""Kernels of CUDA C, as NVRTC compiles them, in the PTX interpreter against NumPy and plain Python."""

from __future__ import annotations

import doctest
from typing import Any

import numpy as np
import pytest

from gradflow.testing import nvrtc, ptx
from kernel import NEEDS_NVRTC, launch

pytestmark = NEEDS_NVRTC

HERE = "int i = blockIdx.x * blockDim.x + threadIdx.x;"


def each(
    body: str, types: str, *arrays: Any, dtype: Any, blocks: int = 3, before: str = "", arch: str = "compute_80"
) -> Any:
    """What ``out[i] = ...`` in ``body`` gives for i below n; ``types`` are the parameters before out and n."""
    n = len(arrays[0])
    c = {"f4": "float", "f8": "double", "i4": "int", "u4": "unsigned", "i8": "long long", "u8": "unsigned long long"}
    out = c[np.dtype(dtype).str[1:]]
    parameters = f"{types}, int n, {out}* out"
    source = f'{before}\nextern "C" __global__ void k({parameters}) {{ {HERE} if (i >= n) return;\n{body} }}'
    threads = -(-n // blocks)
    return launch(source, *arrays, np.int32(n), out=(n, dtype), blocks=blocks, threads=threads, arch=arch)[0]


def test_threads_that_run_loops_of_different_lengths_meet_again() -> None:
    x = np.random.default_rng(0).integers(1, 400, 200).astype(np.int32)
    body = "int v = x[i], c = 0; while (v != 1) { v = v % 2 ? 3 * v + 1 : v / 2; c++; } out[i] = c;"

    def collatz(v: int) -> int:
        count = 0
        while v != 1:
            v, count = (3 * v + 1 if v % 2 else v // 2), count + 1
        return count

    got = each(body, "const int* x", x, dtype="i4")
    assert got.tolist() == [collatz(int(v)) for v in x]


def test_nested_loops_with_break_and_continue() -> None:
    x = np.random.default_rng(1).integers(0, 12, 100).astype(np.int32)
    body = """int s = 0;
        for (int a = 0; a < x[i]; a++) {
          if (a % 3 == 1) continue;
          for (int b = a; b < 9; b++) { if (b * a > 20) break; s += b ^ a; }
        }
        out[i] = s;"""

    def expected(n: int) -> int:
        total = 0
        for a in range(n):
            if a % 3 == 1:
                continue
            for b in range(a, 9):
                if b * a > 20:
                    break
                total += b ^ a
        return total

    assert each(body, "const int* x", x, dtype="i4").tolist() == [expected(int(n)) for n in x]


def test_a_switch_becomes_a_table_of_jumps() -> None:
    x = np.random.default_rng(2).integers(-1, 9, 150).astype(np.int32)
    cases = "case 0: r = 5; break; case 1: r = x[i] * 7 + i; break; case 2: r = i * i; break; case 3: r = -i; break;"
    cases += "case 4: r = i ^ 77; break; case 5: r = i / 3; break; case 6: r = i % 7; break; default: r = -1;"
    got = each(f"int r; switch (x[i]) {{ {cases} }} out[i] = r;", "const int* x", x, dtype="i4")
    table = [
        lambda i: 5,
        lambda i: 7 + i,
        lambda i: i * i,
        lambda i: -i,
        lambda i: i ^ 77,
        lambda i: i // 3,
        lambda i: i % 7,
    ]
    assert got.tolist() == [table[v](i) if 0 <= v < 7 else -1 for i, v in enumerate(x.tolist())]


def test_an_indirect_jump_goes_where_its_table_says() -> None:
    source = """.version 8.0
.target sm_80
.address_size 64
.visible .entry k(.param .u64 out) {
.reg .b32 %r<3>; .reg .b64 %rd<3>;
mov.u32 %r0, %tid.x; and.b32 %r1, %r0, 1; ld.param.u64 %rd0, [out]; mad.wide.u32 %rd1, %r0, 4, %rd0;
ts: .branchtargets A, B;
brx.idx %r1, ts;
A: mov.u32 %r2, 10; bra.uni C;
B: mov.u32 %r2, 20;
C: st.global.u32 [%rd1], %r2; ret; }"""
    memory = ptx.Memory(1 << 20)
    out = memory.allocate(40)
    ptx.load(nvrtc.Compiled(source, {}, "")).launch("k", (1,), (10,), [np.uint64(out)], memory)
    assert memory.download(out, (10,), "i4").tolist() == [10, 20] * 5


def test_device_functions_that_stay_calls_take_and_return_structs() -> None:
    before = """struct P { float a[3]; int b; double c; };
        __noinline__ __device__ float power(float x, int n) { float r = 1; for (int k = 0; k < n; k++) r *= x;
          return r; }
        __noinline__ __device__ P make(float x) { P p; p.a[0] = x; p.a[1] = power(x, 2); p.a[2] = -x; p.b = 7;
          p.c = x; return p; }"""
    x = np.random.default_rng(3).standard_normal(90).astype(np.float32)
    layout = np.dtype([("a", "f4", 3), ("b", "i4"), ("c", "f8")], align=True)
    given = np.array((([1, 2, 3]), 4, 0.5), layout).tobytes()
    n = len(x)
    source = f"""{before}
        extern "C" __global__ void k(P p, const float* x, int n, float* out) {{ {HERE} if (i >= n) return;
          P q = make(x[i]); out[i] = q.a[i % 3] + q.b + (float)q.c + p.a[i % 3] * p.b + (float)p.c; }}"""
    got, report = launch(source, given, x, np.int32(n), out=(n, "f4"), blocks=3, threads=32)
    wide = x.astype(np.float64)
    parts = np.stack([wide, wide**2, -wide], 1)[np.arange(n), np.arange(n) % 3]
    np.testing.assert_allclose(got, parts + 7 + wide + (np.arange(n) % 3 + 1) * 4 + 0.5, rtol=1e-6)
    assert report.local_accesses > 0


def test_recursion_is_refused_with_the_name_of_the_function() -> None:
    before = "__noinline__ __device__ int f(int n) { return n < 2 ? 1 : n * f(n - 1) + f(n - 2); }"
    with pytest.raises(ptx.KernelFault, match="calls itself"):
        each("out[i] = f(x[i]);", "const int* x", np.arange(5, dtype="i4"), dtype="i4", before=before)


def test_arrays_in_local_memory_belong_to_their_thread() -> None:
    x = np.random.default_rng(4).integers(0, 10, 64).astype(np.int32)
    body = "int a[16]; for (int j = 0; j < 16; j++) a[j] = j * x[i]; int s = 0;"
    body += "for (int j = 0; j < 8; j++) s += a[(x[j] + i) % 16]; out[i] = s;"
    got = each(body, "const int* x", x, dtype="i4", blocks=2)
    assert got.tolist() == [sum((int(x[j]) + i) % 16 * int(x[i]) for j in range(8)) for i in range(64)]


def test_constant_and_device_variables_start_with_their_values_and_keep_what_is_written() -> None:
    source = """__constant__ int primes[4] = {2, 3, 5, 7}; __device__ int calls = 10; __device__ int* where = &calls;
        extern "C" __global__ void k(int* out) { out[threadIdx.x] = primes[threadIdx.x % 4] + *where;
          __syncthreads(); if (threadIdx.x == 0) calls = 100; }"""
    program = ptx.load(nvrtc.compile(source, ["k"]))
    memory = ptx.Memory(1 << 20)
    out = memory.allocate(32)
    for start in (10, 100):
        program.launch("k", (1,), (8,), [np.uint64(out)], memory)
        assert memory.download(out, (8,), "i4").tolist() == [p + start for p in (2, 3, 5, 7)] * 2
    other = ptx.Memory(1 << 20)  # another device has variables of its own
    out = other.allocate(32)
    program.launch("k", (1,), (8,), [np.uint64(out)], other)
    assert other.download(out, (1,), "i4").tolist() == [12]


def test_shared_memory_static_and_dynamic() -> None:
    source = """extern __shared__ float whole[];
        extern "C" __global__ void k(const float* x, float* out) {
          __shared__ float tile[32][33]; __shared__ float first;
          int t = threadIdx.x, row = t / 32, column = t % 32;
          tile[row][column] = x[t]; whole[t] = 2 * x[t]; if (t == 0) first = x[0];
          __syncthreads();
          out[t] = tile[column][row] + whole[blockDim.x - 1 - t] + first; }"""
    x = np.random.default_rng(5).standard_normal(1024).astype(np.float32)
    got, _ = launch(source, x, out=(1024, "f4"), threads=1024, shared=4096)
    np.testing.assert_allclose(got, x.reshape(32, 32).T.ravel() + 2 * x[::-1] + x[0], rtol=1e-6)


@pytest.mark.parametrize("arch", ["compute_75", "compute_90", "compute_120"])
def test_lanes_of_a_warp_shuffle_scan_and_vote(arch: str) -> None:
    x = np.random.default_rng(6).integers(0, 10, 96).astype(np.int32)
    source = """extern "C" __global__ void k(const int* x, unsigned* out) {
        const unsigned all = 0xffffffffu; int v = x[threadIdx.x], lane = threadIdx.x % 32;
          unsigned* o = out + threadIdx.x * 9;
        int sum = v; for (int d = 1; d < 32; d *= 2) { int other = __shfl_up_sync(all, sum, d);
          if (lane >= d) sum += other; }
        o[0] = sum; o[1] = __shfl_down_sync(all, v, 3, 8); o[2] = __shfl_sync(all, v, lane * 7 + 1, 16);
        o[3] = __ballot_sync(all, v > 5); o[4] = __any_sync(all, v > 8) * 2 + __all_sync(all, v < 9);
        o[5] = __match_any_sync(all, v); o[6] = __popc(__activemask());
        int pred; o[7] = __match_all_sync(all, v / 100, &pred); o[8] = pred; }"""
    got, _ = launch(source, x, out=((96, 9), "u4"), threads=96, arch=arch)
    lane, warps = np.arange(96) % 32, x.reshape(3, 32)
    base = np.arange(96) - lane
    np.testing.assert_array_equal(got[:, 0], np.cumsum(warps, 1).ravel())
    np.testing.assert_array_equal(got[:, 1], x[np.where(lane % 8 < 5, lane + 3, lane) + base])
    np.testing.assert_array_equal(got[:, 2], x[base + lane // 16 * 16 + (lane * 7 + 1) % 16])
    ballot = [sum(1 << j for j in range(32) if w[j] > 5) for w in warps]
    np.testing.assert_array_equal(got[:, 3], np.repeat(ballot, 32))
    np.testing.assert_array_equal(got[:, 4], np.repeat((warps > 8).any(1) * 2 + (warps < 9).all(1), 32))
    np.testing.assert_array_equal(
        got[:, 5], [sum(1 << j for j in range(32) if x[b + j] == x[i]) for i, b in enumerate(base)]
    )
    assert (got[:, 6] == 32).all() and (got[:, 7] == 0xFFFFFFFF).all() and (got[:, 8] == 1).all()


def test_a_part_of_a_warp_shuffles_under_its_own_mask_in_a_branch() -> None:
    source = """extern "C" __global__ void k(int* out) { int v = threadIdx.x;
        if (threadIdx.x % 32 < 8) v = __shfl_xor_sync(0xffu, v, 5); else v = -__reduce_add_sync(0xffffff00u, v);
        out[threadIdx.x] = v; }"""
    got, _ = launch(source, out=(64, "i4"), threads=64)
    want = [t ^ 5 if t % 32 < 8 else -sum(range(t // 32 * 32 + 8, t // 32 * 32 + 32)) for t in range(64)]
    assert got.tolist() == want


def test_reductions_of_a_warp() -> None:
    x = np.random.default_rng(7).integers(-100, 100, 64).astype(np.int32)
    source = """extern "C" __global__ void k(const int* x, int* out) {
        const unsigned all = 0xffffffffu; int v = x[threadIdx.x];
        int* o = out + 6 * threadIdx.x; o[0] = __reduce_add_sync(all, v); o[1] = __reduce_min_sync(all, v);
          o[2] = __reduce_max_sync(all, v);
        o[3] = __reduce_and_sync(all, (unsigned)v); o[4] = __reduce_or_sync(all, (unsigned)v);
          o[5] = __reduce_xor_sync(all, (unsigned)v); }"""
    got, _ = launch(source, x, out=((64, 6), "i4"), threads=64)
    functions = [np.add, np.minimum, np.maximum, np.bitwise_and, np.bitwise_or, np.bitwise_xor]
    want = np.stack([np.repeat(f.reduce(x.reshape(2, 32), 1), 32) for f in functions], 1)
    np.testing.assert_array_equal(got, want)


def test_barriers_that_count_votes_of_the_block() -> None:
    source = """extern "C" __global__ void k(int* out) { int p = threadIdx.x % 3 == 0;
        int any = __syncthreads_or(p) != 0, all = __syncthreads_and(p) != 0;
        out[threadIdx.x] = __syncthreads_count(p) * 4 + any * 2 + all; }"""
    got, _ = launch(source, out=(100, "i4"), threads=100)
    assert (got == 34 * 4 + 2).all()


def test_atomic_operations_of_all_kinds() -> None:
    x = np.random.default_rng(8).integers(0, 1000, 500).astype(np.int32)
    source = """extern "C" __global__ void k(
        int* cell, const int* x, unsigned long long* wide, float* f, double* d, int* seen) {
        int i = blockIdx.x * blockDim.x + threadIdx.x; if (i >= 500) return; int v = x[i];
        atomicAdd(cell, v); atomicMin(cell + 1, v); atomicMax(cell + 2, v); atomicAnd(cell + 3, v | 0x10000);
          atomicOr(cell + 4, v);
        atomicXor(cell + 5, v); atomicInc((unsigned*)cell + 6, 299u); atomicSub(cell + 7, v);
          atomicCAS(cell + 8, 0, v + 1);
        atomicAdd(wide, (unsigned long long)v << 30); atomicAdd(f, 0.5f); atomicAdd(d, (double)v);
        seen[atomicAdd(cell + 9, 1)] = i; atomicExch(cell + 10, 7); }"""
    start = np.array([0, 999, -1, -1, 0, 0, 0, 0, 0, 0, 0], np.int32)
    memory = ptx.Memory(1 << 20)
    given = [start, x, np.zeros(1, "u8"), np.zeros(1, "f4"), np.zeros(1, "f8"), np.zeros(500, "i4")]
    addresses = [memory.upload(a) for a in given]
    program = ptx.load(nvrtc.compile(source, ["k"]))
    report = program.launch("k", (4,), (128,), [np.uint64(a) for a in addresses], memory)
    cell, _, wide, f, d, seen = (memory.download(p, a.shape, a.dtype) for p, a in zip(addresses, given, strict=True))
    y = x.astype(np.int64)
    both = np.bitwise_and.reduce(x | 0x10000), np.bitwise_or.reduce(x), np.bitwise_xor.reduce(x)
    assert cell.tolist() == [y.sum(), x.min(), x.max(), *both, 500 % 300, -y.sum(), x[0] + 1, 500, 7]
    assert (int(wide[0]), f[0], d[0]) == (int(y.sum()) << 30, 250.0, float(y.sum()))
    assert sorted(seen.tolist()) == list(range(500))
    assert report.atomics == 14 * 500


def test_what_an_atomic_addition_returns_is_the_sum_of_those_before() -> None:
    x = np.random.default_rng(12).integers(1, 1000, 96).astype(np.int32)
    source = """extern "C" __global__ void k(int* sum, const int* x, int* out) {
        int i = blockIdx.x * 32 + threadIdx.x; out[i] = atomicAdd(sum + i % 3, x[i]); }"""
    got, _ = launch(source, np.array([5, 6, 7], np.int32), x, out=(96, "i4"), blocks=3)
    for k in range(3):
        assert got[k::3].tolist() == (5 + k + np.cumsum(x[k::3]) - x[k::3]).tolist()


def test_a_store_happens_once_even_if_subnormal_numbers_follow() -> None:
    source = """extern "C" __global__ void k(float* x, float* y) { int t = threadIdx.x;
        x[t] = x[t] + 1; y[t] = y[t] * 0.5f; }"""
    got, _ = launch(source, np.arange(32, dtype=np.float32), np.full(32, 1e-40, np.float32))
    np.testing.assert_array_equal(got, np.arange(32) + 1)


def test_arguments_of_calls_are_no_local_memory() -> None:
    before = "__noinline__ __device__ float power(float x, int n) { float r = 1; while (n--) r *= x; return r; }"
    source = f'{before} extern "C" __global__ void k(float* x) {{ x[threadIdx.x] = power(x[threadIdx.x], 3); }}'
    got, report = launch(source, np.arange(32, dtype=np.float32))
    np.testing.assert_array_equal(got, np.arange(32.0) ** 3)
    assert report.local_accesses == 0 and report.loads == report.stores == (1, 4, 128)


def test_64_bit_division_by_a_routine_and_other_integers() -> None:
    rng = np.random.default_rng(9)
    a, b = rng.integers(-(2**63), 2**63 - 1, 120), rng.integers(-(2**40), 2**40, 120)
    b[b == 0] = 3
    body = "out[i] = which == 0 ? a[i] / b[i] : which == 1 ? a[i] % b[i] : which == 2 ? __mul64hi(a[i], b[i]) :"
    body += "(long long)((unsigned long long)a[i] / (unsigned long long)b[i]);"
    for which in range(4):
        parameters = "const long long* a, const long long* b, int n, int which, long long* out"
        source = f'extern "C" __global__ void k({parameters}) {{ {HERE} if (i >= n) return; {body} }}'
        got, _ = launch(source, a, b, np.int32(120), np.int32(which), out=(120, "i8"), blocks=2, threads=64)
        for x, y, result in zip(a.tolist(), b.tolist(), got.tolist(), strict=True):
            quotient = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
            unsigned = (x % 2**64) // (y % 2**64)
            want = [quotient, x - quotient * y, x * y >> 64, unsigned - (unsigned >> 63 << 64)][which]
            assert result == want


FUNCTIONS = {
    "exp": (np.exp, 2e-7), "log": (lambda x: np.log(np.abs(x)), 3e-7), "tanh": (np.tanh, 3e-7), "sin": (np.sin, 3e-7),
    "cos": (np.cos, 3e-7), "sqrt": (lambda x: np.sqrt(np.abs(x)), 1.2e-7), "expm1": (np.expm1, 3e-7),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", ["float", "double"])
def test_the_mathematical_library_is_run_instruction_by_instruction(name: str, kind: str) -> None:
    dtype = np.dtype({"float": "f4", "double": "f8"}[kind])
    x = (np.random.default_rng(10).standard_normal(120) * 3).astype(dtype)
    function, bound = FUNCTIONS[name]
    argument = "fabs(x[i])" if name in {"log", "sqrt"} else "x[i]"
    call = f"{name}{'f' if kind == 'float' else ''}(({kind}){argument})"
    got = each(f"out[i] = {call};", f"const {kind}* x", x, dtype=dtype.str[1:])
    want = function(x.astype(np.float64))
    assert np.max(np.abs(got - want) / np.abs(want)) < (bound if kind == "float" else 1e-15)


def test_sine_of_large_numbers_takes_the_slow_path_through_local_memory() -> None:
    x = np.float32([1e6, 123456.7, -3e8, 5.0, 1e30])
    got = each("out[i] = sinf(x[i]);", "const float* x", x, dtype="f4", blocks=1)
    np.testing.assert_allclose(got, np.sin(x.astype(np.float64)), rtol=1e-5)


def test_blocks_and_grids_of_three_dimensions() -> None:
    source = """extern "C" __global__ void k(int* out) {
        int b = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
        int t = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
        int thread = threadIdx.x + 10 * threadIdx.y + 100 * threadIdx.z;
        int block = blockIdx.x + 10 * blockIdx.y + 100 * blockIdx.z;
        out[b * blockDim.x * blockDim.y * blockDim.z + t] = thread + 1000 * block; }"""
    got, _ = launch(source, out=((3, 2, 4, 2, 3, 5), "i4"), blocks=(4, 2, 3), threads=(5, 3, 2))
    index = np.indices((3, 2, 4, 2, 3, 5))
    scale = np.array([100000, 10000, 1000, 100, 10, 1]).reshape(6, 1, 1, 1, 1, 1, 1)
    np.testing.assert_array_equal(got, (index * scale).sum(0))


def test_a_large_grid_runs_in_slabs() -> None:
    n = 300_000
    x = np.arange(n, dtype=np.float32)
    got = each("out[i] = x[i] * 2 + blockIdx.x;", "const float* x", x, dtype="f4", blocks=1000)
    np.testing.assert_array_equal(got, x * 2 + np.arange(n) // 300)


def test_vectors_of_all_widths_are_loaded_and_stored() -> None:
    for element, count, dtype in (
        ("char", 4, "i1"),
        ("short", 2, "i2"),
        ("float", 2, "f4"),
        ("float", 4, "f4"),
        ("double", 2, "f8"),
    ):
        x = np.random.default_rng(11).integers(-100, 100, 64 * count).astype(dtype)
        vector = f"{element}{count}"
        parts = ", ".join(f"v.{'xyzw'[count - 1 - k]}" for k in range(count))
        source = f"""extern "C" __global__ void k(const {vector}* x, {vector}* out) {{ {HERE} {vector} v = x[i];
            out[i] = make_{vector}({parts}); }}"""
        got, _ = launch(source, x, out=(64 * count, dtype), blocks=2)
        np.testing.assert_array_equal(got, x.reshape(-1, count)[:, ::-1].ravel())


def test_a_generic_pointer_may_point_anywhere() -> None:
    source = """__device__ int g[32];
        extern "C" __global__ void k(const int* x, int* out) { __shared__ int s[32];
          int l[4] = {1, 2, 3, (int)threadIdx.x};
          s[threadIdx.x] = 100 + threadIdx.x; g[threadIdx.x] = 200; __syncthreads();
          int which = threadIdx.x % 4; const int* p = which == 0 ? x + threadIdx.x : which == 1 ?
            s + threadIdx.x : which == 2 ? l + 3 : g + threadIdx.x;
          const int* volatile hidden = p;
          out[threadIdx.x] = *hidden; }"""
    x = np.arange(32, dtype=np.int32) * 3
    got, report = launch(source, x, out=(32, "i4"))
    assert got.tolist() == [[3 * t, 100 + t, t, 200][t % 4] for t in range(32)]
    assert report.generic_accesses > 0


def test_philox_gives_the_vectors_of_random123() -> None:
    source = """extern "C" __global__ void k(const unsigned* counters, unsigned* out) {
        unsigned c[4], key[2]; for (int j = 0; j < 4; j++) c[j] = counters[threadIdx.x * 6 + j];
        key[0] = counters[threadIdx.x * 6 + 4]; key[1] = counters[threadIdx.x * 6 + 5];
        for (int r = 0; r < 10; r++) {
          unsigned h0 = __umulhi(0xD2511F53u, c[0]), l0 = 0xD2511F53u * c[0],
            h1 = __umulhi(0xCD9E8D57u, c[2]), l1 = 0xCD9E8D57u * c[2];
          unsigned n0 = h1 ^ c[1] ^ key[0], n2 = h0 ^ c[3] ^ key[1]; c[0] = n0; c[1] = l1; c[2] = n2; c[3] = l0;
          key[0] += 0x9E3779B9u; key[1] += 0xBB67AE85u; }
        for (int j = 0; j < 4; j++) out[threadIdx.x * 4 + j] = c[j]; }"""
    ones = [0xFFFFFFFF] * 6
    pi = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0]
    got, _ = launch(source, np.array([[0] * 6, ones, pi], np.uint32), out=((3, 4), "u4"), threads=3)
    assert [[f"{v:08x}" for v in row] for row in got] == [  # kat_vectors of Random123 1.09
        ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"],
        ["408f276d", "41c83b0e", "a20bc7c6", "6d5451fd"],
        ["d16cfe09", "94fdcceb", "5001e420", "24126ea1"],
    ]


def test_a_barrier_for_some_warps_counts_its_threads() -> None:
    source = """extern "C" __global__ void k(int* out) { __shared__ int s[64]; int t = threadIdx.x;
        if (t < 64) { s[t] = t; asm volatile("bar.sync 1, 64;" ::: "memory"); out[t] = s[63 - t]; }
        else out[t] = -t; }"""
    got, _ = launch(source, out=(128, "i4"), threads=128)
    assert got.tolist() == [63 - t if t < 64 else -t for t in range(128)]


def test_parameters_that_are_indexed_lie_in_memory() -> None:
    source = """struct S { float v[8]; }; extern "C" __global__ void k(const S s, const int* at, float* out) {
        out[threadIdx.x] = s.v[at[threadIdx.x]]; }"""
    order = np.arange(32, dtype=np.int32) * 5 % 8
    got, report = launch(source, np.arange(8, dtype=np.float32).tobytes(), order, out=(32, "f4"))
    np.testing.assert_array_equal(got, order)
    assert report.loads.bytes > 0


def test_atomic_additions_of_floats_round_each_time_and_flush_in_global_memory() -> None:
    source = """extern "C" __global__ void k(float* sum, float* shared) { __shared__ float s; 
        if (threadIdx.x == 0) s = 1e-40f;
        __syncthreads(); atomicAdd(&s, 1e-40f); atomicAdd(sum, 1e-40f); __syncthreads();
        if (threadIdx.x == 0) *shared = s; }"""
    for threads in (32, 256):
        memory = ptx.Memory(1 << 20)
        total, shared = memory.upload(np.zeros(1, np.float32)), memory.upload(np.zeros(1, np.float32))
        program = ptx.load(nvrtc.compile(source.replace("e-40f", "e-30f"), ["k"]))
        program.launch("k", (1,), (threads,), [np.uint64(total), np.uint64(shared)], memory)
        want = np.float32(0)
        for _ in range(threads):
            want += np.float32(1e-30)
        assert memory.download(total, (1,), np.float32)[0] == want
        program = ptx.load(nvrtc.compile(source, ["k"], options=["-ftz=false"]))
        memory.view(total, (1,), np.float32)[0] = 0
        program.launch("k", (1,), (threads,), [np.uint64(total), np.uint64(shared)], memory)
        assert memory.download(total, (1,), np.float32)[0] == 0
        assert memory.download(shared, (1,), np.float32)[0] > 0


@pytest.mark.parametrize("kind", ["f16x2", "bf16x2"])
def test_pairs_of_halves_are_added_atomically(kind: str) -> None:
    source = f"""extern "C" __global__ void k(unsigned* sum, const unsigned* x) {{
        unsigned old, mine = x[threadIdx.x];
        asm volatile("atom.global.add.noftz.{kind} %0, [%1], %2;" : "=r"(old) : "l"(sum), "r"(mine) : "memory"); }}"""
    one, two = (0x3C00, 0x4000) if kind == "f16x2" else (0x3F80, 0x4000)
    got, _ = launch(
        source, np.zeros(1, np.uint32), np.full(8, two << 16 | one, np.uint32), threads=8, arch="compute_90"
    )
    eight, sixteen = (0x4800, 0x4C00) if kind == "f16x2" else (0x4100, 0x4180)
    assert hex(got[0]) == hex(sixteen << 16 | eight)


def test_generic_atomics_go_where_the_pointer_points() -> None:
    source = """extern "C" __global__ void k(int* sum) { __shared__ int s;
        if (threadIdx.x == 0) s = 0; __syncthreads();
        int* p = threadIdx.x % 2 ? &s : sum; int* volatile hidden = p; atomicAdd(hidden, 1); __syncthreads();
        if (threadIdx.x == 0) sum[1] = s; }"""
    got, report = launch(source, np.zeros(2, np.int32), threads=64)
    assert got.tolist() == [32, 32] and report.generic_accesses > 0


@pytest.mark.parametrize("module", [ptx, nvrtc])
def test_the_examples_in_docstrings_that_need_nvrtc_work(module: Any) -> None:
    texts = [module.__doc__ or "", *(f.__doc__ or "" for f in vars(module).values() if callable(f))]
    text = "\n\n".join(text for text in texts if "+SKIP" in text).replace("# doctest: +SKIP", "")
    example = doctest.DocTestParser().get_doctest(text, {}, module.__name__, None, 0)
    assert doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example).failed == 0
    assert example.examples


def test_kernels_of_one_text_can_be_asked_for_one_by_one() -> None:
    source = "__global__ void one(int* x) { *x = 1; }\n__global__ void two(int* x) { *x = 2; }"
    memory = ptx.Memory(1 << 20)
    address = memory.upload(np.zeros(1, np.int32))
    for value, name in enumerate(["one", "two", "one"], 1):
        ptx.load(nvrtc.compile(source, [name])).launch(name, [1], [1], [np.uint64(address)], memory)
        assert memory.download(address, (1,), "int32")[0] == {"one": 1, "two": 2}[name], value
