#include "stats/design.h"

#include "base/random.h"
#include "stats/testing.h"

namespace fjord::study {
namespace {

Design small() {
  return {.factors = {{"layers", {"1", "8"}, {1, 8}}, {"backend", {"JavaScript", "wasm"}}},
          .rows = {{{0, 0}, 1}, {{0, 1}, 2}, {{1, 0}, 3}, {{1, 1}, 4}}};
}

std::string refusal(const Design& design) {
  Status status = balanced(design);
  return status ? "" : status.error().message;
}

TEST(Design, RefusesInWords) {
  EXPECT_EQ(refusal(small()), "");
  Design design = small();
  design.rows.pop_back();
  EXPECT_EQ(refusal(design), "the design is not balanced: layers 8, backend wasm is missing");
  design.rows.push_back({{0, 1}, 4});
  EXPECT_EQ(refusal(design), "the design is not balanced: layers 1, backend wasm is there twice");
  design = small();
  design.rows[2].value = NAN;
  EXPECT_EQ(refusal(design), "the value of layers 8, backend JavaScript is not finite");
  design = small();
  design.factors[1].levels.pop_back();
  EXPECT_EQ(refusal(design),
            "the factor backend has fewer than two levels, so it explains nothing");
  design = small();
  design.factors[0].at = {8, 1};
  EXPECT_EQ(refusal(design), "the levels of the factor layers do not rise from above 0");
  design.factors[0].at = {1};
  EXPECT_EQ(refusal(design), "the factor layers has 2 levels at 1 places");
  design = small();
  design.rows[0].levels = {0, 2};
  EXPECT_EQ(refusal(design), "a row has levels that its factors do not have");
  EXPECT_EQ(refusal({}), "a design needs a factor");
}

TEST(Design, MediansOverRounds) {
  EXPECT_EQ(mediansOf({{1, 9}, {3, 7}, {2, 100}}), (Numbers{2, 9}));
}

/// Below six rounds the range of single rounds: sums 3, 7 and 30, of the medians (2 and 9) 11.
TEST(Design, FewRoundsGiveTheirRange) {
  Rounds rounds = {{1, 2}, {3, 4}, {2, 28}};
  auto sum = [](const Numbers& values) { return Numbers{values[0] + values[1], values[0]}; };
  std::vector<Span> spans = overRounds(rounds, 1, 100, sum);
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_EQ(spans[0].interval.low, 3);
  EXPECT_EQ(spans[0].interval.centre, 6);
  EXPECT_EQ(spans[0].interval.high, 30);
  EXPECT_EQ(spans[1].interval.centre, 2);
  EXPECT_TRUE(std::isnan(spans[0].coverage));
  EXPECT_EQ(promiseOf(spans[0]), "range of 3 rounds");
}

/// Whole rounds are drawn: two rows that always add up to 10 do so in every resample of one kind of
/// rounds; drawn row by row they would not.
TEST(Design, RoundsAreDrawnWhole) {
  Rounds rounds;
  for (int i = 0; i < 9; ++i) rounds.push_back({static_cast<double>(i), 10.0 - i});
  auto sum = [](const Numbers& values) { return Numbers{values[0] + values[1], values[0]}; };
  std::vector<Span> spans = overRounds(rounds, 3, 2000, sum);
  EXPECT_EQ(spans[0].interval.low, 10);
  EXPECT_EQ(spans[0].interval.high, 10);
  EXPECT_EQ(promiseOf(spans[0]), "95 % interval");
  // The median of a resample of 9 values: the 97.5 % interval of the binomial leaves out the two
  // outer ones or three, as in the tests of medianInterval.
  EXPECT_GE(spans[1].interval.low, 1);
  EXPECT_LE(spans[1].interval.low, 2);
  EXPECT_GE(spans[1].interval.high, 6);
  EXPECT_LE(spans[1].interval.high, 7);
}

// ---- one row: the bootstrap of a median

Interval medianInterval(const Numbers& values, uint64_t seed, int resamples = 2000) {
  Rounds rounds;
  for (double x : values) rounds.push_back({x});
  return overRounds(rounds, seed, resamples, [](const Numbers& v) { return v; })[0].interval;
}

// The median of a resample of 7 values is at most the k-th smallest where at least 4 of 7 draws
// are: P = 1 - F(3) of the binomial distribution (7, k/7), which is 0.0102 for k = 1 and 0.1083 for
// k = 2. Of 2000 resamples, 20 +- 4.5 and 217 +- 14 are that small, so the 51st smallest is the 2nd
// value, six standard deviations from another; the other end likewise.
const Numbers kSeven = {64, 1, 2, 32, 4, 16, 8};

TEST(Design, IntervalOfTheMedianIsThatOfOrderStatistics) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Interval i = medianInterval(kSeven, seed);
    EXPECT_EQ(i.low, 2);
    EXPECT_EQ(i.centre, 8);
    EXPECT_EQ(i.high, 32);
  }
}

TEST(Design, TheSeedDecides) {
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

// A 95 % percentile interval of the median of 15 values is not quite one: its ends are the 4th or
// 5th smallest and largest values, because the median of a resample is at most the 4th with
// probability 0.0255 (1 - F(7) of the binomial (15, 4/15)), close to 0.025, so chance decides in
// each call. The 5th misses the true median with probability F(4) of the binomial (15, 1/2),
// 0.0592, the 4th with F(3), 0.0176. The 4th is taken where at least 51 of 2000 resamples are that
// small: with probability 0.50. So the interval covers with probability 1 - 0.0592 - 0.0176, which
// is 0.923; of 1000 intervals, 923 +- 8.4 do. Four standard deviations from that, a chance of 6e-5:
// a wrong interval is far outside.
TEST(Design, IntervalCoversTheMedianAsOftenAsItShould) {
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

// ---- what SciPy says

void expectWithin(double bound, const Json& bracket) {
  Numbers ends = numbersOf(bracket);
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_GE(bound, ends[0] * (1 - 1e-13));
  EXPECT_LE(bound, ends[1] * (1 + 1e-13));
}

TEST(DesignGolden, BootstrapOfAMedianAsSciPyHasIt) {
  std::ifstream file(FJORD_ROOT "/study/stats/golden.json", std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  Result<Json> golden = parseJson(text);
  ASSERT_TRUE(golden) << "study/stats/golden.py makes golden.json";
  int resamples = intOr(*golden, "resamples", 0), compared = 0;
  for (const Json& c : member(*golden, "samples")) {
    Numbers values = numbersOf(member(c, "values"));
    if (values.size() < kLeastRounds) continue;
    SCOPED_TRACE(cat(values.size(), " values"));
    Interval i = medianInterval(values, 11, resamples);
    EXPECT_EQ(i.centre, median(values));
    expectWithin(i.low, member(c, "low"));
    expectWithin(i.high, member(c, "high"));
    ++compared;
  }
  EXPECT_GE(compared, 6);
}

}  // namespace
}  // namespace fjord::study
