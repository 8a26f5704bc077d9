// The reference: a graph evaluated in double, node by node, by the definitions of its ops. Slow,
// plain, independent of the kernels, of fusion and of the memory plan. Only linked into tests and
// benchmarks.
#pragma once

#include <complex>
#include <cstdint>
#include <vector>

#include "ir/graph.h"
#include "ops/op.h"

namespace fjord::testing {

/// The elementwise rows as functions of doubles.
struct RowChecks {
  OpId op;
  int arity;
  RowKind kind;
  double lo, hi;  // where it is alive
  double (*value)(const double* in);
  /// The derivative by input `i`, by complex step; nullptr for rows without derivative.
  double (*derivative)(const double* in, int i);
  /// The row's own backward formula in double, for dy = 1.
  void (*backward)(const double* in, double y, double* d);
};
const std::vector<RowChecks>& rowChecks();

/// Checks of every structured and composed op that has cases.
struct NamedChecks {
  OpId op;
  const OpChecks* checks;
};
const std::vector<NamedChecks>& opChecks();

/// Values of all nodes of the graph, given those of its inputs, or of the first `count` nodes.
std::vector<Reference> evaluateReference(const Graph& graph, const std::vector<Reference>& inputs,
                                         size_t count = SIZE_MAX);

/// Values for an input, from a seed; exactly representable in float32.
Reference draw(const Input& input, uint64_t seed);
Tensor toTensor(const Reference& r);

}  // namespace fjord::testing
