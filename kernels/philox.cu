// Philox4x32-10 (Salmon et al., Parallel random numbers, SC 2011): the words of gradflow/ops/philox.py, bit for bit.

// The low and the high half of a b, by one instruction: left to itself, the compiler uses two, or computes in 64 bits.
__device__ __forceinline__ uint2 product(uint32 a, uint32 b) {
  uint2 halves;
  asm("{ .reg .u64 whole; mul.wide.u32 whole, %2, %3; mov.b64 {%0, %1}, whole; }"
      : "=r"(halves.x), "=r"(halves.y) : "r"(a), "r"(b));
  return halves;
}

// four random words for a counter
__device__ __forceinline__ uint4 philox(uint4 counter, uint2 key) {
#pragma unroll
  for (int round = 0; round < 10; round++) {
    uint2 p = product(counter.x, 0xD2511F53), q = product(counter.z, 0xCD9E8D57);
    counter = {q.y ^ counter.y ^ key.x, q.x, p.y ^ counter.w ^ key.y, p.x};
    key.x += 0x9E3779B9u;  // the fractions of the golden ratio and of the square root of 3
    key.y += 0xBB67AE85u;
  }
  return counter;
}

template <int count> struct Words {
  uint32 at[count];
};

// Words ``first`` to ``first + count - 1`` of a draw; ``count`` is 2, 4 or 8, and ``first`` a multiple of it. The state
// of a generator is its seed and the number of the draw.
template <int count> __device__ __forceinline__ Words<count> draw(const uint64* __restrict__ state, uint32 first) {
  uint64 seed = state[0], number = state[1];
  Words<count> words;
#pragma unroll
  for (int i = 0; i < count; i += 4) {
    uint4 counter = {(first + i) / 4, 0, uint32(number), uint32(number >> 32)};
    uint4 block = philox(counter, {uint32(seed), uint32(seed >> 32)});
    if (count == 2 && first & 2) block = {block.z, block.w};
    const uint32 four[] = {block.x, block.y, block.z, block.w};
#pragma unroll
    for (int j = 0; j < 4 && i + j < count; j++) words.at[i + j] = four[j];
  }
  return words;
}
