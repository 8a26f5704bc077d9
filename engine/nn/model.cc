#include "nn/model.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/parts.h"
#include "nn/builder.h"

namespace fjord {

using namespace arguments;

Model::Model(Threads& threads) : threads_(threads) {}
Model::~Model() {
  for (const auto& sharers : sharers_) std::erase(sharers->models, this);
}

Result<std::unique_ptr<Model>> Model::fromJson(const Json& json, Threads& threads,
                                               const ModelOptions& options) {
  for (const SharedLayer& shared : options.shared) {
    if (shared.model->isOnGpu())
      return fail("a model on the GPU cannot share its weights: bring it back first");
    shared.model->complete(kChange);
  }
  std::unique_ptr<Model> model(new Model(threads));
  FJORD_CHECK(model->make(json, options));
  for (const auto& sharers : model->sharers_) sharers->models.push_back(model.get());
  return model;
}

// ---- compile

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

}  // namespace

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
  for (size_t i = 0; i < bySample_.size(); ++i) {
    if (!bySample_[i])
      return fail("compile: a loss is of samples, and the first axis of the output ", outputName(i),
                  ", ", outputTypes_[i].shape, ", does not count these");
  }
  FJORD_TRY(Optimizer asked, Optimizer::of(fields->json("optimizer")));
  std::optional<Optimizer> optimizer = std::exchange(optimizer_, std::move(asked));
  Json before = std::exchange(compiled_, fields->plain());
  // Building the smallest training step finds what is wrong now and not in the middle of fit.
  WeightList slots = std::exchange(slots_, {});
  std::vector<bool> trained = std::exchange(trained_, trainable_);
  Builder builder(*this, kTrain, inputTypesFor(1, openSize_));
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
  weightsChanged();
  return {};
}

bool Model::hasAverages() const { return kTrains && optimizer_ && optimizer_->hasAverages(); }

/// Calls f with each weight that has an average, and with that.
template <class F>
void Model::eachAverage(F f) {
  if (!hasAverages()) return;
  for (Weight& w : mutableWeights()) {
    int number = slots_.numberOf(cat(w.name, "/", Optimizer::kAverage));
    if (number < slots_.size()) f(w.value.span<float>(), slots_[number].value.span<float>());
  }
}

void Model::useAverages() {
  eachAverage([](auto weight, auto average) { std::ranges::copy(average, weight.begin()); });
}

void Model::swapAverages() {
  eachAverage([](auto weight, auto average) { std::ranges::swap_ranges(weight, average); });
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

// ---- what stateful layers keep

/// The number of the state of this name for batches of this shape.
Result<int> Model::keptState(const std::string& name, const Shape& shape) {
  auto known = std::ranges::find_if(
      keptStates_, [&](const KeptState& s) { return s.name == name && s.value.shape() == shape; });
  if (known != keptStates_.end()) return static_cast<int>(known - keptStates_.begin());
  FJORD_TRY(Tensor value, Tensor::zeros({DType::kF32, shape}));
  keptStates_.push_back({name, std::move(value)});
  return static_cast<int>(keptStates_.size()) - 1;
}

/// What was kept of one size of batch says nothing of another one's samples.
Status Model::useStates(const Program& p) {
  for (size_t i = 0; i < keptStates_.size(); ++i) {
    const KeptState& state = keptStates_[i];
    bool isOwn = std::ranges::find(p.states, static_cast<int>(i)) != p.states.end();
    // An attention's cache is of predictions alone.
    if (state.isUsed && !isOwn && !p.states.empty())
      return fail("the layer ", state.name.substr(0, state.name.rfind('/')),
                  " is stateful and has the states of ", state.value.shape()[0], " samples, got ",
                  p.batch, ": batches have one size until resetStates");
  }
  for (int number : p.states) keptStates_[number].isUsed = true;
  return {};
}

void Model::resetStates(std::string_view path) {
  complete(kChange);
  for (KeptState& state : keptStates_) {
    if (!path.empty() && !state.name.starts_with(cat(path, "/"))) continue;
    std::ranges::fill(state.value.span<float>(), 0.0f);
    state.isUsed = false;
  }
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

Result<Model::Program*> Model::program(Mode mode, int32_t batch, std::span<const Tensor> x,
                                       std::span<const Tensor> y) {
  for (auto& p : programs_) {
    if (p->mode == mode && p->batch == batch && isFor(*p, x, y)) return p.get();
  }
  Builder builder(*this, mode, inputTypesFor(batch, x), y);
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
  Builder builder(*this, mode, inputTypesFor(batch, openSize_));
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
  int64_t now = version();
  if (p.executor && p.version != now) p.executor->refresh();
  p.version = now;
}

}  // namespace fjord
