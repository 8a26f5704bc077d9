// Arrays that a graph has within it.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "ir/graph.h"
#include "run/cpu.h"

namespace fjord {
namespace {

Tensor numbers(const Shape& shape) {
  Tensor t = *Tensor::zeros({DType::kF32, shape});
  Random random(5);
  for (float& v : t.span<float>()) v = random.normal();
  return t;
}

/// Kernels are packed before they are multiplied by, whether they are a constant or an input. Each graph is alone, so
/// that none finds what another has packed.
TEST(Constants, AreKernelsAsInputsAre) {
  Threads threads;
  Tensor rows = numbers({64, 40}), matrix = numbers({40, 48}), image = numbers({2, 1, 90, 1}),
         kernel = numbers({1, 32, 1, 17});
  Conv2DAttrs attrs{{1, 4}, {1, 1}, {Padding::kValid}, 1};
  auto product = [](Value x, Value y) { return matMul(x, y); };
  auto convolved = [&](Value x, Value y) { return conv2d(x, y, attrs); };
  auto ofView = [&](Value x, Value y) {
    return conv2d(x, reshape(y, {.shape = {1, 32, 1, 17}}), attrs);
  };
  auto compare = [&](const Tensor& x, const Tensor& y, auto op) {
    Graph constant, input;
    constant.output(op(constant.input(x.type()), constant.array(y)));
    Value a = input.input(x.type()), b = input.input(y.type());
    input.output(op(a, b));
    auto got = evaluate(constant, {{x}}, threads), want = evaluate(input, {{x, y}}, threads);
    ASSERT_TRUE(got && want);
    EXPECT_TRUE(std::ranges::equal((*got)[0].span<float>(), (*want)[0].span<float>()));
  };
  compare(rows, matrix, product);
  compare(image, kernel, convolved);
  compare(image, numbers({32, 17}), ofView);
}

}  // namespace
}  // namespace fjord
