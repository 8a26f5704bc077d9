// Graphs of thousands of nodes: planning takes time about linear in them, which is seen by counting
// what the planner looks at, and the plans are right.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "run/cpu.h"
#include "testing/reference.h"

namespace fjord::testing {
namespace {

/// A training step of some depth: loss, weights, their new values.
struct Training {
  Graph graph;
  std::vector<Value> weights;
  Value loss;

  Value weight(const Shape& shape) {
    weights.push_back(graph.input({DType::kF32, shape}));
    return weights.back();
  }
  void finish(Value y) {
    loss = mean(square(y));
    std::vector<Value> d = grad(loss, weights);
    for (size_t i = 0; i < d.size(); ++i) graph.assign(weights[i], weights[i] - d[i] * 0.01);
    graph.output(loss);
  }
};

/// Each layer with the input added, so that a value is alive after thousands of them.
struct Dense : Training {
  explicit Dense(int layers) {
    Value x = graph.input({DType::kF32, {8, 16}});
    for (int i = 0; i < layers; ++i)
      x = x + relu(matMul(x, weight({16, 16})) + weight({16})) * (1.0 / layers);
    finish(x);
  }
};

struct Lstm : Training {
  Lstm(int steps, int32_t batch, int32_t units) {
    Value x = graph.input({DType::kF32, {batch, steps, units}});
    Value w = weight({units, 4 * units}), r = weight({units, 4 * units}), b = weight({4 * units});
    Value h = broadcastTo(graph.constant(0), {.shape = {batch, units}}), c = h;
    for (int t = 0; t < steps; ++t) {
      Value now = slice(x, {.begin = {0, t, 0}, .size = {batch, 1, units}});
      now = reshape(now, {.shape = {batch, units}});
      std::vector<Value> gates = split(matMul(now, w) + matMul(h, r) + b, 4, 1);
      c = sigmoid(gates[1]) * c + sigmoid(gates[0]) * tanh(gates[2]);
      h = sigmoid(gates[3]) * tanh(c);
    }
    finish(h);
  }
};

void expectRight(const Graph& graph, double tolerance) {
  ASSERT_TRUE(graph.status()) << graph.status().error().message;
  std::vector<Reference> values;
  std::vector<Tensor> inputs;
  for (int32_t id : graph.inputs()) {
    values.push_back(draw({graph.nodes()[id].type, -0.5, 0.5}, 40 + values.size()));
    inputs.push_back(toTensor(values.back()));
  }
  std::vector<Reference> want = evaluateReference(graph, values);
  Threads two(2);
  auto plan = compile(graph, {.threads = 2});
  ASSERT_TRUE(plan) << plan.error().message;
  auto executor = Executor::make(std::move(*plan), two);
  ASSERT_TRUE(executor) << executor.error().message;
  for (size_t i = 0; i < inputs.size(); ++i)
    executor->bindInput(static_cast<int>(i), inputs[i].view().data);
  Tensor loss = *Tensor::zeros({DType::kF32, {}});
  executor->bindOutput(0, loss.view().data);
  executor->run();
  EXPECT_NEAR(loss.data<float>()[0], want[graph.outputs()[0]].values[0],
              tolerance * want[graph.outputs()[0]].values[0]);
  for (const Assignment& a : graph.assignments()) {
    const Tensor& got = inputs[graph.nodes()[a.input].attrs.as<InputAttrs>().index];
    for (int64_t i = 0; i < got.size(); ++i)
      ASSERT_NEAR(got.data<float>()[i], want[a.value].values[i], tolerance) << a.input << ' ' << i;
  }
}

TEST(Deep, ThreeThousandLayersTrain) { expectRight(Dense(3000).graph, 1e-4); }

TEST(Deep, AnUnrolledLstmTrains) { expectRight(Lstm(512, 2, 4).graph, 1e-4); }

TEST(Deep, PlanningGrowsWithTheNumberOfNodes) {
  for (PlanOptions::Target target : {PlanOptions::kCpu, PlanOptions::kGpu}) {
    auto looksPerNode = [&](const Graph& graph) {
      auto plan = compile(graph, {.target = target, .mostArrays = target ? 8 : 0});
      EXPECT_TRUE(plan) << plan.error().message;
      return static_cast<double>(plan->looks) / static_cast<double>(graph.nodes().size());
    };
    // Were it the square, four times as many layers would be four times as many looks at each node.
    EXPECT_LT(looksPerNode(Dense(2000).graph), 2 * looksPerNode(Dense(500).graph));
    EXPECT_LT(looksPerNode(Lstm(512, 2, 4).graph), 2 * looksPerNode(Lstm(128, 2, 4).graph));
  }
}

/// Groups as a brute-force judge sees them.
struct Judge {
  const Liveness& liveness;
  const Graph& graph;
  std::vector<int> groupOf;
  std::vector<std::vector<bool>> reaches;  // group -> groups that must run after it

  Judge(const Liveness& l, const std::vector<Group>& groups)
      : liveness(l), graph(l.graph()), groupOf(graph.nodes().size(), -1) {
    size_t n = groups.size();
    reaches.assign(n, std::vector<bool>(n, false));
    for (size_t g = 0; g < n; ++g) {
      for (int32_t node : groups[g].nodes) {
        EXPECT_EQ(groupOf[node], -1) << "node " << node << " is in two groups";
        groupOf[node] = static_cast<int>(g);
      }
    }
    // Through views and broadcasts that no step makes, node by node.
    for (size_t id = 0; id < graph.nodes().size(); ++id) {
      if (groupOf[id] >= 0) addReads(static_cast<int32_t>(id), groupOf[id]);
    }
    for (size_t via = 0; via < n; ++via) {
      for (size_t from = 0; from < n; ++from) {
        for (size_t to = 0; to < n && reaches[from][via]; ++to)
          if (reaches[via][to]) reaches[from][to] = true;
      }
    }
  }
  void addReads(int32_t node, int group) {
    for (int32_t input : graph.nodes()[node].inputs) {
      int from = groupOf[input];
      if (from < 0) addReads(input, group);
      if (from >= 0 && from != group) reaches[from][group] = true;
    }
  }
};

/// Elementwise nodes of one shape over each other, with reductions and products between them: groups
/// merge often, and often must not.
struct Tangle {
  Graph graph;
  explicit Tangle(uint64_t seed) {
    Random random(seed);
    std::vector<Value> values;
    for (int i = 0; i < 3; ++i) values.push_back(graph.input({DType::kF32, {4, 4}}));
    for (int i = 0; i < 120; ++i) {
      // Mostly what is new, so that it is deep; sometimes what is old, so that paths meet.
      auto pick = [&] {
        uint32_t n = static_cast<uint32_t>(values.size());
        return values[random.below(3) ? n - 1 - random.below(std::min(n, 8u)) : random.below(n)];
      };
      Value a = pick(), b = pick();
      switch (random.below(8)) {
        case 0:
          values.push_back(matMul(a, b));
          break;
        case 1:
          values.push_back(a - mean(b, {.axes = {-1}, .keepDims = true}));
          break;
        case 2:
          values.push_back(transpose(a) * b);
          break;
        case 3:
          values.push_back(reshape(tanh(reshape(a, {.shape = {16}})), {.shape = {4, 4}}));
          break;
        default:
          values.push_back(tanh(a + b * 0.5));
          break;
      }
    }
    for (int i = 0; i < 5; ++i) graph.output(values[values.size() - 1 - random.below(60)]);
  }
};

TEST(Fuse, MergesOnlyWhatCanRunTogether) {
  size_t merged = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Tangle tangle(seed);
    ASSERT_TRUE(tangle.graph.status()) << tangle.graph.status().error().message;
    Liveness liveness(tangle.graph);
    for (int mostArrays : {0, 6}) {
      int64_t looks = 0;
      std::vector<Group> groups = fuse(liveness, {.mostArrays = mostArrays}, looks);
      Judge judge(liveness, groups);
      for (size_t a = 0; a < groups.size(); ++a) {
        merged += groups[a].nodes.size() - 1;
        for (size_t b = 0; b <= a; ++b)
          ASSERT_FALSE(judge.reaches[a][b])
              << "seed " << seed << ": group " << a << " before " << b;
      }
    }
  }
  EXPECT_GT(merged, 5000u);
}

TEST(Fuse, AChainSeesItsOwnBroadcastThroughAReshape) {
  Graph graph;
  Value x = graph.input({DType::kF32, {4, 4}}), column = graph.input({DType::kF32, {4, 1}});
  Value wide = broadcastTo(column, {.shape = {4, 4}});
  Value again = reshape(reshape(wide, {.shape = {16}}), {.shape = {4, 4}});
  graph.output(wide * x + again * 0.5);
  Tensor inputs[] = {*Tensor::zeros({DType::kF32, {4, 4}}), *Tensor::zeros({DType::kF32, {4, 1}})};
  for (int i = 0; i < 16; ++i) inputs[0].data<float>()[i] = static_cast<float>(i);
  for (int i = 0; i < 4; ++i) inputs[1].data<float>()[i] = static_cast<float>(1 << i);
  Threads one(1);
  auto got = evaluate(graph, inputs, one);
  ASSERT_TRUE(got) << got.error().message;
  for (int i = 0; i < 16; ++i)
    EXPECT_EQ((*got)[0].data<float>()[i], static_cast<float>((1 << i / 4) * (i + 0.5))) << i;
}

}  // namespace
}  // namespace fjord::testing
