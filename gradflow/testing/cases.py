"""Every declared op with each of its samples: the table that generic tests run over."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from typing import Any

import numpy as np

from gradflow import ops
from gradflow.dispatch import apply
from gradflow.dtypes import DType, DTypeLike, as_dtype, is_differentiable
from gradflow.dtypes import tolerance as relative_tolerance
from gradflow.op import OPS, Op
from gradflow.samples import Sample
from gradflow.tensor import Tensor, operand


def cases() -> list[tuple[Op, Sample]]:
    """All pairs of an op and one of its samples."""
    for module in pkgutil.iter_modules(ops.__path__, f"{ops.__name__}."):
        importlib.import_module(module.name)  # some families are loaded when first used; here all are wanted
    return [(op, sample) for op in OPS.values() for sample in op.samples]


def operands(sample: Sample, dtype: DTypeLike = np.float64, *, requires_grad: bool = False, seed: int = 0) -> list[Any]:
    """The inputs of ``sample`` as tensors, floating ones in ``dtype``."""
    inputs = [operand(x) for x in sample.draw(as_dtype(dtype), seed)]
    for x in inputs:
        if isinstance(x, Tensor) and is_differentiable(x.dtype):
            x.requires_grad = requires_grad
    return inputs


def call(op: Op, inputs: Sequence[Any], sample: Sample) -> Tensor:
    """``op`` of ``inputs`` with the attributes of ``sample``."""
    return apply(op, *inputs, **sample.attrs)


def tolerance(dtype: DType, size: float = 1.0) -> float:
    """How far two right results of ``dtype`` may be apart, for numbers of about ``size``."""
    return relative_tolerance(dtype) * max(1.0, size)
