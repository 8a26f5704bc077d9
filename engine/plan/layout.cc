// What steps need beside their operands, and where everything lies in the arena.
#include <algorithm>

#include "base/parts.h"
#include "base/sort.h"
#include "ops/gpu.h"
#include "ops/op.h"
#include "plan/planner.h"

namespace fjord {

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
    if (s.kind == Storage::kArena && s.base < 0 && lifetimes_[i].first >= 0)
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
    if (s.kind != Storage::kArena || s.base >= 0 || lifetimes_[i].first < 0 || prepared[i])
      continue;
    begins[lifetimes_[i].first] += s.bytes;
    begins[lifetimes_[i].last + 1] -= s.bytes;
  }
  int64_t live = 0;
  for (int64_t change : begins) plan_.liveBytes = std::max(plan_.liveBytes, live += change);
}

}  // namespace fjord
