// Products of few columns: C [M,N] = A [M,K] B [K,N] with N just above a panel of gemm.h, such as a
// last layer of ten units. All of B is one panel of three vectors, A is read where it lies, by rows
// or as its transpose, so that nothing of it is packed for the few columns that would use it.
//
//   if (isNarrow(n)) {
//     float* panel = scratch;                                      // k * kNarrowColumns floats
//     packNarrow(k, n, b, n, 1, panel);                            // B [K,N]; its transpose: 1, k
//     narrow(k, n, {a, k, 1}, panel, c, begin, end, false);        // A [M,K]; its transpose: 1, m
//   }
#pragma once

#include "ops/gemm.h"

namespace fjord {

inline constexpr int kNarrowColumns = 3 * kLanes;
// 3 x 3 sums, three vectors of B and one of A: all registers of WebAssembly (gemm.h), twice as many
// sums as a multiply-add takes cycles.
inline constexpr int kNarrowRows = 3;

inline bool isNarrow(int64_t n) { return n > kColumns && n <= kNarrowColumns; }

/// B into panel [k][kNarrowColumns]. What it holds beyond N columns is not used.
inline void packNarrow(int64_t k, int64_t n, const float* b, int64_t rowStride,
                       int64_t columnStride, float* panel) {
  auto element = [&](int64_t i, int64_t j) {
    panel[i * kNarrowColumns + j] = b[i * rowStride + j * columnStride];
  };
  // Whole vectors, which reach into the next row, but for the last one.
  int64_t i = 0, last = columnStride == 1 ? k - 1 : 0;
  for (; i < last; ++i) {
    for (int j = 0; j < kNarrowColumns; j += kLanes)
      F32::load(b + i * rowStride + j).store(panel + i * kNarrowColumns + j);
  }
  for (; i < k; ++i) {
    for (int64_t j = 0; j < n; ++j) element(i, j);
  }
}

/// Rows [begin, end) of C, added to what is there or in its place.
inline void narrow(int64_t k, int64_t n, const Strided& a, const float* panel, float* c,
                   int64_t begin, int64_t end, bool accumulate) {
  auto tiles = [&](auto rows, int64_t number) {
    Tiles all{static_cast<int>(number),
              static_cast<int>(k),
              {a.a + begin * a.row, a.row, a.step},
              panel,
              {c + begin * n, n, static_cast<int>(n), accumulate}};
    all.template run<rows, 3>();
    begin += rows * number;
  };
  tiles(std::integral_constant<int, kNarrowRows>(), (end - begin) / kNarrowRows);
  if (end - begin == 2) tiles(std::integral_constant<int, 2>(), 1);
  if (end - begin == 1) tiles(std::integral_constant<int, 1>(), 1);
}

}  // namespace fjord
