"""Results that are sums over rows or over everything: each chunk leaves its part, and the parts are added in order."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from gradflow.backend.native.emit_accumulator import Accumulator
from gradflow.backend.native.emit_addresses import Addresses, vectors
from gradflow.backend.native.emit_arithmetic import Arithmetic
from gradflow.backend.native.emit_values import Operand, Value, constant
from gradflow.backend.native.emit_writer import Writer
from gradflow.dtypes import DType, float64, int64
from gradflow.launch import Scratch
from gradflow.loop import COLUMN_SUM, ROW, TOTAL, Loop, Result

CHUNK = Value("%chunk", int64, 1, 0)


class Parts:
    """Where chunks leave their sums: for each of them, numbers of 8 bytes for every column or total."""

    def __init__(self, loop: Loop, kinds: dict[str, str], chunks: int) -> None:
        self.results = [each for each in loop.results if each.kind in (COLUMN_SUM, TOTAL)]
        self.of_rows = {each.name for each in self.results if each.kind == TOTAL and kinds[each.name] == ROW}
        self.chunks = chunks
        self.columns = loop.columns
        self.offsets = []
        self.size = 0
        for each in self.results:
            self.offsets.append(self.size)
            self.size += loop.columns if each.kind == COLUMN_SUM else 1
        self.scratch = Scratch(8 * self.size * chunks)

    def address(self, addresses: Addresses, chunk: Value, offset: int) -> Value:
        """Where the sums of ``chunk`` begin that lie at ``offset`` among them."""
        writer = addresses.writer
        start = writer.instruction(f"mul i64 {chunk.text}, {self.size}", int64, 1, [chunk])
        return writer.address(writer.address(addresses.of(self.scratch), int64, start), int64, offset)


def sum_dtype(result: Result) -> DType:
    """What sums are accumulated in."""
    return float64 if result.dtype.kind == "f" else int64


class Sums:
    """The sums of one chunk."""

    def __init__(self, parts: Parts, addresses: Addresses, width: int) -> None:
        self._parts = parts
        self._writer = addresses.writer
        self._width = width
        self._memory = [parts.address(addresses, CHUNK, each) for each in parts.offsets]
        self._totals = {
            position: Accumulator(self._writer, "sum", sum_dtype(each), 1 if each.name in parts.of_rows else width)
            for position, each in enumerate(parts.results)
            if each.kind == TOTAL
        }

    def start(self) -> None:
        """Nothing has been added yet."""
        for position, (result, memory) in enumerate(zip(self._parts.results, self._memory, strict=True)):
            if result.kind == TOTAL:
                self._totals[position].start()
                continue
            for column, width in vectors(self._writer, self._parts.columns, self._width):
                self._writer.store(constant(0, sum_dtype(result), width), self._writer.address(memory, int64, column))

    def add_elements(self, of_rows: Sequence[dict[str, Value]], column: Operand, width: int) -> None:
        """Take in ``width`` elements from ``column`` on of each of some rows."""
        for position, (result, memory) in enumerate(zip(self._parts.results, self._memory, strict=True)):
            values = [names[result.name] for names in of_rows if result.name not in self._parts.of_rows]
            if result.kind == TOTAL:
                for value in values:
                    self._totals[position].add(self._writer.splat(value, width))
            else:
                self._add_columns(values, sum_dtype(result), self._writer.address(memory, int64, column), width)

    def _add_columns(self, values: list[Value], dtype: DType, address: Value, width: int) -> None:
        """Add ``values`` of some rows to each other first, which takes less than adding each to what is in memory."""
        arithmetic = Arithmetic(self._writer, None)
        values = values if dtype == float64 else [arithmetic.convert(each, dtype) for each in values]
        while len(values) > 1:
            pairs = list(zip(values[::2], values[1::2], strict=False))
            values = [_added(self._writer, a, b) for a, b in pairs] + values[2 * len(pairs) :]
        value = self._writer.splat(arithmetic.convert(values[0], dtype), width)
        self._writer.store(_added(self._writer, self._writer.recall(address, dtype, width), value), address)

    def add_row(self, names: dict[str, Value]) -> None:
        """Take in what the row has one value of."""
        for position, result in enumerate(self._parts.results):
            if result.kind == TOTAL and result.name in self._parts.of_rows:
                self._totals[position].add(names[result.name])

    def end(self) -> None:
        """Leave the totals with those of other chunks."""
        for position, total in self._totals.items():
            self._writer.store(total.result(), self._memory[position])


def finish(parts: Parts, addresses: Addresses, width: int) -> None:
    """Add the parts of all chunks, scale them and keep them where the results are wanted."""
    for result, offset in zip(parts.results, parts.offsets, strict=True):
        columns = parts.columns if result.kind == COLUMN_SUM else 1
        for column, lanes in vectors(addresses.writer, columns, width):
            _finish(parts, addresses, result, offset, column, lanes)


def _finish(parts: Parts, addresses: Addresses, result: Result, offset: int, column: Operand, width: int) -> None:
    writer = addresses.writer
    total = Accumulator(writer, "sum", sum_dtype(result), width)
    total.start()
    with writer.loop(0, parts.chunks, 1) as chunk:
        address = writer.address(parts.address(addresses, chunk, offset), int64, column)
        total.add(writer.recall(address, sum_dtype(result), width))
    arithmetic = Arithmetic(writer, float64)
    value: Operand = total.lanes()
    scale = result.scale * (parts.columns if result.name in parts.of_rows else 1)  # which every column has
    if scale != 1:
        value = arithmetic.binary(ast.Mult, value, scale)
    address = writer.address(addresses.of(result.array), result.dtype, column)
    writer.store(arithmetic.typed(value, result.dtype), address)


def _added(writer: Writer, a: Value, b: Value) -> Value:
    added = Arithmetic(writer, None).binary(ast.Add, a, b)
    assert isinstance(added, Value)
    return added
