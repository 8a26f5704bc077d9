#include "nn/builder.h"

#include <algorithm>
#include <deque>

#include "base/parts.h"
#include "nn/optimizers.h"
#include "nn/traced.h"

namespace fjord {

std::vector<Value> Model::Builder::forward() {
  data_ = inputsOf(graph, inputs_);
  LayerOutputs outputs = call_.run({data_});
  isMasked_ = std::ranges::any_of(outputs.masks, [](Value mask) { return bool(mask); });
  return outputs.values;
}

// ---- loss, metrics, updates

/// The part of an option that concerns one output: lists go by position, objects by the output
/// layer's name.
Json Model::Builder::forOutput(const char* key, size_t output) const {
  const Json& option = member(model_.compiled_, key);
  const std::string& name = model_.outputName(output);
  bool isDescription =
      option.is_object() && (option.contains("class_name") || option.contains("config"));
  if (option.is_object() && !isDescription) return member(option, name.c_str());
  bool nested =
      option.is_array() && std::ranges::any_of(option, [](const Json& j) { return j.is_array(); });
  bool perOutput = option.is_array() && (key != std::string_view("metrics") || nested);
  if (perOutput) return output < option.size() ? option[output] : Json();
  return option;
}

void Model::Builder::addMetrics(const Json& metrics, const Json& loss, Value y, Value p,
                                const std::string& prefix) {
  Json list = metrics.is_array()  ? metrics
              : metrics.is_null() ? Json::array()
                                  : Json::array({metrics});
  for (const Json& metric : list) {
    // A function's name comes with the call.
    Graph::Scope scope(graph, tracedNumber(metric) ? "metric" : cat("metric ", metricName(metric)));
    logged_.push_back(
        {prefix + metricName(metric), metricSums(metric, loss, y, p), fjord::betterOf(metric)});
  }
}

int32_t rowLength(const Tensor& labels) {
  return labels.shape().rank() > 1 ? labels.shape()[1] : 1;
}

void Model::Builder::addLoss(const std::vector<Value>& outputs) {
  if (isMasked_)
    return graph.fail("an output has a mask, and losses and metrics by masks are not supported");
  std::vector<Value> labels;
  for (size_t i = 0; i < outputs.size(); ++i) {
    Json loss = forOutput("loss", i);
    Type type = outputs[i].type();
    // Class numbers stand where the scores of the classes would.
    labels_.push_back(labelKind(loss, type.shape));
    if (labels_.back().classes) type.shape.values[--type.shape.count] = 0;
    if (labels_.back().isSequence) type.shape[-1] = i < given_.size() ? rowLength(given_[i]) : 1;
    labels.push_back(graph.input(type));
    data_.push_back(labels.back());
  }
  std::vector<Value> weights;
  for (size_t i = 0; i < outputs.size(); ++i) {
    weights.push_back(graph.input({DType::kF32, {samples_}}));
    data_.push_back(weights.back());
  }
  auto prefix = [&](size_t i) { return outputs.size() > 1 ? model_.outputName(i) + "_" : ""; };
  for (size_t i = 0; i < outputs.size(); ++i) {
    Json loss = forOutput("loss", i);
    Graph::Scope scope(graph, "loss");
    Value one = batchLoss(loss, labels[i], outputs[i], weights[i]);
    if (!one) return;
    if (outputs.size() > 1) {
      double samples = samples_;
      logged_.push_back(
          {prefix(i) + "loss", ratio(one * samples, constant(graph, samples)), Better::kSmaller});
    }
    Json factor = forOutput("loss_weights", i);
    if (factor.is_number()) one = one * factor.get<double>();
    loss_ = loss_ ? loss_ + one : one;
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    addMetrics(forOutput("metrics", i), forOutput("loss", i), labels[i], outputs[i], prefix(i));
  }
  for (auto& [index, input] : call_.weights.used) {
    const Weight& w = model_.weights_[index];
    Value extra = trains(w) ? regularization(call_.current(input), w.regularizer) : Value{};
    if (extra) loss_ = loss_ + extra;
  }
  for (Value extra : call_.activityLosses) loss_ = loss_ + extra;
}

/// An optimizer's view of one weight.
class Model::Builder::Update : public UpdateContext {
 public:
  /// Of no weight.
  Update(Builder& builder, std::string_view of) : builder_(builder) { name = of; }
  Update(Builder& builder, const Weight& w, Value x, Value dx) : Update(builder, w.name) {
    weight = x;
    gradient = dx;
    changesRows = !builder.model_.gpu_;
  }
  Value slot(std::string_view slot, const Shape& shape, double start) override {
    return builder_.slot(cat(name, "/", slot), shape, start);
  }
  void assign(Value slot, Value value) override { builder_.call_.updates.push_back({slot, value}); }

 private:
  Builder& builder_;
};

Value Model::Builder::slot(const std::string& name, const Shape& shape, double start) {
  int index = model_.slots_.numberOf(name);
  if (index == model_.slots_.size()) {
    Result<Tensor> value = Tensor::zeros({DType::kF32, shape});
    if (!value) {
      graph.fail(value.error().message);
      return {};
    }
    std::ranges::fill(value->span<float>(), static_cast<float>(start));
    model_.slots_.add({name, std::move(*value), false, nullptr, nullptr});
  } else if (const Shape& has = model_.slots_[index].value.shape(); has != shape) {
    graph.fail(
        cat("the optimizer's state ", name, " has the shape ", has, ", ", shape, " is needed"));
    return {};
  }
  if (Value input = slotInputs_.of(index)) return input;
  return slotInputs_.use(index, graph.input({DType::kF32, shape}));
}

void Model::Builder::addUpdates() {
  const Optimizer& optimizer = *model_.optimizer_;
  rate_ = graph.input({DType::kF32, {}});
  step_ = graph.input({DType::kF32, {}});
  std::vector<int> indices;
  std::vector<Value> xs, inputs;
  std::vector<bool> sources = ancestors(loss_);
  bool trainsAny = false;
  for (auto& [index, input] : call_.weights.used) {
    // What the loss does not depend on stays as it is.
    trainsAny = trainsAny || trains(model_.weights_[index]);
    Value x = call_.current(input);
    bool isUsed = x.id < static_cast<int32_t>(sources.size()) && sources[x.id];
    if (!isUsed || !trains(model_.weights_[index])) {
      if (x != input) call_.updates.push_back({input, x});
      continue;
    }
    indices.push_back(index);
    xs.push_back(x);
    inputs.push_back(input);
  }
  if (trainsAny && xs.empty())
    return graph.fail("the loss depends on none of the weights that are trained");
  std::vector<Value> gradients = grad(loss_, xs);
  if (!graph.status()) return;
  std::deque<Update> updates;
  std::vector<UpdateContext*> contexts;
  for (size_t i = 0; i < xs.size(); ++i)
    contexts.push_back(
        &updates.emplace_back(*this, model_.weights_[indices[i]], xs[i], gradients[i]));
  Update whole(*this, "loss_scale");
  std::vector<Value> next = optimizer.update(contexts, whole, rate_, step_);
  for (size_t i = 0; i < next.size(); ++i) {
    const Weight& w = model_.weights_[indices[i]];
    Graph::Scope scope(graph, w.name);
    graph.assign(inputs[i], constrained(next[i], w.constraint));
  }
}

/// State that layers and the optimizer have changed.
void Model::Builder::assignUpdates() {
  for (auto& [target, value] : call_.updates) graph.assign(target, value);
}

void Model::Builder::describeLogs() {
  model_.metrics_.clear();
  size_t first = 0;
  for (auto at = logged_.begin(); at != logged_.end(); ++at) {
    size_t count = 0;
    for (Value v : at->metric.sums) count += static_cast<size_t>(v.shape().size());
    // As in TensorFlow.js: where several have one name, as the losses of a layer that is two outputs, each gets
    // a number.
    bool isAlone = std::ranges::count(logged_, at->name, &Logged::name) == 1;
    auto before = std::ranges::count(logged_.begin(), at, at->name, &Logged::name);
    model_.metrics_.push_back({isAlone ? at->name : cat(at->name, "_", before), first, count,
                               at->metric.value, at->better});
    first += count;
  }
  model_.labels_ = labels_;
}

Status Model::Builder::build(Mode mode) {
  std::vector<Value> outputs = forward();
  if (!kTrains || mode == kPredict) {
    for (Value y : outputs) graph.output(y);
    if (graph.status()) assignUpdates();
    return graph.status();
  }
  if (graph.status()) addLoss(outputs);
  if (graph.status() && mode == kTrain) addUpdates();
  if (graph.status()) assignUpdates();
  if (loss_) graph.output(loss_);
  for (const Logged& one : logged_) {
    for (Value v : one.metric.sums) graph.output(v);
  }
  return graph.status();
}

/// That outputs count samples was found with one number of them: with another they have to, too.
Status Model::Builder::checkOutputs(std::span<const Type> types) const {
  for (size_t i = 0; i < types.size(); ++i) {
    const Shape& shape = types[i].shape;
    if (model_.bySample_[i] && (shape.rank() == 0 || shape[0] != samples_))
      return fail("the output ", model_.outputName(i), " has the shape ", shape, " for ", samples_,
                  " samples, and had the shape of samples before");
  }
  return {};
}

Result<Plan> Model::Builder::plan() const {
  if (kHasShaders && model_.gpu_) return fjord::compile(graph, model_.gpu_->planOptions());
  return fjord::compile(graph, {.threads = model_.threads_.count(),
                                .winograd = model_.winograd_,
                                .updatesLast = model_.updatesLast_});
}

Result<std::unique_ptr<Model::Program>> Model::Builder::finish(Mode mode) {
  FJORD_TRY(Plan plan, this->plan());
  auto p = std::make_unique<Program>();
  p->mode = mode;
  p->batch = samples_;
  p->serial = ++model_.programsMade_;
  if (kHasShaders && model_.gpu_) {
    FJORD_TRY(p->gpu, gpuProgram(plan, *model_.gpu_));
    for (const Type& t : plan.inputs) p->gpuInputs.push_back({.bytes = t.bytes()});
  } else {
    FJORD_TRY(Executor executor, Executor::make(std::move(plan), model_.threads_));
    p->executor = std::move(executor);
  }
  auto indexOf = [&](Value input) { return graph.node(input).attrs.as<InputAttrs>().index; };
  for (Value v : data_) {
    FJORD_TRY(Tensor t, Tensor::zeros(v.type()));
    p->numbers.push_back(indexOf(v));
    p->inputs.push_back(std::move(t));
  }
  for (auto& [index, input] : call_.weights.used) {
    p->bindInput(indexOf(input), model_.weights_[index].value.view().data);
    if (model_.gpu_) p->gpuInputs[indexOf(input)].setKind(GpuInput::kWeight, index);
  }
  for (auto& [index, input] : slotInputs_.used) {
    p->bindInput(indexOf(input), model_.slots_[index].value.view().data);
    if (model_.gpu_) p->gpuInputs[indexOf(input)].setKind(GpuInput::kSlot, index);
  }
  for (auto& [name, input] : call_.keptStates) {
    FJORD_TRY(int number, model_.keptState(name, input.shape()));
    p->states.push_back(number);
    p->bindInput(indexOf(input), model_.keptStates_[number].value.view().data);
    if (model_.gpu_) p->gpuInputs[indexOf(input)].setKind(GpuInput::kState, number);
  }
  if (rate_) p->bindInput(indexOf(rate_), &p->scalars[0]);
  if (step_) p->bindInput(indexOf(step_), &p->scalars[1]);
  if (call_.random) p->bindInput(indexOf(call_.random), p->state);
  if (mode == kPredict) {
    for (int32_t y : graph.outputs()) p->outputs.push_back(graph.nodes()[y].type);
    FJORD_CHECK(checkOutputs(p->outputs));
  }
  if (loss_) {
    std::vector<size_t> begins;
    size_t count = 0;
    for (int32_t id : graph.outputs()) {
      begins.push_back(count);
      count += static_cast<size_t>(graph.nodes()[id].type.shape.size());
    }
    p->results.resize(count);
    for (size_t i = 0; i < begins.size() && p->executor; ++i)
      p->executor->bindOutput(static_cast<int>(i), &p->results[begins[i]]);
  }
  return p;
}

}  // namespace fjord
