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
//
// A node gives one value, or several (a loop: ir/loop.h). A value is a node: one of several values is
// a node `result` that reads the node which computes it, and the planner sees through it.
#pragma once

#include <bitset>
#include <deque>
#include <limits>
#include <memory>
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
  /// The types of its values, if it has several; `type` says nothing then.
  std::vector<Type> results = {};
  bool operator==(const Node&) const = default;
};

/// After a run, the memory bound to graph input `input` holds what node `value` computed.
struct Assignment {
  int32_t input;
  int32_t value;
  bool operator==(const Assignment&) const = default;
};

class Graph {
 public:
  Graph() = default;
  /// A graph that is built inside of another one, as a loop's body is: values of the outer one can be
  /// used in it, see capture().
  explicit Graph(Graph* outer) : outer_(outer) {}
  // Values point here.
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// Inputs are numbered in the order in which they are made.
  Value input(const Type& type);
  /// An input that seldom changes, such as a weight of a model that predicts: what depends on
  /// parameters alone is computed once and kept until Executor::refresh.
  Value parameter(const Type& type);
  Value constant(double value, DType dtype = DType::kF32);
  /// An array that is known when the graph is built, such as a table. Nobody may write to it any more.
  Value array(const Tensor& values);
  /// One of the values of a node that has several.
  Value result(Value node, int index);
  /// The same node as that of another graph, on these inputs: by its builder, so checked anew.
  Value again(const Node& node, std::span<const Value> inputs);
  /// Outputs are numbered in the order in which they are declared.
  int output(Value value);
  void assign(Value input, Value value);
  /// What is added from now on makes new values for inputs of what was computed before.
  void beginUpdates() { updatesBegin_ = static_cast<int32_t>(nodes_.size()); }
  bool isUpdate(int32_t node) const { return node >= updatesBegin_; }

  const Status& status() const { return status_; }
  /// Records the first error; later ones follow from it.
  void fail(std::string message);

  // ---- a graph inside of another one

  /// A value of this graph that has what `outside` has, a value of the outer one (or of one around
  /// that): a parameter, one for each, or the same constant. Builders call it where values of both
  /// graphs meet.
  Value capture(Value outside);
  struct Capture {
    int32_t outside, inside;
  };
  /// In the order in which they were made.
  const std::vector<Capture>& captures() const { return captures_; }
  bool isInside(const Graph* other) const {
    return outer_ && (outer_ == other || outer_->isInside(other));
  }
  /// Nothing more is captured.
  void close() { outer_ = nullptr; }

  /// A copy, nodes by the same numbers, with those of its outputs and assignments that are `kept`.
  std::shared_ptr<Graph> copy(const std::vector<bool>& keptOutputs,
                              const std::vector<bool>& keptAssignments) const;
  std::shared_ptr<Graph> copy() const;
  /// Gives a node other attributes, by which it has the results that it had and then more.
  void widen(Value node, const Attrs& attrs);

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
  int nextStream() { return outer_ ? outer_->nextStream() : nextStream_++; }

  const std::deque<Node>& nodes() const { return nodes_; }
  const Node& node(Value v) const { return nodes_[v.id]; }
  const std::vector<int32_t>& inputs() const { return inputs_; }
  const std::vector<int32_t>& outputs() const { return outputs_; }
  const std::vector<Assignment>& assignments() const { return assignments_; }

  /// The number of a constant node, if that is what it is.
  const double* constantValue(Value v) const;
  /// The same behind broadcasts.
  const double* spreadConstant(Value v) const;

 private:
  friend Value emit(OpId op, std::span<const Value> inputs, const Attrs& attrs);
  Value addInput(const InputAttrs& attrs, const Type& type);
  Value add(Node node);
  Value emitElementwise(OpId op, std::span<const Value> inputs, const Attrs& attrs);
  Value emitStructured(OpId op, std::span<const Value> inputs, const Attrs& attrs);
  [[gnu::noinline]] Value emitSeveral(OpId op, std::span<const Value> inputs, const Attrs& attrs);
  std::optional<double> foldConstants(OpId op, std::span<const Value> in, const Attrs& attrs) const;
  std::string located(OpId op, std::span<const Value> inputs, std::string_view problem) const;

  std::deque<Node> nodes_;  // references to nodes stay valid while more are added
  std::vector<int32_t> inputs_, outputs_;
  std::vector<Assignment> assignments_;
  std::unordered_multimap<uint64_t, int32_t> known_;  // hash of a node -> its index
  std::string scope_;
  Status status_;
  Graph* outer_ = nullptr;
  std::vector<Capture> captures_;
  int nextStream_ = 0;
  int32_t updatesBegin_ = std::numeric_limits<int32_t>::max();
};

/// Whether both have the same nodes, outputs and assignments.
bool operator==(const Graph& a, const Graph& b);

/// d y / d x for each x, contracted with dy (by default ones of y's shape), as new nodes of y's
/// graph: reverse mode. Zeros where y depends on an x by steps alone, such as floor; an x that y does
/// not depend on is an error.
std::vector<Value> grad(Value y, std::span<const Value> xs, Value dy = {});

/// What is added up to the gradient of a value.
struct Seed {
  Value y, dy;
};
/// The gradients of xs by several values at once. Empty where an x has no slope.
std::vector<Value> gradients(Graph& graph, std::span<const Seed> seeds, std::span<const Value> xs);

/// Which nodes up to `last` depend on one of xs.
std::vector<bool> dependents(const Graph& graph, std::span<const Value> xs, int32_t last);

/// The ops that were asked for since the program began: what a build for one model has to have
/// (tools/needs.cc).
using OpSet = std::bitset<static_cast<size_t>(OpId::kCount)>;
const OpSet& emittedOps();

/// For each node up to y, whether y is computed from it.
std::vector<bool> ancestors(Value y);

}  // namespace fjord
