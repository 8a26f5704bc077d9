// Normalisation.
#include <algorithm>
#include <optional>

#include "base/sort.h"
#include "nn/layer_parts.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

constexpr auto kGammaWeight = WEIGHT_ARGUMENTS("gamma", "ones");
constexpr auto kBetaWeight = WEIGHT_ARGUMENTS("beta", "zeros");

constexpr Argument kAffine[] = {number("epsilon", kNotNegative, 1e-3), flag("center", true),
                                flag("scale", true), also(kGammaWeight), also(kBetaWeight)};
constexpr Argument kNormalization[] = {wholes("axis", kAnyInt, -1), also(kAffine)};

/// Some axes of x. Weights have these alone; over x they are spread with ones for the others.
struct Spread {
  Shape size, shape, others;
  Graph* graph;

  Value over(Value w) const { return reshape(w, {.shape = shape}); }
  /// The weight, or where the flag `use` is false a constant.
  Value weight(LayerContext& c, const Fields& f, const char* use, const char* name,
               double fallback) const {
    if (f.flag(use)) return over(weightOf(c, f, name, name, size));
    return broadcastTo(constant(*graph, fallback), {.shape = shape});
  }
};
/// Nothing, and an error, where x has not these axes; they count from 0 afterwards. Weights have them in
/// the order of Keras: sorted as they are given.
std::optional<Spread> spreadOver(Value x, Shape& axes) {
  int rank = x.shape().rank();
  Spread s{{}, Shape::filled(rank, 1), {}, x.graph};
  std::span<int32_t> list(axes.begin(), axes.end());
  sortFew(list);
  for (int32_t& axis : axes) {
    if (!isAxis(x, "axis", axis)) return {};
    if (axis == 0) {
      x.graph->fail("axis must not be 0, which is that of the samples");
      return {};
    }
    s.size.push(x.shape()[axis]);
    s.shape[axis] = x.shape()[axis];
  }
  for (int i = 0; i < rank; ++i) {
    if (std::ranges::find(axes, i) == axes.end()) s.others.push(i);
  }
  // The last axis alone needs no ones before it.
  if (axes.rank() == 1 && axes[0] == rank - 1) s.shape = s.size;
  return s;
}

struct Statistics {
  Value mean, variance;
};
/// Over some axes, which stay with size 1; of those elements alone that `counts` says, if it is given.
Statistics statistics(Value x, const Shape& axes, Value counts = {}) {
  if (!counts) {
    Value average = mean(x, {.axes = axes, .keepDims = true});
    return {average, mean(square(x - average), {.axes = axes, .keepDims = true})};
  }
  auto total = [&](Value v) { return sum(v, {.axes = axes, .keepDims = true}); };
  // Keras's way not to divide by 0.
  Value number = total(cast(counts, DType::kF32)) + 1e-7;
  Value average = total(where(counts, x, 0.0)) / number;
  return {average, total(where(counts, square(x - average), 0.0)) / number};
}

/// Which steps count, [N,T,1]; nothing where all do.
Value countsOf(Inputs in, int axis) {
  Value mask = in.mask(0), x = in[0];
  if (!mask) return {};
  Shape steps = mask.shape();
  steps.push(1);
  if (axis == x.shape().rank() - 1 && steps.rank() == x.shape().rank())
    return truth(reshape(mask, {.shape = steps}));
  x.graph->fail(cat("the mask ", mask.type(),
                    " needs inputs of one more axis, that of the channels, got ", x.type(),
                    " and axis ", axis));
  return {};
}

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
Value batchNormalization(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  Shape axes = f.wholes("axis");
  if (axes.rank() != 1) {
    x.graph->fail(cat("axis must be one axis, that of the channels, got ", axes));
    return {};
  }
  std::optional<Spread> channels = spreadOver(x, axes);
  if (!channels) return {};
  Value scale = channels->weight(c, f, "scale", "gamma", 1);
  Value offset = channels->weight(c, f, "center", "beta", 0);
  bool moves = c.training && c.isTrained;
  auto moving = [&](const char* name, const char* initializer) {
    return moves ? c.state(name, channels->size, f.json(initializer))
                 : c.weight(name, channels->size, f.json(initializer), false);
  };
  Value movingMean = moving("moving_mean", "moving_mean_initializer");
  Value movingVariance = moving("moving_variance", "moving_variance_initializer");
  BatchNormAttrs attrs{.epsilon = static_cast<float>(f.number("epsilon"))};
  if (!moves)
    return batchNorm(x, channels->over(movingMean), channels->over(movingVariance), offset, scale,
                     attrs);
  Value counts = countsOf(in, axes[0]);
  if (!x.graph->status()) return {};
  Statistics now = statistics(x, channels->others, counts);
  double momentum = f.number("momentum");
  auto followed = [&](Value state, Value value) {
    value = reshape(value, {.shape = channels->size});
    c.update(state, state * momentum + value * (1 - momentum));
    return channels->over(value);
  };
  Value average = followed(movingMean, now.mean), variance = followed(movingVariance, now.variance);
  return batchNorm(x, average, variance, offset, scale, attrs);
}

/// Ba, Kiros, Hinton 2016. With rms_scaling x is divided by the root of its variance, and not brought to
/// mean 0: Keras's older form of RMSNormalization.
constexpr Argument kLayerNormalization[] = {flag("rms_scaling", false), also(kNormalization)};
Value layerNormalization(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  Shape axes = f.wholes("axis");
  std::optional<Spread> norm = spreadOver(x, axes);
  if (!norm) return {};
  double epsilon = f.number("epsilon");
  if (f.flag("rms_scaling")) {
    Value scale = norm->over(weightOf(c, f, "gamma", "gamma", norm->size));
    return x * rsqrt(statistics(x, axes).variance + epsilon) * scale;
  }
  Value scale = norm->weight(c, f, "scale", "gamma", 1);
  Value offset = norm->weight(c, f, "center", "beta", 0);
  return layerNorm(x, scale, offset, {.axes = axes, .epsilon = static_cast<float>(epsilon)});
}

/// Zhang and Sennrich 2019: x is divided by the root of its mean square.
constexpr Argument kRmsNormalization[] = {wholes("axis", kAnyInt, -1),
                                          number("epsilon", kNotNegative, 1e-6)};
Value rmsNormalization(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  Shape axes = f.wholes("axis");
  std::optional<Spread> norm = spreadOver(x, axes);
  if (!norm) return {};
  Value scale = norm->over(c.weight("scale", norm->size, "ones"));
  Value squares = mean(square(x), {.axes = axes, .keepDims = true});
  return x * rsqrt(squares + f.number("epsilon")) * scale;
}

/// Wu and He 2018: the channels of a sample in groups, each brought to mean 0 and variance 1.
constexpr Range kGroups{-1, kMostInt};
constexpr Argument kGroupNormalization[] = {whole("groups", kGroups, 32),
                                            whole("axis", kAnyInt, -1), also(kAffine)};
Value groupNormalization(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  int32_t axis = f.whole("axis"), groups = f.whole("groups");
  if (!isAxis(x, "axis", axis)) return {};
  int32_t channels = x.shape()[axis];
  if (groups == -1) groups = channels;
  if (axis == 0 || groups < 1 || channels % groups != 0) {
    x.graph->fail(cat("groups must divide the channels of axis ", axis, " of ", x.type(),
                      ", or be -1 for one each, got ", f.whole("groups")));
    return {};
  }
  // An axis of the groups before that of the channels in each.
  Shape cut, spread, others;
  for (int i = 0; i < x.shape().rank(); ++i) {
    if (i == axis) cut.push(groups);
    cut.push(i == axis ? channels / groups : x.shape()[i]);
  }
  for (int i = 0; i < cut.rank(); ++i) {
    spread.push(i == axis || i == axis + 1 ? cut[i] : 1);
    if (i > 0 && i != axis) others.push(i);
  }
  Value y = reshape(x, {.shape = cut});
  Statistics of = statistics(y, others);
  y = (y - of.mean) * rsqrt(of.variance + f.number("epsilon"));
  auto affine = [&](const char* name) {
    return reshape(weightOf(c, f, name, name, {channels}), {.shape = spread});
  };
  if (f.flag("scale")) y = y * affine("gamma");
  if (f.flag("center")) y = y + affine("beta");
  return reshape(y, {.shape = x.shape()});
}

/// Each vector along the axes is brought to length 1; what is 0 stays so.
constexpr Argument kUnitNormalization[] = {wholes("axis", kAnyInt, -1)};
Value unitNormalization(LayerContext&, const Fields& f, Inputs in) {
  Value x = in[0];
  Shape axes = f.wholes("axis");
  if (!spreadOver(x, axes)) return {};
  Value squares = sum(square(x), {.axes = axes, .keepDims = true});
  return x * rsqrt(maximum(squares, like(squares, 1e-24)));  // Keras's bound of the length, 1e-12
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"BatchNormalization", "batchNormalization", kBatchNormalization, batchNormalization, 1,
     Masks::kPass},
    {"LayerNormalization", "layerNormalization", kLayerNormalization, layerNormalization, 1,
     Masks::kPass},
    {"RMSNormalization", "rmsNormalization", kRmsNormalization, rmsNormalization, 1},
    {"GroupNormalization", "groupNormalization", kGroupNormalization, groupNormalization, 1,
     Masks::kPass},
    {"UnitNormalization", "unitNormalization", kUnitNormalization, unitNormalization, 1,
     Masks::kPass},
}));

}  // namespace

std::span<const LayerRow> normalizationLayers() { return kRows; }

}  // namespace fjord
