// The binary cross-entropy of logits: its sum over all elements, and its gradient.

template <typename T>
__global__ void __launch_bounds__(THREADS) binary_cross_entropy_with_logits(
    const T* __restrict__ input, const T* __restrict__ target, T* out, Acc<T> factor,
    Acc<T>* partial, int* ticket, int n) {
  using A = Acc<T>;
  sum_all<T>(n, [](A x, A t) {
    A rest = log1p(exp(-abs(x))), above = x > 0 || x != x ? x : A(0);
    return t * (rest + (above - x)) + (1 - t) * (rest + above);
  }, input, target, out, factor, partial, ticket);
}

template <typename T>
__global__ void __launch_bounds__(THREADS) binary_cross_entropy_with_logits_grad(
    const T* __restrict__ g, const T* __restrict__ input, const T* __restrict__ target, T* __restrict__ out,
    Acc<T> factor, int n) {
  Acc<T> slope = load(*g) * factor;
  map<T>(n, [=](Acc<T> x, Acc<T> t) { return (reciprocal(1 + exp(-x)) - t) * slope; }, out, input, target);
}
