// Fit: training over epochs, one batch at a time, so that whoever drives it can draw a progress
// bar, answer events or stop between any two batches. Evaluate: the same over one pass without
// training.
//
//   FJORD_TRY(auto fit, Fit::begin(*model, {.x = x, .y = y}, {.epochs = 5, .batchSize = 64}));
//   while (!fit->done()) {
//     FJORD_TRY(Fit::Event event, fit->advance());
//     if (event == Fit::kEpochEnd) print(fit->epoch(), fit->logs());
//   }
//
// With a budget advance() may stop in the middle of a batch, and goes on there at the next call. What is
// stopped then is dropped if it has changed nothing yet, and else run to its end: the model is always that
// after a whole step.
#pragma once

#include <memory>

#include "nn/model.h"

namespace fjord {

/// Arrays whose axis 0 counts samples; held by reference count, not copied.
struct Samples {
  std::vector<Tensor> x, y;
  std::vector<Tensor> weights = {};  // as Batch::weights
};

/// As whoever drives the training says them: numbers are within their ranges.
struct FitOptions {
  /// {"epochs", "batchSize", ..}: all of the members below by their names.
  static Result<FitOptions> of(const Json& options);

  int epochs = 1, initialEpoch = 0, batchSize = 32;
  /// Batches of the first epoch that are left out: where a run that was stopped goes on.
  int initialBatch = 0;
  bool shuffle = true;
  double validationSplit = 0;  // the last part of the samples, taken before shuffling
  /// {"0": 1.0, "1": 2.5}; where there are several outputs a list of such, or {output: such}.
  Json classWeight = {};
  /// EarlyStopping, ReduceLROnPlateau, ModelCheckpoint, TerminateOnNaN, SwapEMAWeights as Keras
  /// writes them.
  Json callbacks = {};
};

Table callbackTable();
Table fitTable();

class Fit {
 public:
  ~Fit();
  enum Event { kBatchEnd, kValidationBatch, kEpochEnd, kPaused };

  static Result<std::unique_ptr<Fit>> begin(Model& model, Samples samples,
                                            const FitOptions& options, Samples validation = {});
  /// One pass over the samples without training; its logs stand after the last batch.
  static Result<std::unique_ptr<Fit>> evaluation(Model& model, Samples samples, int batchSize);

  /// Runs one batch. After the last one of an epoch come its validation batches, then kEpochEnd.
  /// An error ends the training. kPaused: the budget was over before the batch was through.
  Result<Event> advance(const Budget* budget = nullptr);
  /// For a model on a GPU, whose steps are run by whoever drives the training: begins a batch, after
  /// those that have begun; false where the next thing to do is another, or needs their results.
  /// advance() then finishes the first of them.
  Result<bool> beginBatch();
  /// Of the next batch.
  Model::Mode mode() const;
  bool done() const { return done_; }
  void stop();

  int epoch() const { return epoch_; }
  int batch() const { return batch_; }
  int batches() const { return batches_; }
  /// Of the next batch.
  int batchSamples() const {
    return std::min(options_.batchSize,
                    static_cast<int>(order_.size()) - batch_ * options_.batchSize);
  }
  /// Of the epoch so far; after kEpochEnd with val_ entries.
  const Logs& logs() const { return logs_; }
  /// Of the last batch alone.
  const Logs& batchLogs() const { return batchLogs_; }
  /// Why training ended before its last epoch; empty if it did not.
  const std::string& reason() const { return reason_; }
  /// After kEpochEnd: the places, as ModelCheckpoint names them, that the model is to be saved to
  /// now. Whoever drives the training knows how.
  const std::vector<std::string>& checkpoints() const { return checkpoints_; }

 private:
  struct Callback;

  Fit(Model& model, const FitOptions& options) : model_(model), options_(options) {}
  Status prepare(Samples samples, Samples validation);
  Status addClassWeights();
  Status weighClasses(size_t output, const Json& weights);
  Status addCallbacks();
  void startEpoch();
  Status endEpoch();
  /// Whether the weights are their averages for a while, where a callback asks for it.
  void showAverages(bool shows);
  /// At the end of training: averages of the weights, or those of the best epoch, where that was asked for.
  void useBest();
  // This and runBatch become part of advance, so that a kernel is the fifth call from the border.
  Result<Event> next(const Budget* budget);
  bool isTraining() const { return batch_ < batches_; }
  int validationBatches() const;
  Batch batchAt(int number) const;
  Result<bool> runBatch(Totals& totals, const Budget* budget);

  Model& model_;
  FitOptions options_;
  Samples samples_, validation_;
  std::vector<int32_t> order_, validationOrder_;
  std::vector<std::shared_ptr<Callback>> callbacks_;
  Totals totals_, batchTotals_, validationTotals_;
  Logs logs_, batchLogs_;
  std::string reason_;
  std::vector<std::string> checkpoints_;
  int epoch_ = 0, batch_ = 0, batches_ = 0, validationBatch_ = 0;
  /// Batches that have begun on a GPU and are not finished.
  int begun_ = 0;
  /// The batch that has begun here and stopped.
  PausedStep paused_;
  bool done_ = false, stopping_ = false, evaluating_ = false;
  bool swapsAverages_ = false, showsAverages_ = false;
};

}  // namespace fjord
