// Runs that stop and go on: the bits of a run that does not, wherever it stops, and nothing assigned by one
// that is forgotten before it assigns.
#include <gtest/gtest.h>

#include <cstring>

#include "base/random.h"
#include "run/cpu.h"
#include "testing/bound.h"
#include "testing/reference.h"

namespace fjord::testing {
namespace {

/// A clock at which every budget is over, so that a run stops after every share.
double late() { return 1e300; }
const Budget kOneShare = [] {
  Budget budget(0, late);
  budget.betweenLooks = 0;
  return budget;
}();

/// A clock by which one look in three finds a budget over.
double sometimesLate() {
  static Random random(5);
  return random.below(3) == 0 ? 1 : -1;
}

bool sameBits(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() && std::memcmp(a.view().data, b.view().data, a.type().bytes()) == 0;
}

struct Execution : Bound {
  /// `shares`: into how many every step is cut that can be, where that is not 0.
  Execution(const Graph& graph, const std::vector<Reference>& in, Threads& threads, int shares = 0,
            bool updatesLast = false, bool winograd = false) {
    auto plan = compile(
        graph, {.threads = threads.count(), .winograd = winograd, .updatesLast = updatesLast});
    EXPECT_TRUE(plan) << plan.error().message;
    for (Step& step : plan->steps) {
      bool canBeCut = step.op == OpId::kCount || (opInfo(step.op).work && !step.prepares);
      if (shares && canBeCut) step.shares = shares;
    }
    bind(std::move(*plan), in, threads);
  }

  /// How often it stopped.
  int run(const Budget* budget) {
    for (int pauses = 0;; ++pauses) {
      Result<bool> done = executor->run(budget);
      EXPECT_TRUE(done) << done.error().message;
      if (!done || *done) return pauses;
    }
  }
};

void expectSame(const Execution& a, const Execution& b) {
  for (size_t i = 0; i < a.inputs.size(); ++i)
    EXPECT_TRUE(sameBits(a.inputs[i], b.inputs[i])) << "input " << i;
  for (size_t i = 0; i < a.outputs.size(); ++i)
    EXPECT_TRUE(sameBits(a.outputs[i], b.outputs[i])) << "output " << i;
}

/// The op, and something elementwise over it, in shares.
void checkShares(OpId op, const Case& k, int threadCount, bool winograd = false) {
  Graph graph;
  std::vector<Value> in;
  std::vector<Reference> values;
  auto add = [&](const Input& input) {
    values.push_back(draw(input, values.size() + 7));
    in.push_back(graph.input(input.type));
  };
  for (const Input& input : k.in) add(input);
  Value y = emit(op, in, k.attrs);
  ASSERT_TRUE(graph.status()) << graph.status().error().message;
  add({y.type(), -1, 1});
  graph.output(relu(y * 0.5 + in.back()));
  Threads threads(threadCount);
  Execution whole(graph, values, threads, 0, false, winograd);
  EXPECT_EQ(whole.run(nullptr), 0);
  for (int shares : {2, 7, 1000}) {
    SCOPED_TRACE(cat(shares, " shares"));
    Execution cut(graph, values, threads, shares, false, winograd);
    EXPECT_GE(cut.run(&kOneShare), shares);
    expectSame(whole, cut);
    // What the first share leaves in the scratch is made anew in another run.
    ASSERT_TRUE(cut.executor->run());
    expectSame(whole, cut);
  }
}

TEST(Pause, SharesOfAnOpGiveTheBitsOfTheWhole) {
  int ops = 0;
  for (const auto& [op, checks] : opChecks()) {
    if (!opInfo(op).work) continue;
    ++ops;
    for (const Case& k : checks->cases()) {
      SCOPED_TRACE(cat(checks->name, ", ", k.name));
      for (int threads : {1, 3}) checkShares(op, k, threads);
    }
  }
  EXPECT_GE(ops, 1);
}

/// By rows and by columns, over several blocks of depth, and of a depth that is summed in double.
TEST(Pause, SharesOfAProductCutItsDepth) {
  for (auto [m, k, n] : {std::array{200, 1100, 90}, {90, 1100, 700}, {7, 9000, 40}, {300, 70, 6}}) {
    for (bool ta : {false, true}) {
      for (bool tb : {false, true}) {
        SCOPED_TRACE(cat(m, "x", k, "x", n, ta ? " A'" : "", tb ? " B'" : ""));
        Case one = makeCase(
            "", {floats(ta ? Shape{k, m} : Shape{m, k}), floats(tb ? Shape{n, k} : Shape{k, n})},
            MatMulAttrs{ta, tb});
        for (int threads : {1, 3}) checkShares(OpId::matMul, one, threads);
      }
    }
  }
}

/// Several blocks of images, more pixels than are summed in float32, with groups, in place, by Winograd's algorithm.
TEST(Pause, SharesOfAConvolutionCutItsImages) {
  struct Sizes {
    Shape x, filter;
    Pair strides = {};
    int32_t groups = 1;
  };
  for (const Sizes& k :
       {Sizes{{6, 40, 40, 8}, {3, 3, 8, 16}}, Sizes{{5, 41, 40, 8}, {3, 3, 4, 16}, {2, 2}, 2},
        Sizes{{3, 60, 60, 6}, {1, 1, 6, 20}}, Sizes{{2, 40, 40, 64}, {3, 3, 64, 64}}}) {
    Padding same{Padding::kSame};
    Conv2DAttrs a{k.strides, {}, same, k.groups};
    Graph graph;
    Value x = graph.input({DType::kF32, k.x}), filter = graph.input({DType::kF32, k.filter});
    Shape y = conv2d(x, filter, a).shape();
    ASSERT_TRUE(graph.status()) << graph.status().error().message;
    for (bool winograd : {false, true}) {
      SCOPED_TRACE(cat(k.x, " ", k.filter, winograd ? " winograd" : ""));
      for (int threads : {1, 3}) {
        checkShares(OpId::conv2d, makeCase("", {floats(k.x), floats(k.filter)}, a), threads,
                    winograd);
        checkShares(OpId::conv2dInput,
                    makeCase("", {floats(y), floats(k.filter)},
                             Conv2DInputAttrs{k.strides, {}, same, k.groups, k.x}),
                    threads, winograd);
        checkShares(OpId::conv2dFilter,
                    makeCase("", {floats(k.x), floats(y)},
                             Conv2DFilterAttrs{k.strides, {}, same, k.groups, k.filter}),
                    threads);
      }
    }
  }
}

/// A training step of two layers, the second with a moving average that is updated on the way forward.
struct Training {
  Graph graph;
  std::vector<Reference> values;

  Training() {
    Value x = input({16, 20}), labels = input({16, 4}), w1 = input({20, 8}), b1 = input({8});
    Value w2 = input({8, 4}), average = input({8});
    Value h = relu(matMul(x, w1) + b1);
    Value now = average * 0.9 + mean(h, {.axes = {0}}) * 0.1;
    Value loss = mean(softmaxCrossEntropy(matMul(h - now, w2), labels));
    std::vector<Value> weights = {w1, b1, w2};
    std::vector<Value> d = grad(loss, weights);
    graph.beginUpdates();
    for (size_t i = 0; i < weights.size(); ++i) graph.assign(weights[i], weights[i] - d[i] * 0.1);
    graph.assign(average, now);
    graph.output(loss);
  }
  Value input(const Shape& shape) {
    values.push_back(draw({{DType::kF32, shape}, -0.5, 0.5}, 40 + values.size()));
    return graph.input({DType::kF32, shape});
  }
};

TEST(Pause, ATrainingStepThatStopsAnywhereGivesTheSameBits) {
  Training t;
  Threads two(2);
  for (bool updatesLast : {false, true}) {
    Execution whole(t.graph, t.values, two), cut(t.graph, t.values, two, 3, updatesLast);
    Budget sometimes(0, sometimesLate);
    sometimes.betweenLooks = 0;
    int pauses = 0;
    for (int round = 0; round < 6; ++round) {
      EXPECT_EQ(whole.run(nullptr), 0);
      pauses += cut.run(round % 2 ? &kOneShare : &sometimes);
      expectSame(whole, cut);
    }
    EXPECT_GT(pauses, 100);
  }
}

TEST(Pause, WhatIsForgottenBeforeItAssignsHasChangedNothing) {
  Training t;
  Threads one(1);
  for (bool updatesLast : {false, true}) {
    Execution before(t.graph, t.values, one), after(t.graph, t.values, one);
    after.run(nullptr);
    int forgotten = 0, assigned = 0, early = 0;
    for (int stop = 1;; ++stop) {
      SCOPED_TRACE(stop);
      Execution cut(t.graph, t.values, one, 3, updatesLast);
      bool done = false;
      for (int i = 0; i < stop && !done; ++i) done = *cut.executor->run(&kOneShare);
      if (done) break;
      ASSERT_TRUE(cut.executor->isPaused());
      bool same = true;
      for (size_t i = 0; i < cut.inputs.size(); ++i)
        same = same && sameBits(cut.inputs[i], before.inputs[i]);
      EXPECT_TRUE(same || cut.executor->hasAssigned());
      // A share of a small array may have no part of it.
      early += same && cut.executor->hasAssigned();
      if (cut.executor->hasAssigned()) {
        ++assigned;
      } else {
        ++forgotten;
        cut.executor->restart();
        EXPECT_FALSE(cut.executor->isPaused());
      }
      ASSERT_TRUE(cut.executor->run());
      expectSame(cut, after);
    }
    // Through the forward pass, and most of the way back.
    EXPECT_GT(forgotten, 10);
    EXPECT_GT(assigned, early);
    EXPECT_LE(early, 2);
  }
}

TEST(Pause, WhatIsSettledIsComputedOnceThoughItStops) {
  Graph graph;
  Value x = graph.input({DType::kF32, {6, 5}}), w = graph.parameter({DType::kF32, {5, 40}});
  graph.output(matMul(x, exp(w)));
  std::vector<Reference> values = {draw(floats({6, 5}), 1), draw(floats({5, 40}), 2)};
  Threads one(1);
  Execution whole(graph, values, one), cut(graph, values, one, 3);
  whole.run(nullptr);
  int first = cut.run(&kOneShare);
  expectSame(whole, cut);
  int second = cut.run(&kOneShare);
  EXPECT_LT(second, first);
  // Forgotten while it settles: it settles anew.
  std::ranges::fill(cut.inputs[1].span<float>(), 0.25f);
  std::ranges::fill(whole.inputs[1].span<float>(), 0.25f);
  cut.executor->refresh();
  whole.executor->refresh();
  ASSERT_FALSE(*cut.executor->run(&kOneShare));
  cut.executor->restart();
  EXPECT_EQ(cut.run(&kOneShare), first);
  whole.run(nullptr);
  expectSame(whole, cut);
}

}  // namespace
}  // namespace fjord::testing
