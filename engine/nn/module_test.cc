// Models in models, layers in several models: what they share, and what of each other they see. Values
// against Keras stand in golden_training_test.cc.
#include "nn/module.h"

#include <gtest/gtest.h>

#include <cstring>

#include "nn/fit.h"
#include "testing/models.h"

namespace fjord {
namespace {

using testing::errorOf;
using testing::json;
using testing::made;
using testing::namesOf;
using testing::numbers;
using testing::valuesOf;

Json dense(const char* name, int units) {
  return layer("Dense", {{"name", name}, {"units", units}, {"batch_input_shape", {nullptr, 3}}});
}
std::vector<std::vector<float>> weightsOf(const Model& model) {
  std::vector<std::vector<float>> all;
  for (const Weight& w : model.weights()) all.push_back(valuesOf(w.value));
  return all;
}
std::vector<float> predicted(Model& model, const Tensor& x) {
  auto y = model.predict({&x, 1});
  EXPECT_TRUE(y) << y.error().message;
  return y ? valuesOf((*y)[0]) : std::vector<float>();
}
void train(Model& model, const Tensor& x, int steps = 1) {
  Shape shape = model.outputTypes()[0].shape;
  shape[0] = x.shape()[0];
  Tensor y = numbers(shape, 9);
  Totals totals;
  for (int i = 0; i < steps; ++i) {
    Status status = model.run(Model::kTrain, {.x = {&x, 1}, .y = {&y, 1}}, totals);
    ASSERT_TRUE(status) << status.error().message;
  }
}
void compile(Model& model) {
  Status status = model.compile(json(R"({"optimizer": "sgd", "loss": "mse"})"));
  ASSERT_TRUE(status) << status.error().message;
}

// ---- models in models

Json encoder() { return sequential({dense("a", 4), layer("Dense", {{"units", 2}})}, "encoder"); }

TEST(Nested, WeightsAreNamedByWhereTheirLayersStand) {
  Threads threads;
  auto model = made(sequential({sequential({encoder(), layer("Dense", {{"units", 5}})}, "inner"),
                                layer("Dense", {{"units", 1}})}),
                    threads);
  using Names = std::vector<std::string>;
  EXPECT_EQ(namesOf(*model),
            (Names{"inner/encoder/a/kernel", "inner/encoder/a/bias", "inner/encoder/dense/kernel",
                   "inner/encoder/dense/bias", "inner/dense/kernel", "inner/dense/bias",
                   "dense/kernel", "dense/bias"}));
  EXPECT_NE(model->summary().find("inner (Sequential)  [-1,5]        41"), std::string::npos)
      << model->summary();
}

/// The same layers in a row give the same numbers.
TEST(Nested, ComputesWhatTheFlatModelDoes) {
  Threads threads;
  auto nested = made(sequential({encoder(), layer("Dense", {{"units", 3}})}), threads, {.seed = 3});
  auto flat = made(
      sequential({dense("a", 4), layer("Dense", {{"units", 2}}), layer("Dense", {{"units", 3}})}),
      threads, {.seed = 3});
  EXPECT_EQ(weightsOf(*nested), weightsOf(*flat));
  Tensor x = numbers({5, 3});
  EXPECT_EQ(predicted(*nested, x), predicted(*flat, x));
  compile(*nested);
  compile(*flat);
  train(*nested, x, 3);
  train(*flat, x, 3);
  EXPECT_EQ(weightsOf(*nested), weightsOf(*flat));
  EXPECT_EQ(predicted(*nested, x), predicted(*flat, x));
}

TEST(Nested, DeepAsDescriptionsNest) {
  constexpr int kDeep = 30;
  Json model = sequential({dense("d", 3)}, "m0");
  std::string path = "d/kernel";
  for (int i = 1; i <= kDeep; ++i) {
    path = cat("m", i - 1, "/", path);
    model = sequential({std::move(model)}, cat("m", i));
  }
  Threads threads;
  auto read = parseJson(jsonText(model));
  ASSERT_TRUE(read) << read.error().message;
  auto deep = made(*read, threads);
  EXPECT_EQ(deep->weights()[0].name, path);
  EXPECT_EQ(predicted(*deep, numbers({2, 3})).size(), 6u);
}

TEST(Nested, FlagsOfInnerLayersAreSetByPath) {
  Threads threads;
  auto model = made(sequential({encoder(), layer("Dense", {{"units", 1}})}), threads);
  auto trained = [&] {
    std::vector<bool> out;
    for (const Weight& w : model->weights()) out.push_back(model->isTrainable(w));
    return out;
  };
  using Flags = std::vector<bool>;
  ASSERT_TRUE(model->setTrainable(true, json(R"({"encoder/a": false})")));
  EXPECT_EQ(trained(), (Flags{false, false, true, true, true, true}));
  ASSERT_TRUE(model->setTrainable(true, json(R"({"encoder/a": true, "encoder": false})")));
  EXPECT_EQ(trained(), (Flags{false, false, false, false, true, true}));
  const Json& inner = model->json()["config"]["layers"][0];
  EXPECT_EQ(inner["config"]["trainable"], false);
  EXPECT_EQ(inner["config"]["layers"][0]["config"]["trainable"], true);
  auto again = made(model->json(), threads);
  EXPECT_FALSE(again->isTrainable(again->weights()[0]));
  EXPECT_TRUE(again->isTrainable(again->weights()[4]));
  Status unknown = model->setTrainable(true, json(R"({"encoder/b": true})"));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message, "the model has no layer named encoder/b");
}

TEST(Nested, ErrorsNameTheWay) {
  EXPECT_EQ(errorOf(sequential(
                {encoder(), layer("Conv2D", {{"name", "c"}, {"filters", 1}, {"kernel_size", 1}})})),
            "c: needs an image batch [N,H,W,C], got float32[2,2]");
  Json wide = encoder();
  wide["config"]["layers"][1]["config"]["unitz"] = 1;
  EXPECT_TRUE(errorOf(sequential({wide})).starts_with("encoder: Dense: unitz is not an argument"))
      << errorOf(sequential({wide}));
  EXPECT_EQ(errorOf(sequential({dense("d", 4), encoder()})),
            "encoder: the model takes float32[-1,3], got float32[2,4]");
}

// ---- the same object in several places

/// Keras's way to say so: one number for one object.
Json siamese() {
  Json twice = json(R"({"class_name": "Functional", "config": {"name": "m", "layers": [
    {"class_name": "InputLayer", "name": "x", "config": {"name": "x", "batch_input_shape": [null, 3]},
     "inbound_nodes": []},
    {"class_name": "Dense", "name": "a", "config": {"name": "a", "units": 3}, "shared_object_id": 7,
     "inbound_nodes": [[["x", 0, 0, {}]]]}],
    "input_layers": [["x", 0, 0]], "output_layers": [["inner", 1, 0]]}})");
  Json inner = sequential({dense("a", 3)}, "inner");
  inner["name"] = "inner";
  inner["config"]["layers"][0]["shared_object_id"] = 7;
  inner["inbound_nodes"] = json(R"([[["a", 0, 0, {}]]])");
  twice["config"]["layers"].push_back(inner);
  return twice;
}

TEST(Shared, ALayerAtTheTopAndInAnInnerModelHasOneKernel) {
  Threads threads;
  auto model = made(siamese(), threads);
  EXPECT_EQ(namesOf(*model), (std::vector<std::string>{"a/kernel", "a/bias"}));
  // d(d(x)) of the same layer.
  auto twice = made(json(R"({"class_name": "Functional", "config": {"name": "m", "layers": [
    {"class_name": "InputLayer", "name": "x", "config": {"name": "x", "batch_input_shape": [null, 3]},
     "inbound_nodes": []},
    {"class_name": "Dense", "name": "a", "config": {"name": "a", "units": 3},
     "inbound_nodes": [[["x", 0, 0, {}]], [["a", 0, 0, {}]]]}],
    "input_layers": [["x", 0, 0]], "output_layers": [["a", 1, 0]]}})"),
                    threads);
  EXPECT_EQ(weightsOf(*model), weightsOf(*twice));
  Tensor x = numbers({4, 3});
  compile(*model);
  compile(*twice);
  train(*model, x, 2);
  train(*twice, x, 2);
  EXPECT_EQ(weightsOf(*model), weightsOf(*twice));
  EXPECT_EQ(predicted(*model, x), predicted(*twice, x));
}

TEST(Shared, TheSameNameForOtherLayersIsRefused) {
  Json model = siamese();
  model["config"]["layers"][1]["name"] = model["config"]["layers"][1]["config"]["name"] = "inner/a";
  model["config"]["layers"][1].erase("shared_object_id");
  model["config"]["layers"][2]["inbound_nodes"] = json(R"([[["inner/a", 0, 0, {}]]])");
  model["config"]["layers"][2]["config"]["layers"][0].erase("shared_object_id");
  EXPECT_EQ(errorOf(model), "inner: two layers are called inner/a");
}

// ---- weights of another model

TEST(Shared, ANewModelHasTheWeightsOfAnotherAndSeesItsSteps) {
  Threads threads;
  auto base = made(encoder(), threads, {.seed = 5});
  auto whole = made(sequential({encoder(), layer("Dense", {{"units", 1}})}), threads,
                    {.seed = 6, .shared = {{"encoder", base.get(), ""}}});
  auto head = made(sequential({dense("b", 4)}), threads, {.shared = {{"b", base.get(), "a"}}});
  EXPECT_TRUE(base->isSharing());
  Tensor x = numbers({4, 3});
  std::vector<float> before = predicted(*base, x), part = predicted(*head, x);
  auto kernel = valuesOf(base->weights()[0].value);
  EXPECT_EQ(valuesOf(whole->weights()[0].value), kernel);
  EXPECT_EQ(valuesOf(head->weights()[0].value), kernel);
  compile(*whole);
  train(*whole, x);
  EXPECT_NE(valuesOf(base->weights()[0].value), kernel);
  EXPECT_EQ(valuesOf(base->weights()[0].value), valuesOf(head->weights()[0].value));
  // What was computed from the weights of before is computed anew.
  EXPECT_NE(predicted(*base, x), before);
  EXPECT_NE(predicted(*head, x), part);
  auto fresh = made(encoder(), threads);
  std::vector<Tensor> values;
  for (const Weight& w : base->weights()) values.push_back(w.value);
  ASSERT_TRUE(fresh->setWeights(values));
  EXPECT_EQ(predicted(*base, x), predicted(*fresh, x));
  // The other way: the base is given values, and the whole predicts by them.
  std::vector<float> said = predicted(*whole, x);
  for (Weight& w : base->mutableWeights()) std::ranges::fill(w.value.span<float>(), 0.0f);
  EXPECT_NE(predicted(*whole, x), said);
  // Weights live as long as somebody has them.
  base.reset();
  EXPECT_TRUE(whole->isSharing());
  head.reset();
  EXPECT_FALSE(whole->isSharing());
  EXPECT_EQ(valuesOf(whole->weights()[0].value), std::vector<float>(12, 0.0f));
  train(*whole, x);
}

TEST(Shared, OnlyWhatFitsIsTaken) {
  Threads threads;
  auto base = made(encoder(), threads);
  EXPECT_EQ(errorOf(sequential({dense("b", 5)}), {.shared = {{"b", base.get(), "a"}}}),
            "b: the weight b/kernel has the shape [3,4] in the other model, [3,5] is needed now");
  EXPECT_EQ(errorOf(sequential({dense("b", 4)}), {.shared = {{"b", base.get(), "c"}}}),
            "b: the other model has no weight c/kernel for b/kernel");
}

/// A step that has stopped runs to its end before another model sees its weights.
TEST(Shared, AStepThatHasStoppedIsCompletedForTheOthers) {
  Threads threads;
  Json wide = sequential({layer("Dense", {{"name", "a"}, {"units", 256}, {"input_shape", {256}}}),
                          layer("Dense", {{"name", "b"}, {"units", 256}})});
  auto one = made(wide, threads, {.seed = 2});
  auto other = made(wide, threads, {.shared = {{"", one.get(), ""}}});
  auto reference = made(wide, threads, {.seed = 2});
  compile(*one);
  compile(*other);
  compile(*reference);
  Tensor x = numbers({64, 256}), y = numbers({64, 256}, 2);
  Totals totals;
  // No time at all: it stops as soon as it looks at its clock.
  Budget none(0);
  none.betweenLooks = 1;
  PausedStep paused;
  auto done = one->run(Model::kTrain, {.x = {&x, 1}, .y = {&y, 1}}, totals, paused, &none);
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_FALSE(*done);
  for (int i = 0; i < 2; ++i) {
    Status status = reference->run(Model::kTrain, {.x = {&x, 1}, .y = {&y, 1}}, totals);
    ASSERT_TRUE(status);
  }
  Status status = other->run(Model::kTrain, {.x = {&x, 1}, .y = {&y, 1}}, totals);
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_TRUE(paused.result);
  EXPECT_EQ(weightsOf(*other), weightsOf(*reference));
}

// ---- outputs that do not count samples

Json rows(const char* last) {
  Json model = json(R"({"class_name": "Functional", "config": {"layers": [
    {"class_name": "InputLayer", "name": "in", "config": {"name": "in", "batch_input_shape": [null, 3]}},
    {"class_name": "Concatenate", "name": "both", "config": {"name": "both", "axis": 0},
     "inbound_nodes": [[["in", 0, 0, {}], ["in", 0, 0, {}]]]}],
    "input_layers": [["in", 0, 0]], "output_layers": [["both", 0, 0], ["in", 0, 0]]}})");
  model["config"]["layers"][1]["name"] = model["config"]["layers"][1]["config"]["name"] = last;
  model["config"]["output_layers"][0][0] = last;
  return model;
}

TEST(Outputs, NeedNotCountSamples) {
  Threads threads;
  auto model = made(rows("both"), threads);
  EXPECT_FALSE(model->isBySample());
  EXPECT_EQ(cat(model->outputTypes()[0]), "float32[-1,3]");
  Tensor x = numbers({5, 3});
  auto y = model->predict({&x, 1}, 2);
  ASSERT_TRUE(y) << y.error().message;
  EXPECT_EQ(cat((*y)[0].type()), "float32[10,3]");
  EXPECT_EQ(cat((*y)[1].type()), "float32[5,3]");
  std::vector<float> wanted = valuesOf(x);
  wanted.insert(wanted.end(), wanted.begin(), wanted.begin() + 15);
  EXPECT_EQ(valuesOf((*y)[0]), wanted);
  Status status = model->compile(json(R"({"optimizer": "sgd", "loss": "mse"})"));
  ASSERT_FALSE(status);
  EXPECT_EQ(
      status.error().message,
      "compile: a loss is of samples, and the first axis of the output both, [-1,3], does not "
      "count these");
}

// ---- calls as in training

Json noisy(Json training) {
  Json model = json(R"({"class_name": "Functional", "config": {"layers": [
    {"class_name": "InputLayer", "name": "x", "config": {"name": "x", "batch_input_shape": [null, 50]}},
    {"class_name": "Dropout", "name": "d", "config": {"name": "d", "rate": 0.5},
     "inbound_nodes": [[["x", 0, 0, {}]]]}],
    "input_layers": [["x", 0, 0]], "output_layers": [["d", 0, 0]]}})");
  model["config"]["layers"][1]["inbound_nodes"][0][0][3]["training"] = std::move(training);
  return model;
}

TEST(Calls, TrainingIsWhatTheCallSays) {
  Threads threads;
  Tensor x = *Tensor::zeros({DType::kF32, {8, 50}});
  std::ranges::fill(x.span<float>(), 1.0f);
  std::vector<float> ones(400, 1.0f);
  EXPECT_EQ(predicted(*made(noisy(nullptr), threads), x), ones);
  EXPECT_EQ(predicted(*made(noisy(false), threads), x), ones);
  auto model = made(noisy(true), threads);
  std::vector<float> first = predicted(*model, x), second = predicted(*model, x);
  auto kept = std::ranges::count(first, 2.0f), dropped = std::ranges::count(first, 0.0f);
  EXPECT_EQ(kept + dropped, 400);
  EXPECT_NEAR(static_cast<double>(kept), 200, 60);
  EXPECT_NE(first, second);
}

// ---- masks, and layers in layers

TEST(Masks, PassWhereTheirStepsDoAndAreRefusedElsewhere) {
  auto after = [](std::vector<Json> layers) {
    layers.insert(layers.begin(), layer("Masking", {{"batch_input_shape", {nullptr, 4, 3}}}));
    return sequential(std::move(layers));
  };
  Threads threads;
  auto model =
      made(after({layer("Dense", {{"units", 2}}), layer("Dropout", {{"rate", 0.5}})}), threads);
  constexpr std::string_view kMasked =
      "an output has a mask, and losses and metrics by masks are not supported";
  Status status = model->compile(json(R"({"optimizer": "sgd", "loss": "mse"})"));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, kMasked);
  // Steps end, and so do their masks.
  compile(*made(after({layer("Flatten", Json::object())}), threads));
  EXPECT_EQ(errorOf(after({layer("Softmax", Json::object())})),
            "softmax: it is not supported on inputs with a mask");
  auto norm =
      made(after({layer("BatchNormalization", {{"axis", 1}}), layer("Flatten", Json::object())}),
           threads);
  status = norm->compile(json(R"({"optimizer": "sgd", "loss": "mse"})"));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            "batchnormalization: the mask bool[1,4] needs inputs of one more axis, that of the "
            "channels, got float32[1,4,3] and axis 1");
}

TEST(TimeDistributed, NamesItsWeightsByTheLayerInIt) {
  Threads threads;
  auto model = made(sequential({layer("TimeDistributed", {{"name", "each"},
                                                          {"batch_input_shape", {nullptr, 4, 3}},
                                                          {"layer", encoder()}})}),
                    threads);
  EXPECT_EQ(namesOf(*model),
            (std::vector<std::string>{"each/encoder/a/kernel", "each/encoder/a/bias",
                                      "each/encoder/dense/kernel", "each/encoder/dense/bias"}));
  auto flat = made(encoder(), threads);
  std::vector<Tensor> values;
  for (const Weight& w : model->weights()) values.push_back(w.value);
  ASSERT_TRUE(flat->setWeights(values));
  Tensor x = numbers({2, 4, 3}), rows = numbers({8, 3});
  EXPECT_EQ(predicted(*model, x), predicted(*flat, rows));
  compile(*model);
  train(*model, x);
  EXPECT_NE(predicted(*model, x), predicted(*flat, rows));
  ASSERT_TRUE(model->setTrainable(true, json(R"({"each": false})")));
  EXPECT_FALSE(model->isTrainable(model->weights()[0]));
}

}  // namespace
}  // namespace fjord
