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
  /// State of this shape, filled with `start` before the first step.
  virtual Value slot(std::string_view name, const Shape& shape, double start) = 0;
  /// State of the weight's shape.
  Value slot(std::string_view name, double start = 0) { return slot(name, weight.shape(), start); }
  /// Whether the weight's name has one of these in it.
  bool isNamed(const std::vector<std::string>& parts) const;
  /// What the state is after this step, if the step is applied.
  void setSlot(std::string_view name, Value value);

  std::string_view name;  // of the weight, "dense/kernel"; empty where it has none
  Value weight, gradient;
  Value before;              // the weight, before its decay
  bool changesRows = false;  // of a table may be changed alone, where it lies
  Value rate;                // the learning rate of this step, a scalar
  Value step;                // 1 in the first step, a scalar
  Value applies;             // whether the step changes anything, a scalar; empty where it does

 protected:
  virtual void assign(Value slot, Value value) = 0;
};

struct OptimizerRow : Named {
  double rate;  // default learning rate
  Value (*update)(UpdateContext& context, const Fields& fields);
  /// The decay of a weight, where it is not weight_decay.
  double (*decay)(const UpdateContext& context, const Fields& fields) = nullptr;
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
  /// The next values of weights with gradients; `step` counts steps from 1. Of several steps whose
  /// gradients are accumulated the last one is applied. Keras's order: the average gradient, its clipping,
  /// the weight's decay, the update, the moving average of the weight.
  /// `whole` has the state that belongs to no weight.
  std::vector<Value> update(std::span<UpdateContext* const> weights, UpdateContext& whole,
                            Value rate, Value step) const;
  /// Whether it keeps moving averages of weights, in slots of this name; they are the weights once
  /// training is over.
  bool hasAverages() const { return fields_.flag("use_ema"); }
  /// Refuses what takes a model: weights with names, and an end of their training.
  Status checkForVariables() const;
  static constexpr std::string_view kAverage = "average";

 private:
  Optimizer(std::shared_ptr<const Json> description, const Chosen<OptimizerRow>& chosen)
      : description_(std::move(description)), row_(chosen.row), fields_(chosen.fields) {}
  static Result<Optimizer> scaled(std::shared_ptr<const Json> description);
  Value areFinite(std::span<UpdateContext* const> weights, UpdateContext& whole, Value& step) const;
  void clip(std::vector<Value>& gradients) const;
  bool decays(const UpdateContext& context) const;
  Value applied(UpdateContext& context) const;
  Value averaged(UpdateContext& context, Value next) const;

  std::shared_ptr<const Json> description_;  // what the fields refer to
  const OptimizerRow* row_;
  Fields fields_;
  std::shared_ptr<const Json> rate_;
  std::optional<Chosen<ScheduleRow>> schedule_;
  /// Of LossScaleOptimizer: what losses are multiplied by at first, and after how many steps in a row that
  /// leaves gradients finite it doubles.
  struct LossScale {
    double first, growthSteps;
  };
  std::optional<LossScale> lossScale_;
};
/// Whether a description is one.
Status checkOptimizer(const Json& description);
Table optimizerTable();
/// What wraps another one.
Table lossScaleTable();

// ---- schedules.cc

Result<Chosen<ScheduleRow>> scheduleOf(const Json& description);
/// Whether it is a learning rate: a number, or a schedule.
Status checkRate(const Json& rate);
Table scheduleTable();

}  // namespace fjord
