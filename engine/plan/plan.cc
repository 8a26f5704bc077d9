#include "plan/plan.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <unordered_set>

#include "base/parts.h"
#include "base/sort.h"
#include "ops/gpu.h"
#include "ops/op.h"
#include "plan/chain.h"
#include "plan/place.h"

namespace fjord {

namespace {

/// For vectors and cache lines; for WebGPU's minStorageBufferOffsetAlignment, as large as it may be.
constexpr int64_t alignmentOf(PlanOptions::Target target) {
  return target == PlanOptions::kGpu ? 256 : 64;
}

/// A step that is not known yet.
constexpr int32_t kNever = std::numeric_limits<int32_t>::max();

class Planner {
 public:
  Planner(const Graph& graph, const PlanOptions& options)
      : graph_(graph),
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
  void findWanted();
  void findLookUps();
  void bindInputs();
  void bindOutputs();
  void addGroup(const Group& group);
  void addStructured(const Group& group, Step& step);
  void findPrepared();
  void addPrepares(int32_t operand);
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
    plan_.storages.push_back({kind, index, 0, bytes});
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

// ---- what has to be in memory

void Planner::findWanted() {
  std::vector<int32_t> groupOf(graph_.nodes().size(), -1);
  for (size_t g = 0; g < groups_.size(); ++g) {
    for (int32_t node : groups_[g].nodes) groupOf[node] = static_cast<int32_t>(g);
  }
  for (size_t g = 0; g < groups_.size(); ++g) {
    for (int32_t node : groups_[g].nodes) {
      for (int32_t input : graph_.nodes()[node].inputs) {
        int32_t read = liveness_.arrayRead(node, input);
        lastRead_[read] = std::max(lastRead_[read], static_cast<int32_t>(g));
        if (groupOf[read] != static_cast<int32_t>(g)) wanted_[read] = true;
      }
    }
  }
  for (int32_t id : graph_.outputs()) wanted_[liveness_.viewed(id)] = true;
  for (size_t i = 0; i < graph_.assignments().size(); ++i) {
    int32_t array = liveness_.viewed(graph_.assignments()[i].value);
    wanted_[array] = true;
    assigns_[array].push_back(static_cast<int32_t>(i));
  }
  for (size_t g = 0; g < groups_.size(); ++g) {
    bool assigns = std::ranges::any_of(groups_[g].nodes,
                                       [&](int32_t node) { return !assigns_[node].empty(); });
    if (!assigns) lastWork_ = static_cast<int32_t>(g);
  }
}

/// A gather may find an index out of range, and a scatterAdd of other indices than a gather before it
/// (whose gradient it else is).
void Planner::findLookUps() {
  std::unordered_set<int32_t> gathered;
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (groups_[g].root < 0) continue;
    const Node& node = graph_.nodes()[groups_[g].root];
    bool gathers = node.op == OpId::gather;
    if (!gathers && node.op != OpId::scatterAdd) continue;
    int32_t indices = liveness_.viewed(node.inputs[gathers ? 1 : 0]);
    if (gathers || !gathered.contains(indices)) lastLookUp_ = static_cast<int32_t>(g);
    if (gathers) gathered.insert(indices);
  }
}

void Planner::bindInputs() {
  for (size_t i = 0; i < graph_.inputs().size(); ++i) {
    int32_t id = graph_.inputs()[i];
    plan_.inputs.push_back(typeOf(id));
    plan_.isParameter.push_back(graph_.nodes()[id].attrs.as<InputAttrs>().isParameter);
    place(id, newStorage(Storage::kInput, static_cast<int32_t>(i), typeOf(id).bytes()));
  }
}

/// An output that a step computes is computed in place. An input that is an output, and a second
/// output of the same array, are copied: inputs first, before anything assigns to them.
void Planner::bindOutputs() {
  for (size_t i = 0; i < graph_.outputs().size(); ++i) {
    int32_t id = graph_.outputs()[i], array = liveness_.viewed(id);
    plan_.outputs.push_back(typeOf(id));
    int32_t storage = newStorage(Storage::kOutput, static_cast<int32_t>(i), typeOf(id).bytes());
    outputs_.push_back(storage);
    if (graph_.nodes()[array].op == OpId::input) {
      addCopy(operandOf(id), {storage, typeOf(id)});
    } else if (storageOf_[array] < 0) {
      place(array, storage);
    }
  }
}

/// Outputs that are second ones of an array, from the first.
void Planner::copyOutstanding() {
  for (size_t i = 0; i < outputs_.size(); ++i) {
    int32_t id = graph_.outputs()[i];
    bool copied = graph_.nodes()[liveness_.viewed(id)].op == OpId::input;  // at the start
    Operand from = operandOf(id);
    if (!copied && from.storage != outputs_[i]) addCopy(from, {outputs_[i], typeOf(id)});
  }
}

// ---- steps

void Planner::addCopy(const Operand& from, const Operand& to) {
  Step step;
  step.chain = copyChain(to.type.shape);
  step.chainIn = {{from.storage, to.type}};
  step.chainOut = {to};
  lifetimes_[from.storage].include(now());
  lifetimes_[to.storage].include(now());
  addScratch(step);
  plan_.steps.push_back(std::move(step));
}

void Planner::addStructured(const Group& group, Step& step) {
  const Node& node = graph_.nodes()[group.root];
  step.op = node.op;
  step.attrs = node.attrs;
  for (int32_t input : node.inputs) step.in.push_back(operandOf(input));
  if (storageOf_[group.root] < 0) {
    place(group.root, newStorage(Storage::kArena, 0, node.type.bytes()));
  }
  step.out = operandOf(group.root);
  step.prepared = prepared_[group.root];
  for (size_t i = 0; i < step.in.size(); ++i) {
    bool standsIn = i == 1 && step.prepared >= 0;
    lifetimes_[standsIn ? step.prepared : step.in[i].storage].include(now());
  }
  lifetimes_[step.out.storage].include(now());
}

/// Ops that prepare a settled operand.
void Planner::findPrepared() {
  for (const Group& group : groups_) {
    if (group.root < 0) continue;
    const Node& node = graph_.nodes()[group.root];
    const OpInfo& info = opInfo(node.op);
    if (!info.prepared || liveness_.isSettled(group.root) || !liveness_.isSettled(node.inputs[1]))
      continue;
    std::vector<Type> in;
    for (int32_t input : node.inputs) in.push_back(typeOf(input));
    int64_t bytes = info.prepared({in, node.type, plan_.threads, true, plan_.winograd}, node.attrs);
    if (bytes <= 0) continue;
    prepared_[group.root] = newStorage(Storage::kArena, 0, bytes);
    preparers_[liveness_.viewed(node.inputs[1])].push_back(group.root);
  }
}

/// Steps that prepare an operand for those who read it, as soon as it is there.
void Planner::addPrepares(int32_t operand) {
  for (int32_t root : preparers_[operand]) {
    const Node& node = graph_.nodes()[root];
    Step step;
    step.op = node.op;
    step.attrs = node.attrs;
    step.prepares = true;
    step.prepared = prepared_[root];
    // The other operand and the output lend their types only.
    step.in = {{step.prepared, typeOf(node.inputs[0])}, operandOf(node.inputs[1])};
    step.out = {step.prepared, node.type};
    lifetimes_[step.in[1].storage].include(now());
    lifetimes_[step.prepared].include(now());
    plan_.steps.push_back(std::move(step));
  }
}

void Planner::addGroup(const Group& group) {
  Step step;
  if (group.root >= 0) addStructured(group, step);
  if (group.root < 0 || group.nodes.size() > 1) {
    ChainPlan chain = buildChain(liveness_, group, wanted_);
    step.chain = std::move(chain.chain);
    for (int32_t node : chain.operands) {
      step.chainIn.push_back(operandOf(node));
      lifetimes_[step.chainIn.back().storage].include(now());
    }
    for (int32_t node : chain.results) {
      place(node, resultStorage(node, step));
      step.chainOut.push_back(operandOf(node));
      lifetimes_[step.chainOut.back().storage].include(now());
    }
  }
  addScratch(step);
  plan_.steps.push_back(std::move(step));
}

/// Whether every read of the storage by this step is at the element being written.
bool Planner::readsDensely(const Step& step, int32_t storage) const {
  for (const Operand& in : step.in) {
    if (in.storage == storage) return false;
  }
  for (const Chain::Load& load : step.chain->loads) {
    if (step.chainIn[load.operand].storage == storage && !load.dense) return false;
  }
  return true;
}

/// A small array, such as a moving average, that would be assigned to long before the others: it is
/// copied at the end, so that a step which is stopped until then has changed nothing.
bool Planner::isEarly(int32_t node) const {
  constexpr int64_t kSmall = 1 << 16;
  return target_ == PlanOptions::kCpu && group_ < lastWork_ && typeOf(node).bytes() <= kSmall;
}

/// The memory of the graph input that `node` is assigned to, if nothing reads the old value later.
int32_t Planner::assignedStorage(int32_t node, const Step& step) {
  for (int32_t i : assigns_[node]) {
    int32_t input = graph_.assignments()[i].input, storage = storageOf_[input];
    bool copiedLater = !assigns_[input].empty() || isEarly(node);
    if (assigned_[i] || copiedLater) continue;
    if (lastRead_[input] <= group_ && lastLookUp_ <= group_ && readsDensely(step, storage)) {
      assigned_[i] = true;
      return storage;
    }
  }
  return -1;
}

/// Whether a settled step computed what a later one, this one, must leave as it is.
bool Planner::isKept(int32_t storage) const {
  return now() >= plan_.settledEnd && lifetimes_[storage].first < plan_.settledEnd;
}

/// Where a chain writes a result: an output's or a variable's own memory, that of an operand which
/// nobody reads after this step, or new memory.
int32_t Planner::resultStorage(int32_t node, const Step& step) {
  if (storageOf_[node] >= 0) return storageOf_[node];
  if (int32_t storage = assignedStorage(node, step); storage >= 0) return storage;
  int64_t bytes = typeOf(node).bytes();
  std::vector<int32_t> candidates;
  if (step.op != OpId::kCount) candidates.push_back(step.out.storage);
  for (const Operand& in : step.chainIn) candidates.push_back(in.storage);
  for (int32_t storage : candidates) {
    const Storage& s = plan_.storages[storage];
    bool taken =
        std::ranges::any_of(step.chainOut, [&](const Operand& o) { return o.storage == storage; });
    if (s.kind != Storage::kArena || s.bytes != bytes || taken || isKept(storage) ||
        !readsDensely(step, storage))
      continue;
    if (neededUntil_[storage] <= group_) return storage;
  }
  return newStorage(Storage::kArena, 0, bytes);
}

/// Assignments that could not be made in place: copies at the end, through temporaries where the
/// source is itself a variable that is assigned to (a swap).
void Planner::assignOutstanding() {
  std::vector<std::pair<Operand, Operand>> copies;
  for (size_t i = 0; i < graph_.assignments().size(); ++i) {
    const Assignment& a = graph_.assignments()[i];
    if (assigned_[i]) continue;
    Operand from = operandOf(a.value);
    from.type = typeOf(a.input);
    if (plan_.storages[from.storage].kind == Storage::kInput) {
      Operand temporary{newStorage(Storage::kArena, 0, from.type.bytes()), from.type};
      addCopy(from, temporary);
      from = temporary;
    }
    copies.push_back({from, operandOf(a.input)});
  }
  for (const auto& [from, to] : copies) addCopy(from, to);
}

void Planner::addScratch(Step& step) {
  std::vector<Type> in;
  for (const Operand& o : step.in) in.push_back(o.type);
  if (kHasShaders && target_ == PlanOptions::kGpu) {
    if (step.op == OpId::kCount || !opShaders(step.op).write) return;
    ShaderWriter writer(in, step.out.type, plan_.aloneTerms);
    opShaders(step.op).write(writer, step.attrs);
    step.scratchBytes = writer.shares * step.out.type.bytes();
    return;
  }
  if (step.op != OpId::kCount && opInfo(step.op).scratch) {
    step.scratchBytes = opInfo(step.op).scratch(
        {in, step.out.type, plan_.threads, step.prepared >= 0, plan_.winograd}, step.attrs);
  }
  if (step.chain) step.tileBytes = aligned(step.chain->scratchBytesPerThread()) * plan_.threads;
}

/// Of an op that does not tell, what it reads or writes counts.
void Planner::addWork(Step& step) {
  // Half a millisecond of a fast core, some of a slow one.
  constexpr int64_t kShare = 16 << 20;
  constexpr int32_t kMostShares = 4096;
  // An element of an array costs as much as so many multiply-adds in registers.
  constexpr int64_t kElement = 8;
  std::vector<Type> in;
  for (const Operand& o : step.in) in.push_back(o.type);
  bool isOp = step.op != OpId::kCount, canShare = !isOp;
  if (isOp && opInfo(step.op).work) {
    canShare = !step.prepares;
    step.work = opInfo(step.op).work(
        {in, step.out.type, plan_.threads, step.prepared >= 0, plan_.winograd}, step.attrs);
  } else if (isOp) {
    in.push_back(step.out.type);
    for (const Type& type : in) step.work = std::max(step.work, kElement * type.shape.size());
  }
  if (step.chain) {
    int64_t passes = static_cast<int64_t>(step.chain->passes.size() + step.chain->loads.size());
    step.work += kElement / 2 * step.chain->space.size() * (passes + 1);
  }
  if (canShare)
    step.shares = static_cast<int32_t>(std::clamp<int64_t>(step.work / kShare, 1, kMostShares));
}

void Planner::findFirstAssigning() {
  auto assigns = [&](const Operand& o) {
    return plan_.storages[o.storage].kind == Storage::kInput;
  };
  auto first = std::ranges::find_if(plan_.steps, [&](const Step& step) {
    return std::ranges::any_of(step.chainOut, assigns) ||
           (step.op != OpId::kCount && assigns(step.out));
  });
  plan_.firstAssigning = static_cast<int32_t>(first - plan_.steps.begin());
}

/// What settled steps have computed for others lives as long as the plan.
void Planner::keepSettled() {
  for (size_t i = 0; i < plan_.storages.size(); ++i) {
    if (plan_.storages[i].kind == Storage::kArena && lifetimes_[i].first >= plan_.settledBegin &&
        lifetimes_[i].first < plan_.settledEnd && lifetimes_[i].last >= plan_.settledEnd)
      lifetimes_[i] = {0, now() - 1};
  }
}

// ---- arena

/// Largest first.
void Planner::layOut() {
  struct Block {
    int64_t bytes;
    Lifetime life;
    int64_t* offset;
  };
  std::vector<Block> blocks;
  for (size_t i = 0; i < plan_.storages.size(); ++i) {
    Storage& s = plan_.storages[i];
    // An array of nothing has a place of its own too: a GPU binds at least four bytes, and none of
    // them twice in a dispatch.
    if (s.kind == Storage::kArena && lifetimes_[i].first >= 0)
      blocks.push_back({aligned(std::max<int64_t>(1, s.bytes)), lifetimes_[i], &s.offset});
  }
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    Step& step = plan_.steps[i];
    Lifetime life{static_cast<int32_t>(i), static_cast<int32_t>(i)};
    if (step.scratchBytes) blocks.push_back({aligned(step.scratchBytes), life, &step.scratch});
    if (step.tileBytes) blocks.push_back({step.tileBytes, life, &step.tiles});
  }
  sortFew(blocks, [](const Block& a, const Block& b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.life.first < b.life.first;
  });
  Places places(now(), plan_.pageBytes);
  for (Block& block : blocks) {
    *block.offset = places.put(block.bytes, block.life);
    plan_.arenaBytes = std::max(plan_.arenaBytes, *block.offset + block.bytes);
  }
  plan_.looks += places.looks();
}

void Planner::countLive() {
  std::vector<int64_t> begins(plan_.steps.size() + 1);
  std::vector<bool> prepared(plan_.storages.size(), false);
  for (const Step& step : plan_.steps) {
    if (step.prepared >= 0) prepared[step.prepared] = true;
  }
  for (size_t i = 0; i < plan_.storages.size(); ++i) {
    const Storage& s = plan_.storages[i];
    if (s.kind != Storage::kArena || lifetimes_[i].first < 0 || prepared[i]) continue;
    begins[lifetimes_[i].first] += s.bytes;
    begins[lifetimes_[i].last + 1] -= s.bytes;
  }
  int64_t live = 0;
  for (int64_t change : begins) plan_.liveBytes = std::max(plan_.liveBytes, live += change);
}

Plan Planner::build() {
  assigned_.resize(graph_.assignments().size());
  findWanted();
  findLookUps();
  bindInputs();
  bindOutputs();
  if (target_ == PlanOptions::kCpu) findPrepared();
  plan_.settledBegin = now();
  for (int32_t input : graph_.inputs()) addPrepares(input);
  plan_.settledEnd = now();
  auto isSettled = [&](const Group& g) { return liveness_.isSettled(g.nodes[0]); };
  for (group_ = 0; group_ < static_cast<int32_t>(groups_.size()); ++group_) {
    const Group& group = groups_[group_];
    if (isSettled(group)) plan_.settledEnd = kNever;
    if (!isSettled(group) && (group_ == 0 || isSettled(groups_[group_ - 1])))
      plan_.settledEnd = now();
    addGroup(group);
    for (int32_t node : group.nodes) {
      if (isSettled(group)) addPrepares(node);
    }
  }
  copyOutstanding();
  assignOutstanding();
  findFirstAssigning();
  for (Step& step : plan_.steps) addWork(step);
  keepSettled();
  layOut();
  countLive();
  return std::move(plan_);
}

}  // namespace

Result<Plan> compile(const Graph& graph, const PlanOptions& options) {
  FJORD_CHECK(graph.status());
  Graph folded;
  bool changed = options.fuse && fold(graph, folded);
  return Planner(changed ? folded : graph, options).build();
}

void append(std::string& out, const Plan& plan) {
  for (const Step& step : plan.steps) {
    if (step.op != OpId::kCount)
      out += cat(step.prepares ? "prepare " : "", opInfo(step.op).name, " -> ", step.out.type);
    if (step.chain) {
      out += step.op == OpId::kCount ? "chain" : " +";
      for (const auto& i : step.chain->instructions) out += cat(' ', opInfo(i.op).name);
      for (const Operand& o : step.chainOut) out += cat(" -> ", o.type);
    }
    out += '\n';
  }
  out += cat("arena ", plan.arenaBytes, " bytes\n");
}

}  // namespace fjord
