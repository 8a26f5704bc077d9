// Optimizers as formulas on values of a graph: (weight, gradient, state) -> (new weight, new
// state). Keras's names, parameters and update rules. A training step contains them, so the planner
// fuses them into the gradients.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "ir/value.h"

namespace fjord {

/// What an update rule sees of one weight.
class UpdateContext {
 public:
  virtual ~UpdateContext() = default;
  /// State of the weight's shape, filled with `start` before the first step.
  virtual Value slot(std::string_view name, double start = 0) = 0;
  virtual void setSlot(std::string_view name, Value value) = 0;

  Value weight, gradient;
  bool changesRows = false;  // of a table may be changed alone, where it lies
  Value rate;                // the learning rate of this step, a scalar
  Value step;                // 1 in the first step, a scalar
};

struct OptimizerRow : Named {
  double rate;  // default learning rate
  Value (*update)(UpdateContext& context, const Fields& fields);
};
std::span<const OptimizerRow> optimizerRows();

/// Of learning rates that change: the rate of step 0, 1, ..
struct ScheduleRow : Named {
  double (*rate)(const Fields& fields, double step);
};

/// An optimizer as a description says it, all of its arguments checked.
class Optimizer {
 public:
  /// A name, or {"class_name", "config"}.
  static Result<Optimizer> of(const Json& description);

  std::string_view name() const { return row_->name; }
  /// The learning rate of step 0, 1, ..
  double rate(int64_t step) const;
  /// Clips the gradients of all weights together, as clipvalue, clipnorm and global_clipnorm say.
  void clip(std::vector<Value>& gradients) const;
  /// The weight's next value, after its decay.
  Value update(UpdateContext& context) const;

 private:
  Optimizer(std::shared_ptr<const Json> description, const Chosen<OptimizerRow>& chosen)
      : description_(std::move(description)), row_(chosen.row), fields_(chosen.fields) {}

  std::shared_ptr<const Json> description_;  // what the fields refer to
  const OptimizerRow* row_;
  Fields fields_;
  std::shared_ptr<const Json> rate_;
  std::optional<Chosen<ScheduleRow>> schedule_;
};
/// Whether a description is one.
Status checkOptimizer(const Json& description);
Table optimizerTable();
Table scheduleTable();

}  // namespace fjord
