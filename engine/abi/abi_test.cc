// The C ABI as JavaScript calls it: plans that are found again, and what is refused in words.
#include "abi/abi.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/tensor.h"
#include "ops/op.h"

namespace fjord {
namespace {

int run(OpId op, const std::vector<int32_t>& inputs, const std::vector<double>& attributes) {
  return fj_op(static_cast<int>(op), inputs.data(), static_cast<int>(inputs.size()),
               attributes.data(), static_cast<int>(attributes.size()));
}

int tensor(const std::vector<int32_t>& shape, DType dtype = DType::kF32) {
  return fj_tensor(static_cast<int>(dtype), static_cast<int>(shape.size()), shape.data(), 0);
}

class Abi : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { fj_init(1); }
};

TEST_F(Abi, EqualCallsShareAPlan) {
  int x = tensor({2, 3});
  ASSERT_NE(x, 0) << fj_message();
  int64_t before = memoryInfo().buffers;
  // Each plan has memory of its own. Axes and keepDims, four different calls.
  for (int i = 0; i < 400; ++i)
    fj_dispose(
        run(OpId::sum, {x}, {1, static_cast<double>(i / 2 % 2), static_cast<double>(i % 2)}));
  EXPECT_LE(memoryInfo().buffers - before, 4);
  fj_dispose(x);
}

TEST_F(Abi, RefusesInWords) {
  int x = tensor({2, 3});
  auto expect = [](int got, const std::string& message) {
    EXPECT_EQ(got, 0);
    EXPECT_EQ(std::string(fj_message(), static_cast<size_t>(fj_messageLength())), message);
  };
  expect(run(OpId::sum, {x}, {1, 0.5, 0}),
         "sum: axes must be a whole number from -2147483648 to 2147483647, got 0.5");
  expect(run(OpId::sum, {x}, {1, 0}), "sum: the attributes end before keepDims");
  expect(run(OpId::sum, {x}, {1, 0, 0, 0}), "sum: the attributes are 3 numbers, got 4");
  expect(run(OpId::exp, {x}, {1}), "exp: the attributes are 0 numbers, got 1");
  expect(fj_op(static_cast<int>(OpId::exp), nullptr, -1, nullptr, 0),
         "exp: got -1 inputs and 0 attributes");
  expect(run(OpId::exp, {}, {}), "exp: needs at least one input");
  expect(tensor({2, -1}), "the shape [2,-1] has a negative size");
  expect(tensor({65536, 65536}), cat("the shape [65536,65536] has more than the ", kMaxElements,
                                     " elements that an array can have"));
  expect(tensor({2}, DType::kF16), "dtype 3 is not one that can be computed with");
  expect(tensor(std::vector<int32_t>(9, 1)), "a tensor has at most 8 axes, got 9");
  fj_dispose(x);
}

}  // namespace
}  // namespace fjord
