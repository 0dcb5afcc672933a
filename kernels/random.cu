// Random numbers and dropout, with the bits of gradflow/ops/random.py and quantile.py.

// Every operation is rounded on its own: what the compiler fused would differ from NumPy in the last bit.
__device__ __forceinline__ float plus(float a, float b) { return __fadd_rn(a, b); }
__device__ __forceinline__ float times(float a, float b) { return __fmul_rn(a, b); }
__device__ __forceinline__ float over(float a, float b) { return __fdiv_rn(a, b); }
__device__ __forceinline__ float root(float x) { return __fsqrt_rn(x); }
__device__ __forceinline__ double plus(double a, double b) { return __dadd_rn(a, b); }
__device__ __forceinline__ double times(double a, double b) { return __dmul_rn(a, b); }
__device__ __forceinline__ double over(double a, double b) { return __ddiv_rn(a, b); }
__device__ __forceinline__ double root(double x) { return __dsqrt_rn(x); }

// the polynomial at x, the coefficient of the highest power first
template <typename A, int n> __device__ __forceinline__ A horner(A x, const A (&coefficients)[n]) {
  A out = plus(times(x, coefficients[0]), coefficients[1]);
#pragma unroll
  for (int i = 2; i < n; i++) out = plus(times(out, x), coefficients[i]);
  return out;
}

// numbers of 32 and of 64 bits: words, and the constants of gradflow/ops/quantile.py
template <typename A> struct Format;

template <> struct Format<float> {
  using Word = uint32;
  using Whole = int;
  enum : int { FRACTION = 23, SQRT_HALF = 0x3F3504F3 };
  static __device__ __forceinline__ float real(int bits) { return __int_as_float(bits); }
  static __device__ __forceinline__ int bits(float x) { return __float_as_int(x); }
  static __device__ __forceinline__ float step() { return 0x1p-33f; }
  static __device__ __forceinline__ float log_part(float z) { return horner(z, {2.f / 9, 2.f / 7, 2.f / 5, 2.f / 3}); }
  static __device__ __forceinline__ float ln2_high() { return 0.693145751953125f; }
  static __device__ __forceinline__ float ln2_low() { return 1.4286068203094173e-06f; }
  static __device__ __forceinline__ float middle(float x) {
    return over(horner(x, {59.109374720f, 159.29113202f, 50.434271938f, 3.3871327179f}),
                horner(x, {67.187563600f, 78.757757664f, 17.895169469f, 1.f}));
  }
  static __device__ __forceinline__ float tail(float r) {
    float x = plus(r, -1.6f);
    return over(horner(x, {0.17023821103f, 1.3067284816f, 2.7568153900f, 1.4234372777f}),
                horner(x, {0.12021132975f, 0.73700164250f, 1.f}));
  }
};

template <> struct Format<double> {
  using Word = uint64;
  using Whole = int64;
  enum : int64 { FRACTION = 52, SQRT_HALF = 0x3FE6A09E667F3BCD };
  static __device__ __forceinline__ double real(int64 bits) { return __longlong_as_double(bits); }
  static __device__ __forceinline__ int64 bits(double x) { return __double_as_longlong(x); }
  static __device__ __forceinline__ double step() { return 0x1p-65; }
  static __device__ __forceinline__ double log_part(double z) {
    return horner(z, {2. / 19, 2. / 17, 2. / 15, 2. / 13, 2. / 11, 2. / 9, 2. / 7, 2. / 5, 2. / 3});
  }
  static __device__ __forceinline__ double ln2_high() { return 0.6931471805598903; }
  static __device__ __forceinline__ double ln2_low() { return 5.497923018708371e-14; }
  static __device__ __forceinline__ double middle(double x) {
    return over(horner(x, {2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
                           13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.3871328727963666080}),
                horner(x, {5226.4952788528545610, 28729.085735721942674, 39307.895800092710610, 21213.794301586595867,
                           5394.1960214247511077, 687.18700749205790830, 42.313330701600911252, 1.}));
  }
  static __device__ __forceinline__ double tail(double r) {
    if (r > 5) return far(plus(r, -5.));
    double x = plus(r, -1.6);
    return over(horner(x, {7.74545014278341407640e-4, 0.0227238449892691845833, 0.241780725177450611770,
                           1.27045825245236838258, 3.64784832476320460504, 5.76949722146069140550,
                           4.63033784615654529590, 1.42343711074968357734}),
                horner(x, {1.05075007164441684324e-9, 5.47593808499534494600e-4, 0.0151986665636164571966,
                           0.148103976427480074590, 0.689767334985100004550, 1.67638483018380384940,
                           2.05319162663775882187, 1.}));
  }
  static __device__ __forceinline__ double far(double x) {
    return over(horner(x, {2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
                           0.0265321895265761230930, 0.296560571828504891230, 1.78482653991729133580,
                           5.46378491116411436990, 6.65790464350110377720}),
                horner(x, {2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
                           7.86869131145613259100e-4, 0.0148753612908506148525, 0.136929880922735805310,
                           0.599832206555887937690, 1.}));
  }
};

// the natural logarithm of a positive normal number at most 1/2
template <typename A> __device__ __forceinline__ A log_of_half(A x) {
  using F = Format<A>;
  auto bits = F::bits(x);
  auto exponent = (bits - F::SQRT_HALF) >> F::FRACTION;
  A m = F::real(bits - (exponent << F::FRACTION)), e = A(exponent);
  A s = over(plus(m, A(-1)), plus(m, A(1))), z = times(s, s);
  A rest = times(times(F::log_part(z), z), s);
  return plus(plus(plus(times(e, F::ln2_low()), rest), times(A(2), s)), times(e, F::ln2_high()));
}

// the normal quantile of (word + 1/2) / 2**bits
template <typename A> __device__ __forceinline__ A quantile(typename Format<A>::Word word) {
  using F = Format<A>;
  using Word = typename F::Word;
  constexpr int sign = 8 * sizeof(Word) - 1;
  Word upper = typename F::Whole(word) >> sign, twice = (word ^ upper) << 1;
  A q = times(A(~twice), F::step()), z;
  if (q > A(0.425)) {
    z = F::tail(root(-log_of_half(times(A(twice | 1), F::step()))));
  } else {
    z = times(F::middle(plus(A(0.180625), -times(q, q))), q);
  }
  return F::real(F::bits(z) | (~upper << sign));
}

// out[i] = f(word i) for all i < n, a vector for each thread. The loop is not unrolled, as f may be long: words and
// results move through registers instead, from which an index that varies could not choose.
template <typename T, typename Word, typename F>
__device__ __forceinline__ void fill(int n, const uint64* __restrict__ state, T* __restrict__ out, F f) {
  constexpr int width = Vector<T>::WIDTH, halves = sizeof(Word) / 4, count = width * halves;
  int first = (blockIdx.x * THREADS + threadIdx.x) * width;
  if (first >= n) return;
  auto words = draw<count>(state, first * halves);
  Vector<T> result;
#pragma unroll 1
  for (int k = 0; k < width; k++) {
    T next = f(halves == 1 ? words.at[0] : Word((uint64)words.at[1] << 32 | words.at[0]));
#pragma unroll
    for (int i = 0; i + halves < count; i++) words.at[i] = words.at[i + halves];
#pragma unroll
    for (int i = 0; i + 1 < width; i++) result.at[i] = result.at[i + 1];
    result.at[width - 1] = next;
  }
  store_part(out + first, n - first, result);
}

template <typename T> struct Significand;
template <> struct Significand<double> { enum : int { BITS = 53 }; };
template <> struct Significand<float> { enum : int { BITS = 24 }; };
template <> struct Significand<f16> { enum : int { BITS = 11 }; };
template <> struct Significand<bf16> { enum : int { BITS = 8 }; };

// low + range u, of a u in [0, 1) with as many bits as T has
template <typename T>
__global__ void __launch_bounds__(THREADS) uniform(const uint64* __restrict__ state, T* __restrict__ out, Acc<T> range, Acc<T> low, int n) {
  using Word = typename Format<Acc<T>>::Word;
  constexpr int bits = Significand<T>::BITS, shift = 8 * sizeof(Word) - bits;
  fill<T, Word>(n, state, out, [=](Word word) {
    Acc<T> u = times(Acc<T>(word >> shift), Acc<T>(1) / (1ull << bits));
    return store<T>(plus(load(store<T>(times(u, range))), low));
  });
}

template <typename T>
__global__ void __launch_bounds__(THREADS) normal(const uint64* __restrict__ state, T* __restrict__ out, Acc<T> mean, Acc<T> std, int n) {
  using Word = typename Format<Acc<T>>::Word;
  fill<T, Word>(n, state, out, [=](Word word) { return store<T>(plus(times(quantile<Acc<T>>(word), std), mean)); });
}

// integers from low to below low + size
__global__ void __launch_bounds__(THREADS) randint(const uint64* __restrict__ state, int64* __restrict__ out, int64 low, uint64 size, int n) {
  fill<int64, uint64>(n, state, out, [=](uint64 word) { return int64(__umul64hi(word, size)) + low; });
}

// x / (1 - p) where a word is at least ``least``, p * 2**32, and 0 elsewhere
template <typename T>
__global__ void __launch_bounds__(THREADS)
dropout(const T* __restrict__ x, const uint64* __restrict__ state, T* __restrict__ out, uint64 least, Acc<T> scale, int n) {
  constexpr int width = Vector<T>::WIDTH;
  int first = (blockIdx.x * THREADS + threadIdx.x) * width;
  if (first >= n) return;
  Vector<T> result = load_part(x + first, n - first);
  constexpr int count = width < 4 ? width : 4;
  bool some = !(least >> 32);
#pragma unroll
  for (int i = 0; i < width; i += count) {
    auto words = draw<count>(state, first + i);
#pragma unroll
    for (int k = 0; k < count; k++) {
      bool kept = words.at[k] >= uint32(least) && some;
      result.at[i + k] = store<T>(kept ? load(result.at[i + k]) * scale : Acc<T>(0));
    }
  }
  store_part(out + first, n - first, result);
}
