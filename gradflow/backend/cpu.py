"""The CPU backend: NumPy arrays."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from gradflow.device import CPU, Device
from gradflow.dtypes import DType, int64
from gradflow.op import Op, Spec

LARGE = 1 << 17  # elements of an update above which one loop saves more than loading LLVM costs


class CpuBackend:
    """Runs an op by its reference, ``forward`` with NumPy as the namespace; a large update as one native loop."""

    xp = np
    devices = 1

    def run(self, op: Op, arrays: list[Any], attrs: dict[str, Any], out: Any | None, spec: Spec | None) -> Any:
        if op.mutates:
            several = len(op.mutates) > 1 and op.scalar is not None
            if not (several and arrays[0].size >= LARGE and _done_at_once(op, arrays, attrs)):
                op.forward(np, *arrays, **attrs)
            return None
        result = op.forward(np, *arrays, out=out, **attrs)
        # NumPy turns 0-d results into scalars, which are immutable and have no memory of their own
        return np.asarray(result) if isinstance(result, np.generic) else result

    def on(self, device: Device) -> AbstractContextManager[Any]:
        return nullcontext()

    def synchronize(self, device: Device) -> None:
        """Nothing runs behind the program's back."""

    def asarray(self, data: Any, dtype: DType | None, device: Device) -> Any:
        return np.asarray(data, dtype)

    def to_numpy(self, array: Any) -> Any:
        return array

    def device_of(self, array: Any) -> Device:
        return CPU

    def memory_of(self, array: Any) -> tuple[int, int]:
        if not array.flags.c_contiguous:
            return byte_bounds(array)
        start: int = array.__array_interface__["data"][0]  # a third of byte_bounds' time
        return start, start + array.nbytes

    def check_range(self, name: str, indices: Any, low: int, high: int, ignore: int | None = None) -> int | None:
        if not indices.size:
            return None
        if low == 0 and indices.dtype == int64:  # in one pass: as unsigned numbers, negative ones are the highest
            inside = indices.view(np.uint64).max() < high
        else:
            inside = indices.min() >= low and indices.max() < high
        if inside:
            return None
        wrong = (indices < low) | (indices >= high)
        if ignore is not None:
            wrong &= indices != ignore
        return int(wrong.argmax()) if wrong.any() else None


def _done_at_once(op: Op, arrays: list[Any], attrs: dict[str, Any]) -> bool:
    from gradflow.backend.native.steps import step

    return step(op, arrays, attrs)
