// Sums and maxima of rows and of columns, in an order that depends on shapes alone.

// What two numbers become: their sum, or the larger one; NaN if either is.
template <typename A> struct Pair {
  bool largest;
  __device__ __forceinline__ A identity() const { return largest ? -infinity<A>() : A(0); }
  __device__ __forceinline__ A operator()(A a, A b) const { return largest ? Max::of(a, b) : a + b; }
};

// so many are combined one by one; then what they became is, so that rounding errors stay small
enum : int { RUN = 32 };
// so many vectors a thread reads before it uses the first: memory is far away, and delivers more the more are asked for
enum : int { AHEAD = 4 };

// total[k * THREADS] combined with all that item(i, stop, part) combines with part[k], for i from ``first`` by ``step``;
// it takes EACH of them, those before ``stop``
template <int N, int EACH, typename A, typename F>
__device__ __forceinline__ void fold(A* total, Pair<A> pair, int first, int end, int step, F item) {
  while (first < end) {
    A part[N];
#pragma unroll
    for (int k = 0; k < N; k++) part[k] = pair.identity();
#pragma unroll 1
    for (int stop = min(end, first + RUN * step); first < stop; first += EACH * step) item(first, stop, part);
#pragma unroll
    for (int k = 0; k < N; k++) total[k * THREADS] = pair(total[k * THREADS], part[k]);
    asm volatile("" ::: "memory");  // or the compiler keeps them in registers from run to run
  }
}

// where a thread is in a strip of columns that is ``lanes`` vectors of N numbers across
template <int N> struct Place {
  int level, depth, column;
  bool idle;
  __device__ __forceinline__ Place(int thread, int lanes, int columns)
      : level(thread / lanes), depth(THREADS / lanes), column((blockIdx.x * lanes + thread % lanes) * N) {
    idle = level >= depth || column >= columns;
  }
};

// combine(v, here) for AHEAD vectors at x, x + step, ..., which are for ``at``, at + hop, ..., those before ``stop``.
// ``here`` elements of the first one exist, ``fewer`` of each next one; where memory is ``whole``, all elements do.
template <typename T, typename F>
__device__ __forceinline__ void combine_ahead(
    const T* x, int step, int at, int hop, int stop, int here, int fewer, bool whole, F combine) {
  if (whole && at + (AHEAD - 1) * hop < stop) {
    Vector<T> v[AHEAD];
#pragma unroll
    for (int u = 0; u < AHEAD; u++) v[u] = load_vector(x + u * step);
#pragma unroll
    for (int u = 0; u < AHEAD; u++) combine(v[u], here - u * fewer);
    return;
  }
#pragma unroll 1
  for (int u = 0; u < AHEAD && at < stop; u++, at += hop, here -= fewer, x += step) combine(load_part(x, here), here);
}

// Reduces columns: a block takes a strip of ``lanes`` vectors across and ``share`` rows down, and whichever block of a
// strip comes last combines what all of them found. row(r, column, part, depth, stop) combines a vector of row r with
// part, and of those ``depth`` further on EACH in all, before ``stop``; done(column, total) takes a vector of results, total[k * THREADS].
template <int N, int EACH, typename A, typename Row, typename Done>
__device__ __forceinline__ void over_columns(Row row, Done done, Pair<A> pair, A* partial, int* tickets, int rows,
                                             int columns, int lanes, int share) {
  __shared__ A totals[N * THREADS];
  int thread = threadIdx.x;
  {
    Place<N> at(thread, lanes, columns);
    int end = min(rows, (int)(blockIdx.y + 1) * share), first = at.idle ? end : blockIdx.y * share + at.level;
    A* total = totals + thread;
#pragma unroll
    for (int k = 0; k < N; k++) total[k * THREADS] = pair.identity();
    fold<N, EACH>(total, pair, first, end, at.depth,
                  [&](int r, int stop, A* part) { row(r, at.column, part, at.depth, stop); });
  }
  asm volatile("" : "+r"(thread));  // what follows is computed anew, not kept in registers
  Place<N> at(thread, lanes, columns);
  A* total = totals + thread;
#pragma unroll 1
  for (bool last = gridDim.y == 1;; last = true) {
#pragma unroll 1
    for (int height = at.depth; height > 1;) {
      int below = height;
      height = (height + 1) / 2;
      __syncthreads();
      if (at.level + height < below) {
#pragma unroll
        for (int k = 0; k < N * THREADS; k += THREADS) total[k] = pair(total[k], total[k + height * lanes]);
      }
    }
    if (last) break;
    int width = gridDim.x * lanes * N;
    A* found = partial + blockIdx.z * gridDim.y * width + at.column;
    if (at.level == 0 && !at.idle) {
#pragma unroll
      for (int k = 0; k < N; k++) found[blockIdx.y * width + k] = total[k * THREADS];
    }
    if (!is_last_block(tickets + blockIdx.z * gridDim.x + blockIdx.x, gridDim.y)) return;
#pragma unroll
    for (int k = 0; k < N; k++) total[k * THREADS] = pair.identity();
    fold<N, 1>(total, pair, at.level, at.idle ? 0 : gridDim.y, at.depth, [&](int r, int, A* part) {
#pragma unroll
      for (int k = 0; k < N; k++) part[k] = pair(part[k], found[r * width + k]);
    });
  }
  if (at.level == 0 && !at.idle) done(at.column, total);
}

// ``across``: x is a long row, as many columns as a vector has, and after them the ``rest``; its columns are combined
template <typename T>
__global__ void __launch_bounds__(THREADS, 6)
reduce_columns(const T* __restrict__ x, T* __restrict__ out, bool largest, Acc<T> divisor, Acc<T>* partial,
               int* tickets, int rows, int columns, int lanes, int share, bool across, int rest) {
  constexpr int N = Vector<T>::WIDTH;
  Pair<Acc<T>> pair{largest};
  x += blockIdx.z * (rows * columns + rest);
  bool whole = columns % N == 0 && aligned(x);
  auto row = [=](int r, int column, Acc<T>* part, int depth, int stop) {
    auto combine = [=](Vector<T> v, int) {
#pragma unroll
      for (int k = 0; k < N; k++) part[k] = pair(part[k], load(v.at[k]));
    };
    combine_ahead(x + r * columns + column, depth * columns, r, depth, stop, columns - column, 0, whole, combine);
  };
  auto done = [=](int column, Acc<T>* total) {
    if (across) {
      Acc<T> value = total[0];
#pragma unroll
      for (int k = 1; k < N; k++) value = pair(value, total[k * THREADS]);
      for (int i = 0; i < rest; i++) value = pair(value, load(x[rows * N + i]));
      out[blockIdx.z] = store<T>(value / divisor);
    } else {
#pragma unroll
      for (int k = 0; k < N; k++) {
        if (column + k < columns) out[blockIdx.z * columns + column + k] = store<T>(total[k * THREADS] / divisor);
      }
    }
  };
  over_columns<N, AHEAD>(row, done, pair, partial, tickets, rows, columns, lanes, share);
}

// ``lanes`` of a warp take a row
template <typename T>
__global__ void __launch_bounds__(THREADS, 6)
reduce_rows(const T* __restrict__ x, T* __restrict__ out, bool largest, Acc<T> divisor, int rows, int columns,
            int lanes) {
  constexpr int N = Vector<T>::WIDTH;
  Pair<Acc<T>> pair{largest};
  int lane = threadIdx.x % lanes, row = blockIdx.x * (THREADS / lanes) + threadIdx.x / lanes;
  Acc<T> total = pair.identity();
  x += row * columns;
  bool whole = columns % N == 0 && aligned(x);
  int step = lanes * N;
  fold<1, AHEAD>(&total, pair, lane * N, row < rows ? columns : 0, step, [=](int column, int stop, Acc<T>* part) {
    auto combine = [=](Vector<T> v, int here) {
#pragma unroll
      for (int k = 0; k < N; k++) {
        if (k < here) *part = pair(*part, load(v.at[k]));
      }
    };
    combine_ahead(x + column, step, column, step, stop, columns - column, step, whole, combine);
  });
  for (int distance = lanes / 2; distance; distance /= 2) total = pair(total, __shfl_xor_sync(ALL, total, distance));
  if (row < rows && lane == 0) out[row] = store<T>(total / divisor);
}
