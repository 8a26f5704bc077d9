// Reverse-mode differentiation as a function from graph to graph.
#include <algorithm>

#include "ir/graph.h"
#include "ir/op.h"

namespace fjord {

namespace {

/// Which nodes up to `last` depend on one of xs.
std::vector<bool> dependents(const Graph& graph, std::span<const Value> xs, int32_t last) {
  std::vector<bool> depends(last + 1, false);
  for (Value x : xs) {
    if (x.id <= last) depends[x.id] = true;
  }
  for (int32_t i = 0; i <= last; ++i) {
    for (int32_t input : graph.nodes()[i].inputs) depends[i] = depends[i] || depends[input];
  }
  return depends;
}

}  // namespace

std::vector<bool> ancestors(Value y) {
  std::vector<bool> found(y.id + 1, false);
  found[y.id] = true;
  for (int32_t i = y.id; i >= 0; --i) {
    if (!found[i]) continue;
    for (int32_t input : y.graph->nodes()[i].inputs) found[input] = true;
  }
  return found;
}

std::vector<Value> grad(Value y, std::span<const Value> xs, Value dy) {
  std::vector<Value> result(xs.size());
  if (!y || !y.graph->status()) return result;
  Graph& graph = *y.graph;
  if (std::ranges::any_of(xs, [&](Value x) { return !x || x.graph != &graph; })) {
    graph.fail("grad: a variable is empty or belongs to another graph");
    return result;
  }
  std::vector<bool> depends = dependents(graph, xs, y.id), sources = ancestors(y);
  std::vector<Value> adjoint(y.id + 1);
  // Integers and truth values are steps: all that they are computed from has the gradient zero.
  if (y.dtype() == DType::kF32)
    adjoint[y.id] = dy ? dy : broadcastTo(graph.constant(1), {.shape = y.shape()});
  for (int32_t i = y.id; i >= 0; --i) {
    if (!adjoint[i] || !depends[i]) continue;
    // A copy: adding nodes moves the vector that holds them.
    Node node = graph.nodes()[i];
    const OpGradient& own = opGradient(node.op);
    bool hasSlope = std::ranges::any_of(node.inputs, [&](int32_t input) {
      return depends[input] && graph.nodes()[input].type.dtype == DType::kF32;
    });
    if (!hasSlope) continue;
    if (!own.grad) {
      if (own.reason.empty()) continue;
      graph.fail(cat("grad: ", opInfo(node.op).name, " has no gradient: ", own.reason));
      return result;
    }
    std::vector<Value> in;
    for (int32_t input : node.inputs) in.push_back({&graph, input});
    std::vector<Value> d = own.grad({in, {&graph, i}, adjoint[i]}, node.attrs);
    if (!graph.status()) return result;
    for (size_t k = 0; k < in.size(); ++k) {
      int32_t input = node.inputs[k];
      if (!d[k] || !depends[input] || in[k].dtype() != DType::kF32) continue;
      adjoint[input] = adjoint[input] ? adjoint[input] + d[k] : d[k];
    }
  }
  for (size_t k = 0; k < xs.size(); ++k) {
    int32_t x = xs[k].id;
    if (x > y.id || !sources[x]) {
      graph.fail(
          cat("grad: y does not depend on x number ", k, "; make sure that y is computed from x"));
      return result;
    }
    // On steps alone, such as floor and argMax, it depends without a slope.
    result[k] = adjoint[x] ? adjoint[x] : broadcastTo(graph.constant(0), {.shape = xs[k].shape()});
  }
  return result;
}

}  // namespace fjord
