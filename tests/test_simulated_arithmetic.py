"""Elementwise arithmetic of the simulated device on edge cases, against CuPy's own CUDA code run by the interpreter."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from gradflow.testing import nvrtc, ptx
from gradflow.testing.simulated import Cupy

NAMES = (
    "abs", "add", "clip", "bitwise_and", "bitwise_or", "bitwise_xor", "ceil", "copysign", "equal", "fabs", "floor",
    "floor_divide", "fmax", "fmin", "fmod", "greater", "greater_equal", "heaviside", "invert", "isfinite", "isinf",
    "isnan", "left_shift", "less", "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor", "maximum",
    "minimum", "multiply", "negative", "not_equal", "positive", "power", "reciprocal", "remainder", "right_shift",
    "rint", "sign", "signbit", "sqrt", "square", "subtract", "true_divide", "trunc",
)  # fmt: skip
TYPES = {
    "f": "float",
    "d": "double",
    "b": "signed char",
    "i": "int",
    "?": "bool",
    "L": "unsigned long long",
    "Q": "unsigned long long",
}
EDGES = {
    "f": [0.0, -0.0, 1.0, -1.5, 0.1, 7.0, 2.7, -0.3, -3e38, 1e-40, -1e-40, 2.0**-126, np.inf, -np.inf, np.nan],
    "d": [0.0, -0.0, 1.0, -1.5, 0.1, 7.0, 2.7, -0.3, -1e308, 1e-310, np.inf, -np.inf, np.nan],
    "i": [0, 1, -1, 2, -3, 7, 31, 2**31 - 1, -(2**31) + 1],
    "?": [False, True],
    "L": [0, 1, 2, 7, 63, 2**63, 2**64 - 1],
}
INEXACT = {"power": "fd"}  # where the functions of CUDA and of NumPy round differently
xp = Cupy()


def routine(ufunc, letter):
    """CuPy's CUDA code for operands of one dtype, and the dtype of the result; None if it has none."""
    for op in ufunc._ops.ops:
        if all(np.dtype(kind) == np.dtype(letter) for kind in op.in_types) and op.routine is not None:
            code = op.routine if op.routine.rstrip().endswith((";", "}")) else f"{op.routine};"
            return code, np.dtype(op.out_types[0]).char
    return None


def kernel(ufunc, name, letter):
    code, made = routine(ufunc, letter)
    operands = [f"in{k}" for k in range(ufunc.nin)]
    parameters = ", ".join(f"const {TYPES[letter]}* p_{each}" for each in operands)
    kinds = "".join(f"typedef {TYPES[letter]} {each}_type; " for each in operands)
    reads = "".join(f"const {TYPES[letter]} {each} = p_{each}[i]; " for each in operands)
    return f"""
extern "C" __global__ void {name}_{ord(letter)}({parameters}, {TYPES[made]}* p_out, int n) {{
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= n) return;
  {kinds} {reads}
  typedef {TYPES[made]} out0_type;
  out0_type out0;
  {code}
  p_out[i] = out0;
}}
"""


@pytest.fixture(scope="module")
def program():
    """CuPy's code for all of NAMES in one program."""
    cupy = pytest.importorskip("cupy")
    if not nvrtc.available():
        pytest.skip("NVRTC is not installed")
    header = (Path(cupy.__file__).parent / "_core/include/cupy/carray.cuh").read_text()
    divide = "\n".join(re.findall(r"__device__ [\w ]+ _floor_divide\([^{]*\{.*?\n\}", header, re.DOTALL))
    ufuncs = {name: getattr(cupy, name) for name in NAMES}
    ufuncs["clip"] = importlib.import_module("cupy._core._routines_math")._clip
    preambles = "\n".join(dict.fromkeys(ufunc._preamble for ufunc in ufuncs.values()))
    wanted = [(name, letter) for name in NAMES for letter in EDGES if routine(ufuncs[name], letter)]
    source = "#define NAN __int_as_float(0x7fffffff)\n" + divide + preambles
    source += "".join(kernel(ufuncs[name], name, letter) for name, letter in wanted)
    compiled = nvrtc.compile(source, [f"{name}_{ord(letter)}" for name, letter in wanted])
    return ptx.load(compiled), ufuncs


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("letter", EDGES)
def test_simulated_arithmetic_is_that_of_cupys_own_code(name, letter, program):
    loaded, ufuncs = program
    if routine(ufuncs[name], letter) is None:
        return
    edges = np.array(EDGES[letter], letter)
    if "shift" in name:
        edges = edges[edges < 64]  # C++ leaves undefined what larger shifts do
    operands = [x.ravel() for x in np.meshgrid(*[edges] * ufuncs[name].nin)]
    made = routine(ufuncs[name], letter)[1]
    memory = ptx.Memory(1 << 20)
    out = memory.allocate(operands[0].size * np.dtype(made).itemsize)
    arguments = [np.uint64(memory.upload(x)) for x in operands] + [np.uint64(out), np.int32(operands[0].size)]
    loaded.launch(f"{name}_{ord(letter)}", (-(-operands[0].size // 256), 1, 1), (256, 1, 1), arguments, memory)
    expected = memory.download(out, operands[0].shape, made)
    found = getattr(xp, name)(*map(xp.asarray, operands)).get()
    assert found.dtype == expected.dtype
    if letter in INEXACT.get(name, ""):
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        return
    np.testing.assert_array_equal(found, expected)
    if made in "fd":
        numbers = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(found[numbers]), np.signbit(expected[numbers]))
