"""Small matrix products of float32 as LLVM IR: BLAS takes microseconds to prepare what these do directly."""

from __future__ import annotations

from collections.abc import Iterator

from gradflow.backend.native.function import Function
from gradflow.launch import Gemm

LANES = 8  # of a vector
ROWS = 6  # of a tile of b as it is: 12 sums of 8, two vectors of b and a number of a fill 16 registers
PAIR, FOUR = 2, 4  # rows and columns of a tile of b transposed: 8 sums, one for each lane of the result


def small_product(gemm: Gemm, m: int, n: int, k: int) -> Function:
    """``gemm`` of matrices (m, k) and (k, n), not both transposed, as a function of one chunk."""
    name = f"small_{m}_{n}_{k}_{gemm.transpose_a:d}{gemm.transpose_b:d}{gemm.accumulate:d}"
    tiles = dict(_dots(name, gemm, m, n, k) if gemm.transpose_b else _outers(name, gemm, m, n, k))
    calls = "\n".join(calls for _, calls in tiles.values())
    text = "\n".join(define for define, _ in tiles.values())
    main = f"""
define i32 @{name}(ptr %arguments, i64 %chunk) {{
  %a = load ptr, ptr %arguments
  %b.at = getelementptr i64, ptr %arguments, i64 1
  %b = load ptr, ptr %b.at
  %out.at = getelementptr i64, ptr %arguments, i64 2
  %out = load ptr, ptr %out.at
{calls}
  ret i32 0
}}
declare <8 x float> @llvm.fmuladd.v8f32(<8 x float>, <8 x float>, <8 x float>)
"""
    return Function(name, text + main, (gemm.a, gemm.b, gemm.out), 1)


Tile = tuple[str, tuple[str, str]]  # its name, its definition, and the calls that cover its part of the result


def _outers(name: str, gemm: Gemm, m: int, n: int, k: int) -> Iterator[Tile]:
    """Tiles that add up products of a number of a and a row of b."""
    row, step = (1, m) if gemm.transpose_a else (k, 1)  # from one row of a to the next, and along it
    for first_row, rows, row_count in _parts(m, [ROWS, *range(ROWS - 1, 0, -1)]):
        for first_column, columns, column_count in _parts(n, [2 * LANES, LANES, 4, 2, 1]):
            tile = f"{name}_{rows}x{columns}"
            yield (
                tile,
                (
                    outer_tile(tile, rows, columns, (row, step), (n, n), k, gemm.accumulate),
                    _calls(tile, (first_row, rows, row_count, row), (first_column, columns, column_count, 1), n),
                ),
            )


def outer_tile(
    tile: str, rows: int, columns: int, a: tuple[int, int], steps: tuple[int, int], k: int, accumulate: bool
) -> str:
    """The function ``tile`` that multiplies ``rows`` rows of a and ``columns`` columns of b.

    ``a`` is how far a's numbers are apart, from row to row and along it; ``steps`` the rows of b, and of the result.
    """
    b_row, out_row = steps
    width = min(columns, LANES)
    vector, parts = f"<{width} x float>", range(columns // width)
    sums = [(r, v) for r in range(rows) for v in parts]
    lines = [f"define internal void @{tile}(ptr %a, ptr %b, ptr %out) {{", "  br label %next", "next:"]
    lines.append("  %p = phi i64 [ 0, %0 ], [ %p.next, %next ]")
    lines += [f"  %s{r}.{v} = phi {vector} [ zeroinitializer, %0 ], [ %t{r}.{v}, %next ]" for r, v in sums]
    lines.append(f"  %row = mul i64 %p, {b_row}\n  %step = mul i64 %p, {a[1]}")
    for v in parts:
        lines.append(f"  %at{v}.i = add i64 %row, {v * width}\n  %at{v} = getelementptr float, ptr %b, i64 %at{v}.i")
        lines.append(f"  %b{v} = load {vector}, ptr %at{v}, align 4")
    for r in range(rows):
        lines.append(f"  %a{r}.i = add i64 %step, {r * a[0]}\n  %a{r}.at = getelementptr float, ptr %a, i64 %a{r}.i")
        lines.append(f"  %a{r} = load float, ptr %a{r}.at")
        lines.append(f"  %a{r}.one = insertelement {vector} poison, float %a{r}, i64 0")
        lines.append(
            f"  %a{r}.all = shufflevector {vector} %a{r}.one, {vector} poison, <{width} x i32> zeroinitializer"
        )
    for r, v in sums:
        given = f"{vector} %a{r}.all, {vector} %b{v}, {vector} %s{r}.{v}"
        lines.append(f"  %t{r}.{v} = call {vector} @llvm.fmuladd.v{width}f32({given})")
    lines.append(f"  %p.next = add i64 %p, 1\n  %end = icmp eq i64 %p.next, {k}")
    lines.append("  br i1 %end, label %store, label %next\nstore:")
    for r, v in sums:
        lines += _stored(f"{r}.{v}", f"%t{r}.{v}", r * out_row + v * width, width, accumulate)
    declared = f"declare {vector} @llvm.fmuladd.v{width}f32({vector}, {vector}, {vector})" if width != LANES else ""
    return "\n".join([*lines, "  ret void", "}", declared])


def _stored(name: str, value: str, place: int, width: int, accumulate: bool) -> Iterator[str]:
    vector = f"<{width} x float>"
    yield f"  %out{name} = getelementptr float, ptr %out, i64 {place}"
    if accumulate:
        yield f"  %old{name} = load {vector}, ptr %out{name}, align 4"
        yield f"  %new{name} = fadd {vector} {value}, %old{name}"
    yield f"  store {vector} {f'%new{name}' if accumulate else value}, ptr %out{name}, align 4"


def _parts(total: int, sizes: list[int]) -> Iterator[tuple[int, int, int]]:
    """Where parts begin, their size, and how many of it there are, the first size as often as it fits."""
    start = 0
    for size in sizes:
        count = (total - start) // size
        if count:
            yield start, size, count
            start += size * count


def _calls(tile: str, rows: tuple[int, int, int, int], columns: tuple[int, int, int, int], n: int) -> str:
    """Two nested loops that call ``tile`` on its part of the result; a and b advance as rows and columns say."""
    (i0, rows_of, i_count, a_step), (j0, columns_of, j_count, b_step) = rows, columns
    t = tile.replace("small_", "t")
    return f"""
  br label %{t}.begin
{t}.begin:
  br label %{t}.columns
{t}.columns:
  %{t}.j = phi i64 [ 0, %{t}.begin ], [ %{t}.j.next, %{t}.columns.done ]
  %{t}.j.times = mul i64 %{t}.j, {columns_of}
  %{t}.column = add i64 %{t}.j.times, {j0}
  %{t}.b.i = mul i64 %{t}.column, {b_step}
  %{t}.b = getelementptr float, ptr %b, i64 %{t}.b.i
  br label %{t}.rows
{t}.rows:
  %{t}.i = phi i64 [ 0, %{t}.columns ], [ %{t}.i.next, %{t}.rows ]
  %{t}.i.times = mul i64 %{t}.i, {rows_of}
  %{t}.row = add i64 %{t}.i.times, {i0}
  %{t}.a.i = mul i64 %{t}.row, {a_step}
  %{t}.a = getelementptr float, ptr %a, i64 %{t}.a.i
  %{t}.out.row = mul i64 %{t}.row, {n}
  %{t}.out.i = add i64 %{t}.out.row, %{t}.column
  %{t}.out = getelementptr float, ptr %out, i64 %{t}.out.i
  call void @{tile}(ptr %{t}.a, ptr %{t}.b, ptr %{t}.out)
  %{t}.i.next = add i64 %{t}.i, 1
  %{t}.i.end = icmp eq i64 %{t}.i.next, {i_count}
  br i1 %{t}.i.end, label %{t}.columns.done, label %{t}.rows
{t}.columns.done:
  %{t}.j.next = add i64 %{t}.j, 1
  %{t}.j.end = icmp eq i64 %{t}.j.next, {j_count}
  br i1 %{t}.j.end, label %{t}.done, label %{t}.columns
{t}.done:"""


def _dots(name: str, gemm: Gemm, m: int, n: int, k: int) -> Iterator[Tile]:
    """Tiles that multiply rows of a by rows of b, eight numbers at a time, and add up the lanes at the end."""
    for first_row, rows, row_count in _parts(m, [PAIR, 1]):
        for first_column, columns, column_count in _parts(n, [FOUR, 1]):
            tile = f"{name}_{rows}x{columns}"
            yield (
                tile,
                (
                    _dot(tile, rows, columns, n, k, gemm.accumulate),
                    _calls(tile, (first_row, rows, row_count, k), (first_column, columns, column_count, k), n),
                ),
            )


def _dot(tile: str, rows: int, columns: int, n: int, k: int, accumulate: bool) -> str:
    sums = [(r, c) for r in range(rows) for c in range(columns)]
    given = dict.fromkeys(sums, "zeroinitializer")
    lines = [f"define internal void @{tile}(ptr %a, ptr %b, ptr %out) {{"]
    if k >= LANES:
        lines += ["  br label %next", "next:", "  %p = phi i64 [ 0, %0 ], [ %p.next, %next ]"]
        lines += [f"  %s{r}.{c} = phi <8 x float> [ zeroinitializer, %0 ], [ %t{r}.{c}, %next ]" for r, c in sums]
        lines += _multiplied(rows, columns, k, "%p", LANES, "t", {(r, c): f"%s{r}.{c}" for r, c in sums})
        lines.append(f"  %p.next = add i64 %p, {LANES}\n  %end = icmp eq i64 %p.next, {k // LANES * LANES}")
        lines.append("  br i1 %end, label %rest, label %next\nrest:")
        given = {(r, c): f"%t{r}.{c}" for r, c in sums}
    if k % LANES:
        lines += _multiplied(rows, columns, k, str(k // LANES * LANES), k % LANES, "u", given)
        given = {(r, c): f"%u{r}.{c}" for r, c in sums}
    for r in range(rows):
        of_row = [given[r, c] for c in range(columns)]
        lines += _added_lanes(f"r{r}", of_row)
        lines += _stored(str(r), f"%r{r}", r * n, columns, accumulate)
    return "\n".join([*lines, "  ret void", "}", "declare float @llvm.vector.reduce.fadd.v8f32(float, <8 x float>)"])


def _multiplied(
    rows: int, columns: int, k: int, start: str, count: int, to: str, given: dict[tuple[int, int], str]
) -> Iterator[str]:
    """``count`` numbers of each row of a times those of each row of b, added to ``given``."""
    for matrix, lines in ("a", rows), ("b", columns):
        for i in range(lines):
            name = f"{to}.{matrix}{i}"
            yield f"  %{name}.i = add i64 {start}, {i * k}"
            yield f"  %{name}.at = getelementptr float, ptr %{matrix}, i64 %{name}.i"
            if count == LANES:
                yield f"  %{name} = load <8 x float>, ptr %{name}.at, align 4"
                continue
            few, lanes = f"<{count} x float>", ", ".join(f"i32 {min(lane, count)}" for lane in range(LANES))
            yield f"  %{name}.few = load {few}, ptr %{name}.at, align 4"
            yield f"  %{name} = shufflevector {few} %{name}.few, {few} zeroinitializer, <8 x i32> <{lanes}>"
    for (r, c), before in given.items():
        pair = f"<8 x float> %{to}.a{r}, <8 x float> %{to}.b{c}, <8 x float> {before}"
        yield f"  %{to}{r}.{c} = call <8 x float> @llvm.fmuladd.v8f32({pair})"


def _added_lanes(name: str, vectors: list[str]) -> Iterator[str]:
    """The sums of the lanes of one vector, or of each of four, as a vector."""
    if len(vectors) == 1:
        yield f"  %{name}.sum = call reassoc float @llvm.vector.reduce.fadd.v8f32(float -0.0, <8 x float> {vectors[0]})"
        yield f"  %{name} = insertelement <1 x float> poison, float %{name}.sum, i64 0"
        return
    yield from _paired(f"{name}.p", vectors[0], vectors[1])
    yield from _paired(f"{name}.q", vectors[2], vectors[3])
    yield from _paired(f"{name}.all", f"%{name}.p", f"%{name}.q")
    for half, lanes in ("low", range(4)), ("high", range(4, 8)):
        mask = ", ".join(f"i32 {lane}" for lane in lanes)
        yield f"  %{name}.{half} = shufflevector <8 x float> %{name}.all, <8 x float> poison, <4 x i32> <{mask}>"
    yield f"  %{name} = fadd <4 x float> %{name}.low, %{name}.high"


def _paired(name: str, first: str, second: str) -> Iterator[str]:
    """Sums of neighbouring lanes of two vectors, within halves, which AVX does in one instruction each."""
    for part, lanes in ("even", (0, 2, 8, 10, 4, 6, 12, 14)), ("odd", (1, 3, 9, 11, 5, 7, 13, 15)):
        mask = ", ".join(f"i32 {lane}" for lane in lanes)
        yield f"  %{name}.{part} = shufflevector <8 x float> {first}, <8 x float> {second}, <8 x i32> <{mask}>"
    yield f"  %{name} = fadd <8 x float> %{name}.even, %{name}.odd"
