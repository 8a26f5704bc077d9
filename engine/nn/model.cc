#include "nn/model.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "nn/losses.h"
#include "nn/optimizers.h"

namespace fjord {

// ---- one plan

/// The plan of one mode for one size of batch, and the memory that its inputs are copied to.
struct Model::Program {
  Mode mode;
  int32_t batch;
  Executor executor;
  std::vector<Tensor> inputs;  // x, y, sample weights: what a step copies
  float scalars[2] = {};       // learning rate, step
  int32_t state[4] = {};       // of the random ops
  std::vector<float> results;  // loss, then numerator and denominator of each metric
};

// ---- building

/// Builds the graph of a model in one mode.
class Model::Builder : public LayerContext {
 public:
  Builder(Model& model, Mode mode, int32_t batch) : model_(model), batch_(batch) {
    training = mode == kTrain;
  }

  Value weight(std::string_view name, const Shape& shape, const Json& initializer, bool trainable,
               const Json& regularizer, const Json& constraint) override;
  void update(Value weight, Value value) override { updates_.push_back({weight, value}); }
  Value randomState() override {
    if (!state_) state_ = graph.input({DType::kI32, {4}});
    return state_;
  }

  std::vector<Value> forward();
  void addLoss(const std::vector<Value>& outputs);
  void addUpdates();
  Result<std::unique_ptr<Program>> finish(Mode mode);

  Graph graph;
  std::vector<std::string> summary;

 private:
  /// What a graph input is bound to.
  struct Bound {
    Value input;
    Tensor tensor;
  };
  class Update;

  Value call(Topology::TensorRef ref);
  Value slot(const std::string& name, const Shape& shape, double start);
  Json forOutput(const char* key, size_t output) const;
  void addMetrics(const Json& metrics, const Json& loss, Value y, Value p,
                  const std::string& prefix);

  Model& model_;
  int32_t batch_;
  std::vector<std::vector<Value>> values_;  // [layer][call]
  std::string layer_;
  std::vector<Value> data_;  // x, y, sample weights
  std::vector<std::pair<int, Value>> weightInputs_, slotInputs_;
  std::vector<std::pair<Value, Value>> updates_;
  std::vector<Value> activityLosses_;
  std::vector<MetricParts> metrics_;
  std::vector<std::string> metricNames_;
  Value state_, rate_, step_, loss_;
};

Value Model::Builder::weight(std::string_view name, const Shape& shape, const Json& initializer,
                             bool trainable, const Json& regularizer, const Json& constraint) {
  std::string full = cat(layer_, "/", name);
  auto known = std::ranges::find(model_.weights_, full, &Weight::name);
  int index = static_cast<int>(known - model_.weights_.begin());
  if (known == model_.weights_.end()) {
    // Seeds of neighbours must not be neighbours of seeds: the index is the upper half of Philox's
    // key.
    Result<Tensor> value =
        initialize(initializer, shape, (static_cast<uint64_t>(index) << 32) ^ model_.seed_);
    if (!value) {
      graph.fail(value.error().message);
      return {};
    }
    model_.weights_.push_back({full, std::move(*value), trainable, regularizer, constraint});
  } else if (known->value.shape() != shape) {
    graph.fail(cat("the weight ", full, " has the shape ", known->value.shape(), ", ", shape,
                   " is needed now"));
    return {};
  }
  for (auto& [i, input] : weightInputs_) {
    if (i == index) return input;
  }
  Value input = graph.input({DType::kF32, shape});
  weightInputs_.push_back({index, input});
  return input;
}

Value Model::Builder::call(Topology::TensorRef ref) {
  Topology::Layer& layer = model_.topology_.layers[ref.layer];
  if (ref.node < 0 || ref.node >= static_cast<int>(layer.calls.size())) {
    graph.fail(cat("layer ", layer.name, " has no call number ", ref.node));
    return {};
  }
  std::vector<Value>& values = values_[ref.layer];
  if (values.empty()) values.resize(layer.calls.size());
  if (values[ref.node]) return values[ref.node];
  std::vector<Value> inputs;
  for (Topology::TensorRef from : layer.calls[ref.node]) {
    if (from.layer == ref.layer) {
      graph.fail(cat("layer ", layer.name, " is connected to itself"));
      return {};
    }
    inputs.push_back(call(from));
    if (!inputs.back()) return {};
  }
  Graph::Scope scope(graph, layer.name);
  if (!layer.row) {
    graph.fail("the input is not among the model's inputs");
    return {};
  }
  size_t needed = layer.row->inputs == 0 ? 1 : layer.row->inputs;
  if (inputs.size() < needed || (layer.row->inputs > 0 && inputs.size() != needed)) {
    graph.fail(cat("takes ", layer.row->inputs == 0 ? "at least " : "", needed, " inputs, got ",
                   inputs.size()));
    return {};
  }
  layer_ = layer.name;
  size_t before = model_.weights_.size();
  Value y = layer.row->build(*this, layer.config, inputs);
  if (y) {
    // Unlike those of weights, regularizers of outputs count by sample.
    Value extra = regularization(y, member(layer.config, "activity_regularizer"));
    if (extra) activityLosses_.push_back(extra / static_cast<double>(batch_));
    int64_t parameters = 0;
    for (size_t i = before; i < model_.weights_.size(); ++i) {
      parameters += model_.weights_[i].value.size();
      if (!boolOr(layer.config, "trainable", true)) model_.weights_[i].trainable = false;
    }
    Shape shape = y.shape();
    if (shape.rank() > 0) shape[0] = -1;
    summary.push_back(cat(layer.name, "\t", layer.className, "\t", shape, "\t", parameters));
  }
  values[ref.node] = y;
  return y;
}

std::vector<Value> Model::Builder::forward() {
  values_.resize(model_.topology_.layers.size());
  for (Topology::TensorRef ref : model_.topology_.inputs) {
    Topology::Layer& layer = model_.topology_.layers[ref.layer];
    Type type = layer.input;
    type.shape[0] = batch_;
    Value x = graph.input(type);
    data_.push_back(x);
    values_[ref.layer] = {x};
  }
  // In the order of the description, which is the order of Keras's lists of weights.
  const auto& layers = model_.topology_.layers;
  for (int i = 0; i < static_cast<int>(layers.size()); ++i) {
    for (int node = 0; layers[i].row && node < static_cast<int>(layers[i].calls.size()); ++node)
      if (!call({i, node})) return {};
  }
  std::vector<Value> outputs;
  for (Topology::TensorRef ref : model_.topology_.outputs) outputs.push_back(call(ref));
  return outputs;
}

// ---- loss, metrics, updates

/// The part of an option that concerns one output: lists go by position, objects by the output
/// layer's name.
Json Model::Builder::forOutput(const char* key, size_t output) const {
  const Json& option = member(model_.compiled_, key);
  const auto& outputs = model_.topology_.outputs;
  const std::string& name = model_.topology_.layers[outputs[output].layer].name;
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
    Graph::Scope scope(graph, cat("metric ", metricName(metric)));
    metrics_.push_back(metricParts(metric, loss, y, p));
    metricNames_.push_back(prefix + metricName(metric));
  }
}

void Model::Builder::addLoss(const std::vector<Value>& outputs) {
  std::vector<Value> labels;
  for (size_t i = 0; i < outputs.size(); ++i) {
    Json loss = forOutput("loss", i);
    Type type = outputs[i].type();
    // Class numbers stand where the scores of the classes would.
    if (takesClassNumbers(loss) && type.shape.rank() > 1) type.shape.values[--type.shape.count] = 0;
    labels.push_back(graph.input(type));
    data_.push_back(labels.back());
  }
  Value weights = graph.input({DType::kF32, {batch_}});
  data_.push_back(weights);
  auto prefix = [&](size_t i) {
    const auto& layer = model_.topology_.layers[model_.topology_.outputs[i].layer];
    return outputs.size() > 1 ? layer.name + "_" : "";
  };
  for (size_t i = 0; i < outputs.size(); ++i) {
    Json loss = forOutput("loss", i);
    Graph::Scope scope(graph, "loss");
    Value one = reducedLoss(loss, lossPerSample(loss, labels[i], outputs[i]), weights);
    if (!one) return;
    if (outputs.size() > 1) {
      double samples = batch_;
      metrics_.push_back({one * samples, constant(graph, samples)});
      metricNames_.push_back(prefix(i) + "loss");
    }
    Json factor = forOutput("loss_weights", i);
    if (factor.is_number()) one = one * factor.get<double>();
    loss_ = loss_ ? loss_ + one : one;
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    addMetrics(forOutput("metrics", i), forOutput("loss", i), labels[i], outputs[i], prefix(i));
  }
  for (auto& [index, input] : weightInputs_) {
    const Weight& w = model_.weights_[index];
    Value extra = w.trainable ? regularization(input, w.regularizer) : Value{};
    if (extra) loss_ = loss_ + extra;
  }
  for (Value extra : activityLosses_) loss_ = loss_ + extra;
}

/// An optimizer's view of one weight.
class Model::Builder::Update : public UpdateContext {
 public:
  Update(Builder& builder, const std::string& name) : builder_(builder), name_(name) {}
  Value slot(std::string_view name, double start) override {
    return builder_.slot(cat(name_, "/", name), weight.shape(), start);
  }
  void setSlot(std::string_view name, Value value) override {
    builder_.updates_.push_back({slot(name, 0), value});
  }

 private:
  Builder& builder_;
  const std::string& name_;
};

Value Model::Builder::slot(const std::string& name, const Shape& shape, double start) {
  auto known = std::ranges::find(model_.slots_, name, &Weight::name);
  int index = static_cast<int>(known - model_.slots_.begin());
  if (known == model_.slots_.end()) {
    Result<Tensor> value = Tensor::zeros({DType::kF32, shape});
    if (!value) {
      graph.fail(value.error().message);
      return {};
    }
    std::ranges::fill(value->span<float>(), static_cast<float>(start));
    model_.slots_.push_back({name, std::move(*value), false, nullptr, nullptr});
  } else if (known->value.shape() != shape) {
    graph.fail(cat("the optimizer's state ", name, " has the shape ", known->value.shape(), ", ",
                   shape, " is needed"));
    return {};
  }
  for (auto& [i, input] : slotInputs_) {
    if (i == index) return input;
  }
  Value input = graph.input({DType::kF32, shape});
  slotInputs_.push_back({index, input});
  return input;
}

void Model::Builder::addUpdates() {
  std::optional<Choice> choice = choiceOf(member(model_.compiled_, "optimizer"));
  Result<const OptimizerRow*> row = findOptimizer(choice ? choice->name : "");
  if (!row) return graph.fail(row.error().message);
  rate_ = graph.input({DType::kF32, {}});
  step_ = graph.input({DType::kF32, {}});
  std::vector<int> indices;
  std::vector<Value> xs;
  for (auto& [index, input] : weightInputs_) {
    if (!model_.weights_[index].trainable) continue;
    indices.push_back(index);
    xs.push_back(input);
  }
  std::vector<Value> gradients = grad(loss_, xs);
  if (!graph.status()) return;
  clipGradients(choice->config, gradients);
  bool decaysByDefault = (*row)->name == "adamw";
  double decay = numberOr(choice->config, "weight_decay", decaysByDefault ? 0.004 : 0);
  for (size_t i = 0; i < xs.size(); ++i) {
    const Weight& w = model_.weights_[indices[i]];
    Graph::Scope scope(graph, w.name);
    std::string name = w.name;
    Update update(*this, name);
    update.weight = decay == 0 ? xs[i] : xs[i] - xs[i] * rate_ * decay;
    update.gradient = gradients[i];
    update.rate = rate_;
    update.step = step_;
    Value next = (*row)->update(update, choice->config);
    graph.assign(xs[i], constrained(next, w.constraint));
  }
  for (auto& [target, value] : updates_) graph.assign(target, value);
}

Result<std::unique_ptr<Model::Program>> Model::Builder::finish(Mode mode) {
  if (loss_) {
    graph.output(loss_);
    for (const MetricParts& m : metrics_) {
      graph.output(m.numerator);
      graph.output(m.denominator);
    }
  }
  FJORD_TRY(Plan plan, fjord::compile(graph, {.threads = model_.threads_.count()}));
  FJORD_TRY(Executor executor, Executor::make(std::move(plan), model_.threads_));
  auto p = std::make_unique<Program>(Program{mode, batch_, std::move(executor), {}, {}, {}, {}});
  auto indexOf = [&](Value input) { return graph.node(input).attrs.as<InputAttrs>().index; };
  for (Value v : data_) {
    FJORD_TRY(Tensor t, Tensor::zeros(v.type()));
    p->executor.bindInput(indexOf(v), t.view().data);
    p->inputs.push_back(std::move(t));
  }
  for (auto& [index, input] : weightInputs_)
    p->executor.bindInput(indexOf(input), model_.weights_[index].value.view().data);
  for (auto& [index, input] : slotInputs_)
    p->executor.bindInput(indexOf(input), model_.slots_[index].value.view().data);
  if (rate_) p->executor.bindInput(indexOf(rate_), &p->scalars[0]);
  if (step_) p->executor.bindInput(indexOf(step_), &p->scalars[1]);
  if (state_) p->executor.bindInput(indexOf(state_), p->state);
  if (loss_) {
    p->results.resize(graph.outputs().size());
    for (size_t i = 0; i < p->results.size(); ++i)
      p->executor.bindOutput(static_cast<int>(i), &p->results[i]);
    model_.metricNames_ = metricNames_;
    model_.metricRoots_.clear();
    for (const MetricParts& m : metrics_) model_.metricRoots_.push_back(m.squareRoot);
  }
  return p;
}

// ---- the model

Model::Model(Threads& threads, Json json, Topology topology, uint64_t seed)
    : threads_(threads), json_(std::move(json)), topology_(std::move(topology)), seed_(seed) {}
Model::~Model() = default;

Result<std::unique_ptr<Model>> Model::fromJson(const Json& json, Threads& threads,
                                               const ModelOptions& options) {
  FJORD_TRY(Topology topology, Topology::fromJson(json));
  std::unique_ptr<Model> model(new Model(threads, json, std::move(topology), options.seed));
  // One sample through the layers makes the weights and finds every error of shape.
  Builder builder(*model, kPredict, 1);
  for (Value y : builder.forward()) {
    FJORD_CHECK(builder.graph.status());
    Type type = y.type();
    if (type.shape.rank() > 0) type.shape[0] = -1;
    model->outputTypes_.push_back(type);
  }
  FJORD_CHECK(builder.graph.status());
  model->layerRows_ = std::move(builder.summary);
  return model;
}

namespace {

/// What Keras would do and a step here does not is an error, not another result.
Status refuseWhatIsNotDone(const Json& options) {
  const Json& optimizer = member(member(options, "optimizer"), "config");
  if (boolOr(optimizer, "use_ema", false) ||
      intOr(optimizer, "gradient_accumulation_steps", 1) > 1) {
    return fail("compile: use_ema and gradient_accumulation_steps are not supported");
  }
  const Json& weighted = member(options, "weighted_metrics");
  if (!weighted.is_null() && !weighted.empty())
    return fail("compile: weighted_metrics are not supported: use metrics");
  return {};
}

}  // namespace

Status Model::compile(const Json& options) {
  FJORD_CHECK(refuseWhatIsNotDone(options));
  Json before = std::move(compiled_);
  compiled_ = options;
  if (member(options, "loss").is_null()) {
    compiled_ = std::move(before);
    return fail("compile: a loss is needed");
  }
  std::optional<Choice> optimizer = choiceOf(member(options, "optimizer"));
  Result<const OptimizerRow*> row = findOptimizer(optimizer ? optimizer->name : "");
  Result<double> rate = optimizer ? learningRate(optimizer->config, 0.001, 0) : Result<double>(0.0);
  // Building the smallest training step finds what is wrong now and not in the middle of fit.
  std::vector<Weight> slots = std::exchange(slots_, {});
  Builder builder(*this, kTrain, 1);
  if (row && rate) {
    std::vector<Value> outputs = builder.forward();
    if (builder.graph.status()) builder.addLoss(outputs);
    if (builder.graph.status()) builder.addUpdates();
  }
  Status status = builder.graph.status();
  if (!row) status = std::unexpected(row.error());
  if (!rate) status = std::unexpected(rate.error());
  if (!status) {
    compiled_ = std::move(before);
    slots_ = std::move(slots);
    return status;
  }
  slots_.clear();
  programs_.clear();
  step_ = 0;
  rate_ = -1;
  return {};
}

void Model::setSlot(std::string name, Tensor value) {
  auto known = std::ranges::find(slots_, name, &Weight::name);
  if (known == slots_.end()) {
    slots_.push_back({std::move(name), std::move(value), false, nullptr, nullptr});
  } else {
    known->value = std::move(value);
    // Plans are bound to the memory of the old value.
    programs_.clear();
  }
}

double Model::rate() const {
  if (rate_ >= 0) return rate_;
  std::optional<Choice> choice = choiceOf(member(compiled_, "optimizer"));
  Result<const OptimizerRow*> row = findOptimizer(choice ? choice->name : "");
  if (!row) return 0;
  return learningRate(choice->config, (*row)->rate, step_).value_or(0);
}

Result<Model::Program*> Model::program(Mode mode, int32_t batch) {
  for (auto& p : programs_) {
    if (p->mode == mode && p->batch == batch) return p.get();
  }
  Builder builder(*this, mode, batch);
  std::vector<Value> outputs = builder.forward();
  if (mode == kPredict) {
    for (Value y : outputs) builder.graph.output(y);
  } else {
    if (builder.graph.status()) builder.addLoss(outputs);
    if (builder.graph.status() && mode == kTrain) builder.addUpdates();
  }
  FJORD_CHECK(builder.graph.status());
  // Data sets end in a smaller batch and are tested in another: a few sizes recur, more would only
  // hold memory.
  constexpr size_t kMaxPrograms = 8;
  if (programs_.size() == kMaxPrograms) programs_.erase(programs_.begin());
  FJORD_TRY(auto made, builder.finish(mode));
  programs_.push_back(std::move(made));
  return programs_.back().get();
}

namespace {

/// Rows of `from` (all, where rows is empty) into `to`; float32 to int32 and back where they
/// differ.
void copyRows(const Tensor& from, std::span<const int32_t> rows, const Tensor& to) {
  int64_t count = to.shape()[0], row = to.size() / std::max<int64_t>(1, count);
  for (int64_t i = 0; i < count; ++i) {
    int64_t at = rows.empty() ? i : rows[i];
    const uint32_t* source = from.data<uint32_t>() + at * row;
    uint32_t* target = to.data<uint32_t>() + i * row;
    bool toFloat = to.dtype() == DType::kF32 && from.dtype() != DType::kF32;
    bool toInt = to.dtype() != DType::kF32 && from.dtype() == DType::kF32;
    if (toFloat) {
      for (int64_t k = 0; k < row; ++k)
        reinterpret_cast<float*>(target)[k] = static_cast<float>(static_cast<int32_t>(source[k]));
    } else if (toInt) {
      for (int64_t k = 0; k < row; ++k) {
        target[k] =
            static_cast<uint32_t>(static_cast<int32_t>(reinterpret_cast<const float*>(source)[k]));
      }
    } else {
      std::memcpy(target, source, static_cast<size_t>(row) * 4);
    }
  }
}

/// A shape with the batch taken away, trailing ones dropped where the other side has none: labels
/// [n, 1] serve as [n].
int64_t rowSize(const Shape& s) {
  int64_t n = 1;
  for (int i = 1; i < s.rank(); ++i) n *= s[i];
  return n;
}

}  // namespace

Status Model::run(Mode mode, const Batch& batch, Totals& totals) {
  if (mode == kPredict) return fail("run: use predict");
  if (!isCompiled())
    return fail("the model is not compiled: call compile with an optimizer and a loss first");
  if (batch.x.size() != topology_.inputs.size() || batch.y.size() != topology_.outputs.size()) {
    return fail("the model has ", topology_.inputs.size(), " inputs and ", topology_.outputs.size(),
                " outputs, got ", batch.x.size(), " arrays of samples and ", batch.y.size(),
                " of labels");
  }
  int32_t samples = batch.rows.empty() ? (batch.x[0].shape().rank() ? batch.x[0].shape()[0] : 0)
                                       : static_cast<int32_t>(batch.rows.size());
  if (samples < 1) return fail("a batch needs at least one sample");
  FJORD_TRY(Program * p, program(mode, samples));
  std::vector<const Tensor*> given;
  for (const Tensor& t : batch.x) given.push_back(&t);
  for (const Tensor& t : batch.y) given.push_back(&t);
  for (size_t i = 0; i < given.size(); ++i) {
    const Shape &have = given[i]->shape(), &want = p->inputs[i].shape();
    int32_t available = have.rank() ? have[0] : 0;
    bool fits = batch.rows.empty() ? available == samples : true;
    for (int32_t row : batch.rows) fits = fits && row >= 0 && row < available;
    if (!fits || rowSize(have) != rowSize(want)) {
      bool isX = i < batch.x.size();
      return fail(isX ? "input " : "labels ", isX ? i : i - batch.x.size(),
                  ": got an array of shape ", have, ", the model wants ", want);
    }
    copyRows(*given[i], batch.rows, p->inputs[i]);
  }
  Tensor& weights = p->inputs.back();
  if (batch.weights) {
    copyRows(*batch.weights, batch.rows, weights);
  } else {
    std::ranges::fill(weights.span<float>(), 1.0f);
  }
  p->scalars[0] = static_cast<float>(rate());
  p->scalars[1] = static_cast<float>(step_ + 1);
  p->state[0] = static_cast<int32_t>(seed_);
  p->state[1] = static_cast<int32_t>(seed_ >> 32);
  p->state[2] = static_cast<int32_t>(step_);
  p->state[3] = static_cast<int32_t>(step_ >> 32);
  p->executor.run();
  if (mode == kTrain) ++step_;
  totals.loss += static_cast<double>(p->results[0]) * samples;
  totals.samples += samples;
  size_t metrics = (p->results.size() - 1) / 2;
  totals.numerators.resize(metrics);
  totals.denominators.resize(metrics);
  for (size_t i = 0; i < metrics; ++i) {
    totals.numerators[i] += p->results[1 + 2 * i];
    totals.denominators[i] += p->results[2 + 2 * i];
  }
  return {};
}

Result<std::vector<Tensor>> Model::predict(std::span<const Tensor> x, int batchSize) {
  if (x.size() != topology_.inputs.size())
    return fail("the model has ", topology_.inputs.size(), " inputs, got ", x.size());
  int32_t samples = x[0].shape().rank() ? x[0].shape()[0] : 0;
  std::vector<Tensor> outputs;
  for (Type type : outputTypes_) {
    type.shape[0] = samples;
    FJORD_TRY(Tensor t, Tensor::empty(type));
    outputs.push_back(std::move(t));
  }
  std::vector<int32_t> rows;
  for (int32_t begin = 0; begin < samples; begin += batchSize) {
    int32_t count = std::min(batchSize, samples - begin);
    FJORD_TRY(Program * p, program(kPredict, count));
    rows.resize(count);
    for (int32_t i = 0; i < count; ++i) rows[i] = begin + i;
    for (size_t i = 0; i < x.size(); ++i) {
      const Shape &have = x[i].shape(), &want = p->inputs[i].shape();
      if (have.rank() < 1 || have[0] != samples || rowSize(have) != rowSize(want)) {
        return fail("input ", i, ": got an array of shape ", have, ", the model wants ", want);
      }
      copyRows(x[i], rows, p->inputs[i]);
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      p->executor.bindOutput(static_cast<int>(i),
                             outputs[i].data<float>() + begin * rowSize(outputs[i].shape()));
    }
    p->executor.run();
  }
  return outputs;
}

Logs Model::logs(const Totals& totals) const {
  Logs logs = {{"loss", totals.samples > 0 ? totals.loss / totals.samples : 0}};
  for (size_t i = 0; i < totals.numerators.size(); ++i) {
    double value = totals.denominators[i] == 0 ? 0 : totals.numerators[i] / totals.denominators[i];
    logs.push_back({metricNames_[i], metricRoots_[i] ? std::sqrt(value) : value});
  }
  return logs;
}

std::vector<Type> Model::inputTypes() const {
  std::vector<Type> types;
  for (Topology::TensorRef ref : topology_.inputs)
    types.push_back(topology_.layers[ref.layer].input);
  return types;
}

std::string Model::summary() const {
  std::vector<std::array<std::string, 3>> lines = {{"layer", "output shape", "parameters"}};
  for (const std::string& row : layerRows_) {
    std::array<std::string, 4> cells;
    size_t at = 0;
    for (std::string& cell : cells) {
      size_t end = std::min(row.find('\t', at), row.size());
      cell = row.substr(at, end - at);
      at = end + 1;
    }
    lines.push_back({cat(cells[0], " (", cells[1], ")"), cells[2], cells[3]});
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
  for (const Weight& w : weights_) (w.trainable ? trainable : fixed) += w.value.size();
  return text + cat(trainable + fixed, " parameters, ", trainable, " trainable, ",
                    (trainable + fixed) * 4, " bytes\n");
}

// ---- one layer alone

namespace {

/// Weights are graph inputs that nobody binds: only shapes are wanted.
class ShapeContext : public LayerContext {
 public:
  explicit ShapeContext(Graph& graph) : graph_(graph) {}
  Value weight(std::string_view, const Shape& shape, const Json&, bool, const Json&,
               const Json&) override {
    return graph_.input({DType::kF32, shape});
  }
  void update(Value, Value) override {}
  Value randomState() override { return graph_.input({DType::kI32, {4}}); }

 private:
  Graph& graph_;
};

}  // namespace

Result<Type> inferLayer(std::string_view className, const Json& config,
                        std::span<const Type> inputs) {
  const LayerRow* row = findLayer(className);
  if (!row) return fail("the layer class ", className, " is not known");
  Graph graph;
  ShapeContext context(graph);
  std::vector<Value> in;
  for (Type type : inputs) {
    if (type.shape.rank() > 0) type.shape[0] = 1;
    in.push_back(graph.input(type));
  }
  if (in.empty()) return fail("a layer needs an input");
  Graph::Scope scope(graph, stringOr(config, "name", className));
  size_t needed = row->inputs == 0 ? 1 : row->inputs;
  if (in.size() < needed || (row->inputs > 0 && in.size() != needed)) {
    return fail(className, " takes ", row->inputs == 0 ? "at least " : "", needed, " inputs, got ",
                in.size());
  }
  Value y = row->build(context, config, in);
  FJORD_CHECK(graph.status());
  if (!y) return fail(className, ": no output");
  Type type = y.type();
  if (type.shape.rank() > 0) type.shape[0] = -1;
  return type;
}

}  // namespace fjord
