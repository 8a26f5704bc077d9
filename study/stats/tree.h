// Decision trees over the factors of a design, as the paper's figure 6 has them: which question
// about a configuration says most about its ratio.
//
//   Tree tree = growTree(design, Criterion::kOctaves, 4);  // rows: log2 of ratios
//   treeText(tree, design);      // "task = training [1.00 bit; as good: layers <= 3]  × 5.1 .."
//
// A question splits the levels of one factor at the midpoint of two neighbours, as CART does
// (Breiman, Friedman, Olshen and Stone, 1984) and as the paper's thresholds 3, 7.5, 12, 600 are; names
// split where they stand in the list. A tree predicts the mean of the log2 ratios of a leaf.
#pragma once

#include "stats/design.h"

namespace fjord::study {

/// What a split is to make small.
enum class Criterion {
  /// The entropy in bits of ratios in bins of one octave: [1/2, 1), [1, 2), [2, 4), ..
  kOctaves,
  /// The variance of the log2 ratios: a regression tree.
  kSquaredError,
  /// The entropy in bits where each row is a class of its own. The gain of k of n rows is then
  /// H(k/n) whatever the values are: such a tree is blind to them.
  kOwnClass,
};

struct Split {
  int factor = -1;
  double threshold = 0;  // between two places: at most this is below
  double gain = 0;       // of the criterion: bits, or octaves squared
  double reduction = 0;  // of the variance: it decides between equal gains
};

struct TreeNode {
  std::vector<size_t> rows;  // of the design
  double impurity = 0;       // by the criterion
  double mean = 0, least = 0, most = 0;
  /// Those that no number tells apart, the one that was taken first; none at a leaf.
  std::vector<Split> best;
  int below = -1, above = -1;  // nodes; -1 at a leaf
  int depth = 0;               // the root has 0
};

struct Tree {
  Criterion criterion = Criterion::kOctaves;
  std::vector<TreeNode> nodes;  // the root first; what is below before what is above

  size_t leaves() const;
  int depth() const;
};

/// All questions that divide these rows: the best first, the others by factor and threshold.
std::vector<Split> splitsOf(const Design& design, std::span<const size_t> rows,
                            Criterion criterion);
/// The first of `splits` and those that are as good.
std::vector<Split> bestOf(std::vector<Split> splits);

/// Grows until a node is pure, cannot be divided, or is at `depth`; the design has a row at least
/// and need not be balanced.
Tree growTree(const Design& design, Criterion criterion, int depth = 1 << 20);

/// The leaf's mean for a combination of places, one a factor (Factor::place).
double predict(const Tree& tree, std::span<const double> places);

/// "layers <= 3", "backend = JavaScript"
std::string questionText(const Design& design, const Split& split);
/// What the other side is: "layers > 3", "backend = WebAssembly".
std::string oppositeText(const Design& design, const Split& split);
/// A line a node, indented; leaves as × ratio, least to most, rows.
std::string treeText(const Tree& tree, const Design& design);

/// The share of resampled experiments in which each factor is at the root; factors that no number
/// tells apart share one. Whole rounds are drawn. [factors]
std::vector<double> rootShares(const Design& design, const Rounds& rounds, Criterion criterion,
                               uint64_t seed, int resamples = 1000);

}  // namespace fjord::study
