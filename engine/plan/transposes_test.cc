// Transposes that meet their inverses are gone, and what is computed is what the graph says.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "run/cpu.h"
#include "testing/reference.h"

namespace fjord::testing {
namespace {

constexpr Shape kLast{0, 2, 3, 1}, kFirst{0, 3, 1, 2};

Value last(Value x) { return transpose(x, {.perm = kLast}); }
Value first(Value x) { return transpose(x, {.perm = kFirst}); }

/// A graph of inputs with values.
struct Trial {
  Graph graph;
  std::vector<Reference> references;

  Value input(const Shape& shape) {
    references.push_back(draw(floats(shape), 100 + references.size()));
    return graph.input(references.back().type);
  }
  /// How many steps transpose, once it was seen that all outputs are right.
  int transposes() {
    EXPECT_TRUE(graph.status()) << graph.status().error().message;
    Threads threads;
    std::vector<Tensor> tensors;
    for (const Reference& r : references) tensors.push_back(toTensor(r));
    auto got = evaluate(graph, tensors, threads);
    EXPECT_TRUE(got) << got.error().message;
    std::vector<Reference> want = evaluateReference(graph, references);
    for (size_t i = 0; i < got->size(); ++i) {
      const Reference& w = want[graph.outputs()[i]];
      EXPECT_EQ(cat((*got)[i].type()), cat(w.type));
      for (int64_t k = 0; k < (*got)[i].size(); ++k)
        EXPECT_NEAR((*got)[i].data<float>()[k], w.values[k], 1e-5 * (1 + std::fabs(w.values[k])));
    }
    auto plan = compile(graph);
    EXPECT_TRUE(plan);
    return static_cast<int>(std::ranges::count(plan->steps, OpId::transpose, &Step::op));
  }
};

TEST(Transposes, OfLayersThatFollowOneAnotherAreGone) {
  Trial t;
  Value x = t.input({2, 3, 5, 4}), v = t.input({3, 3, 3, 4}), w = t.input({1, 1, 4, 3});
  Value h = relu(first(conv2d(last(x), v)));
  t.graph.output(tanh(first(conv2d(last(h), w))) * 2.0);
  EXPECT_EQ(t.transposes(), 2);
}

TEST(Transposes, MeetBehindWhatJoinsAndCuts) {
  Trial t;
  Value x = t.input({2, 3, 4, 4}), bias = t.input({3, 1, 1}), row = t.input({4});
  Value a = first(tanh(last(x))), b = first(square(last(x)));
  Value joined = concat({{a, b + bias, a - b * row}}, {.axis = 1});
  Value cut = slice(joined, {.begin = {0, 2, 1, 0}, .size = {2, 5, 3, 4}});
  Value padded = pad(cut, {.paddings = {0, 0, 1, 0, 0, 2, 3, 0}});
  t.graph.output(last(padded));
  // Of the inputs x and the row along the width; the row is of one axis, and needs none.
  EXPECT_EQ(t.transposes(), 1);
}

TEST(Transposes, ThatAreOneAfterTheOtherAreOne) {
  Trial t;
  Value x = t.input({2, 3, 4, 5});
  t.graph.output(transpose(transpose(x, {.perm = {3, 1, 0, 2}}), {.perm = {1, 0, 3, 2}}));
  t.graph.output(transpose(transpose(x, {.perm = {}}), {.perm = {}}));
  EXPECT_EQ(t.transposes(), 1);
}

TEST(Transposes, AnOperandWithoutOneGetsItsInverse) {
  Trial t;
  Value x = t.input({2, 3, 4, 5}), mask = t.input({2, 5, 3, 4});
  Value h = first(sigmoid(x)) * mask;
  t.graph.output(last(h + 1.0));
  EXPECT_EQ(t.transposes(), 1);
}

TEST(Transposes, StayWhereMoreWouldHaveToBeMoved) {
  Trial t;
  // Both the sum of its columns and the product want the transposed one; before it there is nothing to meet.
  Value x = t.input({6, 7}), w = t.input({6, 3});
  Value y = transpose(x, {.perm = {1, 0}});
  t.graph.output(matMul(y, w));
  t.graph.output(matMul(exp(y), w));
  EXPECT_EQ(t.transposes(), 1);
}

TEST(Transposes, OfGradientsMeetToo) {
  Trial t;
  Value x = t.input({2, 3, 6, 5}), v = t.input({3, 3, 3, 4}), w = t.input({3, 3, 4, 2});
  Value h = relu(first(conv2d(last(x), v)));
  Value y = first(conv2d(last(h), w));
  for (Value d : grad(mean(y * y), {{v, w}})) t.graph.output(d);
  // Of six at least, and those of the gradients. That of the images stays.
  EXPECT_LE(t.transposes(), 2);
}

TEST(Transposes, OfWhatIsAssigned) {
  Trial t;
  Value x = t.input({2, 3, 4, 5}), kept = t.input({2, 3, 4, 5});
  Value h = first(exp(last(x)));
  t.graph.assign(kept, h);
  t.graph.output(last(h));
  EXPECT_EQ(t.transposes(), 1);
}

}  // namespace
}  // namespace fjord::testing
