"""Kernels run by the interpreter on NumPy arrays: what the tests of single kernels are written with."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from gradflow.backend import kernels
from gradflow.launch import Fault, Launch, Scratch, Table, Tickets, Zeroed
from gradflow.testing import nvrtc, ptx

ELEMENTS = {"f16": np.float16, "bf16": np.float16, "float": np.float32, "double": np.float64}


def to_bf16(x: Any) -> Any:
    """``x`` rounded to bfloat16; its bits pass for float16, since NumPy knows no bfloat16."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    return np.where(np.isnan(x), np.uint32(0x7FFF), rounded).astype(np.uint16).view(np.float16)


def from_bf16(x: Any) -> Any:
    """The numbers whose bits as bfloat16 are those of the float16 ``x``."""
    return (x.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


def stored(x: Any, element: str) -> Any:
    """``x`` as an array of ``element``: "f16", "bf16", "float" or "double"; what overflows is infinite."""
    with np.errstate(over="ignore"):
        return to_bf16(x) if element == "bf16" else np.asarray(x).astype(ELEMENTS[element])


def loaded(x: Any, element: str) -> Any:
    """The numbers in an array of ``element``, as float64."""
    return (from_bf16(x) if element == "bf16" else x).astype(np.float64)


@cache
def _program(names: tuple[str, ...]) -> ptx.Program:
    return ptx.load(nvrtc.compile(kernels.source(), names))


def _expression(launch: Launch, element: str | None) -> tuple[str, tuple[str, ...]]:
    """The name of the kernel, and of all that are compiled with it."""
    signature = kernels.signatures()[launch.kernel]
    if element != "bf16":
        return signature.expression(launch.dtype), kernels.expressions(launch.dtype if signature.template else None)
    names = kernels.expressions(np.dtype(np.float16))
    return f"{signature.name}<bf16>", tuple(name.replace("<f16>", "<bf16>") for name in names)


def run(launch: Launch, element: str | None = None, offset: int = 0, fault: Any = None) -> ptx.Report:
    """Run ``launch`` and put what it wrote back into its arrays; what it did is in the report.

    ``element`` "bf16" takes its float16 arrays for bfloat16; every array begins ``offset`` elements past an aligned
    address; ``fault`` is four int64 to be filled with the fault that is noted.
    """
    memory = ptx.Memory(1 << 28)
    places: dict[int, tuple[Any, int]] = {}

    def uploaded(array: Any) -> int:
        if id(array) not in places:
            address = memory.allocate(array.nbytes + offset * array.itemsize) + offset * array.itemsize
            memory.view(address, array.shape, array.dtype)[...] = array
            memory.mark_written(address, array.nbytes)
            places[id(array)] = array, address
        return places[id(array)][1]

    def address(x: Any) -> int:
        if isinstance(x, Scratch):
            return memory.allocate(x.bytes)
        if isinstance(x, Tickets):
            return uploaded(tickets[: x.counters])
        if isinstance(x, Zeroed):
            x.array[...] = 0
            return uploaded(x.array)
        if isinstance(x, Table):
            return memory.upload(np.array([[_number(each, uploaded) for each in row] for row in x.rows], np.int64))
        if isinstance(x, Fault):
            return uploaded(np.zeros(4, np.int64) if fault is None else fault)
        return uploaded(x)

    tickets = np.zeros(1 << 16, np.int32)
    name, names = _expression(launch, element)
    arguments = kernels.signatures()[launch.kernel].typed(launch.arguments, launch.dtype, address)
    grid = (launch.blocks,) if isinstance(launch.blocks, int) else launch.blocks
    report = _program(names).launch(name, grid, (launch.threads,), arguments, memory, launch.shared)
    for array, where in places.values():
        array[...] = memory.view(where, array.shape, array.dtype)
    assert not tickets.any(), "the kernel must leave its tickets zero"
    return report


def _number(x: Any, uploaded: Any) -> int:
    return 0 if x is None else x if isinstance(x, int) else uploaded(x)
