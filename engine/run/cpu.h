// Executor: runs a plan on the CPU.
//
//   FJORD_TRY(Executor executor, Executor::make(std::move(plan), threads));
//   executor.bindInput(0, x.view().data);
//   FJORD_CHECK(executor.run());           // allocates nothing, unless it fails
//
// A run with a budget stops where that is over, between two steps or within one that has shares, and the
// next run goes on there, to the same bits: whoever has frames to draw calls it until it is done.
//
//   FJORD_TRY(bool done, executor.run(&budget));
//
// Memory bound to inputs and outputs stays the caller's, must hold the type that the plan says, and
// must stay alive while it is bound.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "base/budget.h"
#include "base/tensor.h"
#include "base/threads.h"
#include "ops/op.h"
#include "plan/plan.h"

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
  [[gnu::always_inline]] Status run() {
    Result<bool> done = run(nullptr);
    return done ? Status() : std::unexpected(std::move(done).error());
  }
  /// The same until the budget is over: whether all is done. At least one share of a step is. What is
  /// bound stays as it is until then, or until restart().
  Result<bool> run(const Budget* budget);
  /// Whether a run has stopped, and has something left to do.
  bool isPaused() const { return paused_.has_value(); }
  /// Whether the run that has stopped has assigned to an input: before that it can be forgotten.
  bool hasAssigned() const;
  /// Forgets a run that has stopped.
  void restart();
  /// The memory of a parameter has changed: the next run computes anew what depends on it.
  void refresh() { settled_ = false; }

  const Plan& plan() const { return plan_; }

 private:
  /// Views of all operands of a step, in one array of the executor.
  struct Views {
    int32_t in = 0, out = 0, chainIn = 0, chainOut = 0, prepared = -1;
  };
  /// A view of a part of some memory.
  struct Part {
    int32_t view = 0;
    int64_t offset = 0;
  };
  struct Binding {
    void* data = nullptr;
    std::vector<Part> views;  // that look at the bound memory
  };

  /// Where a run stops. Steps run in three ranges: those that are settled, those before them, the rest.
  struct Position {
    int32_t range = 0, step = 0, share = 0;
  };

  /// Where a loop begins or ends, between two steps.
  struct Mark {
    int32_t step = 0, loop = 0;
    bool isEnd = false;
  };
  /// A loop of the plan that is under way, or not.
  struct Round {
    int32_t trip = 0;
    size_t begin = 0;          // its marks
    std::vector<Part> moving;  // by so many bytes from trip to trip
  };

  int32_t addView(const Operand& o);
  // Seldom called: fjord/predict has it in its second file.
  [[gnu::noinline]] void addMarks();
  void bind(Binding& binding, void* data);
  void move(const Round& round, int64_t trips);
  void enter(int32_t range);
  int32_t pass(int32_t step, int32_t end);
  int32_t stopBefore(int32_t end) const {
    return mark_ < marks_.size() ? std::min(end, marks_[mark_].step) : end;
  }
  void runStep(const Step& step, const Views& views, const Share& share);
  Result<bool> failed(const Step& step);

  bool settled_ = false;
  std::optional<Position> paused_;
  /// Multiply-adds, as they went between two looks at the clock; 0 is not known yet.
  double workAMillisecond_ = 0;
  OutOfRange outOfRange_;
  Plan plan_;
  Threads* threads_ = nullptr;
  Buffer arena_;
  std::vector<View> views_;
  std::vector<Views> steps_;
  std::vector<Binding> inputs_, outputs_;
  std::vector<Round> rounds_;  // by loop of the plan
  std::vector<Mark> marks_;    // in the order of the steps
  size_t mark_ = 0;            // the next one
};

/// One graph, once: compiles, allocates the outputs, runs. For tests and for what is not worth a
/// plan of its own.
Result<std::vector<Tensor>> evaluate(const Graph& graph, std::span<const Tensor> inputs,
                                     Threads& threads);

}  // namespace fjord
