// Circular and hyperbolic functions: the gradient of tanh, in terms of its result.

template <typename A> __device__ __forceinline__ A tanh_of(A x) { return tanh(x); }
template <typename A> __device__ __forceinline__ A tanh_slope(A y) { return 1 - y * y; }

template <typename T>
__global__ void __launch_bounds__(THREADS)
tanh_grad(const T* __restrict__ g, const T* __restrict__ y, T* __restrict__ out, int n) {
  map<T>(n, [](Acc<T> g, Acc<T> y) { return g * tanh_slope(y); }, out, g, y);
}
