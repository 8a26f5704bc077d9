// Executor: runs a plan on the CPU.
//
//   FJORD_TRY(Executor executor, Executor::make(std::move(plan), threads));
//   executor.bindInput(0, x.view().data);
//   FJORD_CHECK(executor.run());           // allocates nothing, unless it fails
//
// Memory bound to inputs and outputs stays the caller's, must hold the type that the plan says, and
// must stay alive while it is bound.
#pragma once

#include <vector>

#include "base/tensor.h"
#include "base/threads.h"
#include "graph/plan.h"
#include "ops/op.h"

namespace fjord {

class Executor {
 public:
  /// Allocates the arena. `threads` must outlive the executor and have at least the plan's number
  /// of threads.
  static Result<Executor> make(Plan plan, Threads& threads);

  void bindInput(int index, void* data) {
    settled_ &= !plan_.isParameter[index] || inputs_[index].data == data;
    bind(inputs_[index], data);
  }
  void bindOutput(int index, void* data) { bind(outputs_[index], data); }
  /// Fails where an op found an index outside of what it indexes. Nothing has been assigned then: the
  /// plan assigns after the last step that looks something up.
  Status run();
  /// The memory of a parameter has changed: the next run computes anew what depends on it.
  void refresh() { settled_ = false; }

  const Plan& plan() const { return plan_; }

 private:
  /// Views of all operands of a step, in one array of the executor.
  struct Views {
    int32_t in = 0, out = 0, chainIn = 0, chainOut = 0, prepared = -1;
  };
  struct Binding {
    void* data = nullptr;
    std::vector<int32_t> views;  // that look at the bound memory
  };

  void bind(Binding& binding, void* data);
  void runStep(const Step& step, const Views& views);
  Status failed(const Step& step);

  bool settled_ = false;
  OutOfRange outOfRange_;
  Plan plan_;
  Threads* threads_ = nullptr;
  Buffer arena_;
  std::vector<View> views_;
  std::vector<Views> steps_;
  std::vector<Binding> inputs_, outputs_;
};

/// One graph, once: compiles, allocates the outputs, runs. For tests and for what is not worth a
/// plan of its own.
Result<std::vector<Tensor>> evaluate(const Graph& graph, std::span<const Tensor> inputs,
                                     Threads& threads);

}  // namespace fjord
