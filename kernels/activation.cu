// Activation functions made of the logistic function: gradients.

template <typename T>
__global__ void __launch_bounds__(THREADS) sigmoid_grad(const T* g, const T* y, T* out, int n) {
  map<T>(n, [](Acc<T> g, Acc<T> y) { return g * y * (1 - y); }, out, g, y);
}
