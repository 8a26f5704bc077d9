// The planner: whatever it fuses, reorders and overlays in memory, a run gives what the graph says.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/random.h"
#include "run/cpu.h"
#include "testing/reference.h"

namespace fjord::testing {
namespace {

/// Compiles, binds and runs with inputs that the test can look at afterwards.
struct PlanRun {
  std::vector<Tensor> inputs, outputs;
  std::unique_ptr<Executor> executor;

  PlanRun(const Graph& graph, std::vector<Tensor> in, Threads& threads, bool fuse)
      : inputs(std::move(in)) {
    auto plan = compile(graph, {.threads = threads.count(), .fuse = fuse});
    EXPECT_TRUE(plan) << plan.error().message;
    executor = std::make_unique<Executor>(*Executor::make(std::move(*plan), threads));
    for (size_t i = 0; i < inputs.size(); ++i)
      executor->bindInput(static_cast<int>(i), inputs[i].view().data);
    for (const Type& t : executor->plan().outputs) {
      outputs.push_back(*Tensor::zeros(t));
      executor->bindOutput(static_cast<int>(outputs.size()) - 1, outputs.back().view().data);
    }
  }
};

std::vector<Tensor> tensorsOf(const std::vector<Reference>& references) {
  std::vector<Tensor> out;
  for (const Reference& r : references) out.push_back(toTensor(r));
  return out;
}

void expectNear(const Tensor& got, const Reference& want, double tolerance) {
  ASSERT_EQ(got.type(), want.type);
  double top = 1;
  for (double v : want.values) top = std::max(top, std::fabs(v));
  for (int64_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got.data<float>()[i], want.values[i], tolerance * top) << i;
}

TEST(Graph, NamesTheOpTheScopeAndBothShapes) {
  Graph graph;
  Value a = graph.input({DType::kF32, {2, 3}}), b = graph.input({DType::kF32, {4, 5}});
  {
    Graph::Scope scope(graph, "dense_1");
    Value y = matMul(a, b) + a;
    EXPECT_FALSE(y);
  }
  ASSERT_FALSE(graph.status());
  EXPECT_EQ(
      graph.status().error().message,
      "dense_1: matMul: the inner dimensions differ: 3 and 4 (inputs: float32[2,3], float32[4,5])");
  EXPECT_FALSE(compile(graph));
}

TEST(Graph, EqualNodesAreOneNode) {
  Graph graph;
  Value x = graph.input({DType::kF32, {8}});
  Value a = exp(x) * 2.0, b = exp(x) * 2.0;
  EXPECT_EQ(a.id, b.id);
  EXPECT_NE((x + 1.0).id, (x + 2.0).id);
}

TEST(Graph, BroadcastsAndPromotes) {
  Graph graph;
  Value f = graph.input({DType::kF32, {3, 1}}), i = graph.input({DType::kI32, {4}}),
        b = graph.input({DType::kBool, {4}});
  EXPECT_EQ((f + i).type(), (Type{DType::kF32, {3, 4}}));
  EXPECT_EQ((i + b).type(), (Type{DType::kI32, {4}}));
  EXPECT_EQ((f > i).type(), (Type{DType::kBool, {3, 4}}));
  EXPECT_EQ(where(b, i, i).dtype(), DType::kI32);
  EXPECT_EQ(sin(i).dtype(), DType::kF32);
}

TEST(Grad, RefusesWhatIsNotConnected) {
  Graph graph;
  Value x = graph.input({DType::kF32, {3}}), z = graph.input({DType::kF32, {3}});
  grad(sum(x * x), {{z}});
  ASSERT_FALSE(graph.status());
  EXPECT_NE(graph.status().error().message.find("does not depend on x"), std::string::npos);
}

TEST(Grad, IsZeroByStepsAlone) {
  Graph graph;
  Value x = graph.input({DType::kF32, {3}});
  Value hot = oneHot(argMax(x, {.axis = 0}), {.depth = 3});
  Value y = sum(floor(x)) + sum(hot) + sum(cast(x > 0.0, DType::kF32));
  graph.output(grad(y, {{x}})[0]);
  graph.output(grad(argMax(x, {.axis = 0}), {{x}})[0]);
  ASSERT_TRUE(graph.status()) << graph.status().error().message;
  Threads one(1);
  std::vector<Tensor> inputs = {toTensor(draw({{DType::kF32, {3}}, -1, 1}, 3))};
  auto got = evaluate(graph, inputs, one);
  ASSERT_TRUE(got) << got.error().message;
  for (const Tensor& g : *got) {
    ASSERT_EQ(g.shape(), (Shape{3}));
    for (float v : g.span<float>()) EXPECT_EQ(v, 0);
  }
}

TEST(Grad, SecondDerivatives) {
  Graph graph;
  Value x = graph.input({DType::kF32, {5}});
  Value first = grad(sum(tanh(x) * x), {{x}})[0];
  graph.output(grad(sum(first), {{x}})[0]);
  Reference in = draw({{DType::kF32, {5}}, -1, 1}, 3);
  Threads one(1);
  std::vector<Tensor> inputs = {toTensor(in)};
  auto got = evaluate(graph, inputs, one);
  ASSERT_TRUE(got) << got.error().message;
  for (int i = 0; i < 5; ++i) {
    // (x tanh x)'' = 2 (1 - t^2) (1 - x t)
    double v = in.values[i], t = std::tanh(v);
    EXPECT_NEAR((*got)[0].data<float>()[i], 2 * (1 - t * t) * (1 - v * t), 1e-5);
  }
}

/// The parts of what is shared out have a gradient each, and put together they are its gradient.
TEST(Grad, OfPartsThatMakeUpAWhole) {
  struct {
    std::vector<std::pair<int, int>> columns;  // first, count
    size_t pads;
  } cases[] = {
      {{{0, 2}, {2, 4}}, 0},          // all
      {{{2, 4}, {0, 2}}, 0},          // in another order
      {{{0, 2}, {3, 3}}, 2},          // a gap
      {{{0, 3}, {2, 4}}, 2},          // one column twice
      {{{0, 2}, {2, 3}}, 2},          // not to the end
      {{{0, 2}, {2, 4}, {1, 1}}, 3},  // once more
  };
  for (const auto& [columns, pads] : cases) {
    Graph graph;
    Value x = graph.input({DType::kF32, {3, 6}}), whole = tanh(x), y = graph.constant(0);
    for (auto [first, count] : columns) {
      Value part = slice(whole, {.begin = {0, first}, .size = {3, count}});
      y = y + sum(part * part * part);
    }
    Value dx = grad(y, {{x}})[0];
    graph.output(dx);
    EXPECT_EQ(std::ranges::count(graph.nodes(), OpId::pad, &Node::op), pads);
    Reference in = draw({{DType::kF32, {3, 6}}, -1, 1}, 7);
    Threads one(1);
    std::vector<Tensor> inputs = {toTensor(in)};
    auto got = evaluate(graph, inputs, one);
    ASSERT_TRUE(got) << got.error().message;
    for (int i = 0; i < 18; ++i) {
      double times = 0, t = std::tanh(in.values[i]);
      for (auto [first, count] : columns) times += i % 6 >= first && i % 6 < first + count;
      EXPECT_NEAR((*got)[0].data<float>()[i], times * 3 * t * t * (1 - t * t), 1e-5) << i;
    }
  }
}

/// Graphs of elementwise ops, broadcasts, reductions, parts and products over one another, some values
/// assigned to inputs.
struct RandomGraph {
  Graph graph;
  std::vector<Reference> inputs;
  std::vector<Value> outputs;

  explicit RandomGraph(uint64_t seed) {
    Random random(seed);
    std::vector<Value> values;
    auto pick = [&] { return values[random.below(static_cast<uint32_t>(values.size()))]; };
    for (int i = 0; i < 4; ++i) {
      Shape shape = i < 2 ? Shape{24, 24} : i == 2 ? Shape{24} : Shape{24, 1};
      // Of parameters alone much is settled; that two of them may be assigned to undoes it.
      bool parameter = random.below(2);
      Type type{DType::kF32, shape};
      values.push_back(parameter ? graph.parameter(type) : graph.input(type));
      inputs.push_back(draw({{DType::kF32, shape}, 0.5, 1.5}, seed * 10 + i));
    }
    for (int i = 0; i < 40; ++i) {
      Value a = pick(), b = pick();
      switch (random.below(16)) {
        case 0:
          values.push_back(a.shape().rank() == 2 && b.shape() == Shape{24, 24} && a.shape()[1] == 24
                               ? matMul(a, b) * (1.0 / 24)
                               : a - b);
          break;
        case 1:
          values.push_back(mean(a, {.axes = {-1}, .keepDims = true}));
          break;
        case 2:
          values.push_back(reshape(reshape(a, {.shape = {-1}}), {.shape = a.shape()}) * 0.5);
          break;
        case 3:
          values.push_back(a.shape() == Shape{24, 24} ? transpose(a) : tanh(a));
          break;
        case 4:
          values.push_back(where(a > b, a, b));
          break;
        case 5:
          values.push_back(broadcastTo(a, {.shape = {24, 24}}));
          break;
        case 6:
          values.push_back(sigmoid(a) + constant(graph, 0.25));
          break;
        case 7:
          values.push_back(a * b);
          break;
        case 8:
          values.push_back(tanh(a + b));
          break;
        // What kernels do together.
        case 9:
          values.push_back(relu(a * b + pick()));
          break;
        case 10:
          values.push_back(relu(pick() * 0.25 + (a + b)) - relu(a + b) * 0.5);
          break;
        case 11:
          values.push_back((a - b) * pick());
          break;
        case 12:
          values.push_back(relu6(b + a) * 0.5);
          break;
        // Parts, which chains read where they lie: a column, and a window of two side by side.
        case 13:
          values.push_back(a.shape() == Shape{24, 24}
                               ? slice(a, {.begin = {0, random.below(24)}, .size = {24, 1}})
                               : a + b);
          break;
        case 14:
          values.push_back(a.shape() == Shape{24, 24} && b.shape() == Shape{24, 24}
                               ? slice(concat({{a, b}}, {.axis = 1}),
                                       {.begin = {0, random.below(25)}, .size = {24, 24}})
                               : a - b);
          break;
        default:
          values.push_back(a * 0.5 + b * 0.25);
          break;
      }
    }
    for (int i = 0; i < 4; ++i) {
      outputs.push_back(i == 3 ? values[i] : pick());
      graph.output(outputs.back());
    }
    // New values for the two matrices, now and then each other's.
    bool swap = random.below(4) == 0;
    for (int i = 0; i < 2; ++i) {
      Value v = swap ? values[1 - i] : pick();
      for (int tries = 0; v.shape() != Shape{24, 24} && tries < 50; ++tries) v = pick();
      if (v.shape() == Shape{24, 24}) graph.assign(values[i], v);
    }
  }
};

TEST(Plan, RandomGraphsMeanTheSameFusedThreadedOrNot) {
  Threads one(1), two(2);
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    RandomGraph r(seed);
    ASSERT_TRUE(r.graph.status()) << r.graph.status().error().message;
    PlanRun fused(r.graph, tensorsOf(r.inputs), two, true),
        plain(r.graph, tensorsOf(r.inputs), one, false);
    for (int round = 0; round < 3; ++round) {
      std::vector<Reference> want = evaluateReference(r.graph, r.inputs);
      for (PlanRun* run : {&fused, &plain}) {
        run->executor->run();
        for (size_t i = 0; i < r.outputs.size(); ++i)
          expectNear(run->outputs[i], want[r.outputs[i].id], 2e-6);
        for (const Assignment& a : r.graph.assignments()) {
          int32_t index = r.graph.nodes()[a.input].attrs.as<InputAttrs>().index;
          expectNear(run->inputs[index], want[a.value], 2e-6);
        }
        if (HasFatalFailure()) FAIL() << cat(run->executor->plan());
      }
      // The next round starts from what was assigned, and in the last from another parameter.
      for (const Assignment& a : r.graph.assignments())
        r.inputs[r.graph.nodes()[a.input].attrs.as<InputAttrs>().index].values =
            want[a.value].values;
      for (PlanRun* run : {&fused, &plain}) {
        for (size_t i = 0; i < r.inputs.size(); ++i) {
          if (round == 1 && i == 2) std::ranges::fill(r.inputs[i].values, 0.75);
          Tensor next = toTensor(r.inputs[i]);
          std::ranges::copy(next.span<float>(), run->inputs[i].span<float>().begin());
        }
        if (round == 1) run->executor->refresh();
      }
    }
  }
}

/// Chains read parts of an array where they lie; whoever else reads one has it in memory.
TEST(Plan, ReadsPartsInPlace) {
  for (bool isOutput : {false, true}) {
    Graph graph;
    Value x = graph.input({DType::kF32, {5, 8}}), row = graph.input({DType::kF32, {3, 8}});
    std::vector<Value> halves = split(x, 2, 1);
    Value one = slice(row, {.begin = {1, 2}, .size = {1, 4}});
    graph.output(sigmoid(halves[0]) * tanh(halves[1]) + one);
    if (isOutput) graph.output(halves[1]);
    Reference inX = draw({{DType::kF32, {5, 8}}, -1, 1}, 3),
              inRow = draw({{DType::kF32, {3, 8}}, -1, 1}, 4);
    Threads threads(2);
    PlanRun run(graph, tensorsOf({inX, inRow}), threads, true);
    EXPECT_EQ(run.executor->plan().steps.size(), isOutput ? 2u : 1u) << cat(run.executor->plan());
    run.executor->run();
    for (int i = 0; i < 20; ++i) {
      const double* at = &inX.values[i / 4 * 8 + i % 4];
      double want = std::tanh(at[4]) / (1 + std::exp(-at[0])) + inRow.values[8 + 2 + i % 4];
      EXPECT_NEAR(run.outputs[0].data<float>()[i], want, 1e-6) << i;
      if (isOutput) EXPECT_EQ(run.outputs[1].data<float>()[i], static_cast<float>(at[4])) << i;
    }
  }
}

TEST(Plan, WhatDependsOnParametersAloneIsComputedOnce) {
  Graph graph;
  Value x = graph.input({DType::kF32, {4, 3}}), w = graph.parameter({DType::kF32, {3}});
  Value scale = exp(w) * 2.0;
  graph.output(x * scale);
  Reference ones{{DType::kF32, {4, 3}}, std::vector<double>(12, 1.0)};
  Reference zeros{{DType::kF32, {3}}, std::vector<double>(3, 0.0)};
  Threads one(1);
  PlanRun run(graph, tensorsOf({ones, zeros}), one, true);
  const Plan& plan = run.executor->plan();
  EXPECT_EQ(plan.settledEnd - plan.settledBegin, 1) << cat(plan);
  run.executor->run();
  EXPECT_FLOAT_EQ(run.outputs[0].data<float>()[11], 2);
  std::ranges::fill(run.inputs[1].span<float>(), 1.0f);
  run.executor->run();
  EXPECT_FLOAT_EQ(run.outputs[0].data<float>()[11], 2);
  run.executor->refresh();
  run.executor->run();
  EXPECT_FLOAT_EQ(run.outputs[0].data<float>()[11], 2 * std::exp(1.0f));
}

/// y = relu(batchNorm(product + bias)) with everything but x a parameter.
struct Normalized {
  Graph graph;
  std::vector<Reference> inputs;
  Value y;

  Value add(const Shape& shape, bool isParameter, double lo = -1) {
    Type type{DType::kF32, shape};
    inputs.push_back(draw({type, lo, 1.5}, 40 + inputs.size()));
    return isParameter ? graph.parameter(type) : graph.input(type);
  }
  template <class F>
  Normalized(const Shape& x, const Shape& weights, F product, int32_t channels) {
    Value in = add(x, false), w = add(weights, true), bias = add({channels}, true);
    Value mean = add({channels}, true), variance = add({channels}, true, 0.5);
    Value offset = add({channels}, true), scale = add({channels}, true);
    Value statistics[] = {product(in, w) + bias, mean, variance, offset, scale};
    y = relu(emit(OpId::batchNorm, statistics, Attrs::of(BatchNormAttrs{})));
    graph.output(y);
  }
};

TEST(Plan, FoldsWhatFollowsAProductIntoItsWeights) {
  Threads two(2);
  auto check = [&](Normalized&& n) {
    ASSERT_TRUE(n.graph.status()) << n.graph.status().error().message;
    PlanRun run(n.graph, tensorsOf(n.inputs), two, true);
    const Plan& plan = run.executor->plan();
    ASSERT_EQ(static_cast<int32_t>(plan.steps.size()), plan.settledEnd + 1) << cat(plan);
    const Step& step = plan.steps.back();
    ASSERT_EQ(step.chain->instructions.size(), 2u) << cat(plan);
    EXPECT_EQ(step.chain->instructions[0].op, OpId::add);
    EXPECT_EQ(step.chain->instructions[1].op, OpId::relu);
    run.executor->run();
    expectNear(run.outputs[0], evaluateReference(n.graph, n.inputs)[n.y.id], 2e-6);
  };
  check({{2, 5, 6, 3}, {3, 3, 3, 7}, [](Value x, Value w) { return conv2d(x, w); }, 7});
  check({{2, 5, 6, 3}, {3, 3, 3, 2}, [](Value x, Value w) { return depthwiseConv2d(x, w); }, 6});
  check({{9, 5}, {5, 7}, [](Value x, Value w) { return matMul(x, w); }, 7});
  check({{9, 5}, {7, 5}, [](Value x, Value w) { return matMul(x, w, {.transposeB = true}); }, 7});
}

TEST(Plan, FoldsZerosAroundAnImageIntoTheConvolution) {
  Graph graph;
  Value x = graph.input({DType::kF32, {2, 5, 6, 3}}), w = graph.input({DType::kF32, {3, 3, 3, 4}});
  Value d = graph.input({DType::kF32, {2, 2, 4, 2}});
  Value padded = pad(x, {.paddings = {0, 0, 1, 0, 2, 1, 0, 0}});
  Value y = conv2d(padded, w, {.strides = {2, 2}, .padding = {Padding::kExplicit, 0, 2, 1, 0}});
  Value z = depthwiseConv2d(pad(y, {.paddings = {0, 0, 0, 1, 1, 0, 0, 0}}), d);
  // Not zeros, and channels that the filter would see.
  Value other = conv2d(pad(x, {.paddings = {0, 0, 1, 1, 1, 1, 0, 0}, .value = 1}), w);
  graph.output(z);
  graph.output(other);
  ASSERT_TRUE(graph.status()) << graph.status().error().message;
  std::vector<Reference> inputs;
  for (int32_t id : graph.inputs())
    inputs.push_back(draw({graph.nodes()[id].type, -1, 1.5}, 7 + id));
  Threads two(2);
  PlanRun run(graph, tensorsOf(inputs), two, true);
  run.executor->run();
  std::vector<Reference> want = evaluateReference(graph, inputs);
  expectNear(run.outputs[0], want[z.id], 2e-6);
  expectNear(run.outputs[1], want[other.id], 2e-6);
  EXPECT_EQ(std::ranges::count(run.executor->plan().steps, OpId::pad, &Step::op), 1)
      << cat(run.executor->plan());
}

TEST(Plan, ATrainingStepIsFewStepsAndUpdatesInPlace) {
  Graph graph;
  Value x = graph.input({DType::kF32, {16, 20}}), labels = graph.input({DType::kF32, {16, 4}});
  Value w1 = graph.input({DType::kF32, {20, 8}}), b1 = graph.input({DType::kF32, {8}});
  Value w2 = graph.input({DType::kF32, {8, 4}}), b2 = graph.input({DType::kF32, {4}});
  Value h = relu(matMul(x, w1) + b1);
  Value loss = mean(softmaxCrossEntropy(matMul(h, w2) + b2, labels));
  std::vector<Value> weights = {w1, b1, w2, b2};
  std::vector<Value> d = grad(loss, weights);
  for (size_t i = 0; i < weights.size(); ++i) graph.assign(weights[i], weights[i] - d[i] * 0.1);
  graph.output(loss);
  std::vector<Reference> values;
  for (size_t i = 0; i < graph.inputs().size(); ++i) {
    values.push_back(draw({graph.nodes()[graph.inputs()[i]].type, -0.5, 0.5}, 40 + i));
  }
  Threads two(2);
  PlanRun run(graph, tensorsOf(values), two, true);
  for (int step = 0; step < 5; ++step) {
    std::vector<Reference> want = evaluateReference(graph, values);
    run.executor->run();
    expectNear(run.outputs[0], want[loss.id], 1e-5);
    for (const Assignment& a : graph.assignments()) {
      int32_t index = graph.nodes()[a.input].attrs.as<InputAttrs>().index;
      values[index] = want[a.value];
      expectNear(run.inputs[index], values[index], 1e-5);
    }
    if (HasFatalFailure()) FAIL() << cat(run.executor->plan());
  }
  // Two products forward, three backward with bias, activation and update in their epilogues; no
  // copy anywhere.
  EXPECT_LE(run.executor->plan().steps.size(), 17u) << cat(run.executor->plan());
  for (const Step& step : run.executor->plan().steps) {
    EXPECT_FALSE(step.chain && step.op == OpId::kCount && step.chain->instructions.empty())
        << cat(run.executor->plan());
  }
}

TEST(Plan, ReusesMemory) {
  Graph graph;
  Value x = graph.input({DType::kF32, {64, 64}});
  Value y = x;
  for (int i = 0; i < 20; ++i) y = matMul(y, x) * (1.0 / 64);
  graph.output(y);
  auto plan = compile(graph);
  ASSERT_TRUE(plan);
  int64_t oneArray = 64 * 64 * 4;
  int64_t scratch = plan->steps[0].scratchBytes + plan->steps[0].tileBytes;
  EXPECT_LE(plan->arenaBytes, 2 * oneArray + scratch + 256)
      << "twenty products need two arrays and the scratch of one";
}

}  // namespace
}  // namespace fjord::testing
