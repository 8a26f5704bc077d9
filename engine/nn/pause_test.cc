// Training and predictions that stop and go on, and are stopped in between: the model is always that
// after a whole step.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "nn/fit.h"

namespace fjord {
namespace {

Samples samples(int n) {
  Random random(3);
  Samples s;
  Tensor x = *Tensor::zeros({DType::kF32, {n, 6}}), y = *Tensor::zeros({DType::kF32, {n, 3}});
  for (float& v : x.span<float>()) v = random.normal();
  for (int i = 0; i < n; ++i) y.data<float>()[3 * i + i % 3] = 1;
  return {{x}, {y}, {}};
}

// What a step may leave behind: weights, moving averages, the optimizer's state, random numbers.
const char* kNetwork = R"({"class_name": "Sequential", "config": {"name": "m", "layers": [
  {"class_name": "Dense", "config": {"units": 16, "batch_input_shape": [null, 6]}},
  {"class_name": "BatchNormalization", "config": {"momentum": 0.7}},
  {"class_name": "Activation", "config": {"activation": "relu"}},
  {"class_name": "Dropout", "config": {"rate": 0.3}},
  {"class_name": "Dense", "config": {"units": 3, "activation": "softmax"}}]}})";
const char* kOptions =
    R"({"optimizer": "adam", "loss": "categoricalCrossentropy", "metrics": ["accuracy"]})";

struct Trained {
  std::unique_ptr<Model> model;
  std::unique_ptr<Fit> fit;

  explicit Trained(Threads& threads, const FitOptions& options = {.epochs = 2, .batchSize = 8}) {
    model = std::move(*Model::fromJson(*parseJson(kNetwork), threads, {.seed = 4}));
    EXPECT_TRUE(model->compile(*parseJson(kOptions)));
    auto made = Fit::begin(*model, samples(30), options, samples(10));
    EXPECT_TRUE(made) << made.error().message;
    fit = std::move(*made);
  }
  Fit::Event advance(const Budget* budget = nullptr) {
    auto event = fit->advance(budget);
    EXPECT_TRUE(event) << event.error().message;
    return event ? *event : Fit::kEpochEnd;
  }
  /// One step whole, then up to so many stops of the next: kPaused where that has more of them.
  Fit::Event advanceToSecond(int stop);
};

void expectSame(std::span<const Weight> a, std::span<const Weight> b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    const Tensor &x = a[i].value, &y = b[i].value;
    EXPECT_EQ(0, std::memcmp(x.view().data, y.view().data, x.type().bytes())) << a[i].name;
  }
}
void expectSame(Model& a, Model& b) {
  expectSame(a.weights(), b.weights());
  expectSame(a.slots(), b.slots());
  EXPECT_EQ(a.step(), b.step());
}
bool isSame(const Tensor& a, const Tensor& b) {
  return std::memcmp(a.view().data, b.view().data, a.type().bytes()) == 0;
}

double late() { return 1e300; }
/// Over after every step of the plan.
Budget oneStep(Budget::Clock clock = late) {
  Budget budget(0, clock);
  budget.betweenLooks = 0;
  return budget;
}
const Budget kOneStep = oneStep();

Fit::Event Trained::advanceToSecond(int stop) {
  advance();
  Fit::Event event = Fit::kPaused;
  for (int i = 0; i < stop && event == Fit::kPaused; ++i) event = advance(&kOneStep);
  return event;
}

TEST(Pause, ATrainingThatStopsEverywhereIsTheSame) {
  Threads two(2);
  Trained whole(two), cut(two);
  int pauses = 0;
  while (!whole.fit->done()) {
    Fit::Event event = whole.advance(), other;
    while ((other = cut.advance(&kOneStep)) == Fit::kPaused) ++pauses;
    ASSERT_EQ(event, other);
    EXPECT_EQ(whole.fit->logs(), cut.fit->logs());
    EXPECT_EQ(whole.fit->batchLogs(), cut.fit->batchLogs());
    expectSame(*whole.model, *cut.model);
  }
  EXPECT_TRUE(cut.fit->done());
  EXPECT_GT(pauses, 100);
}

/// Stopped at each place of two batches and their validation, a model has taken whole steps.
TEST(Pause, WhatIsStoppedWithinAStepIsDroppedOrEnds) {
  Threads one(1);
  int dropped = 0, ended = 0;
  for (int stop = 1;; ++stop) {
    SCOPED_TRACE(stop);
    Trained cut(one, {.epochs = 1, .batchSize = 16});
    int pauses = 0, through = 0;
    while (pauses < stop && !cut.fit->done()) {
      Fit::Event event = cut.advance(&kOneStep);
      pauses += event == Fit::kPaused;
      through += event == Fit::kBatchEnd;
    }
    if (cut.fit->done()) break;
    cut.fit->stop();
    while (!cut.fit->done()) ASSERT_NE(cut.advance(&kOneStep), Fit::kPaused);
    int taken = cut.fit->batch();
    ASSERT_TRUE(taken == through || taken == through + 1);
    (taken == through ? dropped : ended) += 1;
    Trained whole(one, {.epochs = 1, .batchSize = 16});
    for (int i = 0; i < taken; ++i) ASSERT_EQ(whole.advance(), Fit::kBatchEnd);
    if (taken == 0) {
      // The first step makes the optimizer's state.
      expectSame(whole.model->weights(), cut.model->weights());
      for (const Weight& slot : cut.model->slots())
        for (float v : slot.value.span<float>()) EXPECT_EQ(v, 0) << slot.name;
      EXPECT_EQ(cut.model->step(), 0);
      EXPECT_TRUE(cut.fit->logs().empty());
    } else {
      expectSame(*whole.model, *cut.model);
    }
    EXPECT_EQ(cut.fit->reason(), "stopTraining was set");
  }
  EXPECT_GT(dropped, 20);
  EXPECT_GT(ended, 0);
}

/// The fit is given up where a step has stopped: as if it had been stopped there.
TEST(Pause, AFitThatIsFreedLeavesAWholeStep) {
  Threads one(1);
  Trained before(one), after(one);
  before.advance();
  after.advance();
  after.advance();
  int steps[2] = {};
  for (int stop = 1;; ++stop) {
    SCOPED_TRACE(stop);
    Trained cut(one);
    Fit::Event event = cut.advanceToSecond(stop);
    if (event != Fit::kPaused) break;
    cut.fit.reset();
    expectSame(*cut.model, *(cut.model->step() == 1 ? before : after).model);
    ++steps[cut.model->step() - 1];
  }
  EXPECT_GT(steps[0], 10);
  EXPECT_GT(steps[1], 0);
}

/// What is asked in the middle of a step is answered by the model before it, or after it.
TEST(Pause, OthersSeeWholeSteps) {
  Threads one(1);
  Trained before(one), after(one);
  before.advance();
  after.advance();
  after.advance();
  Samples s = samples(12);
  std::vector<Tensor> old = *before.model->predict(s.x), next = *after.model->predict(s.x);
  ASSERT_FALSE(isSame(old[0], next[0]));
  int seen[2] = {};
  for (int stop = 1;; ++stop) {
    SCOPED_TRACE(stop);
    Trained cut(one);
    Fit::Event event = cut.advanceToSecond(stop);
    if (event != Fit::kPaused) break;
    std::vector<Tensor> got = *cut.model->predict(s.x);
    bool isOld = isSame(got[0], old[0]);
    EXPECT_TRUE(isOld || isSame(got[0], next[0]));
    ++seen[isOld ? 0 : 1];
    // Another step of the same model ends this one first, and leaves its result.
    Totals totals;
    ASSERT_TRUE(cut.model->run(Model::kTest, {.x = s.x, .y = s.y}, totals));
    EXPECT_EQ(totals.samples, 12);
    EXPECT_EQ(cut.model->step(), 2);
    while (event == Fit::kPaused) event = cut.advance(&kOneStep);
    EXPECT_EQ(event, Fit::kBatchEnd);
    expectSame(*cut.model, *after.model);
    EXPECT_EQ(cut.fit->logs(), after.fit->logs());
  }
  EXPECT_GT(seen[0], 10);
  EXPECT_GT(seen[1], 0);
}

TEST(Pause, APredictionThatStopsIsTheSame) {
  Threads one(1);
  Trained t(one);
  Samples s = samples(30);
  std::vector<Tensor> want = *t.model->predict(s.x, 8);
  // Alone; with a change of the weights, another prediction, a training step meanwhile.
  for (int what = 0; what < 4; ++what) {
    SCOPED_TRACE(what);
    Trained u(one);
    PausedPrediction prediction;
    auto done = u.model->predict(s.x, 8, prediction, &kOneStep);
    ASSERT_TRUE(done) << done.error().message;
    int pauses = 0;
    for (; !*done && prediction.model; ++pauses) {
      if (pauses == 7 && what == 1)
        for (Weight& w : u.model->mutableWeights()) std::ranges::fill(w.value.span<float>(), 0.5f);
      if (pauses == 7 && what == 2) ASSERT_TRUE(u.model->predict(s.x, 8));
      if (pauses == 7 && what == 3) u.advance();
      if (prediction.model) done = u.model->goOn(prediction, &kOneStep);
      ASSERT_TRUE(done);
    }
    EXPECT_TRUE(prediction.status);
    if (what == 0) EXPECT_GT(pauses, 10);
    if (what) EXPECT_EQ(pauses, 8);
    EXPECT_TRUE(isSame(prediction.outputs[0], want[0]));
  }
  // Given up halfway, the next one begins anew.
  {
    PausedPrediction prediction;
    ASSERT_FALSE(*t.model->predict(s.x, 8, prediction, &kOneStep));
  }
  EXPECT_TRUE(isSame((*t.model->predict(s.x, 8))[0], want[0]));
}

double clock100 = 0;
double hundredAtATime() { return clock100 += 100; }

/// Where the end of a step takes long, the next ones assign at their very end.
TEST(Pause, LongStepsAssignLast) {
  Threads one(1);
  Trained whole(one), cut(one);
  StepMemory before = *cut.model->stepMemory(Model::kTrain, 8);
  Budget budget = oneStep(hundredAtATime);
  while (!whole.fit->done()) {
    whole.advance();
    while (cut.advance(&budget) == Fit::kPaused) {
    }
    expectSame(*whole.model, *cut.model);
  }
  StepMemory after = *cut.model->stepMemory(Model::kTrain, 8);
  // Planned otherwise now: gradients are in memory, what they are computed from is not for so long.
  EXPECT_NE(after.live, before.live);
  EXPECT_EQ(whole.model->stepMemory(Model::kTrain, 8)->live, before.live);
}

}  // namespace
}  // namespace fjord
