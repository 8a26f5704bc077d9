// A layer that draws random numbers, alone: what it gives in a step, and its gradient.
#pragma once

#include <gtest/gtest.h>

#include "base/random.h"
#include "ir/graph.h"
#include "nn/layers.h"
#include "run/cpu.h"

namespace fjord::testing {

/// A layer alone in a graph that trains.
class OneLayer : public LayerContext {
 public:
  explicit OneLayer(bool trains) { training = trains; }
  Value weight(std::string_view, const Shape&, const Json&, bool, const Json&,
               const Json&) override {
    return {};
  }
  Value state(std::string_view, const Shape&, const Json&) override { return {}; }
  void update(Value, Value) override {}
  void addLoss(Value) override {}
  void replace(Value, Value) override {}
  Value kept(std::string_view, const Shape&) override { return {}; }
  Value randomState() override {
    if (!random) random = graph.input({DType::kI32, {4}});
    return random;
  }
  LayerOutputs callInner(const Json& description, const LayerInputs& inputs) override {
    const LayerRow* row = findLayer(stringOr(description, "class_name", ""));
    return row ? callLayer(*row, *this, member(description, "config"), inputs) : LayerOutputs{};
  }

  Graph graph;
  Value random;
};

struct Drawn {
  Tensor y, dx;
  bool draws;
};

/// The layer's output for x, and the gradient of sum(dy y), in step `step`.
inline Drawn draw(std::string_view className, const Json& config, const Tensor& x, const Tensor& dy,
                  bool trains = true, int32_t step = 0, int32_t seed = 5) {
  OneLayer layer(trains);
  Value in = layer.graph.input(x.type()), weights = layer.graph.input(dy.type());
  LayerOutputs out = callLayer(*findLayer(className), layer, config, {{{in}}});
  EXPECT_TRUE(layer.graph.status()) << layer.graph.status().error().message;
  layer.graph.output(out.values[0]);
  layer.graph.output(grad(out.values[0], {{in}}, weights)[0]);
  std::vector<Tensor> inputs = {x, dy};
  if (layer.random) inputs.push_back(*Tensor::of({4}, std::vector<int32_t>{seed, 0, step, 0}));
  Threads threads(1);
  auto got = evaluate(layer.graph, inputs, threads);
  EXPECT_TRUE(got) << got.error().message;
  return {(*got)[0], (*got)[1], bool(layer.random)};
}

inline Tensor uniform(const Shape& shape, float low, float high, uint64_t seed) {
  Random random(seed);
  Tensor t = *Tensor::empty({DType::kF32, shape});
  for (float& v : t.span<float>()) v = low + (high - low) * random.uniform();
  return t;
}

}  // namespace fjord::testing
