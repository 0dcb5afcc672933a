"""The text of a loop's function: its rows, the passes over each, and what is done for a vector of elements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

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


_Kept = tuple[Value, DType]  # where values of the columns of a row are kept, and as what


class _Names(dict[str, Value]):
    """The values of a vector of elements by name; operands are read when they are first asked for."""

    def __init__(self, known: dict[str, Value], read: Callable[[str], Value]) -> None:
        super().__init__(known)
        self._read = read

    def __missing__(self, name: str) -> Value:
        value = self[name] = self._read(name)
        return value


class _Row:
    """What is known of a row: the element that it begins with, its values, and where those of its columns are kept."""

    def __init__(self, start: Index, known: dict[str, Value], kept: dict[str, _Kept]) -> None:
        self.start = start
        self.known = known
        self.kept = kept


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
        self._all = _Row(0, {}, {})  # what is known of all rows

    def write(self) -> None:
        """All of it."""
        for each in self._loop.operands:
            if each.kind == SCALAR:
                self._all.known[each.name] = self._writer.load(self._addresses.of(each.array), each.dtype)
        self._evaluate(self._plan.scalars, self._all.known)
        if self._extent.cut:
            self._chunk(self._loop.columns, lambda column, width: self._last_pass([self._all], column, width))
        else:
            self._chunk(self._loop.rows, self._rows)

    def _chunk(self, count: int, do: Callable[[Index, int], object]) -> None:
        """What the chunk has to do of ``count`` columns or rows, some at a time; the last chunk does the rest."""
        extent = self._extent
        full = count // extent.step * extent.step
        if extent.chunks == 1:
            self._start()
            for first, some in vectors(self._writer, count, extent.step):
                do(first, some)
        else:
            if full < count:
                last = self._writer.instruction(f"icmp eq i64 %chunk, {extent.chunks - 1}", bool_, 1, [CHUNK])
                with self._writer.case(last):
                    self._start()
                    do(full, count - full)
                    self._sums.end()
            self._start()
            start = self._writer.instruction(f"mul i64 %chunk, {extent.block}", int64, 1, [CHUNK])
            after = self._writer.instruction(f"add i64 {start.text}, {extent.block}", int64, 1, [start])
            stop = self._writer.intrinsic("smin", after, constant(full, int64))
            with self._writer.loop(start, stop, extent.step) as first:
                do(first, extent.step)
        self._sums.end()

    def _start(self) -> None:
        """Before the first row: empty sums, and what has a value for each column."""
        self._sums.start()
        columns = self._loop.columns
        if self._loop.rows == 1 or columns * sum(each.dtype.itemsize for each in self._plan.columns) > STACK:
            return
        self._all.kept = {}
        names_of = [each.name for each in self._plan.columns]
        rooms = {each.name: (self._writer.room(each.dtype, columns), each.dtype) for each in self._plan.columns}
        for column, width in vectors(self._writer, columns, self._extent.width):
            names = self._names(self._all, column, width)
            self._evaluate(self._plan.columns, names)
            for name in names_of:
                self._put(names[name], rooms[name], column, width)
        self._all.kept = rooms

    def _rows(self, first: Index, count: int) -> None:
        """So many rows side by side."""
        numbers = [self._sum(first, each) for each in range(count)]
        rows = [self._row(each) for each in numbers]
        for work in self._plan.passes:
            self._pass(work, rows)
        for number, row in zip(numbers, rows, strict=True):
            self._sums.add_row(row.known)
            for result in self._loop.results:
                if result.kind == ROW:
                    self._keep(result, row.known[result.name], number)

    def _row(self, number: Value) -> _Row:
        start = self._writer.instruction(f"mul i64 {number.text}, {self._loop.columns}", int64, 1, [number])
        row = _Row(start, dict(self._all.known), dict(self._all.kept))
        for each in self._loop.operands:
            if each.kind == ROW:
                row.known[each.name] = self._of_row(each, number)
        self._evaluate(self._plan.rows, row.known)
        return row

    def _of_row(self, operand: Operand, row: Value) -> Value:
        index = row
        if operand.inner > 1:
            index = self._writer.instruction(f"udiv i64 {index.text}, {operand.inner}", int64, 1, [index])
        if operand.period:
            index = self._writer.instruction(f"urem i64 {index.text}, {operand.period}", int64, 1, [index])
        array = self._addresses.of(operand.array)
        return self._writer.load(self._writer.address(array, operand.dtype, index), operand.dtype)

    # passes over columns

    def _pass(self, work: Pass, rows: Sequence[_Row]) -> None:
        totals = [{each.name: self._accumulator(each) for each in work.reductions} for _ in rows]
        for total in (total for row in totals for total in row.values()):
            total.start()
        for column, width in vectors(self._writer, self._loop.columns, self._extent.width):
            of_rows = [self._elements(work, row, column, width) for row in rows]
            if work is self._plan.passes[-1]:
                self._results(rows, of_rows, column, width)
            for names, into in zip(of_rows, totals, strict=True):
                for each in work.reductions:
                    value = evaluated(each.expression, names, each.dtype, self._writer)
                    into[each.name].add(self._writer.splat(value, width))
        for row, into in zip(rows, totals, strict=True):
            for each in work.reductions:
                row.known[each.name] = Arithmetic(self._writer, None).convert(into[each.name].result(), each.dtype)
            self._evaluate(work.rows, row.known)

    def _accumulator(self, statement: Statement) -> Accumulator:
        many = self._loop.columns > PRECISE * self._extent.width
        dtype = float64 if statement.dtype.kind == "f" and statement.over == "sum" and many else statement.dtype
        return Accumulator(self._writer, str(statement.over), dtype, self._extent.width)

    def _last_pass(self, rows: Sequence[_Row], column: Index, width: int) -> None:
        names = [self._elements(self._plan.passes[-1], row, column, width) for row in rows]
        self._results(rows, names, column, width)

    def _elements(self, work: Pass, row: _Row, column: Index, width: int) -> _Names:
        """Compute ``width`` elements of a row from ``column`` on."""
        names = self._names(row, column, width)
        self._evaluate(work.elements, names)
        for each in work.elements:
            if each.name in work.kept:
                if each.name not in row.kept:
                    row.kept[each.name] = self._writer.room(each.dtype, self._loop.columns), each.dtype
                self._put(names[each.name], row.kept[each.name], column, width)
        return names

    def _results(self, rows: Sequence[_Row], of_rows: Sequence[_Names], column: Index, width: int) -> None:
        """Keep the results of elements, and add to the sums."""
        for row, names in zip(rows, of_rows, strict=True):
            for result in self._loop.results:
                if result.kind == ELEMENT:
                    self._keep(result, self._writer.splat(names[result.name], width), self._sum(row.start, column))
        self._sums.add_elements(of_rows, column, width)

    def _names(self, row: _Row, column: Index, width: int) -> _Names:
        def read(name: str) -> Value:
            if name in row.kept:
                base, dtype = row.kept[name]
                return self._writer.recall(self._writer.address(base, dtype, column), dtype, width)
            if name == COLUMN_NUMBER:
                return self._column_numbers(column, width)
            if name not in self._operands:
                statement = next(each for each in self._plan.columns if each.name == name)
                return evaluated(statement.expression, names, statement.dtype, self._writer)
            operand = self._operands[name]
            index = column if operand.kind == COLUMN else self._sum(row.start, column)
            address = self._writer.address(self._addresses.of(operand.array), operand.dtype, index)
            return self._writer.load(address, operand.dtype, width)

        names = _Names(row.known, read)
        return names

    def _column_numbers(self, column: Index, width: int) -> Value:
        first = self._writer.splat(Arithmetic(self._writer, None).convert(_value(column), int32), width)
        if width == 1:
            return first
        steps = ", ".join(f"i32 {each}" for each in range(width))
        return self._writer.instruction(f"add {first.typed}, <{steps}>", int32, width, [first])

    def _sum(self, a: Index, b: Index) -> Value:
        left, right = _value(a), _value(b)
        return self._writer.instruction(f"add i64 {left.text}, {right.text}", int64, 1, [left, right])

    def _evaluate(self, statements: Iterable[Statement], names: dict[str, Value]) -> None:
        for each in statements:
            names[each.name] = evaluated(each.expression, names, each.dtype, self._writer)

    def _put(self, value: Value, kept: _Kept, column: Index, width: int) -> None:
        base, dtype = kept
        self._writer.store(self._writer.splat(value, width), self._writer.address(base, dtype, column))

    def _keep(self, result: Result, value: Value, index: Index) -> None:
        value = Arithmetic(self._writer, None).convert(value, result.dtype)
        self._writer.store(value, self._writer.address(self._addresses.of(result.array), result.dtype, index))


def _value(index: Index) -> Value:
    return index if isinstance(index, Value) else constant(index, int64)
