#include "stats/interval.h"

#include "base/random.h"
#include "stats/testing.h"

namespace fjord::study {
namespace {

// ---- worked out by hand

/// All six values are on one side of the median with probability 2 / 2^6: 1 - 0.03125. Of five:
/// 1 - 2 / 2^5 = 0.9375, which is not 95 %.
TEST(Interval, SixValuesAreTheFewest) {
  Span six = orderSpan(Numbers{4, 1, 6, 2, 5, 3});
  EXPECT_EQ(six.interval.low, 1);
  EXPECT_EQ(six.interval.centre, 3.5);
  EXPECT_EQ(six.interval.high, 6);
  EXPECT_EQ(six.coverage, 0.96875);
  EXPECT_EQ(promiseOf(six), "96.9 % interval");
  Span five = orderSpan(Numbers{4, 1, 2, 5, 3});
  EXPECT_EQ(five.coverage, 0.9375);
  EXPECT_EQ(promiseOf(five), "range of 5 rounds");
  EXPECT_EQ(promiseOf(orderSpan(Numbers{1, 2})), "range of 2 rounds");
  EXPECT_EQ(promiseOf(orderSpan(Numbers{1})), "one round");
  EXPECT_TRUE(std::isnan(orderSpan(Numbers{1}).coverage));
}

/// No count of rounds below six is ever called 95 %.
TEST(Interval, FewRoundsPromiseNothing) {
  for (size_t n = 1; n < kLeastRounds; ++n) {
    Numbers values(n, 2.0);
    for (const Span& span : {orderSpan(values), geometricSpan(values)})
      EXPECT_EQ(promiseOf(span).find('%'), std::string::npos) << n;
  }
  EXPECT_EQ(promiseOf(geometricSpan(Numbers(6, 2.0))), "95 % interval");
}

/// Nine values without the least and the most: 1 - 2 (1 + 9) / 512 = 0.9609; without one more of each
/// it were 1 - 2 (1 + 9 + 36) / 512 = 0.82.
TEST(Interval, LeavesOutWhatItCan) {
  Span nine = orderSpan(Numbers{9, 1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(nine.interval.low, 2);
  EXPECT_EQ(nine.interval.high, 8);
  EXPECT_NEAR(nine.coverage, 1 - 20.0 / 512, 1e-15);
}

/// 2^-2000 is 0 in a double, its logarithm is not.
TEST(Interval, OfManyValues) {
  Numbers values;
  for (int i = 1; i <= 2000; ++i) values.push_back(i);
  Span span = orderSpan(values);
  // The normal approximation: 1000 -+ 1.96 sqrt(2000) / 2, which is 43.8.
  EXPECT_NEAR(span.interval.low, 1000.5 - 43.8, 1.5);
  EXPECT_NEAR(span.interval.high, 1000.5 + 43.8, 1.5);
  // One value less at each end takes away 2 C(2000, 956) / 2^2000: 2 * 0.01784 * exp(-1.93).
  EXPECT_GE(span.coverage, 0.95);
  EXPECT_LT(span.coverage, 0.95 + 2 * 0.01784 * std::exp(-1.93));
}

/// Of 2000 samples of 8 skewed values, the exact coverage 1 - 2 / 2^8 (1 + ...): the interval from the
/// least to the most has 0.9922, from the second 0.9297, which is too little. 2000 * 0.9922 = 1984 +- 4.
TEST(Interval, CoversAsOftenAsItSays) {
  int covered = 0;
  double promised = 0;
  for (uint32_t sample = 0; sample < 2000; ++sample) {
    Random random(2019, sample);
    Numbers values(8);
    for (double& x : values) x = std::exp(random.normal());
    Span span = orderSpan(values);
    covered += span.interval.low <= 1 && 1 <= span.interval.high;
    promised = span.coverage;
  }
  EXPECT_NEAR(promised, 1 - 2.0 / 256, 1e-15);
  EXPECT_NEAR(covered, 2000 * promised, 20);
}

/// The product of the means is the mean of the products, which medians do not do.
TEST(Interval, GeometricMeansMultiply) {
  Numbers a = {2, 3, 5, 4, 2, 7}, b = {9, 1, 4, 2, 8, 3}, product;
  for (size_t i = 0; i < a.size(); ++i) product.push_back(a[i] * b[i]);
  EXPECT_NEAR(geometricSpan(a).interval.centre * geometricSpan(b).interval.centre,
              geometricSpan(product).interval.centre, 1e-12);
}

Span spanned(double low, double high, size_t rounds) {
  return {.interval = {low, (low + high) / 2, high}, .rounds = rounds};
}

TEST(Interval, DecidesWhereItIsOnOneSide) {
  EXPECT_EQ(decide(spanned(2.1, 3, 6), 2), Decision::kAbove);
  EXPECT_EQ(decide(spanned(1, 1.9, 6), 2), Decision::kBelow);
  EXPECT_EQ(decide(spanned(1.9, 2.1, 6), 2), Decision::kNotDecided);
  EXPECT_EQ(decide(spanned(2, 3, 6), 2), Decision::kNotDecided);
  EXPECT_EQ(decide(spanned(1, 2, 6), 2), Decision::kNotDecided);
  // One round has no interval, however far away it is.
  EXPECT_EQ(decide(spanned(100, 100, 1), 2), Decision::kNotDecided);
  EXPECT_EQ(decide(spanned(100, 100, 2), 2), Decision::kAbove);
  EXPECT_EQ(decide(spanned(NAN, NAN, 6), 2), Decision::kNotDecided);
}

/// Cauchy's distribution has its quantile in closed form, tan(pi (p - 1/2)); so has that of 2 degrees:
/// x = (2 p - 1) sqrt(2 / (1 - (2 p - 1)^2)).
TEST(Interval, StudentByItsClosedForms) {
  EXPECT_NEAR(studentQuantile(1, 0.975), std::tan(M_PI * 0.475), 1e-12);
  EXPECT_NEAR(studentQuantile(2, 0.975), 0.95 * std::sqrt(2 / (1 - 0.95 * 0.95)), 1e-12);
  EXPECT_NEAR(studentQuantile(7, 0.5), 0, 1e-15);
}

// ---- what SciPy and statsmodels say

TEST(IntervalGolden, OrderStatisticsAndStudent) {
  Json golden = analysisGolden();
  ASSERT_GE(member(golden, "orders").size(), 13u);
  for (const Json& c : member(golden, "orders")) {
    Numbers values = numbersOf(member(c, "values"));
    SCOPED_TRACE(cat(values.size(), " values"));
    Span span = orderSpan(values);
    EXPECT_EQ(span.interval.low, numberOr(c, "low", NAN));
    EXPECT_EQ(span.interval.high, numberOr(c, "high", NAN));
    EXPECT_NEAR(span.interval.centre, numberOr(c, "median", NAN), 1e-12);
    if (values.size() == 1) continue;
    EXPECT_NEAR(span.coverage, numberOr(c, "coverage", NAN), 1e-12);
    Span mean = geometricSpan(values);
    EXPECT_NEAR(mean.interval.centre, numberOr(c, "geometric", NAN), 1e-12);
    if (values.size() < kLeastRounds) continue;
    EXPECT_NEAR(mean.interval.low, numberOr(c, "tLow", NAN), 1e-10);
    EXPECT_NEAR(mean.interval.high, numberOr(c, "tHigh", NAN), 1e-10);
  }
  ASSERT_GE(member(golden, "student").size(), 32u);
  for (const Json& c : member(golden, "student")) {
    Numbers x = numbersOf(c);
    EXPECT_NEAR(studentQuantile(static_cast<int>(x[0]), x[1]), x[2], 1e-9 * x[2])
        << x[0] << " " << x[1];
  }
}

}  // namespace
}  // namespace fjord::study
