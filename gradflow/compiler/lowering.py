"""Lowering: calls become loops, matrix products, and works that were written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradflow.backend.native.updates import update_loops, updates
from gradflow.compiler.clean import is_constant
from gradflow.compiler.fusion import fused
from gradflow.compiler.program import COMPUTED, Call, Program, Storage, Value
from gradflow.compiler.works import Work, reference, work_of
from gradflow.device import CPU
from gradflow.dtypes import DType
from gradflow.launch import Gemm
from gradflow.loop import CrossEntropy
from gradflow.ops.arithmetic import _add
from gradflow.ops.cross_entropy_with_grad import _cross_entropy_with_grad
from gradflow.ops.linalg import _matmul

FLOATS = {"cpu": frozenset("fd"), "cuda": frozenset("efd")}  # what products are made for
NOBODYS = -1  # the number of a storage that the program does not list: no call knows of it


def lowered(program: Program) -> list[Work]:
    """The works of ``program``, fused."""
    return fused(with_cross_entropy(with_products(program)), _single)


def with_products(program: Program) -> Program:
    """``program`` with linear layers as products and sums, so that bias and activation can be one loop."""
    calls: list[Call] = []
    storages = list(program.storages)
    for call in program.calls:
        if call.name == "linear" and call.inputs[2] is not None and call.out is not None and _is_product(call):
            x, weight, bias = call.inputs
            storage = Storage(COMPUTED, len(storages), call.out.nbytes, call.out.storage.device)
            storages.append(storage)
            plain = Value(storage, call.out.shape, call.out.dtype)
            attrs = {"transpose_a": False, "transpose_b": True}
            calls.append(Call(_matmul, (x, weight), attrs, plain, call.site))
            calls.append(Call(_add, (plain, bias), {}, call.out, call.site))
        else:
            calls.append(call)
    return program.with_calls(calls, storages)


def with_cross_entropy(program: Program) -> Program:
    """``program`` with each cross-entropy and its gradient, where that is of the loss itself, as one call."""
    calls = list(program.calls)
    for number, call in enumerate(calls):
        if call.name != "cross_entropy" or call.out is None or not _is_plain_cross_entropy(call):
            continue
        for later, other in enumerate(calls[number + 1 :], number + 1):
            if other.name == "cross_entropy_grad" and other.out is not None and _is_gradient_of(other, call):
                both = _cross_entropy_with_grad
                calls[number] = Call(both, (other.out, call.out, *call.inputs), call.attrs, None, call.site)
                del calls[later]
                break
    return program.with_calls(calls)


def _is_plain_cross_entropy(call: Call) -> bool:
    *_, logits, labels, weight = call.inputs
    return (
        weight is None
        and call.attrs["label_smoothing"] == 0
        and call.attrs["reduction"] in ("mean", "sum")
        and logits.dtype.char in FLOATS[logits.storage.device.kind]
        and labels.dtype.char in "lqi"
        and logits.size > 0
        and all(x.strides is None for x in (*call.reads, *call.writes))
    )


def _is_gradient_of(gradient: Call, loss: Call) -> bool:
    g, *inputs = gradient.inputs
    same = all(_same(a, b) for a, b in zip(inputs, loss.inputs, strict=True))
    return same and gradient.attrs == loss.attrs and is_constant(g, 1)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Value) and isinstance(b, Value):
        return (a.storage, a.offset, a.shape, a.strides) == (b.storage, b.offset, b.shape, b.strides)
    return a is b


def _single(call: Call) -> Sequence[Work]:
    """The works of a call that is not part of a loop."""
    if call.op is None:
        return [reference(call)]
    if call.name == "matmul" and _is_product(call):
        return [_product(call)]
    if call.name == "linear" and call.inputs[2] is None and _is_product(call):
        return [_product(call)]
    if call.name == "cross_entropy_with_grad" and _is_plain_cross_entropy(call):
        gradient, loss, logits, labels, _ = call.inputs
        return [_cross_entropy(call, loss, gradient, logits, labels)]
    if call.name == "cross_entropy" and _is_plain_cross_entropy(call):
        return [_cross_entropy(call, call.out, None, *call.inputs[:2])]
    on_cpu = all(x.storage.device.kind == "cpu" for x in call.reads)
    if on_cpu and updates(call.op, call.inputs) and all(x.strides is None for x in call.reads):
        return [work_of(loop, (call,)) for loop in update_loops(call.op, call.inputs, call.attrs, _number)]
    return [reference(call)]


def _number(dtype: DType) -> Value:
    """What one loop leaves for the next."""
    return Value(Storage(COMPUTED, NOBODYS, dtype.itemsize, CPU), (), dtype)


def _cross_entropy(call: Call, loss: Value | None, gradient: Value | None, logits: Value, labels: Value) -> Work:
    does = CrossEntropy(loss, gradient, logits, labels, call.attrs["ignore_index"], call.attrs["reduction"])
    writes = tuple(x for x in (loss, gradient) if x is not None)
    return Work(does, (call,), (logits, labels), writes)


def _is_product(call: Call) -> bool:
    """Whether a call of matmul or linear is one product of matrices, each in order or transposed."""
    a, b, out = call.inputs[0], call.inputs[1], call.out
    if out is None or out.strides is not None or not out.size or not a.size:
        return False
    return all(x.dtype == out.dtype and _is_matrix(x) for x in (a, b, out))


def _is_matrix(x: Value) -> bool:
    in_order = x.strides is None or _is_transposed(x)
    return len(x.shape) == 2 and in_order and x.dtype.char in FLOATS[x.storage.device.kind]


def _is_transposed(x: Value) -> bool:
    return x.strides == (x.dtype.itemsize, x.dtype.itemsize * x.shape[0])


def _product(call: Call) -> Work:
    a, b, out = call.inputs[0], call.inputs[1], call.out
    transpose_a = call.attrs.get("transpose_a", False)
    transpose_b = call.attrs.get("transpose_b", True)
    if a.strides is not None:
        a, transpose_a = _upright(a), not transpose_a
    if b.strides is not None:
        b, transpose_b = _upright(b), not transpose_b
    assert out is not None
    return Work(Gemm(a, b, out, transpose_a, transpose_b), (call,), (a, b), (out,))


def _upright(x: Value) -> Value:
    """The matrix, in order, of which ``x`` is the transpose."""
    return Value(x.storage, x.shape[::-1], x.dtype, x.offset)
