// The squared error: its sum over all elements, and its gradient.

template <typename T>
__global__ void __launch_bounds__(THREADS) mse_loss(
    const T* __restrict__ input, const T* __restrict__ target, T* out, Acc<T> factor,
    Acc<T>* partial, int* ticket, int n) {
  sum_all<T>(n, [](Acc<T> x, Acc<T> t) { return (x - t) * (x - t); }, input, target, out, factor, partial, ticket);
}

template <typename T>
__global__ void __launch_bounds__(THREADS) mse_loss_grad(
    const T* __restrict__ g, const T* __restrict__ input, const T* __restrict__ target, T* __restrict__ out,
    Acc<T> factor, int n) {
  Acc<T> slope = load(*g) * factor;
  map<T>(n, [=](Acc<T> x, Acc<T> t) { return (x - t) * slope; }, out, input, target);
}
