// The Gaussian error linear unit, exact and by its tanh approximation, and its gradients.

// ``REACH`` and (1 - erfcx(a)) / a for 0 <= a <= REACH, with the coefficients of gradflow/ops/erf.py
template <typename A> struct Erfcx;
template <> struct Erfcx<float> {
  static constexpr float REACH = 10.2f;
  static __device__ __forceinline__ float chord(float a) {
    float over = 0.04570198926554605f, under = 0.045701916840663326f;
    over = over * a + 0.3191587211199998f;
    over = over * a + 0.9919373911792726f;
    over = over * a + 1.5874828011494218f;
    over = over * a + 1.1283791714768578f;
    under = under * a + 0.34494634196967333f;
    under = under * a + 1.186495525984769f;
    under = under * a + 2.244614294984599f;
    under = under * a + 2.293097290759603f;
    under = under * a + 1.f;
    return over * reciprocal(under);
  }
};
template <> struct Erfcx<double> {
  static constexpr double REACH = 27.3;
  static __device__ __forceinline__ double chord(double a) {
    double over = 9.075985435450753e-05, under = 9.075985435452502e-05;
    over = over * a + 0.0017352174665250096;
    over = over * a + 0.016144922870138887;
    over = over * a + 0.09460513419312168;
    over = over * a + 0.3816703628886679;
    over = over * a + 1.094411570756542;
    over = over * a + 2.226454645274517;
    over = over * a + 3.1018557986304294;
    over = over * a + 2.6977957978538334;
    over = over * a + 1.1283791670955126;
    under = under * a + 0.0017864232309533767;
    under = under * a + 0.017152804249048928;
    under = under * a + 0.10425696478825774;
    under = under * a + 0.4399871159983516;
    under = under * a + 1.3378474006612502;
    under = under * a + 2.952599865218414;
    under = under * a + 4.650724764274253;
    under = under * a + 4.986523489205022;
    under = under * a + 3.2770862008841206;
    under = under * a + 1.;
    return over * reciprocal(under);
  }
};

// |x| / sqrt(2), as far as it matters; the tail of the distribution beyond |x| is exp(-a^2) erfcx(a) / 2
template <typename A> __device__ __forceinline__ A gauss_argument(A x) {
  A a = fabs(x) * A(0.7071067811865476);
  return a > Erfcx<A>::REACH ? Erfcx<A>::REACH : a;
}

template <typename A> __device__ __forceinline__ A gelu_of(A x) {
  A a = gauss_argument(x);
  A tail = quick_exp(-a * a) * (1 - a * Erfcx<A>::chord(a));
  return (x < 0 ? 0 : x) - a * tail * A(0.7071067811865476);
}
template <typename A> __device__ __forceinline__ A gelu_slope(A x) {
  A a = gauss_argument(x);
  A rise = quick_exp(-a * a) * (a * A(0.5641895835477563) - (1 - a * Erfcx<A>::chord(a)) * A(0.5));
  return x > 0 ? 1 + rise : -rise;
}

// 0.5 (1 + tanh(u)) is sigmoid(2 u), and 2 u here is x (LINEAR + CUBIC x^2)
template <typename A> struct Approximation {
  static constexpr A LINEAR = 1.5957691216057308;
  static constexpr A CUBIC = 0.044715 * 1.5957691216057308;
};

template <typename A> __device__ __forceinline__ A gelu_tanh_of(A x) {
  using C = Approximation<A>;
  A step = sigmoid_of(x * (C::LINEAR + C::CUBIC * (x * x)));
  return clip(x, -huge<A>(), infinity<A>()) * step;
}
template <typename A> __device__ __forceinline__ A gelu_tanh_slope(A x) {
  using C = Approximation<A>;
  x = clip(x, A(-100), A(100));  // beyond, the slope is 0 or 1
  A bend = C::CUBIC * (x * x);
  A step = sigmoid_of(x * (C::LINEAR + bend));
  return step * (1 + (1 - step) * x * (C::LINEAR + 3 * bend));
}

template <typename T>
__global__ void __launch_bounds__(THREADS) gelu(const T* __restrict__ x, T* __restrict__ out, int n) {
  map<T>(n, [](Acc<T> x) { return gelu_of(x); }, out, x);
}

template <typename T>
__global__ void __launch_bounds__(THREADS)
gelu_grad(const T* __restrict__ g, const T* __restrict__ x, T* __restrict__ out, int n) {
  map<T>(n, [](Acc<T> g, Acc<T> x) { return g * gelu_slope(x); }, out, g, x);
}

template <typename T>
__global__ void __launch_bounds__(THREADS) gelu_tanh(const T* __restrict__ x, T* __restrict__ out, int n) {
  map<T>(n, [](Acc<T> x) { return gelu_tanh_of(x); }, out, x);
}

template <typename T>
__global__ void __launch_bounds__(THREADS)
gelu_tanh_grad(const T* __restrict__ g, const T* __restrict__ x, T* __restrict__ out, int n) {
  map<T>(n, [](Acc<T> g, Acc<T> x) { return g * gelu_tanh_slope(x); }, out, g, x);
}
