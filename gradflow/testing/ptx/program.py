"""A compiled program: its kernels, translated when they are first launched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from gradflow.errors import ArgumentError
from gradflow.testing.nvrtc import Compiled
from gradflow.testing.ptx import access, arithmetic, atomics, bits, collective, conversion, directed
from gradflow.testing.ptx import instructions as _instructions  # noqa: F401 - fill the table of opcodes
from gradflow.testing.ptx import moves as _moves  # noqa: F401
from gradflow.testing.ptx import together as _together  # noqa: F401
from gradflow.testing.ptx.calls import inlined
from gradflow.testing.ptx.faults import KernelFault
from gradflow.testing.ptx.flow import Block, blocks_of
from gradflow.testing.ptx.machine import Launch
from gradflow.testing.ptx.memory import BASE, Memory
from gradflow.testing.ptx.parse import WIDTHS, Function, Module, Variable
from gradflow.testing.ptx.registers import code_of
from gradflow.testing.ptx.report import Report
from gradflow.testing.ptx.translate import Translator, Unsupported, immediate

STRONG = {"volatile", "relaxed", "acquire", "release", "acq_rel"}
_loaded: dict[str, Program] = {}

NAMES: dict[str, Any] = {
    **{
        name: value
        for module in (access, arithmetic, atomics, bits, collective, conversion, directed)
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", "") == module.__name__
    },
    **{
        f"np_{name}": getattr(np, name) for name in ("exp2", "log2", "sin", "cos", "tanh", "sqrt", "minimum", "maximum")
    },
    **{name: getattr(np, name) for name in ("multiply", "where", "copysign", "isfinite", "isinf", "reciprocal")},
    "k_zero": np.uint32(0),
    "k_one": np.float32(1),
    "BASE": BASE,
    "SHARED_WINDOW": access.SHARED_WINDOW,
    "LOCAL_WINDOW": access.LOCAL_WINDOW,
}


def load(compiled: Compiled) -> Program:
    """The program that ``nvrtc.compile`` made, parsed once."""
    if compiled.ptx not in _loaded:
        _loaded[compiled.ptx] = Program(compiled)
    program = _loaded[compiled.ptx]
    program.names.update(compiled.names)  # the same PTX may have been asked for under other names before
    return program


class Program:
    """Kernels that can be launched."""

    def __init__(self, compiled: Compiled) -> None:
        self.module = Module(compiled.ptx)
        self.names = dict(compiled.names)
        self._kernels: dict[str, Kernel] = {}

    @property
    def kernels(self) -> list[str]:
        """The kernels: name expressions where they have one, mangled names otherwise."""
        expressions = {mangled: expression for expression, mangled in self.names.items()}
        return [expressions.get(name, name) for name in self.module.kernels]

    def kernel(self, name: str) -> Kernel:
        """A kernel by name expression or mangled name; ArgumentError if there is none."""
        function = self.module.function(self.names.get(name, name))
        if function is None or not function.entry:
            raise ArgumentError(f"no kernel {name}; there are {', '.join(self.kernels)}")
        if name not in self._kernels:
            self._kernels[name] = Kernel(self, name, function)
        return self._kernels[name]

    def launch(
        self,
        name: str,
        grid: Sequence[int],
        block: Sequence[int],
        arguments: Sequence[Any],
        memory: Memory,
        shared: int = 0,
    ) -> Report:
        """Run a kernel to its end, and say what it did.

        ``arguments`` are NumPy scalars of the size of the parameters (addresses are 8 bytes), or bytes for structs;
        ``shared`` is dynamic shared memory in bytes. KernelFault where a GPU would fail or could go wrong.
        """
        return Launch(self.kernel(name), (*grid, 1, 1)[:3], (*block, 1, 1)[:3], arguments, memory, shared).run()

    def address_of(self, name: str, memory: Memory) -> int:
        """The address of a variable of the program in ``memory``, where it is put when first asked for."""
        key = (id(self), name)
        if key not in memory.symbols:
            memory.symbols[key] = self._place(next(v for v in self.module.variables if v.name == name), memory)
        return memory.symbols[key]

    def _place(self, variable: Variable, memory: Memory) -> int:
        address = memory.allocate(variable.size)
        memory.view(address, (variable.size,), np.uint8)[...] = 0
        memory.mark_written(address, variable.size)
        code = code_of(variable.type).replace("bf", "u2")
        view = memory.view(address, (variable.size // WIDTHS[variable.type],), code)
        for i, text in enumerate(variable.values):
            name = re.sub(r"generic\(|\)", "", text).split("+")[0].strip()
            if any(v.name == name for v in self.module.variables):
                offset = int(text.rstrip(")").split("+")[1]) if "+" in text else 0
                view[i] = self.address_of(name, memory) + offset
            else:
                view[i] = immediate(text, code)
        return address


class Kernel:
    """A kernel with its blocks, and where its parameters and variables lie."""

    def __init__(self, program: Program, name: str, function: Function) -> None:
        self.program, self.name = program, name
        self.function = inlined(function, program.module)
        self.blocks: list[Block] = blocks_of(self.function)
        self.lines = {number: i.line for block in self.blocks for number, i in block.instructions}
        self.instructions = {number: i for block in self.blocks for number, i in block.instructions}
        self.params, self.params_size = _layout(list(self.function.params))
        variables = self.function.variables + program.module.variables
        self.shared, self.shared_size = _layout([v for v in variables if v.space == "shared" and v.size])
        self.local, self.local_size = _layout([v for v in variables if v.space in {"local", "param"} and v.size])
        self.extern = [v.name for v in variables if v.space == "shared" and not v.size]
        self.globals = [v.name for v in program.module.variables if v.space in {"global", "const"}]
        self._code: dict[tuple[int, bool | None], Any] = {}

    @cached_property
    def translator(self) -> Translator:
        symbols: dict[str, Any] = {**self.shared, **self.local}
        symbols |= dict.fromkeys(self.extern, -(-self.shared_size // 16) * 16)
        symbols |= {name: f"g.launch.symbol({name!r})" for name in self.globals}
        symbols |= {name: f"g.launch.parameters_at({at})" for name, at in self.params.items()}
        return Translator(self.function, symbols, set(self.local), self.params, self.blocks)

    def code(self, at: int, careful: bool) -> Any:
        """The function that runs a block."""
        found = self._code.get((at, careful))
        if found is None:
            found = self._code[at, careful] = self._compile(self.translator.block(self.blocks[at], careful), at)
        return found

    @cached_property
    def strong(self) -> set[int]:
        """The loads and stores that are volatile or ordered, so that they may meet atomic operations."""
        return {number for number, i in self.instructions.items() if STRONG & set(i.op)}

    def mask(self, at: int) -> Any:
        """The function that gives the member mask of the collective instruction at the start of a block."""
        found = self._code.get((at, None))
        if found is None:
            source = self.translator.mask(self.blocks[at])
            found = self._code[at, None] = self._compile(source, at)
        return found

    def _compile(self, source: str, at: int) -> Any:
        names: dict[str, Any] = {**NAMES, **self.translator.constants}
        exec(compile(source, f"<{self.name}, block {at}>", "exec"), names)
        return names["run"]

    def unsupported(self, at: int, error: Unsupported) -> KernelFault:
        line = self.lines.get(self.translator.number)
        return KernelFault("unsupported", f"the instruction {error} is not known to the interpreter", self.name, line)


def _layout(variables: list[Variable]) -> tuple[dict[str, int], int]:
    """The offset of each variable, one after the other as aligned, and the bytes of all."""
    widest = {v.name: v for v in sorted(variables, key=lambda v: v.size)}  # call sequences use names again
    at, end = {}, 0
    for variable in widest.values():
        end = -(-end // variable.align) * variable.align
        at[variable.name] = end
        end += variable.size
    return at, end
