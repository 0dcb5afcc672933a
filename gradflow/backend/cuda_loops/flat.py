"""Kernels over elements side by side, with sums of everything if they are asked for."""

from __future__ import annotations

from gradflow.backend.cuda_loops.body import Body, Parameters, kept, row_index, scaled, stored
from gradflow.backend.cuda_loops.expression import Text
from gradflow.backend.cuda_loops.kernel import Kernel, block, kernel, unrolled
from gradflow.formula import COLUMN as COLUMN_NAME
from gradflow.launch import THREADS, Scratch, Tickets
from gradflow.loop import COLUMN, ELEMENT, ROW, SCALAR, TOTAL

BUSY = 1056  # blocks: as many as an H100 holds at a time, of 256 threads
LARGE = 1 << 19  # elements from which on a thread takes several vectors, whose loads are then in flight together
WIDTH = 4  # numbers of a vector; of narrower ones there are more, and they have twice the size once they are read
IN_FLIGHT = 4  # vectors of operands that a thread has in flight then


class Flat:
    """The kernel of a loop without reductions of rows and columns."""

    def __init__(self, body: Body) -> None:
        loop = body.loop
        self.body = body
        self.wanted = body.needed(each.name for each in loop.results)
        self.size = loop.rows * loop.columns
        self.broadcast = body.operands(self.wanted, ROW, COLUMN)
        self.indexed = bool(self.broadcast) or COLUMN_NAME in self.wanted
        self.width = body.width(lambda width: True)
        self.whole = loop.columns % self.width == 0  # whether vectors end where rows do
        self.elements = body.operands(self.wanted, ELEMENT)
        self.vectors = self._vectors()
        self.tile = THREADS * self.width * self.vectors
        self.tiles = -(-self.size // self.tile)
        self.totals = body.results(TOTAL)
        self.parameters = Parameters(loop)

    def _vectors(self) -> int:
        if self.size < LARGE or self.indexed or self.width > WIDTH:
            return 1
        most = IN_FLIGHT if self.body.results(TOTAL) else 2  # a sum needs no registers for results
        return max(1, min(most, IN_FLIGHT // max(1, len(self.elements))))

    def kernel(self) -> Kernel:
        """Its text, and its launch."""
        body, lines = self.body, []
        lines += body.scalars(self.wanted)
        self.parameters.add("int n", self.size)
        blocks = self.tiles
        if self.indexed:
            self.parameters.add("int columns", body.loop.columns)
            self.parameters.add("int rows", body.loop.rows)
        if self.totals:
            blocks = min(self.tiles, BUSY)
            lines += self._summing(blocks)
        else:
            lines += self._tile("blockIdx.x")
        return kernel(body, self.parameters, lines, blocks)

    def _summing(self, blocks: int) -> list[str]:
        """All tiles, ``blocks`` at a time, and the sums."""
        kind, count = self.body.sums_in(TOTAL), len(self.totals)
        self.parameters.add("int tiles", self.tiles)
        lines = [
            f"{kind} sums[{count}] = {{}};",
            "#pragma unroll 1",
            *block("for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x)", self._tile("tile")),
        ]
        return lines + total_lines(self.body, self.parameters, kind, blocks)

    def _tile(self, tile: str) -> list[str]:
        pointers = [f"p{i}" for i, _ in self.elements] + [f"q{i}" for i, _ in self.body.results(ELEMENT, SCALAR)]
        if self.whole:
            pointers += [f"p{i}" for i, x in self.broadcast if x.kind == COLUMN]
        lines = [
            f"int first = ({tile} * {THREADS * self.vectors} + threadIdx.x) * {self.width};",
            f"bool full = first + {(self.vectors - 1) * THREADS * self.width + self.width} <= n"
            + (f" && aligned({', '.join(pointers)});" if pointers else ";"),
        ]
        lines += [f"Pack<{stored(x.dtype)}, {self.width}> v{i}[{self.vectors}];" for i, x in self.elements]
        if self.elements:
            lines += block("if (full)", unrolled("u", self.vectors, self._loads("load_pack<{w}>(p{i} + first + {u})")))
            some = self._loads("load_some<{w}>(p{i} + first + {u}, n - first - {u})")
            lines += block("else", unrolled("u", self.vectors, some))
        return lines + unrolled("u", self.vectors, self._vector())

    def _loads(self, load: str) -> list[str]:
        step = f"u * {THREADS * self.width}"
        return [f"v{i}[u] = {load.format(i=i, u=step, w=self.width)};" for i, _ in self.elements]

    def _vector(self) -> list[str]:
        """What is done for one vector, ``u``."""
        body, width = self.body, self.width
        lines = [f"int i = first + u * {THREADS * width};", "if (i >= n) break;"]
        if self.indexed:
            lines.append("int row = (uint32)i / (uint32)columns, column = i - row * columns;")
            if self.whole:
                lines += self._rows() + body.lines(self.wanted, ROW)
                columns = [(i, x) for i, x in self.broadcast if x.kind == COLUMN]
                lines += [f"Pack<{stored(x.dtype)}, {width}> w{i};" for i, x in columns]
                for condition, load in (("if (full)", "load_pack<{}>(p{} + column)"),
                                        ("else", "load_some<{}>(p{} + column, {})")):  # fmt: skip
                    loads = [f"w{i} = {load.format(width, i, width)};" for i, _ in columns]
                    lines += block(condition, loads) if loads else []
        results = body.results(ELEMENT, SCALAR)
        lines += [f"Pack<{stored(x.dtype)}, {width}> r{i};" for i, x in results]
        lines += unrolled("k", width, self._element())
        for condition, call in (("if (full)", "store_pack<{}>(q{} + i, r{});"),
                                ("else", "store_some<{}>(q{} + i, n - i, r{});")):  # fmt: skip
            lines += block(condition, [call.format(width, i, i) for i, _ in results]) if results else []
        return lines

    def _rows(self) -> list[str]:
        """Lines that read what rows have values for."""
        lines = []
        for i, x in self.broadcast:
            if x.kind == ROW:
                text, sizes = row_index(x, i, "row")
                for declared, size in sizes:
                    self.parameters.add(declared, size)
                lines.append(self.body.declare(i, x, text))
        return lines

    def _element(self) -> list[str]:
        """What is done for one element, ``k`` of the vector."""
        body, lines = self.body, []
        lines += [body.declare(i, x, f"v{i}[u].at[k]") for i, x in self.elements]
        step = []
        if self.indexed and self.whole:
            lines.append("int column_of = column + k;")
            lines += [body.declare(i, x, f"w{i}.at[k]") for i, x in self.broadcast if x.kind == COLUMN]
            lines += body.lines(self.wanted, COLUMN, ELEMENT)
        elif self.indexed:
            lines += ["int column_of = column;", *self._rows(), *body.lines(self.wanted, ROW)]
            lines += [body.declare(i, x, f"p{i}[column]") for i, x in self.broadcast if x.kind == COLUMN]
            lines += body.lines(self.wanted, COLUMN, ELEMENT)
            step = ["if (++column == columns) column = 0, row += row + 1 < rows;"]
        else:
            lines += body.lines(self.wanted, COLUMN, ELEMENT)
        for i, x in body.results(ELEMENT, SCALAR):
            lines.append(f"r{i}.at[k] = {kept(x, body.symbols[x.name])};")
        for number, (_, x) in enumerate(self.totals):
            lines.append(f"if (full || i + k < n) sums[{number}] += {body.symbols[x.name].text};")
        return lines + step


def total_lines(body: Body, parameters: Parameters, kind: str, blocks: int, columns: int = 1) -> list[str]:
    """The end of a kernel of ``blocks``: what their threads have in ``sums`` is added up and kept.

    What rows have a value of was added once for each row, and counts for ``columns`` elements.
    """
    totals = body.results(TOTAL)
    parameters.add(f"{kind}* partial", Scratch(blocks * len(totals) * (8 if kind == "double" else 4)))
    parameters.add("int* ticket", Tickets(1))
    keep = []
    for number, (i, x) in enumerate(totals):
        parameters.add(f"{kind} scale{i}", x.scale * (columns if body.kinds[x.name] in (ROW, SCALAR) else 1))
        keep.append(f"*q{i} = {scaled(x, Text(f'sums[{number}]', kind), f'scale{i}')};")
    return block("if (grid_sum(sums, partial, ticket) && threadIdx.x == 0)", keep)
