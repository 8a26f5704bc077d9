// Layers: from a Keras config to values of a graph. A layer is a function; one row of a table in
// layers_*.cc makes it known to the importers, to Model and to the JavaScript package.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/fields.h"
#include "ir/value.h"

namespace fjord {

/// What a call of a layer takes. Both refer to the caller's lists.
struct LayerInputs {
  std::span<const Value> values;
  /// Of each value which steps count, [N, T]; empty values, or no masks at all, where all do.
  std::span<const Value> masks = {};

  Value operator[](size_t i) const { return values[i]; }
  size_t size() const { return values.size(); }
  auto begin() const { return values.begin(); }
  auto end() const { return values.end(); }
  Value mask(size_t i) const { return i < masks.size() ? masks[i] : Value{}; }
};

/// What it gives: no values where it failed.
struct LayerOutputs {
  std::vector<Value> values, masks = {};  // as above
  explicit operator bool() const { return !values.empty(); }
};

/// What a layer may ask of the model that it is built into.
class LayerContext {
 public:
  virtual ~LayerContext() = default;
  /// The layer's weight of this name, made on first use.
  virtual Value weight(std::string_view name, const Shape& shape, const Json& initializer,
                       bool trainable = true, const Json& regularizer = nullptr,
                       const Json& constraint = nullptr) = 0;
  /// One that is not trained and that `update` may change in each mode, also in prediction: as the call
  /// before has left it.
  virtual Value state(std::string_view name, const Shape& shape, const Json& initializer) = 0;
  /// What a stateful layer has kept of the batch before, zeros at first and once it was reset: no weight,
  /// in no file, and of this shape as long as batches are of as many samples.
  virtual Value kept(std::string_view name, const Shape& shape) = 0;
  /// After the step the state has this value.
  virtual void update(Value state, Value value) = 0;
  /// In training `value` stands for a weight from now on: the step goes on from there, by its gradient.
  virtual void replace(Value weight, Value value) = 0;
  /// Adds a scalar to the loss of the batch, by its number of samples. An empty value is nothing.
  virtual void addLoss(Value loss) = 0;
  /// What random ops draw from.
  virtual Value randomState() = 0;
  /// Calls a layer that this one wraps, {"class_name", "config"}. Its weights are named in the scope of
  /// this one: "bidirectional/forward_lstm/kernel".
  virtual LayerOutputs callInner(const Json& description, const LayerInputs& inputs) = 0;

  /// Whether this call is one of training: where the model trains, or as the call itself says.
  bool training = false;
  /// Whether it is one of prediction, and none of an evaluation.
  bool isPrediction = false;
  /// Whether the layer is trained: one that is not goes by its moving averages, too.
  bool isTrained = true;
  /// What else the call says, of the row's callArguments.
  const Fields* said = nullptr;
};

/// What becomes of the mask of what a layer reads.
enum class Masks : uint8_t {
  kEnd,     // nothing: its outputs have other steps, or none
  kPass,    // it is that of the output
  kEither,  // where all inputs have one, a step of the output counts that counts in one of them
  kRefuse,  // the layer would compute otherwise with it, which is not supported
};

struct LayerRow {
  std::string_view className;  // Keras: "MaxPooling2D"
  std::string_view name;       // TensorFlow.js: "maxPooling2d"
  std::span<const Argument> arguments;
  /// Of one output.
  Value (*build)(LayerContext& context, const Fields& fields, LayerInputs inputs) = nullptr;
  int inputs = 1;  // how many it takes; 0 for at least one
  Masks masks = Masks::kEnd;
  /// In place of build: of any number of outputs, and of masks.
  LayerOutputs (*call)(LayerContext& context, const Fields& fields, LayerInputs inputs) = nullptr;
  /// What a call may say beside its inputs and whether it is training.
  std::span<const Argument> callArguments = {};
  /// The inputs, where a call may name them; one that is left out is the one before it.
  std::span<const std::string_view> inputNames = {};

  /// False in a build that is without it.
  bool isHere() const { return build || call; }
};

std::span<const LayerRow> layerRows();
const LayerRow* findLayer(std::string_view className);
/// Layers that Keras or TensorFlow.js has and there will not be, with the reason.
struct RefusedLayers {
  std::string_view classNames;  // "Hashing|TextVectorization"
  std::string_view reason;
};
std::span<const RefusedLayers> refusedLayers();
/// What a class name that no row has is answered with.
std::unexpected<Error> unknownLayer(std::string_view className);

/// The arguments of a layer, all checked. They refer to the config.
Result<Fields> layerFields(const LayerRow& row, const Json& config);
/// What a call says, all checked; it refers to the arguments.
Result<Fields> callFields(const LayerRow& row, const Json& arguments);
/// The layer's outputs; what is wrong with the config or the inputs fails the graph.
LayerOutputs callLayer(const LayerRow& row, LayerContext& context, const Json& config,
                       const LayerInputs& inputs, const Json& arguments = nullptr);
/// The arguments that each layer has, and inputs have: a name, the shape of a first layer's input.
std::span<const Argument> everyLayer();
/// The type of elements that "dtype" asks for: a name, or a policy of Keras 3.
DType dtypeOf(const Fields& fields);

}  // namespace fjord
