"""Loops as LLVM IR, with explicit vectors: functions over chunks of their elements."""

from __future__ import annotations

from hashlib import sha256

from gradflow.backend.native.emit_addresses import Addresses
from gradflow.backend.native.emit_arithmetic import Unsupported
from gradflow.backend.native.emit_body import Body
from gradflow.backend.native.emit_extent import extent, flattened, in_blocks
from gradflow.backend.native.emit_passes import Plan, planned
from gradflow.backend.native.emit_sums import Parts, Sums, finish
from gradflow.backend.native.emit_writer import Writer
from gradflow.backend.native.function import Function
from gradflow.dtypes import float16
from gradflow.loop import ELEMENT, ROW, Loop

LANES = 8  # of vectors that add up the parts of chunks


def functions(loop: Loop, block: int | None = None) -> tuple[Function, ...]:
    """The functions that do ``loop``, to be run one after another, each in chunks of ``block`` elements if it is given.

    Totals are over all rows and columns, also of values that these share. Raises Unsupported for what is not done:
    loops without elements, float16, powers of integers that are no numbers, results of rows that elements have.
    """
    loop = flattened(loop)
    plan = planned(loop)
    _check(loop, plan)
    layout = extent(loop) if block is None else in_blocks(loop, block)
    addresses = Addresses(Writer())
    parts = Parts(loop, plan.kinds, layout.chunks)
    Body(loop, plan, layout, Sums(parts, addresses, layout.width), addresses).write()
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
        if result.kind == ROW and plan.kinds[result.name] == ELEMENT:
            raise Unsupported(f"{result.name} for each row, which elements have")
