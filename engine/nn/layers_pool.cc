// Pooling along one, two and three axes. Of one axis it is that of images of one row.
#include <type_traits>

#include "nn/layer_parts.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

// ---- over windows

template <int axes>
constexpr Argument kPool[] = {perAxis("pool_size", axes, kCount, 2),
                              perAxis("strides", axes, kCount), choice("padding", "valid|same"),
                              also(kEitherLayout)};

/// The pooling of images or volumes that has attributes A.
template <class A>
Value pooled(const Fields& f, Value x, Value (*pool)(Value, const A&)) {
  const char* strides = f.has("strides") ? "strides" : "pool_size";
  A a;
  if constexpr (std::is_same_v<decltype(a.window), Shape>) {
    a.window = f.perAxis("pool_size");
    a.strides = f.perAxis(strides);
  } else {
    a.window = pairOf(f, "pool_size");
    a.strides = pairOf(f, strides);
  }
  a.padding = paddingOf(f);
  return pool(x, a);
}

template <class A2, class A3>
Value pooled(const Fields& f, Value x, Value (*of2)(Value, const A2&),
             Value (*of3)(Value, const A3&)) {
  int axes = f.perAxis("pool_size").rank();
  if (!isBatch(x, axes)) return {};
  if (axes == 3) return pooled<A3>(f, x, of3);
  if (axes == 2) return pooled<A2>(f, x, of2);
  return withoutAxis(pooled<A2>(f, withAxis(x, 1), of2), 1);
}

Value maxPooling(LayerContext&, const Fields& f, Inputs in) {
  return pooled<MaxPoolAttrs, MaxPool3DAttrs>(f, in[0], maxPool, maxPool3d);
}
Value averagePooling(LayerContext&, const Fields& f, Inputs in) {
  return pooled<AvgPoolAttrs, AvgPool3DAttrs>(f, in[0], avgPool, avgPool3d);
}

// ---- over all

constexpr Argument kGlobalPool[] = {flag("keepdims", false), also(kEitherLayout)};
Shape axesBetween(Value x) {
  Shape axes;
  for (int i = 1; i < x.shape().rank() - 1; ++i) axes.push(i);
  return axes;
}
template <int axes>
Value globalMaxPooling(LayerContext&, const Fields& f, Inputs in) {
  if (!isBatch(in[0], axes)) return {};
  return max(in[0], {.axes = axesBetween(in[0]), .keepDims = f.flag("keepdims")});
}
template <int axes>
Value globalAveragePooling(LayerContext&, const Fields& f, Inputs in) {
  if (!isBatch(in[0], axes)) return {};
  return mean(in[0], {.axes = axesBetween(in[0]), .keepDims = f.flag("keepdims")});
}
/// Of the steps that count; without any it is 0 / 0, as in Keras.
Value globalAverageOfSteps(LayerContext& c, const Fields& f, Inputs in) {
  Value mask = in.mask(0);
  if (!mask || !isBatch(in[0], 1)) return globalAveragePooling<1>(c, f, in);
  // `where` repeats no operand.
  Value counts = broadcastTo(withAxis(mask, 2), {.shape = in[0].shape()});
  SumAttrs attrs{.axes = {1}, .keepDims = f.flag("keepdims")};
  return sum(where(counts, in[0], 0.0), attrs) / sum(cast(counts, DType::kF32), attrs);
}

// ---- into a given number of parts

template <int axes>
constexpr Argument kAdaptivePool[] = {perAxis("output_size", axes, kCount).isNeeded(),
                                      also(kEitherLayout)};

using Reduce = Value (*)(Value, int axis);
Value maxAlong(Value x, int axis) { return max(x, {.axes = {axis}, .keepDims = true}); }
Value meanAlong(Value x, int axis) { return mean(x, {.axes = {axis}, .keepDims = true}); }

/// Part i of `parts` is from floor(i n / parts) to ceil((i + 1) n / parts): neighbours may overlap.
Value inParts(Value x, int axis, int32_t parts, Reduce reduce) {
  int64_t n = x.shape()[axis];
  std::vector<Value> all;
  for (int64_t i = 0; i < parts && x; ++i) {
    Shape begin = Shape::filled(x.shape().rank(), 0), size = x.shape();
    begin[axis] = static_cast<int32_t>(i * n / parts);
    size[axis] = static_cast<int32_t>(((i + 1) * n + parts - 1) / parts) - begin[axis];
    all.push_back(reduce(slice(x, {.begin = begin, .size = size}), axis));
  }
  return concat(all, {.axis = axis});
}

template <Reduce reduce>
Value adaptivePooling(LayerContext&, const Fields& f, Inputs in) {
  Value x = in[0];
  Shape parts = f.perAxis("output_size");
  if (!isBatch(x, parts.rank())) return {};
  for (int i = 0; i < parts.rank(); ++i) {
    // Each part is a node of the graph.
    constexpr int32_t kMostParts = 1 << 12;
    if (parts[i] > kMostParts) {
      x.graph->fail(
          cat("output_size must be at most ", kMostParts, " along each axis, got ", parts));
      return {};
    }
    x = inParts(x, i + 1, parts[i], reduce);
  }
  return x;
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"MaxPooling1D", "maxPooling1d", kPool<1>, eitherLayout<maxPooling>},
    {"MaxPooling2D", "maxPooling2d", kPool<2>, eitherLayout<maxPooling>},
    {"MaxPooling3D", "maxPooling3d", kPool<3>, eitherLayout<maxPooling>},
    {"AveragePooling1D", "averagePooling1d", kPool<1>, eitherLayout<averagePooling>},
    {"AveragePooling2D", "averagePooling2d", kPool<2>, eitherLayout<averagePooling>},
    {"AveragePooling3D", "averagePooling3d", kPool<3>, eitherLayout<averagePooling>},
    {"GlobalMaxPooling1D", "globalMaxPooling1d", kGlobalPool, eitherLayout<globalMaxPooling<1>>},
    {"GlobalMaxPooling2D", "globalMaxPooling2d", kGlobalPool, eitherLayout<globalMaxPooling<2>>},
    {"GlobalMaxPooling3D", "globalMaxPooling3d", kGlobalPool, eitherLayout<globalMaxPooling<3>>},
    {"GlobalAveragePooling1D", "globalAveragePooling1d", kGlobalPool,
     eitherLayout<globalAverageOfSteps>},
    {"GlobalAveragePooling2D", "globalAveragePooling2d", kGlobalPool,
     eitherLayout<globalAveragePooling<2>>},
    {"GlobalAveragePooling3D", "globalAveragePooling3d", kGlobalPool,
     eitherLayout<globalAveragePooling<3>>},
    {"AdaptiveMaxPooling1D", "adaptiveMaxPooling1d", kAdaptivePool<1>,
     eitherLayout<adaptivePooling<maxAlong>>},
    {"AdaptiveMaxPooling2D", "adaptiveMaxPooling2d", kAdaptivePool<2>,
     eitherLayout<adaptivePooling<maxAlong>>},
    {"AdaptiveMaxPooling3D", "adaptiveMaxPooling3d", kAdaptivePool<3>,
     eitherLayout<adaptivePooling<maxAlong>>},
    {"AdaptiveAveragePooling1D", "adaptiveAveragePooling1d", kAdaptivePool<1>,
     eitherLayout<adaptivePooling<meanAlong>>},
    {"AdaptiveAveragePooling2D", "adaptiveAveragePooling2d", kAdaptivePool<2>,
     eitherLayout<adaptivePooling<meanAlong>>},
    {"AdaptiveAveragePooling3D", "adaptiveAveragePooling3d", kAdaptivePool<3>,
     eitherLayout<adaptivePooling<meanAlong>>},
}));

}  // namespace

std::span<const LayerRow> poolingLayers() { return kRows; }

}  // namespace fjord
