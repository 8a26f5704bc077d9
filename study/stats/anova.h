// The functional ANOVA of a balanced factorial: what of the variance of a value each factor, each
// pair, each larger set of factors explains. Exact, for there is nothing to fit: all combinations
// are there, each of the same weight.
//
//   FJORD_TRY(Anova found, anova(design));     // design.rows: log2 of times, all combinations once
//   found.first[0]                             // the share of the first factor alone: 0.14
//   std::exp2(found.effects[0][2] - found.effects[0][0])  // its third level over its first: x 5.1
//
// f = f0 + sum of f_S over all sets S of factors, each of mean 0 over each of its factors;
// variances add. Shares: Sobol, "Global sensitivity indices for nonlinear mathematical models and
// their Monte Carlo estimates", 2001. Shapley effects share the variance of an interaction equally
// among its factors: Owen, "Sobol' Indices and Shapley Value", 2014.
#pragma once

#include "stats/design.h"

namespace fjord::study {

struct Anova {
  struct Term {
    uint32_t factors = 0;  // bit f for factor f
    double share = 0;      // of the variance
  };

  double mean = 0, variance = 0;
  std::vector<Term> terms;  // of all sets but the empty one; by set
  /// Of each factor: alone; with all interactions that it is in; with its part of them. Shapley
  /// effects add up to 1.
  std::vector<double> first, total, shapley;
  std::vector<std::vector<double>> effects;  // [factor][level]: how far from the mean
};

/// At most so many factors: a term for each set of them.
inline constexpr size_t kMostFactors = 10;

/// An unbalanced design is an error that names the combination; so is a value that never changes.
Result<Anova> anova(const Design& design);

/// "layers x width"
std::string termName(const Design& design, uint32_t factors);

/// The design's values as a sum of the mean and the effects of all sets of at most `order` factors:
/// order 0 is the mean, 1 main effects, 2 main effects and pairs. [rows]
Result<std::vector<double>> effectsUpTo(const Design& design, int order);
/// How many numbers such a sum has to choose.
size_t parametersUpTo(const Design& design, int order);

}  // namespace fjord::study
