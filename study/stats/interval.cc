#include "stats/interval.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <vector>

#include "base/text.h"

namespace fjord::study {

namespace {

constexpr double kAsked = 0.95;

/// The probability that at most `most` of n fair coins show heads.
double headsAtMost(size_t most, size_t n) {
  // Terms C(n, i) / 2^n by their logarithms: 2^n overflows from n = 1024 on.
  double sum = 0, term = -static_cast<double>(n) * std::numbers::ln2;
  for (size_t i = 0; i <= most; ++i) {
    sum += std::exp(term);
    term += std::log(static_cast<double>(n - i) / static_cast<double>(i + 1));
  }
  return sum;
}

/// P(|T| <= t) for Student's T: the finite sums of Abramowitz and Stegun, "Handbook of Mathematical
/// Functions", 26.7.3 and 26.7.4, with tan(angle) = t / sqrt(degrees).
double studentWithin(int degrees, double t) {
  double angle = std::atan(t / std::sqrt(degrees)), c = std::cos(angle), s = std::sin(angle);
  bool odd = degrees % 2;
  double term = odd ? c : 1, sum = 0;
  for (int i = odd ? 1 : 0; i <= degrees - 2; i += 2) {
    sum += term;
    term *= c * c * (i + 1) / (i + 2);
  }
  return odd ? 2 / std::numbers::pi * (angle + s * sum) : s * sum;
}

}  // namespace

std::string promiseOf(const Span& span) {
  if (span.rounds == 1) return "one round";
  if (span.rounds < kLeastRounds) return cat("range of ", span.rounds, " rounds");
  return cat(std::round(span.coverage * 1000) / 10, " % interval");
}

Span orderSpan(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  size_t n = sorted.size(), k = 1;
  auto coverage = [&](size_t cut) { return 1 - 2 * headsAtMost(cut - 1, n); };
  while (2 * (k + 1) <= n && coverage(k + 1) >= kAsked) ++k;
  return {.interval = {sorted[k - 1], median(sorted), sorted[n - k]},
          // One value is not even a range.
          .coverage = n == 1 ? std::numeric_limits<double>::quiet_NaN() : coverage(k),
          .rounds = n};
}

Span geometricSpan(std::span<const double> ratios) {
  auto n = static_cast<double>(ratios.size());
  Span out{.rounds = ratios.size()};
  out.interval.centre = geometricMean(ratios);
  auto [least, most] = std::ranges::minmax(ratios);
  out.interval.low = least;
  out.interval.high = most;
  if (ratios.size() < kLeastRounds) return out;
  double centre = std::log(out.interval.centre), squares = 0;
  for (double ratio : ratios) squares += (std::log(ratio) - centre) * (std::log(ratio) - centre);
  double half = studentQuantile(static_cast<int>(ratios.size()) - 1, (1 + kAsked) / 2) *
                std::sqrt(squares / (n - 1) / n);
  out.interval.low = std::exp(centre - half);
  out.interval.high = std::exp(centre + half);
  out.coverage = kAsked;
  return out;
}

double studentQuantile(int degrees, double p) {
  double within = 2 * p - 1, low = 0, high = 1;
  while (studentWithin(degrees, high) < within) high *= 2;
  // Halving 60 times leaves less than the distance of two doubles.
  for (int i = 0; i < 60; ++i) {
    double middle = std::midpoint(low, high);
    (studentWithin(degrees, middle) < within ? low : high) = middle;
  }
  return std::midpoint(low, high);
}

Decision decide(const Span& value, double threshold) {
  if (value.rounds < 2) return Decision::kNotDecided;
  if (value.interval.low > threshold) return Decision::kAbove;
  if (value.interval.high < threshold) return Decision::kBelow;
  return Decision::kNotDecided;
}

}  // namespace fjord::study
