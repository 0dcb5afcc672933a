// Mean 0 and variance 1 within groups: rows (layer norm) or channels (batch norm), and gradients. A team has a group.

// a number for each element of a row or, with ``each`` 0, for each channel; ``absent`` where there are none
template <typename T> struct Scaling {
  const T* of;
  int each, channel;
  __device__ __forceinline__ Scaling(const T* of, int each, int channel)
      : of(of), each(each), channel(each ? 0 : channel) {}
  __device__ __forceinline__ Acc<T> at(int j, Acc<T> absent) const {
    return asked(of != nullptr) ? load(of[channel + j * each]) : absent;
  }
};

template <typename T>
__global__ void __launch_bounds__(THREADS) standardize(
    const T* __restrict__ x, const T* __restrict__ weight, const T* __restrict__ bias, T* __restrict__ out,
    Acc<T> eps, Acc<T> share, int each, int groups, int count, int inner, int outer, int size, int step) {
  using A = Acc<T>;
  Team team(size, step);
  Group group = group_of<T>(team, groups, count, inner, outer, x, out);
  Scaling<T> scale(weight, each, team.index), shift(bias, each, team.index);
  int start = team.index * inner;
  A factor;
  Center<A> middle = center(group, x + start, share, factor);
  factor = rsqrt(factor + eps);
  group.rewrite([&](int j, A x) { return middle.distance(x) * factor * scale.at(j, 1) + shift.at(j, 0); },
                out + start, x + start);
}

// The gradients in x and in the weights of channels, for ``g`` that of the result; what is not wanted is null.
template <typename T>
__global__ void __launch_bounds__(THREADS) standardize_grad(
    const T* __restrict__ g, const T* __restrict__ x, const T* __restrict__ weight, T* __restrict__ out,
    T* __restrict__ weight_grad, Acc<T> eps, Acc<T> share, int each,
    int groups, int count, int inner, int outer, int size, int step) {
  using A = Acc<T>;
  Team team(size, step);
  Group group = group_of<T>(team, groups, count, inner, outer, g, x, out);
  Scaling<T> scale(weight, each, team.index);
  int start = team.index * inner;
  A factor;
  Center<A> middle = center(group, x + start, share, factor);
  factor = rsqrt(factor + eps);
  A along = 0, mean = 0;
  group.visit([&](int j, A g, A x) {
    A h = g * scale.at(j, 1);
    mean += h, along += h * middle.distance(x);
  }, g + start, x + start);
  along = team.reduce<Sum>(along) * factor;
  mean = team.reduce<Sum>(mean) * share;
  if (weight_grad && team.lane == 0 && team.index < groups) weight_grad[team.index] = store<T>(along);
  if (!out) return;
  along *= factor * share;
  group.rewrite([&](int j, A g, A x) {
    return factor * (g * scale.at(j, 1) - mean - along * middle.distance(x));
  }, out + start, g + start, x + start);
}

// The gradient in weights for each element of rows: blocks sum over ``chunk`` rows each, the last one over blocks.
template <typename T>
__global__ void __launch_bounds__(THREADS) standardize_weight_grad(
    const T* __restrict__ g, const T* __restrict__ x, T* __restrict__ out, Acc<T> eps, Acc<T> share,
    Acc<T>* partial, int* ticket, int rows, int columns, int chunk) {
  using A = Acc<T>;
  enum : int { MOST = 64 };  // rows of a chunk
  __shared__ Center<A> middle[MOST];
  __shared__ A factor[MOST];
  int first = blockIdx.x * chunk, last = min(first + chunk, rows);
#pragma unroll 1
  for (int row = first; row < last; row += THREADS / WARP) {
    Team team(WARP, 1, row);
    A variance;
    Center<A> found = center(row_of<T>(team, last, columns, x), x + team.index * columns, share, variance);
    if (team.lane == 0 && team.index < last) {
      middle[team.index - first] = found;
      factor[team.index - first] = rsqrt(variance + eps);
    }
  }
  __syncthreads();
#pragma unroll 1
  for (int c = threadIdx.x; c < columns; c += THREADS) {
    A sum = 0;
#pragma unroll 1
    for (int row = first; row < last; row++) {
      int at = row * columns + c;
      sum += load(g[at]) * middle[row - first].distance(load(x[at])) * factor[row - first];
    }
    partial[blockIdx.x * columns + c] = sum;
  }
  if (!is_last_block(ticket, gridDim.x)) return;
#pragma unroll 1
  for (int c = threadIdx.x; c < columns; c += THREADS) {
    A sum = 0;
#pragma unroll 4
    for (int block = 0; block < gridDim.x; block++) sum += partial[block * columns + c];
    out[c] = store<T>(sum);
  }
}
