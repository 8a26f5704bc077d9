#include "stats/validate.h"

#include "stats/testing.h"

namespace fjord::study {
namespace {

/// A sum of two factors: main effects predict what was left out exactly, trees cannot. By hand for the
/// mean: its error without a row is 9/8 of the one with it; the variance of 0, 1, 2 + 0, 10, 20 is
/// 2/3 + 200/3.
TEST(Validate, MainEffectsWinOnASum) {
  Design design = factorialOf({{1, 2, 4}, {1, 2, 4}}, {0, 1, 2, 10, 11, 12, 20, 21, 22});
  Result<std::vector<Validation>> found = crossValidate(design);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 5u);
  EXPECT_EQ((*found)[0].name, "mean");
  EXPECT_NEAR((*found)[0].configuration, 9.0 / 8 * std::sqrt(202.0 / 3), 1e-12);
  EXPECT_NEAR((*found)[0].r2, 1 - 81.0 / 64, 1e-12);
  EXPECT_NEAR((*found)[1].configuration, 0, 1e-12);
  EXPECT_NEAR((*found)[1].r2, 1, 1e-12);
  // Nine numbers for nine rows: nothing is left to predict with.
  EXPECT_TRUE(std::isnan((*found)[2].configuration));
  EXPECT_GT((*found)[4].configuration, 0.5);
  // The level 2 stands half-way between 1 and 4 and the values too: exact. At an end the nearest: an
  // error of 10 or 1. Of six levels left out: squares 100, 0, 100 and 1, 0, 1, three rows each.
  EXPECT_NEAR((*found)[1].level, std::sqrt(202.0 / 6), 1e-12);
}

TEST(Validate, SaysThatNamesHaveNoUnseenLevel) {
  Design design{
      .factors = {{"a", {"x", "y", "z"}}, {"b", {"1", "2"}, {1, 2}}},
      .rows = {{{0, 0}, 1}, {{0, 1}, 2}, {{1, 0}, 4}, {{1, 1}, 3}, {{2, 0}, 6}, {{2, 1}, 9}}};
  Result<std::vector<Validation>> found = crossValidate(design);
  ASSERT_TRUE(found);
  for (const Validation& one : *found) EXPECT_TRUE(std::isnan(one.level)) << one.name;
}

TEST(Validate, RefusesWhatIsNotBalanced) {
  Design design = factorialOf({{1, 2}, {1, 2}}, {1, 2, 3, 4});
  design.rows.pop_back();
  EXPECT_FALSE(crossValidate(design));
}

// ---- what scikit-learn and statsmodels say

TEST(ValidateGolden, SumsOfEffects) {
  Json golden = analysisGolden();
  for (const Json& c : member(golden, "anovas")) {
    SCOPED_TRACE(stringOr(c, "name", ""));
    Result<std::vector<Validation>> found = crossValidate(designOf(c));
    ASSERT_TRUE(found);
    for (size_t order = 0; order < 3; ++order) {
      const Json& expected = member(c, "validation")[order];
      const Validation& got = (*found)[order];
      if (member(expected, "configuration").is_null()) {
        EXPECT_TRUE(std::isnan(got.configuration));
        continue;
      }
      EXPECT_NEAR(got.configuration, numberOr(expected, "configuration", NAN), 1e-9);
      EXPECT_NEAR(got.r2, numberOr(expected, "r2", NAN), 1e-9);
      EXPECT_NEAR(got.level, numberOr(expected, "level", NAN), 1e-9) << order;
    }
    EXPECT_NEAR((*found)[4].level, numberOr(c, "treeLevel", NAN), 1e-9);
  }
}

TEST(ValidateGolden, RegressionTrees) {
  Json golden = analysisGolden();
  for (const Json& c : member(golden, "trees")) {
    SCOPED_TRACE(stringOr(c, "name", ""));
    Design design = designOf(c);
    Numbers predicted = numbersOf(member(c, "leftOut"));
    ASSERT_EQ(predicted.size(), design.rows.size());
    double sum = 0;
    for (size_t i = 0; i < predicted.size(); ++i)
      sum += (design.rows[i].value - predicted[i]) * (design.rows[i].value - predicted[i]);
    Result<std::vector<Validation>> found = crossValidate(design);
    ASSERT_TRUE(found);
    EXPECT_NEAR((*found)[4].configuration, std::sqrt(sum / static_cast<double>(predicted.size())),
                1e-9);
  }
}

}  // namespace
}  // namespace fjord::study
