// Graph: computation as data. Nodes are added through Value and the builders of ir/value.h, are
// never changed or removed, and stand in topological order, because a node can only use what is
// there already.
//
//   Graph graph;
//   Value x = graph.input({DType::kF32, {64, 784}});
//   Value w = graph.input({DType::kF32, {784, 10}});
//   Value loss = mean(softmaxCrossEntropy(matMul(x, w), graph.input({DType::kF32, {64, 10}})));
//   std::vector<Value> dw = grad(loss, {{w}});
//   graph.assign(w, w - dw[0] * 0.01);      // after each run, w's memory holds the new value
//   graph.output(loss);
//   if (!graph.status()) ...                // the first error of any builder
//
// Types and shapes are checked when a node is added. Equal nodes are one node.
#pragma once

#include <bitset>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "ir/value.h"

namespace fjord {

struct Node {
  OpId op;
  Type type;
  std::vector<int32_t> inputs;
  Attrs attrs;
};

/// After a run, the memory bound to graph input `input` holds what node `value` computed.
struct Assignment {
  int32_t input;
  int32_t value;
};

class Graph {
 public:
  Graph() = default;
  // Values point here.
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// Inputs are numbered in the order in which they are made.
  Value input(const Type& type);
  /// An input that seldom changes, such as a weight of a model that predicts: what depends on
  /// parameters alone is computed once and kept until Executor::refresh.
  Value parameter(const Type& type);
  Value constant(double value, DType dtype = DType::kF32);
  /// Outputs are numbered in the order in which they are declared.
  int output(Value value);
  void assign(Value input, Value value);
  /// What is added from now on makes new values for inputs of what was computed before.
  void beginUpdates() { updatesBegin_ = static_cast<int32_t>(nodes_.size()); }
  bool isUpdate(int32_t node) const { return node >= updatesBegin_; }

  const Status& status() const { return status_; }
  /// Records the first error; later ones follow from it.
  void fail(std::string message);

  /// Names what is being built (a layer, say) in error messages, for as long as the Scope lives.
  class Scope {
   public:
    Scope(Graph& graph, std::string_view name);
    ~Scope();

   private:
    Graph& graph_;
    size_t length_;
  };

  /// A number for an op that draws random numbers, so that no two draw the same ones.
  int nextStream() { return nextStream_++; }

  const std::deque<Node>& nodes() const { return nodes_; }
  const Node& node(Value v) const { return nodes_[v.id]; }
  const std::vector<int32_t>& inputs() const { return inputs_; }
  const std::vector<int32_t>& outputs() const { return outputs_; }
  const std::vector<Assignment>& assignments() const { return assignments_; }

  /// The number of a constant node, if that is what it is.
  const double* constantValue(Value v) const;

 private:
  friend Value emit(OpId op, std::span<const Value> inputs, const Attrs& attrs);
  Value addInput(const InputAttrs& attrs, const Type& type);
  Value add(OpId op, std::span<const Value> inputs, const Attrs& attrs, const Type& type);
  Value emitElementwise(OpId op, std::span<const Value> inputs, const Attrs& attrs);
  Value emitStructured(OpId op, std::span<const Value> inputs, const Attrs& attrs);
  const double* spreadConstant(Value v) const;
  std::optional<double> foldConstants(OpId op, std::span<const Value> in, const Attrs& attrs) const;
  std::string located(OpId op, std::span<const Value> inputs, std::string_view problem) const;

  std::deque<Node> nodes_;  // references to nodes stay valid while more are added
  std::vector<int32_t> inputs_, outputs_;
  std::vector<Assignment> assignments_;
  std::unordered_multimap<uint64_t, int32_t> known_;  // hash of a node -> its index
  std::string scope_;
  Status status_;
  int nextStream_ = 0;
  int32_t updatesBegin_ = std::numeric_limits<int32_t>::max();
};

/// d y / d x for each x, contracted with dy (by default ones of y's shape), as new nodes of y's
/// graph: reverse mode. Zeros where y depends on an x by steps alone, such as floor; an x that y does
/// not depend on is an error.
std::vector<Value> grad(Value y, std::span<const Value> xs, Value dy = {});

/// The ops that were asked for since the program began: what a build for one model has to have
/// (tools/needs.cc).
using OpSet = std::bitset<static_cast<size_t>(OpId::kCount)>;
const OpSet& emittedOps();

/// For each node up to y, whether y is computed from it.
std::vector<bool> ancestors(Value y);

}  // namespace fjord
