#include "nn/topology.h"

#include <algorithm>
#include <unordered_map>

#include "nn/call_order.h"
#include "nn/traced.h"

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

/// A layer, and the arguments of it. Its name may be settled later, and then its path.
Result<std::pair<Layer, Fields>> Reader::layer(const Json& j) {
  FJORD_TRY(Fields entry, Fields::of("a layer's description", kEntry, j));
  std::string className = entry.text("class_name");
  const Json& config = member(j, "config");
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
  Names names;
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

/// How the layers of a functional model, which have been read, are joined.
class Joints {
 public:
  Joints(const Json& config, Topology& t) : config_(config), t_(t) {}

  Status read(const Names& names) {
    names_ = &names;
    const Json& list = member(config_, "layers");
    for (size_t i = 0; i < list.size(); ++i) {
      if (!t_.layers[i].isInput())
        FJORD_CHECK(readCalls(t_.layers[i], named(list[i], "inbound_nodes")));
    }
    FJORD_TRY(t_.inputs, refs(named(config_, "input_layers")));
    FJORD_TRY(t_.outputs, refs(named(config_, "output_layers")));
    if (t_.outputs.empty()) return fail("the model has no output_layers");
    for (const TensorRef& r : t_.inputs) {
      if (!t_.layers[r.layer].isInput())
        return fail("the layer ", t_.layers[r.layer].name,
                    " is among the model's inputs and is no InputLayer");
    }
    countCallsFromZero();
    return {};
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
    TensorRef r{names_->find(name), j[1].get<int>(), j[2].get<int>()};
    if (r.layer < 0) return fail("a connection names the layer ", name, ", which does not exist");
    const Layer& layer = t_.layers[r.layer];
    bool isOne = layer.isInput() || (layer.row && layer.row->build);
    if (isOne && r.tensor != 0)
      return fail("a connection takes output number ", r.tensor, " of the layer ", name,
                  ", which has one output, number 0");
    if (layer.inner && r.tensor >= static_cast<int>(layer.inner->outputs.size()))
      return fail("a connection takes output number ", r.tensor, " of the model ", name,
                  ", which has ", layer.inner->outputs.size(), ", counted from 0");
    return r;
  }

  /// Whose call is read, and what of it beside its inputs.
  struct Called {
    const Layer* layer = nullptr;
    Topology::Call* call = nullptr;
    std::vector<TensorRef>* states = nullptr;
  };

  Result<std::vector<TensorRef>> refs(const Json& j) {
    std::vector<TensorRef> out;
    FJORD_CHECK(collect(j, {}, out));
    return out;
  }

  /// All references in a nest of lists (Keras 2) or of arguments with a keras_history (Keras 3), in
  /// order.
  Status collect(const Json& j, const Called& called, std::vector<TensorRef>& out) {
    if (isRef(j)) {
      if (called.layer && j.size() == 4) FJORD_CHECK(readArguments(called, j[3]));
      FJORD_TRY(TensorRef r, ref(j));
      out.push_back(r);
    } else if (const Json& history = member(member(j, "config"), "keras_history"); isRef(history)) {
      FJORD_TRY(TensorRef r, ref(history));
      out.push_back(r);
    } else if (j.is_array()) {
      for (const Json& item : j) FJORD_CHECK(collect(item, called, out));
    } else if (!j.is_null()) {
      return fail(called.layer ? called.layer->name : "the model",
                  ": a connection is [layer, call, 0], got ", shown(j));
    }
    return {};
  }

  /// null, or a list of such.
  static bool isNothing(const Json& j) {
    return j.is_null() || (j.is_array() && std::ranges::all_of(j, isNothing));
  }

  /// What a layer was called with beside its inputs: whether it is training, initial states, which are
  /// inputs here, and what its row has. What is not known is refused.
  Status readArguments(const Called& called, const Json& arguments) {
    const Layer& layer = *called.layer;
    Topology::Call& call = *called.call;
    for (const auto& [name, value] : arguments.items()) {
      if (isNothing(value)) continue;
      if (isNamed(name, "initial_state")) {
        FJORD_TRY(std::vector<TensorRef> more, refs(value));
        called.states->insert(called.states->end(), more.begin(), more.end());
        continue;
      }
      if (name == "training" && value.is_boolean()) {
        call.training = value == true;
      } else if (layer.row && !layer.row->callArguments.empty()) {
        call.arguments[name] = value;
      } else {
        return fail(layer.name, ": it is called with ", name, " = ", shown(value),
                    ", which is not supported: arguments of calls are training, true or false, "
                    "initial_state, or null");
      }
    }
    if (call.arguments.empty()) return {};
    Result<Fields> fields = callFields(*layer.row, call.arguments);
    if (!fields) return fail(layer.name, ": ", fields.error().message);
    call.arguments = Json(fields->plain());
    return {};
  }

  /// Inputs that a call names, after those that it does not. One that is left out is the one before it.
  Status readNamed(const Layer& layer, Json& arguments, Topology::Call& call) {
    if (!layer.row || !arguments.is_object()) return {};
    std::span<const std::string_view> names = layer.row->inputNames;
    for (size_t i = 0; i < names.size(); ++i) {
      auto given = arguments.find(std::string(names[i]));
      if (given == arguments.end() || given->is_null()) continue;
      FJORD_TRY(std::vector<TensorRef> found, refs(*given));
      if (found.size() != 1 || call.inputs.size() > i || (call.inputs.empty() && i > 0))
        return fail(layer.name, ": the inputs of a call are ", listed(names), ", each once, got ",
                    shown(*given), " for ", names[i]);
      call.inputs.resize(i, call.inputs.empty() ? found[0] : call.inputs.back());
      call.inputs.push_back(found[0]);
      arguments.erase(given);
    }
    return {};
  }
  static std::string listed(std::span<const std::string_view> names) {
    std::string all;
    for (std::string_view name : names) all += cat(all.empty() ? "" : ", ", name);
    return all;
  }

  Status readCalls(Layer& layer, const Json& nodes) {
    if (!nodes.is_array() || nodes.empty())
      return fail("layer ", layer.name, " is not connected to anything");
    for (const Json& node : nodes) {
      Topology::Call call;
      std::vector<TensorRef> states;
      Called called{&layer, &call, &states};
      const Json& from = node.is_object() ? member(node, "args") : node;
      FJORD_CHECK(collect(from, called, call.inputs));
      if (node.is_object()) {
        Json arguments = member(node, "kwargs");
        FJORD_CHECK(readNamed(layer, arguments, call));
        FJORD_CHECK(readArguments(called, arguments));
      }
      call.inputs.insert(call.inputs.end(), states.begin(), states.end());
      if (call.inputs.empty()) return fail("layer ", layer.name, ": a call without inputs");
      layer.calls.push_back(std::move(call));
    }
    return {};
  }

  template <class F>
  void eachRef(F f) {
    for (Layer& layer : t_.layers) {
      for (Topology::Call& call : layer.calls) std::ranges::for_each(call.inputs, f);
    }
    std::ranges::for_each(t_.outputs, f);
  }

  /// Keras counts the calls of a model from 1: number 0 is the one that it was made by, which does not
  /// stand here. TensorFlow.js counts from 0.
  void countCallsFromZero() {
    std::vector<bool> fromOne(t_.layers.size());
    eachRef([&](TensorRef& r) {
      const Layer& layer = t_.layers[r.layer];
      if (layer.inner && r.node == static_cast<int>(layer.calls.size())) fromOne[r.layer] = true;
    });
    eachRef([&](TensorRef& r) { r.node -= fromOne[r.layer]; });
  }

  const Json& config_;
  Topology& t_;
  const Names* names_ = nullptr;
};

Result<Topology> Reader::model(const Json& j, const std::string& prefix) {
  const Json &className = named(j, "class_name"), &config = member(j, "config");
  Topology t;
  if (className == "Sequential") {
    FJORD_TRY(t, sequential(config, prefix));
  } else if (className == "Functional" || className == "Model") {
    FJORD_CHECK(Fields::of("a functional model", kFunctional, config));
    const Json& list = member(config, "layers");
    if (!list.is_array()) return fail("a functional model needs a list of layers");
    Names names;
    for (const Json& one : list) {
      FJORD_TRY(auto read, layer(one));
      Layer& layer = read.first;
      if (layer.name.empty()) return fail("a layer of a functional model has no name");
      if (!names.add(layer)) return fail("two layers are called ", layer.name);
      FJORD_CHECK(settle(layer, one, prefix));
      t.layers.push_back(std::move(layer));
    }
    FJORD_CHECK(Joints(config, t).read(names));
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
