"""The CPU backend: NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from gradflow.device import CPU, Device
from gradflow.dtypes import DType
from gradflow.op import Op


class CpuBackend:
    """Runs every op by its reference: ``forward`` with NumPy as the namespace."""

    xp = np

    def run(self, op: Op, arrays: list[Any], attrs: dict[str, Any], out: Any | None) -> Any:
        result = op.forward(np, *arrays, out=out, **attrs)
        # NumPy turns 0-d results into scalars, which are immutable and have no memory of their own
        return result if type(result) is np.ndarray else np.asarray(result)

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
