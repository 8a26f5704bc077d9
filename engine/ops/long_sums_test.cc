// Sums of very many numbers, op by op. All numbers are alike, so that what is right follows by
// arithmetic, and so that errors of one float32 accumulator do not cancel: they grow with the number of
// terms, up to some percent.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "run/cpu.h"

namespace fjord {
namespace {

// 0.1, as a float has it.
constexpr double kTenth = 0.1f;
// Sums of 512 of these are exact, so that products, which add up 512 terms in registers, show how they
// add up what these give.
constexpr double kAboveOne = 1 + 1.0 / (1 << 15);

/// The inputs of one row, all filled with one number.
struct Inputs {
  Graph graph;
  float fill;
  std::vector<Tensor> tensors;

  Value floats(const Shape& shape) {
    tensors.push_back(*Tensor::empty({DType::kF32, shape}));
    std::fill_n(tensors.back().data<float>(), shape.size(), fill);
    return graph.input(tensors.back().type());
  }
  Value ints(const Shape& shape, int32_t value) {
    tensors.push_back(*Tensor::empty({DType::kI32, shape}));
    std::fill_n(tensors.back().data<int32_t>(), shape.size(), value);
    return graph.input(tensors.back().type());
  }
};

struct Row {
  const char* name;
  double fill;
  Value (*make)(Inputs&);
  /// Element i of the result.
  double (*expected)(int64_t i);
  double bound;  // of the relative error
};

constexpr Padding kValid = {};

/// Two million times 0, and a 5.
Value zerosAndFive(Inputs& in) {
  return concat({{in.floats({2'000'000}) * 0.0, in.floats({1}) * 0.0 + 5.0}}, {.axis = 0});
}

/// Windows of 4000 over a row of 8000 pixels of 2 channels: how many of them see pixel i / 2.
double windowsOver(int64_t i) {
  int64_t at = i / 2;
  return static_cast<double>(std::min<int64_t>({4000, at + 1, 8000 - at}));
}

const Row kRows[] = {
    {"sum of all", kTenth, [](Inputs& in) { return sum(in.floats({4'000'000}), {}); },
     [](int64_t) { return kTenth * 4e6; }, 1e-6},
    {"mean down rows", kTenth,
     [](Inputs& in) { return mean(in.floats({300'000, 11}), {.axes = {0}}); },
     [](int64_t) { return kTenth; }, 1e-6},
    {"mean along rows", kTenth,
     [](Inputs& in) { return mean(in.floats({3, 1'000'003}), {.axes = {1}}); },
     [](int64_t) { return kTenth; }, 1e-6},
    {"mean of short pieces", kTenth,
     [](Inputs& in) { return mean(in.floats({400'000, 2, 3}), {.axes = {0, 2}}); },
     [](int64_t) { return kTenth; }, 1e-6},
    {"mean of columns in pieces", kTenth,
     [](Inputs& in) { return mean(in.floats({1000, 2, 300, 5}), {.axes = {0, 2}}); },
     [](int64_t) { return kTenth; }, 1e-6},
    {"sum of int32", 0, [](Inputs& in) { return sum(in.ints({4'000'001}, 3), {}); },
     [](int64_t) { return 12'000'003.0; }, 0},
    {"cumsum of a vector", kTenth, [](Inputs& in) { return cumsum(in.floats({2'000'000}), {}); },
     [](int64_t i) { return kTenth * static_cast<double>(i + 1); }, 1e-6},
    {"cumsum of columns", kTenth,
     [](Inputs& in) { return cumsum(in.floats({100'000, 20}), {.reverse = true}); },
     [](int64_t i) {
       int64_t row = i / 20;
       return kTenth * static_cast<double>(100'000 - row);
     },
     1e-6},
    {"softmax", kTenth,
     [](Inputs& in) { return slice(softmax(zerosAndFive(in), {}), {.begin = {0}, .size = {5}}); },
     [](int64_t) { return std::exp(-5.0) / (1 + 2e6 * std::exp(-5.0)); }, 1e-6},
    {"logSumExp", kTenth, [](Inputs& in) { return logSumExp(zerosAndFive(in), {}); },
     [](int64_t) { return 5 + std::log(1 + 2e6 * std::exp(-5.0)); }, 1e-6},
    {"layerNorm", kTenth,
     [](Inputs& in) {
       // Half of them 0.1, half 0.3: the mean is 0.2, the deviation 0.1.
       Value tenths = in.floats({2, 2'000'000});
       Value x = tenths * -1.0 + cumsum(tenths, {.axis = 0}) * 2.0;
       return layerNorm(reshape(x, {.shape = {4'000'000}}), in.floats({4'000'000}) * 0.0 + 1.0,
                        in.floats({4'000'000}) * 0.0, {.axes = {0}, .epsilon = 0});
     },
     [](int64_t i) { return i < 2'000'000 ? -1.0 : 1.0; }, 1e-5},
    {"scatterAdd", kTenth,
     [](Inputs& in) {
       Value all = scatterAdd(in.ints({1'000'000}, 2), in.floats({1'000'000, 3}), {.size = 4});
       return slice(all, {.begin = {2, 0}, .size = {1, 3}});
     },
     [](int64_t) { return kTenth * 1e6; }, 1e-6},
    {"scatterAdd to one of many rows", kTenth,
     [](Inputs& in) {
       Value all =
           scatterAdd(in.ints({300'000}, 99'999), in.floats({300'000, 2}), {.size = 100'000});
       return slice(all, {.begin = {99'999, 0}, .size = {1, 2}});
     },
     [](int64_t) { return kTenth * 3e5; }, 1e-6},
    {"scatterAdd of columns", kTenth,
     [](Inputs& in) {
       Value all =
           scatterAdd(in.ints({500'000}, 1), in.floats({2, 500'000}), {.axis = 1, .size = 2});
       return slice(all, {.begin = {0, 1}, .size = {2, 1}});
     },
     [](int64_t) { return kTenth * 5e5; }, 1e-6},

    {"matMul", kAboveOne,
     [](Inputs& in) {
       return matMul(in.floats({5, 1'000'000}), in.floats({1'000'000, 3}) * 0.0 + 1.0);
     },
     [](int64_t) { return kAboveOne * 1e6; }, 1e-6},
    {"matMul, both transposed", kAboveOne,
     [](Inputs& in) {
       return matMul(in.floats({500'000, 9}), in.floats({17, 500'000}) * 0.0 + 1.0,
                     {.transposeA = true, .transposeB = true});
     },
     [](int64_t) { return kAboveOne * 5e5; }, 1e-6},
    {"matMul by a few more columns than a panel", kTenth,
     [](Inputs& in) { return matMul(in.floats({5, 200'000}), in.floats({200'000, 20})); },
     [](int64_t) { return kTenth * kTenth * 2e5; }, 1e-5},
    {"matMul by ten columns", kTenth,
     [](Inputs& in) { return matMul(in.floats({5, 400'000}), in.floats({400'000, 10})); },
     [](int64_t) { return kTenth * kTenth * 4e5; }, 1e-5},
    {"a product of two vectors", kTenth,
     [](Inputs& in) { return matMul(in.floats({1, 4'000'000}), in.floats({4'000'000, 1})); },
     [](int64_t) { return kTenth * kTenth * 4e6; }, 1e-5},
    {"matMul of one row", kTenth,
     [](Inputs& in) { return matMul(in.floats({1, 300'000}), in.floats({300'000, 13})); },
     [](int64_t) { return kTenth * kTenth * 3e5; }, 1e-5},
    {"matMul of one row by strips", kTenth,
     [](Inputs& in) { return matMul(in.floats({1, 16'000}), in.floats({16'000, 16})); },
     [](int64_t) { return kTenth * kTenth * 16e3; }, 1e-5},
    {"matMul of three rows", kTenth,
     [](Inputs& in) { return matMul(in.floats({3, 300'000}), in.floats({300'000, 9})); },
     [](int64_t) { return kTenth * kTenth * 3e5; }, 1e-5},
    {"matMul of three rows, transposed", kTenth,
     [](Inputs& in) {
       return matMul(in.floats({600'000, 3}), in.floats({5, 600'000}),
                     {.transposeA = true, .transposeB = true});
     },
     [](int64_t) { return kTenth * kTenth * 6e5; }, 1e-5},

    {"avgPool", kTenth,
     [](Inputs& in) {
       return avgPool(in.floats({1, 1500, 1500, 1}), {{1500, 1500}, {1, 1}, kValid});
     },
     [](int64_t) { return kTenth; }, 1e-6},
    {"avgPool of channels", kTenth,
     [](Inputs& in) { return avgPool(in.floats({1, 300, 290, 21}), {{300, 290}, {1, 1}, kValid}); },
     [](int64_t) { return kTenth; }, 1e-6},
    {"avgPoolGrad", kTenth,
     [](Inputs& in) {
       return avgPoolGrad(in.floats({1, 1, 4001, 2}) * 4000.0,
                          {{1, 4000}, {1, 1}, kValid, {1, 1, 8000, 2}});
     },
     [](int64_t i) { return kTenth * windowsOver(i); }, 1e-6},
    {"maxPoolGrad", kTenth,
     [](Inputs& in) {
       // The maximum is in the middle, and every window sees it.
       Value pixels = cumsum(in.floats({1, 1, 4001, 1}) * 0.0 + 1.0, {.axis = 2});
       Value x = -abs(pixels - 2001.0);
       MaxPoolAttrs a{{1, 2001}, {1, 1}, kValid};
       Value y = maxPool(x, a);
       Value dx = maxPoolGrad(x, y, in.floats({1, 1, 2001, 1}), {a.window, a.strides, a.padding});
       return slice(dx, {.begin = {0, 0, 2000, 0}, .size = {1, 1, 1, 1}});
     },
     [](int64_t) { return kTenth * 2001; }, 1e-6},

    {"conv2d with a large filter", kTenth,
     [](Inputs& in) {
       return conv2d(in.floats({1, 600, 600, 1}), in.floats({600, 600, 1, 2}), {});
     },
     [](int64_t) { return kTenth * kTenth * 36e4; }, 1e-5},
    {"conv2d of many channels", kAboveOne,
     [](Inputs& in) {
       return conv2d(in.floats({1, 4, 4, 250'000}), in.floats({2, 2, 250'000, 3}) * 0.0 + 1.0, {});
     },
     [](int64_t) { return kAboveOne * 1e6; }, 2e-6},
    {"conv2dFilter of many pixels", kAboveOne,
     [](Inputs& in) {
       return conv2dFilter(in.floats({1, 1002, 1002, 1}), in.floats({1, 1000, 1000, 5}) * 0.0 + 1.0,
                           {.filterShape = {3, 3, 1, 5}});
     },
     [](int64_t) { return kAboveOne * 1e6; }, 2e-6},
    {"conv2dFilter of many images, in groups", kTenth,
     [](Inputs& in) {
       return conv2dFilter(in.floats({30'000, 6, 6, 2}), in.floats({30'000, 4, 4, 4}),
                           {.groups = 2, .filterShape = {3, 3, 1, 4}});
     },
     [](int64_t) { return kTenth * kTenth * 48e4; }, 1e-5},
    {"depthwiseConv2d with a large filter", kTenth,
     [](Inputs& in) {
       return depthwiseConv2d(in.floats({1, 400, 400, 11}), in.floats({400, 400, 11, 1}), {});
     },
     [](int64_t) { return kTenth * kTenth * 16e4; }, 2e-6},
    {"depthwiseConv2d with a high filter", kTenth,
     [](Inputs& in) {
       return depthwiseConv2d(in.floats({1, 50'000, 8, 9}), in.floats({50'000, 3, 9, 1}), {});
     },
     [](int64_t) { return kTenth * kTenth * 15e4; }, 2e-6},
    {"depthwiseConv2d with two large filters a channel", kTenth,
     [](Inputs& in) {
       return depthwiseConv2d(in.floats({1, 400, 400, 3}), in.floats({400, 400, 3, 2}), {});
     },
     [](int64_t) { return kTenth * kTenth * 16e4; }, 5e-6},
    {"depthwiseConv2dInput", kTenth,
     [](Inputs& in) {
       return depthwiseConv2dInput(in.floats({1, 1, 4001, 2}), in.floats({1, 4000, 2, 1}),
                                   {.inputShape = {1, 1, 8000, 2}});
     },
     [](int64_t i) { return kTenth * kTenth * windowsOver(i); }, 5e-6},
    {"depthwiseConv2dFilter", kTenth,
     [](Inputs& in) {
       return depthwiseConv2dFilter(in.floats({4, 302, 302, 3}), in.floats({4, 300, 300, 6}),
                                    {.filterShape = {3, 3, 3, 2}});
     },
     [](int64_t) { return kTenth * kTenth * 36e4; }, 5e-6},
};

class LongSums : public ::testing::TestWithParam<Row> {};

TEST_P(LongSums, StayExact) {
  const Row& row = GetParam();
  Inputs in{.graph = {}, .fill = static_cast<float>(row.fill), .tensors = {}};
  in.graph.output(row.make(in));
  ASSERT_TRUE(in.graph.status()) << in.graph.status().error().message;
  Threads one(1), three(3);
  auto got = evaluate(in.graph, in.tensors, one), threaded = evaluate(in.graph, in.tensors, three);
  ASSERT_TRUE(got) << got.error().message;
  ASSERT_TRUE(threaded) << threaded.error().message;
  const Tensor& y = (*got)[0];
  ASSERT_EQ(std::memcmp(y.view().data, (*threaded)[0].view().data, y.type().bytes()), 0)
      << "the result depends on the number of threads";
  for (int64_t i = 0; i < y.size(); ++i) {
    double want = row.expected(i),
           value = y.dtype() == DType::kF32 ? y.data<float>()[i] : y.data<int32_t>()[i];
    ASSERT_LE(std::fabs(value - want), row.bound * std::fabs(want))
        << "element " << i << ": " << value;
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, LongSums, ::testing::ValuesIn(kRows), [](const auto& info) {
  std::string name = info.param.name;
  std::erase_if(name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); });
  return name;
});

}  // namespace
}  // namespace fjord
