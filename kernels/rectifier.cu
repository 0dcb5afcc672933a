// Rectifiers: activation functions that are linear, or nearly, on each side of a kink, and their gradients.
//
// A gradient of 0 or infinity is multiplied, not chosen: infinity times 0 is NaN, as in the reference.

template <typename A> __device__ __forceinline__ A relu_of(A x) { return x < 0 ? 0 : x; }
template <typename A> __device__ __forceinline__ A relu_slope(A y) { return y <= 0 ? 0 : 1; }

template <typename T>
__global__ void __launch_bounds__(THREADS)
relu_grad(const T* __restrict__ g, const T* __restrict__ y, T* __restrict__ out, int n) {
  map<T>(n, [](Acc<T> g, Acc<T> y) { return g * relu_slope(y); }, out, g, y);
}

template <typename T>
__global__ void __launch_bounds__(THREADS)
leaky_relu(const T* __restrict__ x, T* __restrict__ out, Acc<T> negative_slope, int n) {
  map<T>(n, [=](Acc<T> x) { return x > 0 ? x : x * negative_slope; }, out, x);
}

template <typename T>
__global__ void __launch_bounds__(THREADS)
leaky_relu_grad(const T* __restrict__ g, const T* __restrict__ x, T* __restrict__ out, Acc<T> negative_slope, int n) {
  map<T>(n, [=](Acc<T> g, Acc<T> x) { return g * (x > 0 ? 1 : negative_slope); }, out, g, x);
}

template <typename T>
__global__ void __launch_bounds__(THREADS)
elu(const T* __restrict__ x, T* __restrict__ out, Acc<T> alpha, Acc<T> scale, int n) {
  map<T>(n, [=](Acc<T> x) { return scale * (x > 0 ? x : alpha * expm1(x)); }, out, x);
}

template <typename T>
__global__ void __launch_bounds__(THREADS)
elu_grad(const T* __restrict__ g, const T* __restrict__ x, T* __restrict__ out, Acc<T> alpha, Acc<T> scale, int n) {
  map<T>(n, [=](Acc<T> g, Acc<T> x) { return g * (scale * (x > 0 ? 1 : alpha * quick_exp(x))); }, out, g, x);
}

template <typename T>
__global__ void __launch_bounds__(THREADS)
hardtanh_grad(const T* __restrict__ g, const T* __restrict__ x, T* __restrict__ out, Acc<T> min_val, Acc<T> max_val,
              int n) {
  map<T>(n, [=](Acc<T> g, Acc<T> x) { return g * (x <= min_val || x >= max_val ? 0 : 1); }, out, g, x);
}
