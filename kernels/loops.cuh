// What generated loops are made of, beside common.cuh: vectors of any width, functions with NumPy's NaN, sums of strips.

using int32 = int;
using int8 = signed char;
using uint8 = unsigned char;
using int16 = short;
using uint16 = unsigned short;

// ---- packs: W neighbouring numbers, moved at once

template <int BYTES> struct Bits;
template <> struct Bits<16> { using type = uint4; };
template <> struct Bits<8> { using type = uint2; };
template <> struct Bits<4> { using type = uint32; };
template <> struct Bits<2> { using type = uint16; };
template <> struct Bits<1> { using type = uint8; };

template <typename T, int W> struct alignas(sizeof(T) * W) Pack {
  T at[W];
};

template <int W, typename T> __device__ __forceinline__ Pack<T, W> load_pack(const T* from) {
  auto bits = *reinterpret_cast<const typename Bits<sizeof(T) * W>::type*>(from);
  return *reinterpret_cast<Pack<T, W>*>(&bits);
}
template <int W, typename T> __device__ __forceinline__ void store_pack(T* to, Pack<T, W> x) {
  using type = typename Bits<sizeof(T) * W>::type;
  *reinterpret_cast<type*>(to) = *reinterpret_cast<type*>(&x);
}

// those of a pack that exist, ``count`` of them, more or fewer; the others read as 0
template <int W, typename T> __device__ __forceinline__ Pack<T, W> load_some(const T* from, int count) {
  Pack<T, W> x = {};
#pragma unroll
  for (int k = 0; k < W; k++)
    if (k < count) x.at[k] = from[k];
  return x;
}
template <int W, typename T> __device__ __forceinline__ void store_some(T* to, int count, Pack<T, W> x) {
#pragma unroll
  for (int k = 0; k < W; k++)
    if (k < count) to[k] = x.at[k];
}

// ---- functions, as NumPy defines them

template <typename A> __device__ __forceinline__ A not_a_number() { return A(__int_as_float(0x7fc00000)); }
__device__ __forceinline__ float absolute(float x) { return fabsf(x); }
__device__ __forceinline__ double absolute(double x) { return fabs(x); }
__device__ __forceinline__ int64 absolute(int64 x) { return x < 0 ? -x : x; }
template <typename A> __device__ __forceinline__ bool is_nan(A x) { return x != x; }
template <typename A> __device__ __forceinline__ bool is_infinite(A x) { return fabs(x) == infinity<A>(); }
template <typename A> __device__ __forceinline__ bool is_finite(A x) { return fabs(x) < infinity<A>(); }
template <typename A> __device__ __forceinline__ A smaller(A a, A b) { return a < b || a != a ? a : b; }
template <typename A> __device__ __forceinline__ A sign_of(A x) { return x > 0 ? A(1) : x < 0 ? A(-1) : x; }
template <typename A> __device__ __forceinline__ A squared(A x) { return x * x; }
template <typename A> __device__ __forceinline__ A logistic(A x) { return reciprocal(1 + exp(-x)); }

// what one stored as T would be read as
template <typename T> __device__ __forceinline__ Acc<T> rounded(Acc<T> x) { return load(store<T>(x)); }

// ---- reductions

// over a team of neighbouring threads, part of a warp or the whole block
template <typename R, int TEAM, typename A> __device__ __forceinline__ A over_team(A x) {
  if (TEAM > WARP) return block_reduce<R>(x);
#pragma unroll
  for (int distance = TEAM / 2; distance; distance /= 2) x = R::of(x, __shfl_xor_sync(ALL, x, distance));
  return x;
}

// Adds up what the threads of a block have in ``totals``, W numbers each, k * THREADS apart; of those that are ``lanes``
// apart the first gets the sum.
template <int W, typename A> __device__ __forceinline__ void over_levels(A* totals, int lanes) {
  totals += threadIdx.x;
#pragma unroll 1
  for (int half = THREADS / 2; half >= lanes; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) {
#pragma unroll
      for (int k = 0; k < W; k++) totals[k * THREADS] += totals[k * THREADS + half];
    }
  }
}

// a pack of which either all elements exist, or none, and its memory is ``whole``: the pack begins at a multiple of its size
template <int W, typename T> __device__ __forceinline__ Pack<T, W> load_whole(const T* from, bool exists) {
  return exists ? load_pack<W>(from) : Pack<T, W>{};
}
template <int W, typename T> __device__ __forceinline__ void store_whole(T* to, bool whole, Pack<T, W> x) {
  if (W == 1 || whole) return store_pack<W>(to, x);
  store_some<W>(to, W, x);
}
