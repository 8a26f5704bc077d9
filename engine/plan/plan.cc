#include "plan/plan.h"

#include <algorithm>
#include <unordered_set>

#include "base/parts.h"
#include "ir/loop.h"
#include "ops/op.h"
#include "plan/chain.h"
#include "plan/planner.h"

namespace fjord {

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

/// A gather may find an index out of range, and so may what adds at other indices than a gather before it
/// (whose gradient it else is).
void Planner::findLookUps() {
  std::unordered_set<int32_t> gathered;
  for (size_t g = 0; g < groups_.size(); ++g) {
    if (groups_[g].root < 0) continue;
    const Node& node = graph_.nodes()[groups_[g].root];
    if (kHasLoops && node.op == OpId::loop && looksUp(*node.attrs.as<LoopAttrs>().body))
      lastLookUp_ = static_cast<int32_t>(g);
    bool gathers = node.op == OpId::gather;
    if (!gathers && node.op != OpId::scatterAdd && node.op != OpId::addRows) continue;
    int32_t indices = liveness_.viewed(node.inputs[node.op == OpId::scatterAdd ? 0 : 1]);
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
  for (int32_t id = 0; id < static_cast<int32_t>(graph_.nodes().size()); ++id) {
    const Node& node = graph_.nodes()[id];
    if (node.op != OpId::array || !liveness_.isLive(id)) continue;
    int32_t index = static_cast<int32_t>(plan_.constants.size());
    place(id, newStorage(Storage::kConstant, index, node.type.bytes()));
    plan_.constants.push_back(node.attrs.as<ArrayAttrs>().values);
  }
}

/// An output that a step computes is computed in place. An input or a constant that is an output, and a second
/// output of the same array, are copied: inputs first, before anything assigns to them.
void Planner::bindOutputs() {
  for (size_t i = 0; i < graph_.outputs().size(); ++i) {
    int32_t id = graph_.outputs()[i], array = liveness_.viewed(id);
    plan_.outputs.push_back(typeOf(id));
    int32_t storage = newStorage(Storage::kOutput, static_cast<int32_t>(i), typeOf(id).bytes());
    outputs_.push_back(storage);
    if (isSource(graph_.nodes()[array])) {
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
    bool copied = isSource(graph_.nodes()[liveness_.viewed(id)]);  // at the start
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
    int32_t own = opInfo(node.op).inPlace ? assignedStorage(group.root, step) : -1;
    place(group.root, own >= 0 ? own : newStorage(Storage::kArena, 0, node.type.bytes()));
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
  if (kHasLoops && group.root >= 0 && graph_.nodes()[group.root].op == OpId::loop)
    return addLoop(group);
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
  // An input that a loop has and does not read is computed for nobody.
  if (step.op == OpId::kCount && step.chainOut.empty()) return;
  addScratch(step);
  plan_.steps.push_back(std::move(step));
}

/// Whether every read of the storage by this step is at the element being written.
bool Planner::readsDensely(const Step& step, int32_t storage) const {
  for (size_t i = 0; i < step.in.size(); ++i) {
    bool isOwn = i == 0 && opInfo(step.op).inPlace;
    if (step.in[i].storage == storage && !isOwn) return false;
  }
  if (!step.chain) return true;
  for (const Chain::Load& load : step.chain->loads) {
    if (step.chainIn[load.operand].storage == storage && !load.dense) return false;
  }
  return true;
}

/// A small array, such as a moving average, that would be assigned to long before the others: it is
/// copied at the end, so that a step which is stopped until then has changed nothing.
bool Planner::isEarly(int32_t node) const {
  constexpr int64_t kSmall = 1 << 16;
  return target_ == PlanOptions::kCpu && !isBody_ && group_ < lastWork_ &&
         typeOf(node).bytes() <= kSmall;
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

void Planner::addSteps() {
  assigned_.resize(graph_.assignments().size());
  findWanted();
  if (!isBody_) findLookUps();
  bindInputs();
  bindOutputs();
  if (target_ == PlanOptions::kCpu) findPrepared();
  plan_.settledBegin = now();
  for (size_t node = 0; node < graph_.nodes().size(); ++node) {
    if (isSource(graph_.nodes()[node])) addPrepares(static_cast<int32_t>(node));
  }
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
}

Plan Planner::build() {
  addSteps();
  bool hasLoops = kHasLoops && !plan_.loops.empty();
  findFirstAssigning();
  for (Step& step : plan_.steps) addWork(step);
  if (hasLoops) extendOverLoops();
  keepSettled();
  layOut();
  if (hasLoops) resolveParts();
  countLive();
  return std::move(plan_);
}

Result<Plan> compile(const Graph& graph, const PlanOptions& options) {
  FJORD_CHECK(graph.status());
  if (!options.fuse) return Planner(graph, options).build();
  Graph moved, folded;
  const Graph& first = meetTransposes(graph, moved) ? moved : graph;
  return Planner(fold(first, folded) ? folded : first, options).build();
}

namespace {

void append(std::string& out, const Step& step) {
  if (step.op != OpId::kCount)
    out += cat(step.prepares ? "prepare " : "", opInfo(step.op).name, " -> ", step.out.type);
  if (step.chain) {
    out += step.op == OpId::kCount ? "chain" : " +";
    for (const auto& i : step.chain->instructions) out += cat(' ', opInfo(i.op).name);
    for (const Operand& o : step.chainOut) out += cat(" -> ", o.type);
  }
  out += '\n';
}

}  // namespace

void append(std::string& out, const Plan& plan) {
  int depth = 0;
  for (int32_t i = 0; i < static_cast<int32_t>(plan.steps.size()); ++i) {
    for (const StepLoop& loop : plan.loops) {
      if (loop.end == i) --depth;
    }
    for (const StepLoop& loop : plan.loops) {
      if (loop.begin == i) out += cat(std::string(2 * depth++, ' '), loop.trips, " times\n");
    }
    out += std::string(2 * depth, ' ');
    append(out, plan.steps[i]);
  }
  out += cat("arena ", plan.arenaBytes, " bytes\n");
}

}  // namespace fjord
