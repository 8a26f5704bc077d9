#include "nn/topology.h"

#include <algorithm>

namespace fjord {

namespace {

using Layer = Topology::Layer;
using TensorRef = Topology::TensorRef;

/// Keras 3 writes batch_shape, Keras 2 and TensorFlow.js batch_input_shape, or input_shape without
/// the batch.
std::optional<Shape> batchShapeOf(const Json& config) {
  for (const char* key : {"batch_shape", "batch_input_shape"}) {
    if (auto shape = intsOf<kMaxRank>(member(config, key)); shape && shape->rank() > 0)
      return shape;
  }
  auto inner = intsOf<kMaxRank - 1>(member(config, "input_shape"));
  if (!inner) return {};
  Shape shape{-1};
  for (int32_t d : *inner) shape.push(d);
  return shape;
}

Result<Layer> inputLayer(const std::string& name, const Json& config) {
  std::optional<Shape> shape = batchShapeOf(config);
  if (!shape) return fail("input ", name, ": needs batch_shape, a list such as [null, 28, 28, 1]");
  for (int i = 1; i < shape->rank(); ++i) {
    if ((*shape)[i] < 1)
      return fail("input ", name, ": only the batch may be unknown, the shape is ", *shape);
  }
  Layer layer{nullptr, "InputLayer", name, config, {{}}, {}};
  layer.input = {stringOr(config, "dtype", "float32") == "int32" ? DType::kI32 : DType::kF32,
                 *shape};
  return layer;
}

Result<Layer> plainLayer(const Json& j) {
  std::string className = stringOr(j, "class_name", "");
  Layer layer{findLayer(className),
              className,
              stringOr(member(j, "config"), "name", stringOr(j, "name", "")),
              member(j, "config"),
              {},
              {}};
  if (!layer.config.is_object()) layer.config = Json::object();
  if (className == "InputLayer") return inputLayer(layer.name, layer.config);
  if (!layer.row) {
    std::string known;
    for (const LayerRow& row : layerRows()) known += cat(known.empty() ? "" : ", ", row.className);
    return fail("layer ", layer.name, ": the class ", className, " is not known; known are ",
                known);
  }
  return layer;
}

/// A name for a layer that has none, unique in the model: "dense", "dense_1", ...
void nameLayer(Layer& layer, const std::vector<Layer>& others) {
  auto taken = [&](const std::string& name) {
    return std::ranges::any_of(others, [&](const Layer& l) { return l.name == name; });
  };
  if (!layer.name.empty() && !taken(layer.name)) return;
  std::string base = layer.name.empty() ? canonicalName(layer.className) : layer.name;
  layer.name = base;
  for (int i = 1; taken(layer.name); ++i) layer.name = cat(base, "_", i);
}

Result<Topology> sequential(const Json& config) {
  Topology t;
  const Json& list = config.is_array() ? config : member(config, "layers");
  if (!list.is_array() || list.empty()) return fail("a Sequential model needs a list of layers");
  for (const Json& j : list) {
    FJORD_TRY(Layer layer, plainLayer(j));
    nameLayer(layer, t.layers);
    if (t.layers.empty() && layer.row) {
      Json shape = layer.config;
      if (!batchShapeOf(shape))
        shape = config;  // Keras 3: build_input_shape stands beside the layers
      if (auto built = intsOf<kMaxRank>(member(config, "build_input_shape"));
          built && !batchShapeOf(shape)) {
        shape["batch_shape"] = member(config, "build_input_shape");
      }
      FJORD_TRY(Layer input, inputLayer(layer.name + "_input", shape));
      t.layers.push_back(std::move(input));
    }
    if (!t.layers.empty()) layer.calls = {{{static_cast<int>(t.layers.size()) - 1, 0}}};
    t.layers.push_back(std::move(layer));
  }
  t.inputs = {{0, 0}};
  t.outputs = {{static_cast<int>(t.layers.size()) - 1, 0}};
  return t;
}

class Functional {
 public:
  explicit Functional(const Json& config) : config_(config) {}

  Result<Topology> read() {
    const Json& list = member(config_, "layers");
    if (!list.is_array()) return fail("a functional model needs a list of layers");
    for (const Json& j : list) {
      FJORD_TRY(Layer layer, plainLayer(j));
      if (layer.name.empty()) return fail("a layer of a functional model has no name");
      if (indexOf(layer.name) >= 0) return fail("two layers are called ", layer.name);
      t_.layers.push_back(std::move(layer));
    }
    for (size_t i = 0; i < list.size(); ++i) {
      if (t_.layers[i].row) FJORD_CHECK(readCalls(t_.layers[i], member(list[i], "inbound_nodes")));
    }
    FJORD_TRY(t_.inputs, refs(member(config_, "input_layers")));
    FJORD_TRY(t_.outputs, refs(member(config_, "output_layers")));
    if (t_.outputs.empty()) return fail("the model has no output_layers");
    return std::move(t_);
  }

 private:
  int indexOf(const std::string& name) const {
    auto it = std::ranges::find(t_.layers, name, &Layer::name);
    return it == t_.layers.end() ? -1 : static_cast<int>(it - t_.layers.begin());
  }

  /// ["name", node, tensor, ...]
  bool isRef(const Json& j) const {
    return j.is_array() && j.size() >= 3 && j[0].is_string() && j[1].is_number() &&
           j[2].is_number();
  }

  Result<TensorRef> ref(const Json& j) {
    TensorRef r{indexOf(j[0].get<std::string>()), j[1].get<int>()};
    if (r.layer < 0)
      return fail("a connection names the layer ", j[0].get<std::string>(),
                  ", which does not exist");
    return r;
  }

  Result<std::vector<TensorRef>> refs(const Json& j) {
    std::vector<TensorRef> out;
    FJORD_CHECK(collect(j, out));
    return out;
  }

  /// All references in a nest of lists (Keras 2) or of arguments with a keras_history (Keras 3), in
  /// order.
  Status collect(const Json& j, std::vector<TensorRef>& out) {
    if (isRef(j)) {
      FJORD_TRY(TensorRef r, ref(j));
      out.push_back(r);
    } else if (const Json& history = member(member(j, "config"), "keras_history"); isRef(history)) {
      FJORD_TRY(TensorRef r, ref(history));
      out.push_back(r);
    } else if (j.is_array()) {
      for (const Json& item : j) FJORD_CHECK(collect(item, out));
    }
    return {};
  }

  Status readCalls(Layer& layer, const Json& nodes) {
    if (!nodes.is_array() || nodes.empty())
      return fail("layer ", layer.name, " is not connected to anything");
    for (const Json& node : nodes) {
      FJORD_TRY(auto inputs, refs(node.is_object() ? member(node, "args") : node));
      if (inputs.empty()) return fail("layer ", layer.name, ": a call without inputs");
      layer.calls.push_back(std::move(inputs));
    }
    return {};
  }

  const Json& config_;
  Topology t_;
};

}  // namespace

Result<Topology> Topology::fromJson(const Json& model) {
  // A TensorFlow.js model.json has modelTopology; within, and in older files, model_config.
  const Json* j = &model;
  for (const char* wrapper : {"modelTopology", "model_config"}) {
    if (const Json& inner = member(*j, wrapper); inner.is_object()) j = &inner;
  }
  std::string className = stringOr(*j, "class_name", "");
  const Json& config = member(*j, "config");
  Result<Topology> t =
      fail("a model's class_name is Sequential, Functional or Model, not \"", className, "\"");
  if (className == "Sequential") t = sequential(config);
  if (className == "Functional" || className == "Model") t = Functional(config).read();
  if (t) t->name = stringOr(config, "name", "model");
  if (t) t->trainable = boolOr(config, "trainable", true);
  return t;
}

}  // namespace fjord
