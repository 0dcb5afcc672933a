"""In which dtype a fused op computes, and how its result gets into the dtype and buffer that are wanted."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from gradflow.dtypes import DType, accumulator, float64, is_differentiable

Array = Any


def float_dtype(*operands: Any) -> DType:
    """The inexact dtype that arrays, dtypes and Python numbers promote to together; integers become float64.

    >>> float_dtype(np.zeros(2, "float16"), np.dtype("float32"), 1.0, None)
    dtype('float32')
    """
    given = [getattr(x, "dtype", x) for x in operands if x is not None and x is not type(None)]
    dtype: DType = np.result_type(*(x() if isinstance(x, type) else x for x in given))
    return dtype if is_differentiable(dtype) else float64


def precision(*operands: Any) -> tuple[DType, DType]:
    """The dtype of the result, and the one to compute in, where sums do not lose what float16 cannot hold."""
    kinds: list[Any] = [x.dtype if hasattr(x, "dtype") else type(x) for x in operands]
    return _precision(*kinds)


@cache
def _precision(*kinds: Any) -> tuple[DType, DType]:
    dtype = float_dtype(*kinds)
    return dtype, accumulator(dtype)


def room(out: Array | None, dtype: DType) -> Array | None:
    """``out``, if numbers of ``dtype`` can be computed in it."""
    return out if out is not None and out.dtype == dtype else None


def stored(result: Array, dtype: DType, out: Array | None) -> Array:
    """``result`` in ``dtype``, and in ``out`` if it is given and is not where the result already is."""
    if out is None:
        return result if result.dtype == dtype else result.astype(dtype)
    if result is not out:
        out[...] = result
    return out
