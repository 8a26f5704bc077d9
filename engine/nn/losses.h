// Losses by Keras's names, on values of a graph.
#pragma once

#include <optional>

#include "base/fields.h"
#include "ir/value.h"

namespace fjord {

struct LossRow : Named {
  /// The loss of each sample [N, ..]: the last axis is averaged (or, for cross-entropies, summed) away; or
  /// of the whole batch, a scalar. Labels are float32.
  Value (*perSample)(Value labels, Value predictions, const Fields& fields);
  /// What labels are: as predictions are, or whole numbers in the place of their last axis, which is that
  /// of classes or anything else; or sequences of class numbers, of any length.
  enum Labels : uint8_t {
    kLikePredictions,
    kClassNumbers,
    kNumbers,
    kSequences
  } labels = kLikePredictions;
  /// Which of the losses count, if not all do.
  Value (*counted)(Value labels, Value predictions, Value losses, const Fields& fields) = nullptr;
};
std::span<const LossRow> lossRows();
/// The row of a name or {"class_name", "config"}, and what the description says.
Result<Chosen<LossRow>> lossOf(const Json& loss);
/// Whether a description is one, with arguments that it has.
Status checkLoss(const Json& loss);
Table lossTable();

/// Losses, and which of them count; empty where all do.
struct SampleLosses {
  Value values, counted;
};
SampleLosses sampleLosses(const LossRow& row, const Fields& fields, Value labels,
                          Value predictions);

/// One number for the batch, by the loss's "reduction": by default the mean over samples, each weighted;
/// `weights` [batch] may be empty.
Value batchLoss(const Json& loss, Value labels, Value predictions, Value weights);

/// Whether labels are class numbers [..] for predictions [.., classes].
bool takesClassNumbers(const Json& loss);
/// The loss of sequences [N,L] of class numbers, filled up with 0, of which a step of the logits [N,T,C] may
/// say one, the one of before, or 0 for none. It is huge where no path of T steps spells them.
Value ctc(Value labels, Value logits, const Fields& fields);
/// Labels as class numbers [..], which may also be [.., 1].
Value classNumbers(Value labels, Value predictions);

/// What the labels of an output are.
// They are compared as float32.
inline constexpr int32_t kMostLabels = 1 << 24;
struct LabelKind {
  /// Whole numbers below this, in the place of the last axis; 0: any numbers, of the output's shape.
  int32_t classes = 0;
  std::optional<int32_t> ignored;  // a number beside those
  bool isSequence = false;         // the last axis of labels has any size
};
LabelKind labelKind(const Json& loss, const Shape& predictions);

}  // namespace fjord
