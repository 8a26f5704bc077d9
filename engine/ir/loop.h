// Loop: a node whose body, a graph, runs a number of times that is known when the graph is built.
//
//   LoopBuilder loop(graph, 512);                 // trips
//   Value x = loop.scan(xs);                      // xs [512,B,F]: in trip t this is xs[t] [B,F]
//   Value h = loop.carry(h0);                     // [B,H]: h0 in the first trip,
//   Value next = tanh(matMul(x, w) + matMul(h, u));
//   loop.next(h, next);                           // and in each further one what the last one gave
//   loop.collect(next);                           // every trip's, stacked
//   std::vector<Value> r = loop.finish();         // r[0] [B,H] what is carried in the end, r[1] [512,B,H]
//
// Values of the graph outside (w, u) are used as they are: the body captures them. Reversed, a scan
// begins with the last slice, and what is collected is stacked from the end. No trips: what is
// carried is what it began with, and what is collected is empty.
//
// What does not depend on what is carried leaves the body (hoist.cc): above, matMul(x, w) becomes one
// product before the loop. The gradient is a loop in reverse (loop_grad.cc). Whatever the trips, the
// body is planned once (plan/loop.cc).
#pragma once

#include <memory>
#include <vector>

#include "base/parts.h"
#include "ir/graph.h"
#include "ir/op.h"

namespace fjord {

inline constexpr bool kHasLoops = hasOp("loop");

/// What an input of a body is given: the same in every trip, what the trip before has left, or a slice
/// along the first axis.
enum class LoopInput : int32_t { kCaptured, kCarried, kScanned, kScannedReversed };

constexpr bool isScanned(LoopInput kind) {
  return kind == LoopInput::kScanned || kind == LoopInput::kScannedReversed;
}

/// The node's inputs are given to those of the body, in order: captured ones are its parameters, and
/// the body assigns to each carried one what the next trip finds there. The outputs of the body are
/// collected. The results are the last values of what is carried, in the order of the inputs, and
/// then what is collected.
struct LoopAttrs {
  std::shared_ptr<const Graph> body;
  int32_t trips = 0;
  std::vector<LoopInput> inputs;
  /// By output of the body: whether the first trip gives the last slice (1) or the first one (0).
  std::vector<int32_t> reversed;
};

template <class F>
void visitAttrs(LoopAttrs& a, F&& f) {
  f("body", a.body);
  f("trips", a.trips);
  f("inputs", a.inputs);
  f("reversed", a.reversed);
}

/// The results of a loop node, or why it cannot be one.
Result<std::vector<Type>> typesOfLoop(std::span<const Type> in, const Attrs& attrs);

/// By input of the body the node that is assigned to it, or -1.
std::vector<int32_t> nextsOf(const Graph& body);

/// A slice along the first axis, and as many of them.
Type sliceOf(const Type& type);
Type stackOf(const Type& slice, int32_t trips);

class LoopBuilder {
 public:
  LoopBuilder(Graph& graph, int trips);

  Value carry(Value initial);
  Value scan(Value xs, bool reversed = false);
  void next(Value carried, Value value);
  void collect(Value value, bool reversed = false);
  std::vector<Value> finish();

  /// For what is built from constants alone.
  Graph& body() { return *body_; }

 private:
  Value add(LoopInput kind, Value outside, const Type& type);
  Status check() const;

  Graph& graph_;
  std::shared_ptr<Graph> body_;
  int32_t trips_;
  struct Input {
    Value inside, outside, next;
    LoopInput kind;
  };
  std::vector<Input> inputs_;  // but for captured ones
  std::vector<Value> outputs_;
  std::vector<int32_t> reversed_;
};

// ---- hoist.cc

/// A loop that is not a node yet.
struct LoopParts {
  std::shared_ptr<Graph> body;
  int32_t trips = 0;
  std::vector<LoopInput> kinds;  // by input of the body,
  std::vector<Value> outside;    // and what it is given
  std::vector<int32_t> reversed;
};

/// Moves out of the body what does not depend on what is carried: what is the same in every trip, and
/// products of slices with what leads to them and what follows, which become one for all trips. By
/// output of the body: its stack, where that is computed outside now. The output is then gone.
std::vector<Value> hoist(Graph& graph, LoopParts& loop);

// ---- loop_grad.cc

/// The gradients of the inputs of a loop that are `wanted`, given those of its results, either empty
/// where there is none.
std::vector<Value> gradOfLoop(Value loop, std::span<const Value> dResults,
                              const std::vector<bool>& wanted);

}  // namespace fjord
