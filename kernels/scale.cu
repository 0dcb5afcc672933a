// The scaling of losses, which keeps small gradients from vanishing in float16.

// x := x / scale; ``found_inf`` becomes 1 if an element was infinite or not a number
template <typename T>
__global__ void __launch_bounds__(THREADS)
unscale(T* x, const float* scale, float* found_inf, const int64* table, int rows, int n) {
  auto piece = piece_of(table, rows, n, x, scale, found_inf);
  x = (T*)piece.at[0], found_inf = (float*)piece.at[2];
  Acc<T> factor = 1 / Acc<T>(*(const float*)piece.at[1]);
  bool finite = true;
  over_lanes<T>(piece, (uint64)x, [&](int i, auto lanes) {
    using L = decltype(lanes);
    L old = read<L>(x + i);
    Acc<T> scaled[L::WIDTH];
#pragma unroll
    for (int k = 0; k < L::WIDTH; k++) {
      scaled[k] = load(old.at[k]) * factor;
      finite &= scaled[k] - scaled[k] == 0;
    }
    write<L>(x + i, scaled);
  });
  if (!finite) atomicExch(found_inf, 1.0f);
}

// The scale after a step, for one thread: it shrinks where a gradient was not finite, and grows if none was for long.
__global__ void update_scale(float* scale, int* tracker, const float* found_inf, float growth_factor,
                             float backoff_factor, int growth_interval) {
  bool found = *found_inf != 0;
  int steps = found ? 0 : *tracker + 1;
  float grown = *scale * growth_factor;
  if (found) *scale *= backoff_factor;
  else if (steps == growth_interval && grown - grown == 0) *scale = grown;
  *tracker = steps == growth_interval ? 0 : steps;
}
