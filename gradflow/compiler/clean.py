"""What a program does for nothing is left out: work without a reader, work done twice, factors of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradflow.backend import backend_of
from gradflow.compiler.program import COMPUTED, CONSTANT, INPUT, STATE, Call, Program, Storage, Value


def cleaned(program: Program) -> Program:
    """``program`` without what need not be done; what it does comes to the same bits."""
    for step in (folded, without_ones, without_repetition, without_dead):
        program = step(program)
    for storage in program.storages:
        if storage.origin == COMPUTED:
            storage.array = None  # of the traced run, which is over
    return program


def folded(program: Program) -> Program:
    """What is computed from constants alone as a constant: the trace has computed it."""
    fixed = _fixed(program)
    calls: list[Call] = []
    for call in program.calls:
        made = call.out is not None and call.out.storage.origin == COMPUTED and call.out.storage not in fixed
        constant = all(x.storage.origin == CONSTANT and x.storage not in fixed for x in call.reads)
        if call.out is not None and made and call.reads and constant:
            call.out.storage.origin = CONSTANT
        else:
            calls.append(call)
    return program.with_calls(calls)


def without_dead(program: Program) -> Program:
    """Only the calls that something outside, or a later call, reads from."""
    wanted = {value.storage for value in kept(program)}
    calls: list[Call] = []
    for call in reversed(program.calls):
        written = {value.storage for value in call.writes}
        if call.op is None or any(s.origin in (STATE, INPUT) for s in written) or written & wanted:
            wanted |= {value.storage for value in (*call.reads, *call.writes)}
            calls.append(call)
    return program.with_calls(calls[::-1])


def kept(program: Program) -> Iterator[Value]:
    """The values that are there when the step has ended: results, and gradients without a place of their own."""
    yield from (x for x in program.outputs if isinstance(x, Value))
    yield from (each.value for each in program.effects if each.value is not None)
    yield from (part for each in program.pullbacks for part in each.parts if part is not None)
    if program.pullbacks:  # they may run in any order, more than once, or never
        made = set()
        for number, call in enumerate(program.calls):
            if call.op is None and call.action is None:
                yield from (x for later in program.calls[number:] for x in later.reads if x.storage in made)
                return
            made |= {x.storage for x in call.writes}


def without_repetition(program: Program) -> Program:
    """Equal calls of pure ops once, if nothing they read was written between them."""
    same: dict[Storage, Value] = {}
    seen: dict[Any, Value] = {}
    versions: dict[Storage, int] = {}
    fixed = _fixed(program)
    calls: list[Call] = []
    for original in program.calls:
        call = _renamed(original, same)
        if call.op is not None and call.out is not None and call.out.whole and call.out.storage not in fixed:
            key = _key(call, versions)
            known = seen.get(key)
            if known is not None and call.out.storage.origin == COMPUTED and _alike(known, call.out):
                same[call.out.storage] = known
                continue
            if call.out.storage.origin == COMPUTED:
                seen[key] = call.out
        for value in call.writes:
            versions[value.storage] = versions.get(value.storage, 0) + 1
        calls.append(call)
    return program.with_calls(calls)


def without_ones(program: Program) -> Program:
    """No products with, and no quotients by, a constant 1."""
    same: dict[Storage, Value] = {}
    fixed = _fixed(program)
    calls: list[Call] = []
    for original in program.calls:
        call = _renamed(original, same)
        x = _unchanged(call)
        out = call.out
        if x is not None and out is not None and _may_stand_for(x, out) and not {x.storage, out.storage} & fixed:
            same[out.storage] = x
        else:
            calls.append(call)
    return program.with_calls(calls)


def _fixed(program: Program) -> set[Storage]:
    """The storages that must stay what they are: kept to the end, or written in place."""
    in_place = {value.storage for call in program.calls if call.out is None for value in call.writes}
    return in_place | {value.storage for value in kept(program)}


def _unchanged(call: Call) -> Value | None:
    """The operand that ``call`` gives back as it is, if it does."""
    if call.name not in ("multiply", "divide"):
        return None
    a, b = call.inputs
    if isinstance(a, Value) and is_constant(b, 1):
        return a
    return b if call.name == "multiply" and isinstance(b, Value) and is_constant(a, 1) else None


def is_constant(x: Any, number: float) -> bool:
    """Whether ``x`` is ``number``, or an array of nothing else that was made in the step and is never written."""
    if not isinstance(x, Value):
        return x is not None and type(x) in (int, float) and x == number
    if x.storage.origin != CONSTANT or x.storage.initial is not None:
        return False
    array = backend_of(x.storage.array).to_numpy(x.storage.array)
    return bool(np.all(array == number))


def _may_stand_for(x: Value, out: Value) -> bool:
    return x.storage.origin == out.storage.origin == COMPUTED and _alike(x, out)


def _alike(a: Value, b: Value) -> bool:
    return a.whole and b.whole and (a.shape, a.dtype) == (b.shape, b.dtype)


def _key(call: Call, versions: dict[Storage, int]) -> Any:
    def of(x: Any) -> Any:
        if isinstance(x, Value):
            return x.storage.number, versions.get(x.storage, 0), x.offset, x.shape, x.strides, x.dtype
        return type(x), repr(x)  # 1, 1.0 and True are equal, and so are 0.0 and -0.0

    return call.name, tuple(map(of, call.inputs)), tuple(sorted((name, repr(x)) for name, x in call.attrs.items()))


def _renamed(call: Call, same: dict[Storage, Value]) -> Call:
    """``call``, reading what is the same instead of what is no longer made."""
    if not any(value.storage in same for value in call.reads):
        return call

    def of(x: Any) -> Any:
        if not isinstance(x, Value) or x.storage not in same:
            return x
        return Value(same[x.storage].storage, x.shape, x.dtype, x.offset, x.strides)

    return Call(call.op, tuple(map(of, call.inputs)), call.attrs, call.out, call.site, call.action)
