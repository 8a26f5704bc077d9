// What augmentation does to images whose draws nobody knows: images that tell where each of their pixels
// came from, or how it was changed.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "nn/module.h"
#include "testing/drawn.h"

namespace fjord {
namespace {

using testing::draw;
using testing::uniform;

const Json kNothing = Json::object();

/// One number of images [N,H,W,C].
float at(const Tensor& t, int n, int i, int j, int k = 0) {
  const Shape& s = t.shape();
  return t.data<float>()[((n * s[1] + i) * s[2] + j) * s[3] + k];
}
/// The layer's output in a step of training.
Tensor drawn(std::string_view className, const Json& config, const Tensor& x, int32_t step = 0) {
  return draw(className, config, x, uniform(x.shape(), 0.5, 1.5, 2), true, step).y;
}
/// Images whose channels are the column and the row of each pixel, of which nothing is lost where pixels are
/// taken between others; and 1, of which something is lost where one of these is beyond the image.
Tensor places(int images, int height, int width) {
  Tensor t = *Tensor::empty({DType::kF32, {images, height, width, 3}});
  float* to = t.data<float>();
  for (int n = 0; n < images; ++n) {
    for (int i = 0; i < height; ++i) {
      for (int j = 0; j < width; ++j) {
        *to++ = static_cast<float>(j);
        *to++ = static_cast<float>(i);
        *to++ = 1;
      }
    }
  }
  return t;
}

TEST(Augmentation, ShearMovesRowsByColumnsAndColumnsByRows) {
  Tensor y =
      drawn("RandomShear", {{"x_factor", {0.1, 0.3}}, {"y_factor", 0.2}}, places(200, 9, 11));
  int toTheLeft = 0;
  for (int n = 0; n < 200; ++n) {
    // Near the first pixel, which stays, all are within the image if they go to the right and down.
    double x = at(y, n, 1, 5, 0) - 5.0, d = 0;
    toTheLeft += x < 0;
    EXPECT_TRUE(std::fabs(x) > 0.0999 && std::fabs(x) < 0.3001) << x;
    for (int i = 0; i < 3; ++i) {
      for (int j = 3; j < 7; ++j) EXPECT_NEAR(at(y, n, i, j, 0), j + x * i, 1e-4);
    }
    for (int i = 3; i < 6; ++i) {
      d = at(y, n, i, 1, 1) - i;
      EXPECT_LT(std::fabs(d), 0.2001);
      for (int j = 0; j < 4; ++j) EXPECT_NEAR(at(y, n, i, j, 1), i + d * j, 1e-4);
    }
  }
  EXPECT_NEAR(toTheLeft, 100, 5 * std::sqrt(50.0));
}

/// The solution of a system of equations [n][n + 1], by Gauss.
template <size_t n>
std::array<double, n> solved(std::array<std::array<double, n + 1>, n> a) {
  for (size_t k = 0; k < n; ++k) {
    size_t best = k;
    for (size_t i = k; i < n; ++i) best = std::fabs(a[i][k]) > std::fabs(a[best][k]) ? i : best;
    std::swap(a[k], a[best]);
    for (size_t i = 0; i < n; ++i) {
      double factor = i == k ? 0 : a[i][k] / a[k][k];
      for (size_t j = k; j <= n; ++j) a[i][j] -= factor * a[k][j];
    }
  }
  std::array<double, n> x;
  for (size_t k = 0; k < n; ++k) x[k] = a[k][n] / a[k][k];
  return x;
}

TEST(Augmentation, PerspectiveMovesThreeCorners) {
  constexpr int kImages = 100, kH = 16, kW = 20;
  Tensor y =
      drawn("RandomPerspective", {{"factor", {1, 1}}, {"scale", 0.4}}, places(kImages, kH, kW));
  std::array<std::set<int>, 4> met;
  for (int n = 0; n < kImages; ++n) {
    // Pixels all of whose neighbours were within the image.
    std::vector<std::array<double, 4>> pairs;
    for (int i = 0; i < kH; ++i) {
      for (int j = 0; j < kW; ++j) {
        double column = at(y, n, i, j, 0), row = at(y, n, i, j, 1);
        if (std::fabs(at(y, n, i, j, 2) - 1) < 1e-4)
          pairs.push_back({double(j), double(i), column, row});
      }
    }
    ASSERT_GT(pairs.size(), 40u);
    // The projection through the four that lie farthest apart, as eight equations.
    std::array<std::array<double, 9>, 8> equations;
    for (int p = 0; p < 4; ++p) {
      auto far = [&](const std::array<double, 4>& pixel) {
        return (p & 1 ? -1 : 1) * pixel[0] + (p & 2 ? -1 : 1) * pixel[1];
      };
      auto [x, i, u, v] = *std::ranges::max_element(pairs, {}, far);
      equations[2 * p] = {x, i, 1, 0, 0, 0, -u * x, -u * i, u};
      equations[2 * p + 1] = {0, 0, 0, x, i, 1, -v * x, -v * i, v};
    }
    std::array<double, 8> t = solved(equations);
    auto projected = [&](double x, double i) -> std::array<double, 2> {
      double k = t[6] * x + t[7] * i + 1;
      return {(t[0] * x + t[1] * i + t[2]) / k, (t[3] * x + t[4] * i + t[5]) / k};
    };
    for (auto [x, i, u, v] : pairs) {
      auto [column, row] = projected(x, i);
      EXPECT_NEAR(column, u, 2e-2);
      EXPECT_NEAR(row, v, 2e-2);
    }
    // Where the corners of the image went: the inverse, as three equations.
    auto wentTo = [&](double column, double row) -> std::array<double, 2> {
      return solved(std::array<std::array<double, 3>, 2>{
          {{t[0] - column * t[6], t[1] - column * t[7], column - t[2]},
           {t[3] - row * t[6], t[4] - row * t[7], row - t[5]}}});
    };
    auto [left, top] = wentTo(0, 0);
    EXPECT_NEAR(left, 0, 0.1);
    EXPECT_NEAR(top, 0, 0.1);
    auto [right, up] = wentTo(kW - 1, 0);
    auto [side, down] = wentTo(0, kH - 1);
    auto [far, below] = wentTo(kW - 1, kH - 1);
    EXPECT_NEAR(up, 0, 0.2);
    EXPECT_NEAR(side, 0, 0.2);
    double moves[] = {right / (kW - 1), down / (kH - 1), far / (kW - 1), below / (kH - 1)};
    for (int k = 0; k < 4; ++k) {
      EXPECT_TRUE(moves[k] > 0.78 && moves[k] < 1.22) << moves[k];
      met[k].insert(static_cast<int>(moves[k] * 20));
    }
  }
  for (const std::set<int>& parts : met) EXPECT_GE(parts.size(), 6u);
}

TEST(Augmentation, CropTakesAWindowForTheBatch) {
  Tensor x = places(3, 7, 9);
  Json config = {{"height", 3}, {"width", 4}};
  std::set<std::pair<int, int>> met;
  for (int step = 0; step < 200; ++step) {
    Tensor dy = uniform({3, 3, 4, 3}, 0.5, 1.5, 3);
    Tensor y = draw("RandomCrop", config, x, dy, true, step).y;
    int column = static_cast<int>(at(y, 0, 0, 0, 0)), row = static_cast<int>(at(y, 0, 0, 0, 1));
    met.insert({row, column});
    for (int n = 0; n < 3; ++n) {
      for (int i = 0; i < 3; ++i) {
        for (int j = 0; j < 4; ++j) {
          EXPECT_EQ(at(y, n, i, j, 0), column + j);
          EXPECT_EQ(at(y, n, i, j, 1), row + i);
        }
      }
    }
  }
  // Of 5 x 6 places.
  EXPECT_GE(met.size(), 28u);
  Tensor dy = uniform({3, 3, 4, 3}, 0.5, 1.5, 3);
  Tensor y = draw("RandomCrop", config, x, dy, false).y;
  // The largest part of these proportions, 6 x 9: rows from 0, each of two.
  EXPECT_NEAR(at(y, 0, 1, 1, 1), 2.5, 1e-5);
}

TEST(Augmentation, ElasticMovesPixelsSmoothly) {
  constexpr int kSize = 40;
  Tensor x = places(4, kSize, kSize);
  Json config = {{"factor", {1, 1}}, {"scale", {1, 1}}, {"value_range", {0, kSize}}};
  Tensor y = drawn("RandomElasticTransform", config, x);
  double most = 0, together = 0, columns = 0, rows = 0;
  for (int n = 0; n < 4; ++n) {
    for (int i = 6; i < kSize - 6; ++i) {
      for (int j = 6; j < kSize - 6; ++j) {
        double right = at(y, n, i, j, 0) - j, down = at(y, n, i, j, 1) - i;
        most = std::max({most, std::fabs(right), std::fabs(down)});
        together += right * down;
        columns += right * right;
        rows += down * down;
        double next = at(y, n, i, j + 1, 0) - (j + 1.0);
        EXPECT_LT(std::fabs(next - right), 1.5);
      }
    }
  }
  // Noise of deviation 2, over which a Gaussian of deviation 2 goes, times 4: 2 / (2 * 2 sqrt(pi)) * 4.
  double deviation = std::sqrt(columns / (4 * 28 * 28));
  EXPECT_NEAR(deviation, 4 * 2 / (2 * 2 * std::sqrt(3.14159265)), 0.35);
  EXPECT_LT(most, 5);
  // They are two draws.
  EXPECT_LT(std::fabs(together) / std::sqrt(columns * rows), 0.4);
}

TEST(Augmentation, ErasesRectangles) {
  constexpr int kImages = 400, kH = 12, kW = 16;
  Tensor x = uniform({kImages, kH, kW, 1}, 1, 2, 5);
  int erased = 0;
  double heights = 0;
  Tensor y = drawn("RandomErasing",
                   {{"factor", {0.6, 0.6}}, {"scale", {0.25, 0.49}}, {"fill_value", 9}}, x);
  for (int n = 0; n < kImages; ++n) {
    std::set<int> rows, columns;
    int count = 0;
    for (int i = 0; i < kH; ++i) {
      for (int j = 0; j < kW; ++j) {
        if (at(y, n, i, j) == at(x, n, i, j)) continue;
        EXPECT_EQ(at(y, n, i, j), 9);
        rows.insert(i);
        columns.insert(j);
        ++count;
      }
    }
    if (!count) continue;
    ++erased;
    EXPECT_EQ(count, static_cast<int>(rows.size() * columns.size()));
    EXPECT_EQ(*rows.rbegin() - *rows.begin() + 1, static_cast<int>(rows.size()));
    EXPECT_EQ(*columns.rbegin() - *columns.begin() + 1, static_cast<int>(columns.size()));
    EXPECT_TRUE(rows.size() >= 5 && rows.size() <= 9) << rows.size();
    EXPECT_TRUE(columns.size() >= 7 && columns.size() <= 12) << columns.size();
    heights += static_cast<double>(rows.size());
  }
  EXPECT_NEAR(erased / 400.0, 0.6, 5 * std::sqrt(0.24 / 400));
  // The mean square root of a share from 0.25 to 0.49 is 0.6055; times 12 rows.
  EXPECT_NEAR(heights / erased, 7.27, 0.2);
  Tensor noise = drawn("RandomErasing", {{"factor", {1, 1}}, {"scale", {1, 1}}}, x);
  // Half of it is below 0, where the range ends.
  double zeros = static_cast<double>(std::ranges::count(noise.span<float>(), 0.f));
  EXPECT_NEAR(zeros / static_cast<double>(x.size()), 0.5, 0.01);
}

TEST(Augmentation, HappensAsOftenAsItsFactorSays) {
  constexpr int kImages = 1000;
  Tensor x = uniform({kImages, 2, 2, 3}, 20, 100, 6);
  struct {
    const char* className;
    Json config;
    double rate;
  } layers[] = {
      {"RandomInvert", {{"factor", {0.3, 0.3}}}, 0.3},
      {"RandomInvert", {{"factor", 0.8}}, 0.4},
      {"RandomGrayscale", {{"factor", 0.3}}, 0.3},
      {"RandomGaussianBlur", {{"factor", {0.7, 0.7}}, {"sigma", {1, 1}}}, 0.7},
      {"RandomElasticTransform", {{"factor", {0.2, 0.2}}, {"scale", {1, 1}}}, 0.2},
      {"RandomPerspective", {{"factor", {0.25, 0.25}}}, 0.25},
  };
  for (const auto& [className, config, rate] : layers) {
    SCOPED_TRACE(className);
    Tensor y = drawn(className, config, x);
    int changed = 0;
    for (int n = 0; n < kImages; ++n) {
      const float *a = x.data<float>() + n * 12, *b = y.data<float>() + n * 12;
      changed += !std::equal(a, a + 12, b);
    }
    EXPECT_NEAR(changed / 1000.0, rate, 5 * std::sqrt(rate * (1 - rate) / kImages));
  }
}

/// By the hexagon of colors in double: hue in parts of a turn.
std::array<double, 3> hsvOf(double r, double g, double b) {
  double most = std::max({r, g, b}), width = most - std::min({r, g, b});
  double sector = most == r   ? std::fmod((g - b) / width + 6, 6)
                  : most == g ? (b - r) / width + 2
                              : (r - g) / width + 4;
  return {sector / 6, width / most, most};
}

TEST(Augmentation, HueTurnsBothWays) {
  constexpr int kImages = 200;
  Tensor x = uniform({kImages, 1, 2, 3}, 20, 230, 7);
  Tensor y = drawn("RandomHue", {{"factor", {0.2, 0.4}}}, x);
  int forwards = 0;
  for (int n = 0; n < kImages; ++n) {
    double turns[2];
    for (int j = 0; j < 2; ++j) {
      std::array<double, 3> a = hsvOf(at(x, n, 0, j, 0), at(x, n, 0, j, 1), at(x, n, 0, j, 2));
      std::array<double, 3> b = hsvOf(at(y, n, 0, j, 0), at(y, n, 0, j, 1), at(y, n, 0, j, 2));
      EXPECT_NEAR(a[1], b[1], 1e-4);
      EXPECT_NEAR(a[2], b[2], 1e-2);
      turns[j] = b[0] - a[0] - std::round(b[0] - a[0]);
    }
    EXPECT_NEAR(turns[0], turns[1], 2e-3) << "one draw for an image";
    EXPECT_TRUE(std::fabs(turns[0]) > 0.098 && std::fabs(turns[0]) < 0.202) << turns[0];
    forwards += turns[0] > 0;
  }
  EXPECT_NEAR(forwards, 100, 5 * std::sqrt(50.0));
}

TEST(Augmentation, PosterizationDrawsBits) {
  Tensor x = uniform({300, 4, 4, 1}, 0, 255, 8);
  Tensor y = drawn("RandomPosterization", {{"factor", {2, 5}}}, x);
  std::array<int, 9> met{};
  for (int n = 0; n < 300; ++n) {
    // The least number of bits that all values of the image have.
    int bits = 1;
    for (int i = 0; i < 16; ++i) {
      float v = y.data<float>()[n * 16 + i];
      while (std::fmod(v, std::exp2(8 - bits)) != 0) ++bits;
      EXPECT_TRUE(x.data<float>()[n * 16 + i] >= v);
      EXPECT_TRUE(x.data<float>()[n * 16 + i] < v + 64);
    }
    ++met[bits];
  }
  for (int bits : {2, 3, 4}) EXPECT_NEAR(met[bits] / 300.0, 1 / 3.0, 5 * std::sqrt(2 / 9.0 / 300));
}

TEST(Augmentation, SolarizationHasAThreshold) {
  Tensor x = uniform({200, 8, 8, 1}, 0, 255, 9);
  Tensor y = drawn("Solarization", {{"threshold_factor", 0.8}}, x);
  double thresholds = 0;
  for (int n = 0; n < 200; ++n) {
    double mostKept = 0, leastInverted = 256;
    for (int i = 0; i < 64; ++i) {
      double a = x.data<float>()[n * 64 + i], b = y.data<float>()[n * 64 + i];
      if (std::fabs(b - a) < 1e-3) {
        mostKept = std::max(mostKept, a);
      } else {
        EXPECT_NEAR(b, 255 - a, 1e-3);
        leastInverted = std::min(leastInverted, a);
      }
    }
    EXPECT_LT(mostKept, leastInverted);
    EXPECT_LT(mostKept, 0.8 * 255 + 1e-3);
    thresholds += (mostKept + leastInverted) / 2;
  }
  EXPECT_NEAR(thresholds / 200, 0.4 * 255, 20);
}

/// What each of the layers makes of x that RandAugment draws from, of factor 0: nothing, but of five.
std::vector<Tensor> candidates(const Tensor& x) {
  return {x,
          drawn("RandomPosterization", {{"factor", 1}}, x),
          drawn("Solarization", kNothing, x),
          drawn("AutoContrast", kNothing, x),
          drawn("Equalization", kNothing, x),
          drawn("RandomSharpness", {{"factor", 0}}, x)};
}
double distance(const Tensor& a, const Tensor& b) {
  double most = 0;
  for (int64_t i = 0; i < a.size(); ++i)
    most = std::max(most, std::fabs(double(a.data<float>()[i]) - b.data<float>()[i]));
  return most;
}

TEST(Augmentation, RandAugmentDrawsOneLayerAtATime) {
  Tensor x = uniform({2, 5, 6, 3}, 60, 200, 10);
  std::vector<Tensor> known = candidates(x);
  std::vector<int> met(known.size());
  for (int step = 0; step < 110; ++step) {
    Tensor y = drawn("RandAugment", {{"num_ops", 1}, {"factor", 0}}, x, step);
    auto same = std::ranges::find_if(known, [&](const Tensor& t) { return distance(t, y) < 1e-3; });
    ASSERT_TRUE(same != known.end()) << "step " << step;
    ++met[same - known.begin()];
  }
  // Six layers of eleven do nothing.
  EXPECT_NEAR(met[0], 60, 5 * std::sqrt(110 * 6 / 11.0 * 5 / 11.0));
  for (size_t i = 1; i < met.size(); ++i) EXPECT_GE(met[i], 1) << i;
}

TEST(Augmentation, AugMixMixesTheImageWithChains) {
  Tensor x = uniform({2, 5, 6, 3}, 60, 200, 11);
  std::vector<Tensor> known = candidates(x);
  Json config = {{"num_chains", 1}, {"chain_depth", 1}, {"factor", 0}};
  std::set<int> shares;
  for (int step = 0; step < 60; ++step) {
    Tensor y = drawn("AugMix", config, x, step);
    bool isMixed = false;
    for (const Tensor& other : known) {
      // The share by which the first number would be mixed, and whether it fits all.
      double to = other.data<float>()[0] - double(x.data<float>()[0]);
      double share = to == 0 ? 0 : (y.data<float>()[0] - double(x.data<float>()[0])) / to;
      double most = 0;
      for (int64_t i = 0; i < x.size(); ++i) {
        double from = x.data<float>()[i];
        double mixed = from + share * (other.data<float>()[i] - from);
        most = std::max(most, std::fabs(mixed - y.data<float>()[i]));
      }
      if (most > 0.1 || share < -1e-3 || share > 1.001) continue;
      isMixed = true;
      if (to != 0) shares.insert(static_cast<int>(share * 4));
    }
    EXPECT_TRUE(isMixed) << "step " << step;
  }
  EXPECT_GE(shares.size(), 4u);
  // Of several chains: all is within the range, and each step is another.
  Tensor first = drawn("AugMix", kNothing, x), second = drawn("AugMix", kNothing, x, 1);
  EXPECT_GT(distance(first, second), 1);
  EXPECT_TRUE(std::ranges::all_of(first.span<float>(), [](float v) { return v >= 0 && v <= 255; }));
}

TEST(Augmentation, RefusesInWords) {
  auto words = [](std::string_view className, const Json& config, const Shape& shape) {
    auto type = inferLayer(className, config, {{Type{DType::kF32, shape}}});
    return type ? std::string("taken") : type.error().message;
  };
  Shape gray{-1, 6, 6, 1};
  EXPECT_EQ(
      words("RandomErasing", {{"fill_value", {1, 2}}}, gray),
      "RandomErasing: fill_value must be one number, or one for each of the 1 channels, got 2");
  EXPECT_EQ(words("RandomGaussianBlur", {{"kernel_size", {3, 4}}}, gray),
            "RandomGaussianBlur: kernel_size must be odd, got 3 and 4");
  EXPECT_EQ(words("RandomHue", {{"factor", 0.5}}, gray),
            "RandomHue: needs images of three channels, red, green and blue, got "
            "[1,6,6,1]");
  EXPECT_EQ(words("RandomCrop", {{"height", 3}, {"width", 3}}, {-1, 4}),
            "RandomCrop: needs an image batch [N,H,W,C], got float32[1,4]");
  EXPECT_EQ(words("Pipeline", {{"layers", Json::array()}}, gray),
            "Pipeline: layers must be a list of at least one layer");
  EXPECT_EQ(words("AugMix", {{"alpha", 0.5}}, gray),
            "AugMix: alpha must be 1, 1.0: anything else is not supported, got 0.5");
}

}  // namespace
}  // namespace fjord
