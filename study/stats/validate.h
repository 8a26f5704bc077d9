// How well trees and sums of effects predict what they have not seen: no tree without its error.
//
//   FJORD_TRY(std::vector<Validation> found, crossValidate(design));
//   found[1].name, found[1].configuration   // "main effects", 0.21 octaves
//
// Errors are root mean squares in the unit of the values: octaves where these are log2. On a few
// dozen configurations a tree usually loses to the sum of main effects, and then that is the result.
#pragma once

#include "stats/tree.h"

namespace fjord::study {

struct Validation {
  std::string name;  // "mean", "main effects", "main effects and pairs", "tree by ..."
  /// Left out one configuration at a time; NaN where a model with as many parameters as rows has
  /// nothing to say.
  double configuration = 0;
  /// Of the variance: 1 - the sum of these squares over that about the mean; below 0 where it is
  /// worse than knowing the mean.
  double r2 = 0;
  /// Left out one level at a time, of all factors that are ordered and have three levels at least;
  /// NaN where there is none. A sum of effects goes straight between the neighbours' predictions on
  /// a logarithmic axis, and at an end takes the nearest; a tree takes the side of its threshold.
  double level = 0;
};

/// Of the mean, main effects, main effects and pairs, the tree by octaves and the tree by squared
/// error, both as deep as there are factors. The design is balanced.
Result<std::vector<Validation>> crossValidate(const Design& design);

}  // namespace fjord::study
