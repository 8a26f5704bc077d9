// Initializers by what is known of their distributions: mean, variance, bounds, shape. Regularizers
// and constraints stand against Keras in golden_layers_test.cc.
#include "nn/weights.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "nn/model.h"

namespace fjord {
namespace {

Tensor draw(std::string_view initializer, const Shape& shape, uint64_t seed = 3) {
  Result<Json> json = parseJson(initializer);
  Result<Tensor> t = initialize(json ? *json : Json(std::string(initializer)), shape, seed);
  EXPECT_TRUE(t) << t.error().message;
  return t ? *t : *Tensor::zeros({DType::kF32, shape});
}

/// What a distribution has within 0.5 of its standard deviation before any cut: uniform on
/// [-sqrt(3), sqrt(3)], normal, normal cut at 2 standard deviations.
struct Kind {
  double within, kurtosis, bound;
};
constexpr Kind kUniform = {0.28868, 1.8, 1.73206}, kNormal = {0.38292, 3, 6},
               kTruncated = {0.40118, 2.37, 2.00001};
constexpr double kTruncation = 0.8796256610;  // the standard deviation left by the cut

struct Wanted {
  const char* initializer;
  Shape shape;
  double mean, deviation;  // before any cut
  Kind kind;
};

// Fans: of a dense kernel its two axes; of a convolution's those times the receptive field.
const Wanted kWanted[] = {
    {"glorotUniform", {150, 250}, 0, std::sqrt(2.0 / 400), kUniform},
    {"glorot_uniform", {3, 5, 20, 60}, 0, std::sqrt(2.0 / (15 * 80)), kUniform},
    {"GlorotNormal", {150, 250}, 0, std::sqrt(2.0 / 400) / kTruncation, kTruncated},
    {"he_uniform", {150, 250}, 0, std::sqrt(2.0 / 150), kUniform},
    {"he_normal", {3, 5, 20, 60}, 0, std::sqrt(2.0 / 300) / kTruncation, kTruncated},
    {"lecun_uniform", {150, 250}, 0, std::sqrt(1.0 / 150), kUniform},
    {"lecunNormal", {150, 250}, 0, std::sqrt(1.0 / 150) / kTruncation, kTruncated},
    {R"({"class_name": "VarianceScaling",
         "config": {"scale": 3, "mode": "fan_out", "distribution": "untruncated_normal"}})",
     {150, 250},
     0,
     std::sqrt(3.0 / 250),
     kNormal},
    {R"({"class_name": "VarianceScaling", "config": {"mode": "fan_avg", "distribution": "uniform"}})",
     {150, 250},
     0,
     std::sqrt(1.0 / 200),
     kUniform},
    {"variance_scaling", {150, 250}, 0, std::sqrt(1.0 / 150) / kTruncation, kTruncated},
    {"random_normal", {40000}, 0, 0.05, kNormal},
    {R"({"class_name": "RandomNormal", "config": {"mean": 2, "stddev": 3}})",
     {40000},
     2,
     3,
     kNormal},
    {R"({"class_name": "TruncatedNormal", "config": {"mean": -1, "stddev": 0.5}})",
     {40000},
     -1,
     0.5,
     kTruncated},
    {R"({"class_name": "RandomUniform", "config": {"minval": -1, "maxval": 5}})",
     {40000},
     2,
     std::sqrt(3.0),
     kUniform},
};

TEST(Initializers, HaveTheirDistributions) {
  for (const Wanted& want : kWanted) {
    SCOPED_TRACE(want.initializer);
    Tensor t = draw(want.initializer, want.shape);
    double n = static_cast<double>(t.size()), sum = 0, squares = 0, largest = 0, within = 0;
    for (float v : t.span<float>()) {
      double z = (v - want.mean) / want.deviation;
      sum += z;
      squares += z * z;
      largest = std::max(largest, std::fabs(z));
      within += std::fabs(z) < 0.5;
    }
    double variance = want.kind.kurtosis == kTruncated.kurtosis ? kTruncation * kTruncation : 1;
    // Five standard errors each.
    EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(variance / n));
    EXPECT_NEAR(squares / n, variance, 5 * variance * std::sqrt((want.kind.kurtosis - 1) / n));
    EXPECT_NEAR(within / n, want.kind.within,
                5 * std::sqrt(want.kind.within * (1 - want.kind.within) / n));
    EXPECT_LE(largest, want.kind.bound);
    // The bound is reached, but for the normal distribution's.
    EXPECT_GT(largest, std::min(want.kind.bound, 3.5) * 0.999);
  }
}

TEST(Initializers, OrthogonalRowsOrColumns) {
  for (const Shape& shape : {Shape{12, 7}, Shape{7, 12}, Shape{9, 9}, Shape{3, 3, 2, 5}}) {
    Tensor t = draw(R"({"class_name": "Orthogonal", "config": {"gain": 1.5}})", shape);
    int columns = shape[-1], rows = static_cast<int>(t.size()) / columns;
    bool tall = rows >= columns;
    int count = tall ? columns : rows, length = tall ? rows : columns;
    auto at = [&](int vector, int k) {
      return static_cast<double>(
          t.data<float>()[tall ? k * columns + vector : vector * columns + k]);
    };
    for (int i = 0; i < count; ++i) {
      for (int j = 0; j < count; ++j) {
        double dot = 0;
        for (int k = 0; k < length; ++k) dot += at(i, k) * at(j, k);
        EXPECT_NEAR(dot, i == j ? 2.25 : 0, 1e-5) << cat(shape, " ", i, " ", j);
      }
    }
  }
}

TEST(Initializers, Constants) {
  auto values = [](const Tensor& t) {
    return std::vector<float>(t.span<float>().begin(), t.span<float>().end());
  };
  EXPECT_EQ(values(draw("zeros", {3})), (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(values(draw("Ones", {2})), (std::vector<float>{1, 1}));
  EXPECT_EQ(values(draw(R"({"class_name": "Constant", "config": {"value": -2.5}})", {2})),
            (std::vector<float>{-2.5, -2.5}));
  EXPECT_EQ(values(draw(R"({"class_name": "Identity", "config": {"gain": 3}})", {2, 3})),
            (std::vector<float>{3, 0, 0, 0, 3, 0}));
}

TEST(Initializers, SeedsDecide) {
  auto same = [](const Tensor& a, const Tensor& b) {
    return std::ranges::equal(a.span<float>(), b.span<float>());
  };
  EXPECT_TRUE(same(draw("he_normal", {5, 7}, 1), draw("he_normal", {5, 7}, 1)));
  EXPECT_FALSE(same(draw("he_normal", {5, 7}, 1), draw("he_normal", {5, 7}, 2)));
  // A seed of its own counts more than the model's.
  const char* seeded = R"({"class_name": "HeNormal", "config": {"seed": 11}})";
  EXPECT_TRUE(same(draw(seeded, {5, 7}, 1), draw(seeded, {5, 7}, 2)));

  // Two layers alike start from different numbers, uncorrelated.
  Threads threads(1);
  auto model = Model::fromJson(*parseJson(R"({"class_name": "Sequential", "config": {"layers": [
        {"class_name": "Dense", "config": {"units": 100, "batch_input_shape": [null, 100]}},
        {"class_name": "Dense", "config": {"units": 100}}]}})"),
                               threads);
  ASSERT_TRUE(model) << model.error().message;
  std::span<float> a = (*model)->mutableWeights()[0].value.span<float>(),
                   b = (*model)->mutableWeights()[2].value.span<float>();
  double ab = 0, aa = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
  }
  EXPECT_LT(std::fabs(ab / aa), 0.05);  // five standard errors of 10,000 pairs
}

TEST(Initializers, SayWhatIsWrong) {
  auto message = [](std::string_view initializer, const Shape& shape) {
    Result<Tensor> t = initialize(*parseJson(initializer), shape, 1);
    return t ? std::string("no error") : t.error().message;
  };
  EXPECT_EQ(message(R"("telepathy")", {3}).substr(0, 50),
            R"(unknown initializer "telepathy"; there are zeros, )");
  EXPECT_EQ(message("7", {3}), "the initializer must be a name, or {class_name, config}, got 7");
  EXPECT_EQ(message(R"("orthogonal")", {3}),
            "an orthogonal initializer needs at least two axes, got [3]");
  EXPECT_EQ(message(R"("identity")", {2, 2, 2}),
            "an identity initializer needs two axes, got [2,2,2]");
  EXPECT_EQ(message(R"({"class_name": "VarianceScaling", "config": {"mode": "fan_over"}})", {3, 3}),
            R"(variance_scaling: mode must be one of fan_in, fan_out, fan_avg, got "fan_over")");
  EXPECT_EQ(
      message(R"({"class_name": "VarianceScaling", "config": {"distribution": "flat"}})", {3, 3}),
      "variance_scaling: distribution must be one of truncated_normal, normal, uniform, "
      "untruncated_normal, got \"flat\"");
}

}  // namespace
}  // namespace fjord
