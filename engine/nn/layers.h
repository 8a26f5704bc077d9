// Layers: from a Keras config to values of a graph. A layer is a function; one row of the table in
// layers.cc makes it known to the importers, to Model and to the JavaScript package.
#pragma once

#include <span>
#include <string_view>

#include "base/fields.h"
#include "ir/value.h"

namespace fjord {

/// What a layer may ask of the model that it is built into.
class LayerContext {
 public:
  virtual ~LayerContext() = default;
  /// The layer's weight of this name, made on first use.
  virtual Value weight(std::string_view name, const Shape& shape, const Json& initializer,
                       bool trainable = true, const Json& regularizer = nullptr,
                       const Json& constraint = nullptr) = 0;
  /// After a training step the weight has this value.
  virtual void update(Value weight, Value value) = 0;
  /// The state that random ops draw from.
  virtual Value randomState() = 0;
  bool training = false;
  /// Whether the layer is trained: one that is not goes by its moving averages, too.
  bool isTrained = true;
};

struct LayerRow {
  std::string_view className;  // Keras: "MaxPooling2D"
  std::string_view name;       // TensorFlow.js: "maxPooling2d"
  std::span<const Argument> arguments;
  Value (*build)(LayerContext& context, const Fields& fields, std::span<const Value> inputs);
  int inputs = 1;  // how many it takes; 0 for at least one
};

std::span<const LayerRow> layerRows();
const LayerRow* findLayer(std::string_view className);
/// What a class name that no row has is answered with.
std::unexpected<Error> unknownLayer(std::string_view className);

/// The arguments of a layer, all checked. They refer to the config.
Result<Fields> layerFields(const LayerRow& row, const Json& config);
/// The layer's output; what is wrong with the config fails the graph.
Value buildLayer(const LayerRow& row, LayerContext& context, const Json& config,
                 std::span<const Value> inputs);
/// The arguments that each layer has, and inputs have: a name, the shape of a first layer's input.
std::span<const Argument> everyLayer();
/// The type of elements that "dtype" asks for: a name, or a policy of Keras 3.
DType dtypeOf(const Fields& fields);

}  // namespace fjord
