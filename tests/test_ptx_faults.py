"""What the PTX interpreter says of kernels that are wrong: the fault, the kernel, the line, the thread, the address."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gradflow.errors import ArgumentError, GradflowError
from gradflow.testing import nvrtc, ptx
from kernel import NEEDS_NVRTC, fault, launch

pytestmark = NEEDS_NVRTC

X = np.arange(64, dtype=np.float32)


def kernel(body: str, parameters: str = "const float* x, float* out") -> str:
    """A kernel whose body begins at line 2 of kernels/wrong.cu."""
    return f'extern "C" __global__ void k({parameters}) {{ int t = threadIdx.x;\n{body}\n}}'


def test_a_load_past_the_end_names_line_thread_address_and_allocation() -> None:
    error = fault(kernel("float v = x[t + 1];\nout[t] = v;"), X, out=(64, "f4"), threads=64)
    assert (error.kind, error.kernel, error.line) == ("out of bounds", "k", "kernels/wrong.cu:2")
    assert (error.block, error.thread) == ((0, 0, 0), (63, 0, 0))
    assert error.address is not None
    base = error.address - 256
    assert str(error) == (
        f"out of bounds: load of 4 bytes at {error.address:#x}, 0 bytes past the end of the 256 bytes"
        f" allocated at {base:#x}"
        " (kernel k, at kernels/wrong.cu:2, block (0, 0, 0), thread (63, 0, 0))"
    )
    assert isinstance(error, GradflowError) and isinstance(error, RuntimeError)


def test_a_store_past_the_end_names_the_block() -> None:
    error = fault(kernel("out[blockIdx.x * 32 + t] = x[t];"), X, out=(70, "f4"), blocks=3)
    assert (error.kind, error.block, error.thread) == ("out of bounds", (2, 0, 0), (6, 0, 0))
    assert "store of 4 bytes" in str(error)


def test_a_fault_in_an_inlined_function_names_both_lines() -> None:
    source = "__device__ float get(const float* x, int i) {\n  return x[i];\n}\n" + kernel("out[t] =\n get(x, t + 64);")
    error = fault(source, X, out=(64, "f4"))
    assert error.line == "kernels/wrong.cu:2, inlined at kernels/wrong.cu:6"


def test_a_negative_index_lies_before_the_allocation() -> None:
    error = fault(kernel("out[t] = x[t - 3];"), X, out=(64, "f4"))
    assert error.kind == "out of bounds" and "12 bytes before the 256 bytes" in str(error)


def test_a_null_pointer_and_a_host_pointer_are_near_no_allocation() -> None:
    source = kernel("out[t] = x[0];")
    program = ptx.load(nvrtc.compile(source, ["k"]))
    memory = ptx.Memory(1 << 20)
    out = np.uint64(memory.allocate(128))
    for address, words in ((0, "a null pointer"), (0x7F0012345678, "near no allocation")):
        with pytest.raises(ptx.KernelFault, match=words):
            program.launch("k", (1,), (32,), [np.uint64(address), out], memory)


def test_memory_that_was_freed_is_not_touched() -> None:
    program = ptx.load(nvrtc.compile(kernel("out[t] = x[t];"), ["k"]))
    memory = ptx.Memory(1 << 20)
    x, out = memory.upload(X), np.uint64(memory.allocate(128))
    memory.free(x)
    with pytest.raises(ptx.KernelFault, match=f"use after free: .* memory that was freed at {x:#x}"):
        program.launch("k", (1,), (32,), [np.uint64(x), out], memory)


def test_a_vector_must_lie_at_a_multiple_of_its_size() -> None:
    body = "((float4*)(out + 1))[t] = ((const float4*)x)[t];"
    error = fault(kernel(body), X, out=(64, "f4"), threads=8)
    assert error.kind == "misaligned" and "store of 16 bytes" in str(error) and "no multiple of 16" in str(error)
    error = fault(kernel("*(int*)((char*)out + 2 * t) = 1;"), X, out=(64, "f4"), threads=8)
    assert (error.kind, error.thread) == ("misaligned", (1, 0, 0))


def test_memory_that_nothing_has_written_is_not_read() -> None:
    program = ptx.load(nvrtc.compile(kernel("out[t] = x[t];"), ["k"]))
    memory = ptx.Memory(1 << 20)
    x, out = memory.allocate(128), np.uint64(memory.allocate(128))
    memory.mark_written(x, 80)
    with pytest.raises(ptx.KernelFault) as caught:
        program.launch("k", (1,), (32,), [np.uint64(x), out], memory)
    assert (caught.value.kind, caught.value.thread) == ("uninitialised read", (20, 0, 0))
    memory.mark_written(x, 128)
    program.launch("k", (1,), (32,), [np.uint64(x), out], memory)


@pytest.mark.parametrize("index", ["t * 7 % 32", "2 * t", "31 - t", "31"])
def test_scattered_and_uniform_loads_need_written_memory_too(index: str) -> None:
    program = ptx.load(nvrtc.compile(kernel(f"out[t] = x[{index}];"), ["k"]))
    memory = ptx.Memory(1 << 20)
    x, out = memory.allocate(256), np.uint64(memory.allocate(128))
    memory.mark_written(x, 124)
    with pytest.raises(ptx.KernelFault, match="uninitialised read"):
        program.launch("k", (1,), (32,), [np.uint64(x), out], memory)
    memory.mark_written(x, 252)
    program.launch("k", (1,), (32,), [np.uint64(x), out], memory)


def test_what_a_kernel_writes_counts_as_initialised_for_the_next() -> None:
    program = ptx.load(nvrtc.compile(kernel("out[2 * t] = x[2 * t];"), ["k"]))
    memory = ptx.Memory(1 << 20)
    first, second, third = (np.uint64(a) for a in (memory.upload(X), memory.allocate(256), memory.allocate(256)))
    program.launch("k", (1,), (32,), [first, second], memory)
    program.launch("k", (1,), (32,), [second, third], memory)
    every = ptx.load(nvrtc.compile(kernel("out[t] = x[t];"), ["k"]))
    with pytest.raises(ptx.KernelFault, match="uninitialised read"):
        every.launch("k", (1,), (32,), [second, third], memory)


def test_shared_memory_starts_uninitialised_and_ends() -> None:
    source = kernel("__shared__ float s[64];\nif (t < 20) s[t] = x[t];\n__syncthreads();\nout[t] = s[t];")
    error = fault(source, X, out=(32, "f4"))
    assert (error.kind, error.thread, error.line) == ("uninitialised read", (20, 0, 0), "kernels/wrong.cu:5")
    source = kernel("__shared__ float s[8];\nfor (int i = 0; i < 8; i++) s[i] = 1;\n__syncthreads();\nout[t] = s[t];")
    source = source.replace(
        "for (int i = 0; i < 8; i++) s[i] = 1;", "if (t == 0) for (int i = 0; i < 8; i++) s[i] = 1;"
    )
    error = fault(source, X, out=(32, "f4"), threads=9)
    assert (error.kind, error.thread) == ("out of bounds", (8, 0, 0)) and "32 bytes" in str(error)


def test_a_barrier_that_some_threads_do_not_reach_is_waited_at_forever() -> None:
    error = fault(
        kernel("if (t < 40)\n__syncthreads();\nelse\n__syncthreads();\nout[t] = 1;"), X, out=(64, "f4"), threads=64
    )
    assert error.kind == "barrier"
    error = fault(
        kernel("if (t < 40) {\n__syncthreads(); out[t] = 1; }\nelse { out[t] = x[t]; __syncthreads(); }"),
        X,
        out=(64, "f4"),
        threads=64,
    )
    assert error.kind == "barrier" and "wait forever at a barrier; other threads wait: " in str(error)


def test_threads_that_left_are_not_waited_for() -> None:
    got, _ = launch(kernel("if (t >= 40) return; __syncthreads(); out[t] = x[t];"), X, out=(40, "f4"), threads=64)
    np.testing.assert_array_equal(got, X[:40])


def test_a_shuffle_in_a_branch_needs_the_lanes_that_its_mask_names() -> None:
    body = "float v = x[t];\nif (t % 32 < 16)\nv = __shfl_xor_sync(0xffffffffu, v, 1);\nout[t] = v;"
    error = fault(kernel(body), X, out=(64, "f4"), threads=64)
    assert (error.kind, error.line) == ("shuffle", "kernels/wrong.cu:4")
    assert "wait forever at shfl.sync.bfly.b32 for lanes that their mask names" in str(error)


def test_a_shuffle_after_lanes_have_left() -> None:
    body = "if (t >= 40) return;\nout[t] = __shfl_xor_sync(0xffffffffu, x[t], 1);"
    error = fault(kernel(body), X, out=(64, "f4"), threads=64)
    assert error.kind == "shuffle" and "the others have left the kernel" in str(error)
    error = fault(kernel("out[t] = __shfl_xor_sync(0xffffffffu, x[t], 1);"), X, out=(40, "f4"), threads=40)
    assert error.kind == "shuffle"  # lanes that never were


def test_a_lane_must_be_in_its_mask_and_read_from_one_that_is() -> None:
    error = fault(kernel("out[t] = __shfl_xor_sync(0xffu, x[t], 1);"), X, out=(32, "f4"))
    assert error.kind == "shuffle"
    error = fault(kernel("out[t] = __shfl_sync(0xffu, x[t], 0);"), X, out=(32, "f4"))
    assert error.kind == "shuffle" and "lane 8 is not in the mask it gives, 0xff" in str(error)
    error = fault(kernel("if (t < 8) out[t] = __shfl_sync(0xffu, x[t], t + 4);"), X, out=(32, "f4"))
    assert error.kind == "shuffle" and "lane 4 reads from lane 8, which does not take part" in str(error)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"threads": 2000}, "2000 threads per block"),
        ({"threads": 0}, "0 threads per block"),
        ({"threads": (1, 1, 65)}, "third dimension"),
        ({"blocks": (1, 70000)}, "a grid of"),
        ({"blocks": 0}, "a grid of"),
        ({"shared": 300_000}, "300000 bytes of shared memory"),
    ],
)
def test_what_no_device_launches_is_refused(options: dict[str, Any], words: str) -> None:
    error = fault(kernel("out[t] = x[t];"), X, out=(64, "f4"), **options)
    assert error.kind == "launch" and words in str(error)


def test_launch_bounds_are_kept() -> None:
    source = 'extern "C" __global__ void __launch_bounds__(64) k(float* out) { out[threadIdx.x] = 1; }'
    error = fault(source, out=(128, "f4"), threads=128)
    assert "__launch_bounds__ allows 64" in str(error)


def test_arguments_have_the_number_and_the_size_of_the_parameters() -> None:
    source = kernel("out[t] = x[t] * n;", "const float* x, int n, float* out")
    assert "3 parameters, 2 arguments" in str(fault(source, X, out=(64, "f4")))
    error = fault(source, X, np.float64(2), out=(64, "f4"))
    assert error.kind == "launch" and "parameter 1 takes 4 bytes (.u32), given float64 of 8" in str(error)


def test_an_unknown_instruction_is_named() -> None:
    body = 'asm volatile("wgmma.fence.sync.aligned;"); out[t] = x[t];'
    error = fault(kernel(body), X, out=(64, "f4"), arch="compute_90a")
    assert error.kind == "unsupported" and "wgmma.fence.sync.aligned" in str(error)
    assert error.line == "kernels/wrong.cu:2"


def test_an_assertion_and_a_trap_stop_the_kernel() -> None:
    error = fault(kernel("if (t == 5)\n__trap();\nout[t] = x[t];"), X, out=(64, "f4"))
    assert (error.kind, error.thread) == ("trap", (5, 0, 0))


def test_an_endless_loop_ends() -> None:
    source = kernel("volatile float* v = out; out[t] = 0; while (v[t] == 0) { }")
    from gradflow.testing.ptx import machine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "STEPS", 1000)
        error = fault(source, X, out=(32, "f4"))
    assert error.kind == "endless loop" and "1000 steps" in str(error)


def test_a_kernel_that_is_not_there_is_an_argument_error() -> None:
    program = ptx.load(nvrtc.compile(kernel("out[t] = x[t];"), ["k"]))
    assert program.kernels == ["k"]
    with pytest.raises(ArgumentError, match="no kernel missing; there are k"):
        program.launch("missing", (1,), (1,), [], ptx.Memory(1 << 20))


def test_atomics_fault_like_loads() -> None:
    error = fault(kernel("atomicAdd(out + t, x[t]);"), X, out=(64, "f4"))
    assert error.kind == "uninitialised read" and "atomic operation on 4 bytes" in str(error)
    error = fault(
        kernel(
            "__shared__ int s[4]; s[t % 4] = 0; __syncthreads(); atomicAdd(s + t, 1); __syncthreads(); out[t] = s[0];"
        ),
        X,
        out=(64, "f4"),
    )
    assert error.kind == "out of bounds" and error.thread == (4, 0, 0)
