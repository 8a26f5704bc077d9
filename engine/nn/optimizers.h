// Optimizers as formulas on values of a graph: (weight, gradient, state) -> (new weight, new
// state). Keras's names, parameters and update rules. A training step contains them, so the planner
// fuses them into the gradients.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "ops/value.h"

namespace fjord {

/// What an update rule sees of one weight.
class UpdateContext {
 public:
  virtual ~UpdateContext() = default;
  /// State of the weight's shape, filled with `start` before the first step.
  virtual Value slot(std::string_view name, double start = 0) = 0;
  virtual void setSlot(std::string_view name, Value value) = 0;

  Value weight, gradient;
  Value rate;  // the learning rate of this step, a scalar
  Value step;  // 1 in the first step, a scalar
};

struct OptimizerRow {
  std::string_view name;  // canonical
  double rate;            // default learning rate
  Value (*update)(UpdateContext& context, const Json& config);
};
std::span<const OptimizerRow> optimizerRows();
Result<const OptimizerRow*> findOptimizer(std::string_view name);

/// Clips the gradients of all weights together, as clipvalue, clipnorm and global_clipnorm of the
/// config say.
void clipGradients(const Json& config, std::vector<Value>& gradients);

/// The learning rate of a config (a number, or a Keras schedule) at step 0, 1, ...
Result<double> learningRate(const Json& config, double fallback, int64_t step);

}  // namespace fjord
