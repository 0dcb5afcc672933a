"""Kernels that add up columns: a block takes a strip of them, some rows down, and the last of a strip the sums."""

from __future__ import annotations

from gradflow.backend.cuda_loops.body import Body, Parameters, kept, row_index, scaled, stored
from gradflow.backend.cuda_loops.expression import Text
from gradflow.backend.cuda_loops.kernel import Kernel, block, kernel, loaded, unrolled, whole
from gradflow.launch import THREADS, Scratch, Tickets
from gradflow.loop import COLUMN, COLUMN_SUM, ELEMENT, ROW

WARP = 32
BUSY = 1056  # blocks: as many as an H100 holds at a time
WIDTH = 4  # columns of a thread, at most
REGISTERS = 20  # of a thread, for sums and for what is in flight
AHEAD = 4  # rows that it reads at a time, at most
RUN = 32  # rows that are added one by one; then their sums are, so that rounding errors stay small
KEEP = 'asm volatile("" ::: "memory");'  # or the compiler keeps sums in registers from run to run
LEAST = 2  # rows that are worth a thread


class Strips:
    """The kernel of a loop with results that are sums of columns."""

    def __init__(self, body: Body) -> None:
        loop = body.loop
        self.body = body
        self.wanted = body.needed(each.name for each in loop.results)
        self.width = min(WIDTH, body.width(lambda width: loop.columns % width == 0))
        self.elements = body.operands(self.wanted, ELEMENT)
        self.columns = body.operands(self.wanted, COLUMN)
        self.sums = body.results(COLUMN_SUM)
        self.kind = body.sums_in(COLUMN_SUM)
        vectors = loop.columns // self.width
        self.lanes = min(WARP, 1 << (vectors - 1).bit_length())
        self.across = -(-vectors // self.lanes)
        self.depth = THREADS // self.lanes
        most = max(1, loop.rows // (self.depth * LEAST))
        down = min(most, -(-BUSY // self.across))
        self.share = -(-loop.rows // down)
        self.down = -(-loop.rows // self.share)
        self.ahead = self._ahead()
        self.parameters = Parameters(loop)

    def _ahead(self) -> int:
        """How many rows a thread reads before it uses the first: a power of two, as many as registers allow."""
        size = 2 if self.kind == "double" else 1
        others = [x.dtype for _, x in self.columns] + [x.dtype for _, x in self.body.results(ELEMENT)]
        kept = self.width * (size * len(self.sums) + sum(-(-dtype.itemsize // 4) for dtype in others))
        row = self.width * sum(-(-x.dtype.itemsize // 4) for _, x in self.elements)
        most = max(1, min(AHEAD, (REGISTERS - kept) // max(1, row), self.share // self.depth))
        return 1 << (most.bit_length() - 1)

    def kernel(self) -> Kernel:
        """Its text, and its launch."""
        body, width = self.body, self.width
        add = self.parameters.add
        room = self.down * self.across * self.lanes * width * len(self.sums) * (8 if self.kind == "double" else 4)
        if self.down > 1:
            add(f"{self.kind}* partial", Scratch(room))
            add("int* tickets", Tickets(self.across))
        for i, x in self.sums:
            add(f"{self.kind} scale{i}", x.scale)
        for name, size in (("rows", body.loop.rows), ("columns", body.loop.columns), ("lanes", self.lanes),
                           ("share", self.share)):  # fmt: skip
            add(f"int {name}", size)
        pointers = [f"p{i}" for i, _ in (*self.elements, *self.columns)]
        pointers += [f"q{i}" for i, _ in body.results(ELEMENT)]
        lines = [
            "int depth = THREADS / lanes, level = threadIdx.x / lanes;",
            f"int column = (blockIdx.x * lanes + threadIdx.x % lanes) * {width}, here = columns - column;",
            "int end = here > 0 ? min(rows, (int)(blockIdx.y + 1) * share) : 0;",
            *whole(width, pointers),
            *body.scalars(self.wanted),
        ]
        for i, operand in self.columns:
            lines.append(f"Pack<{stored(operand.dtype)}, {width}> w{i};")
            lines += loaded(width, 1, [(f"w{i}", f"p{i} + column")], "here > 0", [])
        for i, _ in self.sums:
            lines += [
                f"__shared__ {self.kind} all{i}[{width} * THREADS];",
                f"{self.kind}* sum{i} = all{i} + threadIdx.x;",
            ]
        lines += self._each("= 0") + self._walk() + self._finish()
        return kernel(body, self.parameters, lines, (self.across, self.down))

    def _each(self, what: str) -> list[str]:
        """Lines that do ``what`` to each of a thread's sums."""
        sums = [f"sum{i}[k * THREADS] {what.format(i=i, n=n)};" for n, (i, _) in enumerate(self.sums)]
        return unrolled("k", self.width, sums)

    def _walk(self) -> list[str]:
        """All rows of the block."""
        run = [f"{self.kind} part{i}[{self.width}] = {{}};" for i, _ in self.sums]
        step = f"{self.ahead} * depth"
        head = f"for (int stop = min(end, row + {RUN} * depth); row < stop; row += {step})"
        run += ["#pragma unroll 1", *block(head, self._rows())]
        run += [*self._each("+= part{i}[k]"), KEEP]
        return ["#pragma unroll 1", *block("for (int row = blockIdx.y * share + level; row < end;)", run)]

    def _rows(self) -> list[str]:
        """``ahead`` rows, a level apart: all are read before the first is used."""
        body, width = self.body, self.width
        lines = [f"Pack<{stored(x.dtype)}, {width}> v{i}[{self.ahead}];" for i, x in self.elements]
        at = "int r = row + u * depth;"
        loads = [(f"v{i}[u]", f"p{i} + r * columns + column") for i, _ in self.elements]
        lines += loaded(width, self.ahead, loads, "r < end", [at])
        inner = [at, "if (r >= end) break;"]
        for i, x in body.operands(self.wanted, ROW):
            text, sizes = row_index(x, i, "r")
            for declared, size in sizes:
                self.parameters.add(declared, size)
            inner.append(body.declare(i, x, text))
        inner += body.lines(self.wanted, ROW)
        results = body.results(ELEMENT)
        inner += [f"Pack<{stored(x.dtype)}, {width}> r{i};" for i, x in results]
        element = ["int column_of = column + k;"]
        element += [body.declare(i, x, f"v{i}[u].at[k]") for i, x in self.elements]
        element += [body.declare(i, x, f"w{i}.at[k]") for i, x in self.columns]
        element += body.lines(self.wanted, COLUMN, ELEMENT)
        element += [f"r{i}.at[k] = {kept(x, body.symbols[x.name])};" for i, x in results]
        element += [f"part{i}[k] += {body.symbols[x.name].text};" for i, x in self.sums]
        inner += unrolled("k", width, element)
        inner += [f"store_whole(q{i} + r * columns + column, whole, r{i});" for i, _ in results]
        return lines + unrolled("u", self.ahead, inner)

    def _finish(self) -> list[str]:
        """What the levels of a block and the blocks of a strip have found, together."""
        width, count = self.width, len(self.sums)
        lines = [f"over_levels<{width}>(all{i}, lanes);" for i, _ in self.sums]
        if self.down > 1:
            at = f"partial[({{y}} * {count} + {{n}}) * (gridDim.x * lanes * {width}) + column + k]"
            write = [f"{at.format(y='blockIdx.y', n=n)} = sum{i}[k * THREADS];" for n, (i, _) in enumerate(self.sums)]
            lines += block("if (level == 0)", unrolled("k", width, write))
            lines.append("if (!is_last_block(tickets + blockIdx.x, gridDim.y)) return;")
            lines += self._each("= 0")
            add = self._each("+= " + at.replace("{y}", "y"))
            lines += ["#pragma unroll 1", *block("for (int y = level; y < gridDim.y; y += depth)", add)]
            lines += [f"over_levels<{width}>(all{i}, lanes);" for i, _ in self.sums]
        keep = [
            f"q{i}[column + k] = {scaled(x, Text(f'sum{i}[k * THREADS]', self.kind), f'scale{i}')};"
            for i, x in self.sums
        ]
        return lines + block("if (level == 0 && here > 0)", unrolled("k", width, keep))
