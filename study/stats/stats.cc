#include "stats/stats.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace fjord::study {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// The median of values whose order may change.
double medianOf(std::span<double> values) {
  auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2) return *middle;
  return std::midpoint(*std::max_element(values.begin(), middle), *middle);
}

double quantileOfSorted(std::span<const double> sorted, double q) {
  double at = q * static_cast<double>(sorted.size() - 1);
  size_t below = static_cast<size_t>(at), above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], at - static_cast<double>(below));
}

}  // namespace

double median(std::span<const double> values) {
  std::vector<double> copy(values.begin(), values.end());
  return medianOf(copy);
}

double quantile(std::span<const double> values, double q) {
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  return quantileOfSorted(sorted, q);
}

double geometricMean(std::span<const double> ratios) {
  double sum = 0;
  for (double r : ratios) sum += r > 0 ? std::log(r) : kNaN;
  return std::exp(sum / static_cast<double>(ratios.size()));
}

std::vector<double> ranks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) { return values[i]; });
  std::vector<double> out(values.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    // Ranks begin + 1 .. end, shared: their mean.
    for (size_t i = begin; i < end; ++i) out[order[i]] = 0.5 * static_cast<double>(begin + 1 + end);
  }
  return out;
}

double rankCorrelation(std::span<const double> a, std::span<const double> b) {
  std::vector<double> x = ranks(a), y = ranks(b);
  // Ranks have the same mean with and without ties; all of these sums are exact, being multiples of
  // 1/4.
  double mean = 0.5 * static_cast<double>(x.size() + 1), xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
    xy += (x[i] - mean) * (y[i] - mean);
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : kNaN;
}

}  // namespace fjord::study
