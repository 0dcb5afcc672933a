// Softmax cross-entropy of logits and class labels. A team of threads has a row.

enum : int { MEAN, TOTAL, EACH };  // reductions, in the order of gradflow/ops/loss.py

enum : int { RESIDENT = 6 };  // blocks on a multiprocessor: more would not have the registers for what a thread needs

template <typename A> __device__ __forceinline__ A lowest() {
  return A(sizeof(A) == 4 ? -3.4028234663852886e38 : -1.7976931348623157e308);
}

// a call for double, of which two dozen registers for its polynomial are not kept from what lives around it
__device__ __forceinline__ float exp_of(float x) { return exp(x); }
__device__ __noinline__ double exp_of(double x) { return exp(x); }

// the largest element of a row, and the sum of exp(x - largest): NaN for rows with +inf or NaN in them
template <typename A> struct Exponentials {
  A largest, sum;
};

// in one pass, as Milakov & Gimelshein, "Online normalizer calculation for softmax", 2018
template <typename T> __device__ __forceinline__ Exponentials<Acc<T>> exponentials(const Group& row, const T* x) {
  using A = Acc<T>;
  constexpr int width = Vector<T>::WIDTH;
  A largest = lowest<A>(), sum = 0;  // finite, so that -inf less it is -inf
  constexpr bool early = sizeof(T) < sizeof(double);  // the next vector is read before this one is used
  int step = row.team.size * (row.vectors ? width : 1);
  uint32 j = row.team.lane * (row.vectors ? width : 1), count = row.count;
  Vector<T> next = {};
  if (early && j < count) next = row.fetch(x, j, row.vectors);
#pragma unroll 1
  for (; j < count; j += step) {
    bool wide = asked(row.vectors);
    Vector<T> v = early ? next : row.fetch(x, j, wide);
    if (early && j + step < count) next = row.fetch(x, j + step, wide);
    A before = largest, a[width];
#pragma unroll
    for (int k = 0; k < width; k++) {
      a[k] = k == 0 || wide ? load(v.at[k]) : -infinity<A>();
      largest = a[k] > largest ? a[k] : largest;
    }
    sum *= exp_of(before - largest);
#pragma unroll
    for (int k = 0; k < width; k++) sum += exp_of(a[k] - largest);
  }
  A all = row.team.reduce<Max>(largest);
  return {all, row.team.reduce<Sum>(sum * exp_of(largest - all))};
}

struct Labels {
  const int64* label;
  int rows, classes;
  int64 ignored;

  // the class of a row, or -1 if it is left out
  __device__ __forceinline__ int of(int row) const {
    int64 given = row < rows ? label[row] : -1;
    return given == ignored || given < 0 || given >= classes ? -1 : int(given);
  }
  // notes a label that is no class
  __device__ __forceinline__ void check(int row, int64* fault, int op) const {
    if (row < rows && label[row] != ignored && of(row) < 0) note_fault(fault, op, label[row], classes, row);
  }
};

// How much -log softmax counts, for each class of a row: a loss is the sum of shares times that.
template <typename T> struct Shares {
  const T* weight;      // one for each class, or null
  Acc<T> keep, spread;  // of the label, and of every class: 1 - label smoothing, and label smoothing / classes

  __device__ __forceinline__ Acc<T> weight_of(int c) const { return weight ? load(weight[c]) : Acc<T>(1); }
  __device__ __forceinline__ Acc<T> of_label(int label) const { return label < 0 ? 0 : keep * weight_of(label); }

  // of all classes together; all threads of the block must come
  __device__ __forceinline__ Acc<T> total(const Team& team, int classes, int label) const {
    Acc<T> weights = 0;
    if (spread == 0) return of_label(label);
#pragma unroll 1
    for (int c = team.lane; c < classes; c += team.size) weights += weight_of(c);
    weights = spread * team.reduce<Sum>(weights);
    return label < 0 ? 0 : of_label(label) + weights;
  }
};

// what the sum of losses is multiplied by for their mean; NaN if nothing counts
template <typename A> __device__ __forceinline__ A inverse(A total) { return total == 0 ? total / total : 1 / total; }

// the weights of all rows; each block adds them up anew, which takes less than another launch
template <typename T> __device__ __forceinline__ Acc<T> total_weight(const Labels& labels, const Shares<T>& shares) {
  Acc<T> total = 0;
#pragma unroll 1
  for (int row = threadIdx.x; row < labels.rows; row += THREADS) {
    int label = labels.of(row);
    if (label >= 0) total += shares.weight_of(label);
  }
  return Team(THREADS, 1, 0).reduce<Sum>(total);
}

template <typename T>
__global__ void __launch_bounds__(THREADS, RESIDENT) cross_entropy(
    const T* __restrict__ logits, const int64* __restrict__ labels, const T* __restrict__ weight, T* __restrict__ out,
    Acc<T> keep, Acc<T> spread, int64 ignore_index, int reduction,
    Acc<T>* partial, int* ticket, int64* fault, int op, int rows, int classes, int size) {
  using A = Acc<T>;
  Team team(size, 1);
  Labels all{labels, rows, classes, ignore_index};
  Shares<T> shares{weight, keep, spread};
  int label = all.of(team.index);
  const T* x = logits + team.index * classes;
  Group row = row_of<T>(team, label < 0 ? 0 : rows, classes, logits);
  Exponentials<A> e = exponentials(row, x);
  A log_sum = log(e.sum), sums[2] = {0, 0};
#pragma unroll 1
  for (int c = team.lane; spread != 0 && c < row.count; c += size)
    sums[0] += spread * shares.weight_of(c) * (log_sum - (load(x[c]) - e.largest));
  if (team.lane == 0) {
    all.check(team.index, fault, op);
    if (label >= 0) {
      sums[0] += shares.of_label(label) * (log_sum - (load(x[label]) - e.largest));
      sums[1] = shares.weight_of(label);
    }
  }
  if (reduction == EACH) {
    A loss = team.reduce<Sum>(sums[0]);
    if (team.lane == 0 && team.index < rows) out[team.index] = store<T>(loss);
  } else if (grid_sum(sums, partial, ticket) && threadIdx.x == 0) {
    *out = store<T>(reduction == MEAN ? sums[0] * inverse(sums[1]) : sums[0]);
  }
}

// The gradient times ``g`` (null: 1) and, unless it is null, the loss. ``out`` may be the logits themselves: threads
// write what they alone have read.
template <typename T>
__global__ void __launch_bounds__(THREADS, RESIDENT) cross_entropy_grad(
    const T* __restrict__ g, const T* logits, const int64* __restrict__ labels, const T* __restrict__ weight,
    T* out, T* loss, Acc<T> keep, Acc<T> spread, int64 ignore_index, int reduction,
    Acc<T>* partial, int* ticket, int64* fault, int op, int rows, int classes, int size) {
  using A = Acc<T>;
  Team team(size, 1);
  Labels all{labels, rows, classes, ignore_index};
  Shares<T> shares{weight, keep, spread};
  A scale = reduction == MEAN ? inverse(total_weight(all, shares)) : A(1);
  int label = all.of(team.index), start = team.index * classes;
  Group row = row_of<T>(team, label < 0 ? 0 : rows, classes, logits, out);
  Exponentials<A> e = exponentials(row, logits + start);
  A share = shares.total(team, classes, label), sums[1] = {0};
  if (team.lane == 0) {
    all.check(team.index, fault, op);
    if (label >= 0) sums[0] = share * log(e.sum);
  }
  A slope = g && label >= 0 ? scale * load(g[reduction == EACH ? team.index : 0]) : scale;
  A factor = slope * share / e.sum, at_label = 0;
  bool owns = row.owns<T>(label);
  if (owns) {
    A z = load(logits[start + label]) - e.largest;
    share = shares.of_label(label);
    sums[0] -= share * z;
    at_label = exp_of(z) * factor - slope * (share + spread * shares.weight_of(label));
  }
  slope *= spread;
  row.rewrite([&](int c, A x) {
    A z = x - e.largest, slant = exp_of(z) * factor;
    if (asked(spread != 0)) {
      A weight = shares.weight_of(c);
      sums[0] -= spread * weight * z;
      slant -= slope * weight;
    }
    return slant;
  }, out + start, logits + start);
  if (owns) out[start + label] = store<T>(at_label);
#pragma unroll 1
  for (int c = team.lane; label < 0 && team.index < rows && c < classes; c += size) out[start + c] = T{};
  if (!loss) return;
  if (reduction == EACH) {
    A each = team.reduce<Sum>(sums[0]);
    if (team.lane == 0 && team.index < rows) loss[team.index] = store<T>(each);
  } else if (grid_sum(sums, partial, ticket) && threadIdx.x == 0) {
    *loss = store<T>(sums[0] * scale);
  }
}
