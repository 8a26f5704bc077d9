// The C ABI as JavaScript calls it: plans that are found again, and what is refused in words.
#include "abi/abi.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/json.h"
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

// ---- models

std::string said() { return {fj_message(), static_cast<size_t>(fj_messageLength())}; }
Json toldBy(int got) {
  EXPECT_EQ(got, 1) << said();
  Result<Json> json = parseJson(said());
  return json ? *json : Json();
}
std::vector<float> weightOf(int model, int number) {
  int handle = fj_modelWeight(model, number);
  EXPECT_GT(handle, 0) << said();
  int32_t shape[8];
  int64_t size = 1;
  for (int i = fj_shape(handle, shape); i-- > 0;) size *= shape[i];
  const float* data = static_cast<const float*>(fj_data(handle));
  std::vector<float> values(data, data + size);
  fj_dispose(handle);
  return values;
}

constexpr const char* kBase = R"({"class_name": "Sequential", "config": {"name": "base", "layers": [
  {"class_name": "Dense", "config": {"name": "d", "units": 2, "batchInputShape": [null, 3]}}]}})";

TEST_F(Abi, ModelsHaveWeightsInCommon) {
  std::string outer =
      cat(R"({"class_name": "Sequential", "config": {"name": "outer", "layers": [)", kBase,
          R"(, {"class_name": "Dense", "config": {"name": "e", "units": 1}}]}})");
  int base = fj_model(kBase, 1, 1, nullptr);
  ASSERT_GT(base, 0) << said();
  int whole = fj_model(outer.c_str(), 2, 1, cat(R"([["base", )", base, R"(, ""]])").c_str());
  ASSERT_GT(whole, 0) << said();
  EXPECT_EQ(weightOf(whole, 0), weightOf(base, 0));
  EXPECT_NE(weightOf(whole, 0), std::vector<float>(6, 0.0f));
  EXPECT_EQ(toldBy(fj_modelInfo(base))["shares"], true);
  EXPECT_EQ(toldBy(fj_modelInfo(whole))["weights"][0]["name"], "base/d/kernel");
  int zeros = tensor({3, 2});
  std::fill_n(static_cast<float*>(fj_data(zeros)), 6, 0.0f);
  ASSERT_EQ(fj_modelSetWeight(base, 0, zeros), 1);
  EXPECT_EQ(weightOf(whole, 0), std::vector<float>(6, 0.0f));
  // On a GPU each would have its own.
  double limits[] = {10, 1 << 27, 1 << 28, 65535};
  EXPECT_EQ(fj_modelSetGpu(whole, limits), 0);
  EXPECT_EQ(said(), "the model shares weights with another one, which is not done on a GPU");
  EXPECT_EQ(fj_model(outer.c_str(), 2, 1, R"([["base"]])"), 0);
  EXPECT_EQ(said(), "a shared layer is [path, model, path there]");
  fj_modelFree(base);
  EXPECT_EQ(weightOf(whole, 0), std::vector<float>(6, 0.0f));
  EXPECT_EQ(fj_model(outer.c_str(), 2, 1, cat(R"([["base", )", base, R"(, ""]])").c_str()), 0);
  EXPECT_EQ(said(), "the model whose layer is shared was disposed of");
  EXPECT_EQ(toldBy(fj_modelGraph(whole)), *parseJson(R"({"calls": [
    {"layer": "base", "node": 0, "inputs": [["base_input", 0, 0]],
     "outputs": [{"dtype": "float32", "shape": [null, 2]}]},
    {"layer": "e", "node": 0, "inputs": [["base", 0, 0]],
     "outputs": [{"dtype": "float32", "shape": [null, 1]}]}],
    "inputs": [["base_input", 0, 0]], "outputs": [["e", 0, 0]]})"));
  fj_modelFree(whole);
  fj_dispose(zeros);
}

TEST_F(Abi, TellsAllArgumentsOfALayer) {
  EXPECT_EQ(toldBy(fj_layerConfig("MaxPooling2D", R"({"name": "p", "poolSize": 3})")),
            *parseJson(R"({"pool_size": [3, 3], "strides": null, "padding": "valid",
                           "data_format": "channels_last", "name": "p", "trainable": true})"));
  EXPECT_EQ(toldBy(fj_layerConfig("TimeDistributed",
                                  R"({"layer": {"class_name": "Softmax", "config": {}}})")),
            *parseJson(R"({"layer": {"class_name": "Softmax", "config": {}}, "trainable": true})"));
  EXPECT_EQ(fj_layerConfig("MaxPooling2D", R"({"poolSiz": 3})"), 0);
  EXPECT_TRUE(
      said().starts_with("poolSiz is not an argument of MaxPooling2D; did you mean pool_size?"))
      << said();
  EXPECT_EQ(toldBy(fj_layerShape("Dense", R"({"units": 4})",
                                 R"([{"dtype": "float32", "shape": [null, 3]}])", "null")),
            *parseJson(R"([{"dtype": "float32", "shape": [null, 4]}])"));
}

TEST_F(Abi, TellsWhatCallsOfALayerSay) {
  const char* inputs = R"([{"dtype": "float32", "shape": [null, 5, 3]},
                           {"dtype": "float32", "shape": [null, 7, 3]}])";
  EXPECT_EQ(toldBy(fj_layerShape("MultiHeadAttention", R"({"numHeads": 2, "keyDim": 4})", inputs,
                                 R"({"returnAttentionScores": true})")),
            *parseJson(R"([{"dtype": "float32", "shape": [null, 5, 3]},
                           {"dtype": "float32", "shape": [null, 2, 5, 7]}])"));
  EXPECT_EQ(fj_layerShape("MultiHeadAttention", R"({"numHeads": 2, "keyDim": 4})", inputs,
                          R"({"causal": true})"),
            0);
  EXPECT_EQ(
      said(),
      "MultiHeadAttention: causal is not an argument of a call of MultiHeadAttention; there are "
      "return_attention_scores, use_causal_mask");
}

}  // namespace
}  // namespace fjord
