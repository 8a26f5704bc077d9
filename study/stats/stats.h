// The statistics of the lab: robust centres, intervals without assumptions, ratios.
//
//   Interval load = medianInterval(values, seed);  // median of page loads, its 95 % interval
//   double faster = geometricMean(ratios);
//
// A trial (one fresh page) is the unit: many samples of one page are one number, their median,
// because samples within a page share that page's luck. Only ratios are averaged, and only
// geometrically. All values are finite.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace fjord::study {

/// The middle value, or the mean of the two in the middle. `values` [n], n >= 1.
double median(std::span<const double> values);

/// The quantile q in [0, 1] by linear interpolation of order statistics (definition 7 of Hyndman
/// and Fan, "Sample Quantiles in Statistical Packages", 1996: NumPy's default). `values` [n], n >=
/// 1.
double quantile(std::span<const double> values, double q);

struct Interval {
  double low = 0;
  double centre = 0;
  double high = 0;
};

/// The median with its 95 % percentile bootstrap interval (Efron and Tibshirani, "An Introduction
/// to the Bootstrap", 1993, chapter 13), from `resamples` samples with replacement. One value gives
/// an interval of no width. The same seed gives the same interval. Few values cannot do what is
/// asked of them: the interval holds the true median in 75 % of cases for n = 3, where it is all of
/// the values, in 94 % for n = 5, 88 % for n = 7, 92 % for n = 15, 95 % for n = 25.
Interval medianInterval(std::span<const double> values, uint64_t seed, int resamples = 2000);

/// The ratio of two medians, a over b, with its 95 % percentile bootstrap interval; both are
/// resampled. The ends are NaN where the median of a resample of b can be 0.
Interval ratioInterval(std::span<const double> a, std::span<const double> b, uint64_t seed,
                       int resamples = 2000);

/// exp of the mean of logarithms. `ratios` [n] > 0, n >= 1; NaN where one is not.
double geometricMean(std::span<const double> ratios);

/// The ranks of values, 1 for the smallest; equal values share the mean of their ranks.
std::vector<double> ranks(std::span<const double> values);

/// Spearman's rank correlation: Pearson's of the ranks. `a`, `b` [n], n >= 2; NaN where all of one
/// are equal.
double rankCorrelation(std::span<const double> a, std::span<const double> b);

}  // namespace fjord::study
