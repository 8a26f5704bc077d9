#include "report/rounds.h"

#include <gtest/gtest.h>

#include "report/sample_run.h"

namespace fjord::study {
namespace {

const Cell kCell{"a", "cpu", "train", {1, 64}};

TEST(Rounds, OneNumberARound) {
  SampleRun run;
  run.subject("a", "A", {{"cpu", "JavaScript"}});
  run.ok(kCell, {{"steady", 5}}).ok(kCell, {{"steady", 7}}).ok(kCell, {{"steady", 100}});
  run.input.trials[2].trial.round = 1;  // a second trial of round 1: their median
  run.ended(kCell, Outcome::kCrash, "gone");
  Cells cells(run.input);
  EXPECT_EQ(byRound(cells, kCell, "steady"), (ByRound{{0, 5}, {1, 53.5}}));
  EXPECT_TRUE(byRound(cells, kCell, "load").empty());
  EXPECT_TRUE(byRound(cells, {"b", "cpu", "train", {1, 64}}, "steady").empty());
}

/// A wrong answer in any round takes the cell's times away in all.
TEST(Rounds, WrongCellsHaveNone) {
  SampleRun run;
  run.subject("a", "A", {{"cpu", "JavaScript"}});
  run.ok(kCell, {{"steady", 5}}).ended(kCell, Outcome::kWrong, "");
  EXPECT_TRUE(byRound(Cells(run.input), kCell, "steady").empty());
}

TEST(Rounds, InCommon) {
  std::vector<ByRound> things = {{{0, 1}, {1, 2}, {2, 3}}, {{1, 10}, {2, 20}}};
  EXPECT_EQ(commonRounds(things), (Rounds{{2, 10}, {3, 20}}));
  things[1] = {{5, 10}, {6, 30}};
  EXPECT_EQ(commonRounds(things), (Rounds{{2, 20}}));
  EXPECT_TRUE(commonRounds({}).empty());
}

/// Each round is slow for both by its own factor: the ratio is the same in all. Medians over medians
/// would say so, too, but not their intervals.
TEST(Rounds, RatiosArePaired) {
  ByRound first, second;
  for (int round = 0; round < 7; ++round) {
    first[round] = 6.0 * (round + 1);
    second[round] = 2.0 * (round + 1);
  }
  auto ratio = pairedRatio(first, second);
  ASSERT_TRUE(ratio);
  EXPECT_EQ(ratio->interval.low, 3);
  EXPECT_EQ(ratio->interval.high, 3);
  EXPECT_EQ(ratio->rounds, 7u);
  second[3] = 0;
  EXPECT_FALSE(pairedRatio(first, second));
  EXPECT_FALSE(pairedRatio(first, {}));
}

}  // namespace
}  // namespace fjord::study
