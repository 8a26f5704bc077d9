// Layers of each element and of the last axis: dense, activations.
#include <algorithm>
#include <limits>

#include "nn/layer_parts.h"
#include "nn/topology.h"
#include "nn/traced.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

Status layer_parts::checkInner(const Json& description) {
  if (tracedNumber(description)) return {};
  std::string className = stringOr(description, "class_name", "");
  if (const LayerRow* row = findLayer(className)) {
    FJORD_CHECK(layerFields(*row, member(description, "config")));
    return {};
  }
  if (!description.is_object()) return fail("must be a layer, got ", shown(description));
  FJORD_CHECK(Topology::fromJson(description));
  return {};
}

namespace {

constexpr double kUnlimited = std::numeric_limits<double>::infinity();
constexpr auto kAlphaWeight = WEIGHT_ARGUMENTS("alpha", "zeros");

constexpr Argument kDense[] = {whole("units", kCount).isNeeded(), also(kFinished),
                               also(kKernelWeight)};
Value dense(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  if (x.shape().rank() < 2) {
    x.graph->fail(cat("needs an input of rank 2 or more, got ", x.type()));
    return {};
  }
  return finished(c, f, matMul(x, kernelOf(c, f, {x.shape()[-1], f.whole("units")})));
}

constexpr Argument kActivation[] = {described("activation", checkLayerOrActivation)};
Value activation(LayerContext& c, const Fields& f, Inputs in) {
  return activated(c, f.json("activation"), in[0]);
}

constexpr Argument kRelu[] = {number("max_value", kNotNegative),
                              number("negative_slope|alpha", kNotNegative, 0),
                              number("threshold", kNotNegative, 0)};
Value reluLayer(LayerContext&, const Fields& f, Inputs in) {
  Value x = in[0];
  double slope = f.number("negative_slope"), threshold = f.number("threshold");
  double most = f.has("max_value") ? f.number("max_value") : kUnlimited;
  if (slope == 0 && threshold == 0)
    return most == kUnlimited ? relu(x) : most == 6 ? relu6(x) : clip(x, like(x, 0), like(x, most));
  Value y = where(x >= threshold, x, (x - threshold) * slope);
  return most == kUnlimited ? y : minimum(y, constant(*x.graph, most));
}

constexpr Argument kLeakyRelu[] = {number("negative_slope|alpha", kFinite, 0.3)};
Value leakyReluLayer(LayerContext&, const Fields& f, Inputs in) {
  return leakyRelu(in[0], constant(*in[0].graph, f.number("negative_slope")));
}

constexpr Argument kElu[] = {number("alpha", kFinite, 1)};
Value eluLayer(LayerContext&, const Fields& f, Inputs in) {
  return elu(in[0], constant(*in[0].graph, f.number("alpha")));
}

constexpr Argument kPrelu[] = {wholes("shared_axes", kCount), also(kAlphaWeight)};
Value preluLayer(LayerContext& c, const Fields& f, Inputs in) {
  Shape shape;
  for (int i = 1; i < in[0].shape().rank(); ++i) shape.push(in[0].shape()[i]);
  for (int32_t axis : f.wholes("shared_axes")) {
    if (!isAxis(in[0], "shared_axes", axis)) return {};
    shape[axis - 1] = 1;
  }
  return leakyRelu(in[0], weightOf(c, f, "alpha", "alpha", shape));
}

constexpr Argument kSoftmax[] = {whole("axis", kAnyInt, -1)};
Value softmaxLayer(LayerContext&, const Fields& f, Inputs in) {
  int32_t axis = f.whole("axis");
  return isAxis(in[0], "axis", axis) ? softmax(in[0], {.axis = axis}) : Value{};
}

Value identity(LayerContext&, const Fields&, Inputs in) { return in[0]; }

constexpr Argument kThresholdedRelu[] = {number("theta", kNotNegative, 1)};
Value thresholdedRelu(LayerContext&, const Fields& f, Inputs in) {
  return threshold(in[0], constant(*in[0].graph, f.number("theta")), constant(*in[0].graph, 0));
}

/// What it gets, which adds to the loss.
constexpr Argument kActivityRegularization[] = {number("l1", kNotNegative, 0),
                                                number("l2", kNotNegative, 0)};
Value activityRegularization(LayerContext& c, const Fields& f, Inputs in) {
  Json regularizer = {{"class_name", "L1L2"},
                      {"config", {{"l1", f.number("l1")}, {"l2", f.number("l2")}}}};
  if (kTrains) c.addLoss(regularization(in[0], regularizer));
  return in[0];
}

/// Steps of which every number is mask_value do not count; they become 0.
constexpr Argument kMasking[] = {number("mask_value", kFinite, 0)};
LayerOutputs masking(LayerContext&, const Fields& f, Inputs in) {
  Value x = in[0];
  if (x.shape().rank() < 2) {
    x.graph->fail(cat("needs an input of rank 2 or more, got ", x.type()));
    return {};
  }
  Value differs = cast(notEqual(x, like(x, f.number("mask_value"))), DType::kF32);
  Value counts = max(differs, {.axes = {x.shape().rank() - 1}, .keepDims = true});
  Shape steps(std::span(x.shape().begin(), x.shape().end() - 1));
  return {{x * counts}, {cast(reshape(counts, {.shape = steps}), DType::kBool)}};
}

// ---- a layer of another one

/// Whether a layer of this class is, or stands within, a description.
bool holds(const Json& description, std::string_view className) {
  if (description.is_array() || description.is_object()) {
    if (description.is_object() && stringOr(description, "class_name", "") == className)
      return true;
    return std::ranges::any_of(description, [&](const Json& j) { return holds(j, className); });
  }
  return false;
}

/// The layer on one step after the other, for one that may look at all samples of a step.
Value stepByStep(LayerContext& c, const Json& layer, Value x) {
  const Shape& s = x.shape();
  std::vector<Value> steps;
  for (Value step : split(x, s[1], 1)) {
    LayerOutputs y = c.callInner(layer, {{{withoutAxis(step, 1)}}});
    if (!y) return {};
    steps.push_back(y.values[0]);
  }
  return stack(steps, {.axis = 1});
}

/// The same layer on each step, [N,T,..]: as samples of their own.
constexpr Argument kTimeDistributed[] = {json("layer", checkInner).isNeeded()};
Value timeDistributed(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  const Shape& s = x.shape();
  if (s.rank() < 3) {
    x.graph->fail(cat("needs an input [N,T,..] of rank 3 or more, got ", x.type()));
    return {};
  }
  Json layer = f.json("layer");
  // Keras calls the layer without what it adds to the loss.
  if (member(layer, "config").is_object()) layer["config"].erase("activity_regularizer");
  if (kTrains && c.training && c.isTrained && holds(layer, "BatchNormalization")) {
    x.graph->fail(
        "BatchNormalization within TimeDistributed is not trained: each step would have a mean of "
        "its own; without TimeDistributed it takes the mean of all steps");
    return {};
  }
  if (holds(layer, kTracedClass) && s[1] > 0) return stepByStep(c, layer, x);
  Shape folded{int64_t{s[0]} * s[1]};
  for (int i = 2; i < s.rank(); ++i) folded.push(s[i]);
  LayerOutputs y = c.callInner(layer, {{{reshape(x, {.shape = folded})}}});
  if (!y) return {};
  const Shape& each = y.values[0].shape();
  Shape unfolded{s[0], s[1]};
  for (int i = 1; i < each.rank(); ++i) unfolded.push(each[i]);
  return reshape(y.values[0], {.shape = unfolded});
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"Dense", "dense", kDense, dense, 1, Masks::kPass},
    {"Activation", "activation", kActivation, activation, 1, Masks::kPass},
    {"ReLU", "reLU", kRelu, reluLayer, 1, Masks::kPass},
    {"LeakyReLU", "leakyReLU", kLeakyRelu, leakyReluLayer, 1, Masks::kPass},
    {"ELU", "elu", kElu, eluLayer, 1, Masks::kPass},
    {"PReLU", "prelu", kPrelu, preluLayer, 1, Masks::kPass},
    {"Softmax", "softmax", kSoftmax, softmaxLayer, 1, Masks::kRefuse},
    {"ThresholdedReLU", "thresholdedReLU", kThresholdedRelu, thresholdedRelu, 1, Masks::kPass},
    {"Identity", "identity", {}, identity, 1, Masks::kPass},
    {"ActivityRegularization", "activityRegularization", kActivityRegularization,
     activityRegularization, 1, Masks::kPass},
    {"Masking", "masking", kMasking, nullptr, 1, Masks::kEnd, masking},
    {"TimeDistributed", "timeDistributed", kTimeDistributed, timeDistributed, 1, Masks::kPass},
}));

}  // namespace

std::span<const LayerRow> coreLayers() { return kRows; }

}  // namespace fjord
