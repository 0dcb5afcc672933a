"""What a namespace of the array API says of itself: devices, dtypes, and what it can do."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow import dtypes
from gradflow.array_api.names import DTYPES
from gradflow.backend import cuda_backend
from gradflow.device import CPU, Device
from gradflow.dtypes import DType
from gradflow.errors import DeviceError, MissingExtraError


class Inspection:
    """``xp.__array_namespace_info__()``.

    >>> Inspection().default_dtypes()["real floating"]
    dtype('float32')
    """

    def capabilities(self) -> dict[str, Any]:
        """What the namespace can do: masks as indices, shapes that depend on data; and how many dimensions."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> Device:
        """Where tensors are made unless a device is given: the CPU."""
        return CPU

    def default_dtypes(self, *, device: Any = None) -> dict[str, DType]:
        """The dtypes of what is made of Python's numbers."""
        real = dtypes.get_default_dtype()
        return {
            "real floating": real,
            "complex floating": dtypes.complex_of(real),
            "integral": dtypes.int64,
            "indexing": dtypes.int64,
        }

    def dtypes(self, *, device: Any = None, kind: str | tuple[str, ...] | None = None) -> dict[str, DType]:
        """The dtypes of the standard, all or those of a ``kind`` (see ``isdtype``), by name."""
        known = {name: np.dtype(name) for name in DTYPES}
        return known if kind is None else {name: each for name, each in known.items() if np.isdtype(each, kind)}

    def devices(self) -> list[Device]:
        """The devices that there are."""
        try:
            count = cuda_backend().devices
        except (DeviceError, MissingExtraError):
            count = 0
        return [CPU, *(Device("cuda", i) for i in range(count))]
