// Convolutions and pooling.
#include "nn/layer_parts.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

constexpr auto kDepthwiseWeight = WEIGHT_ARGUMENTS("depthwise", "glorot_uniform");
constexpr auto kPointwiseWeight = WEIGHT_ARGUMENTS("pointwise", "glorot_uniform");

constexpr Argument kWindow[] = {pair("kernel_size", kCount).isNeeded(), pair("strides", kCount, 1),
                                choice("padding", "valid|same"), also(kLayout), also(kFinished)};
constexpr Argument kConv2d[] = {whole("filters", kCount).isNeeded(),
                                pair("dilation_rate", kCount, 1), whole("groups", kCount, 1),
                                also(kWindow), also(kKernelWeight)};
Value conv2dLayer(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  if (!isImage(x)) return {};
  Pair k = pairOf(f, "kernel_size");
  int32_t filters = f.whole("filters"), groups = f.whole("groups"), channels = x.shape()[3];
  if (channels % groups || filters % groups) {
    x.graph->fail(cat("groups must divide the ", channels, " channels and the ", filters,
                      " filters, got ", groups));
    return {};
  }
  return finished(c, f,
                  conv2d(x, kernelOf(c, f, {k.h, k.w, channels / groups, filters}),
                         {pairOf(f, "strides"), pairOf(f, "dilation_rate"), paddingOf(f), groups}));
}

constexpr Argument kDepthwise[] = {whole("depth_multiplier", kCount, 1),
                                   pair("dilation_rate", kCount, 1), also(kWindow),
                                   also(kDepthwiseWeight)};
Value depthwise(LayerContext& c, const Fields& f, Value x) {
  if (!isImage(x)) return {};
  Pair k = pairOf(f, "kernel_size");
  Value kernel = weightOf(c, f, "depthwise_kernel", "depthwise",
                          {k.h, k.w, x.shape()[3], f.whole("depth_multiplier")});
  return depthwiseConv2d(x, kernel,
                         {pairOf(f, "strides"), pairOf(f, "dilation_rate"), paddingOf(f)});
}

// Keras writes what a depthwise convolution has from the plain one.
constexpr Argument kDepthwiseConv2d[] = {
    also(kDepthwise), only("groups", "1"), only("kernel_initializer", ""),
    only("kernel_regularizer", ""), only("kernel_constraint", "")};
Value depthwiseConv2dLayer(LayerContext& c, const Fields& f, Inputs in) {
  return finished(c, f, depthwise(c, f, in[0]));
}

constexpr Argument kSeparableConv2d[] = {whole("filters", kCount).isNeeded(),
                                         also(kPointwiseWeight), also(kDepthwiseConv2d)};
Value separableConv2d(LayerContext& c, const Fields& f, Inputs in) {
  Value x = depthwise(c, f, in[0]);
  if (!x) return x;
  Value kernel =
      weightOf(c, f, "pointwise_kernel", "pointwise", {1, 1, x.shape()[3], f.whole("filters")});
  return finished(c, f, conv2d(x, kernel));
}

constexpr Argument kConv2dTranspose[] = {whole("filters", kCount).isNeeded(),
                                         only("dilation_rate", "1|[1,1]"),
                                         only("output_padding", ""),
                                         only("groups", "1"),
                                         also(kWindow),
                                         also(kKernelWeight)};
Value conv2dTransposeLayer(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  if (!isImage(x)) return {};
  Pair k = pairOf(f, "kernel_size"), s = pairOf(f, "strides");
  Padding padding = paddingOf(f);
  int32_t filters = f.whole("filters");
  const Shape& in4 = x.shape();
  bool same = padding.kind == Padding::kSame;
  int64_t h = int64_t{in4[1]} * s.h, w = int64_t{in4[2]} * s.w;
  if (!same) {
    h += std::max(k.h - s.h, 0);
    w += std::max(k.w - s.w, 0);
  }
  Value kernel = kernelOf(c, f, {k.h, k.w, filters, in4[3]});
  return finished(c, f, conv2dTranspose(x, kernel, {s, padding, {in4[0], h, w, filters}}));
}

constexpr Argument kPool[] = {pair("pool_size", kCount, 2), pair("strides", kCount),
                              choice("padding", "valid|same"), also(kLayout)};
template <class A>
A poolAttrs(const Fields& f) {
  A a;
  a.window = pairOf(f, "pool_size");
  a.strides = f.has("strides") ? pairOf(f, "strides") : a.window;
  a.padding = paddingOf(f);
  return a;
}
Value maxPooling2d(LayerContext&, const Fields& f, Inputs in) {
  return isImage(in[0]) ? maxPool(in[0], poolAttrs<MaxPoolAttrs>(f)) : Value{};
}
Value averagePooling2d(LayerContext&, const Fields& f, Inputs in) {
  return isImage(in[0]) ? avgPool(in[0], poolAttrs<AvgPoolAttrs>(f)) : Value{};
}

constexpr Argument kGlobalPool[] = {flag("keepdims", false), also(kLayout)};
Value globalMaxPooling2d(LayerContext&, const Fields& f, Inputs in) {
  if (!isImage(in[0])) return {};
  return max(in[0], {.axes = {1, 2}, .keepDims = f.flag("keepdims")});
}
Value globalAveragePooling2d(LayerContext&, const Fields& f, Inputs in) {
  if (!isImage(in[0])) return {};
  return mean(in[0], {.axes = {1, 2}, .keepDims = f.flag("keepdims")});
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"Conv2D", "conv2d", kConv2d, conv2dLayer},
    {"DepthwiseConv2D", "depthwiseConv2d", kDepthwiseConv2d, depthwiseConv2dLayer},
    {"SeparableConv2D", "separableConv2d", kSeparableConv2d, separableConv2d},
    {"Conv2DTranspose", "conv2dTranspose", kConv2dTranspose, conv2dTransposeLayer},
    {"MaxPooling2D", "maxPooling2d", kPool, maxPooling2d},
    {"AveragePooling2D", "averagePooling2d", kPool, averagePooling2d},
    {"GlobalMaxPooling2D", "globalMaxPooling2d", kGlobalPool, globalMaxPooling2d},
    {"GlobalAveragePooling2D", "globalAveragePooling2d", kGlobalPool, globalAveragePooling2d},
}));

}  // namespace

std::span<const LayerRow> convolutionLayers() { return kRows; }

}  // namespace fjord
