"""What the kernels of a loop have in common: its names as C names, and its statements as lines of C."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable
from typing import Any

from gradflow.backend.cuda_loops.expression import FLOATS, Text, Writer
from gradflow.dtypes import DType
from gradflow.formula import COLUMN as COLUMN_NAME
from gradflow.formula import names
from gradflow.loop import COLUMN, ELEMENT, ROW, SCALAR, Loop, Operand, Result, Statement

_STORED = {"float16": "f16", "float32": "float", "float64": "double"}
VECTOR = 16  # bytes that one thread moves at a time


def stored(dtype: DType) -> str:
    """The C type of ``dtype`` in memory."""
    return _STORED.get(dtype.name, dtype.name)


def computed(dtype: DType) -> str:
    """The C type in which values of ``dtype`` are computed with."""
    if dtype.kind == "f":
        return "double" if dtype.itemsize == 8 else "float"
    return "bool" if dtype.kind == "b" else "uint64" if dtype.name == "uint64" else "int64"


def read(dtype: DType, text: str) -> str:
    """What is stored as ``dtype``, as it is computed with."""
    return f"load({text})" if dtype.name == "float16" else text


def kept(result: Result, value: Text) -> str:
    """``value`` as the dtype of ``result`` is stored."""
    kind = stored(result.dtype)
    return f"store<f16>(float({value.text}))" if kind == "f16" else f"{kind}({value.text})"


def scaled(result: Result, value: Text, scale: str) -> str:
    """A sum times its scale, as the dtype of ``result`` is stored."""
    return kept(result, Text(f"{value.text} * {scale}", value.type))


def by_value(operand: Operand) -> bool:
    """Whether the operand is a number, not an array."""
    return isinstance(operand.array, bool | int | float)


class Parameters:
    """The parameters of a kernel, as they are declared, and the arguments for them."""

    def __init__(self, loop: Loop) -> None:
        self.declared: list[str] = []
        self.arguments: list[Any] = []
        for i, operand in enumerate(loop.operands):
            number = by_value(operand)
            self.add(f"{computed(operand.dtype)} p{i}" if number else f"const {stored(operand.dtype)}* p{i}",
                     operand.array)  # fmt: skip
        for i, result in enumerate(loop.results):
            self.add(f"{stored(result.dtype)}* q{i}", result.array)

    def add(self, declared: str, argument: Any) -> None:
        """One more parameter."""
        self.declared.append(declared)
        self.arguments.append(argument)


class Body:
    """The names and statements of ``loop``; what a name stands for, it has a value for each of ``kinds[name]``."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.kinds: dict[str, str] = {COLUMN_NAME: COLUMN}
        self.symbols: dict[str, Text] = {}
        self.levels: dict[str, int] = {COLUMN_NAME: 0}  # passes over a row before the value is known
        self.statements = {each.name: each for each in loop.statements}
        for i, operand in enumerate(loop.operands):
            self.kinds[operand.name], self.levels[operand.name] = operand.kind, 0
            self.symbols[operand.name] = Text(f"a{i}", computed(operand.dtype))
        for i, statement in enumerate(loop.statements):
            read_by = uses(statement)
            self.kinds[statement.name] = ROW if statement.over else _join(self.kinds[name] for name in read_by)
            below = max((self.levels[name] for name in read_by), default=0)
            self.levels[statement.name] = below + (statement.over is not None)
            self.symbols[statement.name] = Text(f"s{i}", computed(statement.dtype))

    def needed(self, wanted: Iterable[str]) -> set[str]:
        """``wanted`` and what must be known for them, but not what reductions are made of: these are known already."""
        found: set[str] = set()
        waiting = list(wanted)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                statement = self.statements.get(name)
                if statement is not None and statement.over is None:
                    waiting += uses(statement)
        return found

    def operands(self, wanted: Collection[str], *kinds: str) -> list[tuple[int, Operand]]:
        """The operands among ``wanted`` that are of one of ``kinds``, and their numbers."""
        return [(i, x) for i, x in enumerate(self.loop.operands) if x.name in wanted and x.kind in kinds]

    def lines(self, wanted: Collection[str], *kinds: str) -> list[str]:
        """The statements among ``wanted`` that have a value for each of ``kinds``, but no reductions."""
        return [
            f"{self.symbols[each.name].type} {self.symbols[each.name].text} = {self.value(each)};"
            for each in self.loop.statements
            if each.name in wanted and each.over is None and self.kinds[each.name] in kinds
        ]

    def value(self, statement: Statement) -> str:
        """The expression of ``statement``, as its dtype is computed with."""
        writer = Writer(self.symbols, self._computes(statement))
        if statement.dtype.kind == "f":
            number = writer.number(statement.expression)
            return f"rounded<f16>({number})" if statement.dtype.name == "float16" else number
        if statement.dtype.kind == "b":
            return f"bool({writer.write(statement.expression).text})"
        return f"{computed(statement.dtype)}({stored(statement.dtype)}({writer.number(statement.expression)}))"

    def _computes(self, statement: Statement) -> str:
        """What the expression is computed in: its own float, otherwise the widest of what it reads."""
        if statement.dtype.kind == "f":
            return computed(statement.dtype)
        types = {self.symbols[name].type for name in uses(statement) if name in self.symbols}
        if types & {"int64", "uint64"} and not types & set(FLOATS) and statement.dtype.kind in "iu":
            return "int64"
        literal = any(
            isinstance(x, ast.Constant) and isinstance(x.value, float) for x in ast.walk(statement.expression)
        )
        return "float" if "float" in types and "double" not in types else "double" if types or literal else "float"

    def scalars(self, wanted: Collection[str]) -> list[str]:
        """The lines that read and compute what is the same for all elements."""
        declared = [self.declare(i, x, f"p{i}" if by_value(x) else f"*p{i}") for i, x in self.operands(wanted, SCALAR)]
        return declared + self.lines(wanted, SCALAR)

    def declare(self, i: int, operand: Operand, text: str) -> str:
        """The line that makes operand ``i`` known under its name, ``text`` being where it is read."""
        value = text if by_value(operand) else read(operand.dtype, text)
        symbol = self.symbols[operand.name]
        return f"{symbol.type} {symbol.text} = {value};"

    def results(self, *kinds: str) -> list[tuple[int, Result]]:
        """The results that are of one of ``kinds``, and their numbers."""
        return [(i, x) for i, x in enumerate(self.loop.results) if x.kind in kinds]

    def sums_in(self, kind: str) -> str:
        """What the results of ``kind`` are added up in: float, unless one of them is double."""
        types = {self.symbols[x.name].type for _, x in self.results(kind)}
        return "float" if types <= {"float"} else "double"

    def width(self, fits: Callable[[int], bool]) -> int:
        """How many neighbours a thread takes at a time: 16 bytes of the widest array, or 1 if that does not ``fit``."""
        arrays = [x.dtype for x in self.loop.operands if x.kind in (ELEMENT, COLUMN)]
        arrays += [x.dtype for x in self.loop.results if x.kind == ELEMENT]
        width = VECTOR // max((dtype.itemsize for dtype in arrays), default=4)
        return width if fits(width) else 1


def uses(statement: Statement) -> list[str]:
    """The names that ``statement`` reads."""
    return list(names(statement.expression))


def row_index(operand: Operand, i: int, row: str) -> tuple[str, list[tuple[str, int]]]:
    """How a ROW operand is read in ``row``, and the parameters for that."""
    index, sizes = row, []
    if operand.inner > 1:
        index = f"{index} / (uint32)inner{i}"
        sizes.append((f"int inner{i}", operand.inner))
    if operand.period:
        index = f"{index} % (uint32)period{i}"
        sizes.append((f"int period{i}", operand.period))
    return f"p{i}[{index}]", sizes


def _join(kinds: Iterable[str]) -> str:
    """What something has values for that is made of values for ``kinds``."""
    found = set(kinds) - {SCALAR}
    if not found:
        return SCALAR
    return found.pop() if len(found) == 1 else ELEMENT
