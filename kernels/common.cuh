// What every kernel here is made of: number types, vectors of 16 bytes, reductions over a warp and over a block.
//
// Nothing is included, so that a program compiles in a fraction of a second and does not depend on a CUDA installation.

enum : int { THREADS = 256, WARP = 32 };  // threads of a block, unless a kernel says otherwise, and lanes of a warp
enum : unsigned { ALL = 0xffffffffu };    // the lanes of a warp, as a mask

using int64 = long long;
using uint64 = unsigned long long;
using uint32 = unsigned int;

// ---- numbers: stored as T, computed with as Acc<T> (float for the 16-bit types)

struct f16 {
  unsigned short bits;
};
struct bf16 {
  unsigned short bits;
};

template <typename T> struct Computed { using type = T; };
template <> struct Computed<f16> { using type = float; };
template <> struct Computed<bf16> { using type = float; };
template <typename T> using Acc = typename Computed<T>::type;

__device__ __forceinline__ float load(float x) { return x; }
__device__ __forceinline__ double load(double x) { return x; }
__device__ __forceinline__ float load(f16 x) {
  float wide;
  asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(x.bits));
  return wide;
}
__device__ __forceinline__ float load(bf16 x) { return __uint_as_float((uint32)x.bits << 16); }

// a number as T, rounded to nearest, ties to even
template <typename T> __device__ __forceinline__ T store(Acc<T> x) { return x; }
template <> __device__ __forceinline__ f16 store<f16>(float x) {
  f16 narrow;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(narrow.bits) : "f"(x));
  return narrow;
}
template <> __device__ __forceinline__ bf16 store<bf16>(float x) {
  uint32 bits = __float_as_uint(x);
  bf16 narrow;
  narrow.bits = x != x ? 0x7fff : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  return narrow;
}

// ---- functions of numbers; NaN stays NaN

template <typename A> __device__ __forceinline__ A infinity() { return A(__int_as_float(0x7f800000)); }
template <typename A> __device__ __forceinline__ A clip(A x, A low, A high) { return x < low ? low : x > high ? high : x; }

// 1 / x; as float within an ulp, without the detour that division takes around subnormal numbers
__device__ __forceinline__ double reciprocal(double x) { return 1 / x; }
__device__ __forceinline__ float reciprocal(float x) {
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(x) : "f"(x));
  return x;
}

// ---- vectors: 16 bytes, what one thread moves at a time

template <typename T> struct alignas(16) Vector {
  enum : int { WIDTH = 16 / sizeof(T) };
  T at[WIDTH];
};

template <typename T> __device__ __forceinline__ Vector<T> load_vector(const T* from) {
  uint4 bits = *reinterpret_cast<const uint4*>(from);
  return *reinterpret_cast<Vector<T>*>(&bits);
}
template <typename T> __device__ __forceinline__ void store_vector(T* to, Vector<T> x) {
  *reinterpret_cast<uint4*>(to) = *reinterpret_cast<uint4*>(&x);
}

template <typename... P> __device__ __forceinline__ bool aligned(P... pointers) {
  return ((reinterpret_cast<uint64>(pointers) | ...) & 15) == 0;
}

// A vector of which ``count`` elements exist, more or fewer: 16 bytes at once if all do and memory is aligned, otherwise
// one by one; what is not there reads as 0.
template <typename T> __device__ __forceinline__ Vector<T> load_part(const T* __restrict__ from, int count) {
  if (count >= Vector<T>::WIDTH && aligned(from)) return load_vector(from);
  Vector<T> x = {};
#pragma unroll
  for (int k = 0; k < Vector<T>::WIDTH; k++)
    if (k < count) x.at[k] = from[k];
  return x;
}
template <typename T> __device__ __forceinline__ void store_part(T* __restrict__ to, int count, Vector<T> x) {
  if (count >= Vector<T>::WIDTH && aligned(to)) return store_vector(to, x);
#pragma unroll
  for (int k = 0; k < Vector<T>::WIDTH; k++)
    if (k < count) to[k] = x.at[k];
}

// f of the first elements of some vectors, of the second ones, ...
template <typename T, typename F, typename... In>
__device__ __forceinline__ Vector<T> each(F f, Vector<In>... x) {
  Vector<T> result;
#pragma unroll
  for (int k = 0; k < Vector<T>::WIDTH; k++) result.at[k] = store<T>(f(load(x.at[k])...));
  return result;
}

// out[i] = f(in[i]...) for all i < n, by an exact grid: a thread for each vector, the last ones element by element
template <typename T, typename F, typename... In>
__device__ __forceinline__ void map(int n, F f, T* __restrict__ out, const In* __restrict__... in) {
  int i = (blockIdx.x * THREADS + threadIdx.x) * Vector<T>::WIDTH;
  int end = i + Vector<T>::WIDTH;
  if (end <= n && aligned(out, in...)) {
    store_vector(out + i, each<T>(f, load_vector(in + i)...));
  } else {
#pragma unroll 1
    for (; i < end && i < n; i++) out[i] = store<T>(f(load(in[i])...));
  }
}

// ---- reductions

struct Sum {
  template <typename A> static __device__ __forceinline__ A identity() { return A(0); }
  template <typename A> static __device__ __forceinline__ A of(A a, A b) { return a + b; }
};
// the larger one; NaN if either is, which fmaxf would lose
struct Max {
  template <typename A> static __device__ __forceinline__ A identity() { return A(-1) / A(0); }
  template <typename A> static __device__ __forceinline__ A of(A a, A b) { return a > b || a != a ? a : b; }
};

// over the lanes of a warp (all of them must come); every lane gets the result, which does not depend on timing
template <typename R, typename A> __device__ __forceinline__ A warp_reduce(A x) {
#pragma unroll
  for (int distance = WARP / 2; distance; distance /= 2) x = R::of(x, __shfl_xor_sync(ALL, x, distance));
  return x;
}

// over the threads of a block of whole warps (all of them must come); every thread gets the result
template <typename R, typename A> __device__ __forceinline__ A block_reduce(A x) {
  __shared__ A partial[WARP];
  int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  x = warp_reduce<R>(x);
  if (lane == 0) partial[warp] = x;
  __syncthreads();
  x = lane < blockDim.x / WARP ? partial[lane] : R::template identity<A>();
  x = warp_reduce<R>(x);
  __syncthreads();  // before ``partial`` is used again
  return x;
}

// Whether this block is the last of ``blocks`` to come here with this ticket. What the others wrote before is visible
// to it then: partial results are added up by whoever comes last, in one launch and in a fixed order.
__device__ __forceinline__ bool is_last_block(int* ticket, int blocks) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last = atomicAdd(ticket, 1) == blocks - 1;
    if (last) *ticket = 0;  // as the next launch wants to find it
  }
  __syncthreads();
  if (last) __threadfence();
  return last;
}

// ---- teams: threads that go through one group of elements together, a row or a channel

// what ``Team::reduce`` does; not inlined: kernels reduce several times, and compile in half the time for it
template <typename R, typename A> __device__ __noinline__ A team_reduce(int size, int step, A x) {
  int reach = size * step;
#pragma unroll 1
  for (int distance = min(reach, WARP) / 2; distance >= step; distance /= 2)
    x = R::of(x, __shfl_xor_sync(ALL, x, distance));
  if (reach <= WARP) return x;
  __shared__ A partial[THREADS];
  int column = threadIdx.x & (step - 1), warp = threadIdx.x / WARP;
  if (threadIdx.x % WARP < step) partial[warp * step + column] = x;
  __syncthreads();
  x = partial[column];
#pragma unroll 1
  for (warp = 1; warp < THREADS / WARP; warp++) x = R::of(x, partial[warp * step + column]);
  __syncthreads();  // before ``partial`` is used again
  return x;
}

// A team is a power of two of neighbouring threads in one warp, or the whole block; or, with a ``step``, every step-th
// thread of the block, for groups that lie side by side in memory.
struct Team {
  int size, step, lane, index;  // threads; this one's place among them; which group of the grid they have

  __device__ __forceinline__ Team(int size, int step, int first)
      : size(size), step(step), lane(threadIdx.x / step & (size - 1)),
        index(first + (step == 1 ? threadIdx.x / size : threadIdx.x & (step - 1))) {}
  __device__ __forceinline__ Team(int size, int step) : Team(size, step, blockIdx.x * (THREADS / size)) {}

  // over the threads of the team (all threads of the block must come); each gets the result, which no timing changes
  template <typename R, typename A> __device__ __forceinline__ A reduce(A x) const {
    return team_reduce<R>(size, step, x);
  }
};

// The same answer, but in a loop no reason for the compiler to write the loop out twice, once for each.
__device__ __forceinline__ bool asked(int yes) {
  asm volatile("" : "+r"(yes));
  return yes;
}

// The elements of a team's group: runs of ``inner`` neighbours, ``outer`` from one run to the next (0: a single run).
struct Group {
  Team team;
  int count, inner, outer;
  bool vectors;  // whether a thread takes vectors, or single elements

  __device__ __forceinline__ int at(uint32 j) const { return outer ? j / inner * outer + j % inner : j; }

  // whether this thread has the j-th element
  template <typename T> __device__ __forceinline__ bool owns(int j) const {
    return 0 <= j && j < count && (vectors ? j / Vector<T>::WIDTH : j) % team.size == team.lane;
  }

  // f(j, vectors) for the elements, or the first ones of the vectors, that this thread has
  template <typename T, typename F> __device__ __forceinline__ void walk(F f) const {
    int width = vectors ? int(Vector<T>::WIDTH) : 1;
#pragma unroll 1
    for (uint32 j = team.lane * width; j < (uint32)count; j += team.size * width) f((int)j, asked(vectors));
  }

  // the vector that begins with the j-th element, or this element alone
  template <typename T> __device__ __forceinline__ Vector<T> fetch(const T* x, int j, bool wide) const {
    if (wide) return load_vector(x + at(j));
    Vector<T> result{};
    result.at[0] = x[at(j)];
    return result;
  }

  // f(j, in[j]...) for the j-th element of the group; the pointers are to its first
  template <typename F, typename T, typename... In>
  __device__ __forceinline__ void visit(F f, const T* first, const In*... rest) const {
    walk<T>([&](int j, bool wide) {
      auto each = [&](const auto&... x) {
        f(j, load(x.at[0])...);
        if (!wide) return;
#pragma unroll
        for (int k = 1; k < Vector<T>::WIDTH; k++) f(j + k, load(x.at[k])...);
      };
      each(fetch(first, j, wide), fetch(rest, j, wide)...);
    });
  }

  // out[j] = f(j, in[j]...) in the same way
  template <typename F, typename T, typename... In>
  __device__ __forceinline__ void rewrite(F f, T* out, const In*... in) const {
    walk<T>([&](int j, bool wide) {
      auto each = [&](const auto&... x) {
        Vector<T> result;
        result.at[0] = store<T>(f(j, load(x.at[0])...));
        if (!wide) {
          out[at(j)] = result.at[0];
          return;
        }
#pragma unroll
        for (int k = 1; k < Vector<T>::WIDTH; k++) result.at[k] = store<T>(f(j + k, load(x.at[k])...));
        store_vector(out + at(j), result);
      };
      each(fetch(in, j, wide)...);
    });
  }
};

// the elements of a team; none where there are no more groups
template <typename T, typename... P>
__device__ __forceinline__ Group group_of(
    const Team& team, int groups, int count, int inner, int outer, const P*... arrays) {
  bool vectors = inner % Vector<T>::WIDTH == 0 && aligned(arrays...);
  return {team, team.index < groups ? count : 0, inner, outer, vectors};
}
template <typename T, typename... P>
__device__ __forceinline__ Group row_of(const Team& team, int rows, int columns, const P*... arrays) {
  return group_of<T>(team, rows, columns, columns, 0, arrays...);
}
// all n elements, for all threads of the grid: there is no reducing in this team
template <typename T, typename... P> __device__ __forceinline__ Group all_of(int n, const P*... arrays) {
  Team grid(THREADS, 1, 0);
  grid.index = 0, grid.lane += blockIdx.x * THREADS, grid.size *= gridDim.x;
  return row_of<T>(grid, 1, n, arrays...);
}

// Sums over all threads of the grid, in an order that no timing changes; the last block alone gets them.
// ``partial`` has room for them for each block.
template <int K, typename A> __device__ __forceinline__ bool grid_sum(A (&sums)[K], A* partial, int* ticket) {
  Team block(THREADS, 1, 0);
#pragma unroll
  for (int k = 0; k < K; k++) {
    A sum = block.reduce<Sum>(sums[k]);
    if (threadIdx.x == 0) partial[blockIdx.x * K + k] = sum;
    sums[k] = 0;
  }
  if (!is_last_block(ticket, gridDim.x)) return false;
#pragma unroll 1
  for (int i = threadIdx.x; i < gridDim.x; i += THREADS)
#pragma unroll
    for (int k = 0; k < K; k++) sums[k] += partial[i * K + k];
#pragma unroll
  for (int k = 0; k < K; k++) sums[k] = block.reduce<Sum>(sums[k]);
  return true;
}

// ``factor`` times the sum of f over all elements, in one launch
template <typename T, typename F>
__device__ __forceinline__ void sum_all(
    int n, F f, const T* a, const T* b, T* out, Acc<T> factor, Acc<T>* partial, int* ticket) {
  Acc<T> sums[1] = {0};
  all_of<T>(n, a, b).visit([&](int, Acc<T> a, Acc<T> b) { sums[0] += f(a, b); }, a, b);
  if (grid_sum(sums, partial, ticket) && threadIdx.x == 0) *out = store<T>(sums[0] * factor);
}

// ---- indices that are out of range are noted, not followed

// fault[0] becomes ``op`` with the first such index, fault[1..3] the index, what it must be below, and where it stood
__device__ __forceinline__ void note_fault(int64* fault, int op, int64 index, int64 size, int64 position) {
  if (atomicCAS(reinterpret_cast<uint64*>(fault), 0ull, (uint64)op) == 0) {
    fault[1] = index;
    fault[2] = size;
    fault[3] = position;
  }
}
