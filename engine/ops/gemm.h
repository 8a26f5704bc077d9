// Matrix multiplication C [M,N] = A [M,K] B [K,N]. A is read where it lies, by rows or as its
// transpose; B is described by how to pack it, so that its transpose is never written out in memory.
//
//   auto packB = [&](int64_t k, int count, int64_t column, int columns, float* panel) { .. };
//   gemm({M, N, K}, {a, K, 1}, packB, c, scratch, threads);    // scratch: gemmScratch floats
//
// packB(k, count, column, columns, panel): B[k .. k + count, column .. column + columns) into
//   panel[count][kColumns], missing columns as zeros.
//
// B that seldom changes is packed once: packAll(shape, packB, to, threads) into gemmPacked floats,
// and Packed{to} stands for packB.
//
// The blocking is Goto and van de Geijn's ("Anatomy of high-performance matrix multiplication",
// 2008), but for A, which they pack: a panel of B [kDepth, kColumns] stays in the first-level cache
// while all rows of a block of A pass over it. Every element of C is summed in one order, whatever
// the number of threads: in registers over kDepth terms, in C over kLongDepth, and what is longer in
// double (long_sum.h).
#pragma once

#include <algorithm>

#include "base/simd.h"
#include "base/threads.h"
#include "ops/long_sum.h"
#include "ops/op.h"

namespace fjord {

struct GemmShape {
  int64_t m = 0, n = 0, k = 0;
};

// Registers: kRows * 2 accumulators, two vectors of B, one of A. AVX2, and WebAssembly on x64, have 16:
// 6 x 2 takes 15 of them. AVX-512 has 32.
inline constexpr int kRows = kLanes == 16 ? 8 : 6;
inline constexpr int kColumns = 2 * kLanes;
// A panel of B is 512 * 2 vectors: 16 KB in WebAssembly, half of the smallest first-level cache.
inline constexpr int kDepth = 512;
inline constexpr int kLongDepth = 16 * kDepth;
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
    unrolled<R>([&](auto r) __attribute__((always_inline)) {
      float* c = to.c + r * to.ldc;
      int columns = to.columns;
      unrolled<V>([&](auto v) __attribute__((always_inline)) {
        float* at = c + v * kLanes;
        if (int rest = columns - v * kLanes; rest >= kLanes) {
          (to.accumulate ? row[r][v] + F32::load(at) : row[r][v]).store(at);
        } else {
          float values[kLanes];
          row[r][v].store(values);
          for (int j = 0; j < rest; ++j) at[j] = to.accumulate ? at[j] + values[j] : values[j];
        }
      });
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

/// A matrix where it lies: `row` floats from one row to the next, `step` from one column to the next.
struct Strided {
  const float* a;
  int64_t row, step;
};

/// `tiles` tiles, one below the other: each the sum over k of A's rows times b[k][j], B packed V
/// vectors wide where that is more than a panel.
struct Tiles {
  int tiles, count;
  Strided a;
  const float* b;
  Target to;

  template <int R, int V>
  void run() const {
    const float* top = a.a;
    Target c = to;
    for (int t = tiles; t > 0; --t, top += R * a.row, c.c += R * c.ldc) {
      Sums<R, V> sums;
      sums.clear();
      const float *left[R], *right = b;
      unrolled<R>([&](auto r) { left[r] = top + r * a.row; });
      for (int k = count; k > 0; --k, right += std::max(V * kLanes, kColumns)) {
        sums.add(right, [&](int r) { return *left[r]; });
        unrolled<R>([&](auto r) { left[r] += a.step; });
      }
      sums.store(c);
    }
  }
};

/// What becomes of C when a block of a depth of k terms is done: after kLongDepth terms its sums go to
/// the totals, as many doubles as C has elements, if the depth is longer.
struct Depth {
  int64_t k;
  float* c;
  double* totals;

  static bool isLong(int64_t k) { return k > kLongDepth; }
  bool isLast(int64_t at) const { return at + kDepth >= k; }
  /// Whether the block from term `at` on adds to what C holds.
  static bool accumulates(int64_t at) { return at % kLongDepth > 0; }
  /// A strip of C has the sums up to the block from term `at` on.
  void finish(int64_t at, const Strip& s) const {
    if (!isLong(k) || !(isLast(at) || !accumulates(at + kDepth))) return;
    Run run = isLast(at) ? Run::kLast : at < kLongDepth ? Run::kFirst : Run::kInner;
    addTotals(c + s.begin, s.stride, totals + s.begin, s.stride, s.rows, s.end - s.begin, run);
  }
  /// work(at, count) for each block; once if there are no terms.
  template <class Work>
  void forBlocks(const Work& work) const {
    for (int64_t at = 0; at < k || at == 0; at += kDepth)
      work(at, static_cast<int>(std::min<int64_t>(kDepth, k - at)));
  }
};

/// Floats of the totals of C [m,n].
inline int64_t totalsFloats(int64_t m, int64_t n, int64_t k) {
  return Depth::isLong(k) ? 2 * m * n : 0;
}

inline int64_t panelsOf(int64_t n) { return (n + kColumns - 1) / kColumns; }

/// A's columns are a multiple of a page apart: all that a tile reads of them competes for one set of
/// the first-level cache, at two thirds of the speed.
inline bool collides(const Strided& a) { return a.step % 1024 == 0; }

/// Rows of A that pass over a panel of B together.
inline int64_t blockRows(const GemmShape& s) {
  return std::min<int64_t>(kBlockRows, (s.m + kRows - 1) / kRows * kRows);
}

/// Floats of scratch that gemm needs, with B packed already or not.
inline int64_t gemmScratch(const GemmShape& s, const Strided& a, int threads, bool packed) {
  int64_t depth = std::min<int64_t>(s.k, kDepth);
  return totalsFloats(s.m, s.n, s.k) + (packed ? 0 : depth * panelsOf(s.n) * kColumns) +
         (collides(a) ? depth * blockRows(s) * threads : 0);
}

/// Rows [row, end) against packed panels [panel, lastPanel) of B, of which packedB is the first; one
/// thread's work. finish(row, end) for rows that are done and still in cache.
template <class Finish>
void gemmRows(const GemmShape& s, const Strided& a, int64_t k, int count, const float* packedB,
              float* copy, float* c, int64_t row, int64_t end, int64_t panel, int64_t lastPanel,
              const Finish& finish) {
  for (; row < end; row += kBlockRows) {
    int64_t rows = std::min<int64_t>(kBlockRows, end - row);
    Strided block{a.a + row * a.row + k * a.step, a.row, a.step};
    if (collides(a)) {
      for (int i = 0; i < count; ++i) {
        for (int64_t r = 0; r < rows; ++r) copy[i * rows + r] = block.a[i * a.step + r * a.row];
      }
      block = {copy, 1, rows};
    }
    for (int64_t p = panel; p < lastPanel; ++p) {
      int columns = static_cast<int>(std::min<int64_t>(kColumns, s.n - p * kColumns));
      auto tiles = [&](int64_t from, int64_t each, int64_t number) {
        Strided left{block.a + from * block.row, block.row, block.step};
        Target to{c + (row + from) * s.n + p * kColumns, s.n, columns, Depth::accumulates(k)};
        runTile(static_cast<int>(each), columns,
                Tiles{static_cast<int>(number), count, left,
                      packedB + (p - panel) * count * kColumns, to});
      };
      // In a tile of three rows and less the multiply-adds wait for one another: two share what is
      // left over.
      int64_t whole = rows / kRows, rest = rows % kRows;
      if (whole && rest && rest < 4) --whole, rest += kRows;
      int64_t half = rest > kRows ? rest / 2 : 0;
      if (whole) tiles(0, kRows, whole);
      if (rest) tiles(whole * kRows, rest - half, 1);
      if (half) tiles(rows - half, half, 1);
    }
    finish(row, row + rows);
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
inline constexpr int64_t kThreadFlops = 150'000;

/// Runs the epilogue over what is finished, at `epilogueOffset`. A share is of columns, or of rows, block
/// of depth by block of depth: what is packed of B stays in the scratch until its last one.
template <class PackB>
void gemm(const GemmShape& s, const Strided& a, const PackB& packB, float* c, float* scratch,
          Threads& threads, const Epilogue& epilogue = {}, int64_t epilogueOffset = 0,
          const Share& share = {}) {
  int64_t panels = panelsOf(s.n), rowTiles = (s.m + kRows - 1) / kRows;
  if (s.m <= 0 || s.n <= 0) return;
  int64_t flops = 2 * s.m * s.n * std::max<int64_t>(s.k, 1);
  int64_t most = std::min<int64_t>(threads.count(), std::max<int64_t>(1, flops / kThreadFlops));
  constexpr bool kPackB = !std::same_as<PackB, Packed>;
  int64_t depth = std::min<int64_t>(s.k, kDepth);
  // Split by columns, a thread packs each panel of B and uses it at once; by rows, all panels are
  // packed by all threads, which wait for one another.
  bool byColumns = kPackB && a.step == 1 && s.m <= kBlockRows && panels >= 4 * most;
  bool byRows = !byColumns && rowTiles >= std::min(panels, most);
  Depth depths{s.k, c, reinterpret_cast<double*>(scratch)};
  scratch += totalsFloats(s.m, s.n, s.k);
  auto partsOf = [&](int64_t units) { return static_cast<int>(std::min(most, units)); };
  float* copies = scratch + (kPackB ? depth * panels * kColumns : 0);
  auto multiply = [&](int part, int64_t k, int count, const float* b, int64_t row, int64_t end,
                      int64_t panel, int64_t lastPanel, const auto& done) {
    gemmRows(s, a, k, count, b, copies + part * depth * blockRows(s), c, row, end, panel, lastPanel,
             done);
  };
  auto finish = [&](int64_t k, Strip strip, int part) {
    depths.finish(k, strip);
    strip.begin += epilogueOffset;
    strip.end += epilogueOffset;
    if (depths.isLast(k)) epilogue(strip, part);
  };
  // Panels [from, to) of B's rows [k, k + count), packed into `room` if they are not yet.
  auto panelsAt = [&](int64_t k, int count, int64_t from, int64_t to, float* room) -> const float* {
    if constexpr (kPackB) {
      packPanels(s, packB, k, count, from, to, room);
      return room;
    } else {
      return packB.b + (k * panels + from * count) * kColumns;
    }
  };
  // Part `part` of `parts` of units [first, last).
  auto partOf = [](int part, int parts, int64_t first, int64_t last) {
    return std::pair(first + (last - first) * part / parts,
                     first + (last - first) * (part + 1) / parts);
  };
  auto multiplyRows = [&](int part, int64_t k, int count, const float* b, int64_t tile,
                          int64_t lastTile) {
    multiply(part, k, count, b, tile * kRows, std::min(s.m, lastTile * kRows), 0, panels,
             [&](int64_t from, int64_t to) { finish(k, {from * s.n, to * s.n}, part); });
  };
  auto multiplyColumns = [&](int part, int64_t k, int count, int64_t panel, int64_t lastPanel) {
    for (int64_t p = panel; p < lastPanel; ++p) {
      const float* b = panelsAt(k, count, p, p + 1, scratch + part * depth * kColumns);
      multiply(part, k, count, b, 0, s.m, p, p + 1, [](int64_t, int64_t) {});
    }
    finish(k, {panel * kColumns, std::min(s.n, lastPanel * kColumns), s.m, s.n}, part);
  };
  if (!byRows) {
    auto [first, last] = share.of(panels);
    int parts = partsOf(last - first);
    threads.run(parts, [&](int part) {
      auto [panel, lastPanel] = partOf(part, parts, first, last);
      depths.forBlocks(
          [&](int64_t k, int count) { multiplyColumns(part, k, count, panel, lastPanel); });
    });
  } else if constexpr (kPackB) {
    auto [first, last] = share.of(rowTiles * std::max<int64_t>(1, (s.k + kDepth - 1) / kDepth));
    depths.forBlocks([&](int64_t k, int count) {
      int64_t before = k / kDepth * rowTiles;
      int64_t from = std::clamp<int64_t>(first - before, 0, rowTiles);
      int64_t to = std::clamp<int64_t>(last - before, 0, rowTiles);
      if (from == to) return;
      int packers = partsOf(panels), parts = partsOf(to - from);
      auto pack = [&](int part) {
        auto [panel, lastPanel] = partOf(part, packers, 0, panels);
        panelsAt(k, count, panel, lastPanel, scratch + panel * count * kColumns);
      };
      if (from == 0) threads.run(packers, pack);
      threads.run(parts, [&](int part) {
        auto [tile, lastTile] = partOf(part, parts, from, to);
        multiplyRows(part, k, count, scratch, tile, lastTile);
      });
    });
  } else {
    auto [first, last] = share.of(rowTiles);
    int parts = partsOf(last - first);
    threads.run(parts, [&](int part) {
      auto [tile, lastTile] = partOf(part, parts, first, last);
      depths.forBlocks([&](int64_t k, int count) {
        multiplyRows(part, k, count, packB.b + k * panels * kColumns, tile, lastTile);
      });
    });
  }
}

}  // namespace fjord
