// Work over the elements of arrays that lie in any number of arenas, in one launch. There are no kernels here.

// What a block works on: some of the ``n`` elements of arrays that are given one by one, or, if there are several sets
// of them, in the rows of a table: their addresses, ``n``, how many blocks work on them, and on the rows above.
template <int ARRAYS> struct Piece {
  void* at[ARRAYS];
  int n, block, blocks, row;
};

template <typename... P>
__device__ __forceinline__ Piece<sizeof...(P)> piece_of(const int64* table, int rows, int n, P... arrays) {
  constexpr int count = sizeof...(P), width = count + 3;
  Piece<count> piece = {{(void*)arrays...}, n, (int)blockIdx.x, (int)gridDim.x, 0};
  if (table) {
    int low = 0, high = rows;
    while (high - low > 1) {
      int middle = (low + high) / 2;
      if (table[middle * width + count + 2] <= piece.block) low = middle;
      else high = middle;
    }
    const int64* row = table + low * width;
#pragma unroll
    for (int k = 0; k < count; k++) piece.at[k] = (void*)row[k];
    piece.n = row[count], piece.blocks = row[count + 1], piece.block -= (int)row[count + 2], piece.row = low;
  }
#pragma unroll
  for (int k = 0; k < count; k++) __builtin_assume(__isGlobal(piece.at[k]));  // or every access would be a generic one
  return piece;
}

// What a thread works on at a time: four numbers, of 16 bytes at most, so that registers suffice for all arrays.
template <typename T, int COUNT> struct Lanes {
  enum : int { WIDTH = COUNT };
  T at[COUNT];
};
template <int BYTES> struct Word;
template <> struct Word<16> { using type = uint4; };
template <> struct Word<8> { using type = uint2; };
template <> struct Word<4> { using type = uint32; };
template <> struct Word<2> { using type = unsigned short; };

template <typename L, typename T> __device__ __forceinline__ L read(const T* from) {
  auto bits = *reinterpret_cast<const typename Word<sizeof(L)>::type*>(from);
  return *reinterpret_cast<L*>(&bits);
}
template <typename L, typename T> __device__ __forceinline__ void write(T* to, const Acc<T>* values) {
  L x;
#pragma unroll
  for (int k = 0; k < L::WIDTH; k++) x.at[k] = store<T>(values[k]);
  *reinterpret_cast<typename Word<sizeof(L)>::type*>(to) = *reinterpret_cast<typename Word<sizeof(L)>::type*>(&x);
}

// ``body(i, lanes)`` for the elements from i on that are this thread's: at once if no array is in the way, otherwise
// one after the other; ``addresses`` are those of all arrays, or-ed.
template <typename T, int ARRAYS, typename Body>
__device__ __forceinline__ void over_lanes(const Piece<ARRAYS>& piece, uint64 addresses, Body body) {
  constexpr int width = sizeof(T) == 8 ? 2 : 4;
  uint32 first = (piece.block * THREADS + threadIdx.x) * width, n = piece.n;  // the last block may reach past 2^31
  if (first + width <= n && addresses % (width * sizeof(T)) == 0) body(first, Lanes<T, width>());
  else
#pragma unroll 1
    for (uint32 i = first; i < n && i < first + width; i++) body(i, Lanes<T, 1>());
}
