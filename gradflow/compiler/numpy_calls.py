"""Calls without machine code: NumPy's functions on a plan's buffers, with little Python around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.compiler.program import Call, Value

Do = Callable[[], Any]


def numpy_call(call: Call, operands: list[Any], out: Any) -> Do:
    """What does ``call`` on ``operands``, a list whose arrays may be exchanged between runs, into ``out``."""
    make = _CALLS.get(call.name)
    made = None if make is None else make(call, operands, out)
    return _by_forward(call, operands, out) if made is None else made


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
    left, right, matmul = call.attrs["transpose_a"], call.attrs["transpose_b"], np.matmul

    def do() -> None:
        a, b = operands
        matmul(a.T if left else a, b.T if right else b, out)

    return do


def _linear(call: Call, operands: list[Any], out: Any) -> Do | None:
    if not _alike(call, 2) or operands[2] is None or out.size * call.inputs[0].shape[1] > SMALL:
        return None
    matmul, add = np.matmul, np.add

    def do() -> None:
        x, weight, bias = operands
        matmul(x, weight.T, out)
        add(out, bias, out)

    return do


def _relu_grad(call: Call, operands: list[Any], out: Any) -> Do | None:
    if not _alike(call, out.ndim):
        return None
    dead = np.empty(out.shape, np.bool_)
    less_equal, invert, multiply = np.less_equal, np.invert, np.multiply

    def do() -> None:
        g, y = operands
        less_equal(y, 0, dead)
        invert(dead, dead)
        multiply(g, dead, out)

    return do


def _sum(call: Call, operands: list[Any], out: Any) -> Do | None:
    (x,) = call.inputs
    if call.attrs["axes"] != (0,) or call.attrs["keepdims"] or x.dtype.char not in "fd" or x.shape[0] > FEW:
        return None
    add = np.add.reduce
    return lambda: add(operands[0], 0, None, out)


SMALL = 1 << 18  # multiplications up to which OpenBLAS starts no threads; ops/linalg.py has ways for larger products
FEW = 128  # rows that are added one after another: of more, float32 would lose digits (see ops/reduce.py)

_CALLS: dict[str, Callable[[Call, list[Any], Any], Do | None]] = {
    "matmul": _matmul,
    "linear": _linear,
    "relu_grad": _relu_grad,
    "sum": _sum,
}


def _alike(call: Call, ndim: int) -> bool:
    """Whether all arrays are float32, or all float64, and but for vectors of ``ndim`` dimensions."""
    values = [x for x in (*call.inputs, call.out) if isinstance(x, Value)]
    return all(x.dtype == values[0].dtype and x.dtype.char in "fd" and len(x.shape) in (1, ndim) for x in values)
