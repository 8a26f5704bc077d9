// Steps and predictions that stop where a budget is over, and go on later.
#include <algorithm>

#include "base/parts.h"
#include "nn/builder.h"

namespace fjord {

namespace {

/// Milliseconds that a stopped training may take to end its step: with what else has to happen within the
/// tenth of a second in which a click seems to be answered at once.
constexpr double kLongTail = 60;

}  // namespace

Result<bool> Model::run(Mode mode, const Batch& batch, Totals& totals, PausedStep& step,
                        const Budget* budget) {
  if (step.result) {
    Result<Totals> result = *std::exchange(step.result, std::nullopt);
    if (!result) return std::unexpected(std::move(result).error());
    totals.add(*result);
    return true;
  }
  if (!step.model) {
    if (gpu_) return fail("the model is on the GPU, where its steps are not run from here");
    if (paused_ || (prediction_ && (mode == kTrain || isStateful()))) completeOwn(kChange);
    completeOthers(mode == kTrain ? kChange : kRead);
    FJORD_CHECK(begin(mode, batch));
    step.model = this;
    paused_ = &step;
    tail_ = 0;
  }
  Program& p = *unfinished_.front();
  bool assigned = budget && p.executor->hasAssigned();
  double start = assigned ? budget->now() : 0;
  Result<bool> done = p.executor->run(budget);
  if (assigned) tail_ += budget->now() - start;
  if (done && !*done) return false;
  step.model = nullptr;
  paused_ = nullptr;
  if (!done) {
    unfinished_.clear();
    return done;
  }
  FJORD_CHECK(finish(totals));
  if (tail_ > kLongTail && !updatesLast_) planUpdatesLast();
  return true;
}

void Model::completePrediction() {
  PausedPrediction& prediction = *prediction_;
  Result<bool> done = goOn(prediction, nullptr);
  if (!done) prediction.status = std::unexpected(std::move(done).error());
}

void Model::complete(Access access) {
  completeOwn(access);
  completeOthers(access);
}

/// Those of other models that have some of the weights.
void Model::completeOthers(Access access) {
  for (const auto& sharers : sharers_) {
    for (Model* other : sharers->models) {
      if (other != this) other->completeOwn(access);
    }
  }
}

void Model::completeOwn(Access access) {
  if (prediction_ && access == kChange) completePrediction();
  if (!kTrains || !paused_) return;
  if (access == kRead && !unfinished_.front()->executor->hasAssigned()) return;
  PausedStep& step = *paused_;
  Totals totals;
  Result<bool> done = run(kTrain, {}, totals, step, nullptr);
  if (done) {
    step.result = std::move(totals);
  } else {
    step.result = std::unexpected(std::move(done).error());
  }
}

/// From the next step on a training step can be dropped until it is nearly through.
void Model::planUpdatesLast() {
  updatesLast_ = true;
  std::erase_if(programs_, [](const auto& p) { return p->mode == kTrain; });
  begun_ = nullptr;
}

PausedStep::~PausedStep() {
  if (model && !drop()) model->complete(Model::kChange);
}

bool PausedStep::drop() {
  if (!model) return !result;
  Executor& executor = *model->unfinished_.front()->executor;
  if (executor.hasAssigned()) return false;
  executor.restart();
  model->unfinished_.clear();
  model->paused_ = nullptr;
  model = nullptr;
  return true;
}

// ---- predictions

Result<std::vector<Tensor>> Model::predict(std::span<const Tensor> x, int batchSize) {
  PausedPrediction prediction;
  FJORD_TRY([[maybe_unused]] bool done, predict(x, batchSize, prediction, nullptr));
  return std::move(prediction.outputs);
}

Result<bool> Model::predict(std::span<const Tensor> x, int batchSize, PausedPrediction& prediction,
                            const Budget* budget) {
  if (gpu_) return fail("the model is on the GPU, where its steps are not run from here");
  FJORD_CHECK(checkInputs(x));
  if (prediction_) completePrediction();
  complete(isStateful() ? kChange : kRead);
  prediction.outputs.reserve(outputTypes_.size());
  int32_t samples = x[0].shape()[0];
  std::span<const Type> types = outputTypes_;
  // Batches of such outputs cannot be put together: all is one.
  if (!isBySample()) batchSize = samples;
  if (!isBySample() || openSize_) {
    FJORD_TRY(Program * first, program(kPredict, std::min(batchSize, samples), x));
    types = first->outputs;
  }
  for (Type type : types) {
    if (isBySample()) type.shape[0] = samples;
    FJORD_TRY(Tensor t, Tensor::empty(type));
    prediction.outputs.push_back(std::move(t));
  }
  prediction.batchSize = batchSize;
  FJORD_TRY(bool done, predictBatches(x, prediction, budget));
  if (done) return true;
  prediction.x.assign(x.begin(), x.end());
  prediction.model = this;
  prediction_ = &prediction;
  return false;
}

Result<bool> Model::goOn(PausedPrediction& prediction, const Budget* budget) {
  Result<bool> done = predictBatches(prediction.x, prediction, budget);
  if (done && !*done) return false;
  prediction.model = nullptr;
  prediction_ = nullptr;
  return done;
}

Result<bool> Model::predictBatches(std::span<const Tensor> x, PausedPrediction& prediction,
                                   const Budget* budget) {
  int32_t samples = x[0].shape()[0], batchSize = prediction.batchSize;
  int32_t& begin = prediction.begin;
  bool goesOn = prediction.model && predicting_->executor->isPaused();
  while (begin < samples) {
    if (!goesOn) {
      FJORD_CHECK(beginPrediction(x, begin, std::min(batchSize, samples - begin)));
      predicting_ = begun_;
      for (size_t i = 0; i < prediction.outputs.size(); ++i) {
        const Tensor& y = prediction.outputs[i];
        int64_t row = y.size() / samples;
        predicting_->executor->bindOutput(static_cast<int>(i), y.data<float>() + begin * row);
      }
    }
    goesOn = false;
    FJORD_TRY(bool done, predicting_->executor->run(budget));
    if (!done) return false;
    begin += std::min(batchSize, samples - begin);
    if (begin < samples && budget && budget->isOver()) return false;
  }
  return true;
}

PausedPrediction::PausedPrediction(PausedPrediction&& other) noexcept
    : model(std::exchange(other.model, nullptr)),
      x(std::move(other.x)),
      outputs(std::move(other.outputs)),
      batchSize(other.batchSize),
      begin(other.begin),
      status(std::move(other.status)) {
  if (model) model->prediction_ = this;
}

PausedPrediction::~PausedPrediction() {
  if (!model) return;
  model->predicting_->executor->restart();
  model->prediction_ = nullptr;
}

}  // namespace fjord
