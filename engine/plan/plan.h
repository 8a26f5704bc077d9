// Plan: a graph made flat. compile() drops what no output needs, fuses elementwise nodes into
// chains and chains into the ops before them, orders the steps, and gives every intermediate array
// its place in one arena.
//
//   FJORD_TRY(Plan plan, compile(graph, {.threads = 2}));
//   plan.arenaBytes      // all the memory that a run needs beside inputs and outputs
//   cat(plan)            // one line a step, for people
//
// A plan is data: run/cpu.h executes it.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "ir/graph.h"
#include "ops/elementwise.h"

namespace fjord {

/// Where an array lives during a run.
struct Storage {
  enum Kind : uint8_t { kArena, kInput, kOutput, kConstant };
  Kind kind = kArena;
  int32_t index = 0;   // which input, output or constant
  int64_t offset = 0;  // bytes into the arena, or into that array
  int64_t bytes = 0;
  /// A part of another storage, that of a loop's first trip (`offset` counts from where that one
  /// begins until the plan is laid out). It moves by `stride` bytes from each trip of `loop` to the
  /// next, and with `base`, which may move with a loop around that one.
  int32_t base = -1, loop = -1;
  int64_t stride = 0;
};

/// Steps [begin, end) run `trips` times. One that lies in another one comes after that in the list.
struct StepLoop {
  int32_t begin = 0, end = 0, trips = 1;
};

/// An array of some type over a storage.
struct Operand {
  int32_t storage = 0;
  Type type;
};

struct Step {
  /// The structured op of this step, or OpId::kCount where it is only a chain.
  OpId op = OpId::kCount;
  Attrs attrs;
  std::vector<Operand> in;
  Operand out;
  /// Elementwise work: on its own, or over the op's output as that is finished. Its operands and
  /// results index chainIn and chainOut.
  std::unique_ptr<Chain> chain;
  std::vector<Operand> chainIn, chainOut;
  /// Bytes into the arena, valid during the step.
  int64_t scratch = 0, scratchBytes = 0;
  int64_t tiles = 0, tileBytes = 0;  // of all threads together
  /// The storage of what the op has prepared of its second operand, or -1. A step that `prepares`
  /// fills it; in the step that computes it stands in for that operand, whose memory may be gone.
  int32_t prepared = -1;
  bool prepares = false;
  /// How much it computes, in multiply-adds, as near as one knows, and into how many shares it can be
  /// cut (ops/op.h).
  int64_t work = 0;
  int32_t shares = 1;
};

struct PlanOptions {
  enum Target : uint8_t { kCpu, kGpu };
  /// A GPU's plan prepares nothing, and has its arrays at offsets at which a GPU can bind them.
  Target target = kCpu;
  int threads = 1;
  bool fuse = true;
  /// Most arrays that a step may read and write; 0 is any number. (A GPU binds so many buffers.)
  int mostArrays = 0;
  /// Winograd's algorithm where it is faster: rounds otherwise than a sum of products.
  bool winograd = false;
  /// For a GPU. Bytes of the arena's buffers, where it has several: none of its arrays crosses from one
  /// into the next, but those that are larger. 0: there is one, however large.
  int64_t pageBytes = 0;
  /// For a GPU. Multiply-adds of the largest product whose threads compute alone: half a millisecond of
  /// a slow GPU at worst, and the shader is compiled in a fraction of the time (ops/gemm_alone.wgsl). 0:
  /// all are computed in tiles.
  int64_t aloneTerms = 1 << 24;
  /// What comes after Graph::beginUpdates runs after all else, in steps of its own: gradients take memory,
  /// and what a step changes it changes at its very end.
  bool updatesLast = false;
};

struct Plan {
  std::vector<Step> steps;
  std::vector<Storage> storages;
  std::vector<StepLoop> loops;
  std::vector<Tensor> constants;
  std::vector<Type> inputs, outputs;
  /// By input: Graph::parameter made it.
  std::vector<bool> isParameter;
  /// Steps [settledBegin, settledEnd) depend on parameters alone and need not run again until one
  /// has changed.
  int32_t settledBegin = 0, settledEnd = 0;
  /// The first step that assigns to an input; their number where none does. Until then a run can be
  /// forgotten.
  int32_t firstAssigning = 0;
  int64_t arenaBytes = 0;
  /// The least that an arena can be: the most bytes of arrays that are alive at once. What the arena
  /// has more is room for kernels to work in, prepared operands, and gaps.
  int64_t liveBytes = 0;
  /// How many readers and ranges of memory the planner looked at to fuse and to place: it grows with
  /// the number of nodes, and not with its square.
  int64_t looks = 0;
  int threads = 1;
  bool winograd = false;
  int64_t pageBytes = 0, aloneTerms = 0;
};

Result<Plan> compile(const Graph& graph, const PlanOptions& options = {});

void append(std::string& out, const Plan& plan);

// ---- transposes.cc

/// Writes to `out` the same graph with transposes put off until they meet their inverses. False where
/// that moves no fewer elements: then `out` is of no use.
bool meetTransposes(const Graph& graph, Graph& out);

// ---- fold.cc

/// Writes to `out` the same graph with settled scales and shifts after a product (a batch
/// normalisation that predicts) folded into its settled weights, and zeros around an image into the
/// convolution that reads it. False, and nothing written, where
/// there is nothing to fold.
bool fold(const Graph& graph, Graph& out);

// ---- fuse.cc

/// Nodes that become one step: at most one structured op, which comes first, and elementwise nodes
/// of one shape.
struct Group {
  std::vector<int32_t> nodes;
  /// The structured op's node, or -1.
  int32_t root = -1;
};

/// What of a loop's body is alive. By number.
struct LoopUse {
  std::vector<bool> inputs;   // are read, or carried on
  std::vector<bool> carried;  // in the order of the results
  std::vector<bool> outputs;
};

/// The graph with views and broadcasts resolved, as fusion and planning see it.
class Liveness {
 public:
  explicit Liveness(const Graph& graph);
  bool isLive(int32_t node) const { return live_[node]; }
  /// Elementwise work, which can be part of a chain. A broadcast, or a constant, needs no work of
  /// its own where only chains read it.
  bool isElementwise(int32_t node) const;
  /// The array behind reshapes.
  int32_t viewed(int32_t node) const { return viewed_[node]; }
  /// What a chain reads to see `node`: behind broadcasts.
  int32_t source(int32_t node) const { return source_[node]; }
  /// The array that `node` reads for its input `input`.
  int32_t arrayRead(int32_t node, int32_t input) const {
    int32_t read = viewed(isElementwise(node) ? source(input) : input);
    return isReadInPlace(read) ? viewed(graph_.nodes()[read].inputs[0]) : read;
  }
  /// A slice that chains alone read: they find it in the array that it is a part of.
  bool isReadInPlace(int32_t node) const {
    return graph_.nodes()[node].op == OpId::slice && live_[node] && !materialized_[node];
  }
  /// Whether the values of `node` are needed in memory by something that is not a chain.
  bool isMaterialized(int32_t node) const { return materialized_[node]; }
  /// Whether `node` depends on parameters and constants alone and is read within the plan only.
  bool isSettled(int32_t node) const { return settled_[node]; }
  /// Of a live loop.
  const LoopUse& loopUse(int32_t node) const { return uses_.at(node); }
  const Graph& graph() const { return graph_; }

 private:
  void findLive();
  void findSettled();

  const Graph& graph_;
  std::vector<int32_t> viewed_, source_;
  std::vector<bool> live_, materialized_, settled_;
  std::unordered_map<int32_t, LoopUse> uses_;
};

/// Bound, or there from the start: no step computes it.
inline bool isSource(const Node& node) { return node.op == OpId::input || node.op == OpId::array; }

// ---- loop.cc

/// Given which results of a loop are read.
[[gnu::noinline]] LoopUse useOfLoop(const Node& loop, const std::vector<bool>& results);
/// Whether something in the graph, or in a body, may find an index out of range.
bool looksUp(const Graph& graph);

/// In an order in which they can run, settled ones first. Adds to Plan::looks.
std::vector<Group> fuse(const Liveness& liveness, const PlanOptions& options, int64_t& looks);

}  // namespace fjord
