#include "nn/fit.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace fjord {

using namespace arguments;

// ---- callbacks

namespace {

// "verbose" is of printing, which whoever drives the training does.
constexpr Argument kVerbose[] = {json("verbose")};
constexpr Argument kWatching[] = {text("monitor", "val_loss"), choice("mode", "auto|min|max"),
                                  also(kVerbose)};
constexpr Argument kEarlyStopping[] = {
    number("min_delta", kFinite, 0),      whole("patience", kIndex, 0),
    number("baseline", kFinite),          flag("restore_best_weights", false),
    whole("start_from_epoch", kIndex, 0), also(kWatching)};
constexpr Argument kReduceRate[] = {
    number("factor", kBelowOne, 0.1),   whole("patience", kIndex, 10),
    number("min_delta", kFinite, 1e-4), whole("cooldown", kIndex, 0),
    number("min_lr", kNotNegative, 0),  also(kWatching)};
constexpr Argument kCheckpoint[] = {text("filepath").isNeeded(),
                                    flag("save_best_only", false),
                                    only("save_weights_only", "false"),
                                    only("save_freq", "\"epoch\""),
                                    number("initial_value_threshold", kFinite),
                                    also(kWatching)};
constexpr Argument kTerminate[] = {only("raise_error", "false"), also(kVerbose)};

// In the order of Callback::Kind.
constexpr Named kCallbacks[] = {{"early_stopping", kEarlyStopping},
                                {"reduce_lr_on_plateau", kReduceRate},
                                {"model_checkpoint", kCheckpoint},
                                {"terminate_on_nan", kTerminate}};

}  // namespace

Table callbackTable() {
  return {"callback", {std::begin(kCallbacks), std::end(kCallbacks)}, {}, [](const Json& j) {
            auto c = chosen("callback", kCallbacks, j);
            return c ? Status() : std::unexpected(c.error());
          }};
}

/// Watches one value from epoch to epoch.
struct Fit::Callback {
  enum Kind { kEarlyStopping, kReduceRate, kCheckpoint, kTerminateOnNaN } kind;
  std::string monitor = "val_loss", path;
  bool larger = false;  // whether larger is better
  double minDelta = 0, factor = 0.1, minRate = 0, best = 0, baseline = 0;
  int patience = 0, cooldown = 0, coolingLeft = 0, waited = 0, startFrom = 0;
  bool seen = false, restore = false, hasBaseline = false, onlyBest = true;
  std::vector<Tensor> bestWeights;

  bool improves(double value) const {
    if (!seen && hasBaseline)
      return larger ? value - minDelta > baseline : value + minDelta < baseline;
    return !seen || (larger ? value - minDelta > best : value + minDelta < best);
  }
};

namespace {

int batchesOf(size_t samples, int batchSize) {
  return static_cast<int>((samples + batchSize - 1) / batchSize);
}

/// The path of a checkpoint: "{epoch}" stands for the number of the epoch, from 1.
std::string atEpoch(const std::string& path, int epoch) {
  constexpr std::string_view kMark = "{epoch}";
  size_t at = path.find(kMark);
  if (at == std::string::npos) return path;
  return cat(path.substr(0, at), epoch, path.substr(at + kMark.size()));
}

Status copyWeights(const std::vector<Weight>& from, std::vector<Tensor>& to) {
  to.clear();
  for (const Weight& w : from) {
    FJORD_TRY(Tensor t, w.value.copy());
    to.push_back(std::move(t));
  }
  return {};
}

}  // namespace

Status Fit::addCallbacks() {
  if (options_.callbacks.is_null()) return {};
  if (!options_.callbacks.is_array())
    return fail("callbacks must be a list, got ", shown(options_.callbacks));
  for (const Json& j : options_.callbacks) {
    FJORD_TRY(auto chosenOne, chosen("callback", kCallbacks, j));
    const auto& [row, f] = chosenOne;
    auto callback = std::make_shared<Callback>();
    callback->kind = static_cast<Callback::Kind>(row - kCallbacks);
    callbacks_.push_back(callback);
    if (callback->kind == Callback::kTerminateOnNaN) continue;
    callback->monitor = f.text("monitor");
    bool isAccuracy = callback->monitor.find("acc") != std::string::npos;
    callback->larger = f.choice("mode") == "max" || (f.choice("mode") == "auto" && isAccuracy);
    const char* first = "baseline";
    if (callback->kind == Callback::kCheckpoint) {
      callback->path = f.text("filepath");
      callback->onlyBest = f.flag("save_best_only");
      first = "initial_value_threshold";
    } else {
      callback->minDelta = std::fabs(f.number("min_delta"));
      callback->patience = f.whole("patience");
    }
    if (callback->kind == Callback::kReduceRate) {
      callback->factor = f.number("factor");
      callback->minRate = f.number("min_lr");
      callback->cooldown = f.whole("cooldown");
      continue;
    }
    callback->hasBaseline = f.has(first);
    if (f.has(first)) callback->baseline = f.number(first);
    if (callback->kind == Callback::kCheckpoint) continue;
    callback->startFrom = f.whole("start_from_epoch");
    callback->restore = f.flag("restore_best_weights");
  }
  return {};
}

Status Fit::endEpoch() {
  for (auto& callback : callbacks_) {
    Callback& c = *callback;
    if (c.kind == Callback::kTerminateOnNaN || epoch_ < c.startFrom) continue;
    if (!c.onlyBest) {
      checkpoints_.push_back(atEpoch(c.path, epoch_ + 1));
      continue;
    }
    auto entry = std::ranges::find(logs_, c.monitor, &Logs::value_type::first);
    if (entry == logs_.end()) {
      return fail("a callback watches \"", c.monitor,
                  "\", which is not among the logs; add validation data or watch another");
    }
    if (c.coolingLeft > 0) {
      --c.coolingLeft;
      c.waited = 0;
    }
    if (c.improves(entry->second)) {
      c.best = entry->second;
      c.seen = true;
      c.waited = 0;
      if (c.restore) FJORD_CHECK(copyWeights(model_.weights(), c.bestWeights));
      if (c.kind == Callback::kCheckpoint) checkpoints_.push_back(atEpoch(c.path, epoch_ + 1));
      continue;
    }
    if (c.kind == Callback::kCheckpoint) continue;
    if (c.kind == Callback::kReduceRate && c.coolingLeft > 0) continue;
    if (++c.waited < std::max(1, c.patience)) continue;
    if (c.kind == Callback::kReduceRate) {
      model_.setRate(std::max(model_.rate() * c.factor, c.minRate));
      c.coolingLeft = c.cooldown;
      c.waited = 0;
    } else {
      stopping_ = true;
      reason_ = cat(c.monitor, " has not improved for ", c.waited, " epochs");
    }
  }
  bool last = stopping_ || epoch_ + 1 >= options_.epochs;
  for (auto& callback : callbacks_) {
    if (!last || callback->bestWeights.empty()) continue;
    for (size_t i = 0; i < callback->bestWeights.size(); ++i) {
      const Tensor& best = callback->bestWeights[i];
      std::memcpy(model_.mutableWeights()[i].value.view().data, best.view().data,
                  static_cast<size_t>(best.type().bytes()));
    }
  }
  return {};
}

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

Result<int32_t> checked(const Model& model, const Samples& s, std::string_view what) {
  Status status = model.check({.x = s.x, .y = s.y, .weights = s.weights});
  if (!status) return fail(what, ": ", status.error().message);
  int32_t count = s.x[0].shape()[0];
  if (count < 1) return fail(what, ": there are no samples");
  return count;
}

/// The part of classWeight that is of each output.
Result<std::vector<Json>> byOutput(const Model& model, const Json& given) {
  size_t count = model.outputTypes().size();
  std::vector<Json> parts(count);
  if (given.is_null() || given.empty()) return parts;
  bool byName = given.is_object() &&
                std::ranges::any_of(given, [](const Json& part) { return part.is_object(); });
  if (given.is_array() ? given.size() != count : !given.is_object() || (!byName && count > 1))
    return fail(
        "classWeight is to be an object of weights by class, for a model with several "
        "outputs a list of ",
        count, " such, or one for each name of an output; got ", jsonText(given));
  if (!given.is_array() && !byName) parts[0] = given;
  for (size_t i = 0; i < count && given.is_array(); ++i) parts[i] = given[i];
  for (auto it = given.begin(); byName && it != given.end(); ++it) {
    size_t i = 0;
    while (i < count && model.outputName(i) != it.key()) ++i;
    if (i == count) return fail("classWeight: the model has no output ", it.key());
    parts[i] = it.value();
  }
  return parts;
}

}  // namespace

/// The weight of a sample is that of its class: the largest of a one-hot label, or the label itself;
/// times the sample's own.
Status Fit::weighClasses(size_t output, const Json& byClass) {
  const Tensor& y = samples_.y[output];
  if (y.shape().rank() > 2)
    return fail("classWeight needs labels [samples] or [samples, classes], those of ",
                model_.outputName(output), " are ", y.shape());
  if (!byClass.is_object())
    return fail("classWeight has weights by class, such as {\"0\": 1}, got ", jsonText(byClass));
  auto number = [](const Tensor& t, int64_t i) -> double {
    return t.dtype() == DType::kF32 ? t.data<float>()[i] : t.data<int32_t>()[i];
  };
  int64_t n = y.shape()[0], classes = y.size() / n;
  auto classOf = [&](int64_t i) {
    if (classes == 1) return number(y, i);
    int64_t best = 0;
    for (int64_t k = 1; k < classes; ++k)
      best = number(y, i * classes + k) > number(y, i * classes + best) ? k : best;
    return static_cast<double>(best);
  };
  Tensor& own = samples_.weights[output];
  FJORD_TRY(Tensor weights, Tensor::empty({DType::kF32, {static_cast<int32_t>(n)}}));
  for (int64_t i = 0; i < n; ++i) {
    double k = classOf(i);
    bool isWhole = std::fabs(k) < 1e15 && k == std::floor(k);
    std::string key = isWhole ? cat(static_cast<int64_t>(k)) : cat(k);
    const Json& weight = member(byClass, key.c_str());
    if (!weight.is_number())
      return fail("classWeight must contain all classes in the training data: class ", k,
                  " of sample ", i, " has ",
                  weight.is_null() ? "no weight" : cat("the weight ", jsonText(weight)));
    weights.data<float>()[i] = weight.get<float>() * static_cast<float>(own ? number(own, i) : 1);
  }
  own = weights;
  return {};
}

Status Fit::addClassWeights() {
  FJORD_TRY(std::vector<Json> parts, byOutput(model_, options_.classWeight));
  if (std::ranges::all_of(parts, [](const Json& part) { return part.is_null(); })) return {};
  // Each output has weights of its own now.
  Tensor shared = samples_.weights.size() == 1 ? samples_.weights[0] : Tensor();
  samples_.weights.resize(parts.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    if (shared) samples_.weights[i] = shared;
    if (!parts[i].is_null()) FJORD_CHECK(weighClasses(i, parts[i]));
  }
  return {};
}

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
  if (batch_ == 0 && begun_ == 0 && !paused_.isActive()) done_ = true;
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
  if (!stopping_) FJORD_CHECK(endEpoch());
  ++epoch_;
  done_ = stopping_ || epoch_ >= options_.epochs;
  if (!done_) startEpoch();
  return kEpochEnd;
}

}  // namespace fjord
