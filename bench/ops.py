"""Single ops, from their declarations: what the door costs on tiny arrays, and bytes per second on large ones."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from bench.table import Table
from bench.timing import seconds_per_call
from gradflow.dispatch import apply
from gradflow.op import OPS, Op
from gradflow.samples import Boolean, Integer, Real, Sample
from gradflow.tensor import Tensor
from gradflow.testing.cases import cases, operands

cases()  # declares every op: some families are loaded only when they are used


class Calls:
    """One sample of an op in float32, ready to be called: bare, through the door, and recorded on the tape."""

    def __init__(self, op: Op, sample: Sample) -> None:
        self.op = op
        self.attrs = sample.attrs
        self.tensors = operands(sample, "float32")
        self.tracked = operands(sample, "float32", requires_grad=True)
        self.arrays = [x.data if isinstance(x, Tensor) else x for x in self.tensors]

    def bare(self) -> Any:
        return self.op.forward(np, *self.arrays, **self.attrs)

    def applied(self) -> Any:
        return apply(self.op, *self.tensors, **self.attrs)

    def recorded(self) -> Any:
        return apply(self.op, *self.tracked, **self.attrs)

    def traffic(self) -> int:
        """The bytes that it must move: every input read once, every output written once."""
        read = [x.nbytes for x in self.arrays if isinstance(x, np.ndarray)]
        written = [self.arrays[i] for i in self.op.mutated(len(self.arrays))] if self.op.mutates else [self.bare()]
        return sum(read) + sum(np.asarray(x).nbytes for x in written if x is not None)


def named(names: Sequence[str]) -> list[Op]:
    """The ops of these names, or all of them; KeyError for a name that no op has."""
    return [OPS[name] for name in names] if names else list(OPS.values())


def _tiny(op: Op) -> Sample:
    """The first sample whose arrays have a dimension and elements; the first of all if none has."""

    def fits(sample: Sample) -> bool:
        shapes = [x.shape for x in operands(sample, "float32") if isinstance(x, Tensor)]
        return all(shape and 0 not in shape for shape in shapes)

    return next(filter(fits, op.samples), op.samples[0])


def overheads(ops: Sequence[Op], budget: float) -> Table:
    """What is spent around the bare NumPy forward of each op, for arrays of a few elements."""
    rows: list[tuple[float, list[str]]] = []
    for op in ops:
        sample = _tiny(op)
        calls = Calls(op, sample)
        with np.errstate(all="ignore"):
            bare, applied = (seconds_per_call(call, budget) for call in (calls.bare, calls.applied))
            recorded = seconds_per_call(calls.recorded, budget) if _recordable(calls) else None
        cells = [f"{1e6 * bare:.2f}", f"{1e6 * applied:.2f}", f"{1e6 * (applied - bare):.2f}"]
        rows.append((applied - bare, [op.name, *cells, "" if recorded is None else f"{1e6 * (recorded - bare):.2f}"]))
    header = ["op", "NumPy, µs", "applied, µs", "door, µs", "door and tape, µs"]
    middle = statistics.median(overhead for overhead, _ in rows)
    note = f"NumPy is the op's forward called bare; the door is what apply adds: {1e6 * middle:.2f} µs in the median"
    return Table("overhead on tiny arrays", header, [cells for _, cells in rows], [note])


def _recordable(calls: Calls) -> bool:
    return not calls.op.mutates and calls.op.differentiable and calls.recorded().requires_grad


def workloads(ops: Iterable[Op]) -> list[tuple[Op, Sample]]:
    """All pairs of an op and one of its workloads."""
    return [(op, sample) for op in ops for sample in op.workloads]


def described(op: Op, sample: Sample) -> str:
    """The shapes in a workload, and the attributes in which this op's workloads differ."""
    shapes = ["x".join(map(str, x.shape)) for x in sample.inputs if isinstance(x, Real | Integer | Boolean)]
    varied = [name for name, value in sample.attrs.items() if any(w.attrs[name] != value for w in op.workloads)]
    return " ".join([*shapes, *(f"{name}={sample.attrs[name]}".replace(" ", "") for name in varied)])


def throughputs(ops: Sequence[Op], budget: float) -> Table:
    """Bytes per second of each op's workloads, beside a copy of as many bytes."""
    rows: list[list[str]] = []
    for op, sample in workloads(ops):
        calls = Calls(op, sample)
        traffic = calls.traffic()
        with np.errstate(all="ignore"):
            timed = [seconds_per_call(call, budget) for call in (calls.bare, calls.applied, _copy(traffic))]
        bare, applied, copied = (traffic / seconds / 1e9 for seconds in timed)
        rows.append(
            [
                op.name,
                described(op, sample),
                *(f"{rate:.1f}" for rate in (bare, applied, copied)),
                f"{applied / copied:.0%}",
            ]
        )
    header = ["op", "workload", "NumPy, GB/s", "applied, GB/s", "copy, GB/s", "applied / copy"]
    note = "inputs are counted as read once, outputs as written once; the copy moves as many bytes, on one thread"
    return Table("throughput on workloads", header, rows, [note if rows else "none of these ops declares a workload"])


def _copy(traffic: int) -> Callable[[], None]:
    source = np.ones(max(traffic // 2, 1), np.uint8)
    target = np.empty_like(source)
    return lambda: np.copyto(target, source)
