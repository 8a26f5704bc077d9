// Gradients through models that are called with tensors: against differences of what the models predict.
#include "abi/model_call.h"

#include <gtest/gtest.h>

#include <cmath>

#include "abi/runtime.h"

namespace fjord {
namespace {

constexpr const char* kModel = R"({"class_name": "Sequential", "config": {"name": "m", "layers": [
  {"class_name": "Dense", "config": {"name": "a", "units": 4, "activation": "tanh",
                                     "batch_input_shape": [null, 3]}},
  {"class_name": "BatchNormalization", "config": {"name": "n"}},
  {"class_name": "Dense", "config": {"name": "b", "units": 2, "activation": "softmax"}}]}})";

class ModelCalled : public testing::Test {
 protected:
  void SetUp() override {
    model = fj_model(kModel, 3, 1, nullptr);
    ASSERT_NE(model, 0) << fj_message();
    x = newTensor(Tensor::zeros({DType::kF32, {5, 3}}));
    Random random(1);
    for (float& v : valuesOf(x)) v = random.normal();
  }
  void TearDown() override {
    fj_dispose(x);
    fj_modelFree(model);
  }
  static std::span<float> valuesOf(int handle) {
    return runtime().tensors.find(handle)->tensor.span<float>();
  }
  static int op(OpId id, std::initializer_list<int32_t> inputs) {
    int y =
        fj_op(static_cast<int>(id), inputs.begin(), static_cast<int>(inputs.size()), nullptr, 0);
    EXPECT_NE(y, 0) << fj_message();
    return y;
  }
  /// The sum of the squares of what the model gives.
  int squares(int training) {
    int32_t y = 0;
    EXPECT_EQ(fj_modelApply(model, &x, 1, training, &y, 1), 1) << fj_message();
    int square = op(OpId::square, {y});
    // No axes, and they are not kept.
    double attributes[] = {0, 0};
    int sum = fj_op(static_cast<int>(OpId::sum), &square, 1, attributes, 2);
    EXPECT_NE(sum, 0) << fj_message();
    return sum;
  }
  /// By x and by all weights, or by differences.
  void expectGradients(int training) {
    std::vector<int32_t> by = {x};
    int weights = static_cast<int>((*runtime().models.find(model))->weights().size());
    for (int i = 0; i < weights; ++i) by.push_back(fj_modelVariable(model, i));
    std::vector<int32_t> found(by.size());
    fj_tapeStart();
    int loss = squares(training);
    ASSERT_EQ(fj_gradients(loss, 0, by.data(), static_cast<int>(by.size()), 0, found.data()), 1)
        << fj_message();
    fj_tapeStop();
    constexpr float kStep = 1e-2f;
    for (size_t i = 0; i < by.size(); ++i) {
      if (!found[i]) continue;
      for (size_t k = 0; k < valuesOf(by[i]).size(); ++k) {
        auto moved = [&](float step) {
          valuesOf(by[i])[k] += step;
          (*runtime().models.find(model))->mutableWeights();
          double value = valuesOf(squares(training))[0];
          valuesOf(by[i])[k] -= step;
          return value;
        };
        double slope = (moved(kStep) - moved(-kStep)) / (2 * kStep);
        EXPECT_NEAR(valuesOf(found[i])[k], slope, 2e-3 + 2e-2 * std::fabs(slope)) << i << " " << k;
      }
    }
    EXPECT_NE(found[0], 0);
    EXPECT_NE(found[1], 0);
  }

  int model = 0;
  int32_t x = 0;
};

TEST_F(ModelCalled, GivesWhatItPredicts) {
  int32_t applied = 0, predicted = 0;
  ASSERT_EQ(fj_modelApply(model, &x, 1, 0, &applied, 1), 1) << fj_message();
  ASSERT_EQ(fj_modelPredict(model, &x, 1, 32, 0, &predicted, 1), 1) << fj_message();
  for (size_t i = 0; i < valuesOf(applied).size(); ++i)
    EXPECT_NEAR(valuesOf(applied)[i], valuesOf(predicted)[i], 1e-6);
}

TEST_F(ModelCalled, GradientsAreDifferences) { expectGradients(0); }
// Moving averages move, which changes nothing: in training the batch's own count.
TEST_F(ModelCalled, GradientsInTrainingAreDifferences) { expectGradients(1); }

TEST_F(ModelCalled, TrainableWeightsAreListedOnce) {
  fj_tapeStart();
  squares(0);
  squares(0);
  EXPECT_EQ(fj_tapeWeights(), 1);
  EXPECT_EQ(runtime().message, cat("[[", model, ",0],[", model, ",1],[", model, ",2],[", model,
                                   ",3],[", model, ",6],[", model, ",7]]"));
  fj_tapeStop();
}

TEST_F(ModelCalled, AnOptimizerMovesTheModel) {
  int optimizer = fj_optimizer(R"({"class_name": "SGD", "config": {"learning_rate": 0.5}})");
  int32_t kernel = fj_modelVariable(model, 0), id = 1;
  auto loss = [&] { return valuesOf(squares(0))[0]; };
  float before = loss();
  for (int i = 0; i < 20; ++i) {
    int32_t gradient = 0;
    fj_tapeStart();
    int y = squares(0);
    ASSERT_EQ(fj_gradients(y, 0, &kernel, 1, 0, &gradient), 1) << fj_message();
    fj_tapeStop();
    ASSERT_EQ(fj_optimizerApply(optimizer, &kernel, &id, &gradient, 1), 1) << fj_message();
  }
  EXPECT_LT(loss(), before - 1e-3);
  int weight = fj_modelWeight(model, 0);
  EXPECT_TRUE(std::ranges::equal(valuesOf(weight), valuesOf(kernel)));
  fj_optimizerFree(optimizer);
}

TEST_F(ModelCalled, MovingAveragesGoOnInTraining) {
  int mean = fj_modelVariable(model, 4);
  EXPECT_EQ(valuesOf(mean)[0], 0);
  squares(0);
  EXPECT_EQ(valuesOf(mean)[0], 0);
  squares(1);
  EXPECT_NE(valuesOf(mean)[0], 0);
}

}  // namespace
}  // namespace fjord
