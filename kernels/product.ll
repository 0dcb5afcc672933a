; Matrix products by BLAS: cblas_gemm of row-major matrices, FLOAT and BLASINT replaced by what the library is built for.
; The words at %arguments, which gradflow/backend/native/products.py writes:
;   0 the address of cblas_?gemm   1, 2 transposes of a and b   3-5 m, n, k   6-8 leading dimensions of a, b, out
;   9-11 addresses of a, b, out    12-14 what a chunk adds to them, in bytes
;   15 the last chunk   16, 17 m and n of the last chunk   18 whether to add to out, 1 or 0
;   19 where the transposed product goes   20 its columns

define i32 @product_FLOAT(ptr %arguments, i64 %chunk) {
  %gemm = load ptr, ptr %arguments
  %transpose.a.at = getelementptr i64, ptr %arguments, i64 1
  %transpose.a = load i32, ptr %transpose.a.at
  %transpose.b.at = getelementptr i64, ptr %arguments, i64 2
  %transpose.b = load i32, ptr %transpose.b.at
  %last.at = getelementptr i64, ptr %arguments, i64 15
  %last = load i64, ptr %last.at
  %is.last = icmp eq i64 %chunk, %last
  %m.index = select i1 %is.last, i64 16, i64 3
  %m.at = getelementptr i64, ptr %arguments, i64 %m.index
  %m = load BLASINT, ptr %m.at                             ; the low half is first where integers have 32 bits
  %n.index = select i1 %is.last, i64 17, i64 4
  %n.at = getelementptr i64, ptr %arguments, i64 %n.index
  %n = load BLASINT, ptr %n.at
  %k.at = getelementptr i64, ptr %arguments, i64 5
  %k = load BLASINT, ptr %k.at
  %lda.at = getelementptr i64, ptr %arguments, i64 6
  %lda = load BLASINT, ptr %lda.at
  %ldb.at = getelementptr i64, ptr %arguments, i64 7
  %ldb = load BLASINT, ptr %ldb.at
  %ldc.at = getelementptr i64, ptr %arguments, i64 8
  %ldc = load BLASINT, ptr %ldc.at
  %a = call ptr @part_FLOAT(ptr %arguments, i64 9, i64 %chunk)
  %b = call ptr @part_FLOAT(ptr %arguments, i64 10, i64 %chunk)
  %out = call ptr @part_FLOAT(ptr %arguments, i64 11, i64 %chunk)
  %add.at = getelementptr i64, ptr %arguments, i64 18
  %add = load i64, ptr %add.at
  %beta = uitofp i64 %add to FLOAT
  call void %gemm(i32 101, i32 %transpose.a, i32 %transpose.b, BLASINT %m, BLASINT %n, BLASINT %k,
                  FLOAT 1.0, ptr %a, BLASINT %lda, ptr %b, BLASINT %ldb, FLOAT %beta, ptr %out, BLASINT %ldc)
  ret i32 0
}

; the same into memory of its own, from where it is written to what is at word 19 transposed: rows of n there, of which
; a chunk has columns. BLAS multiplies few rows by a large matrix faster when the large matrix comes first.
define i32 @product_transposed_FLOAT(ptr %arguments, i64 %chunk) {
  %status = call i32 @product_FLOAT(ptr %arguments, i64 %chunk)
  %last.at = getelementptr i64, ptr %arguments, i64 15
  %last = load i64, ptr %last.at
  %is.last = icmp eq i64 %chunk, %last
  %rows.index = select i1 %is.last, i64 16, i64 3
  %rows.at = getelementptr i64, ptr %arguments, i64 %rows.index
  %rows = load i64, ptr %rows.at
  %columns.at = getelementptr i64, ptr %arguments, i64 4
  %columns = load i64, ptr %columns.at
  %from = call ptr @part_FLOAT(ptr %arguments, i64 11, i64 %chunk)
  %whole.at = getelementptr i64, ptr %arguments, i64 19
  %whole = load ptr, ptr %whole.at
  %length.at = getelementptr i64, ptr %arguments, i64 20
  %length = load i64, ptr %length.at
  %full.at = getelementptr i64, ptr %arguments, i64 3
  %full = load i64, ptr %full.at
  %first = mul i64 %full, %chunk
  %to = getelementptr FLOAT, ptr %whole, i64 %first
  br label %block
block:                                                     ; of 64 rows, which stay in the nearest cache
  %begin = phi i64 [ 0, %0 ], [ %end, %block.done ]
  %after = add i64 %begin, 64
  %end = call i64 @llvm.umin.i64(i64 %after, i64 %rows)
  br label %column
column:
  %j = phi i64 [ 0, %block ], [ %j.next, %column.done ]
  %to.column = mul i64 %j, %length
  br label %row
row:
  %i = phi i64 [ %begin, %column ], [ %i.next, %row ]
  %from.row = mul i64 %i, %columns
  %from.index = add i64 %from.row, %j
  %from.at = getelementptr FLOAT, ptr %from, i64 %from.index
  %value = load FLOAT, ptr %from.at
  %to.index = add i64 %to.column, %i
  %to.at = getelementptr FLOAT, ptr %to, i64 %to.index
  store FLOAT %value, ptr %to.at
  %i.next = add i64 %i, 1
  %more.rows = icmp ult i64 %i.next, %end
  br i1 %more.rows, label %row, label %column.done
column.done:
  %j.next = add i64 %j, 1
  %more.columns = icmp ult i64 %j.next, %columns
  br i1 %more.columns, label %column, label %block.done
block.done:
  %more.blocks = icmp ult i64 %end, %rows
  br i1 %more.blocks, label %block, label %over
over:
  ret i32 0
}

define internal ptr @part_FLOAT(ptr %arguments, i64 %index, i64 %chunk) {
  %at = getelementptr i64, ptr %arguments, i64 %index
  %whole = load ptr, ptr %at
  %step.at = getelementptr i64, ptr %at, i64 3
  %step = load i64, ptr %step.at
  %bytes = mul i64 %step, %chunk
  %address = getelementptr i8, ptr %whole, i64 %bytes
  ret ptr %address
}

declare i64 @llvm.umin.i64(i64, i64)
