#include "stats/anova.h"

#include <bit>
#include <cmath>

namespace fjord::study {

namespace {

/// Values of all combinations, the last factor fastest, and how many combinations a step of a
/// factor's level is.
struct Table {
  std::vector<double> values;
  std::vector<size_t> strides, levels;
  std::vector<size_t> places;  // of each row

  explicit Table(const Design& design) {
    size_t count = 1;
    strides.resize(design.factors.size());
    for (size_t f = design.factors.size(); f-- > 0;) {
      strides[f] = count;
      levels.insert(levels.begin(), design.factors[f].levels.size());
      count *= levels.front();
    }
    values.resize(count);
    for (const Row& row : design.rows) {
      size_t place = 0;
      for (size_t f = 0; f < strides.size(); ++f)
        place += static_cast<size_t>(row.levels[f]) * strides[f];
      places.push_back(place);
      values[place] = row.value;
    }
  }

  /// Each value becomes the mean over all levels of a factor.
  void average(std::vector<double>& table, size_t factor) const {
    size_t stride = strides[factor], n = levels[factor];
    for (size_t i = 0; i < table.size(); ++i) {
      if (i / stride % n) continue;
      double sum = 0;
      for (size_t level = 0; level < n; ++level) sum += table[i + level * stride];
      for (size_t level = 0; level < n; ++level)
        table[i + level * stride] = sum / static_cast<double>(n);
    }
  }

  /// f_S at all combinations: (1 - mean over) for the factors in S, (mean over) for the others.
  std::vector<double> effect(uint32_t set) const {
    std::vector<double> out = values;
    for (size_t f = 0; f < strides.size(); ++f) {
      std::vector<double> mean = out;
      average(mean, f);
      if (set >> f & 1) {
        for (size_t i = 0; i < out.size(); ++i) out[i] -= mean[i];
      } else {
        out = std::move(mean);
      }
    }
    return out;
  }
};

double meanSquare(const std::vector<double>& values) {
  double sum = 0;
  for (double x : values) sum += x * x;
  return sum / static_cast<double>(values.size());
}

Status analysable(const Design& design) {
  if (design.factors.size() > kMostFactors)
    return fail("a design of ", design.factors.size(), " factors has too many terms; at most ",
                kMostFactors);
  return balanced(design);
}

uint32_t setsOf(const Design& design) { return uint32_t{1} << design.factors.size(); }

}  // namespace

Result<Anova> anova(const Design& design) {
  FJORD_CHECK(analysable(design));
  Table table(design);
  size_t count = design.factors.size();
  Anova out{.first = std::vector<double>(count),
            .total = std::vector<double>(count),
            .shapley = std::vector<double>(count)};
  out.mean = table.effect(0)[0];
  for (uint32_t set = 1; set < setsOf(design); ++set) {
    out.terms.push_back({set, meanSquare(table.effect(set))});
    out.variance += out.terms.back().share;
  }
  // Rounding leaves a little where all values are the same.
  if (out.variance <= 1e-24 * (1 + out.mean * out.mean))
    return fail("the value is the same everywhere, so no factor explains anything");
  for (Anova::Term& term : out.terms) {
    term.share /= out.variance;
    int size = std::popcount(term.factors);
    for (size_t f = 0; f < count; ++f) {
      if (!(term.factors >> f & 1)) continue;
      if (size == 1) out.first[f] = term.share;
      out.total[f] += term.share;
      out.shapley[f] += term.share / size;
    }
  }
  for (size_t f = 0; f < count; ++f) {
    std::vector<double> effect = table.effect(uint32_t{1} << f);
    std::vector<double>& levels = out.effects.emplace_back();
    for (size_t level = 0; level < table.levels[f]; ++level)
      levels.push_back(effect[level * table.strides[f]]);
  }
  return out;
}

std::string termName(const Design& design, uint32_t factors) {
  std::string out;
  for (size_t f = 0; f < design.factors.size(); ++f) {
    if (factors >> f & 1) out += (out.empty() ? "" : " × ") + design.factors[f].name;
  }
  return out;
}

Result<std::vector<double>> effectsUpTo(const Design& design, int order) {
  FJORD_CHECK(analysable(design));
  Table table(design);
  std::vector<double> sum(table.values.size());
  for (uint32_t set = 0; set < setsOf(design); ++set) {
    if (std::popcount(set) > order) continue;
    std::vector<double> effect = table.effect(set);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += effect[i];
  }
  std::vector<double> out;
  for (size_t place : table.places) out.push_back(sum[place]);
  return out;
}

size_t parametersUpTo(const Design& design, int order) {
  size_t out = 0;
  for (uint32_t set = 0; set < setsOf(design); ++set) {
    if (std::popcount(set) > order) continue;
    size_t term = 1;
    for (size_t f = 0; f < design.factors.size(); ++f)
      term *= set >> f & 1 ? design.factors[f].levels.size() - 1 : 1;
    out += term;
  }
  return out;
}

}  // namespace fjord::study
