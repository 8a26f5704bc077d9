// Normalisation.
#include "nn/layer_parts.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

constexpr auto kGammaWeight = WEIGHT_ARGUMENTS("gamma", "ones");
constexpr auto kBetaWeight = WEIGHT_ARGUMENTS("beta", "zeros");

constexpr Argument kNormalization[] = {
    wholes("axis", kAnyInt, -1), number("epsilon", kNotNegative, 1e-3),
    flag("center", true),        flag("scale", true),
    also(kGammaWeight),          also(kBetaWeight)};

/// Ioffe and Szegedy 2015. In training by the batch's statistics, while the moving ones follow;
/// otherwise by the moving ones.
constexpr Argument kBatchNormalization[] = {
    number("momentum", kShare, 0.99),
    described("moving_mean_initializer", checkInitializer, "zeros"),
    described("moving_variance_initializer", checkInitializer, "ones"),
    only("renorm", "false"),
    only("renorm_clipping", ""),
    number("renorm_momentum", kShare, 0.99),
    only("synchronized", "false"),
    only("virtual_batch_size", ""),
    only("adjustment", ""),
    only("fused", "true|false"),
    also(kNormalization),
};
Value normalizedByLast(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  int rank = x.shape().rank();
  Shape size{x.shape()[-1]}, others;
  for (int i = 0; i < rank - 1; ++i) others.push(i);
  Value scale = f.flag("scale") ? weightOf(c, f, "gamma", "gamma", size)
                                : broadcastTo(constant(*x.graph, 1), {.shape = size});
  Value offset = f.flag("center") ? weightOf(c, f, "beta", "beta", size)
                                  : broadcastTo(constant(*x.graph, 0), {.shape = size});
  bool moves = c.training && c.isTrained;
  auto moving = [&](const char* name, const char* initializer) {
    return moves ? c.state(name, size, f.json(initializer))
                 : c.weight(name, size, f.json(initializer), false);
  };
  Value movingMean = moving("moving_mean", "moving_mean_initializer");
  Value movingVariance = moving("moving_variance", "moving_variance_initializer");
  BatchNormAttrs attrs{.epsilon = static_cast<float>(f.number("epsilon"))};
  if (!moves) return batchNorm(x, movingMean, movingVariance, offset, scale, attrs);
  if (in.mask(0)) {
    x.graph->fail("statistics over masked steps are not supported");
    return {};
  }
  Value average = mean(x, {.axes = others}), variance = mean(square(x - average), {.axes = others});
  double momentum = f.number("momentum");
  c.update(movingMean, movingMean * momentum + average * (1 - momentum));
  c.update(movingVariance, movingVariance * momentum + variance * (1 - momentum));
  return batchNorm(x, average, variance, offset, scale, attrs);
}

Value batchNormalization(LayerContext& c, const Fields& f, Inputs in) {
  Shape axes = f.wholes("axis");
  if (axes.rank() != 1) {
    in[0].graph->fail(cat("axis must be one, that of the channels, got ", axes));
    return {};
  }
  if (!isAxis(in[0], "axis", axes[0])) return {};
  Value x = axisLast(in[0], axes[0]);
  return lastBack(normalizedByLast(c, f, {{&x, 1}, in.masks}), axes[0]);
}

/// Ba, Kiros, Hinton 2016.
constexpr Argument kLayerNormalization[] = {only("rms_scaling", "false"), also(kNormalization)};
Value layerNormalization(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  Shape axes = f.wholes("axis");
  // Weights have the normalised axes alone; over x they are spread with ones for the others.
  Shape size, spread = Shape::filled(x.shape().rank(), 1);
  for (int32_t& axis : axes) {
    if (!isAxis(x, "axis", axis)) return {};
    size.push(x.shape()[axis]);
    spread[axis] = x.shape()[axis];
  }
  auto part = [&](const char* use, const char* name, double fallback) {
    if (!f.flag(use)) return broadcastTo(constant(*x.graph, fallback), {.shape = spread});
    return reshape(weightOf(c, f, name, name, size), {.shape = spread});
  };
  Value scale = part("scale", "gamma", 1), offset = part("center", "beta", 0);
  return layerNorm(x, scale, offset,
                   {.axes = axes, .epsilon = static_cast<float>(f.number("epsilon"))});
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"BatchNormalization", "batchNormalization", kBatchNormalization, batchNormalization, 1,
     Masks::kPass},
    {"LayerNormalization", "layerNormalization", kLayerNormalization, layerNormalization, 1,
     Masks::kPass},
}));

}  // namespace

std::span<const LayerRow> normalizationLayers() { return kRows; }

}  // namespace fjord
