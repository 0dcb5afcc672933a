"""Products of few rows with the rows of a large matrix, which is read once, as fast as memory gives it."""

from __future__ import annotations

from gradflow.backend.native.function import Function
from gradflow.backend.native.small_products import LANES, ROWS, outer_tile
from gradflow.launch import Gemm, Scratch

PANEL = 2 * LANES  # rows of a that are multiplied side by side; those that there are not are zeros
DEPTH = 256  # products that are added one after another, before the sum is added to others: of more, digits are lost
TOGETHER = 8  # tiles of rows of b in a chunk


def few_rows_product(gemm: Gemm) -> tuple[Function, Function]:
    """``gemm`` of float32 matrices (m, k) and (n, k), n >= ROWS: a is turned, so that a vector has some of its rows."""
    (m, k), n = gemm.a.shape, gemm.b.shape[0]
    panels = -(-m // PANEL)
    turned = Scratch(panels * PANEL * k * gemm.a.dtype.itemsize)
    turn = Function(f"turn_{m}_{k}", _turn(m, k, panels), (gemm.a, turned), -(-k // DEPTH))
    name = f"few_rows_{m}_{n}_{k}"
    text = _multiply(name, m, n, k, panels)
    return turn, Function(name, text, (turned, gemm.b, gemm.out), -(-n // (ROWS * TOGETHER)))


def _multiply(name: str, m: int, n: int, k: int, panels: int) -> str:
    """Tiles of ROWS rows of b and a panel of a; the last tile begins earlier if there are too few rows for it."""
    full = k // DEPTH * DEPTH
    tiles = {depth: f"{name}_tile_{depth}" for depth in (DEPTH * (full > 0), k - full) if depth}
    return f"""
{"".join(outer_tile(tile, ROWS, PANEL, (k, 1), (PANEL, PANEL), depth, True) for depth, tile in tiles.items())}
define i32 @{name}(ptr %arguments, i64 %chunk) {{
  %tile = alloca [{ROWS * PANEL} x float], align 64
  %turned = load ptr, ptr %arguments
  %b.at = getelementptr i64, ptr %arguments, i64 1
  %b = load ptr, ptr %b.at
  %out.at = getelementptr i64, ptr %arguments, i64 2
  %out = load ptr, ptr %out.at
  %begin = mul i64 %chunk, {TOGETHER * ROWS}
  %after = add i64 %begin, {TOGETHER * ROWS}
  %end = call i64 @llvm.umin.i64(i64 %after, i64 {n})
  br label %rows
rows:
  %r = phi i64 [ %begin, %0 ], [ %r.next, %rows.done ]
  %first = call i64 @llvm.umin.i64(i64 %r, i64 {n - ROWS})
  %rows.i = mul i64 %first, {k}
  %rows.at = getelementptr float, ptr %b, i64 %rows.i
  br label %panel
panel:
  %p = phi i64 [ 0, %rows ], [ %p.next, %panel.done ]
  %panel.i = mul i64 %p, {k}
  %panel.at = getelementptr float, ptr %turned, i64 %panel.i
  store [{ROWS * PANEL} x float] zeroinitializer, ptr %tile
  br label %{"depth" if full else "rest"}
{_depths(tiles.get(DEPTH), full)}
rest:
  %rest.b = getelementptr float, ptr %rows.at, i64 {full}
  %rest.a = getelementptr float, ptr %panel.at, i64 {full * PANEL}
  {f"call void @{tiles[k - full]}(ptr %rest.b, ptr %rest.a, ptr %tile)" if k > full else ""}
  %rows.left = sub i64 {m}, %p
  %columns = call i64 @llvm.umin.i64(i64 %rows.left, i64 {PANEL})
  %to.first = mul i64 %p, {n}
  %to.tile = add i64 %to.first, %first
  br label %row
row:                                                       ; of b, a column of the result
  %i = phi i64 [ 0, %rest ], [ %i.next, %row.done ]
  %from.row = mul i64 %i, {PANEL}
  %to.column = add i64 %to.tile, %i
  br label %column
column:
  %j = phi i64 [ 0, %row ], [ %j.next, %column ]
  %from.i = add i64 %from.row, %j
  %from = getelementptr float, ptr %tile, i64 %from.i
  %number = load float, ptr %from
  %to.row = mul i64 %j, {n}
  %to.i = add i64 %to.column, %to.row
  %to = getelementptr float, ptr %out, i64 %to.i
  store float %number, ptr %to
  %j.next = add i64 %j, 1
  %j.more = icmp ult i64 %j.next, %columns
  br i1 %j.more, label %column, label %row.done
row.done:
  %i.next = add i64 %i, 1
  %i.more = icmp ult i64 %i.next, {ROWS}
  br i1 %i.more, label %row, label %panel.done
panel.done:
  %p.next = add i64 %p, {PANEL}
  %p.more = icmp ult i64 %p.next, {panels * PANEL}
  br i1 %p.more, label %panel, label %rows.done
rows.done:
  %r.next = add i64 %r, {ROWS}
  %r.more = icmp ult i64 %r.next, %end
  br i1 %r.more, label %rows, label %done
done:
  ret i32 0
}}
declare i64 @llvm.umin.i64(i64, i64)
declare <{LANES} x float> @llvm.fmuladd.v{LANES}f32(<{LANES} x float>, <{LANES} x float>, <{LANES} x float>)
"""


def _depths(tile: str | None, full: int) -> str:
    """The part of a product whose columns are whole multiples of DEPTH."""
    if tile is None:
        return ""
    return f"""depth:
  %d = phi i64 [ 0, %panel ], [ %d.next, %depth ]
  %depth.b = getelementptr float, ptr %rows.at, i64 %d
  %depth.a.i = mul i64 %d, {PANEL}
  %depth.a = getelementptr float, ptr %panel.at, i64 %depth.a.i
  call void @{tile}(ptr %depth.b, ptr %depth.a, ptr %tile)
  %d.next = add i64 %d, {DEPTH}
  %d.more = icmp ult i64 %d.next, {full}
  br i1 %d.more, label %depth, label %rest"""


def _turn(m: int, k: int, panels: int) -> str:
    """For each panel and column of a the numbers of its rows, one after the other; a chunk does DEPTH columns."""
    return f"""
define i32 @turn_{m}_{k}(ptr %arguments, i64 %chunk) {{
  %a = load ptr, ptr %arguments
  %turned.at = getelementptr i64, ptr %arguments, i64 1
  %turned = load ptr, ptr %turned.at
  %first = mul i64 %chunk, {DEPTH}
  %after = add i64 %first, {DEPTH}
  %end = call i64 @llvm.umin.i64(i64 %after, i64 {k})
  br label %row
row:
  %i = phi i64 [ 0, %0 ], [ %i.next, %row.done ]
  %there = icmp ult i64 %i, {m}
  %row.or.last = call i64 @llvm.umin.i64(i64 %i, i64 {m - 1})
  %from.first = mul i64 %row.or.last, {k}
  %panel = udiv i64 %i, {PANEL}
  %lane = urem i64 %i, {PANEL}
  %panel.first = mul i64 %panel, {PANEL * k}
  %to.first = add i64 %panel.first, %lane
  br label %column
column:
  %p = phi i64 [ %first, %row ], [ %p.next, %column ]
  %from.i = add i64 %from.first, %p
  %from = getelementptr float, ptr %a, i64 %from.i
  %read = load float, ptr %from
  %number = select i1 %there, float %read, float 0.0
  %to.column = mul i64 %p, {PANEL}
  %to.i = add i64 %to.first, %to.column
  %to = getelementptr float, ptr %turned, i64 %to.i
  store float %number, ptr %to
  %p.next = add i64 %p, 1
  %p.more = icmp ult i64 %p.next, %end
  br i1 %p.more, label %column, label %row.done
row.done:
  %i.next = add i64 %i, 1
  %i.more = icmp ult i64 %i.next, {panels * PANEL}
  br i1 %i.more, label %row, label %done
done:
  ret i32 0
}}
declare i64 @llvm.umin.i64(i64, i64)
"""
