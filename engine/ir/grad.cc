// Reverse-mode differentiation as a function from graph to graph.
#include <algorithm>

#include "base/sort.h"
#include "ir/graph.h"
#include "ir/loop.h"
#include "ir/op.h"

namespace fjord {

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

std::vector<bool> ancestors(Value y) {
  std::vector<bool> found(y.id + 1, false);
  found[y.id] = true;
  for (int32_t i = y.id; i >= 0; --i) {
    if (!found[i]) continue;
    for (int32_t input : y.graph->nodes()[i].inputs) found[input] = true;
  }
  return found;
}

namespace {

/// Goes through the nodes from the last one down, and adds up what reaches each.
class Reverse {
 public:
  Reverse(Graph& graph, std::span<const Seed> seeds, std::span<const Value> xs);
  std::vector<Value> run(std::span<const Value> xs);

 private:
  /// What reaches a part of a node, through a slice.
  struct Part {
    const SliceAttrs* slice;
    Value d;
  };

  void add(int32_t node, Value d) { adjoint_[node] = adjoint_[node] ? adjoint_[node] + d : d; }
  void addParts(int32_t id);
  bool visit(int32_t id);
  std::vector<Value> gradientsOf(int32_t id, const Node& node);
  /// The results of a node that has several, as far as they are read.
  const std::vector<int32_t>& resultsOf(int32_t id) const {
    static const std::vector<int32_t> kNone;
    auto found = results_.find(id);
    return found == results_.end() ? kNone : found->second;
  }

  Graph& graph_;
  std::vector<bool> depends_;
  std::vector<Value> adjoint_;
  std::unordered_map<int32_t, std::vector<Part>> parts_;
  std::unordered_map<int32_t, std::vector<int32_t>> results_;
};

Reverse::Reverse(Graph& graph, std::span<const Seed> seeds, std::span<const Value> xs)
    : graph_(graph) {
  int32_t last = -1;
  for (const Seed& seed : seeds) last = std::max(last, seed.y.id);
  depends_ = dependents(graph, xs, last);
  adjoint_.resize(last + 1);
  for (const Seed& seed : seeds) add(seed.y.id, seed.dy);
  for (int32_t i = 0; i <= last; ++i) {
    const Node& node = graph.nodes()[i];
    if (node.op == OpId::result) results_[node.inputs[0]].push_back(i);
  }
}

namespace {

/// The axis along which slices, from the first one on, make up all of a shape; -1 where they do not.
int axisOfParts(std::span<const SliceAttrs* const> slices, const Shape& whole) {
  int axis = 0;
  while (axis < whole.rank() && slices[0]->size[axis] == whole[axis]) ++axis;
  if (axis == whole.rank()) return -1;
  Shape begin = Shape::filled(whole.rank(), 0), size = whole;
  for (const SliceAttrs* s : slices) {
    size[axis] = s->size[axis];
    if (s->begin != begin || s->size != size) return -1;
    begin[axis] += s->size[axis];
  }
  return begin[axis] == whole[axis] ? axis : -1;
}

}  // namespace

/// Slices that share out a node, as the gates of a cell do, give its adjoint piece by piece. Others are
/// padded and added up.
void Reverse::addParts(int32_t id) {
  auto found = parts_.find(id);
  if (found == parts_.end()) return;
  std::vector<Part> parts = std::move(found->second);
  sortFew(parts, [](const Part& a, const Part& b) {
    return std::ranges::lexicographical_compare(a.slice->begin, b.slice->begin);
  });
  std::vector<const SliceAttrs*> slices;
  std::vector<Value> pieces, in{{&graph_, id}};
  for (const Part& part : parts) {
    slices.push_back(part.slice);
    pieces.push_back(part.d);
  }
  int axis = axisOfParts(slices, in[0].shape());
  if (axis >= 0) return add(id, concat(pieces, {.axis = axis}));
  for (const Part& part : parts)
    add(id, opGradient(OpId::slice).grad({in, {}, part.d}, Attrs::of(*part.slice))[0]);
}

std::vector<Value> Reverse::gradientsOf(int32_t id, const Node& node) {
  std::vector<Value> in;
  for (int32_t input : node.inputs) in.push_back({&graph_, input});
  if (node.op != OpId::loop)
    return opGradient(node.op).grad({in, {&graph_, id}, adjoint_[id]}, node.attrs);
  std::vector<Value> dResults(node.results.size());
  for (int32_t result : resultsOf(id))
    dResults[graph_.nodes()[result].attrs.as<ResultAttrs>().index] = adjoint_[result];
  std::vector<bool> wanted;
  for (int32_t input : node.inputs) wanted.push_back(depends_[input]);
  return gradOfLoop({&graph_, id}, dResults, wanted);
}

/// Hands the node's adjoint on to its inputs. False where there is no gradient.
bool Reverse::visit(int32_t id) {
  addParts(id);
  // A result's waits for the node that it is one of. Nodes stay where they are while more are added.
  const Node& node = graph_.nodes()[id];
  auto isReached = [&](int32_t i) { return static_cast<bool>(adjoint_[i]); };
  bool reached = isReached(id) || std::ranges::any_of(resultsOf(id), isReached);
  if (node.op == OpId::result || !reached || !depends_[id]) return true;
  bool hasSlope = std::ranges::any_of(node.inputs, [&](int32_t input) {
    return depends_[input] && graph_.nodes()[input].type.dtype == DType::kF32;
  });
  if (!hasSlope) return true;
  const OpGradient& own = opGradient(node.op);
  if (!own.grad && node.op != OpId::loop) {
    if (own.reason.empty()) return true;
    graph_.fail(cat("grad: ", opInfo(node.op).name, " has no gradient: ", own.reason));
    return false;
  }
  if (node.op == OpId::slice) {
    parts_[node.inputs[0]].push_back({&node.attrs.as<SliceAttrs>(), adjoint_[id]});
    return true;
  }
  std::vector<Value> d = gradientsOf(id, node);
  if (!graph_.status()) return false;
  for (size_t k = 0; k < d.size(); ++k) {
    int32_t input = node.inputs[k];
    if (d[k] && depends_[input] && graph_.nodes()[input].type.dtype == DType::kF32)
      add(input, d[k]);
  }
  return true;
}

std::vector<Value> Reverse::run(std::span<const Value> xs) {
  std::vector<Value> result(xs.size());
  for (int32_t i = static_cast<int32_t>(adjoint_.size()) - 1; i >= 0; --i) {
    if (!visit(i)) return result;
  }
  for (size_t k = 0; k < xs.size(); ++k) {
    if (xs[k].id < static_cast<int32_t>(adjoint_.size())) result[k] = adjoint_[xs[k].id];
  }
  return result;
}

}  // namespace

std::vector<Value> gradients(Graph& graph, std::span<const Seed> seeds, std::span<const Value> xs) {
  return Reverse(graph, seeds, xs).run(xs);
}

std::vector<Value> grad(Value y, std::span<const Value> xs, Value dy) {
  std::vector<Value> result(xs.size());
  if (!y || !y.graph->status()) return result;
  Graph& graph = *y.graph;
  if (std::ranges::any_of(xs, [&](Value x) { return !x || x.graph != &graph; })) {
    graph.fail("grad: a variable is empty or belongs to another graph");
    return result;
  }
  std::vector<bool> sources = ancestors(y);
  // Integers and truth values are steps: all that they are computed from has the gradient zero.
  if (y.dtype() == DType::kF32) {
    Seed seed{y, dy ? dy : broadcastTo(graph.constant(1), {.shape = y.shape()})};
    result = gradients(graph, {{seed}}, xs);
    if (!graph.status()) return std::vector<Value>(xs.size());
  }
  for (size_t k = 0; k < xs.size(); ++k) {
    int32_t x = xs[k].id;
    if (x > y.id || !sources[x]) {
      graph.fail(
          cat("grad: y does not depend on x number ", k, "; make sure that y is computed from x"));
      return std::vector<Value>(xs.size());
    }
    // On steps alone, such as floor and argMax, it depends without a slope.
    if (!result[k]) result[k] = broadcastTo(graph.constant(0), {.shape = xs[k].shape()});
  }
  return result;
}

}  // namespace fjord
