// A bias and an activation in one pass, and backwards the gradients of both.

// in the order of ACTIVATIONS in gradflow/ops/bias.py
enum : int { NONE, RELU, SIGMOID, TANH, GELU, GELU_TANH, SILU };

// defined in the files of their families, which come later in the program
template <typename A> __device__ __forceinline__ A relu_of(A);
template <typename A> __device__ __forceinline__ A relu_slope(A);
template <typename A> __device__ __forceinline__ A tanh_of(A);
template <typename A> __device__ __forceinline__ A tanh_slope(A);
template <typename A> __device__ __forceinline__ A gelu_of(A);
template <typename A> __device__ __forceinline__ A gelu_slope(A);
template <typename A> __device__ __forceinline__ A gelu_tanh_of(A);
template <typename A> __device__ __forceinline__ A gelu_tanh_slope(A);
template <typename A> struct Pair;
template <int N, int EACH, typename A, typename Row, typename Done>
__device__ __forceinline__ void over_columns(Row, Done, Pair<A>, A*, int*, int, int, int, int);

// bias[k] for a vector that begins at ``column`` and goes on in the next row where a row ends
template <typename T>
__device__ __forceinline__ Vector<T> load_bias(const T* __restrict__ bias, int column, int columns) {
  if (columns % Vector<T>::WIDTH == 0 && aligned(bias)) return load_vector(bias + column);
  Vector<T> b;
#pragma unroll
  for (int k = 0; k < Vector<T>::WIDTH; k++) {
    b.at[k] = bias[column];
    column = column + 1 < columns ? column + 1 : 0;
  }
  return b;
}

template <typename T>
__global__ void __launch_bounds__(THREADS)
bias_activation(const T* x, const T* __restrict__ bias, T* out, int activation, int columns, int n) {
  int first = (blockIdx.x * THREADS + threadIdx.x) * Vector<T>::WIDTH;
  if (first >= n) return;
  Vector<T> v = load_part(x + first, n - first), b = load_bias(bias, (uint32)first % columns, columns);
  auto result = [&](auto f) {
    store_part(out + first, n - first, each<T>([f](Acc<T> x, Acc<T> b) { return f(x + b); }, v, b));
  };
  switch (activation) {
    case NONE: return result([](Acc<T> z) { return z; });
    case RELU: return result([](Acc<T> z) { return relu_of(z); });
    case SIGMOID: return result([](Acc<T> z) { return sigmoid_of(z); });
    case TANH: return result([](Acc<T> z) { return tanh_of(z); });
    case GELU: return result([](Acc<T> z) { return gelu_of(z); });
    case GELU_TANH: return result([](Acc<T> z) { return gelu_tanh_of(z); });
    case SILU: return result([](Acc<T> z) { return silu_of(z); });
  }
}

// dz = g times the slope, and db = the sums of its columns. ``saved`` is what the slope is computed from: the result of
// relu, sigmoid and tanh, the argument of the others.
template <typename T>
__global__ void __launch_bounds__(THREADS, 6)
activation_bias_grad(T* dz, T* __restrict__ db, const T* g, const T* saved, int activation, Acc<T>* partial,
                     int* tickets, int rows, int columns, int lanes, int share) {
  constexpr int N = Vector<T>::WIDTH;
  auto row = [=](int r, int column, Acc<T>* part, int, int) {
    int at = r * columns + column, count = columns - column;
    Vector<T> from = load_part(g + at, count), with = load_part(saved + at, count);
    auto times = [&](auto slope) {
#pragma unroll
      for (int k = 0; k < N; k++) {
        Acc<T> d = load(from.at[k]) * slope(load(with.at[k]));
        part[k] += d;
        from.at[k] = store<T>(d);
      }
    };
    switch (activation) {
      case RELU: times([](Acc<T> y) { return relu_slope(y); }); break;
      case SIGMOID: times([](Acc<T> y) { return sigmoid_slope(y); }); break;
      case TANH: times([](Acc<T> y) { return tanh_slope(y); }); break;
      case GELU: times([](Acc<T> z) { return gelu_slope(z); }); break;
      case GELU_TANH: times([](Acc<T> z) { return gelu_tanh_slope(z); }); break;
      case SILU: times([](Acc<T> z) { return silu_slope(z); }); break;
    }
    store_part(dz + at, count, from);
  };
  auto done = [=](int column, Acc<T>* total) {
#pragma unroll
    for (int k = 0; k < N; k++) {
      if (column + k < columns) db[column + k] = store<T>(total[k * THREADS]);
    }
  };
  over_columns<N, 1>(row, done, Pair<Acc<T>>{false}, partial, tickets, rows, columns, lanes, share);
}
