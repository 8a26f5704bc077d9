// Metrics against what they mean, where Keras's numbers (golden_layers_test.cc) are one oracle: areas by
// pairs, halves of a batch against the whole; and what cannot be one number is refused in words.
#include "nn/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "ir/graph.h"
#include "nn/losses.h"
#include "run/cpu.h"
#include "testing/goldens.h"

namespace fjord {
namespace {

struct Data {
  Tensor y, p;
};

Tensor drawn(const Shape& shape, uint64_t seed, bool isWhole, float below) {
  Random random(seed);
  Tensor t = *Tensor::zeros({DType::kF32, shape});
  for (float& v : t.span<float>()) {
    v = random.uniform() * below;
    if (isWhole) v = std::floor(v);
  }
  return t;
}

/// Rows [begin, end).
Tensor part(const Tensor& t, int begin, int end) {
  Shape shape = t.shape();
  int64_t row = t.size() / shape[0];
  shape[0] = end - begin;
  return *Tensor::of(shape, t.span<float>().subspan(begin * row, shape.size()));
}

struct Sums {
  std::vector<double> values;
  MetricValue value;
  std::string error;
};

Sums sumsOf(const Json& metric, const Data& data, const Json& loss = "mse") {
  Threads threads(1);
  Graph graph;
  Value y = graph.input(data.y.type()), p = graph.input(data.p.type());
  MetricSums m = metricSums(metric, loss, y, p);
  if (Status status = graph.status(); !status) return {{}, {}, status.error().message};
  for (Value v : m.sums) graph.output(v);
  Sums sums{{}, m.value, ""};
  for (const Tensor& t : *evaluate(graph, {{data.y, data.p}}, threads))
    sums.values.insert(sums.values.end(), t.span<float>().begin(), t.span<float>().end());
  return sums;
}

Json described(std::string_view name, const Json& config) {
  return {{"class_name", name}, {"config", config}};
}

/// The share of pairs of one that is to be predicted and one that is not whose scores say so (Mann and
/// Whitney 1947); of equal scores half of one.
double shareOfPairs(const Tensor& y, const Tensor& p) {
  double right = 0, all = 0;
  for (int64_t i = 0; i < y.size(); ++i) {
    for (int64_t j = 0; j < y.size(); ++j) {
      if (y.data<float>()[i] < 0.5f || y.data<float>()[j] > 0.5f) continue;
      float a = p.data<float>()[i], b = p.data<float>()[j];
      right += a > b ? 1 : a == b ? 0.5 : 0;
      ++all;
    }
  }
  return right / all;
}

TEST(Metrics, AreBetterInTheDirectionThatKerasSays) {
  int known = 0;
  for (const Json& c : testing::Goldens("nn_defaults").cases) {
    if (c["kind"] != "metric") continue;
    Better better = c["direction"] == "up"     ? Better::kLarger
                    : c["direction"] == "down" ? Better::kSmaller
                                               : Better::kUnknown;
    EXPECT_EQ(betterOf(c["name"]), better) << stringOr(c, "name", "");
    known += better != Better::kUnknown;
  }
  EXPECT_GT(known, 30);
}

TEST(Metrics, AnAreaIsTheShareOfPairsInOrder) {
  // Scores are 1 / 64 apart, some of them equal, and thresholds lie between them.
  Data data{drawn({150}, 1, true, 2), drawn({150}, 2, true, 64)};
  for (int64_t i = 0; i < data.p.size(); ++i) {
    float& score = data.p.data<float>()[i];
    score = (std::floor(score / 2) + 16 * data.y.data<float>()[i]) / 64 + 1.0f / 128;
  }
  Sums sums = sumsOf(described("auc", {{"num_thresholds", 65}}), data);
  ASSERT_EQ(sums.error, "");
  double share = shareOfPairs(data.y, data.p), area = sums.value(sums.values);
  EXPECT_GT(share, 0.6);
  EXPECT_LT(share, 0.95);
  EXPECT_NEAR(area, share, 1e-9);
}

/// The arguments that a row cannot do without, and those without which it is no number.
Json configOf(const Named& row) {
  Json config = Json::object();
  auto fill = [&](auto& self, std::span<const Argument> table) -> void {
    for (const Argument& a : table) {
      if (a.kind == Argument::kAlso) self(self, {a.rows, a.rowCount});
      if (a.name == std::string_view("average")) config[a.name] = "macro";
      if (!a.needed) continue;
      config[a.name] = a.kind == Argument::kNumbers ? Json{0, 2}
                       : a.kind == Argument::kWhole ? Json(3)
                                                    : Json(0.5);
    }
  };
  fill(fill, row.arguments);
  return config;
}

TEST(Metrics, HalvesOfABatchAddUp) {
  for (const Named& row : metricTable().rows) {
    std::string name(firstName(row));
    SCOPED_TRACE(name);
    // Labels that are all the same have no correlation with anything.
    bool isSparse = name.starts_with("sparse_"), isWhole = !name.ends_with("correlation");
    Data data{isSparse ? drawn({20}, 3, true, 3) : drawn({20, 3}, 3, isWhole, 2),
              drawn({20, 3}, 4, false, 1)};
    Json metric = described(name, configOf(row));
    Sums whole = sumsOf(metric, data), sums;
    ASSERT_EQ(whole.error, "");
    for (auto [begin, end] : {std::pair(0, 7), std::pair(7, 20)}) {
      Sums half = sumsOf(metric, {part(data.y, begin, end), part(data.p, begin, end)});
      sums.values.resize(half.values.size());
      std::ranges::transform(sums.values, half.values, sums.values.begin(), std::plus());
    }
    double value = whole.value(whole.values);
    EXPECT_TRUE(std::isfinite(value) && value != 0) << value;
    EXPECT_NEAR(whole.value(sums.values), value, 1e-5 * (1 + std::fabs(value)));
  }
}

TEST(Metrics, WhatIsNoNumberIsRefused) {
  Data data{drawn({4, 3}, 5, true, 2), drawn({4, 3}, 6, false, 1)};
  struct {
    const char* name;
    Json config;
    const char* says;
  } cases[] = {
      {"precision",
       {{"thresholds", {0.2, 0.4}}},
       "a metric is one number: thresholds must be one, got 2"},
      {"recall", {{"class_id", 3}}, "class_id must be below the number of classes, 3, got 3"},
      {"precision_at_recall",
       {{"recall", 0.5}, {"class_id", 7}},
       "class_id must be below the number of classes, 3, got 7"},
      {"f1_score", Json::object(),
       "a metric is one number: average must be micro, macro or weighted"},
      {"r2_score",
       {{"class_aggregation", nullptr}},
       "a metric is one number: class_aggregation must not be null"},
      {"iou",
       {{"num_classes", 2}, {"target_class_ids", {0, 2}}},
       "target_class_ids must be below num_classes, 2, got 2"},
      {"auc", {{"num_labels", 3}}, "num_labels and label_weights go with multi_label"},
      {"auc",
       {{"multi_label", true}, {"label_weights", {1, 2}}},
       "label_weights must be 3 numbers, got 2"},
  };
  for (const auto& [name, config, says] : cases) {
    std::string error = sumsOf(described(name, config), data).error;
    EXPECT_TRUE(error.ends_with(says)) << name << ": " << error;
  }
}

TEST(Losses, LabelsAndAxesThatCannotBeAreRefused) {
  struct {
    Json loss;
    Shape labels, predictions;
    const char* says;
  } cases[] = {
      {described("cosine_similarity", {{"axis", 0}}),
       {2, 3},
       {2, 3},
       "axis must be from -1 to -1 or from 1 to 1, got 0: the first axis is that of samples"},
      {"ctc",
       {2, 3},
       {2, 4},
       "needs labels [N,L] and predictions [N,T,C], got float32[2,3] and float32[2,4]"},
      {"circle", {2}, {2, 3, 4}, "needs embeddings [N,D], got float32[2,3,4]"},
  };
  for (const auto& [loss, labels, predictions, says] : cases) {
    Graph graph;
    Value y = graph.input({DType::kF32, labels}), p = graph.input({DType::kF32, predictions});
    batchLoss(loss, y, p, {});
    ASSERT_FALSE(graph.status());
    EXPECT_TRUE(graph.status().error().message.ends_with(says)) << graph.status().error().message;
  }
}

}  // namespace
}  // namespace fjord
