// Module: a function with named weights. It takes values to values; its layers, which may be models
// themselves, are called one after the other, and their weights are named by where they stand:
// "base/dense/kernel". Weights may be in common with other models: a step of one is seen by all.
//
//   ModuleCall call(module, graph, {.samples = 32});
//   LayerOutputs y = call.run({xs});
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "nn/topology.h"
#include "nn/weights.h"

namespace fjord {

class Model;

/// Weights that a new model has in common with another one: those of the layer at `path`, and of all in
/// it, are those of the other's layer at `from`. An empty path is the whole model.
struct SharedLayer {
  std::string path;
  Model* model = nullptr;
  std::string from;
};

struct ModelOptions {
  uint64_t seed = 0;
  /// Gives the weight of a name and shape. Without it initializers draw them, which of a large model
  /// takes longer than to read its file.
  std::function<Result<Tensor>(const std::string& name, const Shape& shape)> weights = nullptr;
  std::vector<SharedLayer> shared = {};
  /// The numbers of layers that are written elsewhere (nn/traced.h), by their paths; null for none.
  Json traced = nullptr;
};

/// The models that have some weights in common.
struct Sharers {
  int64_t version = 0;  // of the weights: another one whenever they have changed
  std::vector<Model*> models;
};

class Module {
 public:
  const Topology& topology() const { return topology_; }
  const Json& json() const { return json_; }
  uint64_t seed() const { return seed_; }
  const std::vector<Weight>& weights() const { return weights_.all(); }
  const std::string& inputName(size_t i) const { return nameOf(topology_.inputs[i]); }
  const std::string& outputName(size_t i) const { return nameOf(topology_.outputs[i]); }
  /// Axis 0 is -1, and so are others that the description leaves open.
  std::vector<Type> inputTypes() const;
  /// What stands for open sizes where a graph is only looked at; 0 where none is open.
  int32_t openSize() const { return openSize_; }
  /// Axes are -1 that count samples, or are other ones for other inputs.
  const std::vector<Type>& outputTypes() const { return outputTypes_; }
  /// Whether axis 0 of all outputs counts samples.
  bool isBySample() const { return std::ranges::all_of(bySample_, std::identity()); }

  /// What the layers of these paths, and the whole model, are from now on. Stands in the description, too.
  Status setTrainable(bool model, const Json& layers);
  bool isTrainable(const Weight& weight) const {
    return weight.trainable && (weight.layer < 0 || trainable_[weight.layer]);
  }

  /// A call of one of the model's own layers, as it was when the model was made.
  struct CallInfo {
    Topology::TensorRef call;
    std::vector<Type> outputs = {};  // axis 0 is -1, and so are others that depend on open sizes
    int64_t parameters = 0;          // of the weights that were made for it
  };
  const std::vector<CallInfo>& calls() const { return calls_; }
  /// A table of the layers for people: names, output shapes, numbers of weights.
  std::string summary() const;

 protected:
  friend class ModuleCall;
  Module() = default;
  ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  /// Reads the description and makes the weights.
  Status make(const Json& model, const ModelOptions& options);

  const std::string& nameOf(Topology::TensorRef ref) const {
    return topology_.layers[ref.layer].name;
  }
  /// Of a new weight: that of another model, or one that is made.
  Status addWeight(Weight weight, const Shape& shape, const Json& initializer);
  Result<const Weight*> weightOfOther(const std::string& name);
  std::vector<bool> trainableLayers() const;
  /// The types of the inputs for so many samples, where what is open has this size.
  std::vector<Type> inputTypesFor(int32_t samples, int32_t open) const;
  int64_t version() const;
  void weightsChanged();

 private:
  // A model is a module that trains what stands here.
  friend class Model;
  Status makeFor(const ModelOptions& options, int32_t open, int32_t other);
  Status findOutputTypes(std::span<const Value> outputs, int32_t samples, int32_t open);

  Json json_;
  Topology topology_;
  uint64_t seed_ = 0;
  WeightList weights_;
  std::vector<Type> outputTypes_;
  std::vector<bool> bySample_;  // of each output
  std::vector<CallInfo> calls_;
  std::vector<bool> trainable_;  // by number of a layer
  int32_t openSize_ = 0;
  std::vector<bool> trained_;  // the same when the model was compiled last; empty before
  std::vector<std::shared_ptr<Sharers>> sharers_;  // the first of the weights that it has made
  const ModelOptions* making_ = nullptr;           // while it is made
};

/// What a graph has of a module's weights: inputs that are bound to them.
struct GraphInputs {
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

/// Builds a call of a module into a graph.
class ModuleCall : public LayerContext {
 public:
  struct Options {
    int32_t samples = 1;
    bool training = false;
    bool predicts = false;
    bool makes = false;     // the module's list of calls
    bool compares = false;  // what the calls give with what is noted there
    bool moves = false;     // weights, from run to run, as they do in training
  };
  ModuleCall(Module& module, Graph& graph, const Options& options)
      : module_(module), graph_(graph), options_(options) {
    training = options.training;
    isPrediction = options.predicts;
  }

  /// The model's outputs for its inputs.
  LayerOutputs run(const LayerInputs& inputs) { return run(module_.topology_, inputs, true); }

  Value weight(std::string_view name, const Shape& shape, const Json& initializer, bool trainable,
               const Json& regularizer, const Json& constraint) override;
  Value state(std::string_view name, const Shape& shape, const Json& initializer) override;
  Value kept(std::string_view name, const Shape& shape) override;
  void update(Value state, Value value) override;
  void replace(Value weight, Value value) override;
  /// What stands for a weight's input in this step: mostly itself.
  Value current(Value input) const;
  void addLoss(Value loss) override;
  Value randomState() override;
  LayerOutputs callInner(const Json& description, const LayerInputs& inputs) override;

  GraphInputs weights;
  std::vector<std::pair<std::string, Value>> keptStates;  // by name: "lstm/state_0"
  std::vector<std::pair<Value, Value>> updates;
  std::vector<std::pair<Value, Value>> replaced;  // weights, and what stands for them
  std::vector<Value> activityLosses;
  Value random;  // the state of random ops, once it is used

 private:
  LayerOutputs run(const Topology& t, const LayerInputs& inputs, bool isOuter);
  LayerOutputs call(const Topology::Layer& layer, const LayerInputs& inputs, const Json& arguments);
  void note(Topology::TensorRef ref, const LayerOutputs& outputs, int weightsBefore);
  void compare(const LayerOutputs& outputs);
  Value use(std::string_view name, const Shape& shape, const Json& initializer, bool trainable,
            const Json& regularizer, const Json& constraint, bool isParameter);
  Value latest(Value state) const;

  Module& module_;
  Graph& graph_;
  Options options_;
  std::string path_;       // of the layer that is being called
  int number_ = -1;        // its number
  bool isFrozen_ = false;  // whether its description says so
  std::string prefix_;     // of the paths of a model within a layer
  size_t compared_ = 0;    // calls
};

/// Sizes that stand for an open one, two and two.
inline constexpr int32_t kOpenTrials[][2] = {{64, 96}, {256, 320}, {4096, 5120}};
/// Makes axes -1 that are other ones in `other`.
void openWhereOther(Shape& shape, const Shape& other);
/// Inputs of these types.
std::vector<Value> inputsOf(Graph& graph, std::span<const Type> types);

/// The types of what a layer gives, for builders that show shapes while a model is described. Axis 0 of all
/// shapes is -1, and so are axes that depend on such ones of the inputs.
Result<std::vector<Type>> inferLayer(std::string_view className, const Json& config,
                                     std::span<const Type> inputs, const Json& arguments = nullptr);

}  // namespace fjord
