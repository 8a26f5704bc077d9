// Layers that draw random numbers: what is drawn, by its moments; values and gradients given that; and
// that prediction draws nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "nn/module.h"
#include "testing/drawn.h"
#include "testing/models.h"

namespace fjord {
namespace {

using testing::draw;
using testing::Drawn;
using testing::uniform;

struct Moments {
  double mean = 0, deviation = 0;
};
template <class Values>
Moments momentsOf(const Values& values) {
  Moments m;
  for (double v : values) m.mean += v / std::size(values);
  for (double v : values) m.deviation += (v - m.mean) * (v - m.mean) / std::size(values);
  m.deviation = std::sqrt(m.deviation);
  return m;
}

const Shape kMany{100, 200};

TEST(RandomLayers, GaussianNoiseAdds) {
  Tensor x = uniform(kMany, -2, 2, 1), dy = uniform(kMany, 0.5, 1.5, 2);
  Drawn d = draw("GaussianNoise", {{"stddev", 0.3}}, x, dy);
  std::vector<double> noise;
  for (int64_t i = 0; i < x.size(); ++i)
    noise.push_back(double(d.y.data<float>()[i]) - x.data<float>()[i]);
  Moments m = momentsOf(noise);
  // Of 20,000 numbers: within five standard errors.
  EXPECT_NEAR(m.mean, 0, 5 * 0.3 / std::sqrt(20000));
  EXPECT_NEAR(m.deviation, 0.3, 5 * 0.3 / std::sqrt(40000));
  EXPECT_TRUE(std::ranges::equal(d.dx.span<float>(), dy.span<float>()));
}

TEST(RandomLayers, GaussianDropoutMultiplies) {
  Tensor x = uniform(kMany, 0.5, 2, 3), dy = uniform(kMany, 0.5, 1.5, 4);
  Drawn d = draw("GaussianDropout", {{"rate", 0.2}}, x, dy);
  std::vector<double> factors;
  for (int64_t i = 0; i < x.size(); ++i) {
    factors.push_back(double(d.y.data<float>()[i]) / x.data<float>()[i]);
    EXPECT_NEAR(d.dx.data<float>()[i], factors.back() * dy.data<float>()[i], 1e-5);
  }
  Moments m = momentsOf(factors);
  EXPECT_NEAR(m.mean, 1, 5 * 0.5 / std::sqrt(20000));
  EXPECT_NEAR(m.deviation, 0.5, 5 * 0.5 / std::sqrt(40000));
}

TEST(RandomLayers, AlphaDropoutKeepsMeanAndVariance) {
  Tensor x = *Tensor::empty({DType::kF32, kMany}), dy = uniform(kMany, 0.5, 1.5, 5);
  Random random(6);
  for (float& v : x.span<float>()) v = random.normal();
  constexpr double kRate = 0.25, kLeast = -1.7580993408473766;
  double scale = 1 / std::sqrt((1 - kRate) * (1 + kRate * kLeast * kLeast));
  double offset = -scale * kLeast * kRate;
  Drawn d = draw("AlphaDropout", {{"rate", kRate}}, x, dy);
  int dropped = 0;
  for (int64_t i = 0; i < x.size(); ++i) {
    bool isDropped = d.dx.data<float>()[i] == 0;
    dropped += isDropped;
    double kept = isDropped ? kLeast : x.data<float>()[i];
    EXPECT_NEAR(d.y.data<float>()[i], kept * scale + offset, 1e-5);
    if (!isDropped) EXPECT_NEAR(d.dx.data<float>()[i], dy.data<float>()[i] * scale, 1e-5);
  }
  EXPECT_NEAR(dropped / 20000.0, kRate, 5 * std::sqrt(0.25 * 0.75 / 20000));
  Moments m = momentsOf(d.y.span<float>());
  EXPECT_NEAR(m.mean, 0, 0.04);
  EXPECT_NEAR(m.deviation, 1, 0.04);
}

TEST(RandomLayers, ASeedOfTheLayersOwnIsThatOfNoModel) {
  struct {
    const char* className;
    Json config;
    Shape shape;
  } layers[] = {
      {"Dropout", {{"rate", 0.5}}, {4, 50}},
      {"SpatialDropout1D", {{"rate", 0.5}}, {8, 3, 20}},
      {"AlphaDropout", {{"rate", 0.5}}, {4, 50}},
      {"GaussianDropout", {{"rate", 0.5}}, {4, 50}},
      {"GaussianNoise", {{"stddev", 1}}, {4, 50}},
      {"RandomFlip", Json::object(), {20, 4, 5, 1}},
      {"RandomContrast", {{"factor", 0.5}}, {4, 4, 5, 1}},
      {"RandomTranslation", {{"height_factor", 0.4}, {"width_factor", 0.4}}, {6, 7, 7, 1}},
      {"RandomShear", {{"x_factor", 0.4}}, {6, 7, 7, 1}},
      {"RandomErasing", {{"factor", {1, 1}}}, {6, 7, 7, 1}},
      {"RandAugment", Json::object(), {2, 7, 7, 3}},
  };
  for (auto& [className, config, shape] : layers) {
    SCOPED_TRACE(className);
    Tensor x = uniform(shape, 0.5, 2, 7), dy = uniform(shape, 0.5, 1.5, 8);
    auto drawn = [&](int32_t step, int32_t seed) {
      return testing::valuesOf(draw(className, config, x, dy, true, step, seed).y);
    };
    EXPECT_NE(drawn(1, 5), drawn(1, 6));
    config["seed"] = 3;
    EXPECT_EQ(drawn(1, 5), drawn(1, 6));
    EXPECT_NE(drawn(1, 5), drawn(2, 5)) << "another draw in each step";
    std::vector<float> third = drawn(1, 5);
    config["seed"] = 4;
    EXPECT_NE(drawn(1, 5), third);
  }
}

/// What is dropped is dropped along the axes that share a draw, and only there.
void expectDropped(std::string_view className, const Json& config, const Shape& shape, double rate,
                   auto group, int groups) {
  SCOPED_TRACE(className);
  Tensor x = uniform(shape, 0.5, 2, 7), dy = uniform(shape, 0.5, 1.5, 8);
  Drawn d = draw(className, config, x, dy);
  std::vector<int> kept(groups, -1);
  for (int64_t i = 0; i < x.size(); ++i) {
    bool isKept = d.y.data<float>()[i] != 0;
    double factor = isKept ? 1 / (1 - rate) : 0;
    EXPECT_NEAR(d.y.data<float>()[i], x.data<float>()[i] * factor, 1e-5);
    EXPECT_NEAR(d.dx.data<float>()[i], dy.data<float>()[i] * factor, 1e-5);
    int& known = kept[group(i)];
    EXPECT_TRUE(known < 0 || known == isKept) << "element " << i;
    known = isKept;
  }
  double share = std::ranges::count(kept, 0) / static_cast<double>(groups);
  EXPECT_NEAR(share, rate, 5 * std::sqrt(rate * (1 - rate) / groups));
}

TEST(RandomLayers, DropoutsShareDraws) {
  expectDropped("Dropout", {{"rate", 0.3}}, {50, 40}, 0.3, [](int64_t i) { return int(i); }, 2000);
  expectDropped(
      "Dropout", {{"rate", 0.3}, {"noise_shape", {nullptr, 1, 20}}}, {50, 3, 20}, 0.3,
      [](int64_t i) { return int(i / 60 * 20 + i % 20); }, 1000);
  expectDropped(
      "SpatialDropout1D", {{"rate", 0.4}}, {50, 3, 20}, 0.4,
      [](int64_t i) { return int(i / 60 * 20 + i % 20); }, 1000);
  expectDropped(
      "SpatialDropout2D", {{"rate", 0.4}}, {50, 2, 3, 20}, 0.4,
      [](int64_t i) { return int(i / 120 * 20 + i % 20); }, 1000);
  expectDropped(
      "SpatialDropout3D", {{"rate", 0.4}}, {50, 2, 1, 3, 20}, 0.4,
      [](int64_t i) { return int(i / 120 * 20 + i % 20); }, 1000);
}

/// Image n of x [N,H,W,C], with its columns and rows turned round where that is asked for.
std::vector<float> flipped(const Tensor& x, int n, bool columns, bool rows) {
  const Shape& s = x.shape();
  std::vector<float> out;
  for (int i = 0; i < s[1]; ++i) {
    for (int j = 0; j < s[2]; ++j) {
      for (int k = 0; k < s[3]; ++k) {
        int row = rows ? s[1] - 1 - i : i, column = columns ? s[2] - 1 - j : j;
        out.push_back(x.data<float>()[((n * s[1] + row) * s[2] + column) * s[3] + k]);
      }
    }
  }
  return out;
}

TEST(RandomLayers, FlipsTurnHalfOfTheImages) {
  const Shape shape{1000, 3, 4, 2};
  Tensor x = uniform(shape, 0, 1, 9), dy = uniform(shape, 0.5, 1.5, 10);
  for (const char* mode : {"horizontal", "vertical", "horizontal_and_vertical"}) {
    SCOPED_TRACE(mode);
    bool columns = *mode == 'h', rows = mode != std::string_view("horizontal");
    Drawn d = draw("RandomFlip", {{"mode", mode}}, x, dy);
    int turned = 0;
    for (int n = 0; n < shape[0]; ++n) {
      std::vector<float> y = flipped(d.y, n, false, false);
      bool isTurned = y != flipped(x, n, false, false);
      turned += isTurned;
      EXPECT_EQ(y, flipped(x, n, isTurned && columns, isTurned && rows)) << "image " << n;
      EXPECT_EQ(flipped(d.dx, n, false, false),
                flipped(dy, n, isTurned && columns, isTurned && rows));
    }
    EXPECT_NEAR(turned / 1000.0, 0.5, 5 * 0.5 / std::sqrt(1000));
  }
}

TEST(RandomLayers, ContrastIsOneFactorForAnImage) {
  const Shape shape{1000, 2, 3, 2};
  Tensor x = uniform(shape, 100, 150, 11), dy = uniform(shape, 0.5, 1.5, 12);
  Drawn d = draw("RandomContrast", {{"factor", {0.25, 0.75}}}, x, dy);
  std::vector<double> factors;
  for (int n = 0; n < shape[0]; ++n) {
    const float *in = x.data<float>() + n * 12, *out = d.y.data<float>() + n * 12;
    const float *dIn = d.dx.data<float>() + n * 12, *dOut = dy.data<float>() + n * 12;
    double factor = (double(out[0]) - out[2]) / (double(in[0]) - in[2]);
    // Two pixels of nearly one value say little about it.
    if (std::fabs(in[0] - in[2]) < 1) continue;
    factors.push_back(factor);
    for (int k = 0; k < 2; ++k) {
      double mean = 0, share = 0;
      for (int i = k; i < 12; i += 2) mean += in[i] / 6.0, share += dOut[i] / 6.0;
      for (int i = k; i < 12; i += 2) {
        EXPECT_NEAR(out[i], (in[i] - mean) * factor + mean, 5e-3);
        EXPECT_NEAR(dIn[i], (dOut[i] - share) * factor + share, 2e-4);
      }
    }
  }
  // Uniform from 0.75 to 1.75.
  Moments m = momentsOf(factors);
  EXPECT_NEAR(m.mean, 1.25, 5 * 0.2887 / std::sqrt(900));
  EXPECT_NEAR(m.deviation, 0.2887, 0.02);
  EXPECT_GT(std::ranges::min(factors), 0.749);
  EXPECT_LT(std::ranges::max(factors), 1.751);
}

/// A draw for each image, and another in each step; none in prediction.
TEST(RandomLayers, DrawForEachImageInTrainingAlone) {
  const Shape shape{64, 4, 5, 1};
  Tensor x = *Tensor::zeros({DType::kF32, shape}), dy = uniform(shape, 0.5, 1.5, 13);
  // One picture in all images.
  Tensor one = uniform({20}, 50, 200, 14);
  for (int n = 0; n < shape[0]; ++n) std::ranges::copy(one.span<float>(), x.data<float>() + n * 20);
  Json both = {{"height_factor", 0.3}, {"width_factor", 0.3}};
  for (const auto& [name, config] : std::initializer_list<std::pair<const char*, Json>>{
           {"RandomFlip", Json::object()},
           {"RandomContrast", {{"factor", 0.5}}},
           {"RandomBrightness", {{"factor", 0.5}}},
           {"RandomRotation", {{"factor", 0.5}}},
           {"RandomTranslation", both},
           {"RandomZoom", both},
           {"RandomZoom", {{"height_factor", 0.3}}},
           {"RandomShear", {{"x_factor", 0.4}, {"y_factor", 0.4}}},
           {"RandomPerspective", {{"factor", {1, 1}}}},
           {"RandomElasticTransform", Json::object()},
           {"RandomInvert", Json::object()},
           {"RandomPosterization", {{"factor", {1, 8}}}},
           {"RandomSharpness", {{"factor", 0.9}}},
           {"RandomGaussianBlur", Json::object()},
           {"RandomErasing", Json::object()},
           {"Solarization", {{"addition_factor", 0.5}, {"threshold_factor", 0.9}}}}) {
    SCOPED_TRACE(name);
    Drawn first = draw(name, config, x, dy), second = draw(name, config, x, dy, true, 1);
    EXPECT_TRUE(first.draws);
    EXPECT_FALSE(std::ranges::equal(first.y.span<float>(), second.y.span<float>()));
    int differ = 0;
    for (int n = 1; n < shape[0]; ++n) {
      const float *a = first.y.data<float>(), *b = a + n * 20;
      differ += !std::equal(a, a + 20, b);
    }
    EXPECT_GT(differ, 10);
    Drawn predicted = draw(name, config, x, dy, false);
    EXPECT_FALSE(predicted.draws);
    EXPECT_TRUE(std::ranges::equal(predicted.y.span<float>(), x.span<float>()));
    EXPECT_TRUE(std::ranges::equal(predicted.dx.span<float>(), dy.span<float>()));
  }
}

TEST(RandomLayers, RefuseInWords) {
  auto words = [](std::string_view className, const Json& config, const Shape& shape) {
    auto type = inferLayer(className, config, {{Type{DType::kF32, shape}}});
    return type ? std::string("taken") : type.error().message;
  };
  EXPECT_EQ(words("Dropout", {{"rate", 0.5}, {"noise_shape", {nullptr, 2}}}, {-1, 3}),
            "Dropout: noise_shape must have for each axis of [1,3] its size, 1, or null, got "
            "[-1,2]");
  EXPECT_EQ(words("SpatialDropout2D", {{"rate", 0.5}}, {-1, 3}),
            "SpatialDropout2D: needs an input of rank 4, got float32[1,3]");
  EXPECT_EQ(words("RandomBrightness", {{"factor", 0.5}, {"value_range", {1, 1}}}, {-1, 3, 3, 1}),
            "RandomBrightness: value_range must be two different numbers, the least and the "
            "largest");
  EXPECT_EQ(
      words("RandomZoom", {{"height_factor", -1}}, {-1, 3, 3, 1}),
      "RandomZoom: height_factor must be a finite number above -1 and at most 1, or a list of two, "
      "got -1");
  EXPECT_EQ(words("Lambda", Json::object(), {-1, 3}),
            "the layer Lambda is not supported: its function is a program in Python");
}

}  // namespace
}  // namespace fjord
