// The norm of several arrays together, and what is done with it.

enum : int { ROUNDS = 8 };  // how often a block goes on to its next elements, so that there are few partial sums

template <typename T>
__global__ void __launch_bounds__(THREADS)
joint_norm(const T* x, T* out, double* partial, const int64* table, int rows, int* ticket, int n) {
  auto piece = piece_of(table, rows, n, x);
  piece.block *= ROUNDS;
  double sum = 0;
#pragma unroll 1
  for (int round = 0; round < ROUNDS; round++, piece.block++)
    over_lanes<T>(piece, (uint64)piece.at[0], [&](int i, auto lanes) {
      auto values = read<decltype(lanes)>((const T*)piece.at[0] + i);
      Acc<T> squares = 0;
#pragma unroll
      for (int k = 0; k < values.WIDTH; k++) squares += load(values.at[k]) * load(values.at[k]);
      sum += squares;
    });
#pragma unroll 1
  for (bool all = false;; all = true) {  // over the block; then, in the last one, over what all have found
    sum = block_reduce<Sum>(sum);
    if (all) break;
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
    if (!is_last_block(ticket, gridDim.x)) return;
    sum = 0;
#pragma unroll 1
    for (int i = threadIdx.x; i < gridDim.x; i += THREADS) sum += partial[i];
  }
  if (threadIdx.x == 0) *out = store<T>(Acc<T>(sqrt(sum)));
}

// x := x * factor, wherever it lies
template <typename T, int ARRAYS> __device__ __forceinline__ void scale(const Piece<ARRAYS>& piece, Acc<T> factor) {
  T* x = (T*)piece.at[0];
  over_lanes<T>(piece, (uint64)x, [=](int i, auto lanes) {
    using L = decltype(lanes);
    L old = read<L>(x + i);
    Acc<T> scaled[L::WIDTH];
#pragma unroll
    for (int k = 0; k < L::WIDTH; k++) scaled[k] = load(old.at[k]) * factor;
    write<L>(x + i, scaled);
  });
}

template <typename T>
__global__ void __launch_bounds__(THREADS)
clip_by_norm(T* x, const T* norm, Acc<T> max_norm, const int64* table, int rows, int n) {
  auto piece = piece_of(table, rows, n, x, norm);
  Acc<T> factor = max_norm * reciprocal(load(*(const T*)piece.at[1]) + Acc<T>(1e-6));
  scale<T>(piece, factor > 1 ? 1 : factor);
}
