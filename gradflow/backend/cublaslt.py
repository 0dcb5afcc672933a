"""cuBLASLt by ctypes: its functions, its constants, where it lies, and its status codes as errors."""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Iterator
from ctypes import POINTER, c_float, c_int, c_int64, c_size_t, c_uint64, c_void_p
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

from gradflow.errors import DeviceError

Library = Any  # a ctypes.CDLL, or what tests put in its place: an object with the functions of SIGNATURES

NAMES = ("libcublasLt.so.13", "libcublasLt.so.12", "cublasLt64_13.dll", "cublasLt64_12.dll")
FOLDERS = ("cu13/lib", "cublas/lib", "cu13/bin/x86_64", "cublas/bin")  # of NVIDIA's wheels, inside site-packages/nvidia


class Status(IntEnum):
    """``cublasStatus_t``."""

    SUCCESS = 0
    NOT_INITIALIZED = 1
    ALLOC_FAILED = 3
    INVALID_VALUE = 7
    ARCH_MISMATCH = 8
    MAPPING_ERROR = 11
    EXECUTION_FAILED = 13
    INTERNAL_ERROR = 14
    NOT_SUPPORTED = 15
    LICENSE_ERROR = 16


class Type(IntEnum):
    """``cudaDataType_t``, the real ones that matrices here are made of."""

    R_32F = 0
    R_64F = 1
    R_16F = 2
    R_16BF = 14


class Compute(IntEnum):
    """``cublasComputeType_t``: what products are computed and added up in."""

    F32 = 68
    F64 = 70
    F32_FAST_TF32 = 77


class Operation(IntEnum):
    """``cublasLtMatmulDescAttributes_t``."""

    TRANSA = 3
    TRANSB = 4
    EPILOGUE = 7
    BIAS_POINTER = 8
    AUX_POINTER = 11
    AUX_LD = 12


class Layout(IntEnum):
    """``cublasLtMatrixLayoutAttribute_t``."""

    BATCH_COUNT = 5
    BATCH_STRIDE = 6


class Preference(IntEnum):
    """``cublasLtMatmulPreferenceAttributes_t``."""

    MAX_WORKSPACE_BYTES = 1
    MIN_ALIGNMENT_A = 5
    MIN_ALIGNMENT_B = 6
    MIN_ALIGNMENT_C = 7
    MIN_ALIGNMENT_D = 8


class Epilogue(IntEnum):
    """``cublasLtEpilogue_t``: what is done to a product before it is stored. GELU is the one with tanh."""

    DEFAULT = 1
    RELU = 2
    BIAS = 4
    RELU_BIAS = 6
    RELU_AUX = 130
    RELU_AUX_BIAS = 134
    DRELU = 136
    DRELU_BGRAD = 152
    GELU_AUX = 160
    GELU_AUX_BIAS = 164
    DGELU = 192
    DGELU_BGRAD = 208
    BGRADA = 256
    BGRADB = 512


class Algorithm(ctypes.Structure):
    """``cublasLtMatmulAlgo_t``: an algorithm and its configuration, opaque."""

    _fields_ = [("data", c_uint64 * 8)]


class HeuristicResult(ctypes.Structure):
    """``cublasLtMatmulHeuristicResult_t``: an algorithm that fits a product, and what it needs."""

    _fields_ = [
        ("algorithm", Algorithm),
        ("workspace_bytes", c_size_t),
        ("status", c_int),
        ("waves", c_float),
        ("reserved", c_int * 4),
    ]


# what each function takes, in the order of cublasLt.h; all return a status unless RESULTS says otherwise
_SET = (c_void_p, c_int, c_void_p, c_size_t)  # object, attribute, address of the value, its size
SIGNATURES: dict[str, tuple[Any, ...]] = {
    "cublasLtCreate": (POINTER(c_void_p),),
    "cublasLtGetVersion": (),
    "cublasLtMatmulDescCreate": (POINTER(c_void_p), c_int, c_int),
    "cublasLtMatmulDescDestroy": (c_void_p,),
    "cublasLtMatmulDescSetAttribute": _SET,
    "cublasLtMatrixLayoutCreate": (POINTER(c_void_p), c_int, c_uint64, c_uint64, c_int64),
    "cublasLtMatrixLayoutDestroy": (c_void_p,),
    "cublasLtMatrixLayoutSetAttribute": _SET,
    "cublasLtMatmulPreferenceCreate": (POINTER(c_void_p),),
    "cublasLtMatmulPreferenceDestroy": (c_void_p,),
    "cublasLtMatmulPreferenceSetAttribute": _SET,
    # handle, operation, layouts of A, B, C, D, preference, results wanted, results, how many came
    "cublasLtMatmulAlgoGetHeuristic": (*(c_void_p,) * 7, c_int, POINTER(HeuristicResult), POINTER(c_int)),
    # handle, operation, alpha, A, its layout, B, its layout, beta, C, its layout, D, its layout, algorithm, workspace,
    # its size, stream
    "cublasLtMatmul": (*(c_void_p,) * 12, POINTER(Algorithm), c_void_p, c_size_t, c_void_p),
}
RESULTS = {"cublasLtGetVersion": c_size_t}

_ADVICE = {
    Status.NOT_INITIALIZED: "is there a GPU with a driver, and did no earlier kernel fail? `gradflow info` says more",
    Status.ALLOC_FAILED: "free memory, on the device and on the host",
    Status.ARCH_MISMATCH: "this GPU lacks what the product needs; use another dtype",
    Status.EXECUTION_FAILED: "an earlier kernel may have failed, and the process then has to be started anew",
    Status.NOT_SUPPORTED: "install the newest nvidia-cublas wheel of your CUDA version",
}


def check(status: int, attempted: str) -> None:
    """Raise DeviceError, with the status by name and what to do, unless ``status`` is success.

    >>> check(0, "product of (2, 3) and (3, 4)")
    >>> check(3, "product of (2, 3) and (3, 4)")
    Traceback (most recent call last):
    gradflow.errors.DeviceError: product of (2, 3) and (3, 4): CUBLAS_STATUS_ALLOC_FAILED; free memory, on the device...
    """
    if status:
        known = status in Status.__members__.values()
        name = f"CUBLAS_STATUS_{Status(status).name}" if known else f"cuBLASLt status {status}"
        advice = _ADVICE.get(Status(status)) if known else None
        raise DeviceError(f"{attempted}: {name}; {advice or 'this is an error in gradflow, please report it'}")


@cache
def find() -> tuple[Library | None, str]:
    """cuBLASLt, ready to be called, and where it was found; or None and why there is none."""
    tried = []
    for place in _places():
        try:
            return declare(ctypes.CDLL(place)), place
        except (OSError, AttributeError) as error:  # not there, or there without a function
            tried.append(str(error))
    return None, f"no cuBLASLt: {tried[0]}; install nvidia-cublas-cu12 or nvidia-cublas, as your CUDA version is"


def _places() -> Iterator[str]:
    """Paths and names to try: the library CuPy has loaded, those of NVIDIA's wheels, those the system knows."""
    try:
        from cuda.pathfinder import load_nvidia_dynamic_lib

        found = load_nvidia_dynamic_lib("cublasLt").abs_path
        if found:
            yield found
    except (ImportError, RuntimeError):  # its error for a library that is not there is a RuntimeError
        pass
    wheels = importlib.util.find_spec("nvidia")
    for root in (wheels.submodule_search_locations or ()) if wheels else ():
        yield from (str(path) for f in FOLDERS for n in NAMES if (path := Path(root, f, n)).is_file())
    yield from NAMES


def declare(library: ctypes.CDLL) -> ctypes.CDLL:
    """``library`` with the types of its functions declared; AttributeError if it lacks one."""
    for name, arguments in SIGNATURES.items():
        function = getattr(library, name)
        function.argtypes = arguments
        function.restype = RESULTS.get(name, c_int)
    return library
