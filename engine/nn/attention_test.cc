// Embeddings and attention: what they refuse, how calls are read, what a step costs. Values against Keras
// stand in golden_layers_test.cc.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "nn/model.h"
#include "plan/plan.h"
#include "testing/models.h"

namespace fjord {
namespace {

std::string errorOf(std::string_view className, const Json& config, std::span<const Type> inputs,
                    const Json& call = nullptr) {
  auto types = inferLayer(className, config, inputs, call);
  return types ? "" : types.error().message;
}
Type steps(int32_t count, int32_t size) { return {DType::kF32, {-1, count, size}}; }

TEST(Attention, RefusesInWords) {
  Json heads = {{"num_heads", 2}, {"key_dim", 3}};
  EXPECT_EQ(
      errorOf("MultiHeadAttention", heads, {{steps(4, 5)}}),
      "MultiHeadAttention: takes query, value, key and attention_mask, of which the first two "
      "are needed, got 1 inputs");
  EXPECT_EQ(
      errorOf("MultiHeadAttention", heads, {{steps(4, 5), steps(6, 5), steps(7, 5)}}),
      "MultiHeadAttention: needs a query [N,T,D], and value and key [N,S,E] of as many steps, "
      "got float32[1,4,5], float32[1,6,5] and float32[1,7,5]");
  EXPECT_EQ(errorOf("MultiHeadAttention", heads,
                    {{steps(4, 5), steps(6, 5), steps(6, 5), Type{DType::kBool, {-1, 6, 4}}}}),
            "MultiHeadAttention: attention_mask must be [N,4,6] or [N,heads,4,6], got bool[1,6,4]");
  heads["attention_axes"] = {1, 2};
  EXPECT_EQ(errorOf("MultiHeadAttention", heads, {{steps(4, 5), steps(6, 5)}}),
            "MultiHeadAttention: attention_axes must be 1, the axis of the steps, got 2");
  EXPECT_EQ(errorOf("GroupQueryAttention",
                    {{"head_dim", 2}, {"num_query_heads", 3}, {"num_key_value_heads", 2}},
                    {{steps(4, 5), steps(4, 5)}}),
            "GroupQueryAttention: num_query_heads must be a multiple of num_key_value_heads, got 3 "
            "and 2");
  EXPECT_EQ(
      errorOf("GroupNormalization", {{"groups", 4}}, {{steps(4, 6)}}),
      "GroupNormalization: groups must divide the channels of axis 2 of float32[1,4,6], or be "
      "-1 for one each, got 4");
  EXPECT_EQ(
      errorOf("EinsumDense", {{"equation", "ab,bc->ac"}, {"output_shape", 3}}, {{steps(4, 6)}}),
      "EinsumDense: equation must be of the form ab,bc->ac, ...b,bc->...c or ab...,bc->ac... "
      "for float32[1,4,6], got ab,bc->ac");
  EXPECT_EQ(errorOf("EinsumDense", {{"equation", "abc,cd->abd"}, {"output_shape", {5, 3}}},
                    {{steps(4, 6)}}),
            "EinsumDense: output_shape must have 2 sizes, that of axis 1 4, got [5,3]");
  EXPECT_EQ(errorOf("EinsumDense",
                    {{"equation", "abc,cd->abd"}, {"output_shape", {4, 3}}, {"bias_axes", "c"}},
                    {{steps(4, 6)}}),
            "EinsumDense: bias_axes must be axes of the result, got c");
}

TEST(ReversibleEmbedding, RefusesInWords) {
  Json config = {{"input_dim", 7}, {"output_dim", 5}};
  auto typeOf = [&](const Json& call, int32_t size = 5) {
    auto types = inferLayer("ReversibleEmbedding", config, {{steps(4, size)}}, call);
    return types ? cat((*types)[0]) : types.error().message;
  };
  EXPECT_EQ(typeOf({{"reverse", true}}), "float32[-1,4,7]");
  EXPECT_EQ(typeOf(nullptr), "float32[-1,4,5,5]");
  EXPECT_EQ(typeOf({{"reverse", 1}}), "ReversibleEmbedding: reverse must be true or false, got 1");
  EXPECT_EQ(typeOf({{"backward", true}}),
            "ReversibleEmbedding: backward is not an argument of a call of ReversibleEmbedding; "
            "there are reverse");
  EXPECT_EQ(typeOf({{"reverse", true}}, 6),
            "ReversibleEmbedding: matMul: the inner dimensions differ: 6 and 5, transposeB "
            "(inputs: float32[1,4,6], float32[7,5])");
  config["logit_soft_cap"] = 0;
  EXPECT_EQ(typeOf(nullptr),
            "ReversibleEmbedding: logit_soft_cap must be a finite number above 0, got 0");
}

TEST(Attention, SaysTheTypesOfBothOutputs) {
  auto types = inferLayer("GroupQueryAttention",
                          {{"head_dim", 2}, {"num_query_heads", 4}, {"num_key_value_heads", 2}},
                          {{steps(3, 5), steps(7, 5)}}, {{"return_attention_scores", true}});
  ASSERT_TRUE(types) << types.error().message;
  EXPECT_EQ(*types, (std::vector<Type>{steps(3, 5), {DType::kF32, {-1, 4, 3, 7}}}));
}

// ---- calls of a file

Json tensorOf(const char* layer) {
  return {{"class_name", "__keras_tensor__"}, {"config", {{"keras_history", {layer, 0, 0}}}}};
}
/// Inputs a, b, m, and heads that are called so.
Json calling(const Json& node) {
  auto input = [](const char* name, Json shape) {
    return Json{{"class_name", "InputLayer"},
                {"name", name},
                {"config", {{"name", name}, {"batch_shape", shape}}},
                {"inbound_nodes", Json::array()}};
  };
  Json heads = {{"class_name", "MultiHeadAttention"},
                {"name", "heads"},
                {"config", {{"num_heads", 1}, {"key_dim", 2}}},
                {"inbound_nodes", {node}}};
  return {{"class_name", "Functional"},
          {"config",
           {{"name", "m"},
            {"layers",
             {input("a", {nullptr, 3, 2}), input("b", {nullptr, 4, 2}), input("m", {nullptr, 3, 4}),
              heads}},
            {"input_layers", {{"a", 0, 0}, {"b", 0, 0}, {"m", 0, 0}}},
            {"output_layers", {{"heads", 0, 0}}}}}};
}

TEST(Calls, NameTheirInputs) {
  Json a = tensorOf("a"), b = tensorOf("b"), m = tensorOf("m");
  auto layersRead = [](const Json& node) {
    auto t = Topology::fromJson(calling(node));
    EXPECT_TRUE(t) << t.error().message;
    std::vector<int> layers;
    for (Topology::TensorRef ref : t->layers[3].calls[0].inputs) layers.push_back(ref.layer);
    return layers;
  };
  using Layers = std::vector<int>;
  EXPECT_EQ(layersRead({{"args", {a, b}}, {"kwargs", {{"key", b}}}}), (Layers{0, 1, 1}));
  // What is left out is what comes before it.
  EXPECT_EQ(layersRead({{"args", {a, b}}, {"kwargs", {{"attention_mask", m}}}}),
            (Layers{0, 1, 1, 2}));
  EXPECT_EQ(layersRead({{"args", Json::array()}, {"kwargs", {{"value", b}, {"query", a}}}}),
            (Layers{0, 1}));
  auto errorOf = [](const Json& node) {
    auto t = Topology::fromJson(calling(node));
    return t ? "" : t.error().message;
  };
  EXPECT_TRUE(errorOf({{"args", {a, b}}, {"kwargs", {{"query", a}}}})
                  .starts_with("heads: the inputs of a call are query, value, key, attention_mask, "
                               "each once, got "));
  EXPECT_EQ(errorOf({{"args", {a, b}}, {"kwargs", {{"use_causal_mask", 1}}}}),
            "heads: use_causal_mask must be true or false, got 1");
  EXPECT_EQ(errorOf({{"args", {a, b}}, {"kwargs", {{"causal", true}}}}),
            "heads: causal is not an argument of a call of MultiHeadAttention; there are "
            "return_attention_scores, use_causal_mask");
}

// ---- dropout of the weights of steps

/// Of steps that are all alike the result is the share of weights that are left, times what makes up for
/// the others: 1 on average.
TEST(Attention, DropsWeightsInTraining) {
  constexpr int32_t kSamples = 64, kSteps = 50;
  Threads threads;
  Json description = {
      {"class_name", "Functional"},
      {"config",
       {{"name", "m"},
        {"layers",
         {{{"class_name", "InputLayer"},
           {"name", "x"},
           {"config", {{"name", "x"}, {"batch_shape", {nullptr, kSteps, 1}}}},
           {"inbound_nodes", Json::array()}},
          {{"class_name", "Attention"},
           {"name", "y"},
           {"config", {{"dropout", 0.4}}},
           {"inbound_nodes", {{{"x", 0, 0, {{"training", true}}}, {"x", 0, 0, Json::object()}}}}}}},
        {"input_layers", {{"x", 0, 0}}},
        {"output_layers", {{"y", 0, 0}}}}}};
  auto model = Model::fromJson(description, threads);
  ASSERT_TRUE(model) << model.error().message;
  Tensor x = *Tensor::zeros({DType::kF32, {kSamples, kSteps, 1}});
  std::ranges::fill(x.span<float>(), 1.0f);
  auto y = (*model)->predict({&x, 1});
  ASSERT_TRUE(y) << y.error().message;
  std::span<const float> values = (*y)[0].span<float>();
  double mean = std::accumulate(values.begin(), values.end(), 0.0) / values.size(), squares = 0;
  for (float v : values) squares += (v - mean) * (v - mean);
  // Each is the mean of kSteps draws of 0, or 1 / 0.6 in six of ten times.
  double variance = 0.4 / 0.6 / kSteps;
  EXPECT_NEAR(mean, 1, 4 * std::sqrt(variance / values.size()));
  EXPECT_NEAR(squares / values.size(), variance, 0.15 * variance);
}

// ---- a cache

/// Self-attention over x [N,steps,4], causal if it has no cache.
Json attending(const char* className, Json config, Json steps) {
  Json said = Json::object();
  if (!config.contains("cache_length")) said["use_causal_mask"] = true;
  return {{"class_name", "Functional"},
          {"config",
           {{"name", "m"},
            {"layers",
             {{{"class_name", "InputLayer"},
               {"name", "x"},
               {"config", {{"name", "x"}, {"batch_shape", {nullptr, steps, 4}}}},
               {"inbound_nodes", Json::array()}},
              {{"class_name", className},
               {"name", "y"},
               {"config", std::move(config)},
               {"inbound_nodes", {{{"x", 0, 0, said}, {"x", 0, 0, Json::object()}}}}}}},
            {"input_layers", {{"x", 0, 0}}},
            {"output_layers", {{"y", 0, 0}}}}}};
}
Tensor stepsOf(const Tensor& x, int32_t begin, int32_t count) {
  int32_t n = x.shape()[0], all = x.shape()[1], size = x.shape()[2];
  Tensor part = *Tensor::zeros({DType::kF32, {n, count, size}});
  for (int i = 0; i < n; ++i)
    std::copy_n(x.data<float>() + (i * all + begin) * size, count * size,
                part.data<float>() + i * count * size);
  return part;
}
/// What comes out of x in so many steps at a time, side by side.
std::vector<float> inParts(Model& model, const Tensor& x, std::span<const int32_t> parts) {
  Tensor all = *Tensor::zeros(x.type());
  int32_t begin = 0, n = x.shape()[0], size = x.shape()[2];
  for (int32_t count : parts) {
    Tensor part = stepsOf(x, begin, count);
    auto y = model.predict({&part, 1});
    EXPECT_TRUE(y) << y.error().message;
    if (!y) break;
    for (int i = 0; i < n; ++i)
      std::copy_n((*y)[0].data<float>() + i * count * size, count * size,
                  all.data<float>() + (i * x.shape()[1] + begin) * size);
    begin += count;
  }
  return testing::valuesOf(all);
}

TEST(AttentionCache, StepAfterStepIsTheWholeSequence) {
  Threads threads;
  struct {
    const char* className;
    Json config;
  } kinds[] = {
      {"MultiHeadAttention", {{"num_heads", 2}, {"key_dim", 3}}},
      {"MultiHeadAttention",
       {{"num_heads", 2}, {"key_dim", 3}, {"value_dim", 2}, {"sliding_window", 3}}},
      {"GroupQueryAttention",
       {{"head_dim", 3}, {"num_query_heads", 4}, {"num_key_value_heads", 2}, {"use_gate", true}}},
  };
  Tensor x = testing::numbers({2, 7, 4});
  for (auto& [className, config] : kinds) {
    SCOPED_TRACE(jsonText(config));
    auto whole = testing::made(attending(className, config, 7), threads, {.seed = 1});
    config["cache_length"] = 9;
    auto kept = testing::made(attending(className, config, nullptr), threads, {.seed = 1});
    EXPECT_EQ(testing::namesOf(*kept), testing::namesOf(*whole)) << "what is kept is no weight";
    std::vector<float> want = inParts(*whole, x, {{7}});
    for (std::vector<int32_t> parts : {std::vector{7}, {1, 1, 1, 1, 1, 1, 1}, {3, 1, 2, 1}}) {
      std::vector<float> got = inParts(*kept, x, parts);
      for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 2e-6) << i;
      kept->resetStates();
    }
  }
}

TEST(AttentionCache, RefusesMoreThanItHolds) {
  Threads threads;
  Json config = {{"num_heads", 1}, {"key_dim", 2}, {"cache_length", 4}};
  auto model = testing::made(attending("MultiHeadAttention", config, nullptr), threads);
  Tensor x = testing::numbers({1, 5, 4}), three = stepsOf(x, 0, 3), two = stepsOf(x, 3, 2);
  EXPECT_FALSE(model->predict({&x, 1}));
  model->resetStates();
  EXPECT_TRUE(model->predict({&three, 1}));
  auto more = model->predict({&two, 1});
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().message, "gather: the index value 4 at position 0 is not in [0, 3]");
  model->resetStates();
  EXPECT_TRUE(model->predict({&two, 1}));
  EXPECT_EQ(errorOf("MultiHeadAttention", config, {{steps(4, 4), steps(3, 4)}}),
            "MultiHeadAttention: cache_length is for a query of as many steps as value has, got "
            "4 and 3");
  EXPECT_EQ(errorOf("MultiHeadAttention", config,
                    {{steps(2, 4), steps(2, 4), steps(2, 4), Type{DType::kBool, {-1, 2, 2}}}}),
            "MultiHeadAttention: cache_length goes without masks");
}

// ---- embeddings

Json table(int32_t rows) {
  return sequential(
      {layer("Embedding", {{"input_dim", rows}, {"output_dim", 8}, {"input_length", 4}}),
       layer("Flatten", Json::object()), layer("Dense", {{"units", 1}})});
}

TEST(Embedding, SaysWhichNumberIsNoRows) {
  Threads threads;
  auto model = *Model::fromJson(table(10), threads);
  EXPECT_EQ(cat(model->inputTypes()[0]), "int32[-1,4]");
  Tensor ids = *Tensor::zeros({DType::kI32, {2, 4}});
  ids.data<int32_t>()[6] = 10;
  auto y = model->predict({&ids, 1});
  ASSERT_FALSE(y);
  EXPECT_EQ(y.error().message, "gather: the index value 10 at position 6 is not in [0, 9]");
}

/// A step of plain descent takes memory, and so time, by its batch.
TEST(Embedding, StepsOfDescentDoNotGrowWithTheTable) {
  Threads threads;
  auto bytes = [&](int32_t rows, const char* optimizer) {
    auto model = *Model::fromJson(table(rows), threads);
    EXPECT_TRUE(model->compile({{"optimizer", optimizer}, {"loss", "mse"}}));
    auto memory = model->stepMemory(Model::kTrain, 16);
    EXPECT_TRUE(memory) << memory.error().message;
    return memory->arena;
  };
  EXPECT_EQ(bytes(10'000, "sgd"), bytes(100'000, "sgd"));
  EXPECT_LT(bytes(100'000, "sgd"), 100'000);
  // Others have state for each row, and change all.
  EXPECT_GT(bytes(100'000, "adam"), 100'000 * 8 * 4);
}

}  // namespace
}  // namespace fjord
