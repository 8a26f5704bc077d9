// The graph of a model in one mode, and the plan that comes of it: what Model makes for each mode
// and size of batch. Only model.cc, batch.cc, builder.cc and pause.cc include this.
#pragma once

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
  std::vector<int> states;     // of Model::keptStates: those that it reads and leaves
  std::vector<Type> outputs;   // of a prediction
  float scalars[2] = {};       // learning rate, step
  int32_t state[4] = {};       // of the random ops
  int64_t version = 0;         // of the weights that the executor has settled with
  std::vector<float> results;  // loss, then the sums of each metric

  void bindInput(int index, void* data) {
    if (executor) {
      executor->bindInput(index, data);
    } else {
      gpuInputs[index].data = data;
    }
  }
};

/// The size of the axis after that of samples; [n] is [n, 1].
int32_t rowLength(const Tensor& labels);

/// Builds the graph of a model in one mode.
class Model::Builder {
 public:
  /// `labels` say the sizes of those that may have any.
  Builder(Model& model, Mode mode, std::vector<Type> inputs, std::span<const Tensor> labels = {})
      : model_(model),
        inputs_(std::move(inputs)),
        given_(labels),
        samples_(inputs_[0].shape[0]),
        call_(model, graph,
              {.samples = samples_, .training = mode == kTrain, .predicts = mode == kPredict}) {}

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

 private:
  class Update;

  bool trains(const Weight& w) const { return w.trainable && model_.trained_[w.layer]; }
  Value slot(const std::string& name, const Shape& shape, double start);
  Json forOutput(const char* key, size_t output) const;
  void addMetrics(const Json& metrics, const Json& loss, Value y, Value p,
                  const std::string& prefix);

  void assignUpdates();
  Status checkOutputs(std::span<const Type> types) const;

  Model& model_;
  std::vector<Type> inputs_;
  std::span<const Tensor> given_;
  int32_t samples_;
  ModuleCall call_;
  std::vector<Value> data_;  // x, y, sample weights
  GraphInputs slotInputs_;
  struct Logged {
    std::string name;
    MetricSums metric;
    Better better;
  };
  std::vector<Logged> logged_;  // beside the loss
  std::vector<LabelKind> labels_;
  bool isMasked_ = false;  // an output
  Value rate_, step_, loss_;
};

}  // namespace fjord
