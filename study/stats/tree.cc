#include "stats/tree.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <numeric>
#include <set>

#include "base/text.h"

namespace fjord::study {

namespace {

double placeOf(const Design& design, size_t row, size_t factor) {
  return design.factors[factor].place(design.rows[row].levels[factor]);
}

double meanOf(const Design& design, std::span<const size_t> rows) {
  double sum = 0;
  for (size_t row : rows) sum += design.rows[row].value;
  return sum / static_cast<double>(rows.size());
}

double varianceOf(const Design& design, std::span<const size_t> rows) {
  double mean = meanOf(design, rows), sum = 0;
  for (size_t row : rows) sum += (design.rows[row].value - mean) * (design.rows[row].value - mean);
  return sum / static_cast<double>(rows.size());
}

/// In bits.
double entropyOf(const Design& design, std::span<const size_t> rows) {
  std::map<double, int> counts;
  for (size_t row : rows) ++counts[std::floor(design.rows[row].value)];
  double sum = 0;
  for (const auto& [bin, count] : counts) {
    double p = count / static_cast<double>(rows.size());
    sum -= p * std::log2(p);
  }
  return sum + 0.0;  // never -0
}

double impurityOf(const Design& design, std::span<const size_t> rows, Criterion criterion) {
  switch (criterion) {
    case Criterion::kOctaves:
      return entropyOf(design, rows);
    case Criterion::kSquaredError:
      return varianceOf(design, rows);
    case Criterion::kOwnClass:
      return std::log2(static_cast<double>(rows.size()));
  }
  return 0;
}

struct Sides {
  std::vector<size_t> below, above;
};

Sides divide(const Design& design, std::span<const size_t> rows, const Split& split) {
  Sides out;
  for (size_t row : rows) {
    bool isBelow = placeOf(design, row, static_cast<size_t>(split.factor)) <= split.threshold;
    (isBelow ? out.below : out.above).push_back(row);
  }
  return out;
}

/// Numbers that differ by rounding only.
bool same(double a, double b, double scale) { return std::abs(a - b) <= 1e-9 * scale; }

bool better(const Split& a, const Split& b) {
  double gains = std::max({std::abs(a.gain), std::abs(b.gain), 1e-12});
  if (!same(a.gain, b.gain, gains)) return a.gain > b.gain;
  double reductions = std::max({std::abs(a.reduction), std::abs(b.reduction), 1e-12});
  return !same(a.reduction, b.reduction, reductions) && a.reduction > b.reduction;
}

}  // namespace

std::vector<Split> splitsOf(const Design& design, std::span<const size_t> rows,
                            Criterion criterion) {
  std::vector<Split> out;
  double impurity = impurityOf(design, rows, criterion), variance = varianceOf(design, rows);
  for (size_t f = 0; f < design.factors.size(); ++f) {
    std::set<double> places;
    for (size_t row : rows) places.insert(placeOf(design, row, f));
    for (auto next = places.begin(), last = next++; next != places.end(); last = next++) {
      Split split{.factor = static_cast<int>(f), .threshold = std::midpoint(*last, *next)};
      Sides sides = divide(design, rows, split);
      double p = static_cast<double>(sides.below.size()) / static_cast<double>(rows.size());
      split.gain = impurity - p * impurityOf(design, sides.below, criterion) -
                   (1 - p) * impurityOf(design, sides.above, criterion);
      split.reduction = variance - p * varianceOf(design, sides.below) -
                        (1 - p) * varianceOf(design, sides.above);
      out.push_back(split);
    }
  }
  // The first factor's where nothing else decides.
  auto best = out.begin();
  for (auto split = out.begin(); split != out.end(); ++split) {
    if (better(*split, *best)) best = split;
  }
  if (best != out.end()) std::rotate(out.begin(), best, best + 1);
  return out;
}

std::vector<Split> bestOf(std::vector<Split> splits) {
  if (splits.empty()) return splits;
  Split best = splits[0];
  std::erase_if(splits, [&](const Split& split) { return better(best, split); });
  return splits;
}

namespace {

TreeNode nodeOf(const Design& design, std::vector<size_t> rows, Criterion criterion, int depth) {
  TreeNode node{.impurity = impurityOf(design, rows, criterion),
                .mean = meanOf(design, rows),
                .depth = depth};
  node.least = node.most = design.rows[rows[0]].value;
  for (size_t row : rows) {
    node.least = std::min(node.least, design.rows[row].value);
    node.most = std::max(node.most, design.rows[row].value);
  }
  node.rows = std::move(rows);
  return node;
}

/// Adds a node and all beneath it; gives its number. As deep as the tree: factors times levels.
int grow(const Design& design, Tree& tree, std::vector<size_t> rows, int depth, int most) {
  size_t at = tree.nodes.size();
  tree.nodes.push_back(nodeOf(design, std::move(rows), tree.criterion, depth));
  if (depth == most || tree.nodes[at].impurity <= 1e-12) return static_cast<int>(at);
  std::vector<Split> best = bestOf(splitsOf(design, tree.nodes[at].rows, tree.criterion));
  if (best.empty()) return static_cast<int>(at);
  Sides sides = divide(design, tree.nodes[at].rows, best[0]);
  tree.nodes[at].best = std::move(best);
  int below = grow(design, tree, std::move(sides.below), depth + 1, most);
  int above = grow(design, tree, std::move(sides.above), depth + 1, most);
  tree.nodes[at].below = below;
  tree.nodes[at].above = above;
  return static_cast<int>(at);
}

}  // namespace

size_t Tree::leaves() const {
  return static_cast<size_t>(std::ranges::count(nodes, -1, &TreeNode::below));
}

int Tree::depth() const { return std::ranges::max(nodes, {}, &TreeNode::depth).depth; }

Tree growTree(const Design& design, Criterion criterion, int depth) {
  Tree tree{.criterion = criterion};
  std::vector<size_t> rows(design.rows.size());
  std::iota(rows.begin(), rows.end(), size_t{0});
  grow(design, tree, std::move(rows), 0, depth);
  return tree;
}

double predict(const Tree& tree, std::span<const double> places) {
  const TreeNode* node = tree.nodes.data();
  while (node->below >= 0) {
    const Split& split = node->best[0];
    bool isBelow = places[static_cast<size_t>(split.factor)] <= split.threshold;
    node = &tree.nodes[static_cast<size_t>(isBelow ? node->below : node->above)];
  }
  return node->mean;
}

// ---- texts

namespace {

std::string sideText(const Design& design, const Split& split, bool isBelow) {
  const Factor& factor = design.factors[static_cast<size_t>(split.factor)];
  if (factor.ordered()) return cat(factor.name, isBelow ? " ≤ " : " > ", split.threshold);
  std::string names;
  for (size_t level = 0; level < factor.levels.size(); ++level) {
    if ((static_cast<double>(level) <= split.threshold) == isBelow)
      names += (names.empty() ? "" : " or ") + factor.levels[level];
  }
  return factor.name + " = " + names;
}

std::string digits(double value, int after) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", after, value);
  return text;
}

std::string gainText(const Design& design, const Tree& tree, const TreeNode& node) {
  std::string out = cat(" [gain ", digits(node.best[0].gain, 3),
                        tree.criterion == Criterion::kSquaredError ? " octaves²" : " bit");
  for (size_t i = 1; i < node.best.size(); ++i)
    out += (i == 1 ? "; as good: " : ", ") + questionText(design, node.best[i]);
  return out + "]";
}

void write(std::string& out, const Tree& tree, const Design& design, const TreeNode& node,
           const std::string& question) {
  out += std::string(2 * static_cast<size_t>(node.depth), ' ') + question + ": ";
  out += "× " + digits(std::exp2(node.mean), 2);
  if (node.rows.size() > 1)
    out += cat(" (", digits(std::exp2(node.least), 2), "–", digits(std::exp2(node.most), 2), ", ",
               node.rows.size(), ")");
  if (node.below < 0) {
    out += "\n";
    return;
  }
  out += gainText(design, tree, node) + "\n";
  write(out, tree, design, tree.nodes[static_cast<size_t>(node.below)],
        questionText(design, node.best[0]));
  write(out, tree, design, tree.nodes[static_cast<size_t>(node.above)],
        oppositeText(design, node.best[0]));
}

}  // namespace

std::string questionText(const Design& design, const Split& split) {
  return sideText(design, split, true);
}

std::string oppositeText(const Design& design, const Split& split) {
  return sideText(design, split, false);
}

std::string treeText(const Tree& tree, const Design& design) {
  std::string out;
  write(out, tree, design, tree.nodes[0], "all");
  return out;
}

// ---- how stable

std::vector<double> rootShares(const Design& design, const Rounds& rounds, Criterion criterion,
                               uint64_t seed, int resamples) {
  std::vector<double> out(design.factors.size());
  std::vector<size_t> all(design.rows.size());
  std::iota(all.begin(), all.end(), size_t{0});
  for (const std::vector<size_t>& draw : drawRounds(rounds.size(), seed, resamples)) {
    Design again = design.with(mediansOf(rounds, draw));
    std::set<int> factors;
    for (const Split& split : bestOf(splitsOf(again, all, criterion))) factors.insert(split.factor);
    for (int factor : factors)
      out[static_cast<size_t>(factor)] += 1 / static_cast<double>(factors.size());
  }
  for (double& share : out) share /= resamples;
  return out;
}

}  // namespace fjord::study
