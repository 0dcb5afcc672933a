"""A basic block of PTX as the source of a Python function that runs it for all threads of a group at once."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from gradflow.testing.ptx.flow import Block
from gradflow.testing.ptx.parse import WIDTHS, Function, Instruction
from gradflow.testing.ptx.registers import flushed, homes

PROBE = np.float32(1 - 2.0**-24)  # a subnormal number times this is inexact, which NumPy notices as underflow
SPECIAL = {"%tid", "%ntid", "%ctaid", "%nctaid"}
VALUES = {f"%lanemask_{which}" for which in ("eq", "lt", "le", "gt", "ge")}
VALUES |= {f"%{name}" for name in ("laneid", "warpid", "nwarpid", "smid", "nsmid", "gridid")}
VALUES |= {"%clock", "%clock64", "%globaltimer", "%dynamic_smem_size", "%total_smem_size"}


Emit = Callable[["Translator", Instruction], None]
TABLE: dict[str, Emit] = {}  # by opcode: what writes the Python of an instruction


def opcode(*names: str) -> Callable[[Emit], Emit]:
    """Register the function that translates these opcodes."""

    def register(function: Emit) -> Emit:
        TABLE.update(dict.fromkeys(names, function))
        return function

    return register


class Unsupported(Exception):
    """An instruction that the interpreter does not know."""


class Translator:
    """Translates the blocks of one kernel.

    ``symbols`` gives the address of each variable, or a string that is Python source where it is known at launch only;
    ``params`` the offsets of the kernel's parameters, ``local`` the names of variables in local memory. ``constants``
    are the names that the generated source uses.
    """

    def __init__(
        self, function: Function, symbols: dict[str, Any], local: set[str], params: dict[str, int], blocks: list[Block]
    ) -> None:
        self.registers = registers = {**function.registers, "%cc": "b32"}
        self.symbols = symbols
        self.local_params, self.params = local, params
        self.constants: dict[str, Any] = {"PROBE": PROBE}
        self.index = {name: i for i, name in enumerate(registers)}
        self.variable = {name: f"r{i}" for name, i in self.index.items()}
        self.undefined = blocks[0].live_in
        self.home = homes(registers, blocks)
        self.flushed = flushed(registers, blocks)

    def block(self, block: Block, careful: bool) -> str:
        """The source of ``run(g)``; in the careful variant subnormal numbers are flushed one by one."""
        self._begin(careful)
        for number, instruction in block.instructions:
            self.number = number
            self.instruction = instruction
            self.translate(instruction)
        result = "None"
        if block.condition:
            name = block.condition.lstrip("!")
            result = (
                self.read(name, "?")
                if len(block.next) == 2 and self.registers[name] == "pred"
                else self.read(name, "u4")
            )
            result = f"~{result}" if block.condition.startswith("!") else result
        for name in sorted(self.changed & block.live_out, key=self.index.__getitem__):
            self.emit(f"R[{self.index[name]}] = {self.read(name, self.home[name])}")
        return "\n    ".join(["def run(g):", "R = g.registers", *self.lines, f"return {result}\n"])

    def mask(self, block: Block) -> str:
        """The source of ``run(g)`` for the member mask, or the number of threads of a barrier, that starts a block."""
        self._begin(False)
        instruction = block.collective
        assert instruction is not None
        self.number = block.instructions[0][0]
        result = self.read(count_of(instruction) or instruction.operands[-1], "u4")
        return "\n    ".join(["def run(g):", "R = g.registers", *self.lines, f"return {result}\n"])

    def _begin(self, careful: bool) -> None:
        self.careful = careful
        self.lines: list[str] = []
        self.have: dict[str, dict[str, str]] = {}
        self.known: dict[str, str] = {}
        self.clean: dict[str, str] = {}
        self.changed: set[str] = set()
        self.temporaries = 0
        self.number = 0

    def emit(self, line: str) -> None:
        self.lines.append(line)

    def translate(self, instruction: Instruction) -> None:
        function = TABLE.get(instruction.op[0])
        if function is None:
            raise Unsupported(str(instruction))
        try:
            function(self, instruction)
        except (KeyError, IndexError, ValueError) as error:
            raise Unsupported(f"{instruction} [{type(error).__name__}: {error}]") from error

    # ---- values

    def temporary(self, expression: str) -> str:
        name = f"t{self.temporaries}"
        self.temporaries += 1
        self.emit(f"{name} = {expression}")
        return name

    def constant(self, value: Any) -> str:
        """The name of a NumPy scalar."""
        name = f"k_{value.dtype.str[1:].replace('?', 'b')}_{value.tobytes().hex()}"
        self.constants[name] = value
        return name

    def read(self, operand: str, code: str) -> str:
        """A Python name for the value of an operand, as type ``code``."""
        if operand in self.registers:
            return self.register(operand, code)
        if operand.startswith("-") and operand[1:] in self.registers:
            return self.temporary(f"-{self.register(operand[1:], code)}")
        if operand.startswith("!") and operand[1:] in self.registers:
            return self.temporary(f"~{self.register(operand[1:], code)}")
        if operand.partition(".")[0] in SPECIAL or operand in VALUES:
            key = operand[1:].replace(".", "_")
            name = self.known.get(f"{key} {code}")
            if name is None:
                size = 8 if operand in {"%clock64", "%globaltimer"} else 4
                name = self.cast(self.temporary(f"g.special({key!r})"), f"u{size}", code)
                self.known[f"{key} {code}"] = name
            return name
        if operand in self.symbols:
            return self.symbol(operand, code)
        if match := re.fullmatch(r"([\w$]+)\+(\d+)", operand):
            return self.temporary(f"{self.symbol(match.group(1), code)} + {match.group(2)}")
        return self.constant(immediate(operand, code))

    def symbol(self, name: str, code: str) -> str:
        value = self.symbols[name]
        if isinstance(value, str):
            return self.cast(self.temporary(value), "u8", code)
        return self.constant(np.dtype(code).type(value))

    def register(self, name: str, code: str) -> str:
        have = self.have.setdefault(name, {})
        if not have:
            self.emit(f"{self.variable[name]} = R[{self.index[name]}]")
            if name in self.undefined:  # on some path: what it holds there does not matter, if it is used at all
                zero = self.constant(np.dtype(self.home[name].replace("?", "bool")).type(0))
                self.emit(f"if {self.variable[name]} is None: {self.variable[name]} = {zero}")
            have[self.home[name]] = self.variable[name]
        if code not in have:
            given = next(iter(have))
            have[code] = self.cast(have[given], given, code)
        return have[code]

    def cast(self, name: str, given: str, code: str) -> str:
        """The same bits as another type; the low ones if it is narrower."""
        given, code = given.replace("bf", "u2"), code.replace("bf", "u2")
        if given == code:
            return name
        if code == "?" or given == "?":
            return self.temporary(f"{name} != 0" if code == "?" else f"{name}.astype({code!r})")
        if given[1] == code[1]:
            return self.temporary(f"{name}.view({code!r})")
        if code[0] == "f" or given[0] == "f":
            middle = self.cast(name, given, f"u{given[1]}")
            return self.cast(self.temporary(f"{middle}.astype('u{code[1]}')"), f"u{code[1]}", code)
        return self.temporary(f"{name}.astype({code!r})")

    def write(self, name: str, code: str, expression: str) -> str:
        """Let a register have the value of a Python expression of type ``code``; the Python name it gets."""
        if name == "_":
            return self.temporary(expression)
        code = code.replace("bf", "u2")
        width = WIDTHS[self.registers[name]]
        if code != "?" and self.registers[name] != "pred" and int(code[1]) < width:  # extended, by sign if signed
            expression = f"({expression}).astype('{'i' if code[0] == 'i' else 'u'}{width}')"
            code = f"{'i' if code[0] == 'i' else 'u'}{width}"
        variable = f"{self.variable[name]}_{self.number}"
        self.emit(f"{variable} = {expression}")
        self.have[name] = {code: variable}
        self.clean.pop(name, None)
        self.changed.add(name)
        return variable

    # ---- float32 with subnormal numbers flushed

    def read_float(self, operand: str, code: str, ftz: bool) -> str:
        """Like ``read``; with ``ftz`` the value has no subnormal numbers."""
        name = self.read(operand, code)
        if not ftz or code != "f4":
            return name
        if operand in self.clean:
            return self.clean[operand] if operand in self.registers else name
        if operand in self.flushed:
            return name
        if operand not in self.registers:
            return self.temporary(f"flush({name})") if operand.startswith("-") else name
        self.clean[operand] = self.probed(name)
        return self.clean[operand]

    def probed(self, name: str) -> str:
        """A value with no subnormal numbers: flushed, or found to have none."""
        if self.careful:
            return self.temporary(f"flush({name})")
        self.emit(f"multiply({name}, PROBE, g.scratch)")
        return name

    def write_float(self, name: str, code: str, expression: str, ftz: bool, gradual: bool = True) -> None:
        """Like ``write``; ``gradual`` says that the expression may be subnormal, which ``ftz`` makes zero."""
        if ftz and code == "f4" and gradual and self.careful:
            expression = f"flush({expression})"
        variable = self.write(name, code, expression)
        if ftz and code == "f4":
            if gradual and not self.careful:
                self.emit(f"multiply({variable}, PROBE, g.scratch)")
            self.clean[name] = variable

    # ---- memory

    def parameter(self, operand: str) -> int | None:
        """The offset of ``[kernel_param_2+4]`` in the parameters; None for other addresses."""
        base, _, offset = operand.strip("[]").replace(" ", "").partition("+")
        return self.params[base] + int(offset or 0) if base in self.params else None

    def address(self, operand: str) -> tuple[str, int]:
        """The Python name of an address and the constant to add to it, for ``[%rd1+16]``."""
        text = operand.strip("[]").replace(" ", "")
        match = re.fullmatch(r"(.+?)(?:\+(-?\w+))?", text)
        assert match is not None
        base, offset = match.group(1), int(match.group(2) or "0", 0)
        if base in self.registers:
            if WIDTHS[self.registers[base]] == 4:
                return self.temporary(f"{self.read(base, 'u4')}.astype('i8')"), offset
            return self.read(base, "i8"), offset
        if base in self.symbols and isinstance(self.symbols[base], str):
            return self.symbol(base, "i8"), offset
        return self.constant(np.int64(self.symbols[base] if base in self.symbols else int(base, 0))), offset


def count_of(barrier: Instruction) -> str:
    """The operand of a barrier that says how many threads it waits for; nothing if it waits for all."""
    if barrier.op[0] not in {"bar", "barrier"} or "warp" in barrier.op:
        return ""
    ids = barrier.operands[1:-1] if "red" in barrier.op else barrier.operands
    return ids[1] if len(ids) == 2 else ""


def immediate(text: str, code: str) -> Any:
    """A literal of PTX as a NumPy scalar: ``12``, ``-0x1F``, ``0f3F800000``, ``0d3FF0000000000000``, ``1.5``."""
    kind = np.dtype({"bf": "u2"}.get(code, code))
    if text[:2] in {"0f", "0F", "0d", "0D"}:
        raw = bytes.fromhex(text[2:])[::-1]
        value = np.frombuffer(raw, f"f{len(raw)}")[0]
        if kind.kind in "iu" and kind.itemsize == len(raw):
            return value.view(kind)
        return value.astype(kind)
    if kind.kind == "f":
        return kind.type(float(text)) if "." in text or "e" in text.lower() else _bits(int(text, 0), kind)
    if kind.kind == "b":
        return np.bool_(int(text, 0) != 0)
    value = int(text.rstrip("Uu"), 0) & (2 ** (8 * kind.itemsize) - 1)
    return np.frombuffer(struct.pack("<Q", value)[: kind.itemsize], kind)[0]


def _bits(value: int, kind: Any) -> Any:
    return np.frombuffer(struct.pack("<Q", value & (2**64 - 1))[: kind.itemsize], kind)[0]
