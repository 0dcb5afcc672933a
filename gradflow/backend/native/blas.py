"""The BLAS that NumPy has loaded: its matrix products, and the number of its threads, for native programs."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# names of cblas_?gemm, and the integers it takes
PRODUCTS = (("scipy_cblas_{}gemm64_", "i64"), ("cblas_{}gemm64_", "i64"), ("cblas_{}gemm", "i32"))
# names of the functions that get and set the number of threads
THREADS = (
    ("scipy_openblas_get_num_threads64_", "scipy_openblas_set_num_threads64_"),
    ("openblas_get_num_threads64_", "openblas_set_num_threads64_"),
    ("scipy_openblas_get_num_threads", "scipy_openblas_set_num_threads"),
    ("openblas_get_num_threads", "openblas_set_num_threads"),
    ("MKL_Get_Max_Threads", "MKL_Set_Num_Threads"),
)
_NAME = re.compile(r"lib\w*(?:blas|mkl_rt)[\w.-]*\.(?:so|dylib|dll)[\w.]*")


class Blas(NamedTuple):
    """Addresses of ``cblas_sgemm`` and ``cblas_dgemm``, what their integers are (i32, i64), and of its threads."""

    float32: int
    float64: int
    integer: str
    get_threads: int
    set_threads: int
    file: str


@cache
def blas() -> Blas | None:
    """NumPy's BLAS; None if there is none whose threads can be told from outside."""
    for file in _files():
        try:
            library = ctypes.CDLL(str(file))
        except OSError:
            continue
        threads = next((each for each in THREADS if all(hasattr(library, name) for name in each)), None)
        for pattern, integer in PRODUCTS:
            names = [pattern.format(letter) for letter in "sd"]
            if threads and all(hasattr(library, name) for name in names):
                single, double, get, set_ = (_address(library, name) for name in (*names, *threads))
                return Blas(single, double, integer, get, set_, str(file))
    return None


def _files() -> Iterator[Path]:
    """Libraries that came with NumPy, then those that this process has loaded."""
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        yield from sorted(file for file in folder.glob("*") if _NAME.fullmatch(file.name))
    maps = Path("/proc/self/maps")
    if maps.exists():
        paths = {line.split(maxsplit=5)[-1] for line in maps.read_text().splitlines() if "/" in line}
        yield from sorted(Path(path) for path in paths if _NAME.fullmatch(Path(path).name))


def _address(library: Any, name: str) -> int:
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
