"""Calls without machine code: NumPy's functions on a plan's buffers, with little Python around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.compiler.numpy_cross_entropy import numpy_cross_entropy
from gradflow.compiler.numpy_updates import numpy_update
from gradflow.compiler.program import Call, Value

Do = Callable[[], Any]


def numpy_call(call: Call, operands: list[Any], out: Any) -> Do:
    """What does ``call`` on ``operands``, a list whose arrays may be exchanged between runs, into ``out``."""
    by_forward = _by_forward(call, operands, out)
    if call.name in _CALLS:
        made = _CALLS[call.name](call, operands, out)
    elif call.name == "cross_entropy_with_grad":
        made = numpy_cross_entropy(call, operands, by_forward)
    else:
        made = numpy_update(call, operands)
    return by_forward if made is None else made


def _by_forward(call: Call, operands: list[Any], out: Any) -> Do:
    """The op's own reference."""
    assert call.op is not None
    forward, attrs = call.op.forward, call.attrs
    if out is None:
        return lambda: forward(np, *operands, **attrs)

    def do() -> None:
        result = forward(np, *operands, out=out, **attrs)
        if result is not out:
            out[...] = result

    return do


def _matmul(call: Call, operands: list[Any], out: Any) -> Do | None:
    if not _alike(call, 2) or out.size * call.inputs[0].size > SMALL * len(out):
        return None
    left, right = call.attrs["transpose_a"], call.attrs["transpose_b"]

    def do() -> None:
        a, b = operands
        (a.T if left else a).dot(b.T if right else b, out)  # a method of arrays finds BLAS sooner than np.matmul

    return do


def _linear(call: Call, operands: list[Any], out: Any) -> Do | None:
    if not _alike(call, 2) or operands[2] is None or out.size * call.inputs[0].shape[1] > SMALL:
        return None
    add = np.add

    def do() -> None:
        x, weight, bias = operands
        x.dot(weight.T, out)
        add(out, bias, out)

    return do


def _relu(call: Call, operands: list[Any], out: Any) -> Do | None:
    if not _alike(call, out.ndim):
        return None
    zero, maximum = np.zeros((), out.dtype), np.maximum
    return lambda: maximum(operands[0], zero, out=out)


def _relu_grad(call: Call, operands: list[Any], out: Any) -> Do | None:
    if not _alike(call, out.ndim):
        return None
    zero, dead, alive = np.zeros((), out.dtype), np.empty(out.shape, np.bool_), np.empty_like(out)
    less_equal, invert, copyto, multiply = np.less_equal, np.invert, np.copyto, np.multiply

    def do() -> None:
        g, y = operands
        less_equal(y, zero, dead)
        invert(dead, dead)
        copyto(alive, dead)  # so that both factors are floats
        multiply(g, alive, out)

    return do


def _sum(call: Call, operands: list[Any], out: Any) -> Do | None:
    (x,) = call.inputs
    if call.attrs["axes"] != (0,) or call.attrs["keepdims"] or not _alike(call, 2) or x.shape[0] > FEW:
        return None
    ones = np.ones(x.shape[0], x.dtype)
    return lambda: ones.dot(operands[0], out)


SMALL = 1 << 18  # multiplications up to which OpenBLAS starts no threads; ops/linalg.py has ways for larger products
FEW = 128  # numbers that are added one after another: of more, float32 would lose digits (see ops/reduce.py)

_CALLS: dict[str, Callable[[Call, list[Any], Any], Do | None]] = {
    "matmul": _matmul,
    "linear": _linear,
    "relu": _relu,
    "relu_grad": _relu_grad,
    "sum": _sum,
}


def _alike(call: Call, ndim: int) -> bool:
    """Whether all arrays are float32, or all float64, and but for vectors of ``ndim`` dimensions."""
    values = [x for x in (*call.inputs, call.out) if isinstance(x, Value)]
    return all(x.dtype == values[0].dtype and x.dtype.char in "fd" and len(x.shape) in (1, ndim) for x in values)
