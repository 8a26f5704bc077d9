// Graphs written as JSON and read back are equal; what is not such a graph is refused in words.
#include "ir/graph_json.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ir/loop.h"
#include "run/cpu.h"
#include "testing/reference.h"

namespace fjord::testing {
namespace {

/// Through the text, as a file would have it.
void expectTheSame(const Graph& graph) {
  ASSERT_TRUE(graph.status()) << graph.status().error().message;
  std::string text = jsonText(toJson(graph));
  Graph back;
  Status read = readGraph(*parseJson(text), back);
  ASSERT_TRUE(read) << read.error().message << "\n" << text;
  EXPECT_TRUE(back == graph) << text;
  EXPECT_EQ(jsonText(toJson(back)), text);
}

TEST(GraphJson, OfEveryOpAndItsGradient) {
  int graphs = 0;
  for (const NamedChecks& named : opChecks()) {
    for (const Case& k : named.checks->cases()) {
      SCOPED_TRACE(cat(opInfo(named.op).name, ", ", k.name));
      Graph graph;
      std::vector<Value> in, xs;
      for (const Input& input : k.in) {
        in.push_back(graph.input(input.type));
        if (input.type.dtype == DType::kF32) xs.push_back(in.back());
      }
      Value y = emit(named.op, in, k.attrs);
      graph.output(y);
      bool hasGradient = y.dtype() == DType::kF32 && !xs.empty() &&
                         (opGradient(named.op).grad || opInfo(named.op).kind == OpKind::kComposed);
      if (hasGradient) {
        for (Value d : grad(y, xs)) graph.output(d);
      }
      expectTheSame(graph);
      ++graphs;
    }
  }
  EXPECT_GT(graphs, 100);
}

TEST(GraphJson, OfEveryElementwiseRow) {
  for (const RowChecks& row : rowChecks()) {
    SCOPED_TRACE(opInfo(row.op).name);
    Graph graph;
    std::vector<Value> in;
    for (int i = 0; i < row.arity; ++i) {
      bool condition = row.kind == RowKind::kLogic || (row.kind == RowKind::kSelect && i == 0);
      bool integers = row.kind == RowKind::kBits;
      in.push_back(graph.input({condition  ? DType::kBool
                                : integers ? DType::kI32
                                           : DType::kF32,
                                {3, 2}}));
    }
    graph.output(cast(emit(row.op, in, {}), DType::kI32));
    expectTheSame(graph);
  }
}

TEST(GraphJson, OfNumbersThatJsonHasNot) {
  Graph graph;
  Value x = graph.parameter({DType::kF32, {2}});
  for (double v : {0.1, -0.0, 1e-45, 3.4e38, HUGE_VAL, -HUGE_VAL, std::nan("")})
    graph.output(x + graph.constant(v));
  graph.output(
      randomUniform(graph.input({DType::kI32, {4}}), {.shape = {2}, .low = -0.1f, .high = 1e-7f}));
  graph.output(cast(x, DType::kI32) + graph.constant(-7, DType::kI32));
  graph.output(pad(x, {.paddings = {1, 2}, .value = -HUGE_VALF}));
  expectTheSame(graph);
}

Graph& withArray(Graph& graph, const Tensor& values) {
  graph.output(graph.array(values) + graph.input(values.type()));
  return graph;
}

TEST(GraphJson, OfArraysToTheBit) {
  for (int n : {0, 1, 2, 3, 4, 64}) {
    std::vector<float> values;
    for (int i = 0; i < n; ++i) values.push_back(std::sqrt(static_cast<float>(i)) - 1);
    if (n > 2) values[1] = std::nanf("7");
    Graph floats, ints;
    expectTheSame(withArray(floats, *Tensor::of({n}, std::span<const float>(values))));
    std::vector<int32_t> whole(n, -5);
    expectTheSame(withArray(ints, *Tensor::of({n}, std::span<const int32_t>(whole))));
  }
}

TEST(GraphJson, OfLoopsAndAssignments) {
  Graph graph;
  Value xs = graph.input({DType::kF32, {4, 3}}), w = graph.parameter({DType::kF32, {3}});
  Value h0 = graph.input({DType::kF32, {3}});
  LoopBuilder loop(graph, 4);
  Value x = loop.scan(xs, true), h = loop.carry(h0);
  LoopBuilder inner(loop.body(), 2);
  Value c = inner.carry(h);
  inner.next(c, tanh(c * w + x));
  Value next = inner.finish()[0];
  loop.next(h, next);
  loop.collect(next * x, true);
  std::vector<Value> r = loop.finish();
  graph.output(r[1]);
  for (Value d : grad(sum(r[1]), {{xs, w}})) graph.output(d);
  graph.assign(h0, r[0]);
  expectTheSame(graph);
}

TEST(GraphJson, RefusesWhatIsNoGraph) {
  auto errorOf = [](std::string_view text) {
    Graph graph;
    Status read = readGraph(*parseJson(text), graph);
    return read ? std::string() : read.error().message;
  };
  constexpr std::string_view kInput =
      R"({"op": "input", "type": {"dtype": "float32", "shape": [2, 3]}})";
  auto withNode = [&](std::string_view node) {
    return errorOf(cat(R"({"nodes": [)", kInput, ", ", node, "]}"));
  };
  EXPECT_EQ(errorOf("[]"), "graph: nodes must be a list");
  EXPECT_EQ(errorOf(R"({"nodes": [1]})"), "graph: node 0: there is no such op: null");
  EXPECT_EQ(errorOf(R"({"nodes": [{"op": "fly"}]})"),
            "graph: node 0: there is no such op: \"fly\"");
  EXPECT_EQ(errorOf(R"({"nodes": [{"op": "input", "type": {"dtype": "int8", "shape": []}}]})"),
            R"(graph: node 0: dtype must be "float32", "int32" or "bool")");
  EXPECT_EQ(errorOf(R"({"nodes": [{"op": "input", "type": {"dtype": "bool", "shape": [-1]}}]})"),
            "graph: node 0: must be from 0 to 2147483647");
  EXPECT_EQ(withNode(R"({"op": "relu"})"), "graph: node 1: must be a list of whole numbers");
  EXPECT_EQ(withNode(R"({"op": "concat", "inputs": []})"), "graph: node 1: concat needs inputs");
  EXPECT_EQ(withNode(R"({"op": "relu", "inputs": [1]})"), "graph: node 1: must be from 0 to 0");
  EXPECT_EQ(withNode(R"({"op": "relu", "inputs": [0, 0]})"),
            "relu: needs 1 inputs, got 2 (inputs: float32[2,3], float32[2,3])");
  EXPECT_EQ(withNode(R"({"op": "matMul", "inputs": [0, 0], "attrs": {"transposeC": true}})"),
            "graph: node 1: attrs has what the op has not");
  EXPECT_EQ(withNode(R"({"op": "matMul", "inputs": [0, 0], "attrs": {"transposeB": 1}})"),
            "graph: node 1: transposeB must be true or false");
  EXPECT_EQ(withNode(R"({"op": "matMul", "inputs": [0, 0]})"),
            "matMul: the inner dimensions differ: 3 and 2 (inputs: float32[2,3], float32[2,3])");
  EXPECT_EQ(withNode(R"({"op": "reshape", "inputs": [0], "attrs": {"shape": [2, 3]}})"),
            "graph: node 1: another node computes the same");
  EXPECT_EQ(withNode(R"({"op": "dropout", "inputs": [0, 0]})"),
            "graph: node 1: dropout is made of other ops: it is no node");
  EXPECT_EQ(
      withNode(R"({"op": "array", "type": {"dtype": "bool", "shape": [1]}, "base64": "AgAAAA=="})"),
      "graph: node 1: a bool is 0 or 1");
  EXPECT_EQ(
      withNode(R"({"op": "array", "type": {"dtype": "bool", "shape": [1]}, "base64": "AQAA*A=="})"),
      "graph: node 1: base64 has other characters");
  EXPECT_EQ(withNode(R"({"op": "loop", "inputs": [0], "attrs": {"trips": 2}})"),
            "graph: node 1: body: is missing");
  EXPECT_EQ(withNode(R"({"op": "result", "inputs": [0], "attrs": {"index": 0}})"),
            "result: the node has 0 results, number 0 is none of them (inputs: float32[2,3])");
  // What is carried must not be what packed weights are made of.
  EXPECT_EQ(
      withNode(
          R"({"op": "loop", "inputs": [0], "attrs": {"trips": 2, "inputs": [1], "reversed": [], "body":
      {"nodes": [{"op": "input", "type": {"dtype": "float32", "shape": [2, 3]}, "isParameter": true}],
       "outputs": [], "assignments": [[0, 0]]}}})"),
      "loop: what is captured, and nothing else, is a parameter of the body (inputs: "
      "float32[2,3])");
  EXPECT_EQ(errorOf(cat(R"({"nodes": [)", kInput, R"(], "outputs": [1]})")), "must be from 0 to 0");
}

// ---- attributes

struct Described {
  std::string name;
  std::vector<int32_t> list;
  float scale = 1;
};
template <class F>
void visitAttrs(Described& a, F&& f) {
  f("name", a.name);
  f("list", a.list);
  f("scale", a.scale);
}

TEST(Attrs, WithTextsAndListsAreComparedByField) {
  Described one{"axis", {1, 2}, 0.5f};
  Attrs a = Attrs::of(one), b = Attrs::of(one);
  EXPECT_TRUE(a == b);
  EXPECT_EQ(a.hash(kHashStart), b.hash(kHashStart));
  EXPECT_EQ(a.as<Described>().list[1], 2);
  for (const Described& other : {Described{"axes", {1, 2}, 0.5f},
                                 {"axis", {1, 2, 0}, 0.5f},
                                 {"axis", {2, 1}, 0.5f},
                                 {"axis", {1, 2}, -0.5f}}) {
    Attrs c = Attrs::of(other);
    EXPECT_FALSE(a == c);
    EXPECT_NE(a.hash(kHashStart), c.hash(kHashStart));
  }
  EXPECT_FALSE(Attrs::of(Described{"", {}, 0.0f}) == Attrs::of(Described{"", {}, -0.0f}));
}

// ---- arrays in graphs

TEST(Array, IsPartOfAPlan) {
  Graph graph;
  float numbers[] = {1, 2, 3, 4, 5, 6}, others[] = {1, 2, 3, 4, 5, 7};
  Tensor table = *Tensor::of({3, 2}, std::span<const float>(numbers));
  Value a = graph.array(table);
  // Equal arrays are one node, whosever memory they are in.
  EXPECT_EQ(a, graph.array(*table.copy()));
  EXPECT_NE(a, graph.array(*Tensor::of({3, 2}, std::span<const float>(others))));
  Value x = graph.input({DType::kF32, {5, 3}});
  int32_t row = 1;
  Value y =
      matMul(x, a) + gather(a, graph.array(*Tensor::of({1}, std::span<const int32_t>(&row, 1))));
  graph.output(y);
  graph.output(a);
  graph.output(reshape(a, {.shape = {6}}));
  for (Value d : grad(sum(y * y), {{x}})) graph.output(d);
  std::vector<Reference> in{draw({x.type(), -1, 1}, 4)};
  std::vector<Reference> want = evaluateReference(graph, in);
  Threads threads(2);
  std::vector<Tensor> inputs{toTensor(in[0])};
  auto got = evaluate(graph, inputs, threads);
  ASSERT_TRUE(got) << got.error().message;
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    const Reference& r = want[graph.outputs()[i]];
    for (size_t k = 0; k < r.values.size(); ++k)
      EXPECT_NEAR((*got)[i].data<float>()[k], r.values[k], 1e-4) << i;
  }
}

/// What depends on constants alone runs once.
TEST(Array, IsSettled) {
  Graph graph;
  std::vector<float> numbers(64 * 64, 0.5f);
  Value w = graph.array(*Tensor::of({64, 64}, std::span<const float>(numbers)));
  graph.output(matMul(graph.input({DType::kF32, {32, 64}}), w * 2));
  Plan plan = *compile(graph);
  EXPECT_EQ(plan.settledEnd - plan.settledBegin, 2) << cat(plan);  // the product by 2, and packing
  EXPECT_TRUE(std::ranges::any_of(plan.steps, &Step::prepares));
}

}  // namespace
}  // namespace fjord::testing
