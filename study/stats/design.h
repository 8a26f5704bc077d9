// A factorial experiment: what a value depends on, and the value of each combination.
//
//   Design design{.factors = {{"layers", {"1", "2", "4"}, {1, 2, 4}},
//                             {"backend", {"JavaScript", "WebAssembly"}}},
//                 .rows = {{{0, 1}, 5.1}, ..}};  // 1 layer on WebAssembly: 5.1
//   FJORD_CHECK(balanced(design));               // or says which combination is missing
//
// The values of the analysis are log2 of times or of ratios of times, so effects are in octaves: one
// octave is a factor of two.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "stats/interval.h"

namespace fjord::study {

struct Factor {
  std::string name;                 // "layers"
  std::vector<std::string> levels;  // "1", "2", "4"
  /// Where levels stand on an axis, rising and above 0; empty for levels that are only names.
  std::vector<double> at = {};

  bool ordered() const { return !at.empty(); }
  /// Names stand at 0, 1, 2, ..
  double place(int level) const {
    return ordered() ? at[static_cast<size_t>(level)] : static_cast<double>(level);
  }
};

struct Row {
  std::vector<int> levels;  // one a factor, from 0
  double value = 0;
};

struct Design {
  std::vector<Factor> factors;
  std::vector<Row> rows;

  std::vector<double> values() const;
  /// The same rows with other values [rows].
  Design with(std::span<const double> values) const;
};

/// Each combination of levels is there exactly once and finite, each factor has two levels at least.
Status balanced(const Design& design);

/// The value of each row in each round: [round][row].
using Rounds = std::vector<std::vector<double>>;

/// The median of each row over the rounds, of which there is one at least; or over those that `draw`
/// names, which may name one more than once.
std::vector<double> mediansOf(const Rounds& rounds);
std::vector<double> mediansOf(const Rounds& rounds, std::span<const size_t> draw);

/// Statistics of the medians, `statistic(values [rows]) -> [k]`, with what they vary by where whole
/// rounds are drawn again with replacement: from six rounds on the 95 % percentile bootstrap
/// interval, below that the range of the statistics of single rounds. A round is the unit because
/// what happens to the machine happens to all rows of a round.
template <class Statistic>
std::vector<Span> overRounds(const Rounds& rounds, uint64_t seed, int resamples,
                             const Statistic& statistic);

/// Which rounds each resample has, [resamples][rounds].
std::vector<std::vector<size_t>> drawRounds(size_t rounds, uint64_t seed, int resamples);
/// Spans from the statistics of the whole [k], and those of resamples or rounds [n][k].
std::vector<Span> spansOf(std::span<const double> whole, const Rounds& statistics, size_t rounds);

template <class Statistic>
std::vector<Span> overRounds(const Rounds& rounds, uint64_t seed, int resamples,
                             const Statistic& statistic) {
  Rounds found;
  if (rounds.size() < kLeastRounds) {
    for (const std::vector<double>& round : rounds) found.push_back(statistic(round));
  } else {
    for (const std::vector<size_t>& draw : drawRounds(rounds.size(), seed, resamples))
      found.push_back(statistic(mediansOf(rounds, draw)));
  }
  return spansOf(statistic(mediansOf(rounds)), found, rounds.size());
}

}  // namespace fjord::study
