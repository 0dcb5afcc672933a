"""Loops as LLVM IR, with explicit vectors: functions over chunks of their elements."""

from __future__ import annotations

from hashlib import sha256

from gradflow.backend.native.emit_addresses import Addresses
from gradflow.backend.native.emit_arithmetic import Unsupported
from gradflow.backend.native.emit_body import Body
from gradflow.backend.native.emit_extent import extent, flattened
from gradflow.backend.native.emit_passes import Plan, planned
from gradflow.backend.native.emit_sums import Parts, Sums, finish
from gradflow.backend.native.emit_writer import Writer
from gradflow.backend.native.function import Function
from gradflow.dtypes import float16
from gradflow.loop import ELEMENT, ROW, TOTAL, Loop

LANES = 8  # of vectors that add up the parts of chunks


def functions(loop: Loop) -> tuple[Function, ...]:
    """The functions that do ``loop``, to be run one after another.

    Raises Unsupported for what they cannot: loops without elements, float16, powers of integers that no number says,
    totals of values that scalars or columns have, and rows' results of values that elements have.
    """
    loop = flattened(loop)
    plan = planned(loop)
    _check(loop, plan)
    layout = extent(loop)
    addresses = Addresses(Writer())
    parts = Parts(loop, layout.chunks)
    Body(loop, plan, layout, Sums(parts, plan.kinds, addresses, layout.width), addresses).write()
    if not parts.results:
        return (_function(addresses, layout.chunks),)
    if layout.chunks == 1:
        finish(parts, addresses, LANES)
        return (_function(addresses, 1),)
    joining = Addresses(Writer())
    finish(parts, joining, LANES)
    return _function(addresses, layout.chunks), _function(joining, 1)


def supports(loop: Loop) -> bool:
    """Whether ``functions`` has functions for ``loop``; costs as much as they do."""
    try:
        functions(loop)
    except Unsupported:
        return False
    return True


def _function(addresses: Addresses, chunks: int) -> Function:
    body = addresses.writer.text
    name = f"loop_{sha256(body.encode()).hexdigest()[:20]}"
    declarations = "\n".join(sorted(addresses.writer.declarations.values()))
    text = f"define i32 @{name}(ptr %arguments, i64 %chunk) {{\n{body}\n  ret i32 0\n}}\n{declarations}\n"
    return Function(name, text, tuple(addresses.arrays), chunks)


def _check(loop: Loop, plan: Plan) -> None:
    if loop.rows * loop.columns == 0:
        raise Unsupported("a loop without elements")
    for name, dtype in ((each.name, each.dtype) for part in loop[2:] for each in part):
        if dtype == float16 or dtype.kind not in "biuf":
            raise Unsupported(f"{name} of {dtype}")
    for result in loop.results:
        kind = plan.kinds[result.name]
        if result.kind == TOTAL and kind not in (ELEMENT, ROW):
            raise Unsupported(f"the total of {result.name}, which is a {kind}")
        if result.kind not in (ELEMENT, TOTAL) and kind == ELEMENT and result.kind == ROW:
            raise Unsupported(f"{result.name} for each row, which elements have")
