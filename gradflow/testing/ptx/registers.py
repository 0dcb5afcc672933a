"""How the registers of a kernel are kept: as which type, and which of them never hold a subnormal number."""

from __future__ import annotations

import re
from functools import cache

from gradflow.testing.ptx.flow import Block
from gradflow.testing.ptx.parse import WIDTHS


@cache
def code_of(kind: str) -> str:
    """The type code of a PTX type: NumPy's, with "bf" for bfloat16 and "?" for predicates."""
    if kind == "pred":
        return "?"
    if kind == "bf16":
        return "bf"
    if kind in {"f16x2", "bf16x2"}:
        return "u4"
    return {"s": "i", "f": "f"}.get(kind[0], "u") + str(WIDTHS[kind])


def homes(registers: dict[str, str], blocks: list[Block]) -> dict[str, str]:
    """The type in which each register is kept between blocks: the one it is most used as."""
    votes: dict[str, dict[str, int]] = {}
    for block in blocks:
        for _, instruction in block.instructions:
            kinds = [part for part in instruction.op[1:] if part in WIDTHS]
            for operand in instruction.operands if kinds else ():
                kind = kinds[-1] if instruction.op[0] == "cvt" and operand != instruction.operands[0] else kinds[0]
                for name in re.findall(r"%?[\w$]+", operand):
                    if name in registers and not operand.startswith("["):
                        tally = votes.setdefault(name, {})
                        tally[code_of(kind)] = tally.get(code_of(kind), 0) + (kind[0] != "b")
    homes = {}
    for name, kind in registers.items():
        fallback = code_of(kind).replace("bf", "u2")
        codes = {code: n for code, n in votes.get(name, {}).items() if code[1:] == fallback[1:]}
        homes[name] = fallback if kind == "pred" or not codes else max(codes, key=codes.__getitem__)
    return homes


FLUSHING = {"add", "sub", "mul", "fma", "mad", "div", "rcp", "sqrt", "rsqrt", "ex2", "lg2", "sin", "cos", "tanh"}


def flushed(registers: dict[str, str], blocks: list[Block]) -> set[str]:
    """The registers that only instructions with ``.ftz`` set, so that they are never subnormal."""
    found: dict[str, bool] = {}
    for block in blocks:
        for _, instruction in block.instructions:
            if not instruction.operands:
                continue
            flushes = "ftz" in instruction.op and instruction.op[0] in FLUSHING and instruction.op[-1] == "f32"
            for name in re.findall(r"%?[\w$]+", instruction.operands[0]):
                if name in registers and not instruction.operands[0].startswith("["):
                    found[name] = found.get(name, True) and flushes
    return {name for name, always in found.items() if always}
