// Spectral normalisation: a layer whose kernel, as a matrix, has a largest singular value of 1.
#include <string>

#include "nn/layer_parts.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

/// A row of length 1; Keras's bound of the length, 1e-7.
Value unit(Value x) {
  Value squares = sum(square(x), {.axes = {-1}, .keepDims = true});
  return x * rsqrt(maximum(squares, like(squares, 1e-14)));
}

/// Calls a layer within another one, and brings its kernel to norm 1 on the way.
class Normalizing : public LayerContext {
 public:
  Normalizing(LayerContext& outer, std::string inner, std::string_view kernel, int32_t iterations)
      : outer_(outer), inner_(std::move(inner)), kernel_(kernel), iterations_(iterations) {
    training = outer.training;
    isTrained = outer.isTrained;
  }
  Value weight(std::string_view name, const Shape& shape, const Json& initializer, bool trainable,
               const Json& regularizer, const Json& constraint) override {
    std::string path = cat(inner_, "/", name);
    auto own = [&] {
      return outer_.weight(path, shape, initializer, trainable, regularizer, constraint);
    };
    if (name != kernel_) return own();
    hasKernel = true;
    const Json start = {{"class_name", "TruncatedNormal"}, {"config", {{"stddev", 0.02}}}};
    Shape row{1, shape[-1]};
    Value w = own();
    if (training) return normalized(w, outer_.state("vector_u", row, start));
    outer_.weight("vector_u", row, start, false);
    return w;
  }
  Value state(std::string_view name, const Shape& shape, const Json& initializer) override {
    return outer_.state(cat(inner_, "/", name), shape, initializer);
  }
  void update(Value state, Value value) override { outer_.update(state, value); }
  void replace(Value weight, Value value) override { outer_.replace(weight, value); }
  void addLoss(Value loss) override { outer_.addLoss(loss); }
  Value kept(std::string_view name, const Shape& shape) override {
    return outer_.kept(name, shape);
  }
  Value randomState() override { return outer_.randomState(); }
  LayerOutputs callInner(const Json& description, const LayerInputs& inputs) override {
    inputs[0].graph->fail(cat("layer must have a kernel of its own, got one with ",
                              stringOr(description, "class_name", "a layer"), " in it"));
    return {};
  }

  bool hasKernel = false;

 private:
  /// The power method: u and v come to the singular vectors of the largest value, step by step.
  Value normalized(Value w, Value u) {
    Value rows = reshape(w, {.shape = {-1, w.shape()[-1]}}), next = u, v;
    for (int32_t i = 0; i < iterations_; ++i) {
      v = unit(matMul(next, rows, {.transposeB = true}));
      next = unit(matMul(v, rows));
    }
    Value largest = reshape(matMul(matMul(v, rows), next, {.transposeB = true}), {});
    // A kernel of zeros has no direction.
    Value isAlive = any(notEqual(w, like(w, 0)));
    outer_.update(u, where(isAlive, next, u));
    Value one = where(isAlive, w / largest, w);
    outer_.replace(w, one);
    return one;
  }

  LayerContext& outer_;
  std::string inner_;
  std::string_view kernel_;
  int32_t iterations_;
};

/// Miyato et al. 2018. Weights: vector_u [1, outputs], and those of the layer, whose kernel each step of
/// training divides by its largest singular value before it is used.
constexpr Argument kSpectralNormalization[] = {json("layer", checkInner).isNeeded(),
                                               whole("power_iterations", kCount, 1)};
LayerOutputs spectralNormalization(LayerContext& c, const Fields& f, Inputs in) {
  Json layer = f.json("layer");
  const Json& config = configOf(layer);
  std::string className = stringOr(layer, "class_name", "");
  const LayerRow* row = findLayer(className);
  Normalizing inner(c, stringOr(config, "name", canonicalName(className)),
                    className == "Embedding"         ? "embeddings"
                    : className == "DepthwiseConv2D" ? "depthwise_kernel"
                                                     : "kernel",
                    f.whole("power_iterations"));
  LayerOutputs y = row ? callLayer(*row, inner, config, in) : LayerOutputs();
  if (inner.hasKernel) return y;
  in[0].graph->fail(cat("layer must have one kernel, or embeddings, got ", className));
  return {};
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"SpectralNormalization", "spectralNormalization", kSpectralNormalization, nullptr, 1,
     Masks::kEnd, spectralNormalization},
}));

}  // namespace

std::span<const LayerRow> spectralLayers() { return kRows; }

}  // namespace fjord
