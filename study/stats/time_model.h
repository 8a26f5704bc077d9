// What a step takes, from what it has to do: a time a layer, a speed of multiplications, a speed of
// bytes.
//
//   FJORD_TRY(TimeModel model, fitTimes(works, times));
//   model.perLayer, 1 / model.perMac     // 574 us a layer, 0.47 GMAC/s, in the caller's units
//   timeOf(model, {9, 1.2e9, 0})         // a network that nobody measured
//
// t = perLayer * layers + perMac * macs + perByte * bytes, none below 0, by least squares of relative
// errors: a small network weighs what a large one does.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/result.h"

namespace fjord::study {

/// What a step has to do. Bytes 0 everywhere: the model has no such part.
struct Work {
  double layers = 0, macs = 0, bytes = 0;
};

struct TimeModel {
  double perLayer = 0, perMac = 0, perByte = 0;
  // Relative errors |predicted / measured - 1| of the sizes that it was fitted to.
  double median = 0, worst = 0;
  /// The median error for a size that was left out of the fit; NaN with no size to spare.
  double medianLeftOut = 0;
  size_t sizes = 0;
};

double timeOf(const TimeModel& model, const Work& work);

/// `times` [n] > 0. An error says what is missing: it needs as many sizes as it has parts, and sizes
/// that tell the parts from each other.
Result<TimeModel> fitTimes(std::span<const Work> works, std::span<const double> times);

/// The x >= 0 with the least |A x - b|^2; A [n][k] by rows, k <= 8. Exact for few unknowns: of all
/// sets of them that may be above 0, the best one whose solution is not negative (Lawson and Hanson,
/// "Solving Least Squares Problems", 1974, chapter 23, says why one of these is it). A set whose
/// columns depend on each other is left out.
std::vector<double> nonNegativeLeastSquares(const std::vector<std::vector<double>>& a,
                                            std::span<const double> b);

/// By how much `unit` has to be multiplied for both to take the same time: a network with
/// `unit.layers` layers whose multiplications and bytes grow. Below it the one with the smaller time
/// a layer wins. Nothing where one is never slower.
std::optional<double> breakEven(const TimeModel& first, const TimeModel& second, const Work& unit);

}  // namespace fjord::study
