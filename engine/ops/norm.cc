// Normalisations, composed: the planner fuses their elementwise parts.
#include "ops/op.h"

namespace fjord {

namespace {

/// (x - mean) / sqrt(variance + epsilon) * scale + offset, with statistics that broadcast over x.
Value normalized(Value x, Value mean, Value variance, Value offset, Value scale, float epsilon) {
  // Two products of the size of the statistics, so that x sees one multiplication and one addition.
  Value factor = rsqrt(variance + epsilon) * scale;
  return x * factor + (offset - mean * factor);
}

Status checkEpsilon(float epsilon) {
  return checkNumber("epsilon", epsilon, epsilon >= 0, " of at least 0");
}
/// Operands that make x larger are not meant.
Status checkBroadcast(std::span<const Type> in, std::initializer_list<std::string_view> names) {
  for (size_t i = 1; i < in.size(); ++i) {
    if (broadcastShapes(in[0].shape, in[i].shape) != in[0].shape) {
      return fail(names.begin()[i - 1], " of shape ", in[i].shape, " does not broadcast to x of ",
                  in[0].shape);
    }
  }
  return {};
}

/// Inputs: x [..,C], mean, variance, offset, scale, each [C] or the shape of x with ones.
struct BatchNorm {
  using Attrs = BatchNormAttrs;
  static Status check(std::span<const Type> in, const Attrs& a) {
    FJORD_CHECK(checkBroadcast(in, {"mean", "variance", "offset", "scale"}));
    return checkEpsilon(a.epsilon);
  }
  static Value expand(std::span<const Value> in, const Attrs& a) {
    return normalized(in[0], in[1], in[2], in[3], in[4], a.epsilon);
  }
  static std::vector<Case> cases() {
    auto statistics = [](const Shape& x, const Shape& s) {
      return std::vector<Input>{floats(x), floats(s), floats(s, 0.3, 2), floats(s),
                                floats(s, 0.5, 2)};
    };
    return {makeCase("images", statistics({2, 3, 4, 5}, {5}), Attrs{}),
            makeCase("rows", statistics({7, 17}, {17}), Attrs{.epsilon = 1e-5f})};
  }
};

/// Inputs: x, scale and offset of the shape of the normalised axes.
struct LayerNorm {
  using Attrs = LayerNormAttrs;
  static Status check(std::span<const Type> in, const Attrs& a) {
    FJORD_CHECK(checkBroadcast(in, {"scale", "offset"}));
    return checkEpsilon(a.epsilon);
  }
  static Value expand(std::span<const Value> in, const Attrs& a) {
    Value x = in[0];
    Value average = mean(x, {.axes = a.axes, .keepDims = true});
    Value variance = mean(square(x - average), {.axes = a.axes, .keepDims = true});
    return (x - average) * rsqrt(variance + a.epsilon) * in[1] + in[2];
  }
  static std::vector<Case> cases() {
    return {makeCase("last axis", {floats({6, 19}), floats({19}, 0.5, 2), floats({19})}, Attrs{}),
            makeCase("two axes", {floats({3, 4, 5}), floats({4, 5}, 0.5, 2), floats({4, 5})},
                     Attrs{.axes = {1, 2}})};
  }
};

}  // namespace

FJORD_COMPOSED(BatchNorm, batchNorm)
FJORD_COMPOSED(LayerNorm, layerNorm)

}  // namespace fjord
