"""NVRTC by ctypes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradflow.errors import KernelError, MissingExtraError
from gradflow.testing import nvrtc
from kernel import NEEDS_NVRTC

SOURCE = """#line 1 "kernels/twice.cu"
template <typename T> __global__ void __launch_bounds__(256) twice(const T* x, T* out, int n) {
  __shared__ T kept[256];
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  kept[threadIdx.x] = x[i];
  __syncthreads();
  out[i] = 2 * kept[255 - threadIdx.x];
}
"""


@NEEDS_NVRTC
def test_name_expressions_become_mangled_names_of_entries() -> None:
    compiled = nvrtc.compile(SOURCE, ["twice<float>", "twice<double>"])
    assert compiled.names == {"twice<float>": "_Z5twiceIfEvPKT_PS0_i", "twice<double>": "_Z5twiceIdEvPKT_PS0_i"}
    assert all(f".entry {name}(" in compiled.ptx for name in compiled.names.values())
    assert ".target sm_80" in compiled.ptx and ".loc" in compiled.ptx and 'kernels/twice.cu"' in compiled.ptx
    assert ".target sm_90" in nvrtc.compile(SOURCE, ["twice<float>"], arch="compute_90").ptx


@NEEDS_NVRTC
def test_the_flags_are_those_of_cupy_and_more_may_be_given() -> None:
    source = "__global__ void f(float* x) { *x = *x * *x + VALUE; }"
    assert ".ftz" in nvrtc.compile(source, ["f"], options=["-DVALUE=3"]).ptx
    assert "0f40A00000" in nvrtc.compile(source, ["f"], options=["-DVALUE=5"]).ptx


@NEEDS_NVRTC
def test_a_program_is_compiled_once() -> None:
    assert nvrtc.compile(SOURCE, ["twice<float>"]) is nvrtc.compile(SOURCE, ["twice<float>"])


@NEEDS_NVRTC
def test_an_error_shows_the_file_the_line_and_the_text_of_the_compiler() -> None:
    with pytest.raises(KernelError) as caught:
        nvrtc.compile(SOURCE.replace("int i =", "itn i ="), ["twice<float>"])
    message = str(caught.value)
    assert message.startswith("the CUDA program does not compile (--gpu-architecture=compute_80")
    assert 'kernels/twice.cu(3): error: identifier "itn" is undefined' in message
    assert str(Path.cwd()) not in message


@NEEDS_NVRTC
def test_an_unknown_name_and_an_unknown_architecture_are_kernel_errors() -> None:
    with pytest.raises(KernelError, match="missing"):
        nvrtc.compile(SOURCE, ["missing<float>"])
    with pytest.raises(KernelError, match="compute_12345"):
        nvrtc.compile(SOURCE, ["twice<float>"], arch="compute_12345")


@NEEDS_NVRTC
@pytest.mark.parametrize("arch", ["sm_75", "sm_80", "sm_90", "sm_120"])
def test_resources_are_what_ptxas_says(arch: str) -> None:
    found = nvrtc.resources(SOURCE, ["twice<float>", "twice<double>"], arch)
    for name, shared in (("twice<float>", 1024), ("twice<double>", 2048)):
        assert 4 <= found[name].registers <= 32
        assert found[name][1:4] == (0, 0, 0)
        assert found[name].shared in {shared, shared + 1024}  # sm_90 and later keep 1 KiB for themselves
        assert found[name].constant >= 20 or arch in {"sm_90", "sm_120"}  # for which ptxas does not say
    assert found["twice<float>"].shared < found["twice<double>"].shared


@NEEDS_NVRTC
def test_a_stack_and_spills_are_seen() -> None:
    loop = "for (int i = 0; i < 64; i++) a[x[i] & 63] += x[i + 64];"
    source = f"__global__ void f(const int* x, int* out) {{ int a[64] = {{}}; {loop} *out = a[x[0] & 63]; }}"
    assert nvrtc.resources(source, ["f"])["f"].stack >= 256


@NEEDS_NVRTC
def test_the_version_is_one_that_knows_these_architectures() -> None:
    assert nvrtc.version() >= (12, 0)


def test_without_nvrtc_an_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvrtc, "_candidates", lambda: ["libnvrtc-that-is-not-there.so"])
    nvrtc._library.cache_clear()
    try:
        assert not nvrtc.available()
        with pytest.raises(MissingExtraError, match=r'pip install "gradflow\[cuda12\]"'):
            nvrtc.compile("__global__ void g() {}", ["g"])
    finally:
        nvrtc._library.cache_clear()
