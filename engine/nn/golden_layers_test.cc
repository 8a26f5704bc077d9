// Values of layers, losses and metrics against Keras's. check/goldens/nn_*.py made the files and say what a case
// holds.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/random.h"
#include "ir/graph.h"
#include "nn/layers.h"
#include "nn/losses.h"
#include "nn/metrics.h"
#include "run/cpu.h"
#include "testing/keras_cases.h"

namespace fjord {
namespace {

// ---- layers ------------------------------------------------------------------------------------

/// A layer alone in a graph, its weights those of the case.
class OneLayer : public LayerContext {
 public:
  OneLayer(const Goldens& goldens, const Json& c) : goldens_(goldens), case_(c) {
    training = boolOr(c, "training", false);
    isTrained = boolOr(member(c, "config"), "trainable", true);
  }

  Value input(const Tensor& t) {
    tensors.push_back(t);
    return graph.input(t.type());
  }
  Value weight(std::string_view name, const Shape& shape, const Json&, bool trainable, const Json&,
               const Json&) override {
    // Keras 3 calls every kernel so; the names here are those of TensorFlow.js.
    std::string key(
        name == "depthwise_kernel" && !member(case_, "weights").contains(name) ? "kernel" : name);
    if (member(case_, "weights").contains(inner_ + key)) key = inner_ + key;
    auto known = std::ranges::find(weights, key, &decltype(weights)::value_type::first);
    if (known != weights.end()) return known->second;
    Tensor value = goldens_.tensor(member(member(case_, "weights"), key.c_str()));
    EXPECT_EQ(cat(value.shape()), cat(shape)) << name;
    bool trained = !member(member(case_, "weight_gradients"), key.c_str()).is_null();
    EXPECT_TRUE(trainable || !trained) << name;
    weights.push_back({key, input(value)});
    return weights.back().second;
  }
  Value state(std::string_view name, const Shape& shape, const Json& initializer) override {
    return weight(name, shape, initializer, false, nullptr, nullptr);
  }
  Value kept(std::string_view, const Shape& shape) override {
    return input(*Tensor::zeros({DType::kF32, shape}));
  }
  LayerOutputs callInner(const Json& description, const LayerInputs& inputs) override {
    const LayerRow* row = findLayer(stringOr(description, "class_name", ""));
    const Json& config = member(description, "config");
    std::string outer = std::exchange(inner_, cat(inner_, stringOr(config, "name", ""), "/"));
    LayerOutputs outputs = callLayer(*row, *this, config, inputs);
    inner_ = std::move(outer);
    return outputs;
  }
  void update(Value weight, Value value) override { updates.push_back({weight, value}); }
  void replace(Value weight, Value value) override {
    update(weight, value);
    replaced.push_back({weight, value});
  }
  /// What the gradient of a weight is by.
  Value current(Value weight) const {
    auto known = std::ranges::find(replaced, weight, &decltype(replaced)::value_type::first);
    return known == replaced.end() ? weight : known->second;
  }
  void addLoss(Value) override {}
  Value randomState() override { return input(*Tensor::zeros({DType::kI32, {4}})); }

  Graph graph;
  std::vector<Tensor> tensors;  // of the graph's inputs
  std::vector<std::pair<std::string, Value>> weights;
  std::vector<std::pair<Value, Value>> updates, replaced;

 private:
  const Goldens& goldens_;
  const Json& case_;
  std::string inner_;  // of a layer within it, how its weights' names begin
};

using Wanted = std::vector<std::pair<std::string, Tensor>>;

/// A second output, and the mask of the first, where the case has them.
void wantOthers(const Goldens& goldens, const Json& c, const LayerOutputs& outputs, Graph& graph,
                Wanted& wanted) {
  if (c.contains("second")) {
    wanted.push_back({"the second output", goldens.tensor(c["second"])});
    graph.output(outputs.values.at(1));
  }
  bool hasMask = !outputs.masks.empty() && outputs.masks[0];
  if (c.contains("masks") || c.contains("output_mask"))
    ASSERT_EQ(hasMask, c.contains("output_mask")) << "a mask";
  if (!c.contains("output_mask")) return;
  wanted.push_back({"the mask", goldens.tensor(c["output_mask"])});
  graph.output(cast(outputs.masks[0], DType::kF32));
}

Status checkLayer(const Goldens& goldens, const Json& c, const Json& config) {
  OneLayer layer(goldens, c);
  const LayerRow* row = findLayer(stringOr(c, "class_name", ""));
  if (!row) return fail("no such layer");
  std::vector<Value> inputs, xs, masks;
  for (const Json& x : member(c, "inputs")) inputs.push_back(layer.input(goldens.tensor(x)));
  for (const Json& mask : member(c, "masks"))
    masks.push_back(mask.is_null() ? Value{} : layer.input(goldens.tensor(mask)));
  if (c.contains("mask")) masks.push_back(layer.input(goldens.tensor(c["mask"])));
  LayerOutputs outputs = callLayer(*row, layer, config, {inputs, masks}, member(c, "call"));
  FJORD_CHECK(layer.graph.status());

  // Files of weights without names go by this order.
  std::vector<std::string> order, keras;
  for (auto& [name, value] : layer.weights) order.push_back(name);
  for (auto& [name, value] : member(c, "weights").items()) keras.push_back(name);
  EXPECT_EQ(order, keras);

  Wanted wanted;
  std::vector<Json> ys{c["output"]}, dys{c["dy"]};
  for (const Json& other : member(c, "more")) {
    ys.push_back(other["output"]);
    dys.push_back(other["dy"]);
  }
  EXPECT_EQ(outputs.values.size(), ys.size() + (c.contains("second") ? 1 : 0));
  Value total;
  for (size_t i = 0; i < ys.size(); ++i) {
    wanted.push_back({cat("output ", i), goldens.tensor(ys[i])});
    layer.graph.output(outputs.values[i]);
    Value part = sum(outputs.values[i] * layer.input(goldens.tensor(dys[i])));
    total = total ? total + part : part;
  }
  const Json& dxs = member(c, "input_gradients");
  for (size_t i = 0; i < dxs.size(); ++i) {
    if (dxs[i].is_null()) continue;
    wanted.push_back({cat("gradient of input ", i), goldens.tensor(dxs[i])});
    xs.push_back(inputs[i]);
  }
  for (auto& [name, value] : layer.weights) {
    const Json& dw = member(member(c, "weight_gradients"), name.c_str());
    if (dw.is_null()) continue;
    wanted.push_back({"gradient of " + name, goldens.tensor(dw)});
    xs.push_back(layer.current(value));
  }
  if (!xs.empty()) {
    for (Value d : grad(total, xs)) layer.graph.output(d);
  }
  EXPECT_EQ(layer.updates.size(), member(c, "updated").size());
  for (auto& [weight, value] : layer.updates) {
    auto known = std::ranges::find(layer.weights, weight.id, [](auto& w) { return w.second.id; });
    const Json& after = member(member(c, "updated"), known->first.c_str());
    wanted.push_back({known->first + " after", goldens.tensor(after)});
    layer.graph.output(value);
  }
  wantOthers(goldens, c, outputs, layer.graph, wanted);
  FJORD_TRY(std::vector<Tensor> got, evaluate(layer.graph, layer.tensors, goldens.threads));
  double tolerance = numberOr(c, "tolerance", 1e-5);
  for (size_t i = 0; i < wanted.size(); ++i)
    expectClose(got[i], wanted[i].second, wanted[i].first, tolerance);
  return {};
}

TEST(KerasGolden, Layers) {
  std::set<std::string> tried;
  for (const char* file :
       {"nn_layers", "nn_dims", "nn_rnn", "nn_attention", "nn_more", "nn_audio"}) {
    Goldens goldens(file);
    each(goldens, [&](const Json& c) {
      tried.insert(layerOf(c));
      if (layerOf(c).empty()) return Status();
      return withDefaults(Json{{"config", c["config"]}}, c, [&](const Json& layer) {
        return checkLayer(goldens, c, layer["config"]);
      });
    });
  }
  for (const LayerRow& row : layerRows())
    EXPECT_TRUE(tried.contains(std::string(row.className))) << row.className << " has no case";
}

/// The slope along a direction of inputs and weights, by values on both sides and by the gradients.
Status checkSlope(const Goldens& goldens, const Json& c) {
  OneLayer layer(goldens, c);
  Random random(7);
  std::vector<std::pair<Value, Value>> along;  // what moves, and where to
  auto moved = [&](Value x) {
    Tensor direction = *Tensor::zeros(x.type());
    for (float& v : direction.span<float>()) v = random.normal();
    along.push_back({x, layer.input(direction)});
  };
  std::vector<Value> inputs, masks, values;
  for (const Json& x : c["inputs"]) inputs.push_back(layer.input(goldens.tensor(x)));
  for (const Json& x : member(c, "masks")) masks.push_back(layer.input(goldens.tensor(x)));
  Value dy = layer.input(goldens.tensor(c["dy"]));
  auto output = [&] {
    LayerOutputs y =
        callLayer(*findLayer(layerOf(c)), layer, c["config"], {inputs, masks}, member(c, "call"));
    return y ? y.values[0] : Value{};
  };
  Value middle = sum(output() * dy);
  FJORD_CHECK(layer.graph.status());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!c["input_gradients"][i].is_null()) moved(inputs[i]);
  }
  for (auto& [name, value] : layer.weights) {
    if (!c["weight_gradients"][name].is_null()) moved(value);
  }
  auto at = [&](double step) {
    auto before = std::pair(inputs, layer.weights);
    for (auto& [x, direction] : along) {
      for (Value& input : inputs) input = input == x ? x + direction * step : input;
      for (auto& [name, w] : layer.weights) w = w == x ? x + direction * step : w;
    }
    Value y = output();
    std::tie(inputs, layer.weights) = before;
    return y;
  };
  constexpr double kStep = 2e-3;
  // Of two steps, so that the curvature is none of it (Richardson 1911): angles and logarithms turn sharply near 0.
  auto between = [&](double step) { return sum((at(step) - at(-step)) * dy) / (2 * step); };
  layer.graph.output((between(kStep / 2) * 4 - between(kStep)) / 3);
  Value slope;
  for (auto& [x, direction] : along) {
    Value part = sum(grad(middle, {{x}})[0] * direction);
    slope = slope ? slope + part : part;
  }
  layer.graph.output(slope);
  FJORD_TRY(std::vector<Tensor> got, evaluate(layer.graph, layer.tensors, goldens.threads));
  double want = got[0].data<float>()[0];
  EXPECT_GT(std::fabs(want), 1e-3) << "is not alive";
  EXPECT_NEAR(got[1].data<float>()[0], want, 5e-3 * (std::fabs(want) + 1));
  return {};
}

TEST(KerasGolden, LayersAreAsSteepAsTheirGradientsSay) {
  Goldens goldens("nn_audio");
  int count = 0;
  each(goldens, [&](const Json& c) {
    if (!c.contains("input_gradients")) return Status();
    ++count;
    return checkSlope(goldens, c);
  });
  EXPECT_GT(count, 30);
}

// ---- losses and metrics ------------------------------------------------------------------------

Status checkLoss(const Goldens& goldens, const Json& c, const Json& loss) {
  Graph graph;
  std::vector<Tensor> in = {goldens.tensor(c["y_true"]), goldens.tensor(c["y_pred"])};
  Value y = graph.input(in[0].type()), p = graph.input(in[1].type()), weights;
  if (c.contains("sample_weight")) {
    in.push_back(goldens.tensor(c["sample_weight"]));
    weights = graph.input(in[2].type());
  }
  Value value = batchLoss(loss, y, p, weights);
  FJORD_CHECK(graph.status());
  graph.output(value);
  graph.output(grad(value, {{p}})[0]);
  FJORD_TRY(std::vector<Tensor> got, evaluate(graph, in, goldens.threads));
  expectClose(got[0], goldens.tensor(c["value"]), "value");
  expectClose(got[1], goldens.tensor(c["gradient"]), "gradient");
  return {};
}

/// The slope of a loss along a direction, by its values on both sides and by the gradient.
void expectSlope(const Goldens& goldens, const Json& c) {
  SCOPED_TRACE(c["name"].get<std::string>());
  Graph graph;
  std::vector<Tensor> in = {goldens.tensor(c["y_true"]), goldens.tensor(c["y_pred"])};
  Value y = graph.input(in[0].type()), p = graph.input(in[1].type());
  Value along = graph.input(p.type()), loss = batchLoss(c["loss"], y, p, {});
  Random random(7);
  in.push_back(*Tensor::zeros(p.type()));
  for (float& v : in[2].span<float>()) v = random.normal();
  constexpr double kStep = 2e-3;
  auto at = [&](double step) { return batchLoss(c["loss"], y, p + along * step, {}); };
  graph.output((at(kStep) - at(-kStep)) / (2 * kStep));
  graph.output(sum(grad(loss, {{p}})[0] * along));
  auto got = evaluate(graph, in, goldens.threads);
  ASSERT_TRUE(got) << got.error().message;
  double slope = (*got)[0].data<float>()[0], gradient = (*got)[1].data<float>()[0];
  EXPECT_GT(std::fabs(slope), 1e-3) << "is not alive";
  EXPECT_NEAR(slope, gradient, 2e-3 * (std::fabs(slope) + 0.1));
}

/// Of losses that are more than a mean of what each number gives.
TEST(KerasGolden, LossesAreAsSteepAsTheirGradientsSay) {
  Goldens goldens("nn_losses");
  std::set<std::string> names = {"Dice weighted",
                                 "Dice axis",
                                 "Tversky options",
                                 "Tversky axis",
                                 "Circle weighted",
                                 "Circle remove_diagonal",
                                 "CTC",
                                 "CTC of nothing known",
                                 "SparseCategoricalCrossentropy logits ignore_class"};
  for (const Json& c : goldens.cases) {
    if (names.erase(c["name"].get<std::string>())) expectSlope(goldens, c);
  }
  EXPECT_EQ(names.size(), 0u) << *names.begin();
}

Status checkMetric(const Goldens& goldens, const Json& c, const Json& metric) {
  std::vector<double> totals;
  MetricValue value;
  for (size_t i = 0; i < c["y_true"].size(); ++i) {
    Graph graph;
    std::vector<Tensor> in = {goldens.tensor(c["y_true"][i]), goldens.tensor(c["y_pred"][i])};
    Value y = graph.input(in[0].type()), p = graph.input(in[1].type());
    MetricSums m = metricSums(metric, member(c, "compiled_loss"), y, p);
    FJORD_CHECK(graph.status());
    for (Value v : m.sums) graph.output(v);
    FJORD_TRY(std::vector<Tensor> got, evaluate(graph, in, goldens.threads));
    std::vector<double> sums;
    for (const Tensor& t : got)
      sums.insert(sums.end(), t.span<float>().begin(), t.span<float>().end());
    totals.resize(sums.size());
    std::ranges::transform(totals, sums, totals.begin(), std::plus());
    value = m.value;
  }
  double want = numberOr(c, "value", NAN);
  EXPECT_NEAR(value(totals), want, 1e-5 * (1 + std::fabs(want)));
  return {};
}

TEST(KerasGolden, LossesAndMetrics) {
  Goldens goldens("nn_losses");
  std::set<std::string> tried[2];  // metrics, losses
  each(goldens, [&](const Json& c) {
    bool isLoss = c.contains("loss");
    tried[isLoss].insert(canonicalName(*nameIn(c[isLoss ? "loss" : "metric"])));
    return withDefaults(c[isLoss ? "loss" : "metric"], c, [&](const Json& j) {
      return isLoss ? checkLoss(goldens, c, j) : checkMetric(goldens, c, j);
    });
  });
  for (const Table& table : {lossTable(), metricTable()}) {
    for (const Named& row : table.rows) {
      EXPECT_TRUE(std::ranges::any_of(tried[table.what == "loss"],
                                      [&](const std::string& name) { return isCalled(row, name); }))
          << "the " << table.what << " " << row.name << " has no case";
    }
  }
}

}  // namespace
}  // namespace fjord
