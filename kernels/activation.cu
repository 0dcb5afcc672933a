// Activation functions made of the logistic function, and their gradients.

// stands for infinity where infinity times a step that has reached 0 would be NaN
template <typename A> __device__ __forceinline__ A huge() { return A(1e30f); }

// exp(x); as float with a relative error of |x| / 10^7, which matters only where it is next to nothing
__device__ __forceinline__ float quick_exp(float x) { return __expf(x); }
__device__ __forceinline__ double quick_exp(double x) { return exp(x); }

// log(1 + x) for x from 0 to 1; as float by the series of the inverse hyperbolic tangent
__device__ __forceinline__ double log_one_plus(double x) { return log1p(x); }
__device__ __forceinline__ float log_one_plus(float x) {
  float t = x * reciprocal(x + 2), square = t * t;
  float sum = square * (1.f / 13) + 1.f / 11;
  sum = square * sum + 1.f / 9;
  sum = square * sum + 1.f / 7;
  sum = square * sum + 1.f / 5;
  sum = square * sum + 1.f / 3;
  return 2 * t + 2 * t * square * sum;
}

template <typename A> __device__ __forceinline__ A sigmoid_of(A x) { return reciprocal(1 + quick_exp(-x)); }
template <typename A> __device__ __forceinline__ A sigmoid_slope(A y) { return y * (1 - y); }

template <typename A> __device__ __forceinline__ A silu_of(A x) {
  return clip(x, -huge<A>(), infinity<A>()) * sigmoid_of(x);
}
template <typename A> __device__ __forceinline__ A silu_slope(A x) {
  x = clip(x, -huge<A>(), huge<A>());
  A step = sigmoid_of(x);
  return step * (1 + x * (1 - step));
}

template <typename T>
__global__ void __launch_bounds__(THREADS) sigmoid(const T* __restrict__ x, T* __restrict__ out, int n) {
  map<T>(n, [](Acc<T> x) { return sigmoid_of(x); }, out, x);
}

template <typename T>
__global__ void __launch_bounds__(THREADS)
sigmoid_grad(const T* __restrict__ g, const T* __restrict__ y, T* __restrict__ out, int n) {
  map<T>(n, [](Acc<T> g, Acc<T> y) { return g * sigmoid_slope(y); }, out, g, y);
}

template <typename T>
__global__ void __launch_bounds__(THREADS) silu(const T* __restrict__ x, T* __restrict__ out, int n) {
  map<T>(n, [](Acc<T> x) { return silu_of(x); }, out, x);
}

template <typename T>
__global__ void __launch_bounds__(THREADS)
silu_grad(const T* __restrict__ g, const T* __restrict__ x, T* __restrict__ out, int n) {
  map<T>(n, [](Acc<T> g, Acc<T> x) { return g * silu_slope(x); }, out, g, x);
}

template <typename T>
__global__ void __launch_bounds__(THREADS)
softplus(const T* __restrict__ x, T* __restrict__ out, Acc<T> beta, Acc<T> threshold, int n) {
  Acc<T> shrink = reciprocal(beta);
  auto f = [=](Acc<T> x) {
    Acc<T> scaled = x * beta;
    Acc<T> bend = scaled > threshold ? 0 : log_one_plus(quick_exp(-fabs(scaled))) * shrink;
    return clip(x, Acc<T>(0), infinity<Acc<T>>()) + bend;
  };
  map<T>(n, f, out, x);
}

template <typename T>
__global__ void __launch_bounds__(THREADS)
softplus_grad(const T* __restrict__ g, const T* __restrict__ x, T* __restrict__ out, Acc<T> beta, Acc<T> threshold,
              int n) {
  auto f = [=](Acc<T> g, Acc<T> x) {
    Acc<T> scaled = x * beta;
    return g * (scaled > threshold ? 1 : sigmoid_of(scaled));
  };
  map<T>(n, f, out, g, x);
}
