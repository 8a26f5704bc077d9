// Eager work on a GPU, which JavaScript plays: the ops of tensors whose values lie there.
//
//   Remote remote(limits);
//   FJORD_TRY(Runner runner, Runner::make(graph, threads, &remote));
//   FJORD_TRY(std::vector<Tensor> outputs, runner.run(inputs));   // only said, not done:
//   remote.commands()                                             // what the player has to do, in order
//   remote.played();
//
// Values get numbers, which are never used again; a buffer of the player belongs to each until the last
// tensor over it is gone.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "run/cpu.h"
#include "run/gpu.h"

namespace fjord {

class Remote {
 public:
  /// Numbers below `first` belong to a device that was lost.
  Remote(const GpuLimits& limits, int32_t first) : limits_(limits), first_(first), next_(first) {}

  enum Command : int32_t {
    kUpload,   // number, address, bytes: values from here
    kRun,      // program, count, numbers of its inputs, count, numbers of its outputs
    kRelease,  // number: nobody needs the values any more
    kForget,   // program
  };
  /// How many numbers follow, and then these.
  std::span<const int32_t> commands() {
    commands_[0] = static_cast<int32_t>(commands_.size()) - 1;
    return commands_;
  }
  /// The commands are done; the memory that they refer to is let go.
  void played();

  /// The number of a tensor's values there; uploads what is only here. Fails for what was lost.
  Result<int32_t> numberOf(const Tensor& t);
  Result<Tensor> newTensor(const Type& type);
  void release(int32_t number) { commands_.insert(commands_.end(), {kRelease, number}); }
  int32_t next() const { return next_; }

  Result<int32_t> addProgram(const Graph& graph);
  void removeProgram(int32_t program);
  const GpuProgram* program(int32_t number) const;
  void run(int32_t program, std::span<const int32_t> inputs, std::span<const int32_t> outputs);

 private:
  GpuLimits limits_;
  int32_t first_, next_;
  int32_t lastProgram_ = 0;
  std::unordered_map<int32_t, GpuProgram> programs_;
  std::vector<int32_t> commands_ = {0};
  std::vector<Tensor> read_;  // by commands, so alive until they are played
};

/// An error where the values of a tensor are on a GPU only.
Status needHere(const Tensor& t);

/// A graph ready to run, here or there.
class Runner {
 public:
  /// `remote` is null for the CPU; it must outlive the runner.
  static Result<Runner> make(const Graph& graph, Threads& threads, Remote* remote);
  Runner(Runner&&) = default;
  Runner& operator=(Runner&&) = default;
  ~Runner();

  const std::vector<Type>& inputs() const { return inputs_; }
  /// New tensors. Inputs that the graph assigns to are written to.
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs);

 private:
  Runner() = default;
  Result<std::vector<Tensor>> runThere(std::span<const Tensor> inputs);

  struct There {
    Remote* remote;
    int32_t program;
  };
  std::unique_ptr<Executor> here_;
  std::unique_ptr<There> there_;
  std::vector<Type> inputs_, outputs_;
  std::vector<int> assigned_;  // inputs that a run writes to
};

}  // namespace fjord
