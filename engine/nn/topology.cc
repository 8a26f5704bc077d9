#include "nn/topology.h"

#include <algorithm>
#include <deque>
#include <unordered_map>

#include "nn/call_order.h"
#include "nn/joints.h"
#include "nn/traced.h"

namespace fjord {

using namespace arguments;

namespace {

using Layer = Topology::Layer;
using TensorRef = Topology::TensorRef;

/// Calls these members as Keras does.
void rename(Json& object, std::initializer_list<std::string_view> names) {
  if (!object.is_object()) return;
  Json out = Json::object();
  for (const auto& [key, value] : object.items()) {
    const auto* name = std::ranges::find_if(names, [&](auto one) { return isNamed(key, one); });
    out[name == names.end() ? key : std::string(*name)] = std::move(value);
  }
  object = std::move(out);
}

// ---- one layer

// What Keras 2, Keras 3 and TensorFlow.js write beside a layer's config.
constexpr Argument kEntry[] = {
    text("class_name").isNeeded(), json("config"),           text("name"),
    json("inbound_nodes"),         json("module"),           json("registered_name"),
    json("build_config"),          json("shared_object_id"), json("compile_config")};
constexpr Argument kInput[] = {only("optional", "false"), only("type_spec", ""),
                               only("input_tensor", "")};
constexpr std::string_view kInputClass = "InputLayer";

Result<Fields> fieldsOf(std::string_view className, const Json& config) {
  if (className == kInputClass) return Fields::of(kInputClass, kInput, everyLayer(), config);
  if (const LayerRow* row = findLayer(className)) return layerFields(*row, config);
  return unknownLayer(className);
}
bool isModel(std::string_view className) {
  return className == "Sequential" || className == "Functional" || className == "Model";
}

/// The shape of a first layer's input, the batch -1. Keras 3 writes batch_shape, Keras 2 and
/// TensorFlow.js batch_input_shape, or input_shape or input_dim without the batch; an embedding's input_dim
/// is the number of its rows.
Result<std::optional<Shape>> batchShapeOf(const Fields& fields, bool isEmbedding) {
  for (const char* key : {"batch_shape", "batch_input_shape"}) {
    if (fields.has(key) && fields.wholes(key).rank() > 0) return fields.wholes(key);
  }
  for (const char* key : {"input_shape", isEmbedding ? "input_length" : "input_dim"}) {
    if (!fields.has(key)) continue;
    Shape inner = fields.wholes(key), shape{-1};
    if (inner.rank() == kMaxRank) return fail(key, " has at most ", kMaxRank - 1, " axes");
    for (int32_t d : inner) shape.push(d);
    return shape;
  }
  return std::nullopt;
}

Result<Layer> inputLayer(const std::string& name, const Fields& fields,
                         std::optional<Shape> shape) {
  if (!shape)
    return fail(
        "input ", name,
        ": needs the shape of a sample: inputShape, such as [28, 28, 1], or batch_shape, such "
        "as [null, 28, 28, 1]");
  (*shape)[0] = -1;
  return Layer{.className = std::string(kInputClass),
               .name = name,
               .config = fields.plain(),
               .calls = {{}},
               .input = {dtypeOf(fields), *shape}};
}

// ---- models

constexpr Argument kEveryModel[] = {text("name"), flag("trainable", true), json("dtype"),
                                    json("layers").isNeeded()};
constexpr Argument kSequential[] = {shape("build_input_shape"), also(kEveryModel)};
constexpr Argument kFunctional[] = {also(kEveryModel), json("input_layers").isNeeded(),
                                    json("output_layers").isNeeded()};

/// Reads a description and those of the models in it.
class Reader {
 public:
  explicit Reader(const Json& traced) : traced_(traced) {}
  /// {"class_name", "config"} of a model whose layers' paths begin with `prefix`.
  Result<Topology> model(const Json& description, const std::string& prefix);
  int numbers() const { return static_cast<int>(numbers_.size()); }

 private:
  Result<Topology> sequential(const Json& config, const std::string& prefix);
  Result<std::pair<Layer, Fields>> layer(const Json& j);
  Status settle(Layer& layer, const Json& j, const std::string& prefix);

  std::unordered_map<double, std::string> shared_;  // by shared_object_id: where it was met first
  std::unordered_map<std::string, int> numbers_;    // by path
  bool isAgain_ = false;                            // a model is read that was read before
  std::deque<Json> rewritten_;                      // configs that fields refer to
  const Json& traced_;
};

/// One that is written elsewhere. Of what it says the engine takes what it asks of every layer.
Result<std::pair<Layer, Fields>> tracedEntry(Layer layer, const Json& config) {
  layer.row = &tracedLayer();
  layer.config = {{"number", 1}};
  for (const char* key : {"trainable", "dtype", "batch_input_shape", "activity_regularizer"}) {
    if (const Json& value = named(config, key); !value.is_null()) layer.config[key] = value;
  }
  Result<Fields> fields = layerFields(*layer.row, layer.config);
  if (!fields) return fail(layer.name, ": ", fields.error().message);
  // What they refer to stays where it is.
  return std::pair{std::move(layer), std::move(*fields)};
}

/// TensorFlow.js writes what the config of an RNN's cell says a second time, into that of the RNN.
Json withoutThoseOfCell(const Json& config) {
  const Json& cell = named(named(config, "cell"), "config");
  Json own = Json::object();
  for (const auto& [key, value] : config.items()) {
    bool isOwn = isNamed(key, "name") || isNamed(key, "trainable") || isNamed(key, "dtype");
    if (isOwn || named(cell, key) != value) own[key] = value;
  }
  return own;
}

/// A layer, and the arguments of it. Its name may be settled later, and then its path.
Result<std::pair<Layer, Fields>> Reader::layer(const Json& j) {
  FJORD_TRY(Fields entry, Fields::of("a layer's description", kEntry, j));
  std::string className = entry.text("class_name");
  const Json& given = member(j, "config");
  bool isRnn = className == "RNN" && given.is_object();
  const Json& config = isRnn ? rewritten_.emplace_back(withoutThoseOfCell(given)) : given;
  if (isModel(className)) {
    Layer layer{.className = className, .name = stringOr(config, "name", entry.text("name"))};
    layer.config = {{"trainable", boolOr(config, "trainable", true)}};
    return std::pair{std::move(layer), std::move(entry)};
  }
  if (!traced_.is_null() && className != kInputClass && !findLayer(className)) {
    std::string name = stringOr(config, "name", entry.text("name"));
    return tracedEntry({.className = className, .name = name}, config);
  }
  Result<Fields> fields = fieldsOf(className, config);
  if (!fields) {
    std::string name = stringOr(config, "name", entry.text("name"));
    return fail(name.empty() ? className : name, ": ", fields.error().message);
  }
  std::string name = fields->has("name") ? fields->text("name") : entry.text("name");
  if (className == kInputClass) {
    FJORD_TRY(std::optional<Shape> shape, batchShapeOf(*fields, false));
    FJORD_TRY(Layer layer, inputLayer(name, *fields, shape));
    return std::pair{std::move(layer), std::move(*fields)};
  }
  Layer layer{.row = findLayer(className), .className = className, .name = name};
  layer.config = fields->plain();
  return std::pair{std::move(layer), std::move(*fields)};
}

/// Where its weights are; a model is read now, as its layers are named by its own name.
Status Reader::settle(Layer& layer, const Json& j, const std::string& prefix) {
  layer.path = prefix + layer.name;
  if (layer.isInput() && !isModel(layer.className)) return {};
  bool isAgain = isAgain_;
  // Keras writes the same number for the same object.
  if (const Json& id = member(j, "shared_object_id"); id.is_number()) {
    auto [first, isNew] = shared_.try_emplace(id.get<double>(), layer.path);
    layer.path = first->second;
    isAgain = isAgain || !isNew;
  }
  if (layer.row == &tracedLayer()) {
    const Json& number = member(traced_, layer.path.c_str());
    if (!number.is_number())
      return fail(layer.name, ": ", unknownLayer(layer.className).error().message);
    layer.config["number"] = number;
  }
  if (layer.row) {
    auto [known, isNew] = numbers_.try_emplace(layer.path, numbers());
    if (!isNew && !isAgain) return fail("two layers are called ", layer.path);
    layer.number = known->second;
    return {};
  }
  std::swap(isAgain_, isAgain);
  Result<Topology> inner = model(j, layer.path + "/");
  std::swap(isAgain_, isAgain);
  if (!inner) return fail(layer.name, ": ", inner.error().message);
  layer.inner = std::make_shared<Topology>(std::move(*inner));
  return {};
}

Result<Topology> Reader::sequential(const Json& config, const std::string& prefix) {
  Topology t;
  std::optional<Shape> built;
  if (config.is_object()) {
    FJORD_TRY(Fields fields, Fields::of("a Sequential model", kSequential, config));
    // Keras 3: it stands beside the layers.
    if (fields.has("build_input_shape")) built = fields.wholes("build_input_shape");
  }
  LayerNames names;
  const Json& list = config.is_array() ? config : member(config, "layers");
  if (!list.is_array() || list.empty()) return fail("a Sequential model needs a list of layers");
  for (const Json& j : list) {
    FJORD_TRY(auto read, layer(j));
    auto& [layer, fields] = read;
    names.name(layer);
    names.add(layer);
    FJORD_CHECK(settle(layer, j, prefix));
    if (layer.inner && (layer.inner->inputs.size() != 1 || layer.inner->outputs.size() != 1))
      return fail(layer.name, ": a layer of a Sequential model has one input and one output, this ",
                  "model has ", layer.inner->inputs.size(), " and ", layer.inner->outputs.size());
    if (t.layers.empty() && layer.inner) {
      Layer input = layer.inner->layers[layer.inner->inputs[0].layer];
      input.name = layer.name + "_input";
      input.path = prefix + input.name;
      names.add(input);
      t.layers.push_back(std::move(input));
    } else if (t.layers.empty() && layer.row) {
      bool isEmbedding = layer.className == "Embedding";
      FJORD_TRY(std::optional<Shape> shape, batchShapeOf(fields, isEmbedding));
      FJORD_TRY(Layer input, inputLayer(layer.name + "_input", fields, shape ? shape : built));
      // Not every number of a row is a float32.
      if (isEmbedding) input.input.dtype = DType::kI32;
      input.path = prefix + input.name;
      names.add(input);
      t.layers.push_back(std::move(input));
    }
    if (!t.layers.empty()) layer.calls = {{.inputs = {{static_cast<int>(t.layers.size()) - 1}}}};
    t.layers.push_back(std::move(layer));
  }
  t.inputs = {{0}};
  t.outputs = {{static_cast<int>(t.layers.size()) - 1}};
  return t;
}

Result<Topology> Reader::model(const Json& j, const std::string& prefix) {
  const Json &className = named(j, "class_name"), &config = member(j, "config");
  Topology t;
  if (className == "Sequential") {
    FJORD_TRY(t, sequential(config, prefix));
  } else if (className == "Functional" || className == "Model") {
    FJORD_CHECK(Fields::of("a functional model", kFunctional, config));
    const Json& list = member(config, "layers");
    if (!list.is_array()) return fail("a functional model needs a list of layers");
    LayerNames names;
    for (const Json& one : list) {
      FJORD_TRY(auto read, layer(one));
      Layer& layer = read.first;
      if (layer.name.empty()) return fail("a layer of a functional model has no name");
      if (!names.add(layer)) return fail("two layers are called ", layer.name);
      FJORD_CHECK(settle(layer, one, prefix));
      t.layers.push_back(std::move(layer));
    }
    FJORD_CHECK(join(t, names, config));
  } else {
    return fail("a model's class_name is Sequential, Functional or Model, got ", shown(className));
  }
  t.name = stringOr(config, "name", "model");
  t.trainable = boolOr(config, "trainable", true);
  FJORD_TRY(t.order, callOrder(t));
  return t;
}

}  // namespace

namespace {

/// The model in a description: a TensorFlow.js model.json has modelTopology; within, and in older
/// files, model_config.
template <class J>
J* modelIn(J* j) {
  for (const char* wrapper : {"modelTopology", "model_config"}) {
    if (j->is_object() && j->contains(wrapper) && (*j)[wrapper].is_object()) j = &(*j)[wrapper];
  }
  return j;
}

}  // namespace

Result<Topology> Topology::fromJson(const Json& model, const Json& traced) {
  const Json* j = modelIn(&model);
  if (stringOr(model, "format", "") == "graph-model" || member(*j, "node").is_array()) {
    return fail(
        "this is a TensorFlow.js graph model, which holds operations of TensorFlow and no layers; "
        "convert the Keras model with tensorflowjs_converter --output_format=tfjs_layers_model");
  }
  Reader reader(traced);
  FJORD_TRY(Topology t, reader.model(*j, ""));
  t.numbers = reader.numbers();
  return t;
}

bool Topology::hasOpenSizes() const {
  return std::ranges::any_of(inputs, [&](TensorRef ref) {
    const Shape& shape = layers[ref.layer].input.shape;
    return std::find(shape.begin() + 1, shape.end(), -1) != shape.end();
  });
}

namespace {

void writeAsKeras(Json& description) {
  rename(description, {"class_name"});
  if (!isModel(stringOr(description, "class_name", ""))) {
    Result<Fields> fields =
        fieldsOf(stringOr(description, "class_name", ""), member(description, "config"));
    if (fields) description["config"] = Json(fields->plain());
    return;
  }
  Json& config = description["config"];
  rename(config, {"input_layers", "output_layers", "build_input_shape"});
  for (Json& layer : config.is_array() ? config : config["layers"]) {
    rename(layer, {"class_name", "inbound_nodes"});
    writeAsKeras(layer);
  }
}

}  // namespace

Json asKerasWrites(Json model) {
  writeAsKeras(*modelIn(&model));
  return model;
}

}  // namespace fjord
