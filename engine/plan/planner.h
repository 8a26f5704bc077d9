// Planner: makes a Plan of a graph (plan.cc), bodies of loops included (loop.cc), and finds all arrays
// their places in the arena (layout.cc).
#pragma once

#include <cassert>
#include <limits>
#include <vector>

#include "plan/place.h"
#include "plan/plan.h"

namespace fjord {

/// For vectors and cache lines; for WebGPU's minStorageBufferOffsetAlignment, as large as it may be.
constexpr int64_t alignmentOf(PlanOptions::Target target) {
  return target == PlanOptions::kGpu ? 256 : 64;
}

/// A step that is not known yet.
constexpr int32_t kNever = std::numeric_limits<int32_t>::max();

class Planner {
 public:
  /// A body's plan: what it carries may be overwritten as soon as nothing in the trip reads it any more.
  enum Role : uint8_t { kWhole, kBody };
  Planner(const Graph& graph, const PlanOptions& options, Role role = kWhole)
      : graph_(graph),
        options_(options),
        isBody_(role == kBody),
        liveness_(graph),
        storageOf_(graph.nodes().size(), -1),
        lastRead_(graph.nodes().size(), -1),
        wanted_(graph.nodes().size(), false),
        assigns_(graph.nodes().size()),
        prepared_(graph.nodes().size(), -1),
        preparers_(graph.nodes().size()) {
    target_ = options.target;
    groups_ = fuse(liveness_, options, plan_.looks);
    plan_.threads = options.threads;
    plan_.winograd = options.winograd;
    plan_.pageBytes = options.pageBytes;
    plan_.aloneTerms = options.aloneTerms;
  }

  Plan build();

 private:
  /// All but the places in the arena.
  void addSteps();
  void findWanted();
  void findLookUps();
  void bindInputs();
  void bindOutputs();
  void addGroup(const Group& group);
  void addStructured(const Group& group, Step& step);
  void findPrepared();
  void addPrepares(int32_t operand);
  // loop.cc. What is seldom called stays a function: fjord/predict has it in its second file.
  struct Body;
  [[gnu::noinline]] void addLoop(const Group& group);
  Body bodyOf(const Group& group);
  int32_t addCarried(int32_t initial, int32_t result, const Node& loop);
  bool canTakeOver(int32_t initial, const Node& loop) const;
  int32_t addPart(int32_t base, const Storage& part);
  int32_t addSlices(int32_t of, const Type& slice, int32_t trips, bool reversed);
  void mapStorages(Body& body, int32_t firstLoop);
  void inlineStep(Step& step, const Body& body);
  void touch(int32_t storage);
  [[gnu::noinline]] void extendOverLoops();
  [[gnu::noinline]] void resolveParts();
  void addCopy(const Operand& from, const Operand& to);
  void assignOutstanding();
  void copyOutstanding();
  int32_t resultStorage(int32_t node, const Step& step);
  int32_t assignedStorage(int32_t node, const Step& step);
  bool isEarly(int32_t node) const;
  bool readsDensely(const Step& step, int32_t storage) const;
  bool isKept(int32_t storage) const;
  void addScratch(Step& step);
  void addWork(Step& step);
  void findFirstAssigning();
  void keepSettled();
  void layOut();
  void countLive();

  int32_t newStorage(Storage::Kind kind, int32_t index, int64_t bytes) {
    plan_.storages.push_back({.kind = kind, .index = index, .bytes = bytes});
    lifetimes_.emplace_back();
    neededUntil_.push_back(-1);
    return static_cast<int32_t>(plan_.storages.size()) - 1;
  }
  /// The values of `node` are there from now on.
  void place(int32_t node, int32_t storage) {
    storageOf_[node] = storage;
    int32_t until = assigns_[node].empty() ? lastRead_[node] : kNever;
    neededUntil_[storage] = std::max(neededUntil_[storage], until);
  }
  const Type& typeOf(int32_t node) const { return graph_.nodes()[node].type; }
  Operand operandOf(int32_t node) const {
    int32_t storage = storageOf_[liveness_.viewed(node)];
    assert(storage >= 0);
    return {storage, typeOf(node)};
  }
  int64_t aligned(int64_t bytes) const {
    int64_t alignment = alignmentOf(target_);
    return (bytes + alignment - 1) / alignment * alignment;
  }
  int32_t now() const { return static_cast<int32_t>(plan_.steps.size()); }

  const Graph& graph_;
  PlanOptions options_;
  bool isBody_;
  Liveness liveness_;
  std::vector<Group> groups_;
  Plan plan_;
  PlanOptions::Target target_ = PlanOptions::kCpu;
  std::vector<int32_t> storageOf_;   // node -> storage
  std::vector<int32_t> lastRead_;    // node -> the last group that reads it
  std::vector<bool> wanted_;         // nodes whose values must be in memory
  std::vector<Lifetime> lifetimes_;  // by storage
  /// By storage: the last group that reads any of what has been there until now. A storage can hold
  /// one array after another.
  std::vector<int32_t> neededUntil_;
  std::vector<int32_t> outputs_;                 // the storage of each output
  std::vector<std::vector<int32_t>> assigns_;    // node -> assignments of its values
  std::vector<bool> assigned_;                   // assignments that write in place
  std::vector<int32_t> prepared_;                // node -> the storage of what is prepared for it
  std::vector<std::vector<int32_t>> preparers_;  // node -> nodes for which it is prepared
  int32_t group_ = 0;                            // that is being added
  int32_t lastLookUp_ = -1;  // the last group that may find an index out of range
  int32_t lastWork_ = -1;    // the last group that assigns nothing
};

}  // namespace fjord
