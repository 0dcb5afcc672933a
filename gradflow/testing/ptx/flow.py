"""The control flow of a kernel: basic blocks, where each goes next, and which registers are live between them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from gradflow.testing.ptx.parse import Function, Instruction

COLLECTIVE = {"bar", "barrier", "shfl", "vote", "match", "redux", "activemask"}
WRITES = {"st", "red", "atom"}
LEAVES = {"ret", "exit", "trap"}
NO_RESULT = WRITES - {"atom"} | LEAVES | {"bra", "brx", "membar", "fence", "prefetch", "prefetchu", "nanosleep"}
REGISTER = re.compile(r"%?[A-Za-z_$][\w$]*")


@dataclass
class Block:
    """Instructions that run one after the other, then a jump.

    ``next`` holds the blocks to go to: none after an exit, one, two after a branch (taken first), more after a switch;
    ``condition`` is the predicate of a branch, or the register a switch looks at. A collective instruction and the
    first instruction after a store begin a block.
    """

    instructions: list[tuple[int, Instruction]] = field(default_factory=list)
    next: list[int] = field(default_factory=list)
    condition: str = ""
    live_in: frozenset[str] = frozenset()
    live_out: frozenset[str] = frozenset()

    collective: Instruction | None = None  # the first instruction, if it is one
    live: list[int] = field(default_factory=list)  # ``live_in`` as positions among the registers of the kernel

    @property
    def everyone(self) -> bool:
        """Whether the collective instruction is for all threads of a block or a warp, as far as can be read in it."""
        first = self.collective
        assert first is not None
        if first.op[0] in {"bar", "barrier"} and "warp" not in first.op:
            return True
        return first.op[0] == "activemask" or first.operands[-1] in {"-1", "0xffffffff", "0xFFFFFFFF"}


def blocks_of(function: Function) -> list[Block]:
    """The blocks of a kernel in the order of its text, the entry first."""
    body = _branches_for_predicates(function)
    starts: dict[str, int] = {}
    blocks: list[Block] = [Block()]
    jumps: list[Instruction | None] = []
    number = 0

    def close(jump: Instruction | None) -> None:
        jumps.append(jump)
        blocks.append(Block())

    for item in body:
        block = blocks[-1]
        if isinstance(item, str):
            if block.instructions:
                close(None)
            starts[item] = len(blocks) - 1
            continue
        wrote = bool(block.instructions) and block.instructions[-1][1].op[0] in WRITES
        if block.instructions and (item.op[0] in COLLECTIVE or (wrote and item.op[0] not in {"st", "red"})):
            close(None)
            block = blocks[-1]
        block.instructions.append((number, item))
        number += 1
        if item.op[0] in LEAVES or item.op[0] in {"bra", "brx"}:
            close(item)
    jumps.append(Instruction(("exit",), ()))
    for i, (block, jump) in enumerate(zip(blocks, jumps, strict=True)):
        _connect(block, i, jump, starts, function)
        if block.instructions and block.instructions[0][1].op[0] in COLLECTIVE:
            block.collective = block.instructions[0][1]
    _liveness(blocks, set(function.registers))
    index = {name: i for i, name in enumerate(function.registers)}
    for block in blocks:
        block.live = [index[name] for name in block.live_in]
    return blocks


def _branches_for_predicates(function: Function) -> list[Instruction | str]:
    """The body, with ``@p instruction`` as a branch around the instruction: only jumps keep predicates."""
    body: list[Instruction | str] = []
    for i, item in enumerate(function.body):
        if isinstance(item, str) or not item.predicate or item.op[0] == "bra":
            body.append(item)
            continue
        around = item.predicate[1:] if item.predicate.startswith("!") else f"!{item.predicate}"
        body.append(Instruction(("bra",), (f"$over_{i}",), around, item.line))
        body.append(Instruction(item.op, item.operands, "", item.line))
        body.append(f"$over_{i}")
    return body


def _connect(block: Block, i: int, jump: Instruction | None, starts: dict[str, int], function: Function) -> None:
    if jump is None:
        block.next = [i + 1]
    elif jump.op[0] == "bra":
        target = starts[jump.operands[0]]
        block.next = [target, i + 1] if jump.predicate else [target]
        block.condition = jump.predicate
    elif jump.op[0] == "brx":
        block.next = [starts[label] for label in function.targets[jump.operands[1]]]
        block.condition = jump.operands[0]


def reads_and_writes(instruction: Instruction, registers: set[str]) -> tuple[list[str], list[str]]:
    """The registers an instruction needs and those it sets."""
    operands = list(instruction.operands)
    sets: list[str] = []
    if instruction.op[0] not in NO_RESULT and not (
        instruction.op[0] in {"bar", "barrier"} and "red" not in instruction.op
    ):
        sets = [name for name in REGISTER.findall(operands[0]) if name in registers] if operands else []
        operands = operands[1:]
    needs = [name for operand in operands for name in REGISTER.findall(operand) if name in registers]
    needs += [name for name in [instruction.predicate.lstrip("!")] if name]
    return needs, sets


def _liveness(blocks: list[Block], registers: set[str]) -> None:
    uses, sets = [], []
    for block in blocks:
        used: set[str] = set()
        written: set[str] = set()
        for _, instruction in block.instructions:
            needs, results = reads_and_writes(instruction, registers)
            used |= set(needs) - written
            written |= set(results)
        uses.append(used)
        sets.append(written)
    changed = True
    while changed:
        changed = False
        for i in reversed(range(len(blocks))):
            block = blocks[i]
            out = frozenset().union(*(blocks[j].live_in for j in block.next))
            live = frozenset(uses[i] | (out - sets[i]))
            changed |= live != block.live_in or out != block.live_out
            block.live_in, block.live_out = live, out
