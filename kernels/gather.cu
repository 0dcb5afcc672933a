// Gathering and scattering along an axis, and the ranges of indices.
//
// An array is (before, size, after) around the axis of ``size`` rows, and what is gathered from it (before, count, after).

// the row that an index names; -1, and a fault, if there is none
__device__ __forceinline__ int row_of(int64 index, int size, int64* fault, int op, int position) {
  if (uint64(index) < uint64(size)) return int(index);
  note_fault(fault, op, index, size, position);
  return -1;
}

// where in the array element ``o`` of what is gathered has its place; -1 if its index is out of range
__device__ __forceinline__ int place_of(
    uint32 o, const int64* __restrict__ indices, int64* fault, int op, int size, int count, int after) {
  uint32 whole = o / uint32(after), position = whole % uint32(count);
  int row = row_of(indices[position], size, fault, op, position);
  return row < 0 ? -1 : int((whole / uint32(count) * size + row) * after + o % uint32(after));
}

// out is x at ``indices`` along the axis, and 0 where there is no such row; n is its size
template <typename T>
__global__ void __launch_bounds__(THREADS)
take(const T* __restrict__ x, const int64* __restrict__ indices, T* __restrict__ out, int64* fault, int op, int size, int count, int after, int n) {
  constexpr int width = Vector<T>::WIDTH;
  uint32 first = blockIdx.x * (THREADS * width);
  if (after % width == 0 && aligned(x, out)) {
    uint32 o = first + threadIdx.x * width;
    if (o >= uint32(n)) return;
    int place = place_of(o, indices, fault, op, size, count, after);
    store_vector(out + o, place < 0 ? Vector<T>{} : load_vector(x + place));
  } else {
#pragma unroll 1
    for (uint32 o = first + threadIdx.x; o < uint32(n) && o < first + THREADS * width; o += THREADS) {
      int place = place_of(o, indices, fault, op, size, count, after);
      out[o] = place < 0 ? T{} : x[place];
    }
  }
}

// x added to out, zeros, at ``indices`` along the axis, in no order; n is the size of x
template <typename T>
__global__ void __launch_bounds__(THREADS)
scatter_add_fast(const T* __restrict__ x, const int64* __restrict__ indices, Acc<T>* __restrict__ out, int64* fault, int op, int size, int count, int after, int n) {
  int o = blockIdx.x * THREADS + threadIdx.x;
  if (o >= n) return;
  int place = place_of(o, indices, fault, op, size, count, after);
  if (place >= 0) atomicAdd(out + place, load(x[o]));
}

// Zeros with x added at ``indices`` along the axis, in order: the same bits in every run, and on the CPU.
//
// A cell is a vector of a row of out, and one thread's to write. A block looks through all indices, a tile at a time,
// for those of the rows that its cells are in, and marks them by bits, in which their order is kept.
template <typename T>
__global__ void __launch_bounds__(THREADS)
scatter_add(const T* __restrict__ x, const int64* __restrict__ indices, T* __restrict__ out, int64* fault, int op, int before, int size, int after, int count) {
  constexpr int width = Vector<T>::WIDTH, tile = WARP * WARP;
  __shared__ uint32 marks[WARP];
  __shared__ int rows[tile];
  uint32 columns = (after + width - 1) / width, cells = before * columns;  // of a row
  uint32 first = blockIdx.x * THREADS, cell = first + threadIdx.x;
  int row = cell / cells, lowest = first / cells, highest = (first + THREADS - 1) / cells;
  int outer = cell % cells / columns, column = cell % columns * width;
  for (uint32 i = cell; i < uint32(count); i += gridDim.x * THREADS) row_of(indices[i], size, fault, op, i);
  Acc<T> sum[width] = {};
  for (int start = 0; start < count; start += tile) {
#pragma unroll
    for (int k = 0; k < tile / THREADS; k++) {
      int at = k * THREADS + threadIdx.x;
      int64 index = start + at < count ? indices[start + at] : -1;
      rows[at] = int(index);
      uint32 bits = __ballot_sync(ALL, index >= lowest && index <= highest);
      if (at % WARP == 0) marks[at / WARP] = bits;
    }
    __syncthreads();
    for (uint32 groups = __ballot_sync(ALL, marks[threadIdx.x % WARP] != 0); groups; groups &= groups - 1) {
      int group = __ffs(groups) - 1;
      for (uint32 bits = marks[group]; bits; bits &= bits - 1) {
        int at = group * WARP + __ffs(bits) - 1;
        if (rows[at] != row) continue;
        Vector<T> part = load_part(x + (outer * count + start + at) * after + column, after - column);
#pragma unroll
        for (int k = 0; k < width; k++) sum[k] += load(part.at[k]);
      }
    }
    __syncthreads();
  }
  if (row >= size) return;
  Vector<T> result;
#pragma unroll
  for (int k = 0; k < width; k++) result.at[k] = store<T>(sum[k]);
  store_part(out + (outer * size + row) * after + column, after - column, result);
}

// an index along an axis, negative ones counted from its end; 0 for one that is out of range
__global__ void __launch_bounds__(THREADS) ravel_multi_index(const int64* __restrict__ index, int64* __restrict__ out, int64 size, int64* fault, int op, int n) {
  int i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= n) return;
  int64 given = index[i], counted = given < 0 ? given + size : given;
  bool good = uint64(counted) < uint64(size);
  if (!good) note_fault(fault, op, given, size, i);
  out[i] = good ? counted : 0;
}

// notes an index that is neither from ``low`` to below ``high`` nor ``ignore``
__global__ void __launch_bounds__(THREADS) check_range(const int64* __restrict__ indices, int64 low, int64 high, int64 ignore, int64* fault, int op, int n) {
  int i = blockIdx.x * THREADS + threadIdx.x;
  if (i >= n) return;
  int64 index = indices[i];
  if ((index < low || index >= high) && index != ignore) note_fault(fault, op, index, high, i);
}
