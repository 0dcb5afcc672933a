"""One op on two devices: whether the CPU and a CUDA device give the same result, to the accuracy of its dtype."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradflow import dtypes
from gradflow.backend import backend_of
from gradflow.device import Device
from gradflow.dtypes import DType, DTypeLike
from gradflow.launch import Gemm, Launch, Work
from gradflow.op import Op, Spec
from gradflow.samples import Sample
from gradflow.tensor import Tensor
from gradflow.testing.cases import call, cases, operands

FLOATS = ("float16", "float32", "float64")
LARGEST = 1 << 17  # elements; larger examples are for timing


class Parity(NamedTuple):
    """One comparison: ``error`` is the largest difference, in units of the last place of the largest result.

    ``by`` is what computed it on the device: the name of a kernel, "cuBLASLt", or "CuPy" for the op's reference.
    """

    op: str
    sample: str
    dtype: DType
    by: str
    error: float
    allowed: float

    @property
    def agrees(self) -> bool:
        """Whether the results are as close as two right ones are."""
        return self.error <= self.allowed


def ops() -> list[Op]:
    """Every op, in the order of declaration."""
    return list({id(op): op for op, _ in cases()}.values())


def examples(op: Op) -> list[tuple[Sample, str]]:
    """What ``op`` is compared on: its samples in each float dtype, and for a kernel some larger arrays."""
    larger = [each for each in op.workloads if op.cuda is not None and _largest(each) <= LARGEST]
    return [(each, dtype) for each in op.samples for dtype in _dtypes(each)] + [(each, "float32") for each in larger]


def _dtypes(sample: Sample) -> tuple[str, ...]:
    """float32 alone if no input takes the dtype that is asked for."""
    drawn = [[getattr(x, "dtype", None) for x in sample.draw(np.dtype(each))] for each in ("float32", "float64")]
    return FLOATS if drawn[0] != drawn[1] else ("float32",)


def _largest(sample: Sample) -> int:
    return max(int(np.prod(getattr(x, "shape", ()), dtype=np.int64)) for x in sample.inputs)


def compare(op: Op, sample: Sample, dtype: DTypeLike, device: Device) -> Parity:
    """``op`` on ``sample`` in ``dtype``, on the CPU and on ``device``."""
    here, there = operands(sample, dtype), [_moved(x, device) for x in operands(sample, dtype)]
    by = _named(work_of(op, there, sample))
    with np.errstate(all="ignore"):
        expected, found = _results(op, here, sample), _results(op, there, sample)
    distances = [distance(ours, theirs) for ours, theirs in zip(found, expected, strict=True)]
    worst, allowed = max(distances, key=lambda each: each[0] - each[1])  # the result that is closest to being wrong
    return Parity(op.name, str(sample), dtypes.as_dtype(dtype), by, worst, allowed)


def _moved(x: Any, device: Device) -> Any:
    return x.to(device) if isinstance(x, Tensor) else x


def work_of(op: Op, inputs: list[Any], sample: Sample) -> Work | None:
    """The launch or product that does ``op`` of ``inputs``, tensors on a CUDA device; None if its reference does."""
    if op.cuda is None:
        return None
    spec = op.spec(*(x.spec if isinstance(x, Tensor) else Spec((), type(x)) for x in inputs), **sample.attrs)
    arrays = [x.data if isinstance(x, Tensor) else x for x in inputs]
    first = next(x for x in inputs if isinstance(x, Tensor))
    out = None if spec is None else backend_of(first.data).xp.empty(spec.shape, spec.dtype)
    return op.cuda(*arrays, out=out, **sample.attrs)


def _named(work: Work | None) -> str:
    return work.kernel if isinstance(work, Launch) else "cuBLASLt" if isinstance(work, Gemm) else "CuPy"


def _results(op: Op, inputs: list[Any], sample: Sample) -> list[Any]:
    """What ``op`` returns, or for one that writes in place what it wrote, as NumPy arrays."""
    out = call(op, inputs, sample)
    results = [inputs[i] for i in op.mutated(len(inputs))] if op.mutates else [out]
    return [x.numpy() for x in results if isinstance(x, Tensor)]


def distance(found: Any, expected: Any) -> tuple[float, float]:
    """How far ``found`` is from ``expected``, and how far it may be, in units of the last place of the largest value.

    Infinite for another shape or dtype, where one is finite or NaN and the other is not, and for integers that differ.
    """
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return float("inf"), 0.0
    if expected.dtype.kind == "c":
        return distance(*(np.stack([x.real, x.imag]) for x in (found, expected)))
    if not dtypes.is_floating(expected.dtype):
        return (0.0 if np.array_equal(found, expected) else float("inf")), 0.0
    ours, theirs = found.astype(np.float64), expected.astype(np.float64)
    special = ~np.isfinite(theirs)
    if not np.array_equal(ours[special], theirs[special], equal_nan=True) or not np.isfinite(ours[~special]).all():
        return float("inf"), 0.0
    size = max(1.0, float(np.max(np.abs(theirs[~special]), initial=0.0)))
    unit = float(np.finfo(expected.dtype).eps) * size
    error = float(np.max(np.abs(ours[~special] - theirs[~special]), initial=0.0))
    return error / unit, dtypes.tolerance(expected.dtype) * size / unit
