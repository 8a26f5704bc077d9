#include "stats/agreement.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fjord::study {

Agreement agreementOf(std::span<const MeasuredTwice> pairs) {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  Agreement out{.cells = pairs.size(), .median = kNaN, .tail = kNaN, .ratio = {kNaN, kNaN, kNaN}};
  if (pairs.empty()) return out;
  std::vector<double> logs, apart;
  size_t touching = 0;
  for (const MeasuredTwice& pair : pairs) {
    double a = pair.first.centre, b = pair.second.centre;
    logs.push_back(std::log(b / a));
    apart.push_back(std::exp(std::abs(logs.back())) - 1);
    out.points.push_back({std::sqrt(a) * std::sqrt(b), b / a});
    touching +=
        std::max(pair.first.low, pair.second.low) <= std::min(pair.first.high, pair.second.high);
  }
  auto n = static_cast<double>(pairs.size());
  out.median = median(apart);
  out.tail = quantile(apart, 0.95);
  out.overlapping = static_cast<double>(touching) / n;
  double mean = 0, squares = 0;
  for (double x : logs) mean += x / n;
  for (double x : logs) squares += (x - mean) * (x - mean);
  out.ratio.centre = std::exp(mean);
  if (pairs.size() > 1) {
    double half = 1.959964 * std::sqrt(squares / (n - 1));
    out.ratio.low = std::exp(mean - half);
    out.ratio.high = std::exp(mean + half);
  }
  out.agrees = out.median < kMedianLimit && out.tail < kTailLimit;
  return out;
}

}  // namespace fjord::study
