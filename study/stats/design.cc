#include "stats/design.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/random.h"
#include "stats/stats.h"

namespace fjord::study {

std::vector<double> Design::values() const {
  std::vector<double> out;
  for (const Row& row : rows) out.push_back(row.value);
  return out;
}

Design Design::with(std::span<const double> values) const {
  Design out = *this;
  for (size_t i = 0; i < rows.size(); ++i) out.rows[i].value = values[i];
  return out;
}

namespace {

/// "layers 2, width 64"
std::string nameOf(const Design& design, const std::vector<int>& levels) {
  std::string out;
  for (size_t f = 0; f < levels.size(); ++f) {
    const Factor& factor = design.factors[f];
    out += cat(out.empty() ? "" : ", ", factor.name, " ",
               factor.levels[static_cast<size_t>(levels[f])]);
  }
  return out;
}

Status wellFormed(const Design& design) {
  if (design.factors.empty()) return fail("a design needs a factor");
  for (const Factor& factor : design.factors) {
    if (factor.levels.size() < 2)
      return fail("the factor ", factor.name, " has fewer than two levels, so it explains nothing");
    if (factor.ordered() && factor.at.size() != factor.levels.size())
      return fail("the factor ", factor.name, " has ", factor.levels.size(), " levels at ",
                  factor.at.size(), " places");
    if (!std::ranges::is_sorted(factor.at, std::ranges::less_equal()) ||
        (factor.ordered() && factor.at[0] <= 0))
      return fail("the levels of the factor ", factor.name, " do not rise from above 0");
  }
  for (const Row& row : design.rows) {
    bool fits = row.levels.size() == design.factors.size();
    for (size_t f = 0; fits && f < row.levels.size(); ++f)
      fits = row.levels[f] >= 0 &&
             static_cast<size_t>(row.levels[f]) < design.factors[f].levels.size();
    if (!fits) return fail("a row has levels that its factors do not have");
  }
  return {};
}

/// The next combination, the last factor fastest; false after the last one.
bool advance(std::vector<int>& levels, const std::vector<Factor>& factors) {
  for (size_t f = levels.size(); f-- > 0;) {
    if (++levels[f] < static_cast<int>(factors[f].levels.size())) return true;
    levels[f] = 0;
  }
  return false;
}

}  // namespace

Status balanced(const Design& design) {
  FJORD_CHECK(wellFormed(design));
  std::map<std::vector<int>, int> times;
  for (const Row& row : design.rows) {
    if (!std::isfinite(row.value))
      return fail("the value of ", nameOf(design, row.levels), " is not finite");
    if (++times[row.levels] > 1)
      return fail("the design is not balanced: ", nameOf(design, row.levels), " is there twice");
  }
  std::vector<int> levels(design.factors.size(), 0);
  do {
    if (!times.contains(levels))
      return fail("the design is not balanced: ", nameOf(design, levels), " is missing");
  } while (advance(levels, design.factors));
  return {};
}

std::vector<double> mediansOf(const Rounds& rounds, std::span<const size_t> draw) {
  std::vector<double> out, column;
  for (size_t row = 0; row < rounds[0].size(); ++row) {
    column.clear();
    for (size_t round : draw) column.push_back(rounds[round][row]);
    out.push_back(median(column));
  }
  return out;
}

std::vector<double> mediansOf(const Rounds& rounds) {
  std::vector<size_t> all(rounds.size());
  std::iota(all.begin(), all.end(), size_t{0});
  return mediansOf(rounds, all);
}

std::vector<std::vector<size_t>> drawRounds(size_t rounds, uint64_t seed, int resamples) {
  Random random(seed);
  std::vector<std::vector<size_t>> out(static_cast<size_t>(resamples));
  for (std::vector<size_t>& draw : out) {
    for (size_t i = 0; i < rounds; ++i) draw.push_back(random.below(static_cast<uint32_t>(rounds)));
  }
  return out;
}

std::vector<Span> spansOf(std::span<const double> whole, const Rounds& statistics, size_t rounds) {
  bool promises = rounds >= kLeastRounds;
  double tail = promises ? 0.025 : 0;
  std::vector<Span> out;
  std::vector<double> column;
  for (size_t k = 0; k < whole.size(); ++k) {
    column.clear();
    for (const std::vector<double>& one : statistics) column.push_back(one[k]);
    Span span{.interval = {quantile(column, tail), whole[k], quantile(column, 1 - tail)},
              .rounds = rounds};
    if (promises) span.coverage = 0.95;
    // The statistic of medians can be outside those of single rounds; an interval holds its centre.
    span.interval.low = std::min(span.interval.low, whole[k]);
    span.interval.high = std::max(span.interval.high, whole[k]);
    out.push_back(span);
  }
  return out;
}

}  // namespace fjord::study
