// Matrix products whose left operand is read where it lies: A[r][k] = *(row(r) + offset(k)), sums
// of two addresses. Over an image that has its zeros around it all three products of a convolution
// are of this kind, so no patch is ever copied.
//
//   Chunk chunk;                              // offsets of the depth: runs of equal steps
//   chunk.add(0, 15);                         // three taps of five channels, from one filter row,
//   chunk.add(line, 15);                      // and from the next one
//   tile(rows, chunk, 1, b, c, ldc, columns, false);
//
// B comes packed as in gemm.h: panels [depth][kColumns].
#pragma once

#include "ops/gemm.h"

namespace fjord {

/// A part of the depth that is worked through in one go.
struct Chunk {
  struct Run {
    int64_t offset;  // in floats, of the first
    int count;
  };
  static constexpr int kMaxRuns = 64;
  Run runs[kMaxRuns];
  int used = 0, depth = 0;

  /// Takes as much of a run as there is room for; gives how much.
  int add(int64_t offset, int64_t count) {
    int taken = used < kMaxRuns ? static_cast<int>(std::min<int64_t>(count, kDepth - depth)) : 0;
    if (taken > 0) runs[used++] = {offset, taken};
    depth += taken;
    return taken;
  }
  void clear() { used = depth = 0; }
};

/// c[r][j] (+)= sum over k of rows[r][offset(k)] b[k][j]; offsets within a run are `step` apart.
template <int R>
void correlateTile(const float* const* rows, const Chunk& chunk, int64_t step, const float* b,
                   float* c, int64_t ldc, int columns, bool accumulate) {
  Sums<R> sums;
  sums.clear();
  for (int i = 0; i < chunk.used; ++i) {
    const float* a[R];
    unrolled<R>([&](auto r) { a[r] = rows[r] + chunk.runs[i].offset; });
    for (int k = chunk.runs[i].count; k > 0; --k, b += kColumns) {
      sums.add(b, [&](int r) { return *a[r]; });
      unrolled<R>([&](auto r) { a[r] += step; });
    }
  }
  sums.store(c, ldc, columns, accumulate);
}

inline void correlateTileRows(int count, const float* const* rows, const Chunk& chunk, int64_t step,
                              const float* b, float* c, int64_t ldc, int columns, bool accumulate) {
  using Tile = void (*)(const float* const*, const Chunk&, int64_t, const float*, float*, int64_t,
                        int, bool);
  static constexpr auto kTiles = []<int... R>(std::integer_sequence<int, R...>) {
    return std::array<Tile, kRows>{correlateTile<R + 1>...};
  }(std::make_integer_sequence<int, kRows>());
  kTiles[count - 1](rows, chunk, step, b, c, ldc, columns, accumulate);
}

}  // namespace fjord
