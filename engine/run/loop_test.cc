// Loops against the graphs that they stand for, trip after trip written out, and against the
// reference in double: values and gradients, however often the body runs.
#include "ir/loop.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/random.h"
#include "run/cpu.h"
#include "testing/allocations.h"
#include "testing/bound.h"
#include "testing/goldens.h"
#include "testing/reference.h"

namespace fjord::testing {
namespace {

// ---- the graph without loops

Value sliceAt(Value xs, int32_t at) {
  Shape begin = Shape::filled(xs.shape().rank(), 0), size = xs.shape();
  begin[0] = at;
  size[0] = 1;
  return reshape(slice(xs, {.begin = begin, .size = size}), {.shape = sliceOf(xs.type()).shape});
}

/// The values of all nodes of `from` in `to`, given those of its inputs.
std::vector<Value> unrollInto(const Graph& from, Graph& to, std::span<const Value> inputs);

std::vector<Value> unrollLoop(const Node& node, Graph& to, std::span<const Value> in) {
  const auto& loop = node.attrs.as<LoopAttrs>();
  std::vector<int32_t> nexts = nextsOf(*loop.body);
  std::vector<Value> given(in.begin(), in.end()), results;
  std::vector<std::vector<Value>> stacks(loop.reversed.size());
  for (int32_t trip = 0; trip < loop.trips; ++trip) {
    std::vector<Value> here = given;
    for (size_t i = 0; i < in.size(); ++i) {
      bool reversed = loop.inputs[i] == LoopInput::kScannedReversed;
      if (isScanned(loop.inputs[i]))
        here[i] = sliceAt(in[i], reversed ? loop.trips - 1 - trip : trip);
    }
    std::vector<Value> nodes = unrollInto(*loop.body, to, here);
    for (size_t i = 0; i < in.size(); ++i) {
      if (nexts[i] >= 0) given[i] = nodes[nexts[i]];
    }
    for (size_t i = 0; i < stacks.size(); ++i) {
      Value slice = nodes[loop.body->outputs()[i]];
      stacks[i].insert(loop.reversed[i] ? stacks[i].begin() : stacks[i].end(),
                       reshape(slice, {.shape = stackOf(slice.type(), 1).shape}));
    }
  }
  for (size_t i = 0; i < in.size(); ++i) {
    if (nexts[i] >= 0) results.push_back(given[i]);
  }
  size_t carried = results.size();
  for (size_t i = 0; i < stacks.size(); ++i) {
    const Type& type = node.results[carried + i];
    results.push_back(stacks[i].empty()
                          ? broadcastTo(to.constant(0, type.dtype), {.shape = type.shape})
                          : concat(stacks[i], {.axis = 0}));
  }
  return results;
}

std::vector<Value> unrollInto(const Graph& from, Graph& to, std::span<const Value> inputs) {
  std::vector<Value> values;
  std::vector<std::vector<Value>> results;  // of each loop
  std::vector<size_t> loopAt(from.nodes().size());
  for (const Node& node : from.nodes()) {
    std::vector<Value> in;
    for (int32_t input : node.inputs) in.push_back(values[input]);
    if (node.op == OpId::input) {
      values.push_back(inputs[node.attrs.as<InputAttrs>().index]);
    } else if (node.op == OpId::loop) {
      loopAt[values.size()] = results.size();
      results.push_back(unrollLoop(node, to, in));
      values.push_back({});
    } else if (node.op == OpId::result) {
      values.push_back(results[loopAt[node.inputs[0]]][node.attrs.as<ResultAttrs>().index]);
    } else {
      values.push_back(to.again(node, in));
    }
  }
  return values;
}

/// The same graph, written out.
void unroll(const Graph& from, Graph& to) {
  std::vector<Value> inputs;
  for (int32_t id : from.inputs()) {
    const Node& node = from.nodes()[id];
    inputs.push_back(node.attrs.as<InputAttrs>().isParameter ? to.parameter(node.type)
                                                             : to.input(node.type));
  }
  std::vector<Value> values = unrollInto(from, to, inputs);
  for (int32_t id : from.outputs()) to.output(values[id]);
  for (const Assignment& a : from.assignments()) to.assign(values[a.input], values[a.value]);
}

// ---- running

struct Trial : Bound {
  Trial(const Graph& graph, const std::vector<Reference>& in, Threads& threads) {
    EXPECT_TRUE(graph.status()) << graph.status().error().message;
    auto plan = compile(graph, {.threads = threads.count()});
    if (!plan) return;
    bind(std::move(*plan), in, threads);
  }
  void run() {
    Status ran = executor->run();
    EXPECT_TRUE(ran) << ran.error().message;
  }
};

std::vector<Reference> drawInputs(const Graph& graph, double lo = -1, double hi = 1) {
  std::vector<Reference> in;
  for (int32_t id : graph.inputs())
    in.push_back(draw({graph.nodes()[id].type, lo, hi}, in.size() + 3));
  return in;
}

void expectSameBits(const Tensor& got, const Tensor& want) {
  ASSERT_EQ(got.type(), want.type());
  EXPECT_EQ(std::memcmp(got.view().data, want.view().data, got.type().bytes()), 0);
}

void expectNear(const Tensor& got, const std::vector<double>& want, double tolerance) {
  ASSERT_EQ(static_cast<size_t>(got.size()), want.size());
  double top = 1e-3;
  for (double v : want) top = std::max(top, std::fabs(v));
  for (size_t i = 0; i < want.size(); ++i) {
    double v = got.dtype() == DType::kF32 ? got.data<float>()[i] : got.data<int32_t>()[i];
    ASSERT_NEAR(v, want[i], tolerance * top) << "element " << i;
  }
}

std::vector<double> valuesOf(const Tensor& t) {
  return {t.data<float>(), t.data<float>() + t.size()};
}

/// All outputs by the loop, by the graph written out (`sameBits`: to the bit), and in double.
void check(const Graph& graph, bool sameBits, double tolerance = 1e-5) {
  ASSERT_TRUE(graph.status()) << graph.status().error().message;
  Graph flat;
  unroll(graph, flat);
  std::vector<Reference> in = drawInputs(graph);
  std::vector<Reference> want = evaluateReference(graph, in);
  for (int count : {1, 3}) {
    Threads threads(count);
    Trial looped(graph, in, threads), written(flat, in, threads);
    written.run();
    // A second run begins where the first one did.
    for (int run = 0; run < 2; ++run) {
      looped.run();
      for (size_t i = 0; i < graph.outputs().size(); ++i) {
        SCOPED_TRACE(cat("output ", i, ", run ", run));
        if (sameBits) expectSameBits(looped.outputs[i], written.outputs[i]);
        expectNear(looped.outputs[i], want[graph.outputs()[i]].values, tolerance);
        expectNear(written.outputs[i], want[graph.outputs()[i]].values, tolerance);
      }
    }
  }
}

/// The gradients of `y` of a graph with loops, against those of the graph written out, and against
/// differences of the reference.
void checkGradients(Graph& graph, Value y, std::vector<Value> xs, double tolerance = 2e-5) {
  Graph flat;
  std::vector<Value> inputs;
  for (int32_t id : graph.inputs()) inputs.push_back(flat.input(graph.nodes()[id].type));
  std::vector<Value> values = unrollInto(graph, flat, inputs);
  std::vector<Value> flatXs;
  for (Value x : xs) flatXs.push_back(values[x.id]);
  for (Value d : grad(values[y.id], flatXs)) flat.output(d);
  std::vector<Reference> in = drawInputs(graph);

  std::vector<Value> ds = grad(y, xs);
  for (Value d : ds) graph.output(d);
  ASSERT_TRUE(graph.status()) << graph.status().error().message;
  ASSERT_TRUE(flat.status()) << flat.status().error().message;
  Threads threads(2);
  Trial looped(graph, in, threads), written(flat, in, threads);
  looped.run();
  written.run();
  for (size_t k = 0; k < xs.size(); ++k) {
    SCOPED_TRACE(cat("gradient ", k));
    expectNear(looped.outputs[k], valuesOf(written.outputs[k]), tolerance);
    // Every seventh element by central differences.
    int32_t number = graph.node(xs[k]).attrs.as<InputAttrs>().index;
    std::vector<double> got, want;
    auto at = [&](size_t i, double step) {
      std::vector<Reference> moved = in;
      moved[number].values[i] += step;
      double sum = 0;
      std::vector<Reference> nodes = evaluateReference(graph, moved, y.id + 1);
      for (double v : nodes.back().values) sum += v;
      return sum;
    };
    double top = 1e-3;
    for (size_t i = 0; i < in[number].values.size(); i += 7) {
      want.push_back((at(i, 1e-5) - at(i, -1e-5)) / 2e-5);
      got.push_back(looped.outputs[k].data<float>()[i]);
      top = std::max(top, std::fabs(want.back()));
    }
    EXPECT_GT(top, 1e-3) << "the derivative is dead";
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-4 * top) << i;
  }
}

// ---- cells

/// tanh(x W + h U + b) over xs [T,B,F]: the last state, and all of them.
struct Rnn {
  Graph graph;
  Value xs, h0, w, u, b, last, all;

  Rnn(int trips, int batch, int features, int units, bool reversed = false, bool predicts = false,
      bool batchFirst = false) {
    auto weight = [&](const Shape& shape) {
      Type type{DType::kF32, shape};
      return predicts ? graph.parameter(type) : graph.input(type);
    };
    Shape shape = batchFirst ? Shape{batch, trips, features} : Shape{trips, batch, features};
    xs = graph.input({DType::kF32, shape});
    h0 = graph.input({DType::kF32, {batch, units}});
    w = weight({features, units});
    u = weight({units, units});
    b = weight({units});
    LoopBuilder loop(graph, trips);
    Value x = loop.scan(batchFirst ? transpose(xs, {.perm = {1, 0, 2}}) : xs, reversed);
    Value h = loop.carry(h0);
    Value next = tanh(matMul(x, w) + matMul(h, u) + b);
    loop.next(h, next);
    loop.collect(next, reversed);
    std::vector<Value> results = loop.finish();
    last = results[0];
    all = results[1];
  }
};

/// The gates i, f, c, o in this order, as Keras has them.
struct Lstm {
  Graph graph;
  Value xs, h0, c0, w, u, b, h, c, all;

  /// `batchFirst`: xs is [B,T,F], as a layer gets it.
  Lstm(int trips, int batch, int features, int units, bool batchFirst = false) {
    auto input = [&](const Shape& shape) { return graph.input({DType::kF32, shape}); };
    xs = batchFirst ? input({batch, trips, features}) : input({trips, batch, features});
    h0 = input({batch, units});
    c0 = input({batch, units});
    w = input({features, 4 * units});
    u = input({units, 4 * units});
    b = input({4 * units});
    LoopBuilder loop(graph, trips);
    Value x = loop.scan(batchFirst ? transpose(xs, {.perm = {1, 0, 2}}) : xs);
    Value hidden = loop.carry(h0), cell = loop.carry(c0);
    std::vector<Value> z = split(matMul(x, w) + b + matMul(hidden, u), 4, 1);
    Value nextCell = sigmoid(z[1]) * cell + sigmoid(z[0]) * tanh(z[2]);
    Value nextHidden = sigmoid(z[3]) * tanh(nextCell);
    loop.next(hidden, nextHidden);
    loop.next(cell, nextCell);
    loop.collect(nextHidden);
    std::vector<Value> results = loop.finish();
    h = results[0];
    c = results[1];
    all = results[2];
  }
};

int64_t countSteps(const Plan& plan, OpId op, bool prepares = false) {
  return std::ranges::count_if(plan.steps,
                               [&](const Step& s) { return s.op == op && s.prepares == prepares; });
}

// ---- values

TEST(Loop, GivesTheBitsOfTheGraphWrittenOut) {
  // Nothing but what is carried is in the product: no sum changes its order.
  for (int trips : {0, 1, 2, 9}) {
    for (bool reversed : {false, true}) {
      SCOPED_TRACE(cat(trips, " trips"));
      Graph graph;
      Value xs = graph.input({DType::kF32, {trips, 5, 7}}), h0 = graph.input({DType::kF32, {5, 7}});
      Value u = graph.input({DType::kF32, {7, 7}});
      LoopBuilder loop(graph, trips);
      Value x = loop.scan(xs, reversed), h = loop.carry(h0);
      Value next = tanh(matMul(h, u) + x * 0.5);
      loop.next(h, next);
      loop.collect(next);
      loop.collect(h * x, true);
      for (Value v : loop.finish()) graph.output(v);
      check(graph, true);
    }
  }
}

TEST(Loop, OfACellWithInputs) {
  for (int trips : {0, 1, 6}) {
    for (bool reversed : {false, true}) {
      Rnn rnn(trips, 6, 4, 9, reversed);
      rnn.graph.output(rnn.last);
      rnn.graph.output(rnn.all);
      check(rnn.graph, false);
    }
  }
}

TEST(Loop, Of512Trips) {
  Lstm lstm(512, 2, 3, 4);
  lstm.graph.output(lstm.h);
  lstm.graph.output(lstm.c);
  lstm.graph.output(lstm.all);
  check(lstm.graph, false, 3e-5);
}

TEST(Loop, CarriesSeveralThatTakeEachOthersPlace) {
  Graph graph;
  Value a0 = graph.input({DType::kF32, {3}}), b0 = graph.input({DType::kF32, {3}});
  LoopBuilder loop(graph, 5);
  Value a = loop.carry(a0), b = loop.carry(b0), count = loop.carry(graph.constant(0, DType::kI32));
  loop.next(a, b);
  loop.next(b, a);
  loop.next(count, count + 1);
  loop.collect(count);
  loop.collect(a);
  for (Value v : loop.finish()) graph.output(v);
  check(graph, true);
}

TEST(Loop, CollectsWhatDoesNotChange) {
  Graph graph;
  Value c = graph.input({DType::kF32, {2, 3}}), xs = graph.input({DType::kF32, {4, 3}});
  LoopBuilder loop(graph, 4);
  Value x = loop.scan(xs), sum = loop.carry(c);
  loop.next(sum, sum);
  loop.collect(c);
  loop.collect(x);
  loop.collect(x, true);
  loop.collect(sum + x);
  for (Value v : loop.finish()) graph.output(v);
  check(graph, true);
}

TEST(Loop, InsideOfALoop) {
  Graph graph;
  Value xs = graph.input({DType::kF32, {3, 4, 2, 5}}), w = graph.input({DType::kF32, {5, 5}});
  Value s0 = graph.input({DType::kF32, {2, 5}});
  LoopBuilder outer(graph, 3);
  Value rows = outer.scan(xs), s = outer.carry(s0);
  LoopBuilder inner(outer.body(), 4);
  Value row = inner.scan(rows, true), t = inner.carry(s);
  Value next = tanh(matMul(t, w) + row);
  inner.next(t, next);
  inner.collect(next * row);
  std::vector<Value> r = inner.finish();
  outer.next(s, r[0] * 0.5 + s);
  outer.collect(r[1]);
  outer.collect(s, true);
  for (Value v : outer.finish()) graph.output(v);
  check(graph, true);
}

TEST(Loop, AfterALoopAndBesideOne) {
  Graph graph;
  Value xs = graph.input({DType::kF32, {4, 3}}), h0 = graph.input({DType::kF32, {3}});
  std::vector<Value> stacks{xs};
  for (int i = 0; i < 3; ++i) {
    LoopBuilder loop(graph, 4);
    Value x = loop.scan(stacks.back(), i == 1), h = loop.carry(h0);
    Value next = tanh(h + x);
    loop.next(h, next);
    loop.collect(next);
    std::vector<Value> r = loop.finish();
    graph.output(r[0] + 1);
    stacks.push_back(r[1]);
  }
  graph.output(stacks.back());
  check(graph, true);
}

/// Bodies at random, of what is carried, scanned and captured.
void addRandomBody(Graph& graph, Random& random, int trips) {
  Type slice{DType::kF32, {4, 6}};
  auto input = [&](const Type& type) { return graph.input(type); };
  Value w = input({DType::kF32, {6, 6}}), bias = input({DType::kF32, {6}});
  LoopBuilder loop(graph, trips);
  std::vector<Value> carried, values;
  for (uint32_t i = 0; i < 1 + random.below(3); ++i) {
    carried.push_back(loop.carry(input(slice)));
    values.push_back(carried.back());
  }
  for (uint32_t i = 0; i < random.below(3); ++i)
    values.push_back(loop.scan(input(stackOf(slice, trips)), random.below(2) == 1));
  auto any = [&] { return values[random.below(static_cast<uint32_t>(values.size()))]; };
  for (int i = 0; i < 10; ++i) {
    switch (random.below(7)) {
      case 0:
        values.push_back(any() + any());
        break;
      case 1:
        values.push_back(any() * any());
        break;
      case 2:
        values.push_back(tanh(any()));
        break;
      case 3:
        values.push_back(matMul(any(), w) * 0.3);
        break;
      case 4:
        values.push_back(any() + bias);
        break;
      case 5:
        values.push_back(any() - mean(any(), {.axes = {0}, .keepDims = true}));
        break;
      default:
        values.push_back(matMul(matMul(any(), any(), {.transposeB = true}), any()) * 0.1);
    }
  }
  for (Value c : carried) loop.next(c, tanh(any() + c * 0.5));
  for (uint32_t i = 0; i < random.below(3); ++i) loop.collect(any(), random.below(2) == 1);
  for (Value v : loop.finish()) graph.output(v);
}

TEST(Loop, OfRandomBodies) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(cat("seed ", static_cast<int64_t>(seed)));
    Random random(seed);
    Graph graph;
    addRandomBody(graph, random, static_cast<int>(random.below(5)));
    check(graph, false, 1e-4);
    if (HasFatalFailure()) return;
  }
}

// ---- plans

TEST(Loop, IsPlannedOnceWhateverTheTrips) {
  auto planOf = [](int trips) {
    Lstm lstm(trips, 8, 16, 16);
    Value loss = mean(lstm.all) + mean(lstm.h);
    std::vector<Value> xs{lstm.w, lstm.u, lstm.b}, d = grad(loss, xs);
    for (size_t i = 0; i < xs.size(); ++i) lstm.graph.assign(xs[i], xs[i] - d[i] * 0.1);
    lstm.graph.output(loss);
    return *compile(lstm.graph, {.threads = 2});
  };
  // An axis of one trip alone is nothing to sum over: that plan is a step shorter.
  Plan one = planOf(1), two = planOf(2), many = planOf(512);
  EXPECT_EQ(two.steps.size(), many.steps.size());
  // Arrays find their places in the order of their sizes, and those of many trips are the largest.
  EXPECT_NEAR(static_cast<double>(many.looks), static_cast<double>(two.looks), 0.1 * two.looks);
  EXPECT_LE(many.steps.size(), one.steps.size() + 2);
  for (const Plan* plan : {&one, &two, &many}) EXPECT_EQ(plan->loops.size(), 2u) << cat(*plan);
}

/// What stays in the body, of slices alone, meets what has left it.
TEST(Loop, AddsWhatItDoesNotMoveToAProductOfSlices) {
  Graph graph;
  Value xs = graph.input({DType::kF32, {4, 3, 5}}), w = graph.input({DType::kF32, {5, 5}});
  Value h0 = graph.input({DType::kF32, {3, 5}});
  LoopBuilder loop(graph, 4);
  Value x = loop.scan(xs), h = loop.carry(h0);
  Value both = tanh(x) + matMul(x, w);
  loop.next(h, h * 0.5 + both);
  loop.collect(both * both);
  for (Value v : loop.finish()) graph.output(v);
  check(graph, false);
}

TEST(Loop, HasItsInputProductsBeforeIt) {
  Rnn rnn(32, 8, 16, 24);
  rnn.graph.output(rnn.all);
  Plan plan = *compile(rnn.graph);
  ASSERT_EQ(plan.loops.size(), 1u);
  int before = 0, within = 0;
  for (int32_t i = 0; i < static_cast<int32_t>(plan.steps.size()); ++i) {
    const Step& step = plan.steps[i];
    if (step.op != OpId::matMul || step.prepares) continue;
    bool inside = i >= plan.loops[0].begin && i < plan.loops[0].end;
    ++(inside ? within : before);
    EXPECT_EQ(step.out.type.shape, inside ? (Shape{8, 24}) : (Shape{32 * 8, 24}));
  }
  EXPECT_EQ(before, 1);
  EXPECT_EQ(within, 1);
}

/// The gradients of weights are products after the loop.
TEST(Loop, HasTheProductsOfItsWeightsGradientsAfterIt) {
  Rnn rnn(32, 8, 16, 24);
  for (Value d : grad(mean(rnn.all), {{rnn.w, rnn.u, rnn.b}})) rnn.graph.output(d);
  Plan plan = *compile(rnn.graph);
  ASSERT_EQ(plan.loops.size(), 2u) << cat(plan);
  for (const StepLoop& loop : plan.loops) {
    int products = 0;
    for (int32_t i = loop.begin; i < loop.end; ++i) products += plan.steps[i].op == OpId::matMul;
    EXPECT_EQ(products, 1) << cat(plan);
  }
}

/// A trip of an LSTM is a product, one chain, which reads the gates where they lie, and a copy of what
/// comes out and is carried on, too. To be trained it keeps the two states that it begins with; its
/// gradient is two chains, as one may be so long, what puts the gradients of the gates together, a product,
/// and a copy of what is carried.
TEST(Loop, OfAnLstmHasFewSteps) {
  Lstm predicting(16, 8, 12, 32), lstm(16, 8, 12, 32);
  auto steps = [](const StepLoop& loop) { return loop.end - loop.begin; };
  predicting.graph.output(predicting.all);
  Plan plan = *compile(predicting.graph);
  ASSERT_EQ(plan.loops.size(), 1u) << cat(plan);
  EXPECT_EQ(steps(plan.loops[0]), 3) << cat(plan);
  for (Value d : grad(mean(lstm.all), {{lstm.w, lstm.u, lstm.b}})) lstm.graph.output(d);
  plan = *compile(lstm.graph);
  ASSERT_EQ(plan.loops.size(), 2u) << cat(plan);
  EXPECT_EQ(steps(plan.loops[0]), 4) << cat(plan);
  EXPECT_EQ(steps(plan.loops[1]), 5) << cat(plan);
}

TEST(Loop, PacksItsWeightsOnce) {
  for (bool predicts : {false, true}) {
    Rnn rnn(32, 8, 16, 48, false, predicts);
    rnn.graph.output(rnn.all);
    Plan plan = *compile(rnn.graph);
    EXPECT_EQ(countSteps(plan, OpId::matMul, true), predicts ? 2 : 1) << cat(plan);
    for (int32_t i = plan.loops[0].begin; i < plan.loops[0].end; ++i)
      EXPECT_FALSE(plan.steps[i].prepares) << cat(plan);
  }
}

TEST(Loop, ComputesNothingThatNobodyReads) {
  auto stepsOf = [](bool readsAll) {
    Rnn rnn(32, 8, 16, 24);
    rnn.graph.output(readsAll ? rnn.all : rnn.last);
    return compile(rnn.graph)->steps.size();
  };
  EXPECT_LE(stepsOf(false), stepsOf(true));
  // A carried value that leads nowhere is not carried.
  Graph graph;
  Value h0 = graph.input({DType::kF32, {3}});
  LoopBuilder loop(graph, 4);
  Value h = loop.carry(h0), dead = loop.carry(h0 * 2);
  loop.next(h, tanh(h));
  loop.next(dead, exp(dead) + h);
  loop.collect(dead);
  graph.output(loop.finish()[0]);
  Plan plan = *compile(graph);
  for (const Step& step : plan.steps) {
    if (!step.chain) continue;
    for (const auto& i : step.chain->instructions) EXPECT_NE(i.op, OpId::exp) << cat(plan);
  }
}

// ---- running

TEST(Loop, AllocatesNothing) {
  Lstm lstm(64, 8, 16, 16);
  Value loss = mean(lstm.all);
  std::vector<Value> xs{lstm.w, lstm.u, lstm.b}, d = grad(loss, xs);
  for (size_t i = 0; i < xs.size(); ++i) lstm.graph.assign(xs[i], xs[i] - d[i] * 0.1);
  lstm.graph.output(loss);
  Threads threads(2);
  Trial bound(lstm.graph, drawInputs(lstm.graph), threads);
  bound.run();
  Status ran;
  EXPECT_EQ(allocationsOf([&] { ran = bound.executor->run(); }), 0);
  EXPECT_TRUE(ran);
}

double late() { return 1e300; }

TEST(Loop, StopsBetweenStepsAndGoesOn) {
  Budget budget(0, late);
  budget.betweenLooks = 0;
  Graph graph;
  Value xs = graph.input({DType::kF32, {5, 3, 8}}), h0 = graph.input({DType::kF32, {8}});
  Value state = graph.input({DType::kF32, {8}});
  LoopBuilder outer(graph, 5);
  Value rows = outer.scan(xs), h = outer.carry(h0);
  LoopBuilder inner(outer.body(), 3);
  Value row = inner.scan(rows), t = inner.carry(h);
  inner.next(t, tanh(t + row));
  inner.collect(t);
  std::vector<Value> r = inner.finish();
  outer.next(h, r[0]);
  outer.collect(sum(r[1], {.axes = {0}}));
  std::vector<Value> results = outer.finish();
  graph.output(results[0]);
  graph.output(results[1]);
  graph.assign(state, state + results[0]);
  std::vector<Reference> in = drawInputs(graph);
  Threads threads(1);
  Trial whole(graph, in, threads), cut(graph, in, threads);
  for (int round = 0; round < 3; ++round) {
    whole.run();
    // One that stops in the middle, and is forgotten.
    for (int i = 0; i < 7 * round; ++i) ASSERT_FALSE(*cut.executor->run(&budget));
    EXPECT_FALSE(cut.executor->hasAssigned());
    cut.executor->restart();
    int pauses = 0;
    while (!*cut.executor->run(&budget)) ++pauses;
    EXPECT_GT(pauses, 15);
    for (size_t i = 0; i < 2; ++i) expectSameBits(cut.outputs[i], whole.outputs[i]);
    expectSameBits(cut.inputs[2], whole.inputs[2]);
  }
}

TEST(Loop, FailsWhereAnIndexIsOutOfRangeAndRunsAgain) {
  Graph graph;
  Value table = graph.input({DType::kF32, {3, 2}}), ids = graph.input({DType::kI32, {4, 2}});
  Value s0 = graph.input({DType::kF32, {2, 2}});
  LoopBuilder loop(graph, 4);
  Value id = loop.scan(ids), s = loop.carry(s0);
  // What is carried is in the index, so that it is looked up in each trip.
  Value shift = cast(sum(s) * 0, DType::kI32);
  loop.next(s, s + gather(table, id + shift));
  Value last = loop.finish()[0];
  graph.assign(s0, last);
  std::vector<Reference> in = drawInputs(graph);
  in[1].values = {0, 1, 2, 0, 3, 1, 0, 2};
  Threads threads(1);
  Trial bound(graph, in, threads);
  Status ran = bound.executor->run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().message, "gather: the index value 3 at position 0 is not in [0, 2]");
  expectNear(bound.inputs[2], in[2].values, 0);  // nothing is assigned
  bound.inputs[1].data<int32_t>()[4] = 2;
  in[1].values[4] = 2;
  bound.run();
  expectNear(bound.inputs[2], evaluateReference(graph, in)[last.id].values, 1e-6);
}

TEST(Loop, SaysWhatIsWrong) {
  auto messageOf = [](auto build) {
    Graph graph;
    build(graph);
    return graph.status() ? std::string() : graph.status().error().message;
  };
  Type row{DType::kF32, {3}};
  EXPECT_EQ(messageOf([&](Graph& g) {
              Graph::Scope scope(g, "rnn");
              LoopBuilder loop(g, 4);
              loop.scan(g.input(row));
              loop.finish();
            }),
            "rnn: loop: what is scanned is float32[3], its first axis must be the 4 trips");
  EXPECT_EQ(messageOf([&](Graph& g) {
              LoopBuilder loop(g, 4);
              loop.carry(g.input(row));
              loop.finish();
            }),
            "loop: what is carried as float32[3] has no next value");
  EXPECT_EQ(messageOf([&](Graph& g) {
              LoopBuilder loop(g, 4);
              Value h = loop.carry(g.input(row));
              loop.next(h, sum(h));
              loop.finish();
            }),
            "loop: what is carried is float32[3], its next value float32[]");
  EXPECT_EQ(messageOf([&](Graph& g) {
              LoopBuilder loop(g, -1);
              Value h = loop.carry(g.input(row));
              loop.next(h, h);
              loop.finish();
            }),
            "loop: the number of trips must not be negative, got -1 (inputs: float32[3])");
  // An error inside of the body.
  EXPECT_EQ(messageOf([&](Graph& g) {
              LoopBuilder loop(g, 4);
              Value h = loop.carry(g.input(row));
              loop.next(h, matMul(h, h));
              loop.finish();
            }),
            "matMul: both operands need at least two axes (inputs: float32[3], float32[3])");
}

// ---- gradients

TEST(LoopGradient, OfACell) {
  for (int trips : {1, 5}) {
    for (bool reversed : {false, true}) {
      Rnn rnn(trips, 3, 4, 6, reversed);
      Value weights = rnn.graph.input(rnn.all.type());
      Value loss = sum(rnn.all * weights) + sum(rnn.last);
      checkGradients(rnn.graph, loss, {rnn.xs, rnn.h0, rnn.w, rnn.u, rnn.b});
    }
  }
}

TEST(LoopGradient, OfNoTripsIsThatOfWhatIsCarried) {
  Rnn rnn(0, 3, 4, 6);
  Value weights = rnn.graph.input(rnn.last.type());
  Value loss = sum(rnn.last * weights);
  std::vector<Value> d = grad(loss, {{rnn.h0, rnn.u}});
  rnn.graph.output(d[0]);
  rnn.graph.output(d[1]);
  std::vector<Reference> in = drawInputs(rnn.graph);
  Threads threads(1);
  Trial bound(rnn.graph, in, threads);
  bound.run();
  expectNear(bound.outputs[0], in.back().values, 0);
  expectNear(bound.outputs[1], std::vector<double>(36, 0), 0);
}

TEST(LoopGradient, OfAnLstm) {
  Lstm lstm(6, 3, 4, 5);
  Value weights = lstm.graph.input(lstm.all.type());
  Value loss = sum(lstm.all * weights) + sum(lstm.c * lstm.c);
  checkGradients(lstm.graph, loss, {lstm.xs, lstm.h0, lstm.c0, lstm.w, lstm.u, lstm.b});
}

TEST(LoopGradient, OfALoopInALoop) {
  Graph graph;
  Value xs = graph.input({DType::kF32, {3, 4, 2, 5}}), w = graph.input({DType::kF32, {5, 5}});
  Value s0 = graph.input({DType::kF32, {2, 5}});
  LoopBuilder outer(graph, 3);
  Value rows = outer.scan(xs, true), s = outer.carry(s0);
  LoopBuilder inner(outer.body(), 4);
  Value row = inner.scan(rows), t = inner.carry(s);
  Value next = tanh(matMul(t, w) + row * t);
  inner.next(t, next);
  inner.collect(next * row);
  std::vector<Value> r = inner.finish();
  outer.next(s, r[0] * 0.5 + s);
  outer.collect(r[1] * r[1]);
  std::vector<Value> results = outer.finish();
  checkGradients(graph, sum(results[0]) + sum(results[1]), {xs, s0, w});
}

TEST(LoopGradient, OfAGradient) {
  Rnn rnn(4, 2, 3, 3);
  std::vector<Value> d = grad(sum(rnn.all * rnn.all), {{rnn.u, rnn.xs}});
  Value penalty = sum(d[0] * d[0]) + sum(d[1] * d[1]);
  checkGradients(rnn.graph, penalty, {rnn.xs, rnn.w, rnn.u, rnn.h0}, 1e-4);
}

TEST(LoopGradient, OfRandomBodies) {
  for (uint64_t seed = 100; seed < 130; ++seed) {
    SCOPED_TRACE(cat("seed ", static_cast<int64_t>(seed)));
    Random random(seed);
    Graph graph;
    addRandomBody(graph, random, 1 + static_cast<int>(random.below(4)));
    ASSERT_TRUE(graph.status()) << graph.status().error().message;
    Value y = graph.constant(0);
    for (int32_t id : graph.outputs()) y = y + sum(tanh(Value{&graph, id}));
    Graph flat;
    std::vector<Value> inputs, xs, flatXs;
    for (int32_t id : graph.inputs()) inputs.push_back(flat.input(graph.nodes()[id].type));
    std::vector<Value> values = unrollInto(graph, flat, inputs);
    std::vector<bool> sources = ancestors(values[y.id]);
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!sources[inputs[i].id]) continue;
      xs.push_back({&graph, graph.inputs()[i]});
      flatXs.push_back(inputs[i]);
    }
    size_t first = graph.outputs().size();
    for (Value d : grad(values[y.id], flatXs)) flat.output(d);
    for (Value d : grad(y, xs)) graph.output(d);
    ASSERT_TRUE(graph.status()) << graph.status().error().message;
    std::vector<Reference> in = drawInputs(graph);
    Threads threads(2);
    Trial looped(graph, in, threads), written(flat, in, threads);
    looped.run();
    written.run();
    for (size_t k = 0; k < xs.size(); ++k) {
      SCOPED_TRACE(cat("gradient ", k));
      expectNear(looped.outputs[first + k], valuesOf(written.outputs[k]), 1e-4);
    }
    if (HasFatalFailure()) return;
  }
}

// ---- against Keras

/// Values and gradients: check/goldens/ir_loop.py says what of.
TEST(Loop, GivesWhatKerasDoes) {
  Goldens file("ir_loop");
  for (const Json& golden : file.cases) {
    SCOPED_TRACE(golden["name"].dump());
    Tensor x = file.tensor(golden["x"]), u = file.tensor(golden["u"]), w = file.tensor(golden["w"]);
    int batch = x.shape()[0], trips = x.shape()[1], features = x.shape()[2], units = u.shape()[0];
    std::vector<Tensor> in{x};
    for (const Json& state : golden["states"]) in.push_back(file.tensor(state));
    in.insert(in.end(), {w, u, file.tensor(golden["b"]), file.tensor(golden["dy"])});
    auto run = [&](Graph& graph, const std::vector<Value>& last, Value all) {
      Value y = transpose(all, {.perm = {1, 0, 2}}), dy = graph.input(y.type());
      std::vector<Value> xs;
      for (size_t i = 0; i + 1 < in.size(); ++i) xs.push_back({&graph, graph.inputs()[i]});
      Value loss = sum(dy * y) + sum(last.back() * last.back());
      graph.output(y);
      for (Value v : last) graph.output(v);
      for (Value d : grad(loss, xs)) graph.output(d);
      ASSERT_TRUE(graph.status()) << graph.status().error().message;
      auto got = evaluate(graph, in, file.threads);
      ASSERT_TRUE(got) << got.error().message;
      std::vector<Json> want{golden["y"]};
      for (const char* key : {"last", "grads"})
        want.insert(want.end(), golden[key].begin(), golden[key].end());
      ASSERT_EQ(got->size(), want.size());
      for (size_t i = 0; i < want.size(); ++i) {
        SCOPED_TRACE(cat("output ", i));
        Tensor t = file.tensor(want[i]);
        ASSERT_EQ((*got)[i].type(), t.type());
        expectNear((*got)[i], valuesOf(t), 2e-5);
      }
    };
    if (golden["cell"] == "lstm") {
      Lstm lstm(trips, batch, features, units, true);
      run(lstm.graph, {lstm.h, lstm.c}, lstm.all);
    } else {
      Rnn rnn(trips, batch, features, units, false, false, true);
      run(rnn.graph, {rnn.last}, rnn.all);
    }
  }
}

}  // namespace
}  // namespace fjord::testing
