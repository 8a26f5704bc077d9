// The loss of sequences against the sum over all paths, and labels of several lengths in one model.
#include <gtest/gtest.h>

#include <cmath>

#include "ir/graph.h"
#include "nn/losses.h"
#include "nn/model.h"
#include "run/cpu.h"
#include "testing/models.h"

namespace fjord {
namespace {

constexpr int kSteps = 5, kClasses = 3;

/// What a path says: without repeats, and then without blanks.
std::vector<int> spelledBy(const std::vector<int>& path) {
  std::vector<int> spelled;
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] != 0 && (i == 0 || path[i] != path[i - 1])) spelled.push_back(path[i]);
  }
  return spelled;
}

/// -log of the probability of all paths that spell the labels, each of the 3^5 looked at.
double lossByPaths(std::span<const float> logits, const std::vector<int>& labels) {
  double total = 0;
  int count = static_cast<int>(std::pow(kClasses, kSteps));
  for (int number = 0; number < count; ++number) {
    std::vector<int> path;
    double probability = 1;
    for (int t = 0, rest = number; t < kSteps; ++t, rest /= kClasses) {
      std::span<const float> scores = logits.subspan(t * kClasses, kClasses);
      double sum = 0;
      for (float score : scores) sum += std::exp(score);
      path.push_back(rest % kClasses);
      probability *= std::exp(scores[path.back()]) / sum;
    }
    if (spelledBy(path) == labels) total += probability;
  }
  return -std::log(total);
}

TEST(Ctc, IsTheSumOverAllPaths) {
  const std::vector<int> sequences[] = {{1, 2}, {1, 1}, {2}, {}, {2, 1, 2}, {1, 1, 2}, {2, 2, 2}};
  Threads threads(1);
  Tensor logits = testing::numbers({1, kSteps, kClasses});
  for (const std::vector<int>& labels : sequences) {
    Tensor y = *Tensor::zeros({DType::kF32, {1, 3}});
    for (size_t i = 0; i < labels.size(); ++i) y.data<float>()[i] = static_cast<float>(labels[i]);
    Graph graph;
    graph.output(batchLoss("ctc", graph.input(y.type()), graph.input(logits.type()), {}));
    auto loss = evaluate(graph, {{y, logits}}, threads);
    ASSERT_TRUE(loss) << loss.error().message;
    double want = lossByPaths(logits.span<float>(), labels);
    EXPECT_NEAR((*loss)[0].data<float>()[0], want, 1e-5 * (1 + want)) << labels.size() << " labels";
  }
}

TEST(Ctc, OneModelTakesLabelsOfAnyLength) {
  Threads threads(1);
  auto model = *Model::fromJson(*parseJson(R"({"class_name": "Sequential", "config": {"layers": [
    {"class_name": "Dense", "config": {"units": 4, "batch_input_shape": [null, 6, 2]}}]}})"),
                                threads, {.seed = 3});
  ASSERT_TRUE(model->compile(*parseJson(R"({"optimizer": "sgd", "loss": "ctc"})")));
  Tensor x = testing::numbers({2, 6, 2});
  auto lossOf = [&](std::vector<float> labels) {
    auto length = static_cast<int32_t>(labels.size() / 2);
    Tensor y = *Tensor::of({2, length}, std::span<const float>(labels));
    Totals totals;
    Status status = model->run(Model::kTest, {.x = {&x, 1}, .y = {&y, 1}}, totals);
    EXPECT_TRUE(status) << status.error().message;
    return totals.loss;
  };
  double loss = lossOf({1, 2, 3, 0});
  EXPECT_GT(loss, 0.1);
  EXPECT_NEAR(lossOf({1, 2, 0, 0, 3, 0, 0, 0}), loss, 1e-5 * loss);
  EXPECT_EQ(lossOf({1, 2, 3, 0}), loss);

  Tensor y = *Tensor::of({2, 2}, std::span<const float>({1.0f, 2.0f, 4.0f, 0.0f}));
  Totals totals;
  Status status = model->run(Model::kTest, {.x = {&x, 1}, .y = {&y, 1}}, totals);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            "the labels of dense are class numbers from 0 to 3: that of sample 1 is 4");
  EXPECT_EQ(model->prepare(Model::kTrain, 2).error().message,
            "the model takes samples of any size: a step is planned when there are some");
}

}  // namespace
}  // namespace fjord
