"""Raw kernels on the simulated device, with the traps of CuPy's argument passing."""

from __future__ import annotations

import numpy as np
import pytest

from gradflow.testing import nvrtc
from gradflow.testing.ptx import KernelFault
from gradflow.testing.simulated import Cupy

pytestmark = pytest.mark.skipif(not nvrtc.available(), reason="NVRTC is not installed")

SCALE = """
template <typename T> __global__ void scale(T* x, float by, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] *= by;
}
struct Pair { float a; int b; };
template <typename T> __global__ void pair(T* out, Pair p) { out[threadIdx.x] = p.a + p.b; }
"""


@pytest.fixture
def xp():
    return Cupy()


@pytest.fixture
def module(xp):
    return xp.RawModule(code=SCALE, name_expressions=["scale<float>", "pair<float>"], backend="nvrtc")


def test_a_simulated_raw_module_compiles_and_runs_a_template(xp, module):
    x = xp.arange(40, dtype=np.float32)
    mark = len(xp.records)
    module.get_function("scale<float>")((2,), (32,), (x, np.float32(3), np.int32(40)))
    assert [(record.kind, record.name) for record in xp.records.since(mark)] == [("kernel", "scale<float>")]
    np.testing.assert_array_equal(x.get(), np.arange(40, dtype=np.float32) * 3)


def test_a_simulated_raw_kernel_is_found_by_its_plain_name(xp):
    kernel = xp.RawKernel('extern "C" __global__ void ones(int* x) { x[threadIdx.x] = 1; }', "ones")
    x = xp.zeros(8, np.int32)
    kernel((1,), (8,), (x,))
    assert x.tolist() == [1] * 8


def test_python_numbers_are_passed_to_simulated_kernels_as_64_bits_and_nobody_notices(xp, module):
    x = xp.ones(4, np.float32)
    module.get_function("scale<float>")((1,), (4,), (x, 2.0, 4))  # the lower half of the double 2.0 is 0
    assert x.tolist() == [0, 0, 0, 0]


def test_simulated_kernels_get_the_first_element_of_a_view_and_not_its_strides(xp, module):
    x = xp.ones(8, np.float32)
    module.get_function("scale<float>")((1,), (4,), (x[2::2], np.float32(5), np.int32(3)))
    assert x.tolist() == [1, 1, 5, 5, 5, 1, 1, 1]


def test_structures_are_passed_to_simulated_kernels_by_value(xp, module):
    out = xp.zeros(2, np.float32)
    pair = np.array((1.5, 2), np.dtype([("a", "f4"), ("b", "i4")]))[()]
    module.get_function("pair<float>")((1,), (2,), (out, pair))
    assert out.tolist() == [3.5, 3.5]


def test_arguments_that_a_simulated_kernel_would_read_from_nowhere_are_an_error(xp, module):
    kernel, x = module.get_function("scale<float>"), xp.ones(4, np.float32)
    with pytest.raises(KernelFault, match="2 arguments given, 3 declared"):
        kernel((1,), (4,), (x, np.float32(2)))
    with pytest.raises(KernelFault, match="argument 2 is 2 bytes, a int16, its parameter 4"):
        kernel((1,), (4,), (x, np.float32(2), np.int16(4)))
    with pytest.raises(TypeError, match="Unsupported type"):
        kernel((1,), (4,), (x, np.ones(2), np.int32(4)))
    kernel((1,), (4,), (x, np.float32(2), np.int32(4), "ignored"))  # too many are ignored


def test_a_simulated_kernel_out_of_bounds_is_found(xp, module):
    x = xp.ones(4, np.float32)
    with pytest.raises(KernelFault, match="out of bounds"):
        module.get_function("scale<float>")((1,), (5,), (x, np.float32(2), np.int32(5)))
    with pytest.raises(KernelFault, match="uninitialised read"):
        module.get_function("scale<float>")((1,), (4,), (xp.empty(4, np.float32), np.float32(2), np.int32(4)))


def test_a_simulated_program_that_does_not_compile_says_why(xp):
    module = xp.RawModule(code="__global__ void f(int* x) { y = 1; }", name_expressions=["f"])
    with pytest.raises(xp.cuda.compiler.CompileException, match='identifier "y" is undefined'):
        module.get_function("f")
    with pytest.raises(KeyError):
        module.get_function("g")


def test_a_simulated_launch_of_an_impossible_shape_is_refused(xp, module):
    kernel, x = module.get_function("scale<float>"), xp.ones(4, np.float32)
    for grid, block in [((0,), (4,)), ((1,), (2048,)), ((1,), (0,))]:
        with pytest.raises(xp.cuda.runtime.CUDARuntimeError, match="cudaErrorInvalidValue"):
            kernel(grid, block, (x, np.float32(2), np.int32(4)))


def test_simulated_kernels_are_captured_and_fail_when_told(xp, module):
    kernel, x = module.get_function("scale<float>"), xp.ones(4, np.float32)
    stream = xp.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        kernel((1,), (4,), (x, np.float32(2), np.int32(4)))
        graph = stream.end_capture()
    assert x.tolist() == [1] * 4
    graph.launch()
    graph.launch()
    assert x.tolist() == [4] * 4
    xp.machine.fail_launch(1)
    with pytest.raises(xp.cuda.runtime.CUDARuntimeError, match="LaunchFailure"):
        kernel((1,), (4,), (x, np.float32(2), np.int32(4)))


def test_a_simulated_kernel_is_given_arrays_of_its_own_device_alone(module, xp):
    two = Cupy(devices=2)
    kernel = two.RawModule(code=SCALE, name_expressions=["scale<float>"]).get_function("scale<float>")
    x = two.ones(4, np.float32)
    with two.cuda.Device(1), pytest.raises(ValueError, match="array of device 0 on 1"):
        kernel((1,), (4,), (x, np.float32(2), np.int32(4)))
    with two.cuda.Device(1):
        foreign = two.cuda.Stream()
    with pytest.raises(two.cuda.runtime.CUDARuntimeError, match="cudaErrorInvalidResourceHandle"):
        kernel((1,), (4,), (x, np.float32(2), np.int32(4)), stream=foreign)


def test_simulated_kernels_take_what_cupys_take(xp):
    code = 'extern "C" __global__ void f(double* x, const float* p, bool b, double d, unsigned long long u) {' + (
        " x[0] = p ? 1 : 2; x[1] = b; x[2] = d; x[3] = u >> 32; }"
    )
    kernel, x = xp.RawKernel(code, "f", options=("-std=c++14", "--use_fast_math")), xp.zeros(4)
    kernel.compile()
    kernel((1,), (1,), (x.data, None, True, 2.5, 2**63))
    assert x.tolist() == [2, 1, 2.5, 2**31]
    module = xp.RawModule(code=code)
    module.get_function("f")((1,), (1,), (x, xp.zeros(1, "f"), np.bool_(False), np.float64(3), 7))
    assert x.tolist() == [1, 0, 3, 0]
    xp.RawModule(code=SCALE, name_expressions=["scale<double>"]).compile()
    with pytest.raises(NotImplementedError, match="nvrtc"):
        xp.RawModule(path="x.cubin")


def test_a_simulated_graph_keeps_to_the_memory_of_its_kernels(xp, module):
    kernel, x = module.get_function("scale<float>"), xp.ones(4, np.float32)
    stream = xp.cuda.Stream(non_blocking=True)
    with stream:
        warm = xp.ones(4, np.float32)
        del warm
        stream.begin_capture()
        scratch = xp.ones(4, np.float32)
        kernel((1,), (4,), (scratch, np.float32(2), np.int32(4)))
        xp.add(x, scratch, out=x)
        del scratch  # free, and still there for the graph
        graph = stream.end_capture()
        graph.launch()
        graph.launch()
        assert x.tolist() == [5] * 4
        other = xp.ones(4, np.float32)
        with pytest.raises(KernelFault, match="given to another array since"):
            graph.launch()
        assert other.tolist() == [1] * 4
