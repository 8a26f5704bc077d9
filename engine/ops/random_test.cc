// Random numbers: Philox against its authors' known answers, the ops by moments, bounds and
// independence, the same for any number of threads.
#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ir/graph.h"
#include "run/cpu.h"

namespace fjord {
namespace {

// Random123 (Salmon et al. 2011), kat_vectors: philox4x32 10.
TEST(Random, PhiloxGivesTheKnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}),
            (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, BelowIsUniform) {
  Random random(5);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts[random.below(7)];
  for (int count : counts) EXPECT_NEAR(count, 10000, 5 * std::sqrt(10000 * 6 / 7.0));
}

/// What `build` makes of a state (seed, step), drawn by this many threads.
template <class Build>
Tensor draw(Build build, int32_t seed = 1, int32_t step = 0, int count = 1) {
  Threads threads(count);
  Graph graph;
  Value state = graph.input({DType::kI32, {4}});
  graph.output(build(state));
  EXPECT_TRUE(graph.status());
  std::vector<int32_t> words = {seed, 0, step, 0};
  std::vector<Tensor> in = {*Tensor::of({4}, std::span<const int32_t>(words))};
  return (*evaluate(graph, in, threads))[0];
}

constexpr int kCount = 100003;  // not a multiple of a block of four

/// Mean and variance within five standard errors.
void expectMoments(const Tensor& t, double mean, double variance, double kurtosis) {
  double sum = 0, squares = 0, n = static_cast<double>(t.size());
  for (float v : t.span<float>()) {
    sum += v - mean;
    squares += (v - mean) * (v - mean);
  }
  EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(variance / n));
  EXPECT_NEAR(squares / n, variance, 5 * variance * std::sqrt((kurtosis - 1) / n));
}

double correlation(const Tensor& a, const Tensor& b) {
  double n = static_cast<double>(a.size()), x = 0, y = 0, xx = 0, yy = 0, xy = 0;
  for (int64_t i = 0; i < a.size(); ++i) {
    double p = a.data<float>()[i], q = b.data<float>()[i];
    x += p, y += q, xx += p * p, yy += q * q, xy += p * q;
  }
  return (xy - x * y / n) / std::sqrt((xx - x * x / n) * (yy - y * y / n));
}

TEST(Random, UniformStaysInItsRange) {
  Tensor t = draw([](Value s) {
    return randomUniform(s, {.shape = {kCount}, .low = -1, .high = 3, .stream = 2});
  });
  expectMoments(t, 1, 16.0 / 12, 1.8);
  auto [low, high] = std::ranges::minmax(t.span<float>());
  EXPECT_GE(low, -1);
  EXPECT_LT(low, -0.999);
  EXPECT_LT(high, 3);
  EXPECT_GT(high, 2.999);
}

TEST(Random, NormalHasItsTails) {
  Tensor t = draw([](Value s) {
    return randomNormal(s, {.shape = {kCount}, .mean = 5, .stddev = 2, .stream = 1});
  });
  expectMoments(t, 5, 4, 3);
  double beyond = 0;
  for (float v : t.span<float>()) beyond += std::fabs(v - 5) > 4;
  EXPECT_NEAR(beyond / kCount, 0.0455, 5 * std::sqrt(0.0455 / kCount));
}

TEST(Random, TruncatedNormalIsCutAtTwoDeviations) {
  Tensor t = draw([](Value s) {
    return truncatedNormal(s, {.shape = {kCount}, .mean = -1, .stddev = 0.5, .stream = 3});
  });
  // Variance and kurtosis of the standard normal distribution cut at 2: 0.7737 and 2.37.
  expectMoments(t, -1, 0.25 * 0.77374, 2.37);
  auto [low, high] = std::ranges::minmax(t.span<float>());
  EXPECT_GE(low, -2);
  EXPECT_LT(low, -1.99);
  EXPECT_LE(high, 0);
  EXPECT_GT(high, -0.01);
}

TEST(Random, SeedsStepsAndStreamsAreIndependent) {
  auto normal = [](int stream) {
    return [=](Value s) { return randomNormal(s, {.shape = {kCount}, .stream = stream}); };
  };
  Tensor a = draw(normal(0));
  EXPECT_EQ(0, std::memcmp(a.view().data, draw(normal(0), 1, 0, 3).view().data, a.type().bytes()));
  for (const Tensor& b : {draw(normal(1)), draw(normal(0), 1, 1), draw(normal(0), 2, 0)})
    EXPECT_LT(std::fabs(correlation(a, b)), 5 / std::sqrt(kCount));
}

TEST(Random, DropoutKeepsTheExpectation) {
  Threads threads(2);
  Graph graph;
  Value state = graph.input({DType::kI32, {4}}), x = graph.input({DType::kF32, {kCount}});
  Value y = dropout(x, state, {.rate = 0.3f, .stream = 4});
  graph.output(y);
  graph.output(grad(y, {{x}})[0]);
  std::vector<int32_t> words = {9, 0, 0, 0};
  std::vector<float> twos(kCount, 2.0f);
  std::vector<Tensor> in = {*Tensor::of({4}, std::span<const int32_t>(words)),
                            *Tensor::of({kCount}, std::span<const float>(twos))};
  Result<std::vector<Tensor>> out = evaluate(graph, in, threads);
  ASSERT_TRUE(out) << out.error().message;
  double dropped = 0;
  for (int i = 0; i < kCount; ++i) {
    float v = (*out)[0].data<float>()[i];
    dropped += v == 0;
    ASSERT_TRUE(v == 0 || std::fabs(v - 2 / 0.7f) < 1e-6) << v;
    // What was dropped has no gradient, what was kept has its factor.
    ASSERT_FLOAT_EQ((*out)[1].data<float>()[i], v / 2);
  }
  EXPECT_NEAR(dropped / kCount, 0.3, 5 * std::sqrt(0.21 / kCount));
}

}  // namespace
}  // namespace fjord
