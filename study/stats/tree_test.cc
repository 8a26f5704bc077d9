#include "stats/tree.h"

#include <algorithm>
#include <numeric>

#include "stats/testing.h"

namespace fjord::study {
namespace {

std::vector<size_t> all(const Design& design) {
  std::vector<size_t> out(design.rows.size());
  std::iota(out.begin(), out.end(), size_t{0});
  return out;
}

// ---- worked out by hand

/// Four ratios: x 1 and x 1.5 are in one octave, x 5 and x 6 in another; `a` tells them apart.
TEST(Tree, SplitsWhereTheOctavesDo) {
  Design design = factorialOf({{1, 2}, {64, 128}},
                              {std::log2(1.0), std::log2(1.5), std::log2(5.0), std::log2(6.0)});
  std::vector<Split> splits = splitsOf(design, all(design), Criterion::kOctaves);
  ASSERT_EQ(splits.size(), 2u);
  EXPECT_EQ(splits[0].factor, 0);
  EXPECT_EQ(splits[0].threshold, 1.5);
  EXPECT_DOUBLE_EQ(splits[0].gain, 1);
  EXPECT_NEAR(splits[1].gain, 0, 1e-15);
  Tree tree = growTree(design, Criterion::kOctaves);
  EXPECT_EQ(tree.leaves(), 2u);
  EXPECT_EQ(tree.depth(), 1);
  EXPECT_EQ(treeText(tree, design),
            "all: × 2.59 (1.00–6.00, 4) [gain 1.000 bit]\n"
            "  a ≤ 1.5: × 1.22 (1.00–1.50, 2)\n"
            "  a > 1.5: × 5.48 (5.00–6.00, 2)\n");
}

/// A ratio of exactly 2 begins its octave.
TEST(Tree, OctavesBeginAtPowersOfTwo) {
  Design design = factorialOf({{1, 2}}, {std::log2(1.999), 1});
  EXPECT_DOUBLE_EQ(splitsOf(design, all(design), Criterion::kOctaves)[0].gain, 1);
  design.rows[1].value = std::log2(1.9999);
  EXPECT_NEAR(splitsOf(design, all(design), Criterion::kOctaves)[0].gain, 0, 1e-15);
}

/// Both factors divide the octaves alike; the squared error decides. Without that, both are told.
TEST(Tree, TiesAreTold) {
  Design design = factorialOf({{1, 2}, {64, 128}}, {0, 1.5, 1.5, 3.5});
  std::vector<Split> best = bestOf(splitsOf(design, all(design), Criterion::kOctaves));
  ASSERT_EQ(best.size(), 2u);
  EXPECT_EQ(best[0].factor, 0);
  EXPECT_EQ(best[1].factor, 1);
  std::string text = treeText(growTree(design, Criterion::kOctaves, 1), design);
  EXPECT_NE(text.find("as good: b ≤ 96]"), std::string::npos) << text;
  design.rows[1].value = 1.2;  // still the octave [2, 4), but now `a` leaves less error
  best = bestOf(splitsOf(design, all(design), Criterion::kOctaves));
  ASSERT_EQ(best.size(), 1u);
  EXPECT_EQ(best[0].factor, 0);
  design.rows[1].value = 1.8;  // and now `b` does
  best = bestOf(splitsOf(design, all(design), Criterion::kOctaves));
  ASSERT_EQ(best.size(), 1u);
  EXPECT_EQ(best[0].factor, 1);
}

double gainOf(const Design& design, Criterion criterion, int factor, double threshold) {
  for (const Split& split : splitsOf(design, all(design), criterion)) {
    if (split.factor == factor && split.threshold == threshold) return split.gain;
  }
  return NAN;
}

/// The paper's dense grid: backend, task, five depths, four widths. If each ratio is a class of its
/// own, the gain of k of n is H(k/n): 1 bit for a half, H(2/5) = 0.971 for layers, whatever the
/// ratios are.
TEST(Tree, AClassOfItsOwnIsBlindToRatios) {
  std::vector<Numbers> factors = {{1, 2}, {1, 2}, {1, 2, 4, 8, 16}, {64, 128, 256, 512}};
  Numbers one(80), other(80);
  for (size_t i = 0; i < 80; ++i) {
    one[i] = i < 40 ? 6 + 0.01 * static_cast<double>(i) : 1 + 0.01 * static_cast<double>(i);
    other[i] = static_cast<double>(i * 37 % 80);
  }
  for (const Numbers& values : {one, other}) {
    Design design = factorialOf(factors, values);
    for (int factor : {0, 1})
      EXPECT_NEAR(gainOf(design, Criterion::kOwnClass, factor, 1.5), 1, 1e-12);
    EXPECT_NEAR(gainOf(design, Criterion::kOwnClass, 3, 192), 1, 1e-12);
    double h = -0.4 * std::log2(0.4) - 0.6 * std::log2(0.6);
    EXPECT_NEAR(gainOf(design, Criterion::kOwnClass, 2, 3), h, 1e-12);
    EXPECT_NEAR(h, 0.971, 1e-3);
  }
  // The octaves are not: the first factor alone makes the first one's ratios.
  Design design = factorialOf(factors, one);
  EXPECT_GT(gainOf(design, Criterion::kOctaves, 0, 1.5), 0.99);
  EXPECT_LT(gainOf(design, Criterion::kOctaves, 1, 1.5), 0.01);
}

TEST(Tree, NamesAreAskedForByName) {
  Design design{.factors = {{"backend", {"JavaScript", "wasm", "WebGL"}}},
                .rows = {{{0}, 5}, {{1}, 1}, {{2}, 1.2}}};
  Tree tree = growTree(design, Criterion::kOctaves);
  ASSERT_EQ(tree.nodes.size(), 3u);
  EXPECT_EQ(questionText(design, tree.nodes[0].best[0]), "backend = JavaScript");
  EXPECT_EQ(oppositeText(design, tree.nodes[0].best[0]), "backend = wasm or WebGL");
}

TEST(Tree, OfEqualValuesIsALeaf) {
  Tree tree = growTree(factorialOf({{1, 2}, {1, 2}}, {3, 3, 3, 3}), Criterion::kSquaredError);
  EXPECT_EQ(tree.nodes.size(), 1u);
  EXPECT_EQ(predict(tree, Numbers{1, 2}), 3);
}

/// The first factor is worth ten octaves in all rounds but the last two, where the second one is.
TEST(Tree, RootSharesFollowTheRounds) {
  Design design = factorialOf({{1, 2}, {1, 2}}, {0, 0, 0, 0});
  Rounds same(7, {0, 1, 10, 11}), mixed = same;
  EXPECT_EQ(rootShares(design, same, Criterion::kSquaredError, 1, 200), (Numbers{1, 0}));
  mixed[5] = mixed[6] = {0, 10, 1, 11};
  Numbers shares = rootShares(design, mixed, Criterion::kSquaredError, 1, 4000);
  // The second one where at least 4 of 7 draws are of the two: P(binomial(7, 2/7) >= 4) = 0.108.
  EXPECT_NEAR(shares[1], 0.1083, 0.02);
  EXPECT_NEAR(shares[0] + shares[1], 1, 1e-12);
  // Neither: half each.
  Numbers halves = rootShares(design, Rounds(7, {0, 1, 1, 2}), Criterion::kSquaredError, 1, 50);
  EXPECT_NEAR(halves[0], 0.5, 1e-12);
}

// ---- what scikit-learn says

void expectNodes(const Tree& tree, const Json& nodes) {
  ASSERT_EQ(tree.nodes.size(), nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    const TreeNode& node = tree.nodes[i];
    SCOPED_TRACE(cat("node ", i));
    EXPECT_EQ(node.rows.size(), static_cast<size_t>(intOr(nodes[i], "rows", 0)));
    EXPECT_NEAR(node.impurity, numberOr(nodes[i], "impurity", NAN), 1e-10);
    int factor = intOr(nodes[i], "factor", -2);
    ASSERT_EQ(node.best.empty() ? -1 : node.best[0].factor, factor);
    if (factor >= 0) EXPECT_EQ(node.best[0].threshold, numberOr(nodes[i], "threshold", NAN));
  }
}

TEST(TreeGolden, RegressionTreesAsScikitLearnHasThem) {
  Json golden = analysisGolden();
  ASSERT_GE(member(golden, "trees").size(), 4u);
  for (const Json& c : member(golden, "trees")) {
    SCOPED_TRACE(stringOr(c, "name", ""));
    Design design = designOf(c);
    int depth = static_cast<int>(design.factors.size());
    expectNodes(growTree(design, Criterion::kSquaredError, depth), member(c, "regression"));
    Tree full = growTree(design, Criterion::kSquaredError);
    expectNodes(full, member(c, "regressionFull"));
    EXPECT_EQ(full.leaves(), design.rows.size());
  }
}

/// As deep as forty random draws among equal gains agree there.
TEST(TreeGolden, EntropyTreesAsScikitLearnHasThem) {
  Json golden = analysisGolden();
  int deepest = 0;
  for (const Json& c : member(golden, "trees")) {
    SCOPED_TRACE(stringOr(c, "name", ""));
    Design design = designOf(c);
    int depth = intOr(c, "octavesDepth", 0);
    ASSERT_GT(depth, 0);
    deepest = std::max(deepest, depth);
    expectNodes(growTree(design, Criterion::kOctaves, depth), member(c, "octaves"));
  }
  EXPECT_GE(deepest, 2);
}

TEST(TreeGolden, GainsAreMutualInformation) {
  Json golden = analysisGolden();
  for (const Json& c : member(golden, "trees")) {
    Design design = designOf(c);
    for (auto [criterion, name] : {std::pair{Criterion::kOctaves, "octaves"},
                                   {Criterion::kSquaredError, "variance"},
                                   {Criterion::kOwnClass, "own"}}) {
      const Json& expected = member(member(c, "gains"), name);
      ASSERT_GT(expected.size(), 2u);
      EXPECT_EQ(splitsOf(design, all(design), criterion).size(), expected.size());
      for (const Json& split : expected)
        EXPECT_NEAR(gainOf(design, criterion, intOr(split, "factor", -1),
                           numberOr(split, "threshold", NAN)),
                    numberOr(split, "gain", NAN), 1e-11);
    }
  }
}

}  // namespace
}  // namespace fjord::study
