// Loops of a plan: the steps of a body, planned once, among the steps around it.
//
// A body is planned like a graph of its own, up to the places of its arrays; these become arrays of
// the plan around it. What it is given and what it collects are parts of arrays out there, which
// move from trip to trip. What it carries is assigned to where the next trip reads it.
//
// A body's settled steps, which depend on captured values alone (weights that are packed for the
// products of all trips), run before the loop.
#include "ir/loop.h"

#include <algorithm>

#include "ops/op.h"
#include "plan/planner.h"

namespace fjord {

// ---- what is alive

namespace {

/// Marks what the live ones of a body's nodes read.
void markSources(const Graph& body, std::vector<bool>& live) {
  for (int32_t id = static_cast<int32_t>(live.size()) - 1; id >= 0; --id) {
    if (!live[id]) continue;
    for (int32_t input : body.nodes()[id].inputs) live[input] = true;
  }
}

}  // namespace

LoopUse useOfLoop(const Node& loop, const std::vector<bool>& results) {
  const auto& attrs = loop.attrs.as<LoopAttrs>();
  const Graph& body = *attrs.body;
  std::vector<int32_t> nexts = nextsOf(body), carried;
  for (size_t i = 0; i < nexts.size(); ++i) {
    if (nexts[i] >= 0) carried.push_back(static_cast<int32_t>(i));
  }
  LoopUse use{std::vector<bool>(nexts.size()), std::vector<bool>(carried.size()),
              std::vector<bool>(body.outputs().size())};
  std::vector<bool> live(body.nodes().size());
  for (size_t i = 0; i < use.outputs.size(); ++i) {
    use.outputs[i] = results[carried.size() + i];
    if (use.outputs[i]) live[body.outputs()[i]] = true;
  }
  // What is carried is alive where it is a result that is read, or some trip reads it.
  for (bool more = true; more;) {
    more = false;
    markSources(body, live);
    for (size_t j = 0; j < carried.size(); ++j) {
      bool isRead = results[j] || live[body.inputs()[carried[j]]];
      if (!isRead || use.carried[j]) continue;
      use.carried[j] = live[nexts[carried[j]]] = more = true;
    }
  }
  for (size_t i = 0; i < use.inputs.size(); ++i) use.inputs[i] = live[body.inputs()[i]];
  for (size_t j = 0; j < carried.size(); ++j) {
    if (use.carried[j]) use.inputs[carried[j]] = true;
  }
  return use;
}

bool looksUp(const Graph& graph) {
  return std::ranges::any_of(graph.nodes(), [](const Node& node) {
    bool inside = node.op == OpId::loop && looksUp(*node.attrs.as<LoopAttrs>().body);
    return inside || node.op == OpId::gather || node.op == OpId::scatterAdd;
  });
}

// ---- storages

/// A body that is not laid out, and where its storages are in the plan around it.
struct Planner::Body {
  const LoopAttrs& attrs;
  std::vector<int32_t> results;  // nodes out here, -1 where nothing reads one
  std::vector<int32_t> outputs,
      inputs;                    // nodes out here, of the body's live outputs and its inputs
  std::vector<bool> reversed;    // by live output
  std::vector<int32_t> carried;  // by input of the body its storage, or -1
  std::vector<bool> isUsed;      // by input of the body
  std::shared_ptr<Graph> graph;
  Plan plan;
  std::vector<int32_t> storages;
};

Planner::Body Planner::bodyOf(const Group& group) {
  const Node& node = graph_.nodes()[group.root];
  const LoopUse& use = liveness_.loopUse(group.root);
  Body body{node.attrs.as<LoopAttrs>(), {}, {}, node.inputs, {}, {}, use.inputs, nullptr, {}, {}};
  body.results.resize(node.results.size(), -1);
  for (int32_t id : group.nodes) {
    if (id != group.root) body.results[graph_.nodes()[id].attrs.as<ResultAttrs>().index] = id;
  }
  for (size_t i = 0; i < use.outputs.size(); ++i) {
    if (!use.outputs[i]) continue;
    body.outputs.push_back(body.results[use.carried.size() + i]);
    body.reversed.push_back(body.attrs.reversed[i] != 0);
  }
  // The body's assignments are in any order, results in that of the inputs.
  const Graph& whole = *body.attrs.body;
  std::vector<bool> assigns;
  for (const Assignment& a : whole.assignments())
    assigns.push_back(use.inputs[whole.nodes()[a.input].attrs.as<InputAttrs>().index]);
  body.graph = whole.copy(use.outputs, assigns);
  return body;
}

/// Whether nothing reads the initial value but the loop, which may then leave its own there.
bool Planner::canTakeOver(int32_t initial, const Node& loop) const {
  int32_t storage = operandOf(initial).storage;
  const Storage& s = plan_.storages[storage];
  auto isIt = [&](int32_t input) {
    int32_t array = liveness_.viewed(input);
    return storageOf_[array] == storage;
  };
  return s.kind == Storage::kArena && s.base < 0 && s.bytes == typeOf(initial).bytes() &&
         !isKept(storage) && neededUntil_[storage] <= group_ &&
         std::ranges::count_if(loop.inputs, isIt) == 1;
}

/// Where what is carried lies: there is its initial value when the loop begins.
int32_t Planner::addCarried(int32_t initial, int32_t result, const Node& loop) {
  int32_t storage = result >= 0 ? storageOf_[result] : -1;
  if (storage < 0 && canTakeOver(initial, loop)) {
    storage = operandOf(initial).storage;
  } else {
    if (storage < 0) storage = newStorage(Storage::kArena, 0, typeOf(initial).bytes());
    addCopy(operandOf(initial), {storage, typeOf(initial)});
  }
  if (result >= 0 && storageOf_[result] < 0) place(result, storage);
  return storage;
}

int32_t Planner::addPart(int32_t base, const Storage& part) {
  int32_t storage = newStorage(plan_.storages[base].kind, plan_.storages[base].index, part.bytes);
  Storage& s = plan_.storages[storage];
  s.base = base;
  s.offset = part.offset;
  s.loop = part.loop;
  s.stride = part.stride;
  return storage;
}

/// The slices of an array, one a trip of the loop that is being added.
int32_t Planner::addSlices(int32_t of, const Type& slice, int32_t trips, bool reversed) {
  Storage part{.bytes = slice.bytes()};
  part.offset = reversed ? (trips - 1) * part.bytes : 0;
  part.stride = reversed ? -part.bytes : part.bytes;
  part.loop = static_cast<int32_t>(plan_.loops.size()) - 1;
  return addPart(operandOf(of).storage, part);
}

void Planner::mapStorages(Body& body, int32_t firstLoop) {
  for (const Storage& s : body.plan.storages) {
    int32_t here = -1;
    if (s.base >= 0) {
      Storage part = s;
      part.loop += firstLoop;
      // A part of what nothing reads is not read either.
      if (body.storages[s.base] >= 0) here = addPart(body.storages[s.base], part);
    } else if (s.kind == Storage::kArena) {
      here = newStorage(Storage::kArena, 0, s.bytes);
    } else if (s.kind == Storage::kConstant) {
      here = newStorage(Storage::kConstant, static_cast<int32_t>(plan_.constants.size()), s.bytes);
      plan_.constants.push_back(body.plan.constants[s.index]);
    } else if (s.kind == Storage::kOutput) {
      here = addSlices(body.outputs[s.index], body.plan.outputs[s.index], body.attrs.trips,
                       body.reversed[s.index]);
    } else if (body.isUsed[s.index]) {
      LoopInput kind = body.attrs.inputs[s.index];
      here = kind == LoopInput::kCarried ? body.carried[s.index]
             : kind == LoopInput::kCaptured
                 ? operandOf(body.inputs[s.index]).storage
                 : addSlices(body.inputs[s.index], body.plan.inputs[s.index], body.attrs.trips,
                             kind == LoopInput::kScannedReversed);
    }
    body.storages.push_back(here);
  }
}

// ---- steps

/// The storage, and what it is a part of, is in use by the step that is added next.
void Planner::touch(int32_t storage) {
  for (; storage >= 0; storage = plan_.storages[storage].base) lifetimes_[storage].include(now());
}

void Planner::inlineStep(Step& step, const Body& body) {
  auto move = [&](Operand& o, bool isUsed) {
    o.storage = body.storages[o.storage];
    assert(o.storage >= 0 || !isUsed);
    if (isUsed) touch(o.storage);
  };
  for (size_t i = 0; i < step.in.size(); ++i)
    move(step.in[i], !(i == 1 && step.prepared >= 0 && !step.prepares));
  if (step.op != OpId::kCount) move(step.out, true);
  for (Operand& o : step.chainIn) move(o, true);
  for (Operand& o : step.chainOut) move(o, true);
  if (step.prepared >= 0) {
    step.prepared = body.storages[step.prepared];
    touch(step.prepared);
  }
  plan_.steps.push_back(std::move(step));
}

void Planner::addLoop(const Group& group) {
  const Node& node = graph_.nodes()[group.root];
  Body body = bodyOf(group);
  const LoopUse& use = liveness_.loopUse(group.root);
  body.carried.assign(node.inputs.size(), -1);
  size_t number = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (body.attrs.inputs[i] != LoopInput::kCarried) continue;
    if (use.carried[number])
      body.carried[i] = addCarried(node.inputs[i], body.results[number], node);
    ++number;
  }
  for (int32_t id : body.outputs) {
    if (storageOf_[id] < 0) place(id, newStorage(Storage::kArena, 0, typeOf(id).bytes()));
  }
  if (body.attrs.trips == 0) return;

  PlanOptions options = options_;
  options.updatesLast = false;
  Planner planner(*body.graph, options, kBody);
  planner.addSteps();
  body.plan = std::move(planner.plan_);
  plan_.looks += body.plan.looks;

  size_t loop = plan_.loops.size();
  plan_.loops.push_back({0, 0, body.attrs.trips});
  int32_t firstLoop = static_cast<int32_t>(plan_.loops.size());
  mapStorages(body, firstLoop);
  const Plan& plan = body.plan;
  std::vector<int32_t> places(plan.steps.size());  // of the body's steps, here
  auto add = [&](int32_t begin, int32_t end) {
    for (int32_t i = begin; i < end; ++i) {
      places[i] = now();
      inlineStep(body.plan.steps[i], body);
    }
  };
  add(plan.settledBegin, plan.settledEnd);
  plan_.loops[loop].begin = now();
  add(0, plan.settledBegin);
  add(plan.settledEnd, static_cast<int32_t>(plan.steps.size()));
  plan_.loops[loop].end = now();
  for (const StepLoop& inner : plan.loops) {
    // One whose trips have nothing to do is an empty range.
    bool isEmpty = inner.begin == inner.end;
    plan_.loops.push_back(
        isEmpty ? StepLoop{}
                : StepLoop{places[inner.begin], places[inner.end - 1] + 1, inner.trips});
  }
}

/// What was there before a loop and is used in it is there until its end, as another trip may follow,
/// and what is read after it from its beginning.
void Planner::extendOverLoops() {
  for (size_t i = plan_.loops.size(); i-- > 0;) {
    const StepLoop& loop = plan_.loops[i];
    for (Lifetime& life : lifetimes_) {
      bool before = life.first < loop.begin, after = life.last >= loop.end;
      bool within = life.last >= loop.begin && life.first < loop.end && life.first >= 0;
      if (within && before && !after) life.last = loop.end - 1;
      if (within && after && !before) life.first = loop.begin;
    }
  }
}

/// Parts of an array begin where the array does.
void Planner::resolveParts() {
  for (Storage& s : plan_.storages) {
    if (s.base < 0) continue;
    s.offset += plan_.storages[s.base].offset;
    s.index = plan_.storages[s.base].index;
  }
}

}  // namespace fjord
