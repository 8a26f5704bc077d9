// Matrix multiplication C [M,N] = A [M,K] B [K,N] over operands that are described by how to pack
// them, so that a transposed matrix, or the patches of a convolution, are never written out in
// memory.
//
//   auto packA = [&](int64_t row, int rows, int64_t k, int count, float* panel) { .. };
//   auto packB = [&](int64_t k, int count, int64_t column, int columns, float* panel) { .. };
//   gemm({M, N, K}, packA, packB, c, N, scratch, threads);    // scratch: gemmScratch floats
//
// A by rows needs no packing: InPlace{a, lda} stands for packA. packA(row, rows, k, count,
// panel): A[row .. row + rows, k .. k + count) into
//   panel[count][kRows], missing rows as zeros.
// packB(k, count, column, columns, panel): B[k .. k + count, column .. column + columns) into
//   panel[count][kColumns], likewise.
//
// B that seldom changes is packed once: packAll(shape, packB, to, threads) into gemmPacked floats,
// and Packed{to} stands for packB.
//
// The blocking is Goto and van de Geijn's ("Anatomy of high-performance matrix multiplication",
// 2008): a panel of B [kDepth, kColumns] stays in the first-level cache while all panels of a block
// of A pass over it. Every element of C is summed in one order, whatever the number of threads.
#pragma once

#include <algorithm>

#include "base/simd.h"
#include "base/threads.h"
#include "ops/op.h"

namespace fjord {

struct GemmShape {
  int64_t m = 0, n = 0, k = 0;
};

// Registers: kRows * 2 accumulators, two vectors of B, one of A. WebAssembly has 16 registers of 4
// lanes to work with (x64): 4 x 2 leaves room; AVX2 holds 6 x 2 of 8 lanes; AVX-512 has 32
// registers.
inline constexpr int kRows = kLanes == 16 ? 8 : 6;
inline constexpr int kColumns = 2 * kLanes;
// A panel of B is 512 * 2 vectors: 16 KB in WebAssembly, half of the smallest first-level cache.
inline constexpr int kDepth = 512;
// A block of A is at most 16 panels: 128 KB in WebAssembly, in the second-level cache.
inline constexpr int kBlockRows = 16 * kRows;

/// Where a tile's sums go: `columns` columns of C, added to what is there or in its place.
struct Target {
  float* c;
  int64_t ldc;
  int columns;
  bool accumulate;
};

/// A tile's sums: R rows of V vectors.
template <int R, int V>
struct Sums {
  F32 row[R][V];

  [[gnu::always_inline]] void clear() {
    unrolled<R * V>([&](auto i) { row[i / V][i % V] = F32(0.0); });
  }
  /// Adds a(r) times a row of B to each row.
  template <class A>
  [[gnu::always_inline]] void add(const float* b, const A& a) {
    F32 right[V];
    unrolled<V>([&](auto v) { right[v] = F32::load(b + v * kLanes); });
    unrolled<R>([&](auto r) __attribute__((always_inline)) {
      F32 left = hn::Set(FloatTag(), a(r));
      unrolled<V>([&](auto v) { row[r][v] = mulAdd(left, right[v], row[r][v]); });
    });
  }
  [[gnu::always_inline]] void store(const Target& to) const {
    if (to.columns == V * kLanes) {
      unrolled<R * V>([&](auto i) __attribute__((always_inline)) {
        float* c = to.c + i / V * to.ldc + i % V * kLanes;
        F32 sum = row[i / V][i % V];
        (to.accumulate ? sum + F32::load(c) : sum).store(c);
      });
      return;
    }
    unrolled<R>([&](auto r) __attribute__((always_inline)) {
      float values[V * kLanes], *c = to.c + r * to.ldc;
      unrolled<V>([&](auto v) { row[r][v].store(values + v * kLanes); });
      for (int j = 0; j < to.columns; ++j) c[j] = to.accumulate ? c[j] + values[j] : values[j];
    });
  }
};

/// tile.run<R, V>() for `rows` rows and as many vectors as `columns` columns take.
template <class Tile>
void runTile(int rows, int columns, const Tile& tile) {
  static constexpr auto kRuns = []<int... I>(std::integer_sequence<int, I...>) {
    return std::array<void (*)(const Tile&), 2 * kRows>{
        [](const Tile& t) { t.template run<I % kRows + 1, I / kRows + 1>(); }...};
  }(std::make_integer_sequence<int, 2 * kRows>());
  kRuns[rows - 1 + (columns > kLanes ? kRows : 0)](tile);
}

/// Sum over k of a[k][r] b[k][j], A packed.
struct PackedTile {
  int count;
  const float *a, *b;
  Target to;

  template <int R, int V>
  void run() const {
    Sums<R, V> sums;
    sums.clear();
    const float *left = a, *right = b;
    for (int k = count; k > 0; --k, left += kRows, right += kColumns)
      sums.add(right, [&](int r) { return left[r]; });
    sums.store(to);
  }
};

/// The same with A's rows, `lda` apart, where they lie.
struct InPlaceTile {
  int count;
  const float* a;
  int64_t lda;
  const float* b;
  Target to;

  template <int R, int V>
  void run() const {
    Sums<R, V> sums;
    sums.clear();
    const float *left[R], *right = b;
    unrolled<R>([&](auto r) { left[r] = a + r * lda; });
    for (int k = count; k > 0; --k, right += kColumns) {
      sums.add(right, [&](int r) { return *left[r]; });
      unrolled<R>([&](auto r) { ++left[r]; });
    }
    sums.store(to);
  }
};

inline int64_t panelsOf(int64_t n) { return (n + kColumns - 1) / kColumns; }

/// Rows of A that a thread packs at a time.
inline int64_t blockRows(const GemmShape& s) {
  return std::min<int64_t>(kBlockRows, (s.m + kRows - 1) / kRows * kRows);
}

/// Floats of scratch that gemm needs for what it packs.
inline int64_t gemmScratch(const GemmShape& s, int threads, bool packsA, bool packsB) {
  int64_t depth = std::min<int64_t>(s.k, kDepth);
  int64_t a = depth * blockRows(s), b = depth * panelsOf(s.n) * kColumns;
  return (packsA ? a * threads : 0) + (packsB ? b : 0);
}

/// A [M,K] by rows, read where it lies.
struct InPlace {
  const float* a;
  int64_t ld;
};

/// Rows [row, end) against packed panels [panel, lastPanel) of B, of which packedB is the first; one
/// thread's work. finish(row, end) for rows that are done and still in cache.
template <class PackA, class Finish>
void gemmRows(const GemmShape& s, const PackA& packA, int64_t k, int count, const float* packedB,
              float* packedA, float* c, int64_t ldc, int64_t row, int64_t end, int64_t panel,
              int64_t lastPanel, const Finish& finish) {
  for (; row < end; row += kBlockRows) {
    int64_t blockEnd = std::min<int64_t>(row + kBlockRows, end);
    constexpr bool kPack = !std::same_as<PackA, InPlace>;
    for (int64_t r = row; kPack && r < blockEnd; r += kRows) {
      int rows = static_cast<int>(std::min<int64_t>(kRows, blockEnd - r));
      if constexpr (kPack) packA(r, rows, k, count, packedA + (r - row) * count);
    }
    for (int64_t p = panel; p < lastPanel; ++p) {
      int columns = static_cast<int>(std::min<int64_t>(kColumns, s.n - p * kColumns));
      const float* b = packedB + (p - panel) * count * kColumns;
      for (int64_t r = row; r < blockEnd; r += kRows) {
        int rows = static_cast<int>(std::min<int64_t>(kRows, blockEnd - r));
        Target to{c + r * ldc + p * kColumns, ldc, columns, k > 0};
        if constexpr (kPack) {
          runTile(rows, columns, PackedTile{count, packedA + (r - row) * count, b, to});
        } else {
          runTile(rows, columns, InPlaceTile{count, packA.a + r * packA.ld + k, packA.ld, b, to});
        }
      }
    }
    finish(row, blockEnd);
  }
}

/// Floats of the whole of B, packed.
inline int64_t gemmPacked(const GemmShape& s) { return s.k * panelsOf(s.n) * kColumns; }

/// B that packAll has packed.
struct Packed {
  const float* b;
};

/// Panels [from, to) of B's rows [k, k + count), one after the other, `from` at `panels`.
template <class PackB>
void packPanels(const GemmShape& s, const PackB& packB, int64_t k, int count, int64_t from,
                int64_t to, float* panels) {
  for (int64_t p = from; p < to; ++p) {
    int columns = static_cast<int>(std::min<int64_t>(kColumns, s.n - p * kColumns));
    packB(k, count, p * kColumns, columns, panels + (p - from) * count * kColumns);
  }
}

template <class PackB>
void packAll(const GemmShape& s, const PackB& packB, float* to, Threads& threads) {
  int64_t panels = panelsOf(s.n);
  for (int64_t k = 0; k < s.k; k += kDepth) {
    int count = static_cast<int>(std::min<int64_t>(kDepth, s.k - k));
    threads.forRange(panels, 1, [&](int64_t from, int64_t end, int) {
      packPanels(s, packB, k, count, from, end, to + (k * panels + from * count) * kColumns);
    });
  }
}

// Below this much work a second thread costs more than it brings.
inline constexpr int64_t kThreadFlops = 200'000;

/// C with rows `ldc` apart. Runs the epilogue over what is finished if rows are contiguous (ldc ==
/// N) and it is given.
template <class PackA, class PackB>
void gemm(const GemmShape& s, const PackA& packA, const PackB& packB, float* c, int64_t ldc,
          float* scratch, Threads& threads, const Epilogue& epilogue = {},
          int64_t epilogueOffset = 0) {
  int64_t panels = panelsOf(s.n), rowTiles = (s.m + kRows - 1) / kRows;
  if (s.m <= 0 || s.n <= 0) return;
  int64_t flops = 2 * s.m * s.n * std::max<int64_t>(s.k, 1);
  int64_t most = std::min<int64_t>(threads.count(), std::max<int64_t>(1, flops / kThreadFlops));
  constexpr bool kPackA = !std::same_as<PackA, InPlace>, kPackB = !std::same_as<PackB, Packed>;
  // Split by columns, a thread packs each panel of B and uses it at once; by rows, all panels are
  // packed by all threads, which wait for one another, and A by each its own.
  bool fewRows = !kPackA && kPackB && s.m <= kBlockRows && panels >= 4 * most;
  bool byRows = rowTiles >= panels || (rowTiles >= most && !fewRows);
  int parts = static_cast<int>(std::min<int64_t>(most, byRows ? rowTiles : panels));
  int64_t depth = std::min<int64_t>(s.k, kDepth), sizeA = depth * blockRows(s);
  float* packedA = scratch + (kPackB ? depth * panels * kColumns : 0);
  auto multiply = [&](int part, int64_t k, int count, const float* b, int64_t row, int64_t end,
                      int64_t panel, int64_t lastPanel, const auto& done) {
    gemmRows(s, packA, k, count, b, packedA + part * sizeA, c, ldc, row, end, panel, lastPanel,
             done);
  };
  auto finish = [&](int64_t k, Strip strip, int part) {
    strip.begin += epilogueOffset;
    strip.end += epilogueOffset;
    if (k + kDepth >= s.k && ldc == s.n) epilogue(strip, part);
  };
  auto forDepth = [&](const auto& work) {
    for (int64_t k = 0; k < s.k || k == 0; k += kDepth)
      work(k, static_cast<int>(std::min<int64_t>(kDepth, s.k - k)));
  };
  auto multiplyRows = [&](int part, int64_t k, int count, const float* b) {
    int64_t row = rowTiles * part / parts * kRows, end = rowTiles * (part + 1) / parts * kRows;
    multiply(part, k, count, b, row, std::min(s.m, end), 0, panels,
             [&](int64_t from, int64_t to) { finish(k, {from * s.n, to * s.n}, part); });
  };
  auto multiplyColumns = [&](int part, int64_t k, int count) {
    int64_t panel = panels * part / parts, lastPanel = panels * (part + 1) / parts;
    for (int64_t p = panel; p < lastPanel; ++p) {
      const float* b;
      if constexpr (kPackB) {
        float* own = scratch + part * depth * kColumns;
        packPanels(s, packB, k, count, p, p + 1, own);
        b = own;
      } else {
        b = packB.b + (k * panels + p * count) * kColumns;
      }
      multiply(part, k, count, b, 0, s.m, p, p + 1, [](int64_t, int64_t) {});
    }
    finish(k, {panel * kColumns, std::min(s.n, lastPanel * kColumns), s.m, s.n}, part);
  };
  if (!byRows) {
    threads.run(parts, [&](int part) {
      forDepth([&](int64_t k, int count) { multiplyColumns(part, k, count); });
    });
  } else if constexpr (kPackB) {
    forDepth([&](int64_t k, int count) {
      threads.run(parts, [&](int part) {
        int64_t from = panels * part / parts;
        packPanels(s, packB, k, count, from, panels * (part + 1) / parts,
                   scratch + from * count * kColumns);
      });
      threads.run(parts, [&](int part) { multiplyRows(part, k, count, scratch); });
    });
  } else {
    threads.run(parts, [&](int part) {
      forDepth([&](int64_t k, int count) {
        multiplyRows(part, k, count, packB.b + k * panels * kColumns);
      });
    });
  }
}

}  // namespace fjord
