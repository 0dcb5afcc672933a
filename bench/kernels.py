"""Every CUDA kernel: what the assembler says it needs, and what it does when the interpreter runs it. No GPU, no times.

The bounds are those of gpu.md 6.2: nothing spilled, no stack, no local or generic accesses, three quarters of the
threads that fit, no more bytes than must be moved, whole vectors on the main path.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from bench.table import Table
from gradflow import launch
from gradflow.backend import kernels
from gradflow.backend.cuda import range_check
from gradflow.launch import Launch
from gradflow.op import Op
from gradflow.samples import Sample
from gradflow.tensor import Tensor
from gradflow.testing import nvrtc, parity
from gradflow.testing.cases import call, operands
from gradflow.testing.device import serving, simulated_backend

DTYPES = tuple(map(np.dtype, ("float32", "float64", "float16")))
VECTOR_FILES = {"activation", "bias", "gelu", "rectifier", "trigonometric", "update"}  # whose main path is all vectors
LARGEST = 1 << 20  # elements of what is run
FILLING = {"activation_bias_grad", "cross_entropy_with_grad"}  # ops that write into buffers, and do not read them


class Processor(NamedTuple):
    """A multiprocessor of an architecture: how many warps and blocks it holds, and its bytes of shared memory."""

    warps: int
    blocks: int
    shared: int


# CUDA C++ Programming Guide 12.9, technical specifications per compute capability
ARCHITECTURES = {
    "75": Processor(32, 16, 64 << 10),
    "80": Processor(64, 32, 164 << 10),
    "86": Processor(48, 16, 100 << 10),
    "90": Processor(64, 32, 228 << 10),
    "100": Processor(64, 32, 228 << 10),
    "120": Processor(48, 24, 100 << 10),
}
REGISTERS = 65536  # of a multiprocessor, given out 256 at a time to a warp


def occupancy(processor: Processor, needs: nvrtc.Resources, threads: int) -> float:
    """The share of the warps a multiprocessor holds that are there when it is full of blocks of ``threads``.

    >>> occupancy(ARCHITECTURES["80"], nvrtc.Resources(33, 0, 0, 0, 0, 0), 256)
    0.75
    """
    warps = -(-threads // 32)
    a_warp = -(-needs.registers * 32 // 256) * 256
    blocks = min(processor.blocks, processor.warps // warps, REGISTERS // a_warp // warps)
    if needs.shared:
        blocks = min(blocks, processor.shared // (-(-needs.shared // 128) * 128 + 1024))
    return blocks * warps / processor.warps


class Run(NamedTuple):
    """One launch in the interpreter: its report, the bytes that must be moved, the elements of the largest arrays."""

    op: str
    launch: Launch
    report: Any
    minimum: int
    elements: int

    @property
    def moved(self) -> float:
        """Bytes that DRAM moves at least, over those that must be moved."""
        return (self.report.bytes_read + self.report.bytes_written) / self.minimum

    @property
    def instructions(self) -> float:
        """Instructions for each element of the largest array."""
        return float(self.report.instructions / self.elements)


def runs() -> Iterator[Run]:
    """For every op and every kernel that its examples launch, the largest of these examples, in float32.

    And ``check_range``, which no op launches: the backend does, before CuPy follows an index.
    """
    backend = simulated_backend()
    with serving(backend) as xp:
        for op in parity.ops():
            for sample in _largest(op).values():
                inputs = _inputs(sample)
                work = parity.work_of(op, inputs, sample)
                assert isinstance(work, Launch)
                updated = op.mutated(len(inputs)) if op.name not in FILLING else ()
                written = {id(inputs[i].data) for i in updated if isinstance(inputs[i], Tensor)}
                yield _run(op.name, work, written, partial(call, op, inputs, sample), xp.machine)
        indices = xp.arange(1 << 16)
        work = range_check("check_range", indices, 0, indices.size, 0)
        yield _run("check_range", work, set(), partial(backend.launcher.launch, work), xp.machine)


def _largest(op: Op) -> dict[str, Sample]:
    """The largest example of ``op`` for each kernel."""
    found: dict[str, tuple[int, Sample]] = {}
    for sample in (*op.workloads, *op.samples) if op.cuda else ():
        inputs = _inputs(sample)
        work = parity.work_of(op, inputs, sample)
        size = max(x.size for x in inputs if isinstance(x, Tensor))
        written_by_hand = isinstance(work, Launch) and work.kernel in kernels.signatures()  # others are generated
        if written_by_hand and size <= LARGEST and size > found.get(work.kernel, (0, None))[0]:
            found[work.kernel] = size, sample
    return {kernel: sample for kernel, (_, sample) in found.items()}


def _inputs(sample: Sample) -> list[Any]:
    return [x.to("cuda") if isinstance(x, Tensor) else x for x in operands(sample, "float32")]


def _run(name: str, work: Launch, written: set[int], do: Callable[[], object], machine: Any) -> Run:
    """What ``do``, which launches ``work``, did; ``written`` are the arrays that are both read and written."""
    machine.reports = []
    do()
    report = next(each for each in machine.reports if each.kernel.partition("<")[0] == work.kernel)
    machine.reports = None
    parameters = kernels.signatures()[work.kernel].parameters
    given = [work.arguments, *(row for x in work.arguments if isinstance(x, launch.Table) for row in x.rows)]
    given = [[x.array if isinstance(x, launch.Zeroed) else x for x in each] for each in given]
    written |= {id(x.array) for x in work.arguments if isinstance(x, launch.Zeroed)}
    pairs = [(p, x) for each in given for p, x in zip(parameters, each, strict=False) if hasattr(x, "dtype")]
    once = sum(x.nbytes for _, x in pairs)
    twice = sum(x.nbytes for p, x in pairs if not p.const and id(x) in written)
    elements = sum(max((x.size for x in each if hasattr(x, "dtype")), default=0) for each in given)
    return Run(name, work, report, once + twice, elements)


class Needs(NamedTuple):
    """What a kernel needs of every architecture, in every dtype it is made for."""

    kernel: str
    resources: dict[tuple[str, str], nvrtc.Resources]  # by architecture and dtype, "" for a kernel that is no template

    def registers(self, arch: str) -> int:
        """Registers of a thread in float32, or of a kernel that is no template."""
        return next(
            each.registers for (a, dtype), each in self.resources.items() if a == arch and dtype in ("float32", "")
        )


def needs() -> dict[str, Needs]:
    """What every kernel needs, by its name."""
    found: dict[str, Needs] = {name: Needs(name, {}) for name in kernels.signatures()}
    for arch in ARCHITECTURES:
        for dtype in (*DTYPES, None):
            used = nvrtc.resources(kernels.source(), kernels.expressions(dtype), arch=f"sm_{arch}")
            for expression, resources in used.items():
                found[expression.partition("<")[0]].resources[arch, dtype.name if dtype else ""] = resources
    return found


def compile_seconds() -> float:
    """How long NVRTC takes for all float32 kernels as one program for one architecture."""
    text = kernels.source() + f"// {time.time_ns()}\n"  # or what it remembers would be the answer
    start = time.perf_counter()
    nvrtc.resources(text, kernels.expressions(np.dtype("float32")), arch="sm_80")
    return time.perf_counter() - start


def compare() -> tuple[list[Table], list[str]]:
    """The tables, and what is out of bounds, if anything."""
    used, ran = needs(), list(runs())
    broken = [*_unexecuted(used, ran)]
    resources, problems = _resources(used, ran)
    broken += problems
    traffic, problems = _traffic(ran)
    return [resources, traffic], broken + problems


def _unexecuted(used: dict[str, Needs], ran: list[Run]) -> Iterator[str]:
    for name in used.keys() - {run.launch.kernel for run in ran}:
        yield f"{name}: no op's example launches it"


ALONE = {"update_scale"}  # one thread: there is nothing to fill a multiprocessor with, and its sectors are mostly empty


def _resources(used: dict[str, Needs], ran: list[Run]) -> tuple[Table, list[str]]:
    threads = {run.launch.kernel: run.launch.threads for run in ran}
    rows, broken = [], []
    for name, each in sorted(used.items()):
        every = each.resources.values()
        spilled = max(r.spill_stores + r.spill_loads for r in every)
        stack = max(r.stack for r in every)
        filled = {
            arch: min(
                occupancy(processor, r, threads.get(name, 256)) for (a, _), r in each.resources.items() if a == arch
            )
            for arch, processor in ARCHITECTURES.items()
        }
        rows.append(
            [
                name,
                *(str(each.registers(arch)) for arch in ARCHITECTURES),
                f"{min(filled.values()):.0%}",
                str(spilled),
                str(stack),
                str(max(r.shared for r in every)),
            ]
        )
        broken += [f"{name}: {spilled} bytes spilled"] if spilled else []
        broken += [f"{name}: a stack of {stack} bytes"] if stack else []
        if name not in ALONE:
            few = [f"{share:.0%} on sm_{arch}" for arch, share in filled.items() if share < 0.75]
            broken += [f"{name}: of the warps that fit, {each}" for each in few]
    header = ["kernel", *(f"sm_{arch}" for arch in ARCHITECTURES), "occupancy", "spilled", "stack", "shared"]
    notes = [
        "registers of a thread in float32; the rest is the worst of float16, float32 and float64 on all architectures",
        f"{len(threads)} of {len(used)} kernels were executed",
        f"all kernels of float32 as one program for sm_80 compile in {compile_seconds():.2f} s here",
    ]
    return Table("what ptxas gives every kernel", header, rows, notes), broken


def _traffic(ran: list[Run]) -> tuple[Table, list[str]]:
    vectors = {kernel for kernel, file in kernels.files().items() if file in VECTOR_FILES}
    vectors -= {"activation_bias_grad"}  # whose blocks leave sums for one another, too: a few numbers each
    rows, broken = [], []
    for run in sorted(ran, key=lambda run: (run.launch.kernel, run.op)):
        report, name = run.report, run.op
        loads, stores = report.loads.sectors_per_request, report.stores.sectors_per_request
        rows.append(
            [
                name if name == run.launch.kernel else f"{name} ({run.launch.kernel})",
                f"{run.minimum / 1e6:.2f}",
                f"{run.moved:.3f}",
                f"{loads:.1f}",
                f"{stores:.1f}",
                f"{run.instructions:.1f}",
                str(report.atomics),
                str(report.bank_conflicts),
                str(report.generic_accesses + report.local_accesses),
            ]
        )
        most = math.inf if run.launch.kernel in ALONE else 1.02
        broken += [f"{name}: moves {run.moved:.3f} times the bytes it must"] if run.moved > most else []
        broken += [f"{name}: generic or local accesses"] if report.generic_accesses or report.local_accesses else []
        numbers = kernels.files()[run.launch.kernel] == "update"  # are read too: rates, steps, rows of a table
        if run.launch.kernel in vectors and not (stores > 15.9 and (loads > 15.9 or numbers)):
            broken.append(f"{name}: {loads:.1f} and {stores:.1f} sectors a request, not 16")
    header = ["op", "MB", "moved", "sectors/load", "sectors/store", "instr/element", "atomics", "conflicts", "generic"]
    notes = [
        "float32, in the interpreter: MB that must be moved and what DRAM moves over that; 32-byte sectors per request",
        "of a warp (16 is a vector of 16 bytes for each lane); nothing here is a time, and nothing ran on a GPU",
    ]
    return Table("what every kernel does", header, rows, notes), broken
