// A call of a module: its layers built into a graph, one after the other.
#include <algorithm>

#include "base/parts.h"
#include "nn/module.h"
#include "nn/traced.h"

namespace fjord {

// ---- weights

Value ModuleCall::use(std::string_view name, const Shape& shape, const Json& initializer,
                      bool trainable, const Json& regularizer, const Json& constraint,
                      bool isParameter) {
  std::string full = cat(path_, "/", name);
  int number = module_.weights_.numberOf(full);
  if (number == module_.weights_.size()) {
    Status made = module_.addWeight({.name = full,
                                     .value = {},
                                     .trainable = trainable,
                                     .regularizer = regularizer,
                                     .constraint = constraint,
                                     .layer = number_},
                                    shape, initializer);
    if (!made) {
      graph_.fail(made.error().message);
      return {};
    }
  } else if (const Shape& has = module_.weights_[number].value.shape(); has != shape) {
    graph_.fail(cat("the weight ", full, " has the shape ", has, ", ", shape, " is needed now"));
    return {};
  }
  Type type{DType::kF32, shape};
  Value input = weights.of(number);
  if (!input) return weights.use(number, isParameter ? graph_.parameter(type) : graph_.input(type));
  if (!isParameter && graph_.node(input).attrs.as<InputAttrs>().isParameter) {
    graph_.fail("it is called as in training and as in prediction by one model that predicts");
    return {};
  }
  return input;
}

Value ModuleCall::weight(std::string_view name, const Shape& shape, const Json& initializer,
                         bool trainable, const Json& regularizer, const Json& constraint) {
  // Without training the weights stay as they are from run to run.
  bool stay = !options_.training && !options_.moves;
  return use(name, shape, initializer, trainable, regularizer, constraint, stay);
}

Value ModuleCall::state(std::string_view name, const Shape& shape, const Json& initializer) {
  return latest(use(name, shape, initializer, false, nullptr, nullptr, false));
}

Value ModuleCall::kept(std::string_view name, const Shape& shape) {
  std::string full = cat(path_, "/", name);
  auto known = std::ranges::find(keptStates, full, &decltype(keptStates)::value_type::first);
  if (known == keptStates.end())
    known = keptStates.insert(known, {full, graph_.input({DType::kF32, shape})});
  return latest(known->second);
}

/// As the last call in this graph has left it.
Value ModuleCall::latest(Value state) const {
  auto known = std::ranges::find(updates, state, &decltype(updates)::value_type::first);
  return known == updates.end() ? state : known->second;
}

void ModuleCall::update(Value state, Value value) {
  // A layer that is called again goes on from what its last call has left.
  auto known = std::ranges::find(updates, state, &decltype(updates)::value_type::second);
  if (known == updates.end()) {
    updates.push_back({state, value});
  } else {
    known->second = value;
  }
}

void ModuleCall::replace(Value weight, Value value) {
  if (current(weight) != weight)
    return graph_.fail("it is called twice in training, which is not supported");
  replaced.push_back({weight, value});
}

Value ModuleCall::current(Value input) const {
  auto known = std::ranges::find(replaced, input, &decltype(replaced)::value_type::first);
  return known == replaced.end() ? input : known->second;
}

void ModuleCall::addLoss(Value loss) {
  // Unlike what regularizers of weights add.
  if (loss) activityLosses.push_back(loss / static_cast<double>(options_.samples));
}

Value ModuleCall::randomState() {
  if (!random) random = graph_.input({DType::kI32, {4}});
  return random;
}

// ---- layers

LayerOutputs ModuleCall::call(const Topology::Layer& layer, const LayerInputs& inputs,
                              const Json& arguments) {
  if (layer.inner) return run(*layer.inner, inputs, false);
  std::string path = std::exchange(path_, prefix_ + layer.path);
  int number = prefix_.empty() ? std::exchange(number_, layer.number) : number_;
  isTrained = module_.trained_.empty() || module_.trained_[number_];
  isFrozen_ = !layer.isTrainable();
  LayerOutputs outputs = callLayer(*layer.row, *this, layer.config, inputs, arguments);
  path_ = std::move(path);
  number_ = number;
  for (Value y : outputs.values) {
    if (kTrains) addLoss(regularization(y, member(layer.config, "activity_regularizer")));
  }
  return outputs;
}

namespace {

bool isTrainable(const Topology& t) {
  return t.trainable && std::ranges::all_of(t.layers, [](const Topology::Layer& layer) {
           return layer.isTrainable() && (!layer.inner || isTrainable(*layer.inner));
         });
}

}  // namespace

LayerOutputs ModuleCall::callInner(const Json& description, const LayerInputs& inputs) {
  const Json& config = configOf(description);
  std::string className = stringOr(description, "class_name", "");
  std::string name = stringOr(config, "name", canonicalName(className));
  Graph::Scope scope(graph_, name);
  const LayerRow* row = className == kTracedClass ? &tracedLayer() : findLayer(className);
  Result<Topology> inner = row ? Topology() : Topology::fromJson(description);
  if (!inner) {
    graph_.fail(inner.error().message);
    return {};
  }
  // TensorFlow.js says of what is within a frozen layer that it is so, too.
  if (!isFrozen_ && (row ? !boolOr(config, "trainable", true) : !isTrainable(*inner))) {
    graph_.fail("trainable = false within another layer is not supported: set it of that one");
    return {};
  }
  std::string path = cat(path_, "/", name);
  if (!row) {
    std::string prefix = std::exchange(prefix_, path + "/");
    LayerOutputs outputs = run(*inner, inputs, false);
    prefix_ = std::move(prefix);
    return outputs;
  }
  std::swap(path_, path);
  LayerOutputs outputs = callLayer(*row, *this, config, inputs);
  path_ = std::move(path);
  const Json& regularizer = member(config, "activity_regularizer");
  for (Value y : outputs.values) {
    if (!kTrains || regularizer.is_null()) break;
    if (y.graph != &graph_) {
      graph_.fail(
          "activity_regularizer of a cell is not supported: it is one of the layer around it");
      return {};
    }
    addLoss(regularization(y, regularizer));
  }
  return outputs;
}

// ---- models

namespace {

using AllValues = std::vector<std::vector<LayerOutputs>>;  // [layer][call]

/// What a call reads, with its masks.
struct Read {
  std::vector<Value> values, masks;

  /// False where a layer has no such output.
  bool add(const AllValues& all, Topology::TensorRef ref) {
    const LayerOutputs& from = all[ref.layer][ref.node];
    size_t tensor = static_cast<size_t>(ref.tensor);
    if (tensor >= from.values.size()) return false;
    values.push_back(from.values[tensor]);
    masks.push_back(tensor < from.masks.size() ? from.masks[tensor] : Value{});
    return true;
  }
};

/// An input of an inner model, as that has described it.
Value asDescribed(Value x, const Type& wanted) {
  const Shape &have = x.shape(), &want = wanted.shape;
  bool fits = have.rank() == want.rank();
  for (int i = 1; fits && i < want.rank(); ++i) fits = want[i] < 0 || have[i] == want[i];
  if (fits) return cast(x, wanted.dtype);
  x.graph->fail(cat("the model takes ", wanted, ", got ", x.type()));
  return {};
}

}  // namespace

LayerOutputs ModuleCall::run(const Topology& t, const LayerInputs& inputs, bool isOuter) {
  if (inputs.size() != t.inputs.size()) {
    graph_.fail(cat("the model has ", t.inputs.size(), " inputs, got ", inputs.size()));
    return {};
  }
  AllValues all;
  for (const Topology::Layer& layer : t.layers) all.emplace_back(layer.calls.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    Value x = asDescribed(inputs[i], t.inputType(i));
    if (!x) return {};
    all[t.inputs[i].layer] = {LayerOutputs{{x}, {inputs.mask(i)}}};
  }
  auto read = [&](std::span<const Topology::TensorRef> refs, Read& into) {
    for (Topology::TensorRef ref : refs) {
      if (into.add(all, ref)) continue;
      graph_.fail(cat("a connection takes output number ", ref.tensor, " of the layer ",
                      t.layers[ref.layer].name, ", which has ",
                      all[ref.layer][ref.node].values.size(), ", counted from 0"));
      return false;
    }
    return true;
  };
  for (Topology::TensorRef ref : t.order) {
    const Topology::Layer& layer = t.layers[ref.layer];
    const Topology::Call& how = layer.calls[ref.node];
    Read from;
    if (!read(how.inputs, from)) return {};
    Graph::Scope scope(graph_, layer.name);
    bool before = std::exchange(training, how.training.value_or(training));
    int made = module_.weights_.size();
    LayerOutputs outputs = call(layer, {from.values, from.masks}, how.arguments);
    training = before;
    if (!outputs) return {};
    if (isOuter && options_.makes) note(ref, outputs, made);
    if (isOuter && options_.compares) compare(outputs);
    all[ref.layer][ref.node] = std::move(outputs);
  }
  Read results;
  if (!read(t.outputs, results)) return {};
  return {std::move(results.values), std::move(results.masks)};
}

/// Notes a call for the module, with the weights that are new since there were so many.
void ModuleCall::note(Topology::TensorRef ref, const LayerOutputs& outputs, int weightsBefore) {
  Module::CallInfo info{.call = ref};
  for (int i = weightsBefore; i < module_.weights_.size(); ++i)
    info.parameters += module_.weights_[i].value.size();
  for (Value y : outputs.values) {
    info.outputs.push_back(y.type());
    if (y.shape().rank() > 0) info.outputs.back().shape[0] = -1;
  }
  module_.calls_.push_back(std::move(info));
}

void ModuleCall::compare(const LayerOutputs& outputs) {
  Module::CallInfo& info = module_.calls_[compared_++];
  for (size_t i = 0; i < outputs.values.size(); ++i)
    openWhereOther(info.outputs[i].shape, outputs.values[i].shape());
}

// ---- one layer alone

namespace {

/// Weights are graph inputs that nobody binds: only shapes are wanted.
class ShapeCall : public ModuleCall {
 public:
  ShapeCall(Module& module, Graph& graph) : ModuleCall(module, graph, {}), graph_(graph) {}
  Value weight(std::string_view, const Shape& shape, const Json&, bool, const Json&,
               const Json&) override {
    return graph_.input({DType::kF32, shape});
  }
  Value state(std::string_view, const Shape& shape, const Json&) override {
    return graph_.input({DType::kF32, shape});
  }

 private:
  Graph& graph_;
};

/// What the layer gives for one sample, where what is open has this size.
Result<std::vector<Type>> inferFor(const LayerRow& row, const Json& config,
                                   std::span<const Type> inputs, const Json& arguments,
                                   int32_t open) {
  Graph graph;
  struct Nothing : Module {
  } nothing;
  ShapeCall context(nothing, graph);
  std::vector<Value> in;
  for (Type type : inputs) {
    if (type.shape.rank() > 0) type.shape[0] = 1;
    if (open) std::ranges::replace(type.shape, -1, open);
    in.push_back(graph.input(type));
  }
  std::string name = stringOr(config, "name", "");
  Graph::Scope scope(graph, name.empty() ? row.className : name);
  LayerOutputs outputs = callLayer(row, context, config, {in}, arguments);
  FJORD_CHECK(graph.status());
  if (!outputs) return fail(row.className, ": no output");
  std::vector<Type> types;
  for (Value y : outputs.values) {
    types.push_back(y.type());
    if (y.shape().rank() > 0) types.back().shape[0] = -1;
  }
  return types;
}

bool hasOpenSizes(const Type& type) {
  return type.shape.rank() > 0 &&
         std::find(type.shape.begin() + 1, type.shape.end(), -1) != type.shape.end();
}

}  // namespace

Result<std::vector<Type>> inferLayer(std::string_view className, const Json& config,
                                     std::span<const Type> inputs, const Json& arguments) {
  const LayerRow* row = findLayer(className);
  if (!row) return unknownLayer(className);
  if (inputs.empty()) return fail("a layer needs an input");
  if (std::ranges::none_of(inputs, hasOpenSizes))
    return inferFor(*row, config, inputs, arguments, 0);
  Result<std::vector<Type>> first = fail("");
  for (auto [size, other] : kOpenTrials) {
    Result<std::vector<Type>> types = inferFor(*row, config, inputs, arguments, size);
    if (types) {
      FJORD_TRY(std::vector<Type> others, inferFor(*row, config, inputs, arguments, other));
      for (size_t i = 0; i < types->size(); ++i) openWhereOther((*types)[i].shape, others[i].shape);
      return types;
    }
    if (first.error().message.empty()) first = std::move(types);
  }
  return first;
}

}  // namespace fjord
