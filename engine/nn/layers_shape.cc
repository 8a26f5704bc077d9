// Layers that move elements: reshape, permute, pad, crop, spread.
#include <algorithm>

#include "nn/layer_parts.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

Value flatten(LayerContext&, const Fields&, Inputs in) {
  int32_t batch = in[0].shape()[0];
  return reshape(
      in[0], {.shape = {batch, static_cast<int32_t>(in[0].shape().size() / std::max(1, batch))}});
}

// -1 for one axis: what remains.
constexpr Range kSizeOrRest{-1, kMostInt};
constexpr Argument kReshape[] = {wholes("target_shape", kSizeOrRest).isNeeded()};
Value reshapeLayer(LayerContext&, const Fields& f, Inputs in) {
  Shape target = f.wholes("target_shape"), shape{in[0].shape()[0]};
  if (target.rank() == kMaxRank || std::ranges::count(target, 0)) {
    in[0].graph->fail(cat("target_shape must be at most ", kMaxRank - 1,
                          " whole numbers from 1, or -1 for what remains, got ", target));
    return {};
  }
  for (int32_t d : target) shape.push(d);
  return reshape(in[0], {.shape = shape});
}

constexpr Argument kPermute[] = {wholes("dims", kCount).isNeeded()};
Value permute(LayerContext&, const Fields& f, Inputs in) {
  Shape dims = f.wholes("dims"), perm{0};
  if (dims.rank() != in[0].shape().rank() - 1) {
    in[0].graph->fail(cat("dims must be the numbers from 1 to ", in[0].shape().rank() - 1,
                          " in some order, got ", dims));
    return {};
  }
  for (int32_t d : dims) perm.push(d);
  return transpose(in[0], {.perm = perm});
}

constexpr Argument kRepeatVector[] = {whole("n", kCount).isNeeded()};
Value repeatVector(LayerContext&, const Fields& f, Inputs in) {
  const Shape& s = in[0].shape();
  if (s.rank() != 2) {
    in[0].graph->fail(cat("needs an input of rank 2, got ", in[0].type()));
    return {};
  }
  return broadcastTo(reshape(in[0], {.shape = {s[0], 1, s[1]}}),
                     {.shape = {s[0], f.whole("n"), s[1]}});
}

constexpr Argument kZeroPadding[] = {borders("padding", 1), also(kLayout)};
Value zeroPadding2d(LayerContext&, const Fields& f, Inputs in) {
  if (!isImage(in[0])) return {};
  std::array<int32_t, 4> b = f.borders("padding");
  return pad(in[0], {.paddings = {0, 0, b[0], b[1], b[2], b[3], 0, 0}});
}

constexpr Argument kCropping[] = {borders("cropping", 0), also(kLayout)};
Value cropping2d(LayerContext&, const Fields& f, Inputs in) {
  if (!isImage(in[0])) return {};
  std::array<int32_t, 4> b = f.borders("cropping");
  const Shape& s = in[0].shape();
  int64_t h = int64_t{s[1]} - b[0] - b[1], w = int64_t{s[2]} - b[2] - b[3];
  if (h < 1 || w < 1) {
    in[0].graph->fail(cat("cropping must leave something of ", s[1], " rows and ", s[2],
                          " columns, got [[", b[0], ",", b[1], "],[", b[2], ",", b[3], "]]"));
    return {};
  }
  return slice(in[0], {.begin = {0, b[0], b[2], 0}, .size = {s[0], h, w, s[3]}});
}

constexpr Argument kUpSampling[] = {pair("size", kCount, 2), choice("interpolation", "nearest"),
                                    also(kLayout)};
Value upSampling2d(LayerContext&, const Fields& f, Inputs in) {
  if (!isImage(in[0])) return {};
  Pair size = pairOf(f, "size");
  const Shape& s = in[0].shape();
  Value spread = broadcastTo(reshape(in[0], {.shape = {s[0], s[1], 1, s[2], 1, s[3]}}),
                             {.shape = {s[0], s[1], size.h, s[2], size.w, s[3]}});
  return reshape(spread, {.shape = {s[0], int64_t{s[1]} * size.h, int64_t{s[2]} * size.w, s[3]}});
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"Flatten", "flatten", kLayout, flatten},
    {"Reshape", "reshape", kReshape, reshapeLayer},
    {"Permute", "permute", kPermute, permute},
    {"RepeatVector", "repeatVector", kRepeatVector, repeatVector},
    {"UpSampling2D", "upSampling2d", kUpSampling, upSampling2d},
    {"ZeroPadding2D", "zeroPadding2d", kZeroPadding, zeroPadding2d},
    {"Cropping2D", "cropping2D", kCropping, cropping2d},
}));

}  // namespace

std::span<const LayerRow> shapeLayers() { return kRows; }

}  // namespace fjord
