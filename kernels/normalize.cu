// Normalisation by statistics that are given, and how running statistics follow those of batches.

// the mean of a group's elements in two parts, as one number cannot hold a large mean of small differences
template <typename A> struct Center {
  A mean, rest;
  __device__ __forceinline__ A distance(A x) const { return x - mean - rest; }
};

// ``share`` is 1 / count; the sum of squares is of distances from the mean, and ``variance`` their average
template <typename T>
__device__ __forceinline__ Center<Acc<T>> center(const Group& group, const T* x, Acc<T> share, Acc<T>& variance) {
  using A = Acc<T>;
  A sum = 0, squares = 0;
  group.visit([&](int, A x) { sum += x; }, x);
  A mean = group.team.reduce<Sum>(sum) * share;
  sum = 0;
  group.visit([&](int, A x) {
    A d = x - mean;
    sum += d, squares += d * d;
  }, x);
  A rest = group.team.reduce<Sum>(sum) * share;
  variance = group.team.reduce<Sum>(squares) * share - rest * rest;
  return {mean, rest};
}

template <typename T>
__global__ void __launch_bounds__(THREADS) rescale(
    const T* __restrict__ x, const T* __restrict__ mean, const T* __restrict__ var, const T* __restrict__ weight,
    const T* __restrict__ bias, T* __restrict__ out, Acc<T> eps, int n, int channels, int inner) {
  using A = Acc<T>;
  all_of<T>(n, x, out).rewrite([&](int j, A x) {
    uint32 c = (uint32)j / inner % channels;
    A z = (x - load(mean[c])) * rsqrt(load(var[c]) + eps);
    return (weight ? z * load(weight[c]) : z) + (bias ? load(bias[c]) : A(0));
  }, out, x);
}

// ``momentum`` of the new statistics and ``keep`` of the old or, for the ``average``, as much of each batch
template <typename T>
__global__ void __launch_bounds__(THREADS) track_statistics(
    T* mean, T* var, int64* batches, const T* __restrict__ x, Acc<T> momentum, Acc<T> keep, bool average,
    Acc<T> share, Acc<T> unbiased, int* ticket, int groups, int count, int inner, int outer, int size, int step) {
  using A = Acc<T>;
  Team team(size, step);
  Group group = group_of<T>(team, groups, count, inner, outer, x);
  A variance;
  Center<A> now = center(group, x + team.index * inner, share, variance);
  if (average) momentum = A(1) / A(*batches + 1), keep = 1 - momentum;
  if (team.lane == 0 && team.index < groups) {
    mean[team.index] = store<T>(keep * load(mean[team.index]) + momentum * (now.mean + now.rest));
    var[team.index] = store<T>(keep * load(var[team.index]) + momentum * (variance * unbiased));
  }
  if (batches && is_last_block(ticket, gridDim.x) && threadIdx.x == 0) *batches += 1;
}
