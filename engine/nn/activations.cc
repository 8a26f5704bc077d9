#include "nn/activations.h"

#include <algorithm>
#include <array>

#include "ir/graph.h"
#include "nn/traced.h"

namespace fjord {

namespace {

Value number(Value x, double c) { return constant(*x.graph, c); }

/// Half of the last axis times the sigmoid of the other half (Dauphin et al. 2017).
Value gatedLinear(Value x) {
  std::vector<Value> halves = split(x, 2, -1);
  return halves.size() == 2 ? halves[0] * sigmoid(halves[1]) : Value{};
}

/// The nearest point of the probability simplex (Martins and Astudillo 2016). Without a sort: z is in
/// the support if 1 + k z exceeds the sum of the k numbers that are not below it.
Value sparsemax(Value x) {
  if (x.shape().rank() < 1) return {};
  Shape column = x.shape(), row = x.shape();
  column.push(1);
  row.push(row[-1]);
  row[-2] = 1;
  Value z = reshape(x, {.shape = column}), others = reshape(x, {.shape = row});
  Value above = cast(others >= z, DType::kF32);
  Value count = sum(above, {.axes = {-1}}), total = sum(above * others, {.axes = {-1}});
  Value support = cast(count * x + number(x, 1) > total, DType::kF32);
  Value tau = (sum(support * x, {.axes = {-1}, .keepDims = true}) - number(x, 1)) /
              sum(support, {.axes = {-1}, .keepDims = true});
  return relu(x - tau);
}

/// hard_sigmoid of Keras 1 and 2, and of TensorFlow.js: its slope is 0.2; that of Keras 3 is 1/6.
Value oldHardSigmoid(Value x) {
  return minimum(maximum(x * number(x, 0.2) + number(x, 0.5), number(x, 0)), number(x, 1));
}

struct Row {
  std::string_view name;
  Value (*apply)(Value);
};

// Parameters are those of the Keras functions' defaults.
constexpr Row kActivations[] = {
    {"linear", [](Value x) { return x; }},
    {"relu", relu},
    {"relu6", relu6},
    {"leakyrelu", [](Value x) { return leakyRelu(x, number(x, 0.2)); }},
    {"elu", [](Value x) { return elu(x, number(x, 1)); }},
    {"selu", selu},
    {"celu", [](Value x) { return celu(x, number(x, 1)); }},
    {"gelu", gelu},
    {"gelunew", geluTanh},
    {"silu", silu},
    {"swish", silu},
    {"mish", mish},
    {"sigmoid", sigmoid},
    {"hardsigmoid", hardSigmoid},
    {"keras2hardsigmoid", oldHardSigmoid},
    {"hardsilu", hardSilu},
    {"hardswish", hardSilu},
    {"tanh", tanh},
    {"hardtanh", hardTanh},
    {"tanhshrink", tanhShrink},
    {"softshrink", [](Value x) { return softShrink(x, number(x, 0.5)); }},
    {"hardshrink", [](Value x) { return hardShrink(x, number(x, 0.5)); }},
    {"softplus", softplus},
    {"softsign", softsign},
    {"squareplus", [](Value x) { return squareplus(x, number(x, 4)); }},
    {"sparseplus", sparsePlus},
    {"sparsesigmoid", sparseSigmoid},
    {"threshold", [](Value x) { return threshold(x, number(x, 1), number(x, 0)); }},
    {"exponential", [](Value x) { return exp(x); }},
    {"logsigmoid", logSigmoid},
    {"logsoftmax", [](Value x) { return logSoftmax(x); }},
    {"softmax", [](Value x) { return softmax(x); }},
    {"sparsemax", sparsemax},
    {"glu", gatedLinear},
};

}  // namespace

namespace {

Result<const Row*> rowOf(const Json& activation) {
  FJORD_TRY(std::string name, nameIn(activation));
  std::string wanted = canonicalName(name);
  auto row = std::ranges::find(kActivations, std::string_view(wanted), &Row::name);
  if (row == std::end(kActivations)) {
    auto known = activationNames();
    return unknown("activation", name, {known.begin(), known.end()});
  }
  // Functions have no arguments; layers, which have some, are not looked for here.
  FJORD_CHECK(Fields::of(name, {}, configOf(activation)));
  return row;
}

}  // namespace

Status checkActivation(const Json& activation) {
  if (tracedNumber(activation)) return {};
  auto row = rowOf(activation);
  return row ? Status() : std::unexpected(row.error());
}

Value activate(Value x, const Json& activation) {
  if (!x || activation.is_null()) return x;
  if (tracedNumber(activation)) return traced(activation, {{x}});
  auto row = rowOf(activation);
  if (row) return (*row)->apply(x);
  x.graph->fail(row.error().message);
  return {};
}

std::span<const std::string_view> activationNames() {
  static const auto kNames = [] {
    std::array<std::string_view, std::size(kActivations)> names;
    std::ranges::transform(kActivations, names.begin(), &Row::name);
    return names;
  }();
  return kNames;
}

}  // namespace fjord
