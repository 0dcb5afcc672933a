"""Fourier transforms, ``cupy.fft``: calls of cuFFT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def _run(xp: Any, name: str, a: Any, options: dict[str, Any]) -> Any:
    if not isinstance(a, xp.ndarray):
        raise TypeError(f"The input array a must be a cupy.ndarray, not {type(a)}")
    if not a.size:
        raise ValueError("Invalid number of FFT data points (0) specified.")
    transform: Callable[..., Any] = getattr(np.fft, name)
    return xp.machine.compute(name, lambda x: transform(x, **options), (a,))


def fftn(xp: Any, a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    return _run(xp, "fftn", a, {"s": s, "axes": axes, "norm": norm})


def ifftn(xp: Any, a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    return _run(xp, "ifftn", a, {"s": s, "axes": axes, "norm": norm})


def rfft(xp: Any, a: Any, n: Any = None, axis: Any = -1, norm: Any = None) -> Any:
    return _run(xp, "rfft", a, {"n": n, "axis": axis, "norm": norm})


def irfft(xp: Any, a: Any, n: Any = None, axis: Any = -1, norm: Any = None) -> Any:
    return _run(xp, "irfft", a, {"n": n, "axis": axis, "norm": norm})


FUNCTIONS: dict[str, Callable[..., Any]] = {"fftn": fftn, "ifftn": ifftn, "rfft": rfft, "irfft": irfft}
