// The statistics of the lab: robust centres, ratios, ranks. Intervals are in interval.h.
//
//   double load = median(values);            // of page loads
//   double faster = geometricMean(ratios);
//
// A trial (one fresh page) is the unit: many samples of one page are one number, their median,
// because samples within a page share that page's luck. Only ratios are averaged, and only
// geometrically. All values are finite.
#pragma once

#include <span>
#include <vector>

namespace fjord::study {

/// The middle value, or the mean of the two in the middle. `values` [n], n >= 1.
double median(std::span<const double> values);

/// The quantile q in [0, 1] by linear interpolation of order statistics (definition 7 of Hyndman
/// and Fan, "Sample Quantiles in Statistical Packages", 1996: NumPy's default). `values` [n], n >=
/// 1.
double quantile(std::span<const double> values, double q);

/// A value and how far it may be off; what that is worth says who made it (Span).
struct Interval {
  double low = 0;
  double centre = 0;
  double high = 0;
};

/// exp of the mean of logarithms. `ratios` [n] > 0, n >= 1; NaN where one is not.
double geometricMean(std::span<const double> ratios);

/// The ranks of values, 1 for the smallest; equal values share the mean of their ranks.
std::vector<double> ranks(std::span<const double> values);

/// Spearman's rank correlation: Pearson's of the ranks. `a`, `b` [n], n >= 2; NaN where all of one
/// are equal.
double rankCorrelation(std::span<const double> a, std::span<const double> b);

}  // namespace fjord::study
