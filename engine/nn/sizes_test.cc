// Models that take samples of any size: what stands in a description as null.
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "nn/model.h"
#include "testing/models.h"

namespace fjord {
namespace {

using testing::made;
using testing::numbers;

Json anyImage(int channels) { return {nullptr, nullptr, nullptr, channels}; }
Json conv(int filters, const Json& more = Json::object()) {
  Json config = {{"filters", filters}, {"kernel_size", 3}, {"padding", "same"}};
  config.update(more);
  return layer("Conv2D", config);
}
/// Two convolutions, the image made smaller and larger: a class for each pixel.
Json pixels() {
  return sequential({conv(4, {{"batch_input_shape", anyImage(3)}, {"activation", "relu"}}),
                     layer("MaxPooling2D", Json::object()), conv(2),
                     layer("UpSampling2D", Json::object())});
}
/// One number for each image.
Json whole() {
  return sequential({conv(4, {{"batch_input_shape", anyImage(3)}}),
                     layer("GlobalAveragePooling2D", Json::object()),
                     layer("Dense", {{"units", 1}})});
}

/// The same model for one size, with the weights of the other.
std::unique_ptr<Model> ofSize(Json description, int height, int width, Model& from,
                              Threads& threads) {
  description["config"]["layers"][0]["config"]["batch_input_shape"] = {nullptr, height, width, 3};
  auto model = made(description, threads, {.seed = 3});
  std::vector<Tensor> weights;
  for (const Weight& w : from.weights()) weights.push_back(w.value);
  EXPECT_TRUE(model->setWeights(weights));
  return model;
}

void expectSame(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(cat(a.type()), cat(b.type()));
  for (int64_t i = 0; i < a.size(); ++i) ASSERT_EQ(a.data<float>()[i], b.data<float>()[i]) << i;
}

TEST(OpenSizes, PredictsWhatAModelOfThatSizeDoes) {
  Threads threads;
  for (const Json& description : {pixels(), whole()}) {
    auto model = made(description, threads, {.seed = 3});
    for (auto [height, width] : {std::pair{8, 6}, {4, 10}, {8, 6}, {70, 64}}) {
      SCOPED_TRACE(cat(height, " by ", width));
      Tensor x = numbers({5, height, width, 3}, height);
      auto got = model->predict({&x, 1}, 2);
      ASSERT_TRUE(got) << got.error().message;
      auto want = ofSize(description, height, width, *model, threads)->predict({&x, 1}, 2);
      ASSERT_TRUE(want);
      expectSame((*got)[0], (*want)[0]);
    }
  }
}

TEST(OpenSizes, TrainsOnBatchesOfDifferentSizes) {
  Threads threads;
  auto model = made(pixels(), threads, {.seed = 3});
  Json options = {{"optimizer", "sgd"}, {"loss", "mse"}};
  ASSERT_TRUE(model->compile(options));
  for (int step = 0; step < 6; ++step) {
    int height = step % 2 ? 6 : 8, width = step % 3 ? 4 : 10;
    SCOPED_TRACE(cat("step ", step));
    Tensor x = numbers({3, height, width, 3}, step), y = numbers({3, height, width, 2}, 50 + step);
    auto alone = ofSize(pixels(), height, width, *model, threads);
    ASSERT_TRUE(alone->compile(options));
    Totals got, want;
    Status status = model->run(Model::kTrain, {.x = {&x, 1}, .y = {&y, 1}}, got);
    ASSERT_TRUE(status) << status.error().message;
    ASSERT_TRUE(alone->run(Model::kTrain, {.x = {&x, 1}, .y = {&y, 1}}, want));
    EXPECT_EQ(got.loss, want.loss);
    for (size_t i = 0; i < model->weights().size(); ++i)
      expectSame(model->weights()[i].value, alone->weights()[i].value);
  }
}

TEST(OpenSizes, AreShownAsOpen) {
  Threads threads;
  auto model = made(pixels(), threads, {.seed = 3});
  EXPECT_EQ(cat(model->inputTypes()[0]), "float32[-1,-1,-1,3]");
  EXPECT_EQ(cat(model->outputTypes()[0]), "float32[-1,-1,-1,2]");
  EXPECT_EQ(cat(model->calls()[1].outputs[0]), "float32[-1,-1,-1,4]");
  EXPECT_EQ(cat(made(whole(), threads, {.seed = 3})->outputTypes()[0]), "float32[-1,1]");
  auto types = inferLayer("Conv2D", {{"filters", 4}, {"kernel_size", 3}},
                          {{Type{DType::kF32, {-1, -1, 9, 3}}}});
  ASSERT_TRUE(types) << types.error().message;
  EXPECT_EQ(cat((*types)[0]), "float32[-1,-1,7,4]");
  // One axis may be open, and too small a size is not tried alone.
  auto steps = made(sequential({layer("Conv1D", {{"filters", 2},
                                                 {"kernel_size", 200},
                                                 {"batch_input_shape", {nullptr, nullptr, 2}}})}),
                    threads, {.seed = 3});
  EXPECT_EQ(cat(steps->outputTypes()[0]), "float32[-1,-1,2]");
}

TEST(OpenSizes, WhatCannotBeIsSaid) {
  Threads threads;
  auto errorOf = [&](const Json& description) {
    auto model = Model::fromJson(description, threads, {});
    return model ? "none" : model.error().message;
  };
  EXPECT_EQ(errorOf(sequential({layer("Flatten", {{"batch_input_shape", anyImage(3)}}),
                                layer("Dense", {{"units", 1}, {"name", "d"}})})),
            "the model takes inputs of open sizes, and with 96 in place of 64: d: the weight "
            "d/kernel has the shape [12288,1], [27648,1] is needed now");
  auto model = made(pixels(), threads, {.seed = 3});
  Tensor x = numbers({2, 8, 6, 4}, 1), y = numbers({2, 8, 8, 2}, 2);
  EXPECT_EQ(model->predict({&x, 1}).error().message,
            "the input conv2d_input takes [samples,any,any,3], got an array [2,8,6,4]");
  EXPECT_EQ(model->prepare(Model::kPredict, 1).error().message,
            "the model takes samples of any size: a step is planned when there are some");
  ASSERT_TRUE(model->compile({{"optimizer", "sgd"}, {"loss", "mse"}}));
  x = numbers({2, 8, 6, 3}, 1);
  Totals totals;
  EXPECT_EQ(model->run(Model::kTrain, {.x = {&x, 1}, .y = {&y, 1}}, totals).error().message,
            "the labels of upsampling2d are to be [samples,8,6,2], got an array [2,8,8,2]");
}

}  // namespace
}  // namespace fjord
