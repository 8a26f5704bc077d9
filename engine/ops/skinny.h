// Products of a few rows: C [M,N] = A [M,K] B [K,N] with M at most kSkinnyRows, such as one sample
// through a layer. Each element of B is used M times only, so it is read where it lies, in the order
// in which it lies: such a product should take as long as reading B.
//
//   skinny<Stored::kRows>(m, n, k, a, b, c, 0, n, totals);      // B [K,N], columns [0, n) of C
//   skinny<Stored::kColumns>(m, n, k, a, b, c, 0, n, totals);   // B stored as its transpose [N,K]
//
// A is [M,K], C is [M,N], both by rows; totals: skinnyTotals doubles. Every element of C is summed in
// one order, in runs (long_sum.h).
#pragma once

#include <algorithm>
#include <cstring>

#include "ops/long_sum.h"

namespace fjord {

inline constexpr int64_t kSkinnyRows = 4;

/// Columns of C that are summed together: a share of the work is a multiple of it.
inline constexpr int64_t kSkinnyStrip = 8 * kLanes;

enum class Stored { kRows, kColumns };

/// Terms of a run.
inline constexpr int64_t kSkinnyRun = 512;

inline int64_t skinnyTotals(int64_t m, int64_t n, int64_t k) { return k > kSkinnyRun ? m * n : 0; }

/// c[r][j] += sum over U steps of a[r][u] b[u][j], for columns [begin, end): R rows of C are read
/// and written once for U rows of B, which pass by from first to last.
template <int R, int U>
void addRows(int64_t n, int64_t k, const float* a, const float* b, float* c, int64_t begin,
             int64_t end) {
  F32 factor[R][U];
  unrolled<R * U>([&](auto i) { factor[i / U][i % U] = F32(a[i / U * k + i % U]); });
  int64_t j = begin;
  for (; j + kLanes <= end; j += kLanes) {
    F32 sums[R];
    unrolled<U>([&](auto u) __attribute__((always_inline)) {
      F32 right = F32::load(b + u * n + j);
      unrolled<R>([&](auto r) {
        sums[r] = u == 0 ? factor[r][0] * right : mulAdd(factor[r][u], right, sums[r]);
      });
    });
    unrolled<R>([&](auto r) { (F32::load(c + r * n + j) + sums[r]).store(c + r * n + j); });
  }
  FJORD_REST for (; j < end; ++j) {
    for (int r = 0; r < R; ++r) {
      float sum = 0;
      for (int u = 0; u < U; ++u) sum += a[r * k + u] * b[u * n + j];
      c[r * n + j] += sum;
    }
  }
}

/// c[j] = sum over i < count of a[i] b[i][j], for V vectors of columns from j: the sums stay in
/// registers, and B is read in strips.
template <int V>
void sumColumns(int64_t n, int64_t count, const float* a, const float* b, float* c, int64_t j) {
  F32 sums[V];
  unrolled<V>([&](auto v) { sums[v] = F32(0.0); });
  const float* from = b + j;
  for (int64_t i = 0; i < count; ++i, from += n) {
    F32 left = hn::Set(FloatTag(), a[i]);
    unrolled<V>([&](auto v) { sums[v] = mulAdd(left, F32::load(from + v * kLanes), sums[v]); });
  }
  unrolled<V>([&](auto v) { sums[v].store(c + j + v * kLanes); });
}

/// The sums of one run of `count` terms.
template <int R>
void sumRows(int64_t n, int64_t k, int64_t count, const float* a, const float* b, float* c,
             int64_t begin, int64_t end) {
  // Strips are the faster way through a second-level cache, whole rows through memory.
  constexpr int64_t kCached = 1 << 18;
  if (R == 1 && k * n <= kCached) {
    auto strips = [&](auto vectors) {
      for (; begin + vectors * kLanes <= end; begin += vectors * kLanes)
        sumColumns<vectors>(n, count, a, b, c, begin);
    };
    strips(std::integral_constant<int, 8>());
    strips(std::integral_constant<int, 4>());
    strips(std::integral_constant<int, 1>());
  }
  if (begin == end) return;
  for (int r = 0; r < R; ++r)
    std::memset(c + r * n + begin, 0, static_cast<size_t>(end - begin) * 4);
  // As many factors as leave registers for the sums.
  constexpr int kSteps = 8 / R;
  int64_t i = 0;
  for (; i + kSteps <= count; i += kSteps)
    addRows<R, kSteps>(n, k, a + i, b + i * n, c, begin, end);
  for (; i < count; ++i) addRows<R, 1>(n, k, a + i, b + i * n, c, begin, end);
}

template <int R>
void skinnyRows(int64_t n, int64_t k, const float* a, const float* b, float* c, int64_t begin,
                int64_t end, double* totals) {
  if (k <= kSkinnyRun) return sumRows<R>(n, k, k, a, b, c, begin, end);
  for (int64_t i = 0; i < k; i += kSkinnyRun) {
    sumRows<R>(n, k, std::min(kSkinnyRun, k - i), a + i, b + i * n, c, begin, end);
    Run run = i == 0 ? Run::kFirst : i + kSkinnyRun < k ? Run::kInner : Run::kLast;
    addTotals(c + begin, n, totals + begin, n, R, end - begin, run);
  }
}

/// to[r][q] = sum over i < count of a[r][i] b[q][i], rows k apart.
template <int R, int J>
void dotRun(int64_t k, int64_t count, const float* a, const float* b, float (&to)[R][J]) {
  F32 sums[R][J];
  unrolled<R * J>([&](auto i) { sums[i / J][i % J] = F32(0.0); });
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    F32 left[R];
    unrolled<R>([&](auto r) { left[r] = F32::load(a + r * k + i); });
    unrolled<J>([&](auto q) __attribute__((always_inline)) {
      F32 right = F32::load(b + q * k + i);
      unrolled<R>([&](auto r) { sums[r][q] = mulAdd(left[r], right, sums[r][q]); });
    });
  }
  unrolled<R * J>([&](auto at) {
    constexpr int r = at / J, q = at % J;
    float sum = hn::GetLane(hn::SumOfLanes(FloatTag(), sums[r][q].v));
    FJORD_REST for (int64_t rest = i; rest < count; ++rest) {
      sum += a[r * k + rest] * b[q * k + rest];
    }
    to[r][q] = sum;
  });
}

/// c[r][j] = sum over i of a[r][i] b[j][i], for J columns from j.
template <int R, int J>
void dotColumns(int64_t n, int64_t k, const float* a, const float* b, float* c, int64_t j) {
  constexpr int64_t kRun = kSkinnyRun / 2 * kLanes;
  double totals[R][J];
  for (int64_t i = 0; i < k || i == 0; i += kRun) {
    float sums[R][J];
    dotRun<R, J>(k, std::min(kRun, k - i), a + i, b + j * k + i, sums);
    for (int r = 0; r < R; ++r) {
      for (int q = 0; q < J; ++q) totals[r][q] = (i == 0 ? 0 : totals[r][q]) + sums[r][q];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int q = 0; q < J; ++q) c[r * n + j + q] = static_cast<float>(totals[r][q]);
  }
}

template <int R>
void skinnyColumns(int64_t n, int64_t k, const float* a, const float* b, float* c, int64_t begin,
                   int64_t end) {
  constexpr int kAtOnce = 8 / R;
  for (; begin + kAtOnce <= end; begin += kAtOnce) dotColumns<R, kAtOnce>(n, k, a, b, c, begin);
  for (; begin < end; ++begin) dotColumns<R, 1>(n, k, a, b, c, begin);
}

/// Columns [begin, end) of C.
template <Stored stored>
void skinny(int64_t m, int64_t n, int64_t k, const float* a, const float* b, float* c,
            int64_t begin, int64_t end, double* totals) {
  auto rows = [&](auto count) {
    if constexpr (stored == Stored::kRows) skinnyRows<count>(n, k, a, b, c, begin, end, totals);
    if constexpr (stored == Stored::kColumns) skinnyColumns<count>(n, k, a, b, c, begin, end);
    a += count * k;
    c += count * n;
    totals += count * n;
  };
  for (; m >= 4; m -= 4) rows(std::integral_constant<int, 4>());
  for (; m >= 2; m -= 2) rows(std::integral_constant<int, 2>());
  if (m == 1) rows(std::integral_constant<int, 1>());
}

}  // namespace fjord
