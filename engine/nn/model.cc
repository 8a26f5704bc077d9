#include "nn/model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/parts.h"
#include "nn/builder.h"
#include "nn/call_order.h"

namespace fjord {

using namespace arguments;

Model::Model(Threads& threads, Json json, Topology topology, uint64_t seed)
    : threads_(threads), json_(std::move(json)), topology_(std::move(topology)), seed_(seed) {}
Model::~Model() = default;

Result<std::unique_ptr<Model>> Model::fromJson(const Json& json, Threads& threads,
                                               const ModelOptions& options) {
  FJORD_TRY(Topology topology, Topology::fromJson(json));
  FJORD_TRY(std::vector<Topology::TensorRef> order, callOrder(topology));
  std::unique_ptr<Model> model(
      new Model(threads, asKerasWrites(json), std::move(topology), options.seed));
  model->order_ = std::move(order);
  // A few samples through the layers make the weights and find every error of shape. Not one: that a
  // first axis of 1 is the batch could be chance.
  constexpr int32_t kSamples = 2;
  Builder builder(*model, kPredict, kSamples);
  builder.given = options.weights;
  std::vector<Value> outputs = builder.forward();
  FJORD_CHECK(builder.graph.status());
  for (size_t i = 0; i < outputs.size(); ++i) {
    Type type = outputs[i].type();
    if (type.shape.rank() == 0 || type.shape[0] != kSamples)
      return fail("the output ", model->outputName(i), " has the shape ", type.shape, " for ",
                  kSamples, " samples: the first axis of a model's outputs has to count samples");
    type.shape[0] = -1;
    model->outputTypes_.push_back(type);
  }
  model->layerRows_ = std::move(builder.summary);
  return model;
}

namespace {

// What else Keras writes says how a step is run, not what it computes.
constexpr Argument kCompile[] = {
    described("optimizer|optimizer_config", checkOptimizer).isNeeded(),
    json("loss").isNeeded(),
    json("metrics"),
    json("loss_weights"),
    only("weighted_metrics", "[]"),
    only("sample_weight_mode", ""),
    only("run_eagerly", "true|false"),
    json("steps_per_execution"),
    json("jit_compile"),
    json("auto_scale_loss"),
};

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

}  // namespace

Status Model::setTrainable(bool model, const Json& layers) {
  auto [list, config] = partsOf(json_);
  // Layers follow in the order of the description; a Sequential model begins with an input that it
  // does not have.
  size_t first = list ? topology_.layers.size() - list->size() : 0;
  for (const auto& [name, flag] : layers.items()) {
    auto layer = std::ranges::find(topology_.layers, name, &Topology::Layer::name);
    if (layer == topology_.layers.end()) return fail("the model has no layer named ", name);
    setFlag(layer->config, flag == true);
    size_t at = static_cast<size_t>(layer - topology_.layers.begin());
    if (list && at >= first) setFlag((*list)[at - first]["config"], flag == true);
  }
  topology_.trainable = model;
  if (config) setFlag(*config, model);
  return {};
}

/// Options that are given output by output: a list has one entry for each, an object their names.
Status Model::checkOptions(const Json& options) const {
  size_t count = topology_.outputs.size();
  std::string names;
  for (size_t i = 0; i < count; ++i) names += (i ? ", " : "") + outputName(i);
  for (const char* key : {"loss", "loss_weights", "metrics"}) {
    const Json& option = member(options, key);
    bool byName =
        option.is_object() && !option.contains("class_name") && !option.contains("config");
    bool isMetrics = key == std::string_view("metrics");
    bool nested = std::ranges::any_of(option, [](const Json& j) { return j.is_array(); });
    if (option.is_array() && (!isMetrics || nested) && option.size() != count)
      return fail("compile: ", key, " has ", option.size(), " entries, the model has ", count,
                  " outputs: ", names);
    if (!byName) continue;
    for (const auto& [name, entry] : option.items()) {
      bool known = false;
      for (size_t i = 0; i < count; ++i) known = known || outputName(i) == name;
      if (!known)
        return fail("compile: ", key, " names ", name, ", the model's outputs are ", names);
    }
    for (size_t i = 0; i < count && key == std::string_view("loss"); ++i) {
      if (!option.contains(outputName(i)))
        return fail("compile: the output ", outputName(i), " has no loss");
    }
  }
  return {};
}

Table compileTable() {
  return {"options", {{"compile", kCompile}}, {}, [](const Json& options) {
            auto fields = Fields::of("compile", kCompile, options);
            return fields ? Status() : fail("compile: ", fields.error().message);
          }};
}

/// A program is bound to the weights, the optimizer's state and the logs of its time, so nothing of
/// that may change while a step of one is on its way.
Status Model::forgetPrograms(std::string_view why) {
  complete(kChange);
  if (hasBegun())
    return fail(
        why, ": ", unfinished_.size(),
        " steps of the model have begun on the GPU and have not finished: await them first");
  begun_ = nullptr;
  programs_.clear();
  return {};
}

Status Model::compile(const Json& options) {
  FJORD_CHECK(forgetPrograms("compile"));
  Result<Fields> fields = Fields::of("compile", kCompile, options);
  if (!fields) return fail("compile: ", fields.error().message);
  FJORD_CHECK(checkOptions(options));
  FJORD_TRY(Optimizer asked, Optimizer::of(fields->json("optimizer")));
  std::optional<Optimizer> optimizer = std::exchange(optimizer_, std::move(asked));
  Json before = std::exchange(compiled_, fields->plain());
  // Building the smallest training step finds what is wrong now and not in the middle of fit.
  WeightList slots = std::exchange(slots_, {});
  std::vector<bool> trained(topology_.layers.size());
  for (size_t i = 0; i < trained.size(); ++i) trained[i] = isTrainable(static_cast<int>(i));
  std::swap(trained_, trained);
  Builder builder(*this, kTrain, 1);
  std::vector<Value> outputs = builder.forward();
  if (builder.graph.status()) builder.addLoss(outputs);
  if (builder.graph.status()) builder.addUpdates();
  if (Status status = builder.graph.status(); !status) {
    compiled_ = std::move(before);
    optimizer_ = std::move(optimizer);
    slots_ = std::move(slots);
    trained_ = std::move(trained);
    return status;
  }
  builder.describeLogs();
  slots_ = {};
  step_ = 0;
  rate_ = -1;
  return {};
}

Status Model::setWeights(std::span<const Tensor> values) {
  std::vector<Weight>& weights = weights_.all();
  if (values.size() != weights.size())
    return fail("The model has ", weights.size(), " weights, got ", values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const Type &want = weights[i].value.type(), &have = values[i].type();
    if (want != have)
      return fail("the weight ", weights[i].name, " is ", want, ", got ", have,
                  ": no weight was set");
  }
  complete(kChange);
  for (size_t i = 0; i < values.size(); ++i)
    std::memcpy(weights[i].value.view().data, values[i].view().data,
                static_cast<size_t>(values[i].type().bytes()));
  ++version_;
  return {};
}

Status Model::setSlot(std::string name, Tensor value) {
  // Plans are bound to the memory of the old value.
  FJORD_CHECK(forgetPrograms("the optimizer's state"));
  int number = slots_.numberOf(name);
  if (number < slots_.size()) {
    slots_[number].value = std::move(value);
  } else {
    slots_.add({std::move(name), std::move(value), false, nullptr, nullptr});
  }
  return {};
}

Status Model::setWinograd(bool allowed) {
  if (allowed != winograd_) FJORD_CHECK(forgetPrograms("setWinograd"));
  winograd_ = allowed;
  return {};
}

double Model::rate() const { return rateOf(step_); }

double Model::rateOf(int64_t step) const {
  if (rate_ >= 0) return rate_;
  return kTrains && optimizer_ ? optimizer_->rate(step) : 0;
}

Result<Model::Program*> Model::program(Mode mode, int32_t batch) {
  for (auto& p : programs_) {
    if (p->mode == mode && p->batch == batch) return p.get();
  }
  Builder builder(*this, mode, batch);
  FJORD_CHECK(builder.build(mode));
  // Data sets end in a smaller batch and are tested in another: a few sizes recur, more would only
  // hold memory.
  constexpr size_t kMaxPrograms = 8;
  FJORD_TRY(auto made, builder.finish(mode));
  if (programs_.size() >= kMaxPrograms) {
    auto oldest =
        std::ranges::find_if_not(programs_, [&](const auto& p) { return isUnfinished(p.get()); });
    if (oldest != programs_.end()) programs_.erase(oldest);
  }
  programs_.push_back(std::move(made));
  return programs_.back().get();
}

Result<StepMemory> Model::stepMemory(Mode mode, int32_t batch) {
  if (mode != kPredict && !isCompiled())
    return fail("the model is not compiled: call compile with an optimizer and a loss first");
  if (batch < 1) return fail("a batch needs at least one sample");
  bool fresh = slots().empty();
  StepMemory memory;
  Builder builder(*this, mode, batch);
  Status built = builder.build(mode);
  for (const Weight& w : weights()) memory.weights += w.value.type().bytes();
  for (const Weight& w : slots()) memory.state += mode == kTrain ? w.value.type().bytes() : 0;
  // The first step will make them.
  if (fresh) slots_ = {};
  FJORD_CHECK(built);
  FJORD_TRY(Plan plan, builder.plan());
  for (const Type& type : plan.inputs) memory.data += type.bytes();
  memory.data -= memory.weights + memory.state;
  memory.live = plan.liveBytes;
  memory.arena = plan.arenaBytes;
  return memory;
}

/// Whether a step or a prediction of this program is on its way.
bool Model::isUnfinished(const Program* p) const {
  return std::ranges::find(unfinished_, p) != unfinished_.end() ||
         (prediction_ && p == predicting_);
}

/// Has a program compute anew what depends on weights that have changed.
void Model::settle(Program& p) const {
  if (p.executor && p.version != version_) p.executor->refresh();
  p.version = version_;
}

namespace {

/// What is no int32 becomes the one that is out of every range.
int32_t wholeOf(float x) {
  return x >= -2147483648.0f && x < 2147483648.0f ? static_cast<int32_t>(x)
                                                  : std::numeric_limits<int32_t>::min();
}

/// Rows of `from` (those from `first` on, where rows is empty) into `to`; float32 to int32 and back
/// where they differ.
void copyRows(const Tensor& from, int32_t first, std::span<const int32_t> rows, const Tensor& to) {
  int64_t count = to.shape()[0], row = to.size() / std::max<int64_t>(1, count);
  for (int64_t i = 0; i < count; ++i) {
    int64_t at = rows.empty() ? first + i : rows[i];
    const uint32_t* source = from.data<uint32_t>() + at * row;
    uint32_t* target = to.data<uint32_t>() + i * row;
    bool toFloat = to.dtype() == DType::kF32 && from.dtype() != DType::kF32;
    bool toInt = to.dtype() != DType::kF32 && from.dtype() == DType::kF32;
    if (toFloat) {
      for (int64_t k = 0; k < row; ++k)
        reinterpret_cast<float*>(target)[k] = static_cast<float>(static_cast<int32_t>(source[k]));
    } else if (toInt) {
      for (int64_t k = 0; k < row; ++k) {
        target[k] = static_cast<uint32_t>(wholeOf(reinterpret_cast<const float*>(source)[k]));
      }
    } else {
      std::memcpy(target, source, static_cast<size_t>(row) * 4);
    }
  }
}

/// The step's input number `i` is a batch of rows of `from`: these, or those from `first` on. All of
/// it is read where it lies, if it is of the type that the step reads.
template <class Program>
void give(Program& p, size_t i, const Tensor& from, int32_t first, std::span<const int32_t> rows) {
  bool isAll = rows.empty() && from.shape()[0] == p.batch;
  // Where the step runs elsewhere and later, `from` may be gone by then.
  bool asItIs = p.executor && isAll && from.dtype() == p.inputs[i].dtype();
  if (!asItIs) copyRows(from, first, rows, p.inputs[i]);
  p.bindInput(p.numbers[i], (asItIs ? from : p.inputs[i]).view().data);
}

int64_t rowSize(const Shape& s) {
  int64_t n = 1;
  for (int i = 1; i < s.rank(); ++i) n *= s[i];
  return n;
}

/// Whether samples of one shape serve as samples of another: last axes of 1 count for nothing, labels
/// [n, 1] serve as [n].
bool isSample(const Shape& have, const Shape& want) {
  for (int i = 1; i < std::max(have.rank(), want.rank()); ++i) {
    if ((i < have.rank() ? have[i] : 1) != (i < want.rank() ? want[i] : 1)) return false;
  }
  return have.rank() > 0;
}

/// [samples, ..], of a type whose axis 0 is -1.
std::string ofSamples(const Shape& shape) {
  std::string text = "[samples";
  for (int i = 1; i < shape.rank(); ++i) text += cat(",", shape[i]);
  return text + "]";
}

int32_t samplesOf(const Tensor& t) { return t.shape().rank() ? t.shape()[0] : 0; }

double numberAt(const Tensor& t, int64_t i) {
  return t.dtype() == DType::kF32 ? t.data<float>()[i] : t.data<int32_t>()[i];
}

}  // namespace

Status Model::checkInputs(std::span<const Tensor> x) const {
  if (x.size() != topology_.inputs.size())
    return fail("the model has ", topology_.inputs.size(), " inputs, got ", x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const Shape& want = topology_.layers[topology_.inputs[i].layer].input.shape;
    if (!isSample(x[i].shape(), want))
      return fail("the input ", inputName(i), " takes ", ofSamples(want), ", got an array ",
                  x[i].shape());
    if (samplesOf(x[i]) != samplesOf(x[0]))
      return fail("the input ", inputName(i), " got ", samplesOf(x[i]), " samples, ", inputName(0),
                  " got ", samplesOf(x[0]));
  }
  return {};
}

Status Model::checkLabels(size_t output, const Tensor& labels) const {
  Shape want = outputTypes_[output].shape;
  int32_t classes = classes_[output];
  if (classes) want.values[--want.count] = 0;
  if (!isSample(labels.shape(), want)) {
    bool isNumber = !classes && labels.size() == samplesOf(labels);
    return fail("the labels of ", outputName(output), " are to be ", ofSamples(want),
                classes ? ", class numbers" : ", as its output is", ", got an array ",
                labels.shape(),
                isNumber ? "; class numbers go with the loss sparseCategoricalCrossentropy" : "");
  }
  for (int64_t i = 0; classes && i < labels.size(); ++i) {
    double v = numberAt(labels, i);
    if (v >= 0 && v < classes && v == std::floor(v)) continue;
    return fail("the labels of ", outputName(output), " are class numbers from 0 to ", classes - 1,
                ": that of sample ", i / std::max<int64_t>(1, rowSize(labels.shape())), " is ", v);
  }
  return {};
}

Status Model::check(const Batch& batch) const {
  if (!isCompiled())
    return fail("the model is not compiled: call compile with an optimizer and a loss first");
  FJORD_CHECK(checkInputs(batch.x));
  size_t outputs = topology_.outputs.size();
  if (batch.y.size() != outputs)
    return fail("the model has ", outputs, " outputs, got ", batch.y.size(), " arrays of labels");
  int32_t samples = samplesOf(batch.x[0]);
  for (size_t i = 0; i < outputs; ++i) {
    FJORD_CHECK(checkLabels(i, batch.y[i]));
    if (samplesOf(batch.y[i]) != samples)
      return fail("arrays of ", samples, " samples and of ", samplesOf(batch.y[i]), " labels of ",
                  outputName(i));
  }
  if (batch.weights.size() > 1 && batch.weights.size() != outputs)
    return fail("the model has ", outputs, " outputs, got sample weights for ",
                batch.weights.size());
  for (const Tensor& w : batch.weights) {
    if (w && (w.shape().rank() == 0 || w.shape()[0] != samples || w.size() != samples))
      return fail("sample weights are one number a sample, [", samples, "], got an array ",
                  w.shape());
  }
  return {};
}

void Model::setGpu(std::optional<GpuLimits> limits) {
  complete(kChange);
  abandon();
  begun_ = nullptr;
  programs_.clear();
  gpu_ = limits;
}

Status Model::prepare(Mode mode, int32_t batch) {
  if (mode != kPredict && !isCompiled())
    return fail("the model is not compiled: call compile with an optimizer and a loss first");
  if (batch < 1) return fail("a batch needs at least one sample");
  FJORD_TRY(begun_, program(mode, batch));
  return {};
}

GpuStep Model::gpuStep() const {
  if (!gpu_ || !begun_) return {};
  return {begun_->serial, &begun_->gpu, begun_->gpuInputs, begun_->results};
}

Status Model::begin(Mode mode, const Batch& batch) {
  if (mode == kPredict) return fail("run: use predict");
  if (!batch.isChecked) FJORD_CHECK(check(batch));
  int32_t available = samplesOf(batch.x[0]);
  int32_t samples = batch.rows.empty() ? available : static_cast<int32_t>(batch.rows.size());
  if (samples < 1) return fail("a batch needs at least one sample");
  for (int32_t row : batch.rows) {
    if (row < 0 || row >= available) return fail("row ", row, " of ", available, " samples");
  }
  FJORD_TRY(Program * p, program(mode, samples));
  size_t next = 0;
  for (const auto& list : {batch.x, batch.y}) {
    for (const Tensor& t : list) give(*p, next++, t, 0, batch.rows);
  }
  for (size_t i = 0; i < batch.y.size(); ++i, ++next) {
    Tensor& weights = p->inputs[next];
    p->bindInput(p->numbers[next], weights.view().data);
    const Tensor* given =
        batch.weights.empty() ? nullptr : &batch.weights[std::min(i, batch.weights.size() - 1)];
    if (given && *given) {
      copyRows(*given, 0, batch.rows, weights);
    } else {
      std::ranges::fill(weights.span<float>(), 1.0f);
    }
  }
  int64_t step = step_ + std::ranges::count(unfinished_, kTrain, &Program::mode);
  p->scalars[0] = static_cast<float>(rateOf(step));
  p->scalars[1] = static_cast<float>(step + 1);
  p->state[0] = static_cast<int32_t>(seed_);
  p->state[1] = static_cast<int32_t>(seed_ >> 32);
  p->state[2] = static_cast<int32_t>(step);
  p->state[3] = static_cast<int32_t>(step >> 32);
  settle(*p);
  begun_ = p;
  unfinished_.push_back(p);
  return {};
}

Status Model::finish(Totals& totals) {
  if (unfinished_.empty()) return fail("no step has begun, or it was lost with its GPU");
  Program* p = unfinished_.front();
  unfinished_.erase(unfinished_.begin());
  if (p->mode == kTrain) {
    ++step_;
    ++version_;
  }
  totals.loss += static_cast<double>(p->results[0]) * p->batch;
  totals.samples += p->batch;
  size_t metrics = (p->results.size() - 1) / 2;
  totals.numerators.resize(metrics);
  totals.denominators.resize(metrics);
  for (size_t i = 0; i < metrics; ++i) {
    totals.numerators[i] += p->results[1 + 2 * i];
    totals.denominators[i] += p->results[2 + 2 * i];
  }
  return {};
}

Status Model::beginPrediction(std::span<const Tensor> x, int32_t begin, int32_t count) {
  FJORD_CHECK(checkInputs(x));
  int32_t samples = samplesOf(x[0]);
  if (begin < 0 || count < 1 || begin + count > samples)
    return fail("rows ", begin, " to ", begin + count, " of ", samples, " samples");
  FJORD_TRY(Program * p, program(kPredict, count));
  for (size_t i = 0; i < x.size(); ++i) give(*p, i, x[i], begin, {});
  settle(*p);
  begun_ = p;
  return {};
}

void Totals::add(const Totals& other) {
  loss += other.loss;
  samples += other.samples;
  numerators.resize(other.numerators.size());
  denominators.resize(other.denominators.size());
  for (size_t i = 0; i < numerators.size(); ++i) {
    numerators[i] += other.numerators[i];
    denominators[i] += other.denominators[i];
  }
}

void Totals::clear() {
  loss = samples = 0;
  numerators.clear();
  denominators.clear();
}

double Model::logAt(const Totals& totals, int i) const {
  if (i == 0) return totals.samples > 0 ? totals.loss / totals.samples : 0;
  return MetricParts::value(metricKinds_[i - 1], totals.numerators[i - 1],
                            totals.denominators[i - 1]);
}

void Model::writeLogs(const Totals& totals, Logs& logs) const {
  logs.resize(1 + totals.numerators.size());
  for (size_t i = 0; i < logs.size(); ++i) {
    logs[i].first = i ? std::string_view(metricNames_[i - 1]) : "loss";
    logs[i].second = logAt(totals, static_cast<int>(i));
  }
}

Logs Model::logs(const Totals& totals) const {
  Logs logs;
  writeLogs(totals, logs);
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
  for (const Weight& w : weights()) (isTrainable(w) ? trainable : fixed) += w.value.size();
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
  if (!row) return unknownLayer(className);
  Graph graph;
  ShapeContext context(graph);
  std::vector<Value> in;
  for (Type type : inputs) {
    if (type.shape.rank() > 0) type.shape[0] = 1;
    in.push_back(graph.input(type));
  }
  if (in.empty()) return fail("a layer needs an input");
  std::string name = stringOr(config, "name", "");
  Graph::Scope scope(graph, name.empty() ? className : name);
  size_t needed = row->inputs == 0 ? 1 : row->inputs;
  if (in.size() < needed || (row->inputs > 0 && in.size() != needed)) {
    return fail(className, " takes ", row->inputs == 0 ? "at least " : "", needed, " inputs, got ",
                in.size());
  }
  Value y = buildLayer(*row, context, config, in);
  FJORD_CHECK(graph.status());
  if (!y) return fail(className, ": no output");
  Type type = y.type();
  if (type.shape.rank() > 0) type.shape[0] = -1;
  return type;
}

}  // namespace fjord
