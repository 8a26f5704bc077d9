#include "stats/stats.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <string>

#include "base/json.h"
#include "base/random.h"

namespace fjord::study {
namespace {

using Numbers = std::vector<double>;

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

// The median of a resample of 7 values is at most the k-th smallest where at least 4 of 7 draws
// are: P = 1 - F(3) of the binomial distribution (7, k/7), which is 0.0102 for k = 1 and 0.1083 for
// k = 2. Of 2000 resamples, 20 +- 4.5 and 217 +- 14 are that small, so the 51st smallest is the 2nd
// value, six standard deviations from another; the other end likewise.
const Numbers kSeven = {64, 1, 2, 32, 4, 16, 8};

TEST(Stats, IntervalOfTheMedianIsThatOfOrderStatistics) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Interval i = medianInterval(kSeven, seed);
    EXPECT_EQ(i.low, 2);
    EXPECT_EQ(i.centre, 8);
    EXPECT_EQ(i.high, 32);
  }
}

TEST(Stats, IntervalOfOneValueHasNoWidth) {
  Interval i = medianInterval(Numbers{3.5}, 1);
  EXPECT_EQ(i.low, 3.5);
  EXPECT_EQ(i.centre, 3.5);
  EXPECT_EQ(i.high, 3.5);
}

TEST(Stats, RatioResamplesBoth) {
  // With one value on one side, the other alone makes the interval.
  Interval over = ratioInterval(kSeven, Numbers{4}, 3);
  EXPECT_EQ(over.low, 0.5);
  EXPECT_EQ(over.centre, 2);
  EXPECT_EQ(over.high, 8);
  Interval under = ratioInterval(Numbers{64}, kSeven, 3);
  EXPECT_EQ(under.low, 2);
  EXPECT_EQ(under.centre, 8);
  EXPECT_EQ(under.high, 32);
  // Twice the same values, drawn twice: were the draws the same, all ratios would be 1.
  Interval same = ratioInterval(kSeven, kSeven, 3);
  EXPECT_EQ(same.centre, 1);
  EXPECT_LE(same.low, 0.25);
  EXPECT_GE(same.high, 4);
}

TEST(Stats, RatioOverZeroHasNoInterval) {
  Interval i = ratioInterval(Numbers{1, 2, 3}, Numbers{0, 0, 4, 5, 6}, 1);
  EXPECT_EQ(i.centre, 0.5);
  EXPECT_TRUE(std::isnan(i.low));
  EXPECT_TRUE(std::isnan(i.high));
}

TEST(Stats, TheSeedDecides) {
  // Many values, so that two seeds hardly ever give the same two quantiles.
  Random random(5);
  Numbers values(200);
  for (double& x : values) x = random.uniform();
  Interval a = medianInterval(values, 1), again = medianInterval(values, 1);
  EXPECT_EQ(a.low, again.low);
  EXPECT_EQ(a.high, again.high);
  Interval other = medianInterval(values, 2), wide = medianInterval(values, uint64_t{1} << 32 | 1);
  EXPECT_TRUE(a.low != other.low || a.high != other.high);
  EXPECT_TRUE(a.low != wide.low || a.high != wide.high) << "the upper half of the seed is not used";
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

// A 95 % percentile interval of the median of 15 values is not quite one: its ends are the 4th or
// 5th smallest and largest values, because the median of a resample is at most the 4th with
// probability 0.0255 (1 - F(7) of the binomial (15, 4/15)), close to 0.025, so chance decides in
// each call. The 5th misses the true median with probability F(4) of the binomial (15, 1/2),
// 0.0592, the 4th with F(3), 0.0176. The 4th is taken where at least 51 of 2000 resamples are that
// small: with probability 0.50. So the interval covers with probability 1 - 0.0592 - 0.0176, which
// is 0.923; of 1000 intervals, 923 +- 8.4 do. Four standard deviations from that, a chance of 6e-5:
// a wrong interval is far outside.
TEST(Stats, IntervalCoversTheMedianAsOftenAsItShould) {
  int covered = 0;
  for (uint32_t sample = 0; sample < 1000; ++sample) {
    Random random(2019, sample);
    Numbers values(15);
    // Log-normal numbers, skewed as times are: their median is 1.
    for (double& x : values) x = std::exp(random.normal());
    Interval i = medianInterval(values, sample);
    covered += i.low <= 1 && 1 <= i.high;
  }
  EXPECT_GE(covered, 889);
  EXPECT_LE(covered, 957);
}

// ---- what NumPy and SciPy say

Json readGolden() {
  std::ifstream file(FJORD_ROOT "/study/stats/golden.json", std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  Result<Json> json = parseJson(text);
  EXPECT_TRUE(json) << "study/stats/golden.py makes golden.json";
  return json ? *json : Json();
}

Numbers numbers(const Json& list) {
  Numbers out;
  for (const Json& x : list) out.push_back(x.is_number() ? x.get<double>() : NAN);
  return out;
}

/// Sums and products in another order differ by a few units in the last place of 53 bits.
void expectSame(double got, double expected) {
  EXPECT_NEAR(got, expected, 1e-13 * std::abs(expected));
}

void expectWithin(double bound, const Json& bracket) {
  Numbers ends = numbers(bracket);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_GE(bound, ends[0] * (1 - 1e-13));
  EXPECT_LE(bound, ends[1] * (1 + 1e-13));
}

TEST(StatsGolden, SamplesAsNumPyAndSciPyHaveThem) {
  Json golden = readGolden();
  int resamples = intOr(golden, "resamples", 0);
  ASSERT_GE(member(golden, "samples").size(), 9u);
  for (const Json& c : member(golden, "samples")) {
    Numbers values = numbers(member(c, "values"));
    SCOPED_TRACE(cat(values.size(), " values"));
    expectSame(median(values), numberOr(c, "median", NAN));
    expectSame(geometricMean(values), numberOr(c, "geometricMean", NAN));
    EXPECT_EQ(ranks(values), numbers(member(c, "ranks")));
    EXPECT_EQ(member(c, "quantiles").size(), 7u);
    for (const Json& pair : member(c, "quantiles")) {
      Numbers q = numbers(pair);
      ASSERT_EQ(q.size(), 2u);
      expectSame(quantile(values, q[0]), q[1]);
    }
    if (values.size() < 2) continue;
    Interval i = medianInterval(values, 11, resamples);
    EXPECT_EQ(i.centre, median(values));
    expectWithin(i.low, member(c, "low"));
    expectWithin(i.high, member(c, "high"));
  }
}

TEST(StatsGolden, RatiosAsSciPyHasThem) {
  Json golden = readGolden();
  int resamples = intOr(golden, "resamples", 0);
  ASSERT_GE(member(golden, "ratios").size(), 3u);
  for (const Json& c : member(golden, "ratios")) {
    Interval i = ratioInterval(numbers(member(c, "a")), numbers(member(c, "b")), 11, resamples);
    expectSame(i.centre, numberOr(c, "centre", NAN));
    expectWithin(i.low, member(c, "low"));
    expectWithin(i.high, member(c, "high"));
  }
}

TEST(StatsGolden, RankCorrelationsAsSciPyHasThem) {
  Json golden = readGolden();
  ASSERT_GE(member(golden, "correlations").size(), 6u);
  for (const Json& c : member(golden, "correlations"))
    expectSame(rankCorrelation(numbers(member(c, "a")), numbers(member(c, "b"))),
               numberOr(c, "rankCorrelation", NAN));
}

}  // namespace
}  // namespace fjord::study
