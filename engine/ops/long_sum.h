// Long sums. A sum of n numbers in one float32 accumulator is off by up to n/2 units in the last place,
// and where the numbers are alike it is: 4e7 times 0.1 by 2 %. So no kernel has a long chain of float32
// additions: it adds up runs of at most some hundred numbers in registers, and what the runs give in
// double, whose own errors do not show. The error then depends on the length of a run alone, and the
// second level costs an addition per run.
//
//   Totals<V> totals;                          // V vectors of sums, in double
//   for each run: { F32 sums[V]; .. totals.add(sums); }
//   F32 sum = totals.rounded(v);
//
// Sums that do not fit registers have their totals in scratch memory: addTotals, GrowingSums. Shaders have
// no double: longSums.
#pragma once

#include <algorithm>

#include "base/simd.h"
#include "ops/gpu.h"
#include "ops/long_sum.wgsl.h"
#include "ops/sum.wgsl.h"

namespace fjord {

/// V vectors of sums.
template <int V>
struct Totals {
  double at[V * kLanes] = {};

  void add(const F32 (&runs)[V]) {
    float lanes[V * kLanes];
    unrolled<V>([&](auto v) { runs[v].store(lanes + v * kLanes); });
    for (int i = 0; i < V * kLanes; ++i) at[i] += static_cast<double>(lanes[i]);
  }
  F32 rounded(int v) const {
    float lanes[kLanes];
    for (int i = 0; i < kLanes; ++i) lanes[i] = static_cast<float>(at[v * kLanes + i]);
    return F32::load(lanes);
  }
};

/// Terms that may be one run where to cut them costs more than it brings, such as most windows' taps.
inline constexpr int64_t kShortTerms = 256;

/// sum(rows, columns, sums) for parts of a window of Range's two axes; gives what all of them give
/// together. A short window is one part.
template <int V, class Range, class Sum>
void sumWindow(const Range& rows, const Range& columns, F32 (&sums)[V], const Sum& sum) {
  constexpr int64_t kRunTaps = 64;
  int64_t width = columns.end - columns.begin;
  if ((rows.end - rows.begin) * width <= kShortTerms) return sum(rows, columns, sums);
  Totals<V> totals;
  int64_t across = std::min(width, kRunTaps), down = kRunTaps / across;
  for (int64_t y = rows.begin; y < rows.end; y += down) {
    for (int64_t x = columns.begin; x < columns.end; x += across) {
      sum(Range(y, std::min(y + down, rows.end)), Range(x, std::min(x + across, columns.end)),
          sums);
      totals.add(sums);
    }
  }
  unrolled<V>([&](auto v) { sums[v] = totals.rounded(v); });
}

/// Which run of the same sums has ended.
enum class Run { kFirst, kInner, kLast };

/// sums[i] of a run are added to totals[i]; those of the last run become the totals. (Inlined it would not
/// be vectorised: the compiler forgets that the two do not overlap.)
[[gnu::noinline]] inline void addTotals(float* __restrict sums, double* __restrict totals,
                                        int64_t n, Run run) {
  if (run == Run::kFirst) {
    for (int64_t i = 0; i < n; ++i) totals[i] = sums[i];
  } else if (run == Run::kInner) {
    for (int64_t i = 0; i < n; ++i) totals[i] += sums[i];
  } else {
    for (int64_t i = 0; i < n; ++i) sums[i] = static_cast<float>(totals[i] + sums[i]);
  }
}

/// addTotals for `rows` rows of n sums, `stride` apart, whose totals are `totalsStride` apart.
inline void addTotals(float* sums, int64_t stride, double* totals, int64_t totalsStride,
                      int64_t rows, int64_t n, Run run) {
  for (int64_t r = 0; r < rows; ++r)
    addTotals(sums + r * stride, totals + r * totalsStride, n, run);
}

/// n sums in memory that grow by a term at a time; what is added to them is the caller's affair. Those
/// of at most kShortTerms terms need no totals.
class GrowingSums {
 public:
  GrowingSums(float* sums, double* totals, int64_t n) : sums_(sums), totals_(totals), n_(n) {
    std::fill_n(sums, n, 0.0f);
  }
  /// Terms have been added to each.
  void grown(int64_t terms = 1) {
    terms_ += terms;
    if (terms_ >= kShortTerms && totals_) endRun(run_);
  }
  void finish() {
    if (run_ == Run::kInner) endRun(Run::kLast);
  }

 private:
  void endRun(Run run) {
    addTotals(sums_, totals_, n_, run);
    if (run != Run::kLast) std::fill_n(sums_, n_, 0.0f);
    run_ = Run::kInner;
    terms_ = 0;
  }
  float* sums_;
  double* totals_;
  int64_t n_, terms_ = 0;
  Run run_ = Run::kFirst;
};

/// long_sum.wgsl for so many terms; `join` defines start() and join(a, b).
inline void longSums(ShaderWriter& w, int64_t terms, std::string_view join = kSumWgsl) {
  constexpr int64_t kFewTerms = 64;
  w.constant("kParts", terms > kFewTerms ? 28 : 1);
  w.text({join, kLongSumWgsl});
}

}  // namespace fjord
