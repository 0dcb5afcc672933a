"""Which dtypes exist, how they promote, and how closely their results can be expected to agree."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradflow.errors import DTypeError, MissingExtraError

DType = np.dtype[Any]
DTypeLike = Any  # whatever np.dtype takes: a dtype, a scalar type, a name

bool_ = np.dtype(np.bool_)
uint8 = np.dtype(np.uint8)
int8 = np.dtype(np.int8)
int16 = np.dtype(np.int16)
uint16 = np.dtype(np.uint16)
int32 = np.dtype(np.int32)
uint32 = np.dtype(np.uint32)
int64 = np.dtype(np.int64)
uint64 = np.dtype(np.uint64)
float16 = np.dtype(np.float16)
float32 = np.dtype(np.float32)
float64 = np.dtype(np.float64)
complex64 = np.dtype(np.complex64)
complex128 = np.dtype(np.complex128)

SUPPORTED = (
    *(bool_, uint8, int8, int16, uint16, int32, uint32, int64, uint64),
    *(float16, float32, float64, complex64, complex128),
)
_default = float32


def as_dtype(dtype: DTypeLike) -> DType:
    """The dtype that ``dtype`` names, if gradflow computes with it.

    >>> as_dtype("float32")
    dtype('float32')
    """
    if isinstance(dtype, str) and dtype == "bfloat16":
        return find_bfloat16()
    try:
        result = np.dtype(dtype)
    except TypeError:
        raise DTypeError(f"{dtype!r} is not a dtype; use one of {_names()}") from None
    if result not in SUPPORTED and not is_bfloat16(result):
        raise DTypeError(f"gradflow does not compute with {result}; use one of {_names()}")
    return result


def find_bfloat16() -> DType:
    """bfloat16, eight exponent and seven fraction bits: the dtype of the package ml_dtypes, NumPy has none.

    Raises MissingExtraError where that is not installed.

    >>> find_bfloat16().itemsize
    2
    """
    try:
        import ml_dtypes
    except ImportError as error:
        raise MissingExtraError(
            f"bfloat16 is a dtype of ml_dtypes, and importing it failed ({error}); "
            "install it with: pip install 'gradflow[bfloat16]', or use float16"
        ) from error
    dtype: DType = np.dtype(ml_dtypes.bfloat16)
    return dtype


def is_bfloat16(dtype: DType) -> bool:
    """Whether ``dtype`` is bfloat16, which NumPy knows as raw bytes; asked without importing ml_dtypes."""
    char: str = dtype.char
    return dtype.kind == "V" and char == "E"


def set_default_dtype(dtype: DTypeLike) -> None:
    """Make ``dtype`` what Python floats become in ``gf.tensor(...)`` and creation functions.

    Raises DTypeError unless it is a floating dtype. The default is float32.
    """
    global _default  # noqa: PLW0603
    chosen = as_dtype(dtype)
    if not is_floating(chosen):
        raise DTypeError(f"set_default_dtype: {chosen} is not a floating dtype; use float32 or float64")
    _default = chosen


def get_default_dtype() -> DType:
    """What Python floats become in ``gf.tensor(...)``: float32 unless ``set_default_dtype`` changed it."""
    return _default


def is_floating(dtype: DType) -> bool:
    """Whether ``dtype`` is one of real floating numbers."""
    return dtype.kind == "f" or is_bfloat16(dtype)


def is_differentiable(dtype: DType) -> bool:
    """Whether tensors of ``dtype`` can have gradients: real and complex floating ones."""
    return dtype.kind in "fc" or is_bfloat16(dtype)


def complex_of(dtype: DType) -> DType:
    """The complex dtype for numbers with parts of ``dtype``: complex64 up to float32, complex128 for more.

    >>> complex_of(float32), complex_of(int64)
    (dtype('complex64'), dtype('complex128'))
    """
    return complex64 if dtype in (float16, float32, complex64) or is_bfloat16(dtype) else complex128


def real_of(dtype: DType) -> DType:
    """The dtype of the real part of ``dtype``: its own, unless it is complex.

    >>> real_of(complex64), real_of(int64)
    (dtype('float32'), dtype('int64'))
    """
    if dtype == complex64:
        return float32
    return float64 if dtype == complex128 else dtype


def accumulator(dtype: DType) -> DType:
    """What sums of ``dtype`` are accumulated in: float16 and bfloat16 in float32, everything else in itself."""
    return float32 if dtype == float16 or is_bfloat16(dtype) else dtype


def finfo(dtype: DTypeLike) -> Any:
    """The limits of a floating dtype, and of the parts of a complex one: NumPy's ``finfo``, for bfloat16 ml_dtypes'.

    >>> float(finfo("float32").eps)
    1.1920928955078125e-07
    """
    wanted = as_dtype(dtype)
    if not is_bfloat16(wanted):
        return np.finfo(wanted)
    import ml_dtypes

    limits: Any = ml_dtypes.finfo
    return limits(wanted)


def tolerance(dtype: DType) -> float:
    """How far two correct implementations of an operation may differ, relative to the result's size."""
    if is_bfloat16(dtype):
        return 3.2e-2
    return {float16: 4e-3, float32: 4e-6, float64: 1e-11}.get(real_of(dtype), 0.0)


def _names() -> str:
    return ", ".join(dtype.name for dtype in SUPPORTED)
