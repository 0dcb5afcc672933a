"""Kernels for tests of the PTX interpreter: from CUDA C, or from one instruction; and exact rounding."""

from __future__ import annotations

from fractions import Fraction
from math import inf, isfinite
from typing import Any

import numpy as np
import pytest

from gradflow.testing import nvrtc, ptx

# 16-bit registers, 32-bit ... by the size of a type; and how its values are loaded
REGISTERS = {1: "b16", 2: "b16", 4: "b32", 8: "b64"}
NEEDS_NVRTC = pytest.mark.skipif(not nvrtc.available(), reason="needs NVRTC: the extra cuda12 or cuda13")


def launch(
    source: str,
    *arguments: Any,
    out: tuple[Any, Any] | None = None,
    name: str = "k",
    blocks: Any = 1,
    threads: Any = 32,
    shared: int = 0,
    arch: str = "compute_80",
) -> Any:
    """The output, and the report, of a kernel of CUDA C: arrays are uploaded, the output's pointer comes last.

    Without ``out``, a shape and a dtype, what the first argument holds afterwards is the output.
    """
    program = ptx.load(nvrtc.compile(source, [name], arch))
    return start(program, name, *arguments, out=out, blocks=blocks, threads=threads, shared=shared)


def start(
    program: ptx.Program, name: str, *arguments: Any, out: Any = None, blocks: Any, threads: Any, shared: int
) -> Any:
    memory = ptx.Memory(1 << 26)
    given = [np.uint64(memory.upload(x)) if isinstance(x, np.ndarray) else x for x in arguments]
    if out is not None:
        given.append(np.uint64(memory.allocate(int(np.prod(out[0])) * np.dtype(out[1]).itemsize)))
    grid, block = (size if isinstance(size, tuple) else (size,) for size in (blocks, threads))
    report = program.launch(name, grid, block, given, memory, shared)
    shape, dtype = out if out is not None else (arguments[0].shape, arguments[0].dtype)
    return memory.download(int(given[-1] if out is not None else given[0]), shape, dtype), report


def fault(source: str, *arguments: Any, **options: Any) -> ptx.KernelFault:
    """The fault that a kernel of CUDA C ends in."""
    with pytest.raises(ptx.KernelFault) as caught:
        launch('#line 1 "kernels/wrong.cu"\n' + source.lstrip("\n"), *arguments, **options)
    return caught.value


def instruction(text: str, result: str, *inputs: tuple[str, Any], extra: str = "") -> Any:
    """What one instruction gives for each element of its inputs, which come as pairs of a PTX type and an array.

    ``text`` has ``d`` for the result and ``a``, ``b``, ``c`` for the inputs; ``extra`` declares more registers.
    """
    n = len(inputs[0][1])
    names = "abcd"
    types = {"d": result, **{names[i]: kind for i, (kind, _) in enumerate(inputs)}}
    size = {
        name: int("".join(filter(str.isdigit, kind.split("x")[0]))) * (2 if "x2" in kind else 1) // 8
        for name, kind in types.items()
    }
    lines = [f".reg .{REGISTERS[size[name]]} %{name};" for name in types]
    lines += [extra, ".reg .b32 %i; .reg .b64 %at<6>; mov.u32 %i, %tid.x;"]
    params = []
    for k, name in enumerate(types):
        params.append(f".param .u64 p{k}")
        lines.append(f"ld.param.u64 %at{k}, [p{k}]; mad.wide.u32 %at{k}, %i, {size[name]}, %at{k};")
        if name != "d":
            lines.append(f"ld.global.b{8 * size[name]} %{name}, [%at{k}];")
    for name in types:
        text = replaced(text, name)
    lines += [text, f"st.global.b{8 * size['d']} [%at0], %d;", "ret;"]
    body = "\n".join(lines)
    source = f".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k({', '.join(params)})\n{{\n{body}\n}}\n"
    program = ptx.load(nvrtc.Compiled(source, {}, ""))
    memory = ptx.Memory(1 << 20)
    code = numpy_type(result)
    arguments = [memory.allocate(n * np.dtype(code).itemsize)]
    arguments += [memory.upload(np.asarray(values).astype(numpy_type(kind), copy=False)) for kind, values in inputs]
    program.launch("k", (1,), (n,), [np.uint64(address) for address in arguments], memory)
    return memory.download(arguments[0], (n,), code)


def replaced(text: str, name: str) -> str:
    """``text`` with the operand ``name`` as a register."""
    import re

    return re.sub(rf"(?<![\w.%]){name}(?![\w.])", f"%{name}", text)


def numpy_type(kind: str) -> str:
    """The NumPy type that holds values of a PTX type."""
    if kind in {"bf16", "f16x2", "bf16x2"}:
        return "u2" if kind == "bf16" else "u4"
    bits = int(kind[1:])
    return {"s": "i", "f": "f"}.get(kind[0], "u") + str(bits // 8)


FORMATS = {"f16": (11, -14, 15), "bf16": (8, -126, 127), "f32": (24, -126, 127), "f64": (53, -1022, 1023)}


def rounded(x: Fraction, kind: str, mode: str = "rn") -> float:
    """An exact number as a float of the format, by IEEE 754: ``rn`` nearest even, ``rz``, ``rm`` down, ``rp`` up."""
    precision, low, high = FORMATS[kind]
    if x == 0:
        return 0.0
    magnitude = abs(x)
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    exponent -= magnitude < Fraction(2) ** exponent
    unit = Fraction(2) ** (max(exponent, low) - precision + 1)
    floor, rest = divmod(magnitude, unit)
    up = {"rn": rest * 2 > unit or (rest * 2 == unit and floor % 2 == 1), "rz": False}.get(mode, False)
    if mode in {"rm", "rp"}:
        up = rest > 0 and (mode == "rp") == (x > 0)
    value = (floor + up) * unit
    if value >= Fraction(2) ** (high + 1):
        largest = float((2 - Fraction(2) ** (1 - precision)) * Fraction(2) ** high)
        value_float = inf if mode == "rn" or (mode != "rz" and (mode == "rp") == (x > 0)) else largest
    else:
        value_float = float(value)
    return value_float if x > 0 else -value_float


def exact(x: Any) -> Fraction:
    """A finite float as a fraction."""
    assert isfinite(x)
    return Fraction(float(x))


def floats(kind: str, count: int, seed: int, spread: int = 30) -> Any:
    """Finite floats of all signs, exponents near 0 within ``spread``, and many with few bits, so that ties occur."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(1 << (FORMATS[kind][0] - 1), 1 << FORMATS[kind][0], count).astype(np.float64)
    few = rng.integers(0, 2, count).astype(bool)
    bits = np.where(few, rng.integers(1, 64, count), bits)
    spread = min(spread, FORMATS[kind][2] - 4)
    values = np.ldexp(bits, rng.integers(-spread, spread, count) - np.where(few, 6, FORMATS[kind][0]))
    return (values * rng.choice([-1.0, 1.0], count)).astype({"f16": "f2", "f32": "f4", "f64": "f8", "bf16": "f4"}[kind])
