#include "stats/time_model.h"

#include <algorithm>

#include "stats/testing.h"

namespace fjord::study {
namespace {

// ---- worked out by hand

/// Times that the model makes come back as its numbers.
TEST(TimeModel, FindsWhatMadeTheTimes) {
  std::vector<Work> works = {{2, 1e6}, {2, 4e6}, {9, 1e6}, {9, 4e6}};
  Numbers times;
  for (const Work& work : works) times.push_back(0.5 * work.layers + work.macs / 2e6);
  Result<TimeModel> model = fitTimes(works, times);
  ASSERT_TRUE(model);
  EXPECT_NEAR(model->perLayer, 0.5, 1e-12);
  EXPECT_NEAR(1 / model->perMac, 2e6, 1e-6);
  EXPECT_EQ(model->perByte, 0);
  EXPECT_NEAR(model->worst, 0, 1e-12);
  EXPECT_NEAR(model->medianLeftOut, 0, 1e-12);
  EXPECT_NEAR(timeOf(*model, {3, 6e6}), 4.5, 1e-12);
}

/// A planted wrong time is seen: one size of four takes twice as long.
TEST(TimeModel, ErrorsTellWhatDoesNotFit) {
  std::vector<Work> works = {{2, 1e6}, {2, 4e6}, {9, 1e6}, {9, 4e6}};
  Numbers times;
  for (const Work& work : works) times.push_back(0.5 * work.layers + work.macs / 2e6);
  times[3] *= 2;
  Result<TimeModel> model = fitTimes(works, times);
  ASSERT_TRUE(model);
  EXPECT_GT(model->worst, 0.15);
  EXPECT_GE(model->worst, model->median);
}

/// x = 1 and 2 of 1 and -1: the best line through these has x = -0.2, so 0 is the best that may be.
TEST(TimeModel, NothingIsBelowZero) {
  EXPECT_EQ(nonNegativeLeastSquares({{1}, {2}}, Numbers{1, -1}), Numbers{0});
  EXPECT_NEAR(nonNegativeLeastSquares({{1}, {2}}, Numbers{1, 1})[0], 0.6, 1e-15);
  // Two equal columns: one of them alone does it.
  Numbers both = nonNegativeLeastSquares({{1, 1}, {2, 2}}, Numbers{1, 1});
  EXPECT_NEAR(both[0] + both[1], 0.6, 1e-15);
}

TEST(TimeModel, SaysWhatItLacks) {
  auto refusal = [](const std::vector<Work>& works, const Numbers& times) {
    Result<TimeModel> model = fitTimes(works, times);
    return model ? "" : model.error().message;
  };
  EXPECT_EQ(refusal({{2, 1e6}}, {1}), "a time model of 2 parts needs 2 sizes; there are 1");
  EXPECT_EQ(refusal({{2, 1e6, 4}, {3, 1e6, 4}}, {1, 1}),
            "a time model of 3 parts needs 3 sizes; there are 2");
  EXPECT_EQ(refusal({{1, 1e6}, {2, 2e6}, {4, 4e6}}, {1, 2, 5}),
            "the sizes do not tell layers from multiplications");
  EXPECT_EQ(refusal({{1, 1e6}, {2, 1e6}}, {1, 0}), "a time of 0 is not above 0");
  EXPECT_EQ(refusal({{1, 1e6}, {2, 1e6}}, {1, 2}), "");
}

/// 1 ms a layer and 1 GMAC/s against 4 ms and 4 GMAC/s: 9 layers take 9 + x and 36 + x / 4 ms.
TEST(TimeModel, BreakEven) {
  TimeModel first{.perLayer = 1, .perMac = 1}, second{.perLayer = 4, .perMac = 0.25};
  auto factor = breakEven(first, second, {9, 1, 0});
  ASSERT_TRUE(factor);
  EXPECT_NEAR(*factor, 36, 1e-12);
  EXPECT_NEAR(timeOf(first, {9, *factor}), timeOf(second, {9, *factor}), 1e-12);
  EXPECT_EQ(breakEven(second, first, {9, 1, 0}), factor);
  // The first is quicker in all.
  EXPECT_FALSE(breakEven(first, {.perLayer = 4, .perMac = 2}, {9, 1, 0}));
  EXPECT_FALSE(breakEven(first, {.perLayer = 4, .perMac = 1}, {9, 1, 0}));
}

// ---- what SciPy and scikit-learn say

TEST(TimeModelGolden, LeastSquaresThatAreNotNegative) {
  Json golden = analysisGolden();
  ASSERT_GE(member(golden, "nnls").size(), 5u);
  int zeros = 0;
  for (const Json& c : member(golden, "nnls")) {
    std::vector<Numbers> a;
    for (const Json& row : member(c, "a")) a.push_back(numbersOf(row));
    Numbers got = nonNegativeLeastSquares(a, numbersOf(member(c, "b"))),
            expected = numbersOf(member(c, "x"));
    ASSERT_EQ(got.size(), expected.size());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-9);
    zeros += static_cast<int>(std::ranges::count(got, 0));
  }
  EXPECT_GT(zeros, 3) << "no case in which an unknown would be negative";
}

TEST(TimeModelGolden, FitsAndErrors) {
  Json golden = analysisGolden();
  ASSERT_GE(member(golden, "models").size(), 4u);
  for (const Json& c : member(golden, "models")) {
    SCOPED_TRACE(stringOr(c, "name", ""));
    std::vector<Work> works;
    for (const Json& work : member(c, "works")) {
      Numbers x = numbersOf(work);
      works.push_back({x[0], x[1], x[2]});
    }
    Result<TimeModel> model = fitTimes(works, numbersOf(member(c, "times")));
    ASSERT_TRUE(model) << model.error().message;
    Numbers expected = numbersOf(member(c, "coefficients")),
            got = {model->perLayer, model->perMac, model->perByte};
    for (size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(got[i], expected[i], 1e-9 * (1e-3 + expected[i]));
    EXPECT_NEAR(model->median, numberOr(c, "median", NAN), 1e-9);
    EXPECT_NEAR(model->worst, numberOr(c, "worst", NAN), 1e-9);
    EXPECT_NEAR(model->medianLeftOut, numberOr(c, "medianLeftOut", NAN), 1e-9);
  }
}

}  // namespace
}  // namespace fjord::study
