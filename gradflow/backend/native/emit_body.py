"""The text of a loop's function: its rows, the passes over each, and what is done for a vector of elements."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gradflow.backend.native.emit_accumulator import Accumulator
from gradflow.backend.native.emit_addresses import Addresses, vectors
from gradflow.backend.native.emit_arithmetic import Arithmetic
from gradflow.backend.native.emit_expression import evaluated
from gradflow.backend.native.emit_extent import Extent
from gradflow.backend.native.emit_passes import Pass, Plan
from gradflow.backend.native.emit_sums import CHUNK, Sums
from gradflow.backend.native.emit_values import Operand as Index
from gradflow.backend.native.emit_values import Value, constant
from gradflow.dtypes import DType, bool_, float64, int32, int64
from gradflow.formula import COLUMN as COLUMN_NUMBER
from gradflow.loop import COLUMN, ELEMENT, ROW, SCALAR, Loop, Operand, Result, Statement

STACK = 1 << 15  # bytes of values for columns that are kept on the stack
PRECISE = 256  # vectors of float32 that are added up in float32; the sum of more has its error, and is done in float64


class _Names(dict[str, Value]):
    """The values of a vector of elements by name; operands are read when they are first asked for."""

    def __init__(self, known: dict[str, Value], read: Callable[[str], Value]) -> None:
        super().__init__(known)
        self._read = read

    def __missing__(self, name: str) -> Value:
        value = self[name] = self._read(name)
        return value


class Body:
    """The function that does one chunk of a loop, being written."""

    def __init__(self, loop: Loop, plan: Plan, extent: Extent, sums: Sums, addresses: Addresses) -> None:
        self._loop = loop
        self._plan = plan
        self._extent = extent
        self._sums = sums
        self._addresses = addresses
        self._writer = addresses.writer
        self._operands = {each.name: each for each in loop.operands}
        self._known: dict[str, Value] = {}  # of the row, and of all rows
        self._kept: dict[str, tuple[Value, DType]] = {}  # where values of the columns of a row are kept, and as what
        self._start: Index = 0  # the element that the row begins with

    def write(self) -> None:
        """All of it."""
        for each in self._loop.operands:
            if each.kind == SCALAR:
                self._known[each.name] = self._writer.load(self._addresses.of(each.array), each.dtype)
        self._evaluate(self._plan.scalars, self._known)
        if self._extent.cut:
            self._columns_of_a_chunk()
        else:
            self._sums.start()
            self._keep_columns()
            self._rows_of_a_chunk()
            self._sums.end()

    def _columns_of_a_chunk(self) -> None:
        """Some columns of one row; the last chunk does those that do not fill a vector."""
        width, block = self._extent.width, self._extent.block
        (work,) = self._plan.passes
        full = self._loop.columns // width * width
        if full < self._loop.columns and self._extent.chunks > 1:
            last = self._writer.instruction(f"icmp eq i64 %chunk, {self._extent.chunks - 1}", bool_, 1, [CHUNK])
            with self._writer.case(last):
                self._sums.start()
                self._elements(work, full, self._loop.columns - full)
                self._sums.end()
        self._sums.start()
        if self._extent.chunks == 1:
            for column, lanes in vectors(self._writer, self._loop.columns, width):
                self._elements(work, column, lanes)
        else:
            start, stop = self._part(block, full)
            with self._writer.loop(start, stop, width) as column:
                self._elements(work, column, width)
        self._sums.end()

    def _rows_of_a_chunk(self) -> None:
        start, stop = (
            (0, self._loop.rows) if self._extent.chunks == 1 else self._part(self._extent.block, self._loop.rows)
        )
        with self._writer.loop(start, stop, 1) as row:
            outside = dict(self._known)
            self._start = self._writer.instruction(f"mul i64 {row.text}, {self._loop.columns}", int64, 1, [row])
            for each in self._loop.operands:
                if each.kind == ROW:
                    self._known[each.name] = self._of_row(each, row)
            self._evaluate(self._plan.rows, self._known)
            for work in self._plan.passes:
                self._pass(work)
            self._sums.add_row(self._known)
            for result in self._loop.results:
                if result.kind == ROW:
                    self._keep(result, self._known[result.name], row)
            self._known = outside

    def _part(self, block: int, end: int) -> tuple[Value, Value]:
        """From where to where the chunk goes, ``block`` at a time up to ``end``."""
        start = self._writer.instruction(f"mul i64 %chunk, {block}", int64, 1, [CHUNK])
        after = self._writer.instruction(f"add i64 {start.text}, {block}", int64, 1, [start])
        return start, self._writer.intrinsic("smin", after, constant(end, int64))

    def _of_row(self, operand: Operand, row: Value) -> Value:
        index = row
        if operand.inner > 1:
            index = self._writer.instruction(f"udiv i64 {index.text}, {operand.inner}", int64, 1, [index])
        if operand.period:
            index = self._writer.instruction(f"urem i64 {index.text}, {operand.period}", int64, 1, [index])
        array = self._addresses.of(operand.array)
        return self._writer.load(self._writer.address(array, operand.dtype, index), operand.dtype)

    # passes over columns

    def _keep_columns(self) -> None:
        """Compute what has a value for each column before the rows begin."""
        columns = self._loop.columns
        if self._loop.rows == 1 or columns * sum(each.dtype.itemsize for each in self._plan.columns) > STACK:
            return
        for each in self._plan.columns:
            self._kept[each.name] = self._writer.room(each.dtype, columns), each.dtype
        for column, width in vectors(self._writer, columns, self._extent.width):
            names = self._names(column, width)
            self._evaluate(self._plan.columns, names)
            for each in self._plan.columns:
                self._put(each.name, names, column, width)

    def _pass(self, work: Pass) -> None:
        totals = {each.name: self._accumulator(each) for each in work.reductions}
        for each in totals.values():
            each.start()
        for column, width in vectors(self._writer, self._loop.columns, self._extent.width):
            names = self._elements(work, column, width)
            for each in work.reductions:
                value = evaluated(each.expression, names, each.dtype, self._writer)
                totals[each.name].add(self._writer.splat(value, width))
        for each in work.reductions:
            total = Arithmetic(self._writer, None).convert(totals[each.name].result(), each.dtype)
            self._known[each.name] = total
        self._evaluate(work.rows, self._known)

    def _accumulator(self, statement: Statement) -> Accumulator:
        many = self._loop.columns > PRECISE * self._extent.width
        dtype = float64 if statement.dtype.kind == "f" and statement.over == "sum" and many else statement.dtype
        return Accumulator(self._writer, str(statement.over), dtype, self._extent.width)

    def _elements(self, work: Pass, column: Index, width: int) -> dict[str, Value]:
        """Compute ``width`` elements from ``column`` on, and keep what is a result of the last pass."""
        names = self._names(column, width)
        self._evaluate(work.elements, names)
        for each in work.elements:
            if each.name in work.kept:
                self._kept.setdefault(each.name, (self._writer.room(each.dtype, self._loop.columns), each.dtype))
                self._put(each.name, names, column, width)
        if work is self._plan.passes[-1]:
            self._sums.add_elements(names, column, width)
            for result in self._loop.results:
                if result.kind == ELEMENT:
                    index = self._element(column)
                    self._keep(result, self._writer.splat(names[result.name], width), index)
        return names

    def _names(self, column: Index, width: int) -> _Names:
        def read(name: str) -> Value:
            if name in self._kept:
                base, dtype = self._kept[name]
                return self._writer.recall(self._writer.address(base, dtype, column), dtype, width)
            if name == COLUMN_NUMBER:
                return self._column_numbers(column, width)
            if name not in self._operands:
                statement = next(each for each in self._plan.columns if each.name == name)
                return evaluated(statement.expression, names, statement.dtype, self._writer)
            operand = self._operands[name]
            index = column if operand.kind == COLUMN else self._element(column)
            address = self._writer.address(self._addresses.of(operand.array), operand.dtype, index)
            return self._writer.load(address, operand.dtype, width)

        names = _Names(self._known, read)
        return names

    def _column_numbers(self, column: Index, width: int) -> Value:
        index = column if isinstance(column, Value) else constant(column, int64)
        first = self._writer.splat(Arithmetic(self._writer, None).convert(index, int32), width)
        if width == 1:
            return first
        steps = ", ".join(f"i32 {each}" for each in range(width))
        return self._writer.instruction(f"add {first.typed}, <{steps}>", int32, width, [first])

    def _element(self, column: Index) -> Value:
        """The number of an element of the row, of all elements of the loop."""
        start, offset = (each if isinstance(each, Value) else constant(each, int64) for each in (self._start, column))
        return self._writer.instruction(f"add i64 {start.text}, {offset.text}", int64, 1, [start, offset])

    def _evaluate(self, statements: Iterable[Statement], names: dict[str, Value]) -> None:
        for each in statements:
            names[each.name] = evaluated(each.expression, names, each.dtype, self._writer)

    def _put(self, name: str, names: dict[str, Value], column: Index, width: int) -> None:
        base, dtype = self._kept[name]
        self._writer.store(self._writer.splat(names[name], width), self._writer.address(base, dtype, column))

    def _keep(self, result: Result, value: Value, index: Index) -> None:
        value = Arithmetic(self._writer, None).convert(value, result.dtype)
        self._writer.store(value, self._writer.address(self._addresses.of(result.array), result.dtype, index))
