"""Kernels over rows: a team of threads reduces one, in as many passes as its values depend on one another."""

from __future__ import annotations

from collections.abc import Sequence

from gradflow.backend.cuda_loops.body import Body, Parameters, kept, row_index, stored, uses
from gradflow.backend.cuda_loops.flat import total_lines
from gradflow.backend.cuda_loops.kernel import Kernel, block, kernel, loaded, unrolled, whole
from gradflow.launch import THREADS
from gradflow.loop import COLUMN, ELEMENT, ROW, SCALAR, TOTAL, Statement

WARP = 32
BUSY = 2112  # blocks: twice as many as an H100 holds at a time; they take the other rows, if they have to add up
KEPT = 64  # bytes of all operands together that a thread keeps, so that a row is read once; and as many numbers / 4
AHEAD = 2  # vectors that a thread of longer rows has in flight
MANY = 2048  # rows enough to fill a GPU with a warp for each


class Rows:
    """The kernel of a loop that reduces rows, or has results for them."""

    def __init__(self, body: Body) -> None:
        loop = body.loop
        self.body = body
        self.over = [each for each in loop.statements if each.over]
        self.wanted = body.needed([x.name for x in loop.results])
        for each in reversed(self.over):  # reductions that are wanted want what they are made of
            if each.name in self.wanted:
                self.wanted |= body.needed(uses(each))
        self.over = [each for each in self.over if each.name in self.wanted]
        self.width = body.width(lambda width: loop.columns % width == 0)
        self.vectors = loop.columns // self.width
        self.elements = body.operands(self.wanted, ELEMENT)
        self.columns = body.operands(self.wanted, COLUMN)
        self.team, self.each = self._team()
        self.kept = self.team * self.each >= self.vectors  # whether a thread keeps what it has read of a row
        self.parameters = Parameters(loop)

    def _team(self) -> tuple[int, int]:
        """How many threads take a row, and how many vectors each has in flight, all of its own where that is few."""
        loop = self.body.loop
        size = max([4, *(x.dtype.itemsize for _, x in (*self.elements, *self.columns))])
        most = max(1, KEPT // (size * self.width * max(1, len(self.elements) + len(self.columns))))
        if self.vectors > WARP * most or (self.vectors > WARP and loop.rows < MANY):
            team = THREADS
        else:
            team = min(WARP, 1 << (self.vectors - 1).bit_length())
        needed = -(-self.vectors // team)
        return team, 1 << (needed - 1).bit_length() if needed <= most else min(AHEAD, most)

    def kernel(self) -> Kernel:
        """Its text, and its launch."""
        body, together = self.body, THREADS // self.team
        self.parameters.add("int rows", body.loop.rows)
        self.parameters.add("int columns", body.loop.columns)
        blocks = -(-body.loop.rows // together)
        totals = len(body.results(TOTAL))
        kind = body.sums_in(TOTAL)
        inside = self._row()
        pointers = [f"p{i}" for i, _ in (*self.elements, *self.columns)]
        lines = whole(self.width, pointers + [f"q{i}" for i, _ in body.results(ELEMENT)]) + body.scalars(self.wanted)
        if totals:
            blocks = min(blocks, BUSY)
            lines.append(f"{kind} sums[{totals}] = {{}};")
            head = f"for (int first = blockIdx.x * {together}; first < rows; first += gridDim.x * {together})"
            lines += ["#pragma unroll 1", *block(head, inside)]
            lines += total_lines(body, self.parameters, kind, blocks, body.loop.columns)
        else:
            lines += [f"int first = blockIdx.x * {together};", *inside]
        return kernel(body, self.parameters, lines, blocks)

    def _row(self) -> list[str]:
        """What is done for the rows of a block, from ``first``."""
        body = self.body
        lines = [
            f"int row = first + threadIdx.x / {self.team}, lane = threadIdx.x % {self.team};",
            "int end = row < rows ? columns : 0, start = (row < rows ? row : 0) * columns;",
            "uint32 at = row < rows ? row : 0;",
        ]
        for i, x in body.operands(self.wanted, ROW):
            text, sizes = row_index(x, i, "at")
            for declared, size in sizes:
                self.parameters.add(declared, size)
            lines.append(body.declare(i, x, text))
        if self.kept:
            lines += self._fetch("lane")
        known: set[str] = set()
        lines += self._rows_known(known)
        for level in range(1, max((body.levels[each.name] for each in self.over), default=0) + 1):
            lines += self._reduce([each for each in self.over if body.levels[each.name] == level], known)
            lines += self._rows_known(known)
        return lines + self._keep()

    def _rows_known(self, known: set[str]) -> list[str]:
        """The statements with a value for each row that can be computed by now."""
        body, lines = self.body, []
        available = set(known)
        for each in body.loop.statements:
            if each.name in self.wanted and body.kinds[each.name] == ROW and not each.over and each.name not in known:
                rows = [name for name in uses(each) if body.kinds[name] == ROW and name in body.statements]
                if set(rows) <= available:
                    lines.append(f"{body.symbols[each.name].type} {body.symbols[each.name].text} = {body.value(each)};")
                    available.add(each.name)
        known |= available
        return lines

    def _reduce(self, over: list[Statement], known: set[str]) -> list[str]:
        """One pass over the row, that finds the values of ``over``."""
        body = self.body
        wanted: set[str] = set()
        for each in over:
            wanted |= body.needed(uses(each))
        lines = []
        combine = []
        for each in over:
            symbol, how = body.symbols[each.name], "Sum" if each.over == "sum" else "Max"
            lines.append(f"{symbol.type} {symbol.text} = {how}::identity<{symbol.type}>();")
            combine.append(f"{symbol.text} = {how}::of({symbol.text}, {symbol.type}({body.value(each)}));")
        lines += self._pass(wanted, combine)
        for each in over:
            symbol, how = body.symbols[each.name], "Sum" if each.over == "sum" else "Max"
            team = f"over_team<{how}, {self.team}>({symbol.text})"
            lines.append(f"{symbol.text} = {f'rounded<f16>({team})' if each.dtype.name == 'float16' else team};")
            known.add(each.name)
        return lines

    def _pass(
        self, wanted: set[str], element: list[str], before: Sequence[str] = (), after: Sequence[str] = ()
    ) -> list[str]:
        """Lines that do ``element`` for each element of the row, once ``wanted`` are known; what comes ``before`` and
        ``after`` is done for each vector.
        """
        body, width = self.body, self.width
        inner = ["int column_of = column + k;"]
        inner += [body.declare(i, x, f"v{i}[u].at[k]") for i, x in self.elements if x.name in wanted]
        inner += [body.declare(i, x, f"w{i}[u].at[k]") for i, x in self.columns if x.name in wanted]
        inner += body.lines(wanted, COLUMN, ELEMENT) + element
        vector = block("if (column < end)", [*before, *unrolled("k", width, inner), *after])
        lines = unrolled("u", self.each, [f"int column = (base + u * {self.team}) * {width};", *vector])
        if self.kept:
            return block("", ["int base = lane;", *lines])
        head = f"for (int base = lane; base * {width} < end; base += {self.team * self.each})"
        return ["#pragma unroll 1", *block(head, self._fetch("base", wanted) + lines)]

    def _fetch(self, base: str, wanted: set[str] | None = None) -> list[str]:
        """Lines that read the operands from column ``base * width``, ``each`` vectors of them."""
        chosen = self.wanted if wanted is None else wanted
        given = [(i, x, "v", "start + ") for i, x in self.elements if x.name in chosen]
        given += [(i, x, "w", "") for i, x in self.columns if x.name in chosen]
        lines = [f"Pack<{stored(x.dtype)}, {self.width}> {v}{i}[{self.each}];" for i, x, v, _ in given]
        column = f"({base} + u * {self.team}) * {self.width}"
        loads = [(f"{v}{i}[u]", f"p{i} + {start}{column}") for i, x, v, start in given]
        return lines + loaded(self.width, self.each, loads, f"{column} < end", [])

    def _keep(self) -> list[str]:
        """The results."""
        body = self.body
        lines = []
        elements = body.results(ELEMENT)
        per_element = [
            (n, x) for n, (_, x) in enumerate(body.results(TOTAL)) if body.kinds[x.name] in (ELEMENT, COLUMN)
        ]
        per_row = [(n, x) for n, (_, x) in enumerate(body.results(TOTAL)) if body.kinds[x.name] in (ROW, SCALAR)]
        if elements or per_element:
            wanted = body.needed([x.name for _, x in elements] + [x.name for _, x in per_element])
            element = [f"r{i}.at[k] = {kept(x, body.symbols[x.name])};" for i, x in elements]
            element += [f"sums[{n}] += {body.symbols[x.name].text};" for n, x in per_element]
            packs = [f"Pack<{stored(x.dtype)}, {self.width}> r{i};" for i, x in elements]
            stores = [f"store_whole(q{i} + start + column, whole, r{i});" for i, _ in elements]
            lines += self._pass(wanted, element, packs, stores)
        rows = [f"q{i}[row] = {kept(x, body.symbols[x.name])};" for i, x in body.results(ROW)]
        rows += [f"sums[{n}] += {body.symbols[x.name].text};" for n, x in per_row]
        return lines + (block("if (lane == 0 && row < rows)", rows) if rows else [])
