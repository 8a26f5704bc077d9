#include "stats/agreement.h"

#include "stats/testing.h"

namespace fjord::study {
namespace {

MeasuredTwice twice(double a, double b, double width = 1) {
  return {{a / width, a, a * width}, {b / width, b, b * width}};
}

/// Twice as long in every cell: in perfect order, and far apart.
TEST(Agreement, OrderAloneIsNotAgreement) {
  std::vector<MeasuredTwice> pairs;
  for (double t : {0.001, 0.1, 3.0, 500.0}) pairs.push_back(twice(t, 2 * t));
  Agreement found = agreementOf(pairs);
  EXPECT_FALSE(found.agrees);
  EXPECT_NEAR(found.median, 1, 1e-12);
  EXPECT_NEAR(found.tail, 1, 1e-12);
  EXPECT_NEAR(found.ratio.centre, 2, 1e-12);
  EXPECT_NEAR(found.ratio.low, 2, 1e-9);
  EXPECT_EQ(found.overlapping, 0);
  ASSERT_EQ(found.points.size(), 4u);
  EXPECT_NEAR(found.points[2].mean, 3 * std::sqrt(2), 1e-12);
  EXPECT_NEAR(found.points[2].ratio, 2, 1e-12);
}

/// Slower by 25 % is as far as faster by 20 %: 5 / 4 both ways.
TEST(Agreement, BothWaysAlike) {
  Agreement slower = agreementOf(std::vector{twice(4, 5)}),
            faster = agreementOf(std::vector{twice(5, 4)});
  EXPECT_NEAR(slower.median, 0.25, 1e-12);
  EXPECT_NEAR(faster.median, 0.25, 1e-12);
  EXPECT_TRUE(std::isnan(slower.ratio.low));
}

TEST(Agreement, IntervalsTouchOrNot) {
  // 1.1 around 1 and 1.15: up to 1.1 and from 1.045; around 1.3 from 1.18.
  EXPECT_EQ(agreementOf(std::vector{twice(1, 1.15, 1.1), twice(1, 1.3, 1.1)}).overlapping, 0.5);
}

/// Twenty cells, 1 % apart but for so many that are 30 % apart: one of twenty moves the 95th
/// percentile (linear between the 19th and the 20th, at 18.05) by little, two make it 30 %.
TEST(Agreement, TheTailCounts) {
  std::vector<MeasuredTwice> pairs(20, twice(1, 1.01));
  EXPECT_TRUE(agreementOf(pairs).agrees);
  pairs[3] = twice(1, 1.3);
  EXPECT_TRUE(agreementOf(pairs).agrees);
  pairs[7] = twice(1.3, 1);
  Agreement found = agreementOf(pairs);
  EXPECT_FALSE(found.agrees);
  EXPECT_NEAR(found.tail, 0.3, 1e-12);
  EXPECT_NEAR(found.median, 0.01, 1e-12);
}

TEST(Agreement, OfNothing) {
  Agreement none = agreementOf({});
  EXPECT_FALSE(none.agrees);
  EXPECT_TRUE(std::isnan(none.median));
}

// ---- what NumPy, SciPy and statsmodels say

TEST(AgreementGolden, MediansTailsAndLimits) {
  Json golden = analysisGolden();
  ASSERT_GE(member(golden, "agreements").size(), 5u);
  for (const Json& c : member(golden, "agreements")) {
    Numbers first = numbersOf(member(c, "first")), second = numbersOf(member(c, "second"));
    std::vector<MeasuredTwice> pairs;
    for (size_t i = 0; i < first.size(); ++i) pairs.push_back(twice(first[i], second[i]));
    Agreement found = agreementOf(pairs);
    EXPECT_NEAR(found.median, numberOr(c, "median", NAN), 1e-10);
    EXPECT_NEAR(found.tail, numberOr(c, "tail", NAN), 1e-10);
    EXPECT_NEAR(found.ratio.centre, numberOr(c, "ratio", NAN), 1e-10);
    EXPECT_NEAR(found.ratio.low, numberOr(c, "low", NAN), 1e-7);
    EXPECT_NEAR(found.ratio.high, numberOr(c, "high", NAN), 1e-7);
    EXPECT_EQ(found.agrees, boolOr(c, "agrees", !found.agrees));
  }
}

}  // namespace
}  // namespace fjord::study
