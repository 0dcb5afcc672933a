"""A plan as text: a program that can be read."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from gradflow.compiler.cost import Cost, moved
from gradflow.compiler.memory import Layout
from gradflow.compiler.program import COMPUTED, CONSTANT, INPUT, STATE, Argument, LeftOn, Program, Storage, Value
from gradflow.compiler.works import Action, Work
from gradflow.launch import Gemm
from gradflow.loop import CrossEntropy, FusedProduct, Loop

LETTERS = {INPUT: "x", STATE: "s", CONSTANT: "c", COMPUTED: "b"}


class Names:
    """Short names for storages: x0 an argument, s0 what was there before, c0 a constant, b0 a buffer."""

    def __init__(self) -> None:
        self._known: dict[Storage, str] = {}
        self._counts = dict.fromkeys(LETTERS, 0)

    def of(self, value: Value) -> str:
        """The name of ``value``; of a part of a storage with the bytes it takes."""
        storage = value.storage
        if storage not in self._known:
            self._known[storage] = f"{LETTERS[storage.origin]}{self._counts[storage.origin]}"
            self._counts[storage.origin] += 1
        name = self._known[storage]
        if value.whole or storage.origin == INPUT:
            return name
        low, high = value.reach
        return f"{name}[{low}:{high}]"


def listing(program: Program, works: Sequence[Work], layout: Layout, cost: Cost, how: str) -> str:
    """The plan as a program: what it takes, each work with what it makes, where that lies, and what it stands for."""
    names = Names()
    lines = [f"plan: {cost}; {how}"]
    lines += [f"  takes    {names.of(x)}: {_kind(x)}" for x in program.inputs]
    for number, work in enumerate(works):
        lines.append(f"  {number:3}  {_described(work, names)}")
        lines += [f"       {line}" for line in _details(work, names)]
        made = ", ".join(f"{names.of(x)}: {_kind(x)}{_at(x, layout)}" for x in work.writes)
        lines.append(f"       makes {made or 'nothing'}; {moved(work):,} bytes")
    lines.append(f"  returns  {', '.join(_returned(x, names) for x in program.outputs) or 'no tensor'}")
    kinds = [effect.kind for effect in program.effects]
    told = {"slot": "in the memory of an optimizer", "value": "of their own", "none": "none"}
    counts = ", ".join(f"{kinds.count(kind)} {told[kind]}" for kind in told if kind in kinds)
    return "\n".join([*lines, f"  leaves   gradients: {counts}"] if counts else lines)


def _at(value: Value, layout: Layout) -> str:
    place = layout.places.get(value.storage)
    return "" if place is None else f" at {place + value.offset}"


def _described(work: Work, names: Names) -> str:
    does, stands_for = work.does, " ".join(call.name for call in work.calls)
    if isinstance(does, Gemm):
        a, b = names.of(does.a) + ".T" * does.transpose_a, names.of(does.b) + ".T" * does.transpose_b
        bias = "" if does.bias is None else f" + {names.of(does.bias)}"
        return f"product {names.of(does.out)} = {a} @ {b}{bias}" + f", {does.epilogue}" * (does.epilogue != "none")
    if isinstance(does, Loop):
        return f"loop over {does.rows} x {does.columns}: {stands_for}"
    if isinstance(does, FusedProduct):
        return f"{_described(work._replace(does=does.gemm), names)}, with a loop over its elements: {stands_for}"
    if isinstance(does, CrossEntropy):
        return f"cross-entropy of {names.of(does.logits)} and {names.of(does.labels)}"
    if isinstance(does, Action):
        return "Python: an action of the step"
    (call,) = work.calls
    given = ", ".join(names.of(x) if isinstance(x, Value) else repr(x) for x in call.inputs)
    return f"call {call.name}({given})"


def _details(work: Work, names: Names) -> list[str]:
    loop = work.does.loop if isinstance(work.does, FusedProduct) else work.does
    if not isinstance(loop, Loop):
        return []
    read = [f"{each.name} = {names.of(each.array)} ({each.kind})" for each in loop.operands]
    done = [
        f"{each.name} = {f'{each.over} of ' if each.over else ''}{ast.unparse(each.expression)}"
        for each in loop.statements
    ]
    kept = [f"{names.of(each.array)} = {each.name}{_sum(each)}" for each in loop.results]
    return ["; ".join(read), *done, "; ".join(kept)]


def _sum(result: Any) -> str:
    if result.kind in ("element", "row", "scalar"):
        return ""
    return f" summed {'over rows' if result.kind == 'column_sum' else 'over all'}" + (
        "" if result.scale == 1 else f" times {result.scale:.6g}"
    )


def _kind(value: Value) -> str:
    return f"{value.dtype} {value.shape}"


def _returned(x: Any, names: Names) -> str:
    if isinstance(x, Value):
        return f"{names.of(x)}: {_kind(x)}"
    if isinstance(x, LeftOn):
        return "the gradient of a leaf"
    return f"argument {x.number}" if isinstance(x, Argument) else f"a tensor of shape {x.shape} that was there before"
