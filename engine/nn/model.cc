#include "nn/model.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "nn/builder.h"
#include "nn/optimizers.h"

namespace fjord {

Model::Model(Threads& threads, Json json, Topology topology, uint64_t seed)
    : threads_(threads), json_(std::move(json)), topology_(std::move(topology)), seed_(seed) {}
Model::~Model() = default;

Result<std::unique_ptr<Model>> Model::fromJson(const Json& json, Threads& threads,
                                               const ModelOptions& options) {
  FJORD_TRY(Topology topology, Topology::fromJson(json));
  std::unique_ptr<Model> model(new Model(threads, json, std::move(topology), options.seed));
  // One sample through the layers makes the weights and finds every error of shape.
  Builder builder(*model, kPredict, 1);
  builder.given = options.weights;
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

void Model::setWinograd(bool allowed) {
  if (allowed != winograd_) programs_.clear();
  winograd_ = allowed;
}

double Model::rate() const { return rateOf(step_); }

double Model::rateOf(int64_t step) const {
  if (rate_ >= 0) return rate_;
  std::optional<Choice> choice = choiceOf(member(compiled_, "optimizer"));
  Result<const OptimizerRow*> row = findOptimizer(choice ? choice->name : "");
  if (!row) return 0;
  return learningRate(choice->config, (*row)->rate, step).value_or(0);
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
    auto isUnfinished = [&](const auto& p) {
      return std::ranges::find(unfinished_, p.get()) != unfinished_.end();
    };
    auto oldest = std::ranges::find_if_not(programs_, isUnfinished);
    if (oldest != programs_.end()) programs_.erase(oldest);
  }
  programs_.push_back(std::move(made));
  return programs_.back().get();
}

Result<StepMemory> Model::stepMemory(Mode mode, int32_t batch) {
  if (mode != kPredict && !isCompiled())
    return fail("the model is not compiled: call compile with an optimizer and a loss first");
  if (batch < 1) return fail("a batch needs at least one sample");
  bool fresh = slots_.empty();
  StepMemory memory;
  Builder builder(*this, mode, batch);
  Status built = builder.build(mode);
  for (const Weight& w : weights_) memory.weights += w.value.type().bytes();
  for (const Weight& w : slots_) memory.state += mode == kTrain ? w.value.type().bytes() : 0;
  // The first step will make them.
  if (fresh) slots_.clear();
  FJORD_CHECK(built);
  FJORD_TRY(Plan plan, builder.plan());
  for (const Type& type : plan.inputs) memory.data += type.bytes();
  memory.data -= memory.weights + memory.state;
  memory.live = plan.liveBytes;
  memory.arena = plan.arenaBytes;
  return memory;
}

/// Has a program compute anew what depends on weights that have changed.
void Model::settle(Program& p) const {
  if (p.executor && p.version != version_) p.executor->refresh();
  p.version = version_;
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

/// The step's input number `i` is all of `from`, or these rows. All of it is read where it lies, if
/// it is of the type that the step reads.
template <class Program>
void give(Program& p, size_t i, const Tensor& from, std::span<const int32_t> rows) {
  // Where the step runs elsewhere and later, `from` may be gone by then.
  bool asItIs = p.executor && rows.empty() && from.dtype() == p.inputs[i].dtype();
  if (!asItIs) copyRows(from, rows, p.inputs[i]);
  p.bindInput(p.numbers[i], (asItIs ? from : p.inputs[i]).view().data);
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
  if (gpu_) return fail("the model is on the GPU, where its steps are not run from here");
  FJORD_CHECK(begin(mode, batch));
  begun_->executor->run();
  finish(totals);
  return {};
}

void Model::setGpu(std::optional<GpuLimits> limits) {
  programs_.clear();
  begun_ = nullptr;
  unfinished_.clear();
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
    give(*p, i, *given[i], batch.rows);
  }
  Tensor& weights = p->inputs.back();
  p->bindInput(p->numbers.back(), weights.view().data);
  if (batch.weights) {
    copyRows(*batch.weights, batch.rows, weights);
  } else {
    std::ranges::fill(weights.span<float>(), 1.0f);
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

void Model::finish(Totals& totals) {
  if (unfinished_.empty()) return;
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
}

Status Model::beginPrediction(std::span<const Tensor> x, int32_t begin, int32_t count) {
  if (x.size() != topology_.inputs.size())
    return fail("the model has ", topology_.inputs.size(), " inputs, got ", x.size());
  int32_t samples = x[0].shape().rank() ? x[0].shape()[0] : 0;
  if (begin < 0 || count < 1 || begin + count > samples)
    return fail("rows ", begin, " to ", begin + count, " of ", samples, " samples");
  FJORD_TRY(Program * p, program(kPredict, count));
  std::vector<int32_t> rows;
  for (int32_t i = 0; count < samples && i < count; ++i) rows.push_back(begin + i);
  for (size_t i = 0; i < x.size(); ++i) {
    const Shape &have = x[i].shape(), &want = p->inputs[i].shape();
    if (have.rank() < 1 || have[0] != samples || rowSize(have) != rowSize(want))
      return fail("input ", i, ": got an array of shape ", have, ", the model wants ", want);
    give(*p, i, x[i], rows);
  }
  settle(*p);
  begun_ = p;
  return {};
}

Result<std::vector<Tensor>> Model::predict(std::span<const Tensor> x, int batchSize) {
  if (gpu_) return fail("the model is on the GPU, where its steps are not run from here");
  int32_t samples = !x.empty() && x[0].shape().rank() ? x[0].shape()[0] : 0;
  std::vector<Tensor> outputs;
  for (Type type : outputTypes_) {
    type.shape[0] = samples;
    FJORD_TRY(Tensor t, Tensor::empty(type));
    outputs.push_back(std::move(t));
  }
  for (int32_t begin = 0; begin < samples || begin == 0; begin += batchSize) {
    if (samples == 0 && x.size() == topology_.inputs.size()) break;
    FJORD_CHECK(beginPrediction(x, begin, std::min(batchSize, samples - begin)));
    Program* p = begun_;
    for (size_t i = 0; i < outputs.size(); ++i) {
      p->executor->bindOutput(static_cast<int>(i),
                              outputs[i].data<float>() + begin * rowSize(outputs[i].shape()));
    }
    p->executor->run();
  }
  return outputs;
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

Logs Model::logs(const Totals& totals) const {
  Logs logs = {{"loss", totals.samples > 0 ? totals.loss / totals.samples : 0}};
  for (size_t i = 0; i < totals.numerators.size(); ++i) {
    logs.push_back({metricNames_[i], MetricParts::value(metricKinds_[i], totals.numerators[i],
                                                        totals.denominators[i])});
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
