// Layers and functions that are written elsewhere: here in C++, where the same ones stand in the tables.
#include "nn/traced.h"

#include <gtest/gtest.h>

#include "io/model_file.h"
#include "nn/model.h"
#include "testing/models.h"

namespace fjord {
namespace {

using testing::numbers;

// What the numbers stand for.
enum { kDense = 1, kHuber, kError, kSwish, kSquares, kAbove, kNothing, kScalar, kCell };

LayerOutputs called(const TracedCall& call) {
  Value a = call.inputs[0], b = call.inputs.size() > 1 ? call.inputs[1] : Value{};
  switch (call.number) {
    case kDense: {
      LayerContext& c = *call.context;
      Value kernel = c.weight("kernel", {a.shape()[-1], 4}, "glorot_uniform");
      return {{tanh(matMul(a, kernel) + c.weight("bias", {4}, "zeros"))}};
    }
    case kHuber: {
      Value e = abs(b - a);
      return {{mean(where(e <= 1.0, square(e) * 0.5, e - 0.5), {.axes = {-1}})}};
    }
    case kError:
      return {{mean(abs(b - a), {.axes = {-1}})}};
    case kSwish:
      return {{a * sigmoid(a)}};
    case kSquares:
      return {{sum(square(a)) * 0.01}};
    case kAbove:
      return {{relu(a)}};
    case kCell: {
      LayerContext& c = *call.context;
      Value x = matMul(a, c.weight("kernel", {a.shape()[-1], 4}, "glorot_uniform"));
      Value h = matMul(b, c.weight("recurrent_kernel", {4, 4}, "orthogonal"));
      Value y = tanh(x + h + c.weight("bias", {4}, "zeros"));
      return {{y, y}};
    }
    case kScalar:
      return {{mean(square(b - a))}};
    default:
      a.graph->fail("it refuses");
      return {};
  }
}

class Traced : public ::testing::Test {
 protected:
  void SetUp() override { callTraced = called; }
  void TearDown() override { callTraced = nullptr; }
};

Json function(int number, const char* name) {
  return {{"class_name", "Traced"}, {"config", {{"number", number}, {"name", name}}}};
}
Json first(const char* className, Json config) {
  config["name"] = "first";
  config["batch_input_shape"] = {nullptr, 3};
  return layer(className, std::move(config));
}
Json ownLayer() {
  return sequential({first("Mine", {{"anything", "is its own"}}), layer("Dense", {{"units", 2}})});
}
Json sameLayer() {
  return sequential(
      {first("Dense", {{"units", 4}, {"activation", "tanh"}}), layer("Dense", {{"units", 2}})});
}

std::unique_ptr<Model> made(Threads& threads, const Json& description,
                            const Json& traced = nullptr) {
  return testing::made(description, threads, {.seed = 5, .traced = traced});
}
/// Losses and metrics of some steps, then all weights.
std::vector<double> trained(Model& model, const Json& options) {
  std::vector<double> all;
  Status compiled = model.compile(options);
  EXPECT_TRUE(compiled) << compiled.error().message;
  Tensor x = numbers({6, 3}, 1), y = numbers({6, 2}, 2);
  for (int i = 0; i < 5 && compiled; ++i) {
    Totals totals;
    Status status = model.run(Model::kTrain, {.x = {&x, 1}, .y = {&y, 1}}, totals);
    EXPECT_TRUE(status) << status.error().message;
    for (const auto& [name, value] : model.logs(totals)) all.push_back(value);
  }
  for (const Weight& w : model.weights())
    all.insert(all.end(), w.value.span<float>().begin(), w.value.span<float>().end());
  return all;
}
/// Steps of a recurrent layer over sequences of 3 numbers, and a dense layer.
Json recurrent(const char* className, Json config) {
  config["name"] = "first";
  config["batch_input_shape"] = {nullptr, 3};
  Json reshaped = layer("Reshape", {{"target_shape", {3, 1}}, {"batch_input_shape", {nullptr, 3}}});
  config.erase("batch_input_shape");
  return sequential(
      {reshaped, layer(className, std::move(config)), layer("Dense", {{"units", 2}})});
}
Json options(Json loss, Json metrics = Json::array()) {
  return {{"optimizer", "adam"}, {"loss", std::move(loss)}, {"metrics", std::move(metrics)}};
}
void expectSame(const std::vector<double>& a, const std::vector<double>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-6) << i;
}

TEST_F(Traced, LayerTrainsAsTheSameOneOfTheTable) {
  Threads threads;
  auto own = made(threads, ownLayer(), {{"first", int{kDense}}});
  auto same = made(threads, sameLayer());
  ASSERT_TRUE(own && same);
  EXPECT_EQ(own->weights()[0].name, "first/kernel");
  expectSame(trained(*own, options("mse")), trained(*same, options("mse")));
  // What it says stays in the description, its number does not.
  EXPECT_NE(jsonText(own->json()).find("is its own"), std::string::npos);
  EXPECT_EQ(jsonText(own->json()).find("number"), std::string::npos);
}

TEST_F(Traced, LayerIsReadFromAFile) {
  Threads threads;
  auto own = made(threads, ownLayer(), {{"first", int{kDense}}});
  auto bytes = saveModel(*own);
  ASSERT_TRUE(bytes) << bytes.error().message;
  auto file = readSafetensors(std::as_bytes(std::span(*bytes)));
  auto again = loadModel(*file, threads, {{"first", int{kDense}}});
  ASSERT_TRUE(again) << again.error().message;
  expectSame(trained(**again, options("mse")), trained(*own, options("mse")));
  auto unknown = loadModel(*file, threads);
  ASSERT_FALSE(unknown);
  EXPECT_TRUE(unknown.error().message.starts_with("first: unknown layer class \"Mine\""));
}

TEST_F(Traced, LossesAndMetricsAreThoseOfTheTable) {
  Threads threads;
  auto own = made(threads, sameLayer()), same = made(threads, sameLayer());
  Json functions = Json::array({function(kError, "error")});
  expectSame(trained(*own, options(function(kHuber, "own"), functions)),
             trained(*same, options("huber", Json::array({"mae"}))));
  Totals totals;
  Tensor x = numbers({2, 3}, 1), y = numbers({2, 2}, 2);
  ASSERT_TRUE(own->run(Model::kTest, {.x = {&x, 1}, .y = {&y, 1}}, totals));
  EXPECT_EQ(own->logs(totals)[1].first, "error");
}

TEST_F(Traced, LossMayBeOneNumber) {
  Threads threads;
  auto own = made(threads, sameLayer()), same = made(threads, sameLayer());
  expectSame(trained(*own, options(function(kScalar, "own"))), trained(*same, options("mse")));
}

TEST_F(Traced, ArgumentsOfLayersAreFunctions) {
  Threads threads;
  auto model = [&](Json activation, Json regularizer, Json constraint) {
    return made(threads,
                sequential({first("Dense", {{"units", 2},
                                            {"activation", std::move(activation)},
                                            {"kernel_regularizer", std::move(regularizer)},
                                            {"kernel_constraint", std::move(constraint)}})}));
  };
  auto own = model(function(kSwish, "a"), function(kSquares, "r"), function(kAbove, "c"));
  auto same = model("silu", {{"class_name", "L2"}, {"config", {{"l2", 0.01}}}}, "non_neg");
  expectSame(trained(*own, options("mse")), trained(*same, options("mse")));
}

TEST_F(Traced, WhatFailsIsNamed) {
  Threads threads;
  auto model = made(threads, sameLayer());
  Status status = model->compile(options(function(kNothing, "mine")));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "loss: mine: it refuses");
  callTraced = nullptr;
  status = model->compile(options(function(kHuber, "mine")));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            "loss: mine: it is written in JavaScript, which this program does not run");
}

TEST_F(Traced, RegularizersAreScalars) {
  Threads threads;
  auto model = made(
      threads,
      sequential({first("Dense", {{"units", 2}, {"kernel_regularizer", function(kAbove, "r")}})}));
  Status status = model->compile(options("mse"));
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("a regularizer gives a scalar, got float32[3,2]"),
            std::string::npos)
      << status.error().message;
}

TEST_F(Traced, NoFileHoldsAFunction) {
  Threads threads;
  auto model = made(threads, sameLayer());
  ASSERT_TRUE(model->compile(options(function(kHuber, "mine"))));
  auto bytes = saveModel(*model);
  ASSERT_TRUE(bytes) << bytes.error().message;
  EXPECT_TRUE(readSafetensors(std::as_bytes(std::span(*bytes)))->text("training").empty());
  auto all = saveModel(*model, {.optimizer = true});
  ASSERT_FALSE(all);
  EXPECT_EQ(
      all.error().message,
      "the loss or a metric is a function, which no file can hold: save the model without the "
      "optimizer");
  auto active = made(
      threads, sequential({first("Dense", {{"units", 2}, {"activation", function(kSwish, "a")}})}));
  EXPECT_EQ(saveModel(*active).error().message,
            "an argument of a layer is a function, which no file can hold");
}

TEST_F(Traced, LayersWithoutANumberAreUnknown) {
  Threads threads;
  auto model = Model::fromJson(ownLayer(), threads, {.traced = {{"other", 3}}});
  ASSERT_FALSE(model);
  EXPECT_TRUE(model.error().message.starts_with("first: unknown layer class \"Mine\""))
      << model.error().message;
}

TEST_F(Traced, ACellIsThatOfTheTable) {
  Threads threads;
  Json cell = function(kCell, "own");
  Json refused = {{"cell", cell}};
  EXPECT_EQ(
      testing::errorOf(recurrent("RNN", refused)),
      "first: cell must be a cell whose stateSize is the size of its state, or a list of them");
  cell["config"]["state_sizes"] = {4};
  auto own = made(threads, recurrent("RNN", {{"cell", cell}}));
  auto same = made(threads, recurrent("SimpleRNN", {{"units", 4}}));
  ASSERT_TRUE(own && same);
  EXPECT_EQ(testing::namesOf(*own)[0], "first/own/kernel");
  std::vector<double> got = trained(*own, options("mse")), want = trained(*same, options("mse"));
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-6) << i;
}

}  // namespace
}  // namespace fjord
