"""The text of kernels/*.cu, and the signatures in it, by which arguments are typed and checked before a launch."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gradflow.dtypes import DType, float32
from gradflow.errors import KernelError

OPTIONS = ("-std=c++17",)  # CuPy adds -ftz=true, --device-as-default-execution-space and the architecture
C_TYPES = {"float16": "f16", "bfloat16": "bf16", "float32": "float", "float64": "double"}
SCALARS: dict[str, Any] = {
    "float": np.float32, "double": np.float64, "int": np.int32, "bool": np.bool_, "int64": np.int64, "uint64": np.uint64
}  # fmt: skip
ELEMENTS = {name: np.dtype(scalar) for name, scalar in SCALARS.items()} | {
    name: np.dtype(known) for name, known in (
        ("f16", "float16"), ("int32", "int32"), ("uint32", "uint32"), ("int16", "int16"), ("uint16", "uint16"),
        ("int8", "int8"), ("uint8", "uint8"),
    )
}  # fmt: skip
POINTER = 8  # bytes


def directory() -> Path:
    """Where the CUDA sources are: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "kernels"
    return installed if installed.is_dir() else package.parent / "kernels"


@cache
def source() -> str:
    """All kernels as one program; compilers report its lines by the files they are from."""
    first = directory() / "common.cuh"
    files = [first, *sorted(directory().glob("*.cu"))]
    return "".join(f'#line 1 "kernels/{file.name}"\n{file.read_text(encoding="utf-8")}\n' for file in files)


generated: dict[str, str] = {}  # the text of kernels that were generated, each named after it


def prelude() -> str:
    """What generated kernels are written in terms of."""
    files = [directory() / name for name in ("common.cuh", "loops.cuh")]
    return "".join(f'#line 1 "kernels/{file.name}"\n{file.read_text(encoding="utf-8")}\n' for file in files)


class Parameter(NamedTuple):
    """One parameter of a kernel: ``const T* __restrict__ x`` is the pointer ``x`` to ``T``."""

    name: str
    type: str
    pointer: bool
    const: bool

    def element(self, dtype: DType | None) -> DType | None:
        """What the pointer points to, or what the number is, in a kernel whose T is ``dtype``; None for ``void``."""
        if dtype is not None and self.type in ("T", "Acc<T>"):
            return dtype if self.type == "T" else _computed(dtype)
        return ELEMENTS.get(self.type)


class Signature(NamedTuple):
    """A ``__global__`` function as it is written."""

    name: str
    template: bool
    parameters: tuple[Parameter, ...]

    def expression(self, dtype: DType | None) -> str:
        """The name by which NVRTC instantiates it: ``sigmoid_grad<float>``."""
        return f"{self.name}<{C_TYPES[dtype.name]}>" if self.template and dtype is not None else self.name

    def typed(
        self, arguments: Sequence[Any], dtype: DType | None, address: Callable[[Any], int]
    ) -> tuple[np.generic, ...]:
        """``arguments`` as the numbers that a launch copies, each of exactly the size that the kernel reads.

        ``address`` gives the address of whatever is neither a number nor None. CUDA checks none of this: a Python
        float would be read as a float32 of 0. Raises KernelError for arguments that do not fit.
        """
        if len(arguments) != len(self.parameters):
            names = ", ".join(p.name for p in self.parameters)
            raise KernelError(f"{self.name}: takes {len(self.parameters)} arguments ({names}), got {len(arguments)}")
        pairs = zip(self.parameters, arguments, strict=True)
        return tuple(self._pointer(p, x, dtype, address) if p.pointer else self._number(p, x, dtype) for p, x in pairs)

    def _pointer(self, p: Parameter, x: Any, dtype: DType | None, address: Callable[[Any], int]) -> np.generic:
        if x is None:
            return np.uint64(0)
        wanted = p.element(dtype)
        if hasattr(x, "dtype"):
            if wanted is not None and x.dtype != wanted:
                raise KernelError(f"{self.name}: {p.name} must be an array of {wanted}, got {x.dtype}")
            if not x.flags.c_contiguous:
                raise KernelError(f"{self.name}: {p.name} must be contiguous; kernels do not look at strides")
        where = address(x)
        if wanted is not None and where % wanted.itemsize:
            raise KernelError(f"{self.name}: {p.name} is at address {where:#x}, not a multiple of {wanted.itemsize}")
        return np.uint64(where)

    def _number(self, p: Parameter, x: Any, dtype: DType | None) -> np.generic:
        wanted = p.element(dtype)
        if wanted is None or not isinstance(x, bool | int | float | np.generic):
            raise KernelError(f"{self.name}: {p.name} must be a number ({p.type}), got {type(x).__name__}")
        try:
            number: np.generic = wanted.type(x)
        except (OverflowError, ValueError):
            raise KernelError(f"{self.name}: {p.name} is {x}, which does not fit into {p.type}") from None
        if wanted.kind != "f" and number != x:
            raise KernelError(f"{self.name}: {p.name} is {x}, which {p.type} cannot hold")
        return number


def _computed(dtype: DType) -> DType:
    """Acc<T> of kernels/common.cuh: what numbers of ``dtype`` are computed in."""
    return float32 if dtype.itemsize == 2 else dtype


_GLOBAL = re.compile(
    r"(?P<template>template\s*<\s*typename\s+T\s*>\s*)?__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s+)?"
    r"(?P<name>\w+)\s*\((?P<parameters>[^)]*)\)"
)
_PARAMETER = re.compile(r"(?P<const>const\s+)?(?P<type>[\w<>]+)\s*(?P<pointer>\*)?\s*(?:__restrict__\s+)?(?P<name>\w+)")


@cache
def signatures() -> dict[str, Signature]:
    """Every ``__global__`` function of kernels/*.cu by its name."""
    text = re.sub(r"//[^\n]*", "", source())
    return {found["name"]: _signature(found) for found in _GLOBAL.finditer(text)}


@cache
def signature(name: str) -> Signature:
    """How the kernel ``name`` is called, whether it stands in kernels/*.cu or was generated."""
    if name not in generated:
        return signatures()[name]
    found = _GLOBAL.search(generated[name])
    assert found is not None
    return _signature(found)


def _signature(found: re.Match[str]) -> Signature:
    parameters = [_parameter(found["name"], text) for text in found["parameters"].split(",")]
    return Signature(found["name"], bool(found["template"]), tuple(parameters))


def _parameter(kernel: str, text: str) -> Parameter:
    found = _PARAMETER.fullmatch(text.strip())
    known = found and found["type"] in ("T", "Acc<T>", *ELEMENTS, *(["void"] if found["pointer"] else []))
    if not found or not known:
        raise KernelError(f"{kernel}: gradflow cannot read the parameter {text.strip()!r}; see kernels/README.md")
    return Parameter(found["name"], found["type"], bool(found["pointer"]), bool(found["const"]))


@cache
def files() -> dict[str, str]:
    """The family of each kernel, which its file is named after: ``{"sigmoid_grad": "activation", ...}``."""
    texts = {file.stem: file.read_text(encoding="utf-8") for file in directory().glob("*.cu")}
    return {found["name"]: family for family, text in texts.items() for found in _GLOBAL.finditer(text)}


@cache
def expressions(dtype: DType | None) -> tuple[str, ...]:
    """What one program instantiates: every template for ``dtype``, or for None every function that is no template."""
    wanted = [each for each in signatures().values() if each.template == (dtype is not None)]
    return tuple(each.expression(dtype) for each in wanted)
