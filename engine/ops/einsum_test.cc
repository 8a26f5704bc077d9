// Einstein's summation: which products it becomes, and equations that are none.
#include <gtest/gtest.h>

#include <algorithm>

#include "ir/graph.h"

namespace fjord {
namespace {

Graph& built(Graph& graph, std::string_view equation, std::initializer_list<Shape> shapes) {
  std::vector<Value> xs;
  for (const Shape& shape : shapes) xs.push_back(graph.input({DType::kF32, shape}));
  graph.output(einsum(xs, {.equation = equation}));
  return graph;
}
/// How many nodes of an op the summation takes.
int64_t countOf(OpId op, std::string_view equation, std::initializer_list<Shape> shapes) {
  Graph graph;
  EXPECT_TRUE(built(graph, equation, shapes).status()) << graph.status().error().message;
  return std::ranges::count(graph.nodes(), op, &Node::op);
}

TEST(Einsum, MovesNothingThatAProductReadsAsItLies) {
  for (std::string_view equation :
       {"ij,jk->ik", "ji,jk->ik", "ij,kj->ik", "ij,jk->ki", "bij,bjk->bik", "bij,bkj->bki"}) {
    std::initializer_list<Shape> shapes = {{6, 6}, {6, 6}}, batched = {{2, 6, 6}, {2, 6, 6}};
    bool isBatched = equation[0] == 'b';
    EXPECT_EQ(countOf(OpId::matMul, equation, isBatched ? batched : shapes), 1) << equation;
    EXPECT_EQ(countOf(OpId::transpose, equation, isBatched ? batched : shapes), 0) << equation;
  }
  // Heads before steps in both operands, and nothing after.
  EXPECT_EQ(countOf(OpId::transpose, "bthd,bshd->bhts", {{2, 5, 3, 4}, {2, 6, 3, 4}}), 2);
  EXPECT_EQ(countOf(OpId::matMul, "bi,bi->b", {{3, 50}, {3, 50}}), 0);
}

TEST(Einsum, SaysWhatAnEquationLacks) {
  auto errorOf = [](std::string_view equation, std::initializer_list<Shape> shapes) {
    Graph graph;
    built(graph, equation, shapes);
    std::string message = graph.status() ? "" : graph.status().error().message;
    return message.substr(0, message.find(" (inputs"));
  };
  Shape matrix{2, 3};
  EXPECT_EQ(errorOf("ij,jk", {matrix, matrix}),
            "einsum: the equation must have one ->, as in \"ij,jk->ik\", got \"ij,jk\"");
  EXPECT_EQ(errorOf("ij->ij", {matrix, matrix}),
            "einsum: the equation \"ij->ij\" is of 1 arrays, got 2");
  EXPECT_EQ(errorOf("ijk->i", {matrix}),
            "einsum: the equation \"ijk->i\": \"ijk\" stands for an array of 2 axes");
  EXPECT_EQ(errorOf("ii->i", {{3, 3}}), "einsum: the equation \"ii->i\": names i twice in \"ii\"");
  EXPECT_EQ(errorOf("ij->ik", {matrix}),
            "einsum: the equation \"ij->ik\": no array has the axis k");
  EXPECT_EQ(errorOf("ij,jk->ik", {matrix, {4, 3}}),
            "einsum: the equation \"ij,jk->ik\": the axis j is of size 3 and of size 4");
  EXPECT_EQ(errorOf("i1->i", {matrix}),
            "einsum: the equation \"i1->i\": axes are named by letters, or are one \"...\", got "
            "\"i1\"");
  EXPECT_EQ(errorOf("...i->i", {matrix}),
            "einsum: the equation \"...i->i\": the result must have the axes of \"...\", too");
  EXPECT_EQ(
      errorOf("...i,...i->...", {{2, 3}, {4, 3}}),
      "einsum: the equation \"...i,...i->...\": an axis of \"...\" is of size 2 and of size 4");
}

}  // namespace
}  // namespace fjord
