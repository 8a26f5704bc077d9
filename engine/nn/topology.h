// Topology: the layers of a model and how they are joined, from Keras JSON. Reads what Keras 2,
// Keras 3 and TensorFlow.js write, Sequential and functional.
#pragma once

#include <string>
#include <vector>

#include "nn/layers.h"

namespace fjord {

struct Topology {
  /// Output `tensor` of call number `node` of a layer.
  struct TensorRef {
    int layer = 0, node = 0;
  };
  struct Layer {
    const LayerRow* row = nullptr;  // nullptr for an input
    std::string className, name;
    Json config;
    /// Inputs of each call of the layer.
    std::vector<std::vector<TensorRef>> calls;
    Type input;  // of an input layer; axis 0 is -1
  };

  std::vector<Layer> layers;
  std::vector<TensorRef> inputs, outputs;
  std::string name;
  bool trainable = true;  // all of it

  static Result<Topology> fromJson(const Json& model);
};

/// A description that was read, its layers' arguments named as Keras names them: kernel_size, where
/// JavaScript says kernelSize.
Json asKerasWrites(Json model);

/// Descriptions as Keras writes them, for models that are written in C++:
///
///   sequential({layer("Dense", {{"units", 32}, {"activation", "relu"}, {"input_shape", {2}}}),
///               layer("Dense", {{"units", 1}, {"activation", "sigmoid"}})})
inline Json layer(std::string_view className, Json config) {
  return {{"class_name", className}, {"config", std::move(config)}};
}
inline Json sequential(std::vector<Json> layers, std::string_view name = "sequential") {
  return {{"class_name", "Sequential"},
          {"config", {{"name", name}, {"layers", std::move(layers)}}}};
}

}  // namespace fjord
