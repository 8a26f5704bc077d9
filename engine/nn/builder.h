// The graph of a model in one mode, and the plan that comes of it: what Model makes for each mode
// and size of batch. Only model.cc, builder.cc and pause.cc include this.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/losses.h"
#include "nn/model.h"

namespace fjord {

/// The plan of one mode for one size of batch, and the memory that its inputs are copied to.
struct Model::Program {
  Mode mode;
  int32_t batch;
  std::optional<Executor> executor;  // on the CPU,
  GpuProgram gpu;                    // or elsewhere, given this
  std::vector<GpuInput> gpuInputs;
  int64_t serial = 0;
  std::vector<Tensor> inputs;  // x, y, sample weights: what a step copies
  std::vector<int> numbers;    // of these among the executor's inputs
  float scalars[2] = {};       // learning rate, step
  int32_t state[4] = {};       // of the random ops
  int64_t version = 0;         // of the weights that the executor has settled with
  std::vector<float> results;  // loss, then numerator and denominator of each metric

  void bindInput(int index, void* data) {
    if (executor) {
      executor->bindInput(index, data);
    } else {
      gpuInputs[index].data = data;
    }
  }
};

/// Builds the graph of a model in one mode.
class Model::Builder : public LayerContext {
 public:
  Builder(Model& model, Mode mode, int32_t batch) : model_(model), batch_(batch) {
    training = mode == kTrain;
  }

  Value weight(std::string_view name, const Shape& shape, const Json& initializer, bool trainable,
               const Json& regularizer, const Json& constraint) override;
  void update(Value weight, Value value) override { updates_.push_back({weight, value}); }
  Value randomState() override {
    if (!state_) state_ = graph.input({DType::kI32, {4}});
    return state_;
  }

  std::vector<Value> forward();
  void addLoss(const std::vector<Value>& outputs);
  void addUpdates();
  /// The whole graph of the mode, its outputs declared.
  Status build(Mode mode);
  Result<Plan> plan() const;
  Result<std::unique_ptr<Program>> finish(Mode mode);

  /// What logs are of, and how labels are to be read: known once the loss is added.
  void describeLogs();

  Graph graph;
  std::vector<std::string> summary;
  /// ModelOptions::weights, or null.
  std::function<Result<Tensor>(const std::string& name, const Shape& shape)> given;

 private:
  /// What a graph input is bound to.
  struct Bound {
    Value input;
    Tensor tensor;
  };
  class Update;
  /// The graph's inputs for those weights or slots of the model that are used.
  struct Inputs {
    std::vector<Value> values;                // by the number of the weight; empty where not used
    std::vector<std::pair<int, Value>> used;  // in order of first use

    Value of(int number) const {
      return number < static_cast<int>(values.size()) ? values[number] : Value{};
    }
    Value use(int number, Value input) {
      if (number >= static_cast<int>(values.size())) values.resize(number + 1);
      used.emplace_back(number, input);
      return values[number] = input;
    }
  };

  bool call(Topology::TensorRef ref);
  bool trains(const Weight& w) const { return w.trainable && model_.trained_[w.layer]; }
  Value slot(const std::string& name, const Shape& shape, double start);
  Json forOutput(const char* key, size_t output) const;
  void addMetrics(const Json& metrics, const Json& loss, Value y, Value p,
                  const std::string& prefix);

  Model& model_;
  int32_t batch_;
  std::vector<std::vector<Value>> values_;  // [layer][call]
  int layer_ = -1;                          // that is being built
  std::vector<Value> data_;                 // x, y, sample weights
  Inputs weightInputs_, slotInputs_;
  std::vector<std::pair<Value, Value>> updates_;
  std::vector<Value> activityLosses_;
  std::vector<MetricParts> metrics_;
  std::vector<std::string> metricNames_;
  std::vector<int32_t> classes_;
  Value state_, rate_, step_, loss_;
};

}  // namespace fjord
