#include "nn/topology.h"

#include <algorithm>
#include <unordered_map>

namespace fjord {

using namespace arguments;

namespace {

using Layer = Topology::Layer;
using TensorRef = Topology::TensorRef;

// ---- names

bool isNamed(std::string_view key, std::string_view name) {
  return canonicalName(key) == canonicalName(name);
}
/// A member by its name, also as TensorFlow.js's getConfig() writes it: inboundNodes.
const Json& named(const Json& object, std::string_view name) {
  static const Json kNone;
  if (!object.is_object()) return kNone;
  for (const auto& [key, value] : object.items()) {
    if (isNamed(key, name)) return value;
  }
  return kNone;
}
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
  if (className == "Sequential" || className == "Functional" || className == "Model")
    return fail("a model as a layer of another is not supported");
  return unknownLayer(className);
}

/// The shape of a first layer's input, the batch -1. Keras 3 writes batch_shape, Keras 2 and
/// TensorFlow.js batch_input_shape, or input_shape or input_dim without the batch.
Result<std::optional<Shape>> batchShapeOf(const Fields& fields) {
  for (const char* key : {"batch_shape", "batch_input_shape"}) {
    if (fields.has(key) && fields.wholes(key).rank() > 0) return fields.wholes(key);
  }
  for (const char* key : {"input_shape", "input_dim"}) {
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
  for (int i = 1; i < shape->rank(); ++i) {
    if ((*shape)[i] < 1)
      return fail("input ", name, ": only the batch may be unknown, the shape is ", *shape);
  }
  Layer layer{nullptr, std::string(kInputClass), name, fields.plain(), {{}}, {}};
  (*shape)[0] = -1;
  layer.input = {dtypeOf(fields), *shape};
  return layer;
}

/// A layer, and the arguments of it.
Result<std::pair<Layer, Fields>> plainLayer(const Json& j) {
  FJORD_TRY(Fields entry, Fields::of("a layer's description", kEntry, j));
  std::string className = entry.text("class_name");
  Result<Fields> fields = fieldsOf(className, member(j, "config"));
  if (!fields) {
    std::string name = stringOr(member(j, "config"), "name", entry.text("name"));
    return fail(name.empty() ? className : name, ": ", fields.error().message);
  }
  std::string name = fields->has("name") ? fields->text("name") : entry.text("name");
  if (className == kInputClass) {
    FJORD_TRY(std::optional<Shape> shape, batchShapeOf(*fields));
    FJORD_TRY(Layer layer, inputLayer(name, *fields, shape));
    return std::pair{std::move(layer), std::move(*fields)};
  }
  Layer layer{findLayer(className), className, name, fields->plain(), {}, {}};
  return std::pair{std::move(layer), std::move(*fields)};
}

/// The layers of a model by name.
class Names {
 public:
  /// A name for a layer that has none, unique in the model: "dense", "dense_1", ...
  void name(Layer& layer) {
    std::string base = layer.name.empty() ? canonicalName(layer.className) : layer.name;
    int& number = numbers_[base];
    layer.name = base;
    while (layers_.contains(layer.name)) layer.name = cat(base, "_", ++number);
  }
  /// False where another one has its name.
  bool add(const Layer& layer) {
    return layers_.try_emplace(layer.name, static_cast<int>(layers_.size())).second;
  }
  /// -1 where there is none.
  int find(const std::string& name) const {
    auto known = layers_.find(name);
    return known == layers_.end() ? -1 : known->second;
  }

 private:
  std::unordered_map<std::string, int> layers_;
  std::unordered_map<std::string, int> numbers_;  // tried last, by what comes before them
};

// ---- models

constexpr Argument kEveryModel[] = {text("name"), flag("trainable", true), json("dtype"),
                                    json("layers").isNeeded()};
constexpr Argument kSequential[] = {shape("build_input_shape"), also(kEveryModel)};

Result<Topology> sequential(const Json& config) {
  Topology t;
  std::optional<Shape> built;
  if (config.is_object()) {
    FJORD_TRY(Fields fields, Fields::of("a Sequential model", kSequential, config));
    // Keras 3: it stands beside the layers.
    if (fields.has("build_input_shape")) built = fields.wholes("build_input_shape");
  }
  Names names;
  const Json& list = config.is_array() ? config : member(config, "layers");
  if (!list.is_array() || list.empty()) return fail("a Sequential model needs a list of layers");
  for (const Json& j : list) {
    FJORD_TRY(auto read, plainLayer(j));
    auto& [layer, fields] = read;
    names.name(layer);
    names.add(layer);
    if (t.layers.empty() && layer.row) {
      FJORD_TRY(std::optional<Shape> shape, batchShapeOf(fields));
      FJORD_TRY(Layer input, inputLayer(layer.name + "_input", fields, shape ? shape : built));
      names.add(input);
      t.layers.push_back(std::move(input));
    }
    if (!t.layers.empty()) layer.calls = {{{static_cast<int>(t.layers.size()) - 1, 0}}};
    t.layers.push_back(std::move(layer));
  }
  t.inputs = {{0, 0}};
  t.outputs = {{static_cast<int>(t.layers.size()) - 1, 0}};
  return t;
}

constexpr Argument kFunctional[] = {also(kEveryModel), json("input_layers").isNeeded(),
                                    json("output_layers").isNeeded()};

class Functional {
 public:
  explicit Functional(const Json& config) : config_(config) {}

  Result<Topology> read() {
    FJORD_CHECK(Fields::of("a functional model", kFunctional, config_));
    const Json& list = member(config_, "layers");
    if (!list.is_array()) return fail("a functional model needs a list of layers");
    for (const Json& j : list) {
      FJORD_TRY(auto read, plainLayer(j));
      Layer& layer = read.first;
      if (layer.name.empty()) return fail("a layer of a functional model has no name");
      if (!names_.add(layer)) return fail("two layers are called ", layer.name);
      t_.layers.push_back(std::move(layer));
    }
    for (size_t i = 0; i < list.size(); ++i) {
      if (t_.layers[i].row) FJORD_CHECK(readCalls(t_.layers[i], named(list[i], "inbound_nodes")));
    }
    FJORD_TRY(t_.inputs, refs(named(config_, "input_layers")));
    FJORD_TRY(t_.outputs, refs(named(config_, "output_layers")));
    if (t_.outputs.empty()) return fail("the model has no output_layers");
    return std::move(t_);
  }

 private:
  /// ["name", node, tensor, arguments of the call]
  bool isRef(const Json& j) const {
    return j.is_array() && j.size() >= 3 && j.size() <= 4 && j[0].is_string() && isNumber(j[1]) &&
           isNumber(j[2]);
  }
  static bool isNumber(const Json& j) {
    double x = numberIn(j).value_or(-1);
    return x >= 0 && x <= kMostInt && x == static_cast<int>(x);
  }

  Result<TensorRef> ref(const Json& j) {
    std::string name = j[0].get<std::string>();
    TensorRef r{names_.find(name), j[1].get<int>()};
    if (r.layer < 0) return fail("a connection names the layer ", name, ", which does not exist");
    if (j[2].get<int>() != 0)
      return fail("a connection takes output number ", j[2].get<int>(), " of the layer ", name,
                  ", which has one output, number 0");
    return r;
  }

  Result<std::vector<TensorRef>> refs(const Json& j, const Layer* called = nullptr) {
    std::vector<TensorRef> out;
    FJORD_CHECK(collect(j, called, out));
    return out;
  }

  /// All references in a nest of lists (Keras 2) or of arguments with a keras_history (Keras 3), in
  /// order.
  Status collect(const Json& j, const Layer* called, std::vector<TensorRef>& out) {
    if (isRef(j)) {
      if (called && j.size() == 4) FJORD_CHECK(checkCall(*called, j[3]));
      FJORD_TRY(TensorRef r, ref(j));
      out.push_back(r);
    } else if (const Json& history = member(member(j, "config"), "keras_history"); isRef(history)) {
      FJORD_TRY(TensorRef r, ref(history));
      out.push_back(r);
    } else if (j.is_array()) {
      for (const Json& item : j) FJORD_CHECK(collect(item, called, out));
    } else if (!j.is_null()) {
      return fail(called ? called->name : "the model", ": a connection is [layer, call, 0], got ",
                  shown(j));
    }
    return {};
  }

  /// What a layer was called with beside its inputs: refused, unless it changes nothing.
  static Status checkCall(const Layer& layer, const Json& arguments) {
    // Only these do something else in training.
    bool trains = layer.className == "Dropout" || layer.className == "BatchNormalization";
    for (const auto& [name, value] : arguments.items()) {
      if (value.is_null() || (name == "training" && value.is_boolean() && !trains)) continue;
      return fail(layer.name, ": it is called with ", name, " = ", shown(value),
                  ", which is not supported: arguments of calls must be null");
    }
    return {};
  }

  Status readCalls(Layer& layer, const Json& nodes) {
    if (!nodes.is_array() || nodes.empty())
      return fail("layer ", layer.name, " is not connected to anything");
    for (const Json& node : nodes) {
      if (node.is_object()) FJORD_CHECK(checkCall(layer, member(node, "kwargs")));
      FJORD_TRY(auto inputs, refs(node.is_object() ? member(node, "args") : node, &layer));
      if (inputs.empty()) return fail("layer ", layer.name, ": a call without inputs");
      layer.calls.push_back(std::move(inputs));
    }
    return {};
  }

  const Json& config_;
  Topology t_;
  Names names_;
};

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

Result<Topology> Topology::fromJson(const Json& model) {
  const Json* j = modelIn(&model);
  if (stringOr(model, "format", "") == "graph-model" || member(*j, "node").is_array()) {
    return fail(
        "this is a TensorFlow.js graph model, which holds operations of TensorFlow and no layers; "
        "convert the Keras model with tensorflowjs_converter --output_format=tfjs_layers_model");
  }
  const Json &className = named(*j, "class_name"), &config = member(*j, "config");
  Result<Topology> t =
      fail("a model's class_name is Sequential, Functional or Model, got ", shown(className));
  if (className == "Sequential") t = sequential(config);
  if (className == "Functional" || className == "Model") t = Functional(config).read();
  if (t) t->name = stringOr(config, "name", "model");
  if (t) t->trainable = boolOr(config, "trainable", true);
  return t;
}

Json asKerasWrites(Json model) {
  Json& description = *modelIn(&model);
  rename(description, {"class_name"});
  Json& config = description["config"];
  rename(config, {"input_layers", "output_layers", "build_input_shape"});
  for (Json& layer : config.is_array() ? config : config["layers"]) {
    rename(layer, {"class_name", "inbound_nodes"});
    Result<Fields> fields = fieldsOf(stringOr(layer, "class_name", ""), member(layer, "config"));
    if (fields) layer["config"] = Json(fields->plain());
  }
  return model;
}

}  // namespace fjord
