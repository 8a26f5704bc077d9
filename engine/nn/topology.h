// Topology: the layers of a model and how they are joined, from Keras JSON. Reads what Keras 2,
// Keras 3 and TensorFlow.js write, Sequential and functional. A layer may be a model, with a topology of
// its own, to any depth.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/layers.h"

namespace fjord {

struct Topology {
  /// Output `tensor` of call number `node` of a layer.
  struct TensorRef {
    int layer = 0, node = 0, tensor = 0;
  };
  struct Call {
    std::vector<TensorRef> inputs;
    std::optional<bool> training = {};  // what the call itself says, whatever the model does
    Json arguments = {};                // what else it says, by name
  };
  /// One of the table, a model, or an input.
  struct Layer {
    const LayerRow* row = nullptr;
    std::shared_ptr<Topology> inner = nullptr;
    std::string className = {}, name = {};
    Json config = {};  // of a model without its layers
    std::vector<Call> calls = {};
    Type input = {};  // of an input; axis 0 is -1, and so are others that are open
    /// Where its weights are named: "base/dense". The same for what is the same layer, wherever it
    /// stands; and its number among those of the whole description that have one.
    std::string path = {};
    int number = -1;

    bool isInput() const { return !row && !inner; }
    bool isTrainable() const { return boolOr(config, "trainable", true); }
  };

  std::vector<Layer> layers;
  std::vector<TensorRef> inputs, outputs;
  std::vector<TensorRef> order;  // of the calls: each after those that it reads
  std::string name;
  bool trainable = true;  // all of it
  int numbers = 0;        // of layers, those of inner models included

  /// `traced`: ModelOptions::traced.
  static Result<Topology> fromJson(const Json& model, const Json& traced = nullptr);
  const Type& inputType(size_t i) const { return layers[inputs[i].layer].input; }
  /// Whether the description leaves more than the batch open: images of any size.
  bool hasOpenSizes() const;
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
