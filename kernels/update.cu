// Steps of optimizers: parameters, gradients and state in one pass, in place, in any number of arenas at once.
//
// What depends on the number of the step is worked out by one thread of each block, in double.

// One thread of each block, once it has read the number of the step, comes here; the last one counts it: by then all
// have read.
template <int ARRAYS>
__device__ __forceinline__ void count_step(const Piece<ARRAYS>& piece, double* step, int* tickets) {
  __threadfence();
  if (atomicAdd(tickets + piece.row, 1) == piece.blocks - 1) {
    __threadfence();
    tickets[piece.row] = 0;
    *step += 1;
  }
}

// 1 - x to the power of n: 2 log2(n) products, where pow would be a page of code
__device__ __forceinline__ double short_of_one(double x, uint32 n) {
  double power = 1;
#pragma unroll 1
  for (; n; n /= 2, x *= x)
    if (n % 2) power *= x;
  return 1 - power;
}

// as float within an ulp, without a detour around subnormal numbers
__device__ __forceinline__ double square_root(double x) { return sqrt(x); }
__device__ __forceinline__ float square_root(float x) {
  asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(x) : "f"(x));
  return x;
}

__device__ __forceinline__ bool holds(const float* flag) { return flag && *flag != 0; }

template <typename T>
__global__ void __launch_bounds__(THREADS)
sgd_update(T* p, const T* g, T* velocity, double* step, const double* lr, const float* found_inf, Acc<T> momentum,
           Acc<T> gain, Acc<T> look, Acc<T> ahead, Acc<T> decay, Acc<T> sign, const int64* table, int rows, int* tickets,
           int n) {
  auto piece = piece_of(table, rows, n, p, g, velocity, step, lr, found_inf);
  if (holds((float*)piece.at[5])) return;
  __shared__ Acc<T> rate, keep, take;
  if (threadIdx.x == 0) {
    bool first = *(double*)piece.at[3] == 0;
    rate = *(double*)piece.at[4], keep = first ? 0 : momentum, take = first ? 1 : gain;
    count_step(piece, (double*)piece.at[3], tickets);
  }
  __syncthreads();
  p = (T*)piece.at[0], g = (T*)piece.at[1], velocity = (T*)piece.at[2];
  over_lanes<T>(piece, (uint64)p | (uint64)g | (uint64)velocity, [=](int i, auto lanes) {
    using L = decltype(lanes);
    L x = read<L>(p + i), y = read<L>(g + i);
    Acc<T> along[L::WIDTH], moving[L::WIDTH];
#pragma unroll
    for (int k = 0; k < L::WIDTH; k++) along[k] = sign * load(y.at[k]) + decay * load(x.at[k]);
    if (velocity) {
      y = read<L>(velocity + i);
#pragma unroll
      for (int k = 0; k < L::WIDTH; k++) {
        moving[k] = keep * load(y.at[k]) + take * along[k];
        along[k] = look * along[k] + ahead * moving[k];
      }
      write<L>(velocity + i, moving);
    }
#pragma unroll
    for (int k = 0; k < L::WIDTH; k++) along[k] = load(x.at[k]) - rate * along[k];
    write<L>(p + i, along);
  });
}

template <typename T>
__global__ void __launch_bounds__(THREADS)
adam_update(T* p, const T* g, T* m, T* v, T* v_max, double* step, const double* lr, const float* found_inf,
            double beta1, double beta2, Acc<T> keep1, Acc<T> keep2, Acc<T> take1, Acc<T> take2, Acc<T> eps,
            double shrink, Acc<T> decay, Acc<T> sign, const int64* table, int rows, int* tickets, int n) {
  auto piece = piece_of(table, rows, n, p, g, m, v, v_max, step, lr, found_inf);
  if (holds((float*)piece.at[7])) return;
  __shared__ Acc<T> scale, floor, left;
  if (threadIdx.x == 0) {
    double now = *(double*)piece.at[5] + 1, rate = *(double*)piece.at[6];
    count_step(piece, (double*)piece.at[5], tickets);
    Acc<T> whole = square_root(Acc<T>(short_of_one(beta2, now)));
    scale = Acc<T>(rate) * whole * reciprocal(Acc<T>(short_of_one(beta1, now)));
    floor = eps * whole;
    left = 1 - rate * shrink;
  }
  __syncthreads();
  p = (T*)piece.at[0], g = (T*)piece.at[1], m = (T*)piece.at[2], v = (T*)piece.at[3], v_max = (T*)piece.at[4];
  uint64 addresses = (uint64)p | (uint64)g | (uint64)m | (uint64)v | (uint64)v_max;
  over_lanes<T>(piece, addresses, [=](int i, auto lanes) {
    using L = decltype(lanes);
    L x = read<L>(p + i), y = read<L>(g + i), z = read<L>(m + i), w = read<L>(v + i);
    Acc<T> first[L::WIDTH], second[L::WIDTH];
#pragma unroll
    for (int k = 0; k < L::WIDTH; k++) {
      Acc<T> descent = sign * load(y.at[k]) + decay * load(x.at[k]);
      first[k] = keep1 * load(z.at[k]) + take1 * descent;
      second[k] = keep2 * load(w.at[k]) + take2 * (descent * descent);
    }
    write<L>(m + i, first);
    write<L>(v + i, second);
    if (v_max) {
      y = read<L>(v_max + i);
#pragma unroll
      for (int k = 0; k < L::WIDTH; k++) second[k] = Max::of(load(y.at[k]), second[k]);
      write<L>(v_max + i, second);
    }
#pragma unroll
    for (int k = 0; k < L::WIDTH; k++) second[k] = square_root(second[k]) + floor;
#pragma unroll
    for (int k = 0; k < L::WIDTH; k++) first[k] = left * load(x.at[k]) - scale * (first[k] * reciprocal(second[k]));
    write<L>(p + i, first);
  });
}

template <typename T>
__global__ void __launch_bounds__(THREADS)
lion_update(T* p, const T* g, T* m, double* step, const double* lr, const float* found_inf, Acc<T> keep1, Acc<T> take1,
            Acc<T> keep2, Acc<T> take2, Acc<T> shrink, Acc<T> sign, const int64* table, int rows, int n) {
  auto piece = piece_of(table, rows, n, p, g, m, step, lr, found_inf);
  if (holds((float*)piece.at[5])) return;
  if (piece.block == 0 && threadIdx.x == 0) *(double*)piece.at[3] += 1;
  Acc<T> rate = *(double*)piece.at[4], left = 1 - rate * shrink;
  p = (T*)piece.at[0], g = (T*)piece.at[1], m = (T*)piece.at[2];
  over_lanes<T>(piece, (uint64)p | (uint64)g | (uint64)m, [=](int i, auto lanes) {
    using L = decltype(lanes);
    L x = read<L>(p + i), y = read<L>(g + i), z = read<L>(m + i);
    Acc<T> moved[L::WIDTH], first[L::WIDTH];
#pragma unroll
    for (int k = 0; k < L::WIDTH; k++) {
      Acc<T> descent = sign * load(y.at[k]), old = load(z.at[k]), way = keep1 * old + take1 * descent;
      first[k] = keep2 * old + take2 * descent;
      moved[k] = left * load(x.at[k]) - rate * (way > 0 ? 1 : way < 0 ? -1 : way);
    }
    write<L>(m + i, first);
    write<L>(p + i, moved);
  });
}

template <typename T>
__global__ void __launch_bounds__(THREADS)
rmsprop_update(T* p, const T* g, T* square, T* velocity, T* mean, double* step, const double* lr, const float* found_inf,
               Acc<T> alpha, Acc<T> rest, Acc<T> eps, Acc<T> decay, Acc<T> momentum, Acc<T> sign,
               const int64* table, int rows, int n) {
  auto piece = piece_of(table, rows, n, p, g, square, velocity, mean, step, lr, found_inf);
  if (holds((float*)piece.at[7])) return;
  if (piece.block == 0 && threadIdx.x == 0) *(double*)piece.at[5] += 1;
  Acc<T> rate = *(double*)piece.at[6];
  p = (T*)piece.at[0], g = (T*)piece.at[1], square = (T*)piece.at[2], velocity = (T*)piece.at[3], mean = (T*)piece.at[4];
  uint64 addresses = (uint64)p | (uint64)g | (uint64)square | (uint64)velocity | (uint64)mean;
  over_lanes<T>(piece, addresses, [=](int i, auto lanes) {
    using L = decltype(lanes);
    L x = read<L>(p + i), y = read<L>(g + i), z = read<L>(square + i);
    Acc<T> along[L::WIDTH], second[L::WIDTH], other[L::WIDTH];
#pragma unroll
    for (int k = 0; k < L::WIDTH; k++) {
      along[k] = sign * load(y.at[k]) + decay * load(x.at[k]);
      second[k] = alpha * load(z.at[k]) + rest * (along[k] * along[k]);
    }
    write<L>(square + i, second);
    if (mean) {
      y = read<L>(mean + i);
#pragma unroll
      for (int k = 0; k < L::WIDTH; k++) {
        other[k] = alpha * load(y.at[k]) + rest * along[k];
        second[k] = Max::of(second[k] - other[k] * other[k], Acc<T>(0));
      }
      write<L>(mean + i, other);
    }
#pragma unroll
    for (int k = 0; k < L::WIDTH; k++) along[k] *= reciprocal(square_root(second[k]) + eps);
    if (velocity) {
      y = read<L>(velocity + i);
#pragma unroll
      for (int k = 0; k < L::WIDTH; k++) along[k] += momentum * load(y.at[k]);
      write<L>(velocity + i, along);
    }
#pragma unroll
    for (int k = 0; k < L::WIDTH; k++) along[k] = load(x.at[k]) - rate * along[k];
    write<L>(p + i, along);
  });
}
