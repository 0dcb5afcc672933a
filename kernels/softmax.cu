// Softmax and, with ``logarithm``, its logarithm, along rows; and their gradients. A team of threads has a row.

template <typename T>
__global__ void __launch_bounds__(THREADS, RESIDENT) softmax(
    const T* __restrict__ x, T* __restrict__ out, bool logarithm, int rows, int columns, int size) {
  using A = Acc<T>;
  Team team(size, 1);
  Group row = row_of<T>(team, rows, columns, x, out);
  int start = team.index * columns;
  Exponentials<A> e = exponentials(row, x + start);
  A last = logarithm ? log(e.sum) : reciprocal(e.sum);
  row.rewrite([&](int, A x) {
    A z = x - e.largest;
    return asked(logarithm) ? z - last : exp_of(z) * last;
  }, out + start, x + start);
}

// ``y`` is the result of the forward pass
template <typename T>
__global__ void __launch_bounds__(THREADS) softmax_grad(
    const T* __restrict__ g, const T* __restrict__ y, T* __restrict__ out, bool logarithm,
    int rows, int columns, int size) {
  using A = Acc<T>;
  Team team(size, 1);
  Group row = row_of<T>(team, rows, columns, g, y, out);
  int start = team.index * columns;
  A sum = 0;
  row.visit([&](int, A g, A y) { sum += asked(logarithm) ? g : g * y; }, g + start, y + start);
  sum = team.reduce<Sum>(sum);
  row.rewrite([&](int, A g, A y) { return asked(logarithm) ? g - exp_of(y) * sum : (g - sum) * y; },
              out + start, g + start, y + start);
}
