// Eager: single ops and recorded sequences of them, run through cached plans.
//
//   Place place{threads};
//   Eager eager(place);
//   FJORD_TRY(Traced y, eager.run(OpId::matMul, {{a, b}}, attrs));   // a plan of one op, made once
//   eager.startTape(); ... eager.gradients(y, xs, nullptr) ... eager.stopTape();
//
// Every value has an identity that survives copying its reference, so that a tape can tell what was
// computed from what.
#pragma once

#include <list>
#include <unordered_map>
#include <vector>

#include "abi/remote.h"
#include "nn/optimizers.h"
#include "nn/weights.h"

namespace fjord {

struct Traced {
  Tensor tensor;
  uint64_t id = 0;
};

/// What a model computes of inputs of certain types, as one graph (abi/model_call.h).
struct TapedGraph {
  Graph graph;
  uint64_t serial = 0;  // no other one has it
  int model = 0;        // its handle
  /// Of the inputs after the model's own: which are weights, and their numbers in the model; and which is the
  /// state of random ops, -1 for none.
  std::vector<std::pair<int, int>> weights = {};
  int random = -1;
};

/// Where ops run: on threads, or on a GPU, once there is a way to one.
struct Place {
  Threads& threads;
  std::unique_ptr<Remote> remote;
  bool isRemote = false;

  Result<Runner> runner(const Graph& graph) {
    return Runner::make(graph, threads, isRemote ? remote.get() : nullptr);
  }
};

/// Runners by a key of bytes, the least recently used given up first.
class PlanCache {
 public:
  explicit PlanCache(size_t limit) : limit_(limit) {}
  Runner* find(const std::string& key);
  Runner* add(const std::string& key, Runner runner);
  void clear();

 private:
  struct Entry {
    std::string key;
    Runner runner;
  };
  size_t limit_;
  std::list<Entry> entries_;  // the most recently used first
  std::unordered_map<std::string, std::list<Entry>::iterator> byKey_;
};

class Eager {
 public:
  explicit Eager(Place& place) : place_(place) {}

  uint64_t newId() { return ++lastId_; }
  /// The same values in memory of their own, where they are.
  Result<Tensor> copy(const Tensor& t);
  Result<Traced> run(OpId op, std::span<const Traced> inputs, const Attrs& attrs);

  /// Ops run somewhere else from now on: plans are of one place.
  void clear();

  /// Tapes nest: each records what runs while it is the innermost or around it.
  void startTape() { tapes_.emplace_back(); }
  void stopTape();
  void pauseTapes(bool paused) { isPaused_ = paused; }
  /// A model has judged `input` by `output`, which no tape can look into: a gradient through it is an
  /// error.
  void recordModel(const Traced& input, const Traced& output);
  /// All tapes note that a graph has made its outputs, as many as are given, of its inputs.
  void record(std::shared_ptr<const TapedGraph> made, std::span<const Traced> inputs,
              std::span<const Traced> outputs);
  /// f(graph of each call of a model that the innermost tape has).
  template <class F>
  void eachModel(F f) const {
    if (tapes_.empty()) return;
    for (const Entry& e : tapes_.back()) {
      if (e.made) f(*e.made);
    }
  }
  /// d y / d x for each x, contracted with dy (ones where it is null), by the innermost tape; an
  /// empty value for an x that y does not depend on. With an outer tape about, the derivatives are
  /// recorded on that one, so that they can be differentiated again. `all`: xs are all variables that
  /// there are, among which the weights of models would belong, too.
  Result<std::vector<Traced>> gradients(const Traced& y, std::span<const Traced> xs,
                                        const Traced* dy, bool all);

 private:
  struct Entry {
    OpId op;  // kCount for a model
    Attrs attrs;
    std::vector<Traced> inputs;
    Traced output;
    std::shared_ptr<const TapedGraph> made = nullptr;  // of a model
    int number = 0;                                    // of the output among its outputs
    bool isHidden() const { return op == OpId::kCount && !made; }
  };
  using Tape = std::vector<Entry>;
  struct Backward;

  static Value rebuilt(const Entry& e, std::span<const Value> inputs);
  Status refuseModels(const Traced& y, std::span<const Traced> xs, bool all) const;
  Result<std::vector<Traced>> runBackward(const Backward& backward);
  Result<std::vector<Traced>> replay(const Backward& backward);

  Place& place_;
  PlanCache ops_{512}, gradients_{64};
  std::vector<Tape> tapes_;
  bool isPaused_ = false;
  uint64_t lastId_ = 0;
};

/// An optimizer over loose variables: `minimize` in TensorFlow.js.
class EagerOptimizer {
 public:
  EagerOptimizer(Place& place, Optimizer optimizer)
      : place_(place), optimizer_(std::move(optimizer)), plans_(8) {}

  struct Variable {
    uint64_t id;
    Tensor value;  // written to
    Tensor gradient;
  };
  Status apply(std::span<const Variable> variables);
  void clear() { plans_.clear(); }
  void setRate(double rate) { rate_ = rate; }
  double rate() const { return rate_ >= 0 ? rate_ : optimizer_.rate(step_); }
  int64_t step() const { return step_; }

 private:
  class Update;
  Status build(std::span<const Variable> variables, Graph& graph,
               std::vector<std::string>& slotNames);
  Result<Tensor> slot(const std::string& name, const Type& type, double start);

  Place& place_;
  Optimizer optimizer_;
  double rate_ = -1;  // below 0: the optimizer's
  PlanCache plans_;
  std::unordered_map<std::string, std::vector<std::string>> slotNames_;  // by plan key
  std::unordered_map<std::string, Tensor> slots_;
  std::unordered_map<std::string, double> starts_;
  int64_t step_ = 0;
};

}  // namespace fjord
