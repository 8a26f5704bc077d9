#include "stats/anova.h"

#include <algorithm>
#include <numeric>

#include "stats/testing.h"

namespace fjord::study {
namespace {

// ---- worked out by hand

/// y = 1 + 2 a + b + a b with a, b = -1, 1: variances 4, 1, 1. Shapley: 4.5, 1.5.
TEST(Anova, OfATwoByTwo) {
  Design design = factorialOf({{1, 2}, {1, 2}}, {-1, -1, 1, 5});
  Result<Anova> found = anova(design);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->mean, 1);
  EXPECT_EQ(found->variance, 6);
  ASSERT_EQ(found->terms.size(), 3u);
  EXPECT_EQ(termName(design, found->terms[2].factors), "a × b");
  EXPECT_NEAR(found->terms[0].share, 4.0 / 6, 1e-15);
  EXPECT_NEAR(found->terms[1].share, 1.0 / 6, 1e-15);
  EXPECT_NEAR(found->terms[2].share, 1.0 / 6, 1e-15);
  EXPECT_NEAR(found->first[0], 4.0 / 6, 1e-15);
  EXPECT_NEAR(found->total[0], 5.0 / 6, 1e-15);
  EXPECT_NEAR(found->shapley[0], 4.5 / 6, 1e-15);
  EXPECT_NEAR(found->shapley[1], 1.5 / 6, 1e-15);
  EXPECT_EQ(found->effects[0], (Numbers{-2, 2}));
  EXPECT_EQ(found->effects[1], (Numbers{-1, 1}));
}

/// Rows may stand in any order: they say where they belong.
TEST(Anova, TheOrderOfRowsDoesNotCount) {
  Design design = factorialOf({{1, 2}, {1, 2, 3}}, {1, 5, 2, 8, 3, 13});
  Design turned = design;
  std::ranges::reverse(turned.rows);
  Result<Anova> a = anova(design), b = anova(turned);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->shapley, b->shapley);
  EXPECT_EQ(a->effects, b->effects);
  Result<std::vector<double>> up = effectsUpTo(design, 1), down = effectsUpTo(turned, 1);
  ASSERT_TRUE(up && down);
  std::ranges::reverse(*down);
  EXPECT_EQ(*up, *down);
}

TEST(Anova, RefusesWhatItCannotTell) {
  Design design = factorialOf({{1, 2}, {1, 2}}, {1, 2, 3, 4});
  design.rows.pop_back();
  Result<Anova> found = anova(design);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message, "the design is not balanced: a 2, b 2 is missing");
  found = anova(factorialOf({{1, 2}, {1, 2}}, {0.1, 0.1, 0.1, 0.1}));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message,
            "the value is the same everywhere, so no factor explains anything");
  std::vector<Numbers> many(11, {1, 2});
  found = anova(factorialOf(many, Numbers(2048, 1)));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message, "a design of 11 factors has too many terms; at most 10");
}

/// All effects together are the values, all parameters the rows.
TEST(Anova, AllEffectsAreEverything) {
  Numbers values(24);
  for (size_t i = 0; i < 24; ++i) values[i] = static_cast<double>(i * i * 7 % 31);
  Design design = factorialOf({{1, 2}, {1, 2, 3}, {1, 2, 3, 4}}, values);
  Result<std::vector<double>> fit = effectsUpTo(design, 3);
  ASSERT_TRUE(fit);
  for (size_t i = 0; i < 24; ++i) EXPECT_NEAR((*fit)[i], values[i], 1e-12);
  EXPECT_EQ(parametersUpTo(design, 0), 1u);
  EXPECT_EQ(parametersUpTo(design, 1), 1u + 1 + 2 + 3);
  EXPECT_EQ(parametersUpTo(design, 2), 1u + 6 + 2 + 3 + 6);
  EXPECT_EQ(parametersUpTo(design, 3), 24u);
}

// ---- what statsmodels, pandas and NumPy say

void expectNear(const Numbers& got, const Json& expected) {
  Numbers values = numbersOf(expected);
  ASSERT_EQ(got.size(), values.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], values[i], 1e-10) << i;
}

TEST(AnovaGolden, SharesAndEffects) {
  Json golden = analysisGolden();
  ASSERT_GE(member(golden, "anovas").size(), 4u);
  for (const Json& c : member(golden, "anovas")) {
    SCOPED_TRACE(stringOr(c, "name", ""));
    Result<Anova> found = anova(designOf(c));
    ASSERT_TRUE(found);
    EXPECT_NEAR(found->mean, numberOr(c, "mean", NAN), 1e-12);
    EXPECT_NEAR(found->variance, numberOr(c, "variance", NAN), 1e-12);
    ASSERT_EQ(found->terms.size(), member(c, "terms").size());
    for (size_t i = 0; i < found->terms.size(); ++i) {
      const Json& term = member(c, "terms")[i];
      EXPECT_EQ(found->terms[i].factors, static_cast<uint32_t>(intOr(term, "factors", 0)));
      EXPECT_NEAR(found->terms[i].share, numberOr(term, "share", NAN), 1e-10);
    }
    expectNear(found->total, member(c, "total"));
    expectNear(found->shapley, member(c, "shapley"));
    EXPECT_NEAR(std::accumulate(found->shapley.begin(), found->shapley.end(), 0.0), 1, 1e-12);
    ASSERT_EQ(found->effects.size(), member(c, "effects").size());
    for (size_t f = 0; f < found->effects.size(); ++f)
      expectNear(found->effects[f], member(c, "effects")[f]);
  }
}

}  // namespace
}  // namespace fjord::study
