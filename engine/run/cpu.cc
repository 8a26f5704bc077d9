#include "run/cpu.h"

#include <algorithm>
#include <utility>

#include "base/sort.h"
#include "ir/loop.h"

namespace fjord {

Result<Executor> Executor::make(Plan plan, Threads& threads) {
  Executor e;
  e.plan_ = std::move(plan);
  e.threads_ = &threads;
  if (e.plan_.threads < threads.count()) {
    return fail("the plan is for ", e.plan_.threads, " threads, the pool has ", threads.count());
  }
  FJORD_TRY(e.arena_, Buffer::allocate(e.plan_.arenaBytes));
  e.inputs_.resize(e.plan_.inputs.size());
  e.rounds_.resize(e.plan_.loops.size());
  e.outputs_.resize(e.plan_.outputs.size());

  auto addAll = [&](const std::vector<Operand>& operands) {
    int32_t first = static_cast<int32_t>(e.views_.size());
    for (const Operand& o : operands) e.addView(o);
    return first;
  };
  for (const Step& step : e.plan_.steps) {
    Views v;
    v.in = addAll(step.in);
    if (step.op != OpId::kCount) v.out = e.addView(step.out);
    v.chainIn = addAll(step.chainIn);
    if (step.prepared >= 0) v.prepared = e.addView({step.prepared, {}});
    v.chainOut = addAll(step.chainOut);
    e.steps_.push_back(v);
  }
  if (kHasLoops && !e.plan_.loops.empty()) e.addMarks();
  return e;
}

int32_t Executor::addView(const Operand& o) {
  const Storage& s = plan_.storages[o.storage];
  int32_t at = static_cast<int32_t>(views_.size());
  views_.push_back({nullptr, o.type});
  auto in = [&](const void* data) {
    return const_cast<std::byte*>(static_cast<const std::byte*>(data)) + s.offset;
  };
  if (s.kind == Storage::kArena) views_[at].data = in(arena_.data());
  if (s.kind == Storage::kConstant) views_[at].data = in(plan_.constants[s.index].view().data);
  if (s.kind == Storage::kInput) inputs_[s.index].views.push_back({at, s.offset});
  if (s.kind == Storage::kOutput) outputs_[s.index].views.push_back({at, s.offset});
  for (const Storage* part = &s; part->base >= 0; part = &plan_.storages[part->base])
    rounds_[part->loop].moving.push_back({at, part->stride});
  return at;
}

void Executor::bind(Binding& binding, void* data) {
  if (binding.data == data) return;
  binding.data = data;
  for (const Part& part : binding.views)
    views_[part.view].data = static_cast<std::byte*>(data) + part.offset;
}

// ---- loops

/// At one step inner loops end before outer ones, all end before others begin, and outer ones begin
/// before inner ones.
void Executor::addMarks() {
  for (size_t i = 0; i < plan_.loops.size(); ++i) {
    const StepLoop& loop = plan_.loops[i];
    int32_t number = static_cast<int32_t>(i);
    if (loop.begin == loop.end) continue;
    marks_.push_back({loop.begin, number, false});
    marks_.push_back({loop.end, number, true});
  }
  sortFew(marks_, [](const Mark& a, const Mark& b) {
    if (a.step != b.step) return a.step < b.step;
    if (a.isEnd != b.isEnd) return a.isEnd;
    return a.isEnd ? a.loop > b.loop : a.loop < b.loop;
  });
  for (size_t i = 0; i < marks_.size(); ++i) {
    if (!marks_[i].isEnd) rounds_[marks_[i].loop].begin = i;
  }
}

void Executor::move(const Round& round, int64_t trips) {
  for (const Part& part : round.moving) {
    void*& data = views_[part.view].data;
    data = static_cast<std::byte*>(data) + trips * part.offset;
  }
}

/// The next mark is the first one of a range of steps.
void Executor::enter(int32_t range) {
  int32_t begin = range == 0 ? plan_.settledBegin : range == 1 ? 0 : plan_.settledEnd;
  for (mark_ = 0; mark_ < marks_.size(); ++mark_) {
    const Mark& mark = marks_[mark_];
    if (mark.step >= begin && !mark.isEnd) return;
  }
}

/// Loops begin or end here, unless they are of a later range of steps than the one that ends at `end`:
/// the step to go on with.
int32_t Executor::pass(int32_t step, int32_t end) {
  while (mark_ < marks_.size() && marks_[mark_].step == step &&
         (marks_[mark_].isEnd || step < end)) {
    const Mark& mark = marks_[mark_];
    Round& round = rounds_[mark.loop];
    const StepLoop& loop = plan_.loops[mark.loop];
    if (mark.isEnd && ++round.trip < loop.trips) {
      move(round, 1);
      mark_ = round.begin + 1;
      step = loop.begin;
      continue;
    }
    if (mark.isEnd) move(round, 1 - round.trip);
    round.trip = 0;
    ++mark_;
  }
  return step;
}

void Executor::restart() {
  paused_.reset();
  for (Round& round : rounds_) move(round, -std::exchange(round.trip, 0));
}

namespace {

struct ChainCall {
  const Chain* chain;
  std::span<const View> in, out;
  std::byte* tiles;
  int64_t tileBytes;  // of one thread

  void operator()(const Strip& strip, int part) const {
    runChain(*chain, in, out, strip, tiles + part * tileBytes);
  }
};

/// How many of the shares from `done` on are so much work, or at least one. Most steps have one.
int32_t sharesIn(int64_t work, const Step& step, int32_t done) {
  if (step.shares == 1) return 1;
  int64_t shares = work * step.shares / std::max<int64_t>(1, step.work);
  return static_cast<int32_t>(std::clamp<int64_t>(shares, 1, step.shares - done));
}

int64_t workOf(const Step& step, int32_t shares) {
  return shares == step.shares ? step.work : step.work * shares / step.shares;
}

// A chain of a few thousand elements is done before a second thread has woken up.
constexpr int64_t kChainGrain = 8 * kTile;

}  // namespace

[[gnu::always_inline]] inline void Executor::runStep(const Step& step, const Views& v,
                                                     const Share& share) {
  std::byte* arena = static_cast<std::byte*>(arena_.data());
  std::span<const View> views(views_);
  ChainCall chain{step.chain.get(), views.subspan(v.chainIn, step.chainIn.size()),
                  views.subspan(v.chainOut, step.chainOut.size()), arena + step.tiles,
                  step.tileBytes / plan_.threads};
  if (step.op == OpId::kCount) {
    auto [first, last] = share.of(step.chain->space.size(), kChainGrain);
    threads_->forRange(last - first, kChainGrain, [&](int64_t begin, int64_t end, int part) {
      chain({first + begin, first + end}, part);
    });
    return;
  }
  Epilogue epilogue;
  if (step.chain) {
    epilogue.chain = &chain;
    epilogue.apply = [](const Epilogue& self, const Strip& strip, int part) {
      (*static_cast<const ChainCall*>(self.chain))(strip, part);
    };
  }
  void* prepared = v.prepared < 0 ? nullptr : views_[v.prepared].data;
  Call call{views.subspan(v.in, step.in.size()),
            views[v.out],
            arena + step.scratch,
            *threads_,
            epilogue,
            outOfRange_,
            static_cast<std::byte*>(prepared),
            plan_.winograd,
            share};
  const OpInfo& info = opInfo(step.op);
  (step.prepares ? info.prepare : info.run)(call, step.attrs);
}

Result<bool> Executor::failed(const Step& step) {
  OutOfRange o = std::exchange(outOfRange_, {});
  settled_ = false;
  restart();
  return fail(opInfo(step.op).name, ": the index value ", o.index, " at position ", o.position,
              " is not in [0, ", o.size - 1, "]");
}

bool Executor::hasAssigned() const {
  if (!paused_ || paused_->range < 2) return false;
  return paused_->share > 0 ? paused_->step >= plan_.firstAssigning
                            : paused_->step > plan_.firstAssigning;
}

Result<bool> Executor::run(const Budget* budget) {
  // What depends on parameters alone comes first, and not again until one changes. One loop, and
  // runStep is part of it: a kernel is then the fifth call from JavaScript.
  const std::pair<int32_t, int32_t> ranges[] = {
      {plan_.settledBegin, plan_.settledEnd},
      {0, plan_.settledBegin},
      {plan_.settledEnd, static_cast<int32_t>(plan_.steps.size())}};
  int32_t first = settled_ ? 1 : 0;
  if (!paused_) enter(first);
  Position at = paused_.value_or(Position{first, ranges[first].first, 0});
  paused_.reset();
  std::optional<Looks> looks;
  if (budget) looks.emplace(*budget, workAMillisecond_);
  // The next step before which there is more to do than to run it.
  int32_t stop = at.share > 0 ? stopBefore(ranges[at.range].second) : at.step;
  while (at.range < 3) {
    if (at.step == stop) {
      int32_t end = ranges[at.range].second;
      at.step = pass(at.step, end);
      if (at.step == end) {
        settled_ = true;
        if (++at.range < 3) at.step = stop = ranges[at.range].first;
        if (at.range < 3) enter(at.range);
        continue;
      }
      stop = stopBefore(end);
    }
    const Step& step = plan_.steps[at.step];
    int32_t shares = looks ? sharesIn(looks->room(), step, at.share) : step.shares - at.share;
    runStep(step, steps_[at.step], {at.share, at.share + shares, step.shares});
    if (outOfRange_.position >= 0) return failed(step);
    at.share += shares;
    if (at.share == step.shares) at = {at.range, at.step + 1, 0};
    if (!looks || !looks->isOver(workOf(step, shares))) continue;
    paused_ = at;
    return false;
  }
  return true;
}

Result<std::vector<Tensor>> evaluate(const Graph& graph, std::span<const Tensor> inputs,
                                     Threads& threads) {
  FJORD_TRY(Plan plan, compile(graph, {.threads = threads.count()}));
  FJORD_TRY(Executor executor, Executor::make(std::move(plan), threads));
  const Plan& p = executor.plan();
  if (inputs.size() != p.inputs.size()) {
    return fail("the graph has ", p.inputs.size(), " inputs, ", inputs.size(), " were given");
  }
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].type() != p.inputs[i]) {
      return fail("input ", i, " is ", inputs[i].type(), ", the graph wants ", p.inputs[i]);
    }
    executor.bindInput(static_cast<int>(i), inputs[i].view().data);
  }
  for (size_t i = 0; i < p.outputs.size(); ++i) {
    FJORD_TRY(Tensor out, Tensor::empty(p.outputs[i]));
    executor.bindOutput(static_cast<int>(i), out.view().data);
    outputs.push_back(std::move(out));
  }
  FJORD_CHECK(executor.run());
  return outputs;
}

}  // namespace fjord
