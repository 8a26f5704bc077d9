#include "stats/validate.h"

#include <cmath>

#include "stats/anova.h"

namespace fjord::study {

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double squaresAboutMean(const std::vector<double>& values) {
  double mean = 0, sum = 0;
  for (double x : values) mean += x / static_cast<double>(values.size());
  for (double x : values) sum += (x - mean) * (x - mean);
  return sum;
}

/// The design without a level of a factor; the levels above move down.
Design without(const Design& design, size_t factor, int level) {
  Design out = design;
  Factor& changed = out.factors[factor];
  changed.levels.erase(changed.levels.begin() + level);
  changed.at.erase(changed.at.begin() + level);
  std::erase_if(out.rows, [&](const Row& row) { return row.levels[factor] == level; });
  for (Row& row : out.rows) row.levels[factor] -= row.levels[factor] > level;
  return out;
}

std::vector<std::pair<size_t, int>> levelsToLeaveOut(const Design& design) {
  std::vector<std::pair<size_t, int>> out;
  for (size_t f = 0; f < design.factors.size(); ++f) {
    int levels = static_cast<int>(design.factors[f].levels.size());
    for (int level = 0; design.factors[f].ordered() && levels > 2 && level < levels; ++level)
      out.emplace_back(f, level);
  }
  return out;
}

// ---- sums of effects

/// The sum of squares of errors where each configuration is left out. Each has the same leverage in
/// a balanced factorial, parameters over rows, so nothing is fitted again: the error of a row that
/// is left out is its residual over 1 - leverage.
Result<double> configurationSquares(const Design& design, int order) {
  FJORD_TRY(std::vector<double> fit, effectsUpTo(design, order));
  double rows = static_cast<double>(design.rows.size());
  double left = 1 - static_cast<double>(parametersUpTo(design, order)) / rows;
  if (left < 0.5 / rows) return kNaN;
  double sum = 0;
  for (size_t i = 0; i < fit.size(); ++i) {
    double error = (design.rows[i].value - fit[i]) / left;
    sum += error * error;
  }
  return sum;
}

/// The prediction for the row that stands at these levels of the reduced design.
double fitAt(const Design& design, const std::vector<double>& fit, const std::vector<int>& levels) {
  for (size_t i = 0; i < design.rows.size(); ++i) {
    if (design.rows[i].levels == levels) return fit[i];
  }
  return kNaN;
}

Result<double> levelSquares(const Design& design, int order, size_t factor, int level) {
  Design reduced = without(design, factor, level);
  FJORD_TRY(std::vector<double> fit, effectsUpTo(reduced, order));
  const std::vector<double>& at = design.factors[factor].at;
  int last = static_cast<int>(at.size()) - 1;
  double weight = 0;
  if (level > 0 && level < last) {
    auto i = static_cast<size_t>(level);
    weight = std::log(at[i] / at[i - 1]) / std::log(at[i + 1] / at[i - 1]);
  }
  double sum = 0;
  for (const Row& row : design.rows) {
    if (row.levels[factor] != level) continue;
    std::vector<int> below = row.levels, above = row.levels;
    below[factor] = level == 0 ? 0 : level - 1;
    above[factor] = level == last ? level - 1 : level;
    double predicted = std::lerp(fitAt(reduced, fit, below), fitAt(reduced, fit, above), weight);
    sum += (row.value - predicted) * (row.value - predicted);
  }
  return sum;
}

// ---- trees

double squaredError(const Design& design, const Tree& tree, const Row& row) {
  std::vector<double> places;
  for (size_t f = 0; f < design.factors.size(); ++f)
    places.push_back(design.factors[f].place(row.levels[f]));
  double error = row.value - predict(tree, places);
  return error * error;
}

/// The sum of squares over the rows that `isOut(row)` leaves out of the tree.
template <class IsOut>
double squaresWithout(const Design& design, Criterion criterion, const IsOut& isOut) {
  Design reduced = design;
  std::erase_if(reduced.rows, isOut);
  Tree tree = growTree(reduced, criterion, static_cast<int>(design.factors.size()));
  double sum = 0;
  for (const Row& row : design.rows) {
    if (isOut(row)) sum += squaredError(design, tree, row);
  }
  return sum;
}

// ---- both

/// Sums of squares, and over how many rows.
struct Squares {
  double configuration = 0, level = 0;
  size_t levelRows = 0;
};

Validation validation(const std::string& name, const Design& design, const Squares& squares) {
  double rows = static_cast<double>(design.rows.size());
  return {.name = name,
          .configuration = std::sqrt(squares.configuration / rows),
          .r2 = 1 - squares.configuration / squaresAboutMean(design.values()),
          .level = squares.levelRows
                       ? std::sqrt(squares.level / static_cast<double>(squares.levelRows))
                       : kNaN};
}

size_t rowsAt(const Design& design, size_t factor) {
  return design.rows.size() / design.factors[factor].levels.size();
}

Result<Validation> ofEffects(const std::string& name, const Design& design, int order) {
  Squares squares;
  FJORD_TRY(squares.configuration, configurationSquares(design, order));
  for (auto [factor, level] : levelsToLeaveOut(design)) {
    FJORD_TRY(double sum, levelSquares(design, order, factor, level));
    squares.level += sum;
    squares.levelRows += rowsAt(design, factor);
  }
  return validation(name, design, squares);
}

Validation ofTree(const std::string& name, const Design& design, Criterion criterion) {
  Squares squares;
  for (const Row& out : design.rows)
    squares.configuration +=
        squaresWithout(design, criterion, [&](const Row& row) { return row.levels == out.levels; });
  for (auto [factor, level] : levelsToLeaveOut(design)) {
    squares.level += squaresWithout(
        design, criterion, [f = factor, l = level](const Row& row) { return row.levels[f] == l; });
    squares.levelRows += rowsAt(design, factor);
  }
  return validation(name, design, squares);
}

}  // namespace

Result<std::vector<Validation>> crossValidate(const Design& design) {
  FJORD_CHECK(balanced(design));
  std::vector<Validation> out;
  const char* names[] = {"mean", "main effects", "main effects and pairs"};
  for (int order = 0; order < 3; ++order) {
    FJORD_TRY(Validation one, ofEffects(names[order], design, order));
    out.push_back(one);
  }
  out.push_back(ofTree("tree by entropy of octaves", design, Criterion::kOctaves));
  out.push_back(ofTree("tree by squared error", design, Criterion::kSquaredError));
  return out;
}

}  // namespace fjord::study
