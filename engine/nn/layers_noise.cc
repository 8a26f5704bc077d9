// Layers that draw random numbers in training, and in prediction give what they get: dropout and noise.
// The draws follow from the model's seed, the step and the layer; or from the layer's own seed and the step.
#include <cmath>

#include "nn/layer_parts.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

Draw layer_parts::drawOf(LayerContext& c, const Fields& f, Graph& graph, int32_t number) {
  Value state = c.randomState();
  if (!f.has("seed")) return {state, graph.nextStream()};
  // The first two of its four numbers are the seed, the others the step.
  Graph& around = *state.graph;
  Value seed = reshape(constant(around, f.whole("seed"), DType::kI32), {.shape = {1}});
  // Another key than that of a model with this seed.
  Value own = reshape(constant(around, 1 << 30, DType::kI32), {.shape = {1}});
  Value step = slice(state, {.begin = {2}, .size = {2}});
  return {concat({{seed, own, step}}, {.axis = 0}), number};
}

namespace {

constexpr Argument kRate[] = {number("rate", kBelowOne).isNeeded(), kSeed};

/// The shape of the draws: that of x, or noise_shape, in which an open axis is that of x.
Shape noiseShape(const Fields& f, Value x) {
  Shape noise = f.wholes("noise_shape");
  if (noise.empty()) return x.shape();
  for (int i = 0; i < noise.rank() && i < x.shape().rank(); ++i) {
    if (noise[i] < 0) noise[i] = x.shape()[i];
  }
  if (noise.rank() != x.shape().rank() || broadcastShapes(x.shape(), noise) != x.shape()) {
    x.graph->fail(cat("noise_shape must have for each axis of ", x.shape(),
                      " its size, 1, or null, got ", f.wholes("noise_shape")));
    return {};
  }
  return noise;
}

/// As `dropout` has it, the op.
double rateOf(const Fields& f) { return static_cast<float>(f.number("rate")); }

/// Where a number is kept: with a probability of 1 - rate.
Value kept(LayerContext& c, const Fields& f, Value x, const Shape& noise) {
  Draw draw = drawOf(c, f, *x.graph);
  return randomUniform(draw.state, {.shape = noise, .stream = draw.stream}) >= rateOf(f);
}

/// Srivastava et al. 2014: what is kept is scaled so that the expectation stays.
Value dropped(LayerContext& c, const Fields& f, Value x, const Shape& noise) {
  if (!c.training || rateOf(f) == 0 || noise.empty()) return x;
  return where(kept(c, f, x, noise), x * (1 / (1 - rateOf(f))), 0.0);
}

constexpr Argument kDropout[] = {also(kRate), shape("noise_shape")};
Value dropoutLayer(LayerContext& c, const Fields& f, Inputs in) {
  return dropped(c, f, in[0], noiseShape(f, in[0]));
}

/// Tompson et al. 2015: whole channels are dropped. The rank of x is 2 + axes.
template <int axes>
Value spatialDropout(LayerContext& c, const Fields& f, Inputs in) {
  Shape noise = in[0].shape();
  if (noise.rank() != axes + 2) {
    in[0].graph->fail(cat("needs an input of rank ", axes + 2, ", got ", in[0].type()));
    return {};
  }
  for (int i = 1; i <= axes; ++i) noise[i] = 1;
  return dropped(c, f, in[0], noise);
}
constexpr Argument kSpatialDropout[] = {also(kRate), also(kLayout)};

/// Klambauer et al. 2017: what is dropped becomes the value that SELU has far below 0, and mean and
/// variance stay what they were.
Value alphaDropout(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  double rate = rateOf(f);
  Shape noise = noiseShape(f, x);
  if (!c.training || rate == 0 || noise.empty()) return x;
  constexpr double kLeast = -1.6732632423543772 * 1.0507009873554805;  // of SELU
  double scale = 1 / std::sqrt((1 - rate) * (1 + rate * kLeast * kLeast));
  return where(kept(c, f, x, noise), x, kLeast) * scale - scale * kLeast * rate;
}

Value noise(LayerContext& c, const Fields& f, Value x, double mean, double stddev) {
  Draw draw = drawOf(c, f, *x.graph);
  return randomNormal(draw.state, {.shape = x.shape(),
                                   .mean = static_cast<float>(mean),
                                   .stddev = static_cast<float>(stddev),
                                   .stream = draw.stream});
}

constexpr Argument kGaussianNoise[] = {number("stddev", kNotNegative).isNeeded(), kSeed};
Value gaussianNoise(LayerContext& c, const Fields& f, Inputs in) {
  double stddev = f.number("stddev");
  return c.training && stddev > 0 ? in[0] + noise(c, f, in[0], 0, stddev) : in[0];
}

/// Multiplied by noise of the variance that dropout of this rate would have.
Value gaussianDropout(LayerContext& c, const Fields& f, Inputs in) {
  double rate = f.number("rate");
  if (!c.training || rate == 0) return in[0];
  return in[0] * noise(c, f, in[0], 1, std::sqrt(rate / (1 - rate)));
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"Dropout", "dropout", kDropout, dropoutLayer, 1, Masks::kPass},
    {"SpatialDropout1D", "spatialDropout1d", kRate, spatialDropout<1>, 1, Masks::kPass},
    {"SpatialDropout2D", "spatialDropout2d", kSpatialDropout, spatialDropout<2>, 1, Masks::kPass},
    {"SpatialDropout3D", "spatialDropout3d", kSpatialDropout, spatialDropout<3>, 1, Masks::kPass},
    {"AlphaDropout", "alphaDropout", kDropout, alphaDropout, 1, Masks::kPass},
    {"GaussianDropout", "gaussianDropout", kRate, gaussianDropout, 1, Masks::kPass},
    {"GaussianNoise", "gaussianNoise", kGaussianNoise, gaussianNoise, 1, Masks::kPass},
}));

}  // namespace

std::span<const LayerRow> noiseLayers() { return kRows; }

}  // namespace fjord
