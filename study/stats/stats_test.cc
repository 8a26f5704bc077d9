#include "stats/stats.h"

#include <gtest/gtest.h>

#include <cmath>

#include "stats/testing.h"

namespace fjord::study {
namespace {

// ---- worked out by hand

TEST(Stats, MedianIsTheMiddle) {
  EXPECT_EQ(median(Numbers{7}), 7);
  EXPECT_EQ(median(Numbers{3, 1, 2}), 2);
  EXPECT_EQ(median(Numbers{4, 1, 3, 2}), 2.5);
  EXPECT_EQ(median(Numbers{2, 2, 9, 2}), 2);
}

TEST(Stats, QuantileInterpolates) {
  // Of 4 values, q is at 3 q from the first: 0.75, and 2.7.
  Numbers values = {4, 1, 3, 2};
  EXPECT_EQ(quantile(values, 0.25), 1.75);
  EXPECT_NEAR(quantile(values, 0.9), 3.7, 1e-15);
  EXPECT_EQ(quantile(values, 0), 1);
  EXPECT_EQ(quantile(values, 1), 4);
  EXPECT_EQ(quantile(Numbers{5}, 0.3), 5);
}

TEST(Stats, GeometricMeanOfRatios) {
  EXPECT_NEAR(geometricMean(Numbers{2, 8}), 4, 1e-14);
  EXPECT_NEAR(geometricMean(Numbers{0.5, 2}), 1, 1e-15);
  // Its product overflows a double; the mean does not.
  EXPECT_NEAR(geometricMean(Numbers(400, 1e3)), 1e3, 1e-9);
  EXPECT_TRUE(std::isnan(geometricMean(Numbers{1, -1})));
  EXPECT_TRUE(std::isnan(geometricMean(Numbers{1, 0})));
}

TEST(Stats, EqualValuesShareRanks) {
  EXPECT_EQ(ranks(Numbers{10, 20, 20, 5}), (Numbers{2, 3.5, 3.5, 1}));
  EXPECT_EQ(ranks(Numbers{3, 3, 3}), (Numbers{2, 2, 2}));
  EXPECT_EQ(ranks(Numbers{}), Numbers{});
}

TEST(Stats, RankCorrelationSeesOrderAlone) {
  EXPECT_EQ(rankCorrelation(Numbers{1, 2, 3, 4}, Numbers{1, 10, 11, 1e9}), 1);
  EXPECT_EQ(rankCorrelation(Numbers{1, 2, 3, 4}, Numbers{4, 3, 2, -1e9}), -1);
  // 1 - 6 * (sum of squared differences of ranks, 2) / (3 * (9 - 1))
  EXPECT_EQ(rankCorrelation(Numbers{1, 2, 3}, Numbers{1, 3, 2}), 0.5);
  EXPECT_TRUE(std::isnan(rankCorrelation(Numbers{1, 2, 3}, Numbers{4, 4, 4})));
}

// ---- what NumPy and SciPy say

/// Sums and products in another order differ by a few units in the last place of 53 bits.
void expectSame(double got, double expected) {
  EXPECT_NEAR(got, expected, 1e-13 * std::abs(expected));
}

TEST(StatsGolden, SamplesAsNumPyAndSciPyHaveThem) {
  Json golden = goldenOf("golden");
  ASSERT_GE(member(golden, "samples").size(), 9u);
  for (const Json& c : member(golden, "samples")) {
    Numbers values = numbersOf(member(c, "values"));
    SCOPED_TRACE(cat(values.size(), " values"));
    expectSame(median(values), numberOr(c, "median", NAN));
    expectSame(geometricMean(values), numberOr(c, "geometricMean", NAN));
    EXPECT_EQ(ranks(values), numbersOf(member(c, "ranks")));
    EXPECT_EQ(member(c, "quantiles").size(), 7u);
    for (const Json& pair : member(c, "quantiles")) {
      Numbers q = numbersOf(pair);
      ASSERT_EQ(q.size(), 2u);
      expectSame(quantile(values, q[0]), q[1]);
    }
  }
}

TEST(StatsGolden, RankCorrelationsAsSciPyHasThem) {
  Json golden = goldenOf("golden");
  ASSERT_GE(member(golden, "correlations").size(), 6u);
  for (const Json& c : member(golden, "correlations"))
    expectSame(rankCorrelation(numbersOf(member(c, "a")), numbersOf(member(c, "b"))),
               numberOr(c, "rankCorrelation", NAN));
}

}  // namespace
}  // namespace fjord::study
