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
// the same where a vector is not ``whole``: what is beyond from[last] repeats that
template <typename T> __device__ __forceinline__ Vector<T> load_vector(const T* from, int last, bool whole) {
  if (whole) return load_vector(from);
  Vector<T> x;
#pragma unroll
  for (int k = 0; k < Vector<T>::WIDTH; k++) x.at[k] = from[min(k, last)];
  return x;
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

// ---- indices that are out of range are noted, not followed

// fault[0] becomes ``op`` with the first such index, fault[1..3] the index, what it must be below, and where it stood
__device__ __forceinline__ void note_fault(int64* fault, int op, int64 index, int64 size, int64 position) {
  if (atomicCAS(reinterpret_cast<uint64*>(fault), 0ull, (uint64)op) == 0) {
    fault[1] = index;
    fault[2] = size;
    fault[3] = position;
  }
}
