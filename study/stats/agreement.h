// How far two measurements of the same things agree, by their ratios.
//
//   Agreement found = agreementOf(pairs);    // pairs of medians with their intervals
//   found.agrees                             // the middle ratio within 5 %, 95 % of them within 20 %
//
// A rank correlation over values of five orders of magnitude is near 1 even where all differ twofold;
// ratios are not. The plot is that of Bland and Altman, "Statistical methods for assessing agreement
// between two methods of clinical measurement", 1986, on logarithms: the ratio of two values over
// their geometric mean.
#pragma once

#include <span>
#include <vector>

#include "stats/stats.h"

namespace fjord::study {

/// One cell in both runs; values above 0.
struct MeasuredTwice {
  Interval first, second;
};

/// Below these two runs agree.
inline constexpr double kMedianLimit = 0.05, kTailLimit = 0.20;

struct Agreement {
  size_t cells = 0;
  /// How far a cell differs: its larger value over its smaller one, less 1. The median over the
  /// cells and the 95th percentile; NaN without cells.
  double median = 0, tail = 0;
  /// The share of cells whose intervals touch.
  double overlapping = 0;
  /// Second over first: the geometric mean, and where 95 % of ratios lie if their logarithms are
  /// normal (1.96 standard deviations); low and high are NaN for fewer than two cells.
  Interval ratio;
  struct Point {
    double mean = 0, ratio = 0;  // geometric mean of both; second over first
  };
  std::vector<Point> points;  // as the pairs stand
  bool agrees = false;
};

Agreement agreementOf(std::span<const MeasuredTwice> pairs);

}  // namespace fjord::study
