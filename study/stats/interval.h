// Intervals that say what they promise, and decisions that wait for one.
//
//   Span span = orderSpan(ratios);          // one ratio a round
//   promiseOf(span);                        // "96.9 % interval", "range of 3 rounds"
//   decide(span, 2) == Decision::kAbove;    // or kBelow, kNotDecided
//
// Nobody can have 95 % from fewer than six values without assumptions: even the range of n values
// misses the median where all are on one side of it, with probability 2^(1-n), which is 6.25 % for
// five and 3.1 % for six.
#pragma once

#include <limits>
#include <span>
#include <string>

#include "stats/stats.h"

namespace fjord::study {

/// The fewest rounds that allow a 95 % interval.
inline constexpr size_t kLeastRounds = 6;

struct Span {
  Interval interval;
  /// The probability that it holds the true value; NaN where nothing is known.
  double coverage = std::numeric_limits<double>::quiet_NaN();
  size_t rounds = 0;  // that it comes from
};

/// "95 % interval", "range of 3 rounds", "one round".
std::string promiseOf(const Span& span);

/// The median with the narrowest interval from the k-th smallest to the k-th largest value that
/// holds the true median with probability 0.95 at least, whatever the values are distributed like,
/// and with the exact probability: 1 - 2 P(fewer than k of n fair coins show heads) (David and
/// Nagaraja, "Order Statistics", 2003, section 7.1). Below six values: their range, with what it
/// is worth. `values` [n], n >= 1, finite.
Span orderSpan(std::span<const double> values);

/// The geometric mean of ratios with its interval by Student's t on their logarithms, which assumes
/// that these are about normal; below six values: their range. Unlike medians, such means
/// multiply: the mean of products is the product of means. `ratios` [n] > 0, n >= 1.
Span geometricSpan(std::span<const double> ratios);

/// The value that Student's t with so many degrees of freedom, >= 1, is below with probability p,
/// 0.5 <= p < 1.
double studentQuantile(int degrees, double p);

/// Where a value stands to a threshold. It is decided only where the whole interval is on one side;
/// a single round has no interval, so it decides nothing.
enum class Decision { kBelow, kAbove, kNotDecided };
Decision decide(const Span& value, double threshold);

}  // namespace fjord::study
