#include "stats/time_model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "stats/stats.h"

namespace fjord::study {

namespace {

using Matrix = std::vector<std::vector<double>>;

/// Least squares by Householder reflections; nothing where the columns depend on each other. The
/// columns of `a` [n][k] have length 1; both are used up.
std::optional<std::vector<double>> leastSquares(Matrix a, std::vector<double> b) {
  size_t n = a.size(), k = a.empty() ? 0 : a[0].size();
  if (n < k) return {};
  for (size_t j = 0; j < k; ++j) {
    double norm = 0;
    for (size_t i = j; i < n; ++i) norm += a[i][j] * a[i][j];
    norm = std::sqrt(norm);
    // What is left of a column after those before it: less than this is rounding.
    if (norm < 1e-9) return {};
    double pivot = a[j][j] > 0 ? -norm : norm;
    std::vector<double> v(n);
    for (size_t i = j; i < n; ++i) v[i] = a[i][j];
    v[j] -= pivot;
    double half = norm * (norm + std::abs(a[j][j]));
    auto reflect = [&](const auto& entry) {
      double dot = 0;
      for (size_t i = j; i < n; ++i) dot += v[i] * entry(i);
      for (size_t i = j; i < n; ++i) entry(i) -= dot / half * v[i];
    };
    for (size_t c = j; c < k; ++c) reflect([&](size_t i) -> double& { return a[i][c]; });
    reflect([&](size_t i) -> double& { return b[i]; });
  }
  std::vector<double> x(k);
  for (size_t j = k; j-- > 0;) {
    double sum = b[j];
    for (size_t c = j + 1; c < k; ++c) sum -= a[j][c] * x[c];
    x[j] = sum / a[j][j];
  }
  return x;
}

double residual(const Matrix& a, std::span<const double> b, const std::vector<double>& x) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    double error = -b[i];
    for (size_t j = 0; j < x.size(); ++j) error += a[i][j] * x[j];
    sum += error * error;
  }
  return sum;
}

/// The solution with these unknowns alone, the others 0.
std::optional<std::vector<double>> solutionOf(const Matrix& a, std::span<const double> b,
                                              uint32_t set) {
  size_t k = a[0].size();
  std::vector<size_t> columns;
  for (size_t j = 0; j < k; ++j) {
    if (set >> j & 1) columns.push_back(j);
  }
  std::vector<double> lengths;
  for (size_t j : columns) {
    double sum = 0;
    for (const std::vector<double>& row : a) sum += row[j] * row[j];
    if (sum == 0) return {};
    lengths.push_back(std::sqrt(sum));
  }
  Matrix part(a.size());
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t c = 0; c < columns.size(); ++c) part[i].push_back(a[i][columns[c]] / lengths[c]);
  }
  auto found = leastSquares(std::move(part), {b.begin(), b.end()});
  if (!found || std::ranges::any_of(*found, [](double x) { return x < 0; })) return {};
  std::vector<double> out(k);
  for (size_t c = 0; c < columns.size(); ++c) out[columns[c]] = (*found)[c] / lengths[c];
  return out;
}

}  // namespace

std::vector<double> nonNegativeLeastSquares(const Matrix& a, std::span<const double> b) {
  size_t k = a.empty() ? 0 : a[0].size();
  std::vector<double> best(k);
  if (k == 0) return best;
  double least = residual(a, b, best);
  for (uint32_t set = 1; set < uint32_t{1} << k; ++set) {
    auto x = solutionOf(a, b, set);
    if (!x) continue;
    double error = residual(a, b, *x);
    if (error < least) {
      least = error;
      best = *x;
    }
  }
  return best;
}

double timeOf(const TimeModel& model, const Work& work) {
  return model.perLayer * work.layers + model.perMac * work.macs + model.perByte * work.bytes;
}

namespace {

bool hasBytes(std::span<const Work> works) {
  return std::ranges::any_of(works, [](const Work& work) { return work.bytes > 0; });
}

/// Without the size `left`.
TimeModel fitted(std::span<const Work> works, std::span<const double> times, bool bytes,
                 size_t left) {
  Matrix a;
  for (size_t i = 0; i < works.size(); ++i) {
    if (i == left) continue;
    std::vector<double>& row = a.emplace_back();
    row = {works[i].layers / times[i], works[i].macs / times[i]};
    if (bytes) row.push_back(works[i].bytes / times[i]);
  }
  std::vector<double> x = nonNegativeLeastSquares(a, std::vector<double>(a.size(), 1.0));
  return {.perLayer = x[0], .perMac = x[1], .perByte = bytes ? x[2] : 0};
}

double errorOf(const TimeModel& model, const Work& work, double time) {
  return std::abs(timeOf(model, work) / time - 1);
}

/// Whether layers and macs (and bytes) tell sizes apart: no part is a multiple of the others.
bool independent(std::span<const Work> works, std::span<const double> times, bool bytes) {
  Matrix a;
  for (size_t i = 0; i < works.size(); ++i) {
    std::vector<double>& row = a.emplace_back();
    row = {works[i].layers / times[i], works[i].macs / times[i]};
    if (bytes) row.push_back(works[i].bytes / times[i]);
  }
  for (size_t j = 0; j < a[0].size(); ++j) {
    double sum = 0;
    for (const std::vector<double>& row : a) sum += row[j] * row[j];
    if (sum == 0) return false;
    for (std::vector<double>& row : a) row[j] /= std::sqrt(sum);
  }
  return leastSquares(a, std::vector<double>(a.size(), 1.0)).has_value();
}

}  // namespace

Result<TimeModel> fitTimes(std::span<const Work> works, std::span<const double> times) {
  bool bytes = hasBytes(works);
  size_t parts = bytes ? 3 : 2, n = works.size();
  for (double time : times) {
    if (!(time > 0) || !std::isfinite(time)) return fail("a time of ", time, " is not above 0");
  }
  if (n < parts)
    return fail("a time model of ", parts, " parts needs ", parts, " sizes; there are ", n);
  if (!independent(works, times, bytes))
    return fail("the sizes do not tell layers from multiplications");
  TimeModel model = fitted(works, times, bytes, n);
  model.sizes = n;
  std::vector<double> errors, leftOut;
  for (size_t i = 0; i < n; ++i) {
    errors.push_back(errorOf(model, works[i], times[i]));
    if (n > parts) leftOut.push_back(errorOf(fitted(works, times, bytes, i), works[i], times[i]));
  }
  model.median = median(errors);
  model.worst = std::ranges::max(errors);
  model.medianLeftOut =
      leftOut.empty() ? std::numeric_limits<double>::quiet_NaN() : median(leftOut);
  return model;
}

std::optional<double> breakEven(const TimeModel& first, const TimeModel& second, const Work& unit) {
  double layers = (second.perLayer - first.perLayer) * unit.layers;
  double rest =
      (first.perMac - second.perMac) * unit.macs + (first.perByte - second.perByte) * unit.bytes;
  if (rest == 0) return {};
  double factor = layers / rest;
  if (!(factor > 0) || !std::isfinite(factor)) return {};
  return factor;
}

}  // namespace fjord::study
