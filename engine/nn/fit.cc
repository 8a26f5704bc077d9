#include "nn/fit.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "nn/callbacks.h"

namespace fjord {

using namespace arguments;

// ---- options

namespace {

constexpr Argument kFitOptions[] = {
    whole("epochs", kIndex, 1),
    whole("initial_epoch", kIndex, 0),
    whole("batch_size", kCount, 32),
    flag("shuffle", true),
    number("validation_split", kBelowOne, 0),
    json("class_weight"),
    json("callbacks"),
};

}  // namespace

Table fitTable() {
  return {"options", {{"fit", kFitOptions}}, {}, [](const Json& options) {
            auto o = FitOptions::of(options);
            return o ? Status() : std::unexpected(o.error());
          }};
}

Result<FitOptions> FitOptions::of(const Json& options) {
  Result<Fields> fields = Fields::of("fit", kFitOptions, options);
  if (!fields) return fail("fit: ", fields.error().message);
  const Fields& f = *fields;
  FitOptions o;
  o.epochs = f.whole("epochs");
  o.initialEpoch = f.whole("initial_epoch");
  o.batchSize = f.whole("batch_size");
  o.shuffle = f.flag("shuffle");
  o.validationSplit = f.number("validation_split");
  o.classWeight = f.json("class_weight");
  o.callbacks = f.json("callbacks");
  if (o.initialEpoch > o.epochs)
    return fail("initialEpoch must be at most epochs, got ", o.initialEpoch, " and ", o.epochs);
  return o;
}

// ---- samples

namespace {

int batchesOf(size_t samples, int batchSize) {
  return static_cast<int>((samples + batchSize - 1) / batchSize);
}

Result<int32_t> checked(const Model& model, const Samples& s, std::string_view what) {
  Status status = model.check({.x = s.x, .y = s.y, .weights = s.weights});
  if (!status) return fail(what, ": ", status.error().message);
  int32_t count = s.x[0].shape()[0];
  if (count < 1) return fail(what, ": there are no samples");
  return count;
}

}  // namespace

Status Fit::prepare(Samples samples, Samples validation) {
  if (options_.batchSize < 1 || options_.epochs < 0) {
    return fail("batchSize must be at least 1 and epochs at least 0, got ", options_.batchSize,
                " and ", options_.epochs);
  }
  samples_ = std::move(samples);
  validation_ = std::move(validation);
  FJORD_TRY(int32_t count, checked(model_, samples_, evaluating_ ? "evaluate" : "fit"));
  FJORD_CHECK(addCallbacks());
  order_.resize(count);
  std::iota(order_.begin(), order_.end(), 0);
  if (!validation_.x.empty()) {
    FJORD_TRY(int32_t n, checked(model_, validation_, "validation data"));
    validationOrder_.resize(n);
    std::iota(validationOrder_.begin(), validationOrder_.end(), 0);
  } else if (options_.validationSplit > 0) {
    int32_t kept = static_cast<int32_t>(std::floor(count * (1 - options_.validationSplit)));
    if (kept < 1 || kept >= count)
      return fail("validationSplit ", options_.validationSplit, " leaves nothing of ", count,
                  " samples");
    validation_ = samples_;
    validationOrder_.assign(order_.begin() + kept, order_.end());
    order_.resize(kept);
  }
  // What is held out for validation counts as it is.
  FJORD_CHECK(addClassWeights());
  batches_ = batchesOf(order_.size(), options_.batchSize);
  epoch_ = options_.initialEpoch;
  done_ = epoch_ >= options_.epochs;
  if (!done_) startEpoch();
  batch_ = options_.initialBatch;
  if (batch_ < 0 || batch_ > batches_)
    return fail("initialBatch ", batch_, " is outside the ", batches_, " batches of an epoch");
  return {};
}

Result<std::unique_ptr<Fit>> Fit::begin(Model& model, Samples samples, const FitOptions& options,
                                        Samples validation) {
  std::unique_ptr<Fit> fit(new Fit(model, options));
  FJORD_CHECK(fit->prepare(std::move(samples), std::move(validation)));
  return fit;
}

Result<std::unique_ptr<Fit>> Fit::evaluation(Model& model, Samples samples, int batchSize) {
  FitOptions options;
  options.batchSize = batchSize;
  options.shuffle = false;
  std::unique_ptr<Fit> fit(new Fit(model, options));
  fit->evaluating_ = true;
  FJORD_CHECK(fit->prepare(std::move(samples), {}));
  return fit;
}

// ---- batches

void Fit::startEpoch() {
  batch_ = validationBatch_ = 0;
  totals_.clear();
  validationTotals_.clear();
  if (!options_.shuffle) return;
  // The order is a function of the seed and the epoch alone, so that a resumed run sees the same
  // one. Fisher and Yates.
  std::ranges::sort(order_);
  Random random(model_.seed(), 0x5f5f0000u + static_cast<uint32_t>(epoch_));
  for (size_t i = order_.size(); i > 1; --i)
    std::swap(order_[i - 1], order_[random.below(static_cast<uint32_t>(i))]);
}

Fit::~Fit() {
  if (begun_ > 0) model_.abandon();
  showAverages(false);
}

int Fit::validationBatches() const {
  return batchesOf(validationOrder_.size(), options_.batchSize);
}

Model::Mode Fit::mode() const {
  return isTraining() && !evaluating_ ? Model::kTrain : Model::kTest;
}

/// Of the samples to train on, or once these are through, of those to validate with.
Batch Fit::batchAt(int number) const {
  const Samples& samples = isTraining() ? samples_ : validation_;
  std::span<const int32_t> order = isTraining() ? order_ : validationOrder_;
  size_t begin = static_cast<size_t>(number) * options_.batchSize;
  size_t count = std::min<size_t>(options_.batchSize, order.size() - begin);
  return {.x = samples.x,
          .y = samples.y,
          .weights = samples.weights,
          .rows = order.subspan(begin, count),
          .isChecked = true};
}

Result<bool> Fit::beginBatch() {
  if (done_ || stopping_ || !model_.isOnGpu() || paused_.isActive()) return false;
  if (model_.hasAverages() && mode() == Model::kTrain)
    return fail(
        "fit: with use_ema weights become their averages at the end, which is not done on a "
        "GPU: train with the backend 'wasm'");
  if (begun_ == 0 && model_.hasBegun())
    return fail("the model has batches of another fit on their way on the GPU: await that first");
  int number = (isTraining() ? batch_ : validationBatch_) + begun_;
  if (number >= (isTraining() ? batches_ : validationBatches())) return false;
  Status begun = model_.begin(mode(), batchAt(number));
  if (!begun) done_ = true;
  FJORD_CHECK(begun);
  ++begun_;
  return true;
}

/// Whether the batch is through.
[[gnu::always_inline]] inline Result<bool> Fit::runBatch(Totals& totals, const Budget* budget) {
  // What has begun here ends here, also where the model has gone to a GPU meanwhile.
  if (!model_.isOnGpu() || paused_.isActive()) {
    Batch batch = batchAt(isTraining() ? batch_ : validationBatch_);
    return model_.run(mode(), batch, totals, paused_, budget);
  }
  if (begun_ == 0) return fail("fit: no batch has begun on the GPU");
  --begun_;
  FJORD_CHECK(model_.finish(totals));
  return true;
}

void Fit::stop() {
  stopping_ = true;
  if (reason_.empty()) reason_ = "stopTraining was set";
  paused_.drop();
  // Of an epoch without a batch there is nothing to tell.
  if (batch_ > 0 || begun_ > 0 || paused_.isActive()) return;
  done_ = true;
  if (epoch_ > options_.initialEpoch) useBest();
}

Result<Fit::Event> Fit::advance(const Budget* budget) {
  // Whoever stops waits for the end.
  Result<Event> event = next(stopping_ ? nullptr : budget);
  // Whoever asks only whether it is done must not ask for ever.
  if (!event) done_ = true;
  return event;
}

[[gnu::always_inline]] inline Result<Fit::Event> Fit::next(const Budget* budget) {
  if (done_) return fail("fit: training is over");
  // stop() ends the epoch here: no further batch is trained. What has begun is finished.
  bool goesOn = !stopping_ || begun_ > 0 || paused_.isActive();
  if (isTraining() && goesOn) {
    showAverages(false);
    batchTotals_.clear();
    FJORD_TRY(bool isThrough, runBatch(batchTotals_, budget));
    if (!isThrough) return kPaused;
    ++batch_;
    totals_.add(batchTotals_);
    model_.writeLogs(batchTotals_, batchLogs_);
    model_.writeLogs(totals_, logs_);
    bool watchesNaN = std::ranges::any_of(
        callbacks_, [](auto& c) { return c->kind == Callback::kTerminateOnNaN; });
    if (watchesNaN && !std::isfinite(logs_[0].second)) {
      stopping_ = true;
      reason_ =
          cat("the loss is ", logs_[0].second, " in batch ", batch_, " of epoch ", epoch_ + 1);
    }
    if (evaluating_) done_ = batch_ == batches_;
    return kBatchEnd;
  }
  if (validationBatch_ < validationBatches() && goesOn) {
    showAverages(true);
    FJORD_TRY(bool isThrough, runBatch(validationTotals_, budget));
    if (!isThrough) return kPaused;
    ++validationBatch_;
    return kValidationBatch;
  }
  if (validationBatch_ > 0) {
    for (auto& [name, value] : model_.logs(validationTotals_))
      logs_.push_back({"val_" + name, value});
  }
  checkpoints_.clear();
  showAverages(false);
  if (stopping_) {
    useBest();
  } else {
    FJORD_CHECK(endEpoch());
  }
  ++epoch_;
  done_ = stopping_ || epoch_ >= options_.epochs;
  if (!done_) startEpoch();
  return kEpochEnd;
}

}  // namespace fjord
