#include "stats/gap_split.h"

#include "stats/testing.h"

namespace fjord::study {
namespace {

const std::vector<std::string> kNames = {"framework", "browser"};

/// Two cells, so many rounds; all of a round is slower by its own factor.
std::vector<Stage> chain(const Numbers& slowness) {
  std::vector<Stage> out = {{"slow", {}}, {"middle", {}}, {"fast", {}}};
  for (double s : slowness) {
    out[0].times.push_back({80 * s, 20 * s});  // x 8 and x 2 of the middle: x 4
    out[1].times.push_back({10 * s, 10 * s});  // x 2 and x 5
    out[2].times.push_back({5 * s, 2 * s});
  }
  return out;
}

TEST(GapSplit, StepsMultiplyToTheWhole) {
  Result<GapSplit> split = splitGap(chain({1, 3, 2}), kNames);
  ASSERT_TRUE(split) << split.error().message;
  ASSERT_EQ(split->steps.size(), 2u);
  EXPECT_EQ(split->cells, 2u);
  EXPECT_NEAR(split->steps[0].ratio.interval.centre, 4, 1e-12);
  EXPECT_NEAR(split->steps[1].ratio.interval.centre, std::sqrt(10), 1e-12);
  EXPECT_NEAR(split->whole.ratio.interval.centre, 4 * std::sqrt(10), 1e-12);
  EXPECT_NEAR(split->steps[0].octaves + split->steps[1].octaves, split->whole.octaves, 1e-12);
  EXPECT_EQ(split->steps[0].slow, "slow");
  EXPECT_EQ(split->steps[0].fast, "middle");
  EXPECT_EQ(promiseOf(split->whole.ratio), "range of 3 rounds");
}

/// Rounds that are three times as slow for all do not widen a paired ratio; noise of one program does.
TEST(GapSplit, RatiosArePaired) {
  Result<GapSplit> split = splitGap(chain({1, 3, 2, 1, 5, 1}), kNames);
  ASSERT_TRUE(split);
  EXPECT_NEAR(split->whole.ratio.interval.high / split->whole.ratio.interval.low, 1, 1e-12);
  EXPECT_EQ(promiseOf(split->whole.ratio), "95 % interval");
  std::vector<Stage> noisy = chain({1, 3, 2, 1, 5, 1});
  noisy[0].times[2][0] *= 4;
  split = splitGap(noisy, kNames);
  ASSERT_TRUE(split);
  EXPECT_GT(split->steps[0].ratio.interval.high / split->steps[0].ratio.interval.low, 1.2);
  EXPECT_NEAR(split->steps[1].ratio.interval.high / split->steps[1].ratio.interval.low, 1, 1e-12);
}

TEST(GapSplit, SaysWhatDoesNotFit) {
  auto refusal = [](const std::vector<Stage>& stages, const std::vector<std::string>& names) {
    Result<GapSplit> split = splitGap(stages, names);
    return split ? "" : split.error().message;
  };
  std::vector<Stage> stages = chain({1, 2});
  EXPECT_EQ(refusal(stages, {"one"}), "3 programs have 2 steps between them, not 1");
  stages[1].times.pop_back();
  EXPECT_EQ(refusal(stages, kNames), "middle has 1 rounds where slow has 2");
  stages = chain({1, 2});
  stages[2].times[1].pop_back();
  EXPECT_EQ(refusal(stages, kNames), "fast has 1 cells where slow has 2");
  stages = chain({1, 2});
  stages[2].times[1][0] = 0;
  EXPECT_EQ(refusal(stages, kNames), "fast has a time of 0, which has no ratio");
  EXPECT_EQ(refusal({{"alone", {{1}}}}, {}), "a gap is between two programs; there are 1");
  EXPECT_EQ(refusal({{"a", {}}, {"b", {}}}, {"one"}), "a has no times");
}

}  // namespace
}  // namespace fjord::study
