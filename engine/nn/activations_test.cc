// Sparsemax by what it is, the nearest point of the probability simplex; the other activations stand
// against Keras in golden_layers_test.cc.
#include "nn/activations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "ir/graph.h"
#include "run/cpu.h"

namespace fjord {
namespace {

/// The projection by bisection: y = max(z - t, 0) for the t with which y adds up to 1.
std::vector<double> projected(const std::vector<double>& z) {
  double low = *std::ranges::min_element(z) - 1, high = *std::ranges::max_element(z);
  std::vector<double> y(z.size());
  for (int i = 0; i < 100; ++i) {
    double t = (low + high) / 2, total = 0;
    for (size_t k = 0; k < z.size(); ++k) total += y[k] = std::max(z[k] - t, 0.0);
    (total > 1 ? low : high) = t;
  }
  return y;
}

TEST(Activations, SparsemaxProjectsToTheSimplex) {
  constexpr int kRowsOfData = 40, kClasses = 7;
  Graph graph;
  Value x = graph.input({DType::kF32, {kRowsOfData, kClasses}});
  Value dy = graph.input(x.type());
  Value y = activate(x, "sparsemax");
  graph.output(y);
  Value xs[] = {x};
  graph.output(grad(y, xs, dy)[0]);
  ASSERT_TRUE(graph.status()) << graph.status().error().message;

  Random random(5);
  Tensor z = *Tensor::empty(x.type()), weights = *Tensor::empty(x.type());
  for (float& v : z.span<float>()) v = random.normal();
  for (float& v : weights.span<float>()) v = random.normal();
  // Equal numbers, and one that wins by far.
  std::fill_n(z.data<float>(), kClasses, 0.5f);
  z.data<float>()[kClasses + 3] = 9;
  Threads threads(1);
  auto got = evaluate(graph, std::vector{z, weights}, threads);
  ASSERT_TRUE(got) << got.error().message;
  for (int row = 0; row < kRowsOfData; ++row) {
    std::vector<double> in(z.data<float>() + row * kClasses,
                           z.data<float>() + (row + 1) * kClasses);
    std::vector<double> want = projected(in);
    for (int i = 0; i < kClasses; ++i) {
      EXPECT_NEAR((*got)[0].data<float>()[row * kClasses + i], want[i], 1e-6);
      // The derivative of the sum that dy weighs, by central differences.
      double slope = 0;
      for (double h : {1e-5, -1e-5}) {
        std::vector<double> moved = in;
        moved[i] += h;
        std::vector<double> there = projected(moved);
        for (int k = 0; k < kClasses; ++k)
          slope += weights.data<float>()[row * kClasses + k] * there[k] / (2 * h);
      }
      EXPECT_NEAR((*got)[1].data<float>()[row * kClasses + i], slope, 1e-4) << row << " " << i;
    }
  }
}

}  // namespace
}  // namespace fjord
