// Losses and metrics by Keras's names, on values of a graph.
#pragma once

#include "base/fields.h"
#include "ir/value.h"

namespace fjord {

/// The loss of each sample: the last axis is averaged (or, for cross-entropies, summed) away.
/// `loss` is a name or {"class_name", "config"}.
Value lossPerSample(const Json& loss, Value labels, Value predictions);

/// Whether a description is one, with arguments that it has.
Status checkLoss(const Json& loss);
Table lossTable();
Table metricTable();

/// Whether labels are class numbers [..] for predictions [.., classes].
bool takesClassNumbers(const Json& loss);

/// One number for the batch, by the loss's "reduction": by default the mean over samples, each
/// weighted; `weights` [batch] may be empty.
Value reducedLoss(const Json& loss, Value perSample, Value weights);

/// A metric as sums, so that batches add up exactly.
struct MetricParts {
  Value numerator, denominator;  // scalars
  /// The value: numerators / denominators, the square root of that, or the numerators alone.
  enum Kind { kRatio, kRoot, kCount } kind = kRatio;

  /// The value of sums over batches; 0 where nothing was to be counted.
  static double value(Kind kind, double numerator, double denominator);
};
MetricParts metricParts(const Json& metric, const Json& loss, Value labels, Value predictions);

/// The name under which it is logged: as the user wrote it, or "name" of its config.
std::string metricName(const Json& metric);

}  // namespace fjord
