"""Operations on bfloat16: computed in float32, and their results rounded once."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from gradflow.dtypes import DType, find_bfloat16, float16, float32, is_bfloat16
from gradflow.op import Op, Spec

_known: dict[str, Op] = {}


def __getattr__(name: str) -> DType:
    """gf.bfloat16, which imports ml_dtypes."""
    if name != "bfloat16":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return find_bfloat16()


def has_bfloat16(specs: Iterable[Spec], attrs: dict[str, Any]) -> bool:
    """Whether an input is bfloat16, or the result is asked to be."""
    return any(map(_is, (*(each.dtype for each in specs), attrs.get("dtype"))))


def spec_of(op: Op, specs: Sequence[Spec], attrs: dict[str, Any]) -> Spec | None:
    """What ``op.spec`` says; bfloat16 stays bfloat16, and becomes float32 beside float16 and float32."""
    wide = [each._replace(dtype=float32) if _is(each.dtype) else each for each in specs]
    spec = op.spec(*wide, **attrs)
    if spec is None:
        return None
    return spec._replace(dtype=_result([each.dtype for each in specs], spec.dtype, attrs))


def rounding(op: Op) -> Op:
    """``op`` for calls with bfloat16; itself if it only looks at the memory of its input."""
    if op.view:
        return op
    if op.name not in _known:
        rounded = copy.copy(op)
        rounded.forward = _forward(op)
        rounded.scalar = rounded.cuda = None
        _known[op.name] = rounded
    return _known[op.name]


def _is(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and is_bfloat16(dtype)


def _result(given: Sequence[Any], made: Any, attrs: dict[str, Any]) -> Any:
    if "dtype" in attrs:
        return attrs["dtype"]
    short = next((dtype for dtype in given if _is(dtype)), None)
    return short if made == float32 and not {float16, float32} & set(given) else made


def _forward(op: Op) -> Any:
    def forward(xp: Any, *arrays: Any, out: Any = None, **attrs: Any) -> Any:
        given: list[DType | None] = [getattr(x, "dtype", None) for x in arrays]
        wide = [x.astype(float32) if _is(dtype) else x for x, dtype in zip(arrays, given, strict=True)]
        inner = {**attrs, "dtype": float32} if _is(attrs.get("dtype")) else attrs
        result = op.forward(xp, *wide, **inner)
        for i in op.mutated(len(arrays)):
            if wide[i] is not arrays[i]:
                arrays[i][...] = wide[i]
        if op.mutates:
            return None
        made = np.asarray(result)
        dtype = _result(given, made.dtype, attrs)
        if out is None:
            return made.astype(dtype, copy=False)
        out[...] = made
        return out

    return forward
