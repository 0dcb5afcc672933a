; Matrix products by BLAS: cblas_gemm of row-major matrices, FLOAT and BLASINT replaced by what the library is built for.
; The words at %arguments, which gradflow/backend/native/products.py writes:
;   0 the address of cblas_?gemm   1, 2 transposes of a and b   3-5 m, n, k   6-8 leading dimensions of a, b, out
;   9-11 addresses of a, b, out    12-14 what a chunk adds to them, in bytes
;   15 the last chunk   16, 17 m and n of the last chunk   18 whether to add to out, 1 or 0

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

define internal ptr @part_FLOAT(ptr %arguments, i64 %index, i64 %chunk) {
  %at = getelementptr i64, ptr %arguments, i64 %index
  %whole = load ptr, ptr %at
  %step.at = getelementptr i64, ptr %at, i64 3
  %step = load i64, ptr %step.at
  %bytes = mul i64 %step, %chunk
  %address = getelementptr i8, ptr %whole, i64 %bytes
  ret ptr %address
}
