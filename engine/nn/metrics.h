// Metrics by Keras's names: sums that add up over batches, and the number that they say.
//
//   MetricSums m = metricSums("precision", loss, labels, predictions);
//   m.sums   // of this batch: right ones, predicted ones
//   m.value  // of the sums of all batches: the first over the second
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/fields.h"
#include "ir/value.h"

namespace fjord {

/// The value of a metric, of the elements of all of its sums, one after the other. It allocates nothing.
using MetricValue = std::function<double(std::span<const double> sums)>;

struct MetricSums {
  std::vector<Value> sums;  // float32, of any shape
  MetricValue value;
};
/// `loss` is the one of the same output.
MetricSums metricSums(const Json& metric, const Json& loss, Value labels, Value predictions);
/// A ratio of two sums, which is 0 where nothing was counted.
MetricSums ratio(Value numerator, Value denominator);

/// Which of two values of a metric is the better one; of some nobody can say.
enum class Better : uint8_t { kUnknown, kSmaller, kLarger };
Better betterOf(const Json& metric);

/// The name under which it is logged: as the user wrote it, or "name" of its config.
std::string metricName(const Json& metric);
Table metricTable();

/// The scores of one class: x[.., id] as [.., 1].
Value ofClass(Value x, int32_t id);

// ---- metrics_classes.cc: metrics of how classes are told apart, that are more than a ratio

struct MetricRow : Named {
  MetricSums (*sums)(Value labels, Value predictions, const Fields& fields, const Json& loss);
  /// What labels may be: as predictions are, or class numbers, too.
  enum Labels : uint8_t { kScores, kAny } labels = kScores;
  Better better = Better::kLarger;
};
std::span<const MetricRow> classMetrics();

}  // namespace fjord
