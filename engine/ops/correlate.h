// Matrix products whose left operand is read where it lies: A[r][k] = *(row(r) + offset(k)), sums
// of two addresses. Over an image that has its zeros around it all three products of a convolution
// are of this kind, so no patch is ever copied.
//
//   Chunk chunk;                              // offsets of the depth: runs of equal steps
//   chunk.add(0, 15);                         // three taps of five channels, from one filter row,
//   chunk.add(line, 15);                      // and from the next one
//   runTile(count, columns, CorrelateTile{rows, chunk, 1, b, {c, ldc, columns, false}});
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

/// Where sums that grow chunk by chunk stand: after kLongDepth terms C is added to its totals.
struct ChunkSums {
  int64_t terms = 0;  // that C holds
  Run next = Run::kFirst, ended = Run::kFirst;

  bool accumulates() const { return terms > 0; }
  /// A chunk has been added: whether `ended` is the run that it ends, and totals are needed.
  bool endRun(const Chunk& chunk, bool last) {
    terms += chunk.depth;
    if (last ? next == Run::kFirst : terms < kLongDepth) return false;
    ended = last ? Run::kLast : next;
    next = Run::kInner;
    terms = 0;
    return true;
  }
};

/// Sum over k of rows[r][offset(k)] b[k][j]; offsets within a run are `step` apart.
struct CorrelateTile {
  const float* const* rows;
  const Chunk& chunk;
  int64_t step;
  const float* b;
  Target to;

  template <int R, int V>
  void run() const {
    Sums<R, V> sums;
    sums.clear();
    const float* right = b;
    for (int i = 0; i < chunk.used; ++i) {
      const float* left[R];
      unrolled<R>([&](auto r) { left[r] = rows[r] + chunk.runs[i].offset; });
      for (int k = chunk.runs[i].count; k > 0; --k, right += kColumns) {
        sums.add(right, [&](int r) { return *left[r]; });
        unrolled<R>([&](auto r) { left[r] += step; });
      }
    }
    sums.store(to);
  }
};

}  // namespace fjord
