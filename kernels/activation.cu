// Activation functions made of the logistic function, and their gradients.

// stands for infinity where infinity times a step that has reached 0 would be NaN
template <typename A> __device__ __forceinline__ A huge() { return A(1e30f); }

template <typename A> __device__ __forceinline__ A sigmoid_of(A x) { return reciprocal(1 + exp(-x)); }
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
    Acc<T> bend = scaled > threshold ? 0 : log1p(exp(-fabs(scaled))) * shrink;
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
