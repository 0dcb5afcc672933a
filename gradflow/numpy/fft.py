"""``numpy.fft`` for tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow import dtypes
from gradflow import fft as ours
from gradflow.device import Device
from gradflow.numpy.translation import translated
from gradflow.tensor import Tensor

__all__ = [*sorted(each for each in np.fft.__all__ if each in ours.__all__)]  # noqa: PLE0604


def fftfreq(n: int, d: float = 1.0, device: str | Device | None = None) -> Tensor:
    """The frequency of each element of ``fft``, in cycles per unit of the spacing ``d``, float64."""
    return ours.fftfreq(n, d, dtype=dtypes.float64, device=device)


def rfftfreq(n: int, d: float = 1.0, device: str | Device | None = None) -> Tensor:
    """The frequency of each element of ``rfft``, in cycles per unit of the spacing ``d``, float64."""
    return ours.rfftfreq(n, d, dtype=dtypes.float64, device=device)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'gradflow.numpy.fft' has no attribute {name!r}")
    found = globals()[name] = translated(f"fft.{name}", getattr(np.fft, name), getattr(ours, name))
    return found
