// Model: a Keras model description, its weights, and the plans that predict with it and train it.
//
//   FJORD_TRY(auto model, Model::fromJson(json, threads, {.seed = 42}));
//   FJORD_CHECK(model->compile(*parseJson(
//       R"({"optimizer": "adam", "loss": "categorical_crossentropy", "metrics": ["accuracy"]})")));
//   Totals totals;
//   FJORD_CHECK(model->run(Model::kTrain, {.x = x, .y = y}, totals));  // one step on one batch
//   model->logs(totals);  // {"loss": 0.31, "accuracy": 0.91}
//
// A training step (forward, loss, backward, update, metrics) is one plan, made once for each size
// of batch. A step or a prediction with a budget stops where that is over, and goes on later: what is
// asked of the model meanwhile sees it as it was before the step, or after it, and never in between.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/threads.h"
#include "nn/losses.h"
#include "nn/metrics.h"
#include "nn/module.h"
#include "nn/optimizers.h"
#include "run/cpu.h"
#include "run/gpu.h"

namespace fjord {

/// Rows of arrays of samples. `rows` empty means all of them, in order.
struct Batch {
  std::span<const Tensor> x, y = {};
  /// [samples]: none, one for all outputs, or one for each, of which some may be empty.
  std::span<const Tensor> weights = {};
  std::span<const int32_t> rows = {};
  /// Whether Model::check has seen the arrays.
  bool isChecked = false;
};

/// Sums over batches, which logs are made of.
struct Totals {
  double loss = 0, samples = 0;
  std::vector<double> sums;  // of all metrics

  void add(const Totals& other);
  /// Nothing, in the memory that they have.
  void clear();
};

using Logs = std::vector<std::pair<std::string, double>>;

/// Bytes that a step holds. What is beyond weights, state, data and `live` arrays is overhead.
struct StepMemory {
  int64_t weights = 0, state = 0;  // of the optimizer
  int64_t data = 0;                // the batch
  int64_t live = 0;                // the most of activations and gradients that is alive at once
  int64_t arena = 0;               // what they take, with the room that kernels work in

  int64_t least() const { return weights + state + data + live; }
  int64_t total() const { return weights + state + data + arena; }
};

/// An input of a program that a GPU runs: weights, the optimizer's state and what stateful layers keep stay
/// there, the rest is given anew for each step.
struct GpuInput {
  enum Kind : int32_t { kGiven, kWeight, kSlot, kState };
  Kind kind = kGiven;
  int32_t index = 0;  // of the weight, the slot or the state
  const void* data = nullptr;
  int64_t bytes = 0;

  void setKind(Kind k, int32_t i) {
    kind = k;
    index = i;
  }
};

/// A step that has begun, for whoever runs it.
struct GpuStep {
  int64_t serial = 0;  // of the program: the same for the same mode and size of batch
  const GpuProgram* program = nullptr;
  std::span<const GpuInput> inputs;
  std::span<float> results;
};

/// What a stateful layer keeps from batch to batch, of batches of one size.
struct KeptState {
  std::string name;  // "lstm/state_0"
  Tensor value;
  bool isUsed = false;  // since it was reset
};

class Model;

/// A step that may stop and go on, of whoever takes it. Where the model cannot wait for that it runs the
/// rest itself, and leaves the result here.
struct PausedStep {
  Model* model = nullptr;  // on its way there
  std::optional<Result<Totals>> result;

  PausedStep() = default;
  PausedStep(const PausedStep&) = delete;
  PausedStep& operator=(const PausedStep&) = delete;
  /// What cannot be dropped is run to its end.
  ~PausedStep();
  /// Whether it has begun, and its result was not taken yet.
  bool isActive() const { return model || result; }
  /// Forgets the step if it has assigned nothing yet, as if it had not begun: whether it has.
  bool drop();
};

/// The same of a prediction. Its outputs have their values once it is done.
struct PausedPrediction {
  Model* model = nullptr;
  std::vector<Tensor> x, outputs;
  int32_t batchSize = 0, begin = 0;  // of the batch that is on its way
  Status status;                     // where the model has run the rest itself

  PausedPrediction() = default;
  /// The model goes on with the new one.
  PausedPrediction(PausedPrediction&& other) noexcept;
  PausedPrediction& operator=(PausedPrediction&&) = delete;
  ~PausedPrediction();
};

/// The options of Model::compile.
Table compileTable();

/// A module with training: loss, metrics, optimizer.
class Model : public Module {
 public:
  enum Mode { kPredict, kTest, kTrain };
  enum Access { kRead, kChange };
  ~Model();

  static Result<std::unique_ptr<Model>> fromJson(const Json& model, Threads& threads,
                                                 const ModelOptions& options = {});

  /// {"optimizer": name or {"class_name", "config"}, "loss": .., "metrics": [..],
  /// "loss_weights": ..}. Training goes by what is trainable now.
  Status compile(const Json& options);
  bool isCompiled() const { return !compiled_.is_null(); }
  /// Whether samples, labels and weights are such as the compiled model takes: their shapes, and that
  /// class numbers are numbers of classes.
  Status check(const Batch& batch) const;

  /// One step in this mode; adds the loss and the metrics to `totals`. A loss that is not finite is
  /// an error of logs' caller to report, not of this function: the totals show it.
  Status run(Mode mode, const Batch& batch, Totals& totals) {
    PausedStep step;
    Result<bool> done = run(mode, batch, totals, step, nullptr);
    return done ? Status() : std::unexpected(std::move(done).error());
  }
  /// The same until the budget is over: whether it is done, and added. If it is not, the next call with
  /// this step goes on.
  Result<bool> run(Mode mode, const Batch& batch, Totals& totals, PausedStep& step,
                   const Budget* budget);
  /// Runs what has stopped to its end where somebody would see or disturb it who is about to do this
  /// with the weights and what belongs to them.
  void complete(Access access);
  /// From now on steps are programs for a GPU with these limits, which others run, between begin or
  /// beginPrediction and finish; without limits they run here again.
  /// What has begun is abandoned.
  void setGpu(std::optional<GpuLimits> limits);
  bool isOnGpu() const { return gpu_.has_value(); }
  /// The first half of run. On a GPU several steps may have begun: they finish in their order.
  Status begin(Mode mode, const Batch& batch);
  /// Rows [begin, begin + count) of x.
  Status beginPrediction(std::span<const Tensor> x, int32_t begin, int32_t count);
  /// Plans a step before it is needed; on a GPU gpuStep then tells its program. Of a model that takes
  /// samples of any size no step is known before there are some.
  Status prepare(Mode mode, int32_t batch);
  /// The step that has begun, or was prepared, last.
  GpuStep gpuStep() const;
  /// The second half, of the step that has begun first: adds the results.
  Status finish(Totals& totals);
  bool hasBegun() const { return !unfinished_.empty(); }
  /// Forgets the steps that have begun: their GPU is lost, and they do not count.
  void abandon() { unfinished_.clear(); }
  Result<std::vector<Tensor>> predict(std::span<const Tensor> x, int batchSize = 32);
  /// The same until the budget is over: whether it is done. If it is not, goOn does more.
  Result<bool> predict(std::span<const Tensor> x, int batchSize, PausedPrediction& prediction,
                       const Budget* budget);
  Result<bool> goOn(PausedPrediction& prediction, const Budget* budget);

  Logs logs(const Totals& totals) const;
  /// The same into `logs`, in the memory that they have.
  void writeLogs(const Totals& totals, Logs& logs) const;
  /// The value of entry `i` alone.
  double logAt(const Totals& totals, int i) const;
  /// Which value is the better one of what is logged under this name, once a step is planned.
  Better betterOf(std::string_view logged) const;
  /// How many values logs gives once the model is compiled.
  int logCount() const { return 1 + static_cast<int>(metrics_.size()); }

  /// To write to: what was computed from them is computed anew.
  std::vector<Weight>& mutableWeights() {
    complete(kChange);
    weightsChanged();
    return weights_.all();
  }
  /// All of them, or none where one is of another type.
  Status setWeights(std::span<const Tensor> values);
  /// The optimizer's state, by name; made by the first training step.
  std::vector<Weight>& slots() { return slots_.all(); }
  bool hasAverages() const;
  /// Where the optimizer averages weights, these are their averages from now on.
  void useAverages();
  /// The weights become their averages, and these the weights.
  void swapAverages();
  /// Restores a piece of the optimizer's state, before or after the first training step.
  Status setSlot(std::string name, Tensor value);
  /// What its stateful layers keep: all of it, or that of the layer at a path, begins anew at 0.
  void resetStates(std::string_view path = "");
  std::vector<KeptState>& keptStates() { return keptStates_; }
  int64_t step() const { return step_; }
  void setStep(int64_t step) {
    complete(kChange);
    step_ = step;
  }
  /// The learning rate of the next step. Setting it replaces a schedule.
  double rate() const;
  void setRate(double rate) { rate_ = rate; }
  /// Whether convolutions may use Winograd's algorithm, which is up to three times faster for 3x3
  /// filters and rounds otherwise, by about 1e-5 of the largest output. At first: yes.
  bool winograd() const { return winograd_; }
  Status setWinograd(bool allowed);
  /// Plans are made anew: what a traced layer has read may be other now. `why` is for the error where steps
  /// on a GPU have begun.
  Status forgetPrograms(std::string_view why);
  bool hasSetRate() const { return rate_ >= 0; }

  const Json& compileOptions() const { return compiled_; }
  /// Whether other models have some of its weights, too.
  bool isSharing() const {
    return std::ranges::any_of(sharers_, [](const auto& s) { return s->models.size() > 1; });
  }

  /// Of a step in this mode, planned and not run. Sizes that are open are openSize().
  Result<StepMemory> stepMemory(Mode mode, int32_t batch);

 private:
  struct Program;
  class Builder;

  explicit Model(Threads& threads);
  /// For samples of the sizes of those in x, where sizes are open.
  Result<Program*> program(Mode mode, int32_t batch, std::span<const Tensor> x,
                           std::span<const Tensor> y = {});
  bool isFor(const Program& p, std::span<const Tensor> x, std::span<const Tensor> y) const;
  using Module::inputTypesFor;
  std::vector<Type> inputTypesFor(int32_t batch, std::span<const Tensor> x) const;
  double rateOf(int64_t step) const;
  Status checkInputs(std::span<const Tensor> x) const;
  Status checkSequences(size_t output, const Tensor& labels) const;
  Status checkLabels(size_t output, const Tensor& labels) const;
  Status checkOptions(const Json& options) const;
  void settle(Program& p) const;
  Result<int> keptState(const std::string& name, const Shape& shape);
  Status useStates(const Program& p);
  /// A step that moves what stateful layers keep may not run while another one does.
  bool isStateful() const { return !keptStates_.empty(); }
  Result<bool> predictBatches(std::span<const Tensor> x, PausedPrediction& prediction,
                              const Budget* budget);
  bool isUnfinished(const Program* p) const;
  void completePrediction();
  void completeOwn(Access access);
  void completeOthers(Access access);
  void planUpdatesLast();
  template <class F>
  void eachAverage(F f);
  friend PausedStep;
  friend PausedPrediction;

  Threads& threads_;
  WeightList slots_;
  std::vector<KeptState> keptStates_;
  Json compiled_;
  std::optional<Optimizer> optimizer_;  // of compiled_
  /// What is logged beside the loss, of which of the sums.
  struct Metric {
    std::string name;
    size_t first, count;
    MetricValue value;
    Better better;
  };
  std::vector<Metric> metrics_;
  std::vector<LabelKind> labels_;  // by output
  int64_t step_ = 0;
  int64_t predictions_ = 0;  // that have begun
  bool winograd_ = true;
  std::optional<GpuLimits> gpu_;
  Program* begun_ = nullptr;  // last, or prepared
  std::vector<Program*> unfinished_;
  // What has stopped and is to go on: at most one of each.
  PausedStep* paused_ = nullptr;
  PausedPrediction* prediction_ = nullptr;
  Program* predicting_ = nullptr;
  double tail_ = 0;  // milliseconds that the step has run since it first assigned
  bool updatesLast_ = false;
  int64_t programsMade_ = 0;
  double rate_ = -1;  // replaces the optimizer's where it is not negative
  std::vector<std::unique_ptr<Program>> programs_;
};

}  // namespace fjord
