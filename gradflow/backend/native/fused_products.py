"""Matrix products and loops over their results in one pass: a large gradient meets its optimizer in the cache."""

from __future__ import annotations

from gradflow.backend.native.function import Function
from gradflow.backend.native.loops import functions_for
from gradflow.backend.native.small_products import LANES, outer_tile
from gradflow.dtypes import float32
from gradflow.launch import Gemm, Scratch
from gradflow.loop import FusedProduct

ROWS = 4  # of a block, which with what the loop reads beside it lies in the nearest two caches
COLUMNS = 2 * LANES  # of a tile: 8 sums, 2 vectors of b and a number of a are in registers
DEEPEST = 64  # sums of more products take longer than memory does, and BLAS is faster
LARGE = 1 << 18  # elements; smaller results are still in a cache when the loop comes to them
CHUNK = 1 << 16  # elements, about


def fuses(gemm: Gemm) -> bool:
    """Whether a loop over the elements of the product gains from being done with it, and can be."""
    rows, columns = gemm.out.shape
    return (
        gemm.out.dtype == float32
        and gemm.transpose_a
        and not gemm.transpose_b
        and gemm.a.shape[0] <= DEEPEST
        and rows * columns >= LARGE
        and rows % ROWS == columns % COLUMNS == 0
    )


def fused_product(work: FusedProduct) -> tuple[Function, Function]:
    """``work``, whose product ``fuses``: b is laid out in the order of tiles, and blocks of rows follow."""
    (depth, rows), columns = work.gemm.a.shape, work.gemm.b.shape[1]
    packed = Scratch(depth * columns * work.gemm.b.dtype.itemsize)
    pack = Function(f"pack_{depth}_{columns}", _pack(depth, columns), (work.gemm.b, packed), 1)
    (loop,) = functions_for(work.loop, ROWS * columns)
    name = f"fused_{rows}_{columns}_{depth}_{work.gemm.accumulate:d}_{loop.name}"
    blocks, together = rows // ROWS, max(1, CHUNK // (ROWS * columns))
    text = f"""
{outer_tile(f"{name}_tile", ROWS, COLUMNS, (1, ROWS), (COLUMNS, columns), depth, work.gemm.accumulate)}
{loop.text.replace(f"define i32 @{loop.name}(", f"define internal i32 @{name}_loop(")}
define i32 @{name}(ptr %arguments, i64 %chunk) {{
  %a.rows = alloca [{depth * ROWS} x float], align 64
  %a = load ptr, ptr %arguments
  %packed.at = getelementptr i64, ptr %arguments, i64 1
  %packed = load ptr, ptr %packed.at
  %out.at = getelementptr i64, ptr %arguments, i64 2
  %out = load ptr, ptr %out.at
  %loop.arguments = getelementptr i64, ptr %arguments, i64 3
  %first = mul i64 %chunk, {together}
  %after = add i64 %first, {together}
  %stop = call i64 @llvm.umin.i64(i64 %after, i64 {blocks})
  br label %block
block:
  %i = phi i64 [ %first, %0 ], [ %i.next, %loop ]
  %row = mul i64 %i, {ROWS}
  %begin = mul i64 %row, {columns}
  br label %column
column:                                                    ; of a, as many numbers as the block has rows
  %p = phi i64 [ 0, %block ], [ %p.next, %column ]
  %p.begin = mul i64 %p, {rows}
  %from.i = add i64 %p.begin, %row
  %from = getelementptr float, ptr %a, i64 %from.i
  %numbers = load <{ROWS} x float>, ptr %from, align 4
  %to.i = mul i64 %p, {ROWS}
  %to = getelementptr float, ptr %a.rows, i64 %to.i
  store <{ROWS} x float> %numbers, ptr %to, align 4
  %p.next = add i64 %p, 1
  %p.more = icmp ult i64 %p.next, {depth}
  br i1 %p.more, label %column, label %tile
tile:
  %j = phi i64 [ 0, %column ], [ %j.next, %tile ]
  %b.i = mul i64 %j, {depth}
  %b = getelementptr float, ptr %packed, i64 %b.i
  %tile.i = add i64 %begin, %j
  %tile.at = getelementptr float, ptr %out, i64 %tile.i
  call void @{name}_tile(ptr %a.rows, ptr %b, ptr %tile.at)
  %j.next = add i64 %j, {COLUMNS}
  %j.more = icmp ult i64 %j.next, {columns}
  br i1 %j.more, label %tile, label %loop
loop:
  %status = call i32 @{name}_loop(ptr %loop.arguments, i64 %i)
  %i.next = add i64 %i, 1
  %i.more = icmp ult i64 %i.next, %stop
  br i1 %i.more, label %block, label %done
done:
  ret i32 0
}}
declare i64 @llvm.umin.i64(i64, i64)
declare <{LANES} x float> @llvm.fmuladd.v{LANES}f32(<{LANES} x float>, <{LANES} x float>, <{LANES} x float>)
"""
    words = (work.gemm.a, packed, work.gemm.out, *loop.arrays)
    return pack, Function(name, text, words, -(-blocks // together))


def _pack(depth: int, columns: int) -> str:
    """For each tile's columns all rows of b, one after the other: read in this order nothing has to be waited for."""
    return f"""
define i32 @pack_{depth}_{columns}(ptr %arguments, i64 %chunk) {{
  %b = load ptr, ptr %arguments
  %packed.at = getelementptr i64, ptr %arguments, i64 1
  %packed = load ptr, ptr %packed.at
  br label %row
row:
  %p = phi i64 [ 0, %0 ], [ %p.next, %row.done ]
  %row.i = mul i64 %p, {columns}
  %place = mul i64 %p, {COLUMNS}
  br label %tile
tile:
  %j = phi i64 [ 0, %row ], [ %j.next, %tile ]
  %from.i = add i64 %row.i, %j
  %from = getelementptr float, ptr %b, i64 %from.i
  %numbers = load <{COLUMNS} x float>, ptr %from, align 4
  %panel = mul i64 %j, {depth}
  %to.i = add i64 %panel, %place
  %to = getelementptr float, ptr %packed, i64 %to.i
  store <{COLUMNS} x float> %numbers, ptr %to, align 4
  %j.next = add i64 %j, {COLUMNS}
  %j.more = icmp ult i64 %j.next, {columns}
  br i1 %j.more, label %tile, label %row.done
row.done:
  %p.next = add i64 %p, 1
  %p.more = icmp ult i64 %p.next, {depth}
  br i1 %p.more, label %row, label %done
done:
  ret i32 0
}}
"""
