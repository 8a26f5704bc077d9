// Trainings, schedules and optimizers against Keras's. check/goldens/nn_*.py made the files and say what a case
// holds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "nn/fit.h"
#include "nn/model.h"
#include "nn/optimizers.h"
#include "run/cpu.h"
#include "testing/keras_cases.h"

namespace fjord {
namespace {

// ---- training ----------------------------------------------------------------------------------

/// Keras's name of a weight, "layer/weight".
std::string kerasName(const Json& named, std::string name) {
  // Keras 3 calls every kernel so; the names here are those of TensorFlow.js.
  if (size_t at = name.find("/depthwise_kernel"); at != name.npos && !named.contains(name))
    name.replace(at, name.npos, "/kernel");
  return name;
}

void setWeights(const Goldens& goldens, const Json& named, Model& model) {
  ASSERT_EQ(model.weights().size(), named.size());
  auto keras = named.items().begin();
  for (Weight& w : model.mutableWeights()) {
    std::string name = kerasName(named, w.name);
    EXPECT_EQ(name, (keras++).key());
    Tensor value = goldens.tensor(member(named, name.c_str()));
    ASSERT_EQ(cat(w.value.type()), cat(value.type())) << name;
    std::ranges::copy(value.span<float>(), w.value.data<float>());
  }
}

/// The values after step `step` from values after all steps, [steps, ..].
Tensor atStep(const Tensor& all, int step) {
  Shape shape(std::span(all.shape().begin() + 1, all.shape().end()));
  std::span<const float> values = all.span<float>();
  return *Tensor::of(shape, values.subspan(step * shape.size(), shape.size()));
}

void expectWeights(const Goldens& goldens, const Json& c, Model& model, int step, bool last) {
  for (const Weight& w : model.weights()) {
    const Json &every = member(c, "trajectory"), &after = member(c, "after");
    std::string name = kerasName(every.is_null() ? after : every, w.name);
    if (every.is_object())
      expectClose(w.value, atStep(goldens.tensor(member(every, name.c_str())), step), name, 1e-5);
    else if (last)
      expectClose(w.value, goldens.tensor(member(after, name.c_str())), name, 2e-4);
  }
}

void expectMetrics(const Json& c, const Logs& logs) {
  for (auto& [name, value] : member(c, "metrics").items()) {
    auto entry = std::ranges::find(logs, name, &Logs::value_type::first);
    ASSERT_NE(entry, logs.end()) << name;
    EXPECT_NEAR(entry->second, value.get<double>(), 2e-4) << name;
  }
}

std::vector<Tensor> tensorsOf(const Goldens& goldens, const Json& names) {
  std::vector<Tensor> list;
  for (const Json& name : names) list.push_back(goldens.tensor(name));
  return list;
}

/// The model predicts what stands under a name of the case.
Status checkPredictions(const Goldens& goldens, Model& model, const Json& c, const char* name) {
  FJORD_TRY(std::vector<Tensor> got, model.predict(tensorsOf(goldens, c["x"])));
  for (size_t i = 0; i < got.size(); ++i)
    expectClose(got[i], goldens.tensor(c[name][i]), cat("predictions ", name), 2e-4);
  return {};
}

/// A second model with some of the weights, where the case has one.
Result<std::unique_ptr<Model>> partOf(const Goldens& goldens, const Json& c, Model& model) {
  const Json& part = member(c, "part");
  if (part.is_null()) return nullptr;
  ModelOptions options;
  for (const Json& j : part["shared"])
    options.shared.push_back({j[0].get<std::string>(), &model, j[1].get<std::string>()});
  return Model::fromJson(part["model"], goldens.threads, options);
}

/// What a prediction has left in the weights, where the case says that it leaves something.
Status checkState(const Goldens& goldens, const Json& c, Model& model) {
  const Json& predicted = member(c, "predicted");
  if (predicted.is_null()) return {};
  Tensor x = goldens.tensor(predicted["x"]);
  FJORD_TRY(std::vector<Tensor> y, model.predict({&x, 1}, 4));
  expectClose(y[0], goldens.tensor(predicted["y"]), "predictions that move averages", 2e-4);
  for (const Weight& w : model.weights())
    expectClose(w.value, goldens.tensor(member(predicted["weights"], w.name.c_str())), w.name,
                2e-4);
  return {};
}

Status checkTraining(const Goldens& goldens, const Json& c, const Json& compile) {
  FJORD_TRY(auto model, Model::fromJson(c["model"], goldens.threads));
  setWeights(goldens, c["weights"], *model);
  FJORD_TRY(std::unique_ptr<Model> part, partOf(goldens, c, *model));
  if (part) FJORD_CHECK(checkPredictions(goldens, *part, c["part"], "before"));
  FJORD_CHECK(model->compile(compile));
  std::vector<Tensor> x = tensorsOf(goldens, c["x"]), y = tensorsOf(goldens, c["y"]), sampleWeight;
  if (c.contains("sample_weight")) sampleWeight = {goldens.tensor(c["sample_weight"])};
  Tensor losses = goldens.tensor(c["losses"]);
  int steps = static_cast<int>(losses.size()), samples = x[0].shape()[0];
  std::vector<int32_t> rows(intOr(c, "batch", 0));
  for (int step = 0; step < steps; ++step) {
    SCOPED_TRACE(cat("step ", step));
    for (size_t i = 0; i < rows.size(); ++i)
      rows[i] = static_cast<int32_t>((step * rows.size() + i) % samples);
    Totals totals;
    FJORD_CHECK(
        model->run(Model::kTrain, {.x = x, .y = y, .weights = sampleWeight, .rows = rows}, totals));
    float want = losses.data<float>()[step];
    Logs logs = model->logs(totals);
    EXPECT_NEAR(logs[0].second, want, 1e-4 * std::fabs(want)) << "loss";
    if (step + 1 == steps) expectMetrics(c, logs);
    expectWeights(goldens, c, *model, step, step + 1 == steps);
  }
  Totals test;
  FJORD_CHECK(model->run(Model::kTest, {.x = x, .y = y, .weights = sampleWeight}, test));
  double evaluation = numberOr(c, "evaluation", NAN);
  EXPECT_NEAR(model->logs(test)[0].second, evaluation, 2e-4 * std::fabs(evaluation));
  FJORD_CHECK(checkPredictions(goldens, *model, c, "predictions"));
  if (part) FJORD_CHECK(checkPredictions(goldens, *part, c["part"], "after"));
  return checkState(goldens, c, *model);
}

// ---- fit

/// Every entry of Keras's history at this epoch, and no other.
void expectHistory(const Json& history, const Logs& logs, int epoch) {
  EXPECT_EQ(logs.size(), history.size());
  for (const auto& [name, value] : logs) {
    const Json& values = member(history, name.c_str());
    ASSERT_LT(epoch, static_cast<int>(values.size())) << name << ": one epoch too many";
    double want = values[epoch].get<double>();
    EXPECT_NEAR(value, want, 1e-4 * (std::fabs(want) + 0.1)) << name;
  }
}

Status checkFit(const Goldens& goldens, const Json& c) {
  FJORD_TRY(auto model, Model::fromJson(c["model"], goldens.threads));
  setWeights(goldens, c["weights"], *model);
  FJORD_CHECK(model->compile(c["compile"]));
  Samples samples{{goldens.tensor(c["x"])}, {goldens.tensor(c["y"])}, {}}, validation;
  if (c.contains("sample_weight")) samples.weights = {goldens.tensor(c["sample_weight"])};
  if (c.contains("validation")) {
    validation = {{goldens.tensor(c["validation"][0])}, {goldens.tensor(c["validation"][1])}, {}};
  }
  const Json& o = c["options"];
  FJORD_TRY(auto fit, Fit::begin(*model, samples,
                                 {.epochs = intOr(o, "epochs", 0),
                                  .batchSize = intOr(o, "batch_size", 0),
                                  .shuffle = false,
                                  .validationSplit = numberOr(o, "validation_split", 0),
                                  .classWeight = member(o, "class_weight"),
                                  .callbacks = o["callbacks"]},
                                 validation));
  int epoch = 0;
  while (!fit->done()) {
    FJORD_TRY(Fit::Event event, fit->advance());
    if (event != Fit::kEpochEnd) continue;
    SCOPED_TRACE(cat("epoch ", epoch));
    expectHistory(c["history"], fit->logs(), epoch);
    const Json& rates = c["rates"];
    if (epoch < static_cast<int>(rates.size()))
      EXPECT_NEAR(model->rate(), rates[epoch].get<double>(), 1e-7);
    ++epoch;
  }
  EXPECT_EQ(epoch, static_cast<int>(c["history"]["loss"].size())) << "epochs";
  expectWeights(goldens, c, *model, epoch, true);
  return {};
}

TEST(KerasGolden, Fit) {
  Goldens goldens("nn_fit");
  each(goldens, [&](const Json& c) { return checkFit(goldens, c); });
}

Status checkSchedule(const Goldens& goldens, const Json& c, const Json& schedule) {
  Tensor rates = goldens.tensor(c["rates"]);
  FJORD_TRY(Optimizer optimizer,
            Optimizer::of({{"class_name", "SGD"}, {"config", {{"learning_rate", schedule}}}}));
  for (size_t i = 0; i < c["steps"].size(); ++i) {
    double rate = optimizer.rate(c["steps"][i].get<int>());
    EXPECT_NEAR(rate, rates.data<float>()[i], 2e-6 * rate + 1e-9)
        << "step " << c["steps"][i].dump();
  }
  return {};
}

TEST(KerasGolden, Models) {
  Goldens goldens("nn_models");
  each(goldens, [&](const Json& c) { return checkTraining(goldens, c, c["compile"]); });
}

TEST(KerasGolden, LabelsOfOtherShapes) {
  Goldens goldens("nn_labels");
  each(goldens, [&](const Json& c) { return checkTraining(goldens, c, c["compile"]); });
}

TEST(KerasGolden, ModelsOfOneToThreeAxes) {
  Goldens goldens("nn_dims");
  each(goldens, [&](const Json& c) {
    return layerOf(c).empty() ? checkTraining(goldens, c, c["compile"]) : Status();
  });
}

TEST(KerasGolden, RecurrentModels) {
  Goldens goldens("nn_rnn_models");
  each(goldens, [&](const Json& c) { return checkTraining(goldens, c, c["compile"]); });
}

TEST(KerasGolden, NestedModels) {
  Goldens goldens("nn_nested");
  each(goldens, [&](const Json& c) { return checkTraining(goldens, c, c["compile"]); });
}

TEST(KerasGolden, Transformers) {
  Goldens goldens("nn_transformers");
  each(goldens, [&](const Json& c) { return checkTraining(goldens, c, c["compile"]); });
}

TEST(KerasGolden, ModelsOfMoreLayers) {
  Goldens goldens("nn_more");
  each(goldens, [&](const Json& c) {
    return c.contains("model") ? checkTraining(goldens, c, c["compile"]) : Status();
  });
}

Status checkOptimizer(const Goldens& goldens, const Json& c) {
  if (c.contains("schedule")) {
    return withDefaults(c["schedule"], c,
                        [&](const Json& j) { return checkSchedule(goldens, c, j); });
  }
  if (c.contains("learning_rates")) {
    EXPECT_EQ(c["learning_rates"].size(), optimizerRows().size());
    for (auto& [name, rate] : c["learning_rates"].items()) {
      FJORD_TRY(Optimizer optimizer, Optimizer::of(name));
      EXPECT_NEAR(optimizer.rate(0), rate.get<double>(), 1e-9) << name;
    }
    return {};
  }
  Json given = c["compile"];
  for (auto& [key, value] : c["defaults"].items()) given["optimizer"]["config"].erase(key);
  FJORD_CHECK(checkTraining(goldens, c, given));
  return checkTraining(goldens, c, c["compile"]);
}

TEST(KerasGolden, Optimizers) {
  Goldens goldens("nn_optimizers");
  each(goldens, [&](const Json& c) { return checkOptimizer(goldens, c); });
  for (const OptimizerRow& row : optimizerRows()) {
    EXPECT_TRUE(std::ranges::any_of(goldens.cases, [&](const Json& c) {
      std::optional<Choice> choice = choiceOf(member(member(c, "compile"), "optimizer"));
      return choice && isCalled(row, choice->name);
    })) << row.name;
  }
}

}  // namespace
}  // namespace fjord
