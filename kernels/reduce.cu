// Sums and maxima of rows and of columns, in an order that depends on shapes alone.

// What two numbers become: their sum, or the larger one; NaN if either is.
template <typename A> struct Pair {
  bool largest;
  __device__ __forceinline__ A identity() const { return largest ? -infinity<A>() : A(0); }
  __device__ __forceinline__ A operator()(A a, A b) const { return largest ? Max::of(a, b) : a + b; }
};

// so many are combined one by one; then what they became is, so that rounding errors stay small
enum : int { RUN = 32 };

// total[k * THREADS] combined with all that item(i, part) combines with part[k], for i from ``first`` by ``step``
template <int N, typename A, typename F>
__device__ __forceinline__ void fold(A* total, Pair<A> pair, int first, int end, int step, F item) {
  while (first < end) {
    A part[N];
#pragma unroll
    for (int k = 0; k < N; k++) part[k] = pair.identity();
#pragma unroll 1
    for (int stop = min(end, first + RUN * step); first < stop; first += step) item(first, part);
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

// Reduces columns: a block takes a strip of ``lanes`` vectors across and ``share`` rows down, and whichever block of a
// strip comes last combines what all of them found. row(r, column, part) combines a vector of row r with part, and
// done(column, total) takes a vector of results, total[k * THREADS].
template <int N, typename A, typename Row, typename Done>
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
    fold<N>(total, pair, first, end, at.depth, [&](int r, A* part) { row(r, at.column, part); });
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
    fold<N>(total, pair, at.level, at.idle ? 0 : gridDim.y, at.depth, [&](int r, A* part) {
#pragma unroll
      for (int k = 0; k < N; k++) part[k] = pair(part[k], found[r * width + k]);
    });
  }
  if (at.level == 0 && !at.idle) done(at.column, total);
}

// ``across``: x is a long row, as many columns as a vector has, and after them the ``rest``; its columns are combined
template <typename T>
__global__ void __launch_bounds__(THREADS)
reduce_columns(const T* __restrict__ x, T* __restrict__ out, bool largest, Acc<T> divisor, Acc<T>* partial,
               int* tickets, int rows, int columns, int lanes, int share, bool across, int rest) {
  constexpr int N = Vector<T>::WIDTH;
  Pair<Acc<T>> pair{largest};
  x += blockIdx.z * (rows * columns + rest);
  auto row = [=](int r, int column, Acc<T>* part) {
    Vector<T> v = load_part(x + r * columns + column, columns - column);
#pragma unroll
    for (int k = 0; k < N; k++) part[k] = pair(part[k], load(v.at[k]));
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
  over_columns<N>(row, done, pair, partial, tickets, rows, columns, lanes, share);
}

// ``lanes`` of a warp take a row
template <typename T>
__global__ void __launch_bounds__(THREADS)
reduce_rows(const T* __restrict__ x, T* __restrict__ out, bool largest, Acc<T> divisor, int rows, int columns,
            int lanes) {
  constexpr int N = Vector<T>::WIDTH;
  Pair<Acc<T>> pair{largest};
  int lane = threadIdx.x % lanes, row = blockIdx.x * (THREADS / lanes) + threadIdx.x / lanes;
  Acc<T> total = pair.identity();
  x += row * columns;
  fold<1>(&total, pair, lane * N, row < rows ? columns : 0, lanes * N, [=](int column, Acc<T>* part) {
    Vector<T> v = load_part(x + column, columns - column);
#pragma unroll
    for (int k = 0; k < N; k++) {
      if (column + k < columns) *part = pair(*part, load(v.at[k]));
    }
  });
  for (int distance = lanes / 2; distance; distance /= 2) total = pair(total, __shfl_xor_sync(ALL, total, distance));
  if (row < rows && lane == 0) out[row] = store<T>(total / divisor);
}
