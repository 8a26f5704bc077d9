// Convolutions along one, two and three axes. Of one axis they are those of images of one row.
#include "nn/layer_parts.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

constexpr auto kDepthwiseWeight = WEIGHT_ARGUMENTS("depthwise", "glorot_uniform");
constexpr auto kPointwiseWeight = WEIGHT_ARGUMENTS("pointwise", "glorot_uniform");

template <int axes>
constexpr Argument kWindow[] = {perAxis("kernel_size", axes, kCount).isNeeded(),
                                perAxis("strides", axes, kCount, 1), also(kEitherLayout),
                                also(kFinished)};
constexpr Argument kPadding[] = {choice("padding", "valid|same")};
constexpr Argument kStepPadding[] = {choice("padding", "valid|same|causal")};

template <int axes>
constexpr Argument kConv[] = {whole("filters", kCount).isNeeded(),
                              perAxis("dilation_rate", axes, kCount, 1),
                              whole("groups", kCount, 1),
                              axes == 1 ? also(kStepPadding) : also(kPadding),
                              also(kWindow<axes>),
                              also(kKernelWeight)};

/// Causal: a step sees itself and those before it.
Padding stepPadding(const Fields& f) {
  if (f.choice("padding") != "causal") return paddingOf(f);
  // What is too large for an int32 is refused by the op.
  Shape before{(int64_t{f.perAxis("kernel_size")[0]} - 1) * f.perAxis("dilation_rate")[0]};
  return {Padding::kExplicit, 0, 0, before[0], 0};
}

Value conv(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  Shape shape = f.perAxis("kernel_size");
  int axes = shape.rank();
  if (!isBatch(x, axes)) return {};
  int32_t filters = f.whole("filters"), groups = f.whole("groups"), channels = x.shape()[-1];
  if (channels % groups || filters % groups) {
    x.graph->fail(cat("groups must divide the ", channels, " channels and the ", filters,
                      " filters, got ", groups));
    return {};
  }
  shape.push(channels / groups);
  shape.push(filters);
  Value kernel = kernelOf(c, f, shape);
  return finished(c, f,
                  convolve(x, kernel,
                           {f.perAxis("strides"), f.perAxis("dilation_rate"),
                            axes == 1 ? stepPadding(f) : paddingOf(f), groups}));
}

// ---- by channel

template <int axes>
constexpr Argument kDepthwise[] = {whole("depth_multiplier", kCount, 1),
                                   perAxis("dilation_rate", axes, kCount, 1), also(kPadding),
                                   also(kWindow<axes>), also(kDepthwiseWeight)};
Value depthwise(LayerContext& c, const Fields& f, Value x) {
  Shape shape = f.perAxis("kernel_size");
  int axes = shape.rank();
  if (!isBatch(x, axes)) return {};
  shape.push(x.shape()[-1]);
  shape.push(f.whole("depth_multiplier"));
  Value kernel = weightOf(c, f, "depthwise_kernel", "depthwise", shape);
  DepthwiseConv2DAttrs attrs{pairOf(f, "strides"), pairOf(f, "dilation_rate"), paddingOf(f)};
  if (axes == 2) return depthwiseConv2d(x, kernel, attrs);
  return withoutAxis(depthwiseConv2d(withAxis(x, 1), withAxis(kernel, 0), attrs), 1);
}

// Keras writes what a depthwise convolution has from the plain one.
template <int axes>
constexpr Argument kDepthwiseConv[] = {
    also(kDepthwise<axes>), only("groups", "1"), only("kernel_initializer", ""),
    only("kernel_regularizer", ""), only("kernel_constraint", "")};
Value depthwiseConv(LayerContext& c, const Fields& f, Inputs in) {
  return finished(c, f, depthwise(c, f, in[0]));
}

template <int axes>
constexpr Argument kSeparableConv[] = {whole("filters", kCount).isNeeded(), also(kPointwiseWeight),
                                       also(kDepthwiseConv<axes>)};
Value separableConv(LayerContext& c, const Fields& f, Inputs in) {
  Value x = depthwise(c, f, in[0]);
  if (!x) return x;
  int32_t channels = x.shape()[-1], filters = f.whole("filters");
  Shape shape = Shape::filled(f.perAxis("kernel_size").rank(), 1);
  shape.push(channels);
  shape.push(filters);
  Value kernel = weightOf(c, f, "pointwise_kernel", "pointwise", shape);
  if (shape.rank() == 4) return finished(c, f, conv2d(x, kernel));
  return finished(c, f, matMul(x, withoutAxis(kernel, 0)));
}

// ---- transposed

template <int axes>
constexpr Argument kConvTranspose[] = {whole("filters", kCount).isNeeded(),
                                       only("dilation_rate", axes == 1   ? "1|[1]"
                                                             : axes == 2 ? "1|[1,1]"
                                                                         : "1|[1,1,1]"),
                                       perAxis("output_padding", axes, kIndex),
                                       only("groups", "1"),
                                       also(kPadding),
                                       also(kWindow<axes>),
                                       also(kKernelWeight)};

/// How many outputs there are along an axis, as Keras counts them; `extra` is the output padding, or -1.
int64_t transposedSize(int64_t size, int64_t taps, int64_t stride, bool same, int64_t extra) {
  if (extra < 0) return size * stride + (same ? 0 : std::max<int64_t>(taps - stride, 0));
  return (size - 1) * stride + (same ? taps % 2 : taps) + extra;
}

Value convTranspose(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  Shape taps = f.perAxis("kernel_size"), strides = f.perAxis("strides"), extra;
  int axes = taps.rank();
  if (!isBatch(x, axes)) return {};
  if (f.has("output_padding")) extra = f.perAxis("output_padding");
  Padding padding = paddingOf(f);
  int32_t filters = f.whole("filters");
  Shape size{x.shape()[0]}, shape = taps;
  for (int i = 0; i < axes; ++i) {
    if (!extra.empty() && extra[i] >= strides[i]) {
      x.graph->fail(cat("output_padding must be less than strides, got ", extra, " and ", strides));
      return {};
    }
    size.push(transposedSize(x.shape()[i + 1], taps[i], strides[i], padding.kind == Padding::kSame,
                             extra.empty() ? -1 : extra[i]));
  }
  size.push(filters);
  shape.push(filters);
  shape.push(x.shape()[-1]);
  Value kernel = kernelOf(c, f, shape);
  if (axes == 3)
    return finished(
        c, f,
        conv3dTranspose(x, kernel, {.strides = strides, .padding = padding, .outputShape = size}));
  Conv2DTransposeAttrs attrs{pairOf(strides), padding, size};
  if (axes == 2) return finished(c, f, conv2dTranspose(x, kernel, attrs));
  attrs.outputShape = {size[0], 1, size[1], filters};
  Value y = conv2dTranspose(withAxis(x, 1), withAxis(kernel, 0), attrs);
  return finished(c, f, withoutAxis(y, 1));
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"Conv1D", "conv1d", kConv<1>, eitherLayout<conv>},
    {"Conv2D", "conv2d", kConv<2>, eitherLayout<conv>},
    {"Conv3D", "conv3d", kConv<3>, eitherLayout<conv>},
    {"DepthwiseConv1D", "depthwiseConv1d", kDepthwiseConv<1>, eitherLayout<depthwiseConv>},
    {"DepthwiseConv2D", "depthwiseConv2d", kDepthwiseConv<2>, eitherLayout<depthwiseConv>},
    {"SeparableConv1D", "separableConv1d", kSeparableConv<1>, eitherLayout<separableConv>},
    {"SeparableConv2D", "separableConv2d", kSeparableConv<2>, eitherLayout<separableConv>},
    {"Conv1DTranspose", "conv1dTranspose", kConvTranspose<1>, eitherLayout<convTranspose>},
    {"Conv2DTranspose", "conv2dTranspose", kConvTranspose<2>, eitherLayout<convTranspose>},
    {"Conv3DTranspose", "conv3dTranspose", kConvTranspose<3>, eitherLayout<convTranspose>},
}));

}  // namespace

std::span<const LayerRow> convolutionLayers() { return kRows; }

}  // namespace fjord
