// Values of nn/ against Keras's: layers, losses, metrics, optimizers, schedules, whole trainings.
// check/goldens/nn_*.py made the files and say what a case holds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "ir/graph.h"
#include "nn/fit.h"
#include "nn/layers.h"
#include "nn/losses.h"
#include "nn/model.h"
#include "nn/optimizers.h"
#include "run/cpu.h"
#include "testing/goldens.h"

namespace fjord {
namespace {

using testing::Goldens;

/// Cases that Keras computes and Fjord refuses: the case, and the words of the error that say so.
/// A case that works must not stand here.
struct Gap {
  std::string_view name, error;
};
constexpr Gap kGaps[] = {
    {"batch_normalization renorm", "renorm"},
    {"multi_head_attention of images", "needs a query [N,T,D]"},
    // Losses are of samples, by their last axis; these are of a whole batch, or of pairs.
    {"CosineSimilarity axis", "axis"},
    {"CategoricalCrossentropy axis", "axis"},
    {"SparseCategoricalCrossentropy ignore_class", "ignore_class"},
    {"Dice", "unknown loss"},
    {"Tversky", "unknown loss"},
    {"Circle", "unknown loss"},
    // Metrics are ratios of two sums over samples.
    {"metric AUC(num_thresholds=50)", "unknown metric"},
    {"metric BinaryIoU()", "unknown metric"},
    {"metric Precision(class_id=1)", "class_id"},
    {"metric Precision(thresholds=[0.2])", "thresholds must be"},
    {"metric R2Score(class_aggregation='uniform_average')", "unknown metric"},
    {"metric Recall(top_k=1)", "top_k"},
    // A step updates; what averages or waits over several steps is not there.
    {"SGD(0.1, use_ema=True)", "use_ema"},
    {"SGD(0.1, gradient_accumulation_steps=2)", "gradient_accumulation_steps"},
    {"Lamb(0.05)", "unknown optimizer"},
};

/// Runs `check`, which gives an error where Fjord refuses, for each case of a kind.
template <class Check>
void each(const Goldens& file, Check check) {
  for (const Json& c : file.cases) {
    std::string name = stringOr(c, "name", "?");
    SCOPED_TRACE(name);
    Status status = check(c);
    auto gap = std::ranges::find(kGaps, std::string_view(name), &Gap::name);
    if (gap == std::end(kGaps)) {
      EXPECT_TRUE(status) << status.error().message;
    } else if (status) {
      ADD_FAILURE() << "is listed as a gap, but works";
    } else {
      EXPECT_NE(status.error().message.find(gap->error), std::string::npos)
          << status.error().message;
    }
  }
}

/// Checks with what was given alone, and with the options that Keras fills in: both must agree.
template <class Check>
Status withDefaults(const Json& description, const Json& c, Check check) {
  FJORD_CHECK(check(description));
  Json full = description;
  if (full.is_object()) full["config"].update(member(c, "defaults"));
  return check(full);
}

/// Within `tolerance` of the value or, where sums cancel, of the typical value.
void expectClose(const Tensor& got, const Tensor& want, std::string_view what,
                 double tolerance = 1e-5) {
  ASSERT_EQ(cat(got.type()), cat(want.type())) << what;
  if (got.dtype() != DType::kF32) {
    EXPECT_TRUE(std::ranges::equal(got.span<int32_t>(), want.span<int32_t>())) << what;
    return;
  }
  std::span<const float> g = got.span<float>(), w = want.span<float>();
  std::vector<float> sizes;
  for (float v : w) sizes.push_back(std::fabs(v));
  std::ranges::sort(sizes);
  double typical = sizes.empty() ? 0 : sizes[sizes.size() / 2];
  for (size_t i = 0; i < g.size(); ++i) {
    double error = std::fabs(static_cast<double>(g[i]) - w[i]);
    bool close = std::isfinite(w[i]) ? error <= tolerance * (std::fabs(w[i]) + 0.2 * (1 + typical))
                 : std::isnan(w[i])  ? std::isnan(g[i])
                                     : g[i] == w[i];
    ASSERT_TRUE(close) << what << ", element " << i << " of " << g.size() << ": " << g[i]
                       << ", want " << w[i];
  }
}

// ---- layers ------------------------------------------------------------------------------------

/// A layer alone in a graph, its weights those of the case.
class OneLayer : public LayerContext {
 public:
  OneLayer(const Goldens& goldens, const Json& c) : goldens_(goldens), case_(c) {
    training = boolOr(c, "training", false);
    isTrained = boolOr(member(c, "config"), "trainable", true);
  }

  Value input(const Tensor& t) {
    tensors.push_back(t);
    return graph.input(t.type());
  }
  Value weight(std::string_view name, const Shape& shape, const Json&, bool trainable, const Json&,
               const Json&) override {
    // Keras 3 calls every kernel so; the names here are those of TensorFlow.js.
    std::string key(
        name == "depthwise_kernel" && !member(case_, "weights").contains(name) ? "kernel" : name);
    if (member(case_, "weights").contains(inner_ + key)) key = inner_ + key;
    auto known = std::ranges::find(weights, key, &decltype(weights)::value_type::first);
    if (known != weights.end()) return known->second;
    Tensor value = goldens_.tensor(member(member(case_, "weights"), key.c_str()));
    EXPECT_EQ(cat(value.shape()), cat(shape)) << name;
    bool trained = !member(member(case_, "weight_gradients"), key.c_str()).is_null();
    EXPECT_TRUE(trainable || !trained) << name;
    weights.push_back({key, input(value)});
    return weights.back().second;
  }
  Value state(std::string_view name, const Shape& shape, const Json& initializer) override {
    return weight(name, shape, initializer, false, nullptr, nullptr);
  }
  Value kept(std::string_view, const Shape& shape) override {
    return input(*Tensor::zeros({DType::kF32, shape}));
  }
  LayerOutputs callInner(const Json& description, const LayerInputs& inputs) override {
    const LayerRow* row = findLayer(stringOr(description, "class_name", ""));
    const Json& config = member(description, "config");
    std::string outer = std::exchange(inner_, cat(inner_, stringOr(config, "name", ""), "/"));
    LayerOutputs outputs = callLayer(*row, *this, config, inputs);
    inner_ = std::move(outer);
    return outputs;
  }
  void update(Value weight, Value value) override { updates.push_back({weight, value}); }
  void replace(Value weight, Value value) override {
    update(weight, value);
    replaced.push_back({weight, value});
  }
  /// What the gradient of a weight is by.
  Value current(Value weight) const {
    auto known = std::ranges::find(replaced, weight, &decltype(replaced)::value_type::first);
    return known == replaced.end() ? weight : known->second;
  }
  void addLoss(Value) override {}
  Value randomState() override { return input(*Tensor::zeros({DType::kI32, {4}})); }

  Graph graph;
  std::vector<Tensor> tensors;  // of the graph's inputs
  std::vector<std::pair<std::string, Value>> weights;
  std::vector<std::pair<Value, Value>> updates, replaced;

 private:
  const Goldens& goldens_;
  const Json& case_;
  std::string inner_;  // of a layer within it, how its weights' names begin
};

using Wanted = std::vector<std::pair<std::string, Tensor>>;

/// A second output, and the mask of the first, where the case has them.
void wantOthers(const Goldens& goldens, const Json& c, const LayerOutputs& outputs, Graph& graph,
                Wanted& wanted) {
  if (c.contains("second")) {
    wanted.push_back({"the second output", goldens.tensor(c["second"])});
    graph.output(outputs.values.at(1));
  }
  bool hasMask = !outputs.masks.empty() && outputs.masks[0];
  if (c.contains("masks") || c.contains("output_mask"))
    ASSERT_EQ(hasMask, c.contains("output_mask")) << "a mask";
  if (!c.contains("output_mask")) return;
  wanted.push_back({"the mask", goldens.tensor(c["output_mask"])});
  graph.output(cast(outputs.masks[0], DType::kF32));
}

Status checkLayer(const Goldens& goldens, const Json& c, const Json& config) {
  OneLayer layer(goldens, c);
  const LayerRow* row = findLayer(stringOr(c, "class_name", ""));
  if (!row) return fail("no such layer");
  std::vector<Value> inputs, xs, masks;
  for (const Json& x : member(c, "inputs")) inputs.push_back(layer.input(goldens.tensor(x)));
  for (const Json& mask : member(c, "masks"))
    masks.push_back(mask.is_null() ? Value{} : layer.input(goldens.tensor(mask)));
  if (c.contains("mask")) masks.push_back(layer.input(goldens.tensor(c["mask"])));
  LayerOutputs outputs = callLayer(*row, layer, config, {inputs, masks}, member(c, "call"));
  FJORD_CHECK(layer.graph.status());

  // Files of weights without names go by this order.
  std::vector<std::string> order, keras;
  for (auto& [name, value] : layer.weights) order.push_back(name);
  for (auto& [name, value] : member(c, "weights").items()) keras.push_back(name);
  EXPECT_EQ(order, keras);

  Wanted wanted;
  std::vector<Json> ys{c["output"]}, dys{c["dy"]};
  for (const Json& other : member(c, "more")) {
    ys.push_back(other["output"]);
    dys.push_back(other["dy"]);
  }
  EXPECT_EQ(outputs.values.size(), ys.size() + (c.contains("second") ? 1 : 0));
  Value total;
  for (size_t i = 0; i < ys.size(); ++i) {
    wanted.push_back({cat("output ", i), goldens.tensor(ys[i])});
    layer.graph.output(outputs.values[i]);
    Value part = sum(outputs.values[i] * layer.input(goldens.tensor(dys[i])));
    total = total ? total + part : part;
  }
  const Json& dxs = member(c, "input_gradients");
  for (size_t i = 0; i < dxs.size(); ++i) {
    if (dxs[i].is_null()) continue;
    wanted.push_back({cat("gradient of input ", i), goldens.tensor(dxs[i])});
    xs.push_back(inputs[i]);
  }
  for (auto& [name, value] : layer.weights) {
    const Json& dw = member(member(c, "weight_gradients"), name.c_str());
    if (dw.is_null()) continue;
    wanted.push_back({"gradient of " + name, goldens.tensor(dw)});
    xs.push_back(layer.current(value));
  }
  if (!xs.empty()) {
    for (Value d : grad(total, xs)) layer.graph.output(d);
  }
  EXPECT_EQ(layer.updates.size(), member(c, "updated").size());
  for (auto& [weight, value] : layer.updates) {
    auto known = std::ranges::find(layer.weights, weight.id, [](auto& w) { return w.second.id; });
    const Json& after = member(member(c, "updated"), known->first.c_str());
    wanted.push_back({known->first + " after", goldens.tensor(after)});
    layer.graph.output(value);
  }
  wantOthers(goldens, c, outputs, layer.graph, wanted);
  FJORD_TRY(std::vector<Tensor> got, evaluate(layer.graph, layer.tensors, goldens.threads));
  for (size_t i = 0; i < wanted.size(); ++i) expectClose(got[i], wanted[i].second, wanted[i].first);
  return {};
}

/// The class of a case that is one of a layer alone.
std::string layerOf(const Json& c) { return stringOr(c, "class_name", ""); }

TEST(KerasGolden, Layers) {
  std::set<std::string> tried;
  for (const char* file : {"nn_layers", "nn_dims", "nn_rnn", "nn_attention", "nn_more"}) {
    Goldens goldens(file);
    each(goldens, [&](const Json& c) {
      tried.insert(layerOf(c));
      if (layerOf(c).empty()) return Status();
      return withDefaults(Json{{"config", c["config"]}}, c, [&](const Json& layer) {
        return checkLayer(goldens, c, layer["config"]);
      });
    });
  }
  for (const LayerRow& row : layerRows())
    EXPECT_TRUE(tried.contains(std::string(row.className))) << row.className << " has no case";
}

// ---- losses and metrics ------------------------------------------------------------------------

Status checkLoss(const Goldens& goldens, const Json& c, const Json& loss) {
  Graph graph;
  std::vector<Tensor> in = {goldens.tensor(c["y_true"]), goldens.tensor(c["y_pred"])};
  Value y = graph.input(in[0].type()), p = graph.input(in[1].type()), weights;
  if (c.contains("sample_weight")) {
    in.push_back(goldens.tensor(c["sample_weight"]));
    weights = graph.input(in[2].type());
  }
  Value value = reducedLoss(loss, lossPerSample(loss, y, p), weights);
  FJORD_CHECK(graph.status());
  graph.output(value);
  graph.output(grad(value, {{p}})[0]);
  FJORD_TRY(std::vector<Tensor> got, evaluate(graph, in, goldens.threads));
  expectClose(got[0], goldens.tensor(c["value"]), "value");
  expectClose(got[1], goldens.tensor(c["gradient"]), "gradient");
  return {};
}

Status checkMetric(const Goldens& goldens, const Json& c, const Json& metric) {
  double numerator = 0, denominator = 0;
  MetricParts::Kind kind = MetricParts::kRatio;
  for (size_t i = 0; i < c["y_true"].size(); ++i) {
    Graph graph;
    std::vector<Tensor> in = {goldens.tensor(c["y_true"][i]), goldens.tensor(c["y_pred"][i])};
    Value y = graph.input(in[0].type()), p = graph.input(in[1].type());
    MetricParts parts = metricParts(metric, member(c, "compiled_loss"), y, p);
    FJORD_CHECK(graph.status());
    graph.output(parts.numerator);
    graph.output(parts.denominator);
    FJORD_TRY(std::vector<Tensor> got, evaluate(graph, in, goldens.threads));
    numerator += got[0].data<float>()[0];
    denominator += got[1].data<float>()[0];
    kind = parts.kind;
  }
  double value = MetricParts::value(kind, numerator, denominator);
  double want = numberOr(c, "value", NAN);
  EXPECT_NEAR(value, want, 1e-5 * (1 + std::fabs(want)));
  return {};
}

TEST(KerasGolden, LossesAndMetrics) {
  Goldens goldens("nn_losses");
  each(goldens, [&](const Json& c) {
    bool isLoss = c.contains("loss");
    return withDefaults(c[isLoss ? "loss" : "metric"], c, [&](const Json& j) {
      return isLoss ? checkLoss(goldens, c, j) : checkMetric(goldens, c, j);
    });
  });
}

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
      expectClose(w.value, atStep(goldens.tensor(member(every, name.c_str())), step), name, 5e-5);
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
      return choice && canonicalName(choice->name) == row.name;
    })) << row.name;
  }
}

}  // namespace
}  // namespace fjord
