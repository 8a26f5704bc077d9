// Which models can be computed, and in which order.
#include "nn/call_order.h"

#include <gtest/gtest.h>

#include "nn/model.h"

namespace fjord {
namespace {

Json reads(const std::string& name, int node = 0) { return {name, node, 0, Json::object()}; }
Json input(const std::string& name) {
  return {{"class_name", "InputLayer"},
          {"name", name},
          {"config", {{"name", name}, {"batch_input_shape", {nullptr, 2}}}},
          {"inbound_nodes", Json::array()}};
}
/// A dense layer; each entry of `calls` is a list of what one call reads.
Json dense(const std::string& name, std::vector<Json> calls) {
  Json nodes = Json::array();
  for (Json& call : calls) nodes.push_back(Json::array({std::move(call)}));
  return {{"class_name", "Dense"},
          {"name", name},
          {"config", {{"name", name}, {"units", 2}}},
          {"inbound_nodes", nodes}};
}
Json functional(std::vector<Json> layers, const std::string& in, const Json& out) {
  return {{"class_name", "Functional"},
          {"config",
           {{"name", "model"},
            {"layers", std::move(layers)},
            {"input_layers", {{in, 0, 0}}},
            {"output_layers", Json::array({out})}}}};
}

std::string orderOf(const Json& model) {
  Result<Topology> topology = Topology::fromJson(model);
  if (!topology) return topology.error().message;
  auto order = callOrder(*topology);
  if (!order) return order.error().message;
  std::string out;
  for (auto ref : *order)
    out += cat(out.empty() ? "" : " ", topology->layers[ref.layer].name, ".", ref.node);
  return out;
}

TEST(CallOrder, InputsOfACallComeFirstWhateverTheOrderOfTheDescription) {
  EXPECT_EQ(orderOf(functional({dense("b", {reads("a")}), dense("a", {reads("x")}), input("x")},
                               "x", {"b", 0, 0})),
            "a.0 b.0");
}

TEST(CallOrder, ALayerReadsItsOwnEarlierCall) {
  EXPECT_EQ(
      orderOf(functional({input("x"), dense("d", {reads("x"), reads("d", 0)})}, "x", {"d", 1, 0})),
      "d.0 d.1");
}

TEST(CallOrder, ACircleIsNamed) {
  EXPECT_EQ(orderOf(functional({input("x"), dense("a", {reads("b")}), dense("b", {reads("a")})},
                               "x", {"b", 0, 0})),
            "the layers are connected in a circle: a <- b <- a");
  EXPECT_EQ(orderOf(functional({input("x"), dense("a", {reads("a")})}, "x", {"a", 0, 0})),
            "the layers are connected in a circle: a <- a");
}

TEST(CallOrder, CallsAndInputsThatAreNotThereAreNamed) {
  EXPECT_EQ(orderOf(functional({input("x"), dense("a", {reads("x")}), dense("b", {reads("a", 3)})},
                               "x", {"b", 0, 0})),
            "layer b reads call number 3 of a, which has 1");
  EXPECT_EQ(
      orderOf(functional({input("x"), input("y"), dense("a", {reads("y")})}, "x", {"a", 0, 0})),
      "y: the input is not among the model's inputs");
}

TEST(CallOrder, DepthNeedsNoStack) {
  // Described backwards, so that the first call that is looked at is the deepest.
  constexpr int kLayers = 20'000;
  std::vector<Json> layers;
  for (int i = kLayers; i-- > 0;)
    layers.push_back(dense(cat("d", i), {reads(i ? cat("d", i - 1) : "x")}));
  layers.push_back(input("x"));
  std::string order = orderOf(functional(std::move(layers), "x", {cat("d", kLayers - 1), 0, 0}));
  EXPECT_TRUE(order.starts_with("d0.0 d1.0 d2.0 ")) << order.substr(0, 80);
}

TEST(CallOrder, ACircleIsNoModel) {
  Threads threads;
  auto model =
      Model::fromJson(functional({input("x"), dense("a", {reads("b")}), dense("b", {reads("a")})},
                                 "x", {"b", 0, 0}),
                      threads);
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().message, "the layers are connected in a circle: a <- b <- a");
}

/// y = d(d(x)) with the weights of one layer: by hand for a kernel of twos on the diagonal.
TEST(CallOrder, ALayerOnItsOwnOutputComputesTwice) {
  Threads threads;
  auto model = Model::fromJson(
      functional({input("x"), dense("d", {reads("x"), reads("d", 0)})}, "x", {"d", 1, 0}), threads);
  ASSERT_TRUE(model) << model.error().message;
  ASSERT_EQ((*model)->weights().size(), 2u);
  std::vector<Tensor> weights = {*Tensor::of({2, 2}, std::array{2.0f, 0.0f, 0.0f, 2.0f}),
                                 *Tensor::of({2}, std::array{1.0f, 0.0f})};
  ASSERT_TRUE((*model)->setWeights(weights));
  Tensor x = *Tensor::of({1, 2}, std::array{3.0f, 5.0f});
  auto y = (*model)->predict(std::array{x});
  ASSERT_TRUE(y) << y.error().message;
  EXPECT_EQ((*y)[0].data<float>()[0], 15);  // 2 (2 * 3 + 1) + 1
  EXPECT_EQ((*y)[0].data<float>()[1], 20);
}

}  // namespace
}  // namespace fjord
