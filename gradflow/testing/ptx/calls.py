"""Calls of device functions, put in line: what the compiler left as a call becomes part of the kernel."""

from __future__ import annotations

import re
from dataclasses import replace

from gradflow.testing.ptx.faults import KernelFault
from gradflow.testing.ptx.parse import Function, Instruction, Module


def inlined(function: Function, module: Module) -> Function:
    """``function`` with the body of each function it calls in place of the call; KernelFault for recursion."""
    if not any(isinstance(item, Instruction) and item.op[0] == "call" for item in function.body):
        return function
    result = replace(function, body=[], registers=dict(function.registers), variables=list(function.variables))
    result.targets = dict(function.targets)
    _expand(function, result, module, {}, (function.name,))
    return result


def _expand(source: Function, into: Function, module: Module, names: dict[str, str], stack: tuple[str, ...]) -> None:
    """Append the body of ``source`` to ``into`` with its names changed as told."""
    for item in source.body:
        if isinstance(item, str):
            into.body.append(names.get(item, item))
            continue
        renamed = Instruction(
            item.op, tuple(_renamed(o, names) for o in item.operands), _renamed(item.predicate, names), item.line
        )
        if item.op[0] == "call":
            _call(renamed, into, module, stack)
        elif item.op[0] == "ret" and len(stack) > 1:
            into.body.append(Instruction(("bra",), (names["$end"],), renamed.predicate, item.line))
        else:
            into.body.append(renamed)


_NAME = re.compile(r"[%\w$]+")


def _renamed(text: str, names: dict[str, str]) -> str:
    return _NAME.sub(lambda match: names.get(match.group(), match.group()), text) if text else text


def _call(call: Instruction, into: Function, module: Module, stack: tuple[str, ...]) -> None:
    operands = list(call.operands)
    results = _list(operands.pop(0)) if operands[0].startswith("(") else []
    name = operands.pop(0)
    given = _list(operands.pop(0)) if operands else []
    callee = module.function(name)
    if callee is None:
        if name == "__assertfail":
            into.body.append(Instruction(("trap",), (), call.predicate, call.line))
            return
        raise KernelFault("unsupported", f"call of {name}, whose body is not in the program", stack[0], call.line)
    if name in stack:
        raise KernelFault(
            "unsupported", f"{name} calls itself; the interpreter puts calls in line", stack[0], call.line
        )
    prefix = f"$in{len(into.body)}$"
    names = {old: f"%{prefix}{old.lstrip('%')}" for old in callee.registers}
    names |= {v.name: prefix + v.name for v in callee.variables if v.space != "shared"}  # shared is one for all calls
    names |= {item: prefix + item for item in callee.body if isinstance(item, str)}
    names |= {target: prefix + target for target in callee.targets}
    names |= {p.name: g for p, g in zip([*callee.results, *callee.params], [*results, *given], strict=True)}
    names["$end"] = f"{prefix}$end"
    into.registers |= {names[old]: kind for old, kind in callee.registers.items()}
    known = {v.name for v in into.variables}
    into.variables += [replace(v, name=names.get(v.name, v.name)) for v in callee.variables if v.name not in known]
    into.targets |= {names[t]: [names[label] for label in labels] for t, labels in callee.targets.items()}
    if call.predicate:
        skip = call.predicate[1:] if call.predicate.startswith("!") else f"!{call.predicate}"
        into.body.append(Instruction(("bra",), (names["$end"],), skip, call.line))
    _expand(callee, into, module, names, (*stack, name))
    into.body.append(names["$end"])


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.strip("()").split(",") if part.strip()]
