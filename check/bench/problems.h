// What the benchmarks of ops measure: graphs of one op or a few, and the work in each.
//
//   for (const ProblemRow& row : problemRows())
//     for (const std::vector<int>& sizes : row.sizes) {
//       Problem p;
//       row.build(p, sizes);                     // p.name, p.graph, p.operations, ..
//       std::vector<Tensor> inputs = drawInputs(p);
//     }
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "ir/graph.h"

namespace fjord {

/// An input's numbers are uniform in [low, high).
struct Range {
  double low = -0.5, high = 0.5;
};

struct Problem {
  std::string name;
  Graph graph;
  std::vector<Type> inputs;
  std::vector<Range> ranges;  // by input
  double operations = 0;      // of multiply-adds; 0 where the work is moving bytes
  double bytes = 0;           // read and written, each array once
  bool reads = false;         // nearly all of them read

  Value input(const Shape& shape, Range range = {}) {
    return add(graph.input({DType::kF32, shape}), range);
  }
  /// Weights of a model that predicts: they stay as they are.
  Value parameter(const Shape& shape, Range range = {}) {
    return add(graph.parameter({DType::kF32, shape}), range);
  }
  void output(Value v) {
    graph.output(v);
    bytes += static_cast<double>(v.type().bytes());
  }

 private:
  Value add(Value v, Range range) {
    bytes += static_cast<double>(v.type().bytes());
    inputs.push_back(v.type());
    ranges.push_back(range);
    return v;
  }
};

struct ProblemRow {
  const char* group;
  void (*build)(Problem&, const std::vector<int>& sizes);
  std::vector<std::vector<int>> sizes;
  /// Too large for a processor to be timed with.
  bool forGpu = false;
};

std::span<const ProblemRow> problemRows();

/// Its inputs' numbers, which gpu-ops.mjs makes too.
std::vector<Tensor> drawInputs(const Problem& p);

}  // namespace fjord
