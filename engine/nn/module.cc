#include "nn/module.h"

#include <algorithm>
#include <array>

#include "base/parts.h"
#include "nn/mask_ops.h"
#include "nn/model.h"

namespace fjord {

// ---- how it is made

Status Module::make(const Json& model, const ModelOptions& options) {
  Json read = withoutMaskOps(model);
  FJORD_TRY(topology_, Topology::fromJson(read, options.traced));
  json_ = asKerasWrites(std::move(read));
  seed_ = options.seed;
  sharers_ = {std::make_shared<Sharers>()};
  trainable_ = trainableLayers();
  if (!topology_.hasOpenSizes()) return makeFor(options, 0, 0);
  // Of an open size a model is made for two, which show what depends on it. The first are too small for
  // some models.
  Status first;
  for (auto [size, other] : kOpenTrials) {
    weights_ = {};
    calls_.clear();
    outputTypes_.clear();
    bySample_.clear();
    openSize_ = size;
    Status made = makeFor(options, size, other);
    if (made) return made;
    if (first) first = std::move(made);
  }
  return first;
}

Status Module::makeFor(const ModelOptions& options, int32_t open, int32_t other) {
  // A few samples through the layers make the weights and find every error of shape. Not one: that a
  // first axis of 1 is the batch could be chance.
  constexpr int32_t kSamples = 2;
  making_ = &options;
  Graph graph;
  ModuleCall call(*this, graph, {.samples = kSamples, .makes = true});
  std::vector<Value> inputs = inputsOf(graph, inputTypesFor(kSamples, open));
  LayerOutputs outputs = call.run({inputs});
  making_ = nullptr;
  FJORD_CHECK(graph.status());
  Status found = findOutputTypes(outputs.values, kSamples, other);
  if (found || !open) return found;
  return fail("the model takes inputs of open sizes, and with ", other, " in place of ", open, ": ",
              found.error().message);
}

std::vector<Type> Module::inputTypesFor(int32_t samples, int32_t open) const {
  std::vector<Type> types = inputTypes();
  for (Type& type : types) {
    type.shape[0] = samples;
    std::ranges::replace(type.shape, -1, open);
  }
  return types;
}

std::vector<Value> inputsOf(Graph& graph, std::span<const Type> types) {
  std::vector<Value> inputs;
  for (const Type& type : types) inputs.push_back(graph.input(type));
  return inputs;
}

Status Module::findOutputTypes(std::span<const Value> outputs, int32_t samples, int32_t open) {
  for (const Value& y : outputs) {
    outputTypes_.push_back(y.type());
    bySample_.push_back(y.shape().rank() > 0 && y.shape()[0] == samples);
    if (bySample_.back()) outputTypes_.back().shape[0] = -1;
  }
  if (isBySample() && !open) return {};
  // What another number of samples changes, or another open size, is open, too.
  Graph graph;
  ModuleCall call(*this, graph, {.samples = samples + 1, .compares = true});
  std::vector<Value> inputs = inputsOf(graph, inputTypesFor(samples + 1, open));
  LayerOutputs others = call.run({inputs});
  FJORD_CHECK(graph.status());
  for (size_t i = 0; i < outputTypes_.size(); ++i)
    openWhereOther(outputTypes_[i].shape, others.values[i].shape());
  return {};
}

void openWhereOther(Shape& shape, const Shape& other) {
  for (int i = 0; i < std::min(shape.rank(), other.rank()); ++i) {
    if (shape[i] != other[i]) shape[i] = -1;
  }
}

namespace {

/// The name of a weight in the model that a shared layer is of; "" where `path` is no part of that layer.
std::string nameThere(const SharedLayer& shared, const std::string& name) {
  if (shared.path.empty()) return shared.from.empty() ? name : cat(shared.from, "/", name);
  if (!name.starts_with(cat(shared.path, "/"))) return "";
  std::string rest = name.substr(shared.path.size() + 1);
  return shared.from.empty() ? rest : cat(shared.from, "/", rest);
}

}  // namespace

Result<const Weight*> Module::weightOfOther(const std::string& name) {
  for (const SharedLayer& shared : making_->shared) {
    std::string there = nameThere(shared, name);
    if (there.empty()) continue;
    Module& other = *shared.model;
    int number = other.weights_.numberOf(there);
    if (number == other.weights_.size())
      return fail("the other model has no weight ", there, " for ", name);
    for (const auto& sharers : other.sharers_) {
      if (std::ranges::find(sharers_, sharers) == sharers_.end()) sharers_.push_back(sharers);
    }
    return &other.weights_[number];
  }
  return nullptr;
}

Status Module::addWeight(Weight weight, const Shape& shape, const Json& initializer) {
  const Weight* other = nullptr;
  if (making_) {
    FJORD_TRY(other, weightOfOther(weight.name));
  }
  if (other) {
    if (other->value.shape() != shape)
      return fail("the weight ", weight.name, " has the shape ", other->value.shape(),
                  " in the other model, ", shape, " is needed now");
    weight.value = other->value;
  } else if (making_ && making_->weights) {
    FJORD_TRY(weight.value, making_->weights(weight.name, shape));
  } else if (kTrains) {
    // Seeds of neighbours must not be neighbours of seeds: the number is the upper half of Philox's
    // key.
    uint64_t number = static_cast<uint64_t>(weights_.size());
    FJORD_TRY(weight.value, initialize(initializer, shape, (number << 32) ^ seed_));
  } else {
    FJORD_TRY(weight.value, Tensor::zeros({DType::kF32, shape}));
  }
  weights_.add(std::move(weight));
  return {};
}

// ---- what is known of it

std::vector<Type> Module::inputTypes() const {
  std::vector<Type> types;
  for (size_t i = 0; i < topology_.inputs.size(); ++i) types.push_back(topology_.inputType(i));
  return types;
}

int64_t Module::version() const {
  int64_t sum = 0;
  for (const auto& sharers : sharers_) sum += sharers->version;
  return sum;
}
void Module::weightsChanged() {
  for (const auto& sharers : sharers_) ++sharers->version;
}

std::string Module::summary() const {
  std::vector<std::array<std::string, 3>> lines = {{"layer", "output shape", "parameters"}};
  for (const CallInfo& info : calls_) {
    const Topology::Layer& layer = topology_.layers[info.call.layer];
    std::string shapes;
    for (const Type& type : info.outputs) shapes += cat(shapes.empty() ? "" : " ", type.shape);
    lines.push_back({cat(layer.name, " (", layer.className, ")"), shapes, cat(info.parameters)});
  }
  size_t widths[3] = {};
  for (const auto& line : lines) {
    for (int i = 0; i < 3; ++i) widths[i] = std::max(widths[i], line[i].size() + 2);
  }
  std::string text;
  for (const auto& line : lines) {
    for (int i = 0; i < 3; ++i) text += line[i] + std::string(widths[i] - line[i].size(), ' ');
    text += '\n';
  }
  int64_t trainable = 0, fixed = 0;
  for (const Weight& w : weights()) (isTrainable(w) ? trainable : fixed) += w.value.size();
  return text + cat(trainable + fixed, " parameters, ", trainable, " trainable, ",
                    (trainable + fixed) * 4, " bytes\n");
}

// ---- what is trained

namespace {

/// By numbers of layers: whether one is trained, being so itself and where it stands.
void collectTrainable(const Topology& t, bool outer, std::vector<bool>& out) {
  for (const Topology::Layer& layer : t.layers) {
    bool is = outer && layer.isTrainable();
    if (layer.inner) collectTrainable(*layer.inner, is, out);
    if (layer.row) out[layer.number] = is;
  }
}

/// The layers of a description, and the settings beside them; null where they are not.
std::pair<Json*, Json*> partsOf(Json& model) {
  Json* j = &model;
  for (const char* inner : {"modelTopology", "model_config"}) {
    if (j->is_object() && j->contains(inner)) j = &(*j)[inner];
  }
  Json* config = j->is_object() && j->contains("config") ? &(*j)["config"] : nullptr;
  if (config && config->is_array()) return {config, nullptr};
  return {config && config->contains("layers") ? &(*config)["layers"] : nullptr, config};
}

/// Written where it says something new: other descriptions stay as they are.
void setFlag(Json& config, bool value) {
  if (boolOr(config, "trainable", true) != value) config["trainable"] = value;
}

/// Sets the flag of each layer at this path, in the topology and in the description; false without one.
bool setTrainableAt(Topology& t, Json& description, const std::string& path, bool value) {
  Json* list = partsOf(description).first;
  // Layers follow in the order of the description; a Sequential model begins with an input that it
  // may not have.
  size_t first = list ? t.layers.size() - list->size() : 0;
  bool found = false;
  for (size_t i = 0; i < t.layers.size(); ++i) {
    Topology::Layer& layer = t.layers[i];
    Json none;
    Json& one = list && i >= first ? (*list)[i - first] : none;
    if (layer.inner) found = setTrainableAt(*layer.inner, one, path, value) || found;
    if (layer.path != path) continue;
    found = true;
    setFlag(layer.config, value);
    if (one.is_object() && one["config"].is_object()) setFlag(one["config"], value);
  }
  return found;
}

}  // namespace

std::vector<bool> Module::trainableLayers() const {
  std::vector<bool> out(topology_.numbers);
  collectTrainable(topology_, topology_.trainable, out);
  return out;
}

Status Module::setTrainable(bool model, const Json& layers) {
  for (const auto& [path, flag] : layers.items()) {
    if (!setTrainableAt(topology_, json_, path, flag == true))
      return fail("the model has no layer named ", path);
  }
  topology_.trainable = model;
  if (Json* config = partsOf(json_).second) setFlag(*config, model);
  trainable_ = trainableLayers();
  return {};
}

}  // namespace fjord
