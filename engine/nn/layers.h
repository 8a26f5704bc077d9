// Layers: from a Keras config to values of a graph. A layer is a function; one row of the table in
// layers.cc makes it known to the importers, to Model and to the JavaScript package.
#pragma once

#include <span>
#include <string_view>

#include "base/json.h"
#include "ops/value.h"

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
  Value (*build)(LayerContext& context, const Json& config, std::span<const Value> inputs);
  int inputs = 1;  // how many it takes; 0 for at least one
};

std::span<const LayerRow> layerRows();
const LayerRow* findLayer(std::string_view className);

}  // namespace fjord
